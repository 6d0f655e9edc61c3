//! The front door: a webhook's bytes become a durable hint, or an honest refusal.
//!
//! Owns: the public routes, who may knock ([`authenticate`], [`client_address`], [`signature`]), the table of answers
//! ([`rejection`]), the limits on what a caller may cost ([`server`]) and all together ([`admission`]), TLS ([`tls`]),
//! and the metrics of all that ([`metrics`]).
//!
//! Must not know: Kafka (only the seam [`models::HintSink`]), any field of ARGOS (only [`argos::webhook::decode`]),
//! configuration files, what becomes of a hint. It decides nothing about a submission.
//!
//! Path: [`server::serve`] accepts a connection, [`router`] finds the handler, [`receive`] takes the steps in order:
//! project, authentication, method and size, body, signature, decode, [`models::Hint`], sink, answer.

pub mod admission;
pub mod authenticate;
pub mod client_address;
mod debts;
pub mod metrics;
pub mod receive;
pub mod rejection;
mod replay;
pub mod router;
pub mod server;
pub mod signature;
pub mod tls;
mod trace_context;

pub use admission::Bounds;
pub use authenticate::{InvalidDoor, Methods, PathTokens, ProjectDoor};
pub use client_address::TrustedProxies;
pub use metrics::Metrics;
pub use receive::{Clock, Door, DoorLimits};
pub use rejection::Rejection;
pub use server::{Drained, ServerLimits, serve};
pub use signature::{SignedBody, StandardWebhooks};
pub use tls::Tls;
