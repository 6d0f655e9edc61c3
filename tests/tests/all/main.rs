//! The whole service: real processes, a real broker, a simulated ARGOS. One binary, so that it is linked once.

mod confirm;
mod kills;
mod map;
mod outage;
