//! What operators are told and may do, the same whether a command asks or the admin listener.
//!
//! Owns: the documents of the admin API (their types are the schemas of `contracts/openapi/admin.yaml`), how they are
//! gathered from topics, ledger and loop, and the text that people read. Must not know: HTTP, the command line.
//!
//! Path: [`status`] and [`series`] are of one replica; [`tails`] reads the ends of topics, so that every replica answers
//! alike.

pub mod moment;
pub mod series;
pub mod status;
pub mod tails;
