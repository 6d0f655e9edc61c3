//! d. Restore: a replica that starts with a long ledger; beside a bare consumer that reads the same bytes and keeps
//! nothing. Both times count from the start of the process.

use super::{Bench, PARTITIONS, holds, setup};
use crate::process::{Bare, cpu, peak, resident};
use crate::table::{OURS, Run};
use crate::{bodies, stock};
use simulator::Simulator;
use std::time::{Duration, Instant};
use tests::service::{Replica, Setup};
use tests::simulator;

/// The line's name.
pub const LINE: &str = "d. restore";
/// What stands beside it.
pub const BARE: &str = "bare consumer";
const PATIENCE: Duration = Duration::from_mins(5);

/// Runs the line.
pub async fn run(bench: &mut Bench) {
    let sim = simulator(44).await;
    let empty = empty(bench, &sim).await;
    let counts = bench.pick(&[1_000_000, 5_000_000, 10_000_000][..], &[1_000_000][..]);
    for &count in counts {
        let case = name(count);
        let ledger = Ledger::write(&bench.bootstrap, &sim, count);
        for _ in 0..bench.times {
            let ours = ledger.ours(empty).await;
            let theirs = ledger.theirs();
            bench.results.add(LINE, &case, OURS, ours);
            bench.results.add(LINE, &case, BARE, theirs);
        }
    }
    let case = name(counts[counts.len() - 1]);
    let what = format!("rate / bare consumer's, {case}");
    bench.results.bar_ratio((LINE, &case, BARE, "per_s"), &what, 0.6, false);
    let what = format!("bytes of memory beyond the key, {case}");
    bench.results.bar_figure((LINE, &case, "bytes_beyond_key"), &what, 120.0, true);
}

fn name(count: usize) -> String {
    if count.is_multiple_of(1_000_000) { format!("{} million", count / 1_000_000) } else { format!("{count} entries") }
}

/// RSS of a replica whose ledger is empty.
pub async fn empty(bench: &Bench, sim: &Simulator) -> f64 {
    let setup = setup(&bench.bootstrap, "empty", sim.base_url());
    let mut replica = Replica::new(&setup, "relay-0");
    replica.apply_topics();
    replica.start_as("reconciler");
    replica.ready(PATIENCE).await;
    holds(&replica, 0).await;
    resident(replica.pid())
}

/// A ledger topic that was written straight.
pub struct Ledger {
    setup: Setup,
    count: usize,
}

impl Ledger {
    /// Writes it.
    pub fn write(bootstrap: &str, sim: &Simulator, count: usize) -> Ledger {
        let setup = setup(bootstrap, "restore", sim.base_url());
        Replica::new(&setup, "relay-0").apply_topics();
        let ledger = Ledger { setup, count };
        let (topic, began) = (ledger.topic(), Instant::now());
        let bytes = tokio::task::block_in_place(|| stock::ledger(bootstrap, &topic, PARTITIONS as i32, count));
        eprintln!("{count} entries of {} bytes written in {:.0?}", bytes / count, began.elapsed());
        ledger
    }

    fn topic(&self) -> String {
        format!("{}kyc.ledger.v1", self.setup.prefix)
    }

    /// Starts a replica and waits until it is ready; `empty`: its memory with nothing in the ledger.
    pub async fn ours(&self, empty: f64) -> Run {
        let mut replica = Replica::new(&self.setup, "relay-0");
        let began = Instant::now();
        replica.start_as("reconciler");
        replica.ready(PATIENCE).await;
        holds(&replica, self.count).await;
        let (seconds, pid) = (began.elapsed().as_secs_f64(), replica.pid());
        let mut run = self.cost(seconds, pid);
        let each = (resident(pid) - empty) / self.count as f64;
        let key = (tests::PROJECT.len() + 1 + bodies::id(0).len()) as f64;
        run.insert("bytes_each".to_owned(), each);
        run.insert("bytes_beyond_key".to_owned(), each - key);
        let code = replica.terminate().await;
        assert_eq!(code, Some(0), "{}", replica.logs());
        run
    }

    /// Reads the same with a bare consumer.
    pub fn theirs(&self) -> Run {
        let began = Instant::now();
        let bare = Bare::start("drain", &[self.setup.bootstrap.clone(), self.topic()]);
        let read: usize = bare.wait_for("done", PATIENCE).parse().expect("a number");
        // The layout and what the service remembers of its partitions come on top.
        assert!((self.count..self.count + 1_000).contains(&read), "{read} records");
        self.cost(began.elapsed().as_secs_f64(), bare.pid())
    }

    fn cost(&self, seconds: f64, pid: u32) -> Run {
        let count = self.count as f64;
        Run::from([
            ("units".to_owned(), count),
            ("seconds".to_owned(), seconds),
            ("per_s".to_owned(), count / seconds),
            ("cpu_ms_per_1k".to_owned(), cpu(pid) * 1e6 / count),
            ("peak_mb".to_owned(), peak(pid) / 1e6),
        ])
    }
}
