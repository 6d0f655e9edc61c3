//! a. The door: webhook in, hint acknowledged by Kafka, answer out; beside a bare axum and rdkafka handler that is as
//! durable. Also what `serve --role ingest` takes when idle.

use super::{Bench, PARTITIONS, setup};
use crate::kafka;
use crate::load::{self, Load, Pace};
use crate::process::{Bare, Meter, resident};
use crate::table::{OURS, Run};
use std::time::Duration;
use tests::service::{Replica, Setup};
use tests::{PROJECT, TOKEN, free_port};

/// The line's name.
pub const LINE: &str = "a. door";
/// What stands beside it.
pub const BARE: &str = "bare axum + rdkafka";
const NOBODY: &str = "http://127.0.0.1:9/v3";

/// Both doors, running.
pub struct Doors {
    replica: Replica,
    bare: Bare,
    bare_address: String,
}

impl Doors {
    /// Starts both on topics of as many partitions.
    pub async fn open(bootstrap: &str) -> Doors {
        let setup: Setup = setup(bootstrap, "door", NOBODY);
        let mut replica = Replica::new(&setup, "relay-0");
        replica.apply_topics();
        replica.start_as("ingest");
        replica.ready(Duration::from_mins(1)).await;
        let (topic, port) = (format!("{}bare", setup.prefix), free_port());
        kafka::create(bootstrap, &[&topic], PARTITIONS as i32).await;
        let bare = Bare::start("ceiling", &[bootstrap.to_owned(), topic, port.to_string()]);
        bare.wait_for("ready", Duration::from_secs(30));
        Doors { replica, bare, bare_address: format!("127.0.0.1:{port}") }
    }

    /// Ours and theirs under the same load, by turns.
    pub fn ours(&self, connections: usize, pace: Pace, lasts: Duration, most: u64) -> Run {
        let address = self.replica.target().replace("http://", "");
        measured(self.replica.pid(), address, connections, pace, lasts, most)
    }

    /// Theirs.
    pub fn theirs(&self, connections: usize, pace: Pace, lasts: Duration, most: u64) -> Run {
        measured(self.bare.pid(), self.bare_address.clone(), connections, pace, lasts, most)
    }
}

fn measured(pid: u32, address: String, connections: usize, pace: Pace, lasts: Duration, most: u64) -> Run {
    let path = format!("/webhooks/{PROJECT}/{TOKEN}");
    let load = Load { address, path, connections, pace, lasts, most };
    let warm_up = Load { lasts: Duration::from_secs(1), most: u64::MAX, ..load.clone() };
    load::run(&warm_up);
    let meter = Meter::start(pid);
    let loaded = load::run(&load);
    let mut run = meter.read(loaded.accepted as f64);
    loaded.tell(&mut run);
    run
}

/// Runs the line.
pub async fn run(bench: &mut Bench) {
    idle(bench).await;
    let doors = Doors::open(&bench.bootstrap).await;
    // Many short turns: what else goes on in the machine, and in the broker, then weighs on both alike.
    let (lasts, turns) = (Duration::from_secs(3), bench.times * bench.pick(3, 1));
    let mut cases: Vec<(String, usize, Pace)> = bench
        .pick(&[1_usize, 64, 256][..], &[64][..])
        .iter()
        .map(|&count| (name(count), count, Pace::Closed))
        .collect();
    cases.push(("300/s".to_owned(), 64, Pace::PerSecond(300.0)));
    // A first round of each, uncounted: the broker's code is compiled while it runs.
    doors.ours(64, Pace::Closed, lasts * 4, u64::MAX);
    doors.theirs(64, Pace::Closed, lasts * 2, u64::MAX);
    for (case, connections, pace) in &cases {
        for _ in 0..turns {
            let ours = doors.ours(*connections, *pace, lasts, u64::MAX);
            let theirs = doors.theirs(*connections, *pace, lasts, u64::MAX);
            bench.results.add(LINE, case, OURS, ours);
            bench.results.add(LINE, case, BARE, theirs);
        }
    }
    for connections in bench.pick(&[64_usize, 256][..], &[64][..]) {
        let what = format!("CPU per webhook / bare, {connections} connections");
        bench.results.bar_ratio((LINE, &name(*connections), BARE, "cpu_ms_per_1k"), &what, 1.25, true);
    }
    let case = name(64);
    bench.results.bar_ratio((LINE, &case, BARE, "p99_ms"), "p99 / bare's, 64 connections", 1.3, true);
    bench.results.bar_figure((LINE, "idle", "rss_mb"), "RSS of an idle ingest, MB", 25.0, true);
}

fn name(connections: usize) -> String {
    format!("{connections} connection{}", if connections == 1 { "" } else { "s" })
}

/// A fresh ingest that nobody calls.
async fn idle(bench: &mut Bench) {
    let setup = setup(&bench.bootstrap, "idle", NOBODY);
    for _ in 0..bench.times {
        let mut replica = Replica::new(&setup, "relay-0");
        replica.apply_topics();
        replica.start_as("ingest");
        replica.ready(Duration::from_mins(1)).await;
        tokio::time::sleep(bench.pick(Duration::from_secs(10), Duration::from_secs(3))).await;
        let run = Run::from([("rss_mb".to_owned(), resident(replica.pid()) / 1e6)]);
        bench.results.add(LINE, "idle", OURS, run);
    }
}
