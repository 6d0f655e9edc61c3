//! The harness of the whole-service tests: real processes, a real broker, a simulated ARGOS.
//!
//! Owns: starting and killing the service, reading topics as a downstream consumer would, and the assertions that
//! every such test makes. Judges only from the topics and the simulated world, never from the service's own word.
#![expect(clippy::expect_used, clippy::unwrap_used, reason = "a harness fails by panicking")]

pub mod acls;
pub mod broker;
pub mod check;
pub mod cluster;
pub mod contract;
pub mod judge;
pub mod live;
pub mod otlp;
pub mod prometheus;
pub mod promql;
pub mod proxy;
pub mod registry;
pub mod scale;
pub mod secure;
pub mod service;
pub mod tools;
pub mod topics;
pub mod verdict;

use simulator::{Clock, Config, Project, Simulator};
use std::net::{Ipv4Addr, TcpListener};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::{SystemTime, UNIX_EPOCH};

/// The project of all tests.
pub const PROJECT: &str = "acme";
/// Its API key.
pub const API_KEY: &str = "FAKEfakeFAKEfakeFAKEfakeFAKEfake01234567";
/// Its path token.
pub const TOKEN: &str = "path-token-of-the-tests-0001";

/// The next port to try, from a place of this process's own.
static NEXT_PORT: LazyLock<AtomicU16> = LazyLock::new(|| AtomicU16::new(fastrand::u16(..)));

/// A port that was free a moment ago and is given to nobody else in this process. It lies below the range from which the
/// kernel hands out ports to clients, so that whoever had it and was killed gets it again.
pub fn free_port() -> u16 {
    let next = || 20_000 + NEXT_PORT.fetch_add(1, Ordering::Relaxed) % 10_000;
    let is_free = |port: &u16| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok();
    std::iter::repeat_with(next).take(1_000).find(is_free).expect("a free port")
}

/// The wall clock, for the simulator.
#[expect(clippy::disallowed_methods, reason = "the simulated ARGOS has a clock of its own")]
pub fn wall_clock() -> Clock {
    Arc::new(|| SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64))
}

/// A simulated ARGOS on a free port.
pub async fn simulator(seed: u64) -> Simulator {
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port is free");
    let config = Config { seed, projects: vec![Project::new(PROJECT, API_KEY)], ..Config::default() };
    Simulator::start(listener, config, wall_clock()).expect("the simulator starts")
}
