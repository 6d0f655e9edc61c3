//! The front door over real sockets on 127.0.0.1, with a sink that does as it is told.

#[cfg(test)]
mod abuse;
#[cfg(test)]
mod admission;
#[cfg(test)]
mod drain;
#[cfg(test)]
mod harness;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod privacy;
#[cfg(test)]
mod protocol;
#[cfg(test)]
mod sealed;
#[cfg(test)]
mod signing;
#[cfg(test)]
mod statuses;
#[cfg(test)]
mod table;
#[cfg(test)]
mod tls;
#[cfg(test)]
mod traces;
