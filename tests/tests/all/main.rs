//! The whole service: real processes, a real broker, a simulated ARGOS. One binary, so that it is linked once.
#![expect(clippy::expect_used, reason = "a test fails by panicking")]

mod alerts;
mod commands;
mod confirm;
mod console;
mod docs;
mod door;
mod explain;
mod kills;
mod map;
mod metrics;
mod openapi;
mod outage;
mod poll;
mod private;
mod rebuild;
mod registry;
mod rights;
mod sealed;
#[cfg(feature = "kafka-tls")]
mod tls;
mod traces;
mod upgrade;
