//! The binary `argos-relay` as a library: configuration, command line, admin listener, telemetry, shutdown.
//!
//! Owns: the process. The only crate that sees all the others.
//!
//! Must not know: how a webhook is read, how a decision is made, how a record is written.
//!
//! Path: [`cli`] names the command, [`config`] says how, and one file in [`commands`] does it.

pub mod admin;
pub mod cli;
pub mod commands;
pub mod config;
pub mod console;
pub mod health;
#[cfg(test)]
mod metrics_page;
pub mod operate;
#[cfg(feature = "dev")]
pub mod oracle;
pub mod schema_registry;
pub mod secrets;
pub mod shutdown;
pub mod telemetry;
pub mod traces;
pub mod wiring;
