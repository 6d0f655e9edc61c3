//! Hint, GET, decision, commit.
pub mod decision;
pub mod policy;
