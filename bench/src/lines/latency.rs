//! b. Confirm, in time: what the service adds to ARGOS's own latency, from the answer to a webhook until its event is
//! visible to a `read_committed` consumer, at steady rates.

use super::{Bench, MOST, setup};
use crate::kafka::Follower;
use crate::load::{QUANTILES, quantile};
use crate::process::Meter;
use crate::table::{OURS, Run};
use simulator::{Faults, Rate, Scenario, Simulator};
use std::collections::HashMap;
use std::time::{Duration, Instant};
use tests::service::Replica;
use tests::{PROJECT, TOKEN, check, simulator, wall_clock};

/// The line's name.
pub const LINE: &str = "b. confirm, added latency";

/// The wall clock and the steady one, read together.
pub struct Clocks {
    micros: i64,
    at: Instant,
}

impl Clocks {
    /// Waits for the next whole millisecond, in which the wall clock counts: so the two agree to some microseconds.
    pub fn agree() -> Clocks {
        let wall = wall_clock();
        let before = wall();
        loop {
            let now = wall();
            if now > before {
                return Clocks { micros: now * 1000, at: Instant::now() };
            }
        }
    }

    /// On the wall clock's scale.
    pub fn micros(&self, instant: Instant) -> i64 {
        match instant.checked_duration_since(self.at) {
            Some(after) => self.micros + after.as_micros() as i64,
            None => self.micros - self.at.duration_since(instant).as_micros() as i64,
        }
    }
}

/// The whole service, its simulated ARGOS, and a reader of its events.
pub struct Whole {
    /// The simulated ARGOS.
    pub sim: Simulator,
    /// The service.
    pub replica: Replica,
    /// The reader.
    pub follower: Follower,
    clocks: Clocks,
}

impl Whole {
    /// Starts all, with these settings over the file's.
    pub async fn start(
        bootstrap: &str,
        prefix: &str,
        requests_per_second: u32,
        over: &[(&'static str, &str)],
    ) -> Whole {
        let clocks = Clocks::agree();
        let sim = simulator(43).await;
        let mut setup = setup(bootstrap, prefix, sim.base_url());
        setup.requests_per_second = requests_per_second;
        setup.over.extend(over.iter().map(|(key, value)| (*key, (*value).to_owned())));
        let mut replica = Replica::new(&setup, "relay-0");
        replica.apply_topics();
        replica.start_ready().await;
        sim.set_targets(PROJECT, vec![replica.target()], Some(TOKEN.to_owned()));
        let follower = Follower::start(bootstrap, &format!("{}{}", setup.prefix, check::TOPICS[0]));
        // The first walk of the empty list is over.
        let until = Instant::now() + Duration::from_secs(30);
        while sim.counts().lists < 3 && Instant::now() < until {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Whole { sim, replica, follower, clocks }
    }

    /// Plays a load, and waits until each of its webhooks is an event. How many there were.
    pub async fn play(&self, load: &Scenario) -> usize {
        let before = self.follower.count();
        let count = load.run(&self.sim).await.expect("the load").ids.len();
        self.follower.reach(before + count as u64, Duration::from_mins(1)).await;
        count
    }

    /// Milliseconds from the answer to a webhook until its event was seen, of these.
    pub fn lags_of(&self, seen: &[(String, Instant)]) -> Vec<f64> {
        let answered: HashMap<String, i64> =
            self.sim.take_records().into_iter().map(|one| (format!("{PROJECT}/{}", one.id), one.answered_us)).collect();
        let lag = |(key, at): &(String, Instant)| Some((self.clocks.micros(*at) - answered.get(key)?) as f64 / 1000.0);
        seen.iter().filter_map(lag).collect()
    }

    /// Milliseconds from each accepted webhook's answer until its event was visible, less ARGOS's own, sorted; of
    pub fn lags(&self, argos_ms: u64) -> (Vec<f64>, usize) {
        let seen: Vec<(String, Instant)> = self.follower.take().into_iter().collect();
        let lags = self.lags_of(&seen);
        let missing = seen.len() - lags.len();
        let mut added: Vec<f64> = lags.into_iter().map(|lag| lag - argos_ms as f64).collect();
        added.sort_by(f64::total_cmp);
        (added, missing)
    }
}

/// Adds the quantiles of sorted milliseconds.
pub fn tell(lags: &[f64], run: &mut Run) {
    for (name, share) in QUANTILES {
        run.insert(name.to_owned(), quantile(lags, share));
    }
}

/// Webhooks at a rate, each of a new submission.
pub fn rate(per_second: f64, seconds: f64) -> Scenario {
    Scenario { rate: Some(Rate { per_second, seconds, pool: 0 }), seed: fastrand::u64(..), ..Scenario::default() }
}

/// Runs the line.
pub async fn run(bench: &mut Bench) {
    // At 300 ms and 500 a second, 150 GETs are under way at once.
    let whole = Whole::start(&bench.bootstrap, "latency", MOST, &[("RECONCILER__MAX_IN_FLIGHT", "256")]).await;
    whole.play(&rate(100.0, 5.0)).await;
    let seconds = bench.pick(10.0, 5.0);
    for &argos_ms in bench.pick(&[0_u64, 50, 300][..], &[0][..]) {
        whole.sim.faults().set(Faults { latency_ms: argos_ms, ..Faults::default() });
        for _ in 0..bench.times {
            for &per_second in bench.pick(&[10.0, 100.0, 500.0][..], &[100.0][..]) {
                let run = one(&whole, argos_ms, per_second, seconds).await;
                bench.results.add(LINE, &name(argos_ms, per_second), OURS, run);
            }
        }
    }
    let case = name(0, 100.0);
    let what = |quantile: &str| format!("{quantile} added at 100/s, commit interval 10 ms, ms");
    bench.results.bar_figure((LINE, &case, "p50_ms"), &what("p50"), 20.0, true);
    bench.results.bar_figure((LINE, &case, "p99_ms"), &what("p99"), 80.0, true);
}

async fn one(whole: &Whole, argos_ms: u64, per_second: f64, seconds: f64) -> Run {
    whole.lags(argos_ms);
    let meter = Meter::start(whole.replica.pid());
    let count = whole.play(&rate(per_second, seconds)).await;
    let mut run = meter.read(count as f64);
    let (lags, missing) = whole.lags(argos_ms);
    assert_eq!(missing, 0, "every webhook was accepted and became an event");
    tell(&lags, &mut run);
    run
}

fn name(argos_ms: u64, per_second: f64) -> String {
    format!("ARGOS at {argos_ms} ms, {per_second:.0}/s")
}
