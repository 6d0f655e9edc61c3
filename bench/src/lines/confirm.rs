//! b. Confirm, at saturation: a backlog of hints -> one GET each -> transactions -> events visible to `read_committed`;
//! beside a bare loop that consumes as many hints, makes the same GETs, and writes as many records of the same sizes in
//! transactions of the same size.

use super::{Bench, PARTITIONS, setup};
use crate::kafka::{self, Follower};
use crate::process::{Bare, Meter};
use crate::stock;
use crate::table::{OURS, Run};
use simulator::{Change, Faults, Simulator, Traits};
use std::time::Duration;
use tests::service::{Replica, Setup};
use tests::{API_KEY, PROJECT, check, simulator};

/// The line's name.
pub const LINE: &str = "b. confirm, saturated";
/// What stands beside it.
pub const BARE: &str = "bare copy loop";
/// GETs at the same time, on both sides: the service's default.
const IN_FLIGHT: u64 = 64;
const PATIENCE: Duration = Duration::from_mins(5);

/// A running reconciler, its simulated ARGOS, and a reader of its events.
pub struct Confirming {
    sim: Simulator,
    setup: Setup,
    replica: Replica,
    follower: Follower,
    made: usize,
}

impl Confirming {
    /// Starts all; the world is empty, and its first walk is over.
    pub async fn start(bootstrap: &str) -> Confirming {
        let sim = simulator(42).await;
        let setup = setup(bootstrap, "confirm", sim.base_url());
        let mut replica = Replica::new(&setup, "relay-0");
        replica.apply_topics();
        replica.start_as("reconciler");
        replica.ready(PATIENCE).await;
        while sim.counts().lists < 3 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let follower = Follower::start(bootstrap, &format!("{}{}", setup.prefix, check::TOPICS[0]));
        Confirming { sim, setup, replica, follower, made: 0 }
    }

    /// From now on every answer of ARGOS takes so long.
    pub fn set_latency(&self, latency_ms: u64) {
        self.sim.faults().set(Faults { latency_ms, ..Faults::default() });
    }

    /// Approved submissions that nobody told of yet.
    fn ids(&mut self, count: usize) -> Vec<String> {
        let traits = Traits { aml: false, ..Traits::FULL };
        let make = |number| {
            let id = self.sim.world().new_id();
            self.sim.world().create_with(PROJECT, &id, traits, number).expect("made");
            self.sim.change(PROJECT, &id, &Change::Approve { by_hand: false }).expect("approved");
            id
        };
        let ids = (self.made..self.made + count).map(make).collect();
        self.made += count;
        ids
    }

    /// So many hints at once, until the last event is visible.
    pub async fn ours(&mut self, count: usize) -> Run {
        let ids = self.ids(count);
        let (before, commits) = (self.follower.count(), self.commits().await);
        let topic = format!("{}kyc.hints.v1", self.setup.prefix);
        let meter = Meter::start(self.replica.pid());
        tokio::task::block_in_place(|| {
            stock::hints(&self.setup.bootstrap, &topic, PARTITIONS as i32, ids.iter().map(String::as_str));
        });
        self.follower.reach(before + count as u64, PATIENCE).await;
        let mut run = meter.read(count as f64);
        self.follower.take();
        run.insert("batch".to_owned(), count as f64 / (self.commits().await - commits).max(1.0));
        run
    }

    async fn commits(&self) -> f64 {
        self.replica.metric("argos_relay_commits_total").await
    }

    /// The same with the bare loop, in transactions of so many.
    pub async fn theirs(&mut self, count: usize, batch: f64) -> Run {
        let ids = self.ids(count);
        let bootstrap = self.setup.bootstrap.clone();
        let prefix = format!("{}bare-{}.", self.setup.prefix, self.made);
        let names = ["hints", "events", "state", "ledger"].map(|name| format!("{prefix}{name}"));
        kafka::create(&bootstrap, &names.each_ref().map(String::as_str), PARTITIONS as i32).await;
        let follower = Follower::start(&bootstrap, &names[1]);
        let mut arguments = vec![bootstrap.clone(), prefix, self.sim.base_url().to_owned(), API_KEY.to_owned()];
        arguments.extend([count.to_string(), format!("{batch:.0}"), IN_FLIGHT.to_string()]);
        for topic in [check::TOPICS[0], check::TOPICS[1], "kyc.ledger.v1"] {
            let topic = format!("{}{topic}", self.setup.prefix);
            let sizes = tokio::task::block_in_place(|| kafka::sizes(&bootstrap, &topic));
            arguments.push(sizes.map(|size| size.to_string()).join(","));
        }
        let bare = Bare::start("copy", &arguments);
        bare.wait_for("ready", Duration::from_mins(1));
        let meter = Meter::start(bare.pid());
        tokio::task::block_in_place(|| {
            stock::hints(&bootstrap, &names[0], PARTITIONS as i32, ids.iter().map(String::as_str));
        });
        follower.reach(count as u64, PATIENCE).await;
        let mut run = meter.read(count as f64);
        run.insert("batch".to_owned(), batch.round());
        run
    }
}

/// Runs the line.
pub async fn run(bench: &mut Bench) {
    let mut confirming = Confirming::start(&bench.bootstrap).await;
    // A first round of each, uncounted: pools, connections and the broker's code are warm afterwards.
    let warm = confirming.ours(2_000).await;
    confirming.theirs(2_000, warm["batch"]).await;
    for &(latency, count) in bench.pick(&[(0, 30_000), (50, 8_000), (300, 2_000)][..], &[(0, 10_000)][..]) {
        confirming.set_latency(latency);
        let case = name(latency);
        for _ in 0..bench.times {
            let ours = confirming.ours(count).await;
            let theirs = confirming.theirs(count, ours["batch"]).await;
            bench.results.add(LINE, &case, OURS, ours);
            bench.results.add(LINE, &case, BARE, theirs);
        }
    }
    bench.results.bar_ratio((LINE, &name(0), BARE, "cpu_ms_per_1k"), "CPU per event / bare copy loop", 1.5, true);
}

fn name(latency_ms: u64) -> String {
    format!("ARGOS at {latency_ms} ms")
}
