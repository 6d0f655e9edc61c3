//! Hint, GET, decision, commit: the loop and its pure rules.
//!
//! Owns: [`decision`] (what to publish and when to look again), the queue of keys with its budget and breaker, and
//! the loop that drives them ([`driver`]).
//!
//! Must not know: Kafka, HTTP, any field of ARGOS. It meets them through `models`' traits.
//!
//! Path: the ledger's events enter [`state`]; [`queue`] picks a key; [`driver`] makes the look; [`decision`] decides;
//! `state/batch.rs` commits. What operators ask comes through [`inquiry`]; [`journal`] remembers for them. [`memory`] is a ledger without Kafka, for tests, simulation and the demo.

pub mod breaker;
pub mod budget;
pub mod clock;
pub mod decision;
pub mod driver;
pub mod inquiry;
pub mod journal;
pub mod memory;
pub mod metrics;
pub mod policy;
pub mod queue;
pub mod standing;
pub mod state;
pub mod sweep;
pub mod window;
