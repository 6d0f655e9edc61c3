//! The lines that are measured, one file each, and what they share.
//!
//! Owns: the choice of lines, the number of repetitions, the short form. Each line starts what it needs, runs ours and
//! what stands beside it by turns, and adds its bars.

pub mod coalescing;
pub mod confirm;
pub mod door;
pub mod growth;
pub mod latency;
pub mod recovery;
pub mod restore;
pub mod soak;
pub mod sweep;

use crate::table::Results;
use std::time::{Duration, Instant};
use tests::service::{Replica, Setup};

/// One go of the benchmarks.
pub struct Bench {
    /// The broker.
    pub bootstrap: String,
    /// Whether it is the short form.
    pub quick: bool,
    /// Repetitions of each measurement.
    pub times: usize,
    /// What came out so far.
    pub results: Results,
}

impl Bench {
    /// The long form's value, or the short form's.
    pub const fn pick<T: Copy>(&self, long: T, quick: T) -> T {
        if self.quick { quick } else { long }
    }
}

/// The largest rate that the service takes, a second: a budget that does not bind.
pub const MOST: u32 = 5_000;
/// Partitions of every topic.
pub const PARTITIONS: u32 = 6;

/// The service as it ships, but for what a laptop and a simulated ARGOS need: one replica of each partition, a budget
/// that does not bind, no looks of other causes.
pub fn setup(bootstrap: &str, prefix: &str, base_url: &str) -> Setup {
    let mut setup = Setup::new(bootstrap, prefix, base_url);
    r#"["300d"]"#.clone_into(&mut setup.relooks);
    setup.partitions = PARTITIONS;
    setup.requests_per_second = MOST;
    r#"{ first = "6h", cap = "6h" }"#.clone_into(&mut setup.pending);
    r#"
        requests_per_day = 1000000000
        list = { page_size = 500 }
        sweeps = { recent = { every = "300d", created_within = "366d" }, month = { every = "300d", created_within = "366d" }, full = { every = "300d" }, lag = "10ms", first_walk_share = 1.0 }
    "#
    .clone_into(&mut setup.project);
    // What the tests' file sets lower, set back to the defaults.
    setup.over = [("REREAD_SECRETS", "5s"), ("KAFKA__SESSION_TIMEOUT", "10s"), ("KAFKA__HEARTBEAT_INTERVAL", "3s")]
        .map(|(key, value)| (key, value.to_owned()))
        .to_vec();
    setup
}

/// Waits until a replica holds so many entries: it is ready before its partitions all run.
pub async fn holds(replica: &Replica, entries: usize) {
    let until = Instant::now() + Duration::from_mins(5);
    loop {
        let held = replica.metric("argos_relay_ledger_entries").await;
        let running = replica.metric("argos_relay_partitions_running").await;
        if held as usize == entries && running as u32 == PARTITIONS {
            return;
        }
        assert!(Instant::now() < until, "{held} of {entries} entries, {running} partitions\n{}", replica.logs());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Seconds on a processor that a replica spends each second without work.
pub async fn idle(replica: &Replica) -> f64 {
    let (began, cpu) = (Instant::now(), crate::process::cpu(replica.pid()));
    tokio::time::sleep(Duration::from_secs(2)).await;
    (crate::process::cpu(replica.pid()) - cpu) / began.elapsed().as_secs_f64()
}
