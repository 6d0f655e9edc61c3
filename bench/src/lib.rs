//! The hot paths of the service as plain calls, over bodies as ARGOS sends them, for whoever counts or times them.
//!
//! Owns: what a case is, and that each call does real work on the same input. Must not know how it is measured.
#![expect(clippy::expect_used, reason = "a benchmark fails by panicking")]

pub mod bodies;
pub mod cases;
