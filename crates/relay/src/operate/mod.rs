//! What operators are told and may do, the same whether a command asks or the admin listener.
//!
//! Owns: the documents of the admin API (their types are the schemas of `contracts/openapi/admin.yaml`), how they are
//! gathered from topics, ledger and loop, and the text that people read. Must not know: HTTP, the command line.
//!
//! Path: [`status`] and [`series`] are of one replica; [`tails`] reads the ends of topics, so that every replica answers
//! alike; [`explain`] joins topics, ledger and the owner's journal for one submission. [`letters`], [`person`] and
//! [`hints`] are what can be done.

pub mod explain;
pub mod hints;
pub mod letters;
pub mod moment;
pub mod person;
pub mod series;
pub mod status;
pub mod status_text;
pub mod tails;
