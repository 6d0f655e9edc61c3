//! What is promised of Kafka, against a real broker.
//!
//! Runs only when `KAFKA_BOOTSTRAP` is set at build time (`make test` sets it). Every test has its own topics and group.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod commit;
mod expired;
mod large;
mod memos;
mod rebalance;
mod requests;
mod restore;
mod sink;
mod support;
mod topics;
