//! f. Coalescing: how many GETs a burst of hints for the same submissions costs.

use super::{Bench, PARTITIONS, setup};
use crate::process::Meter;
use crate::stock;
use crate::table::OURS;
use simulator::{Change, Faults, Traits};
use std::time::{Duration, Instant};
use tests::service::Replica;
use tests::{PROJECT, simulator};

/// The line's name.
pub const LINE: &str = "f. coalescing";
const SUBMISSIONS: usize = 200;
const ARGOS_MS: u64 = 50;
/// Between two hints of one submission.
const APART: Duration = Duration::from_millis(10);

/// Runs the line.
pub async fn run(bench: &mut Bench) {
    let sim = simulator(45).await;
    let setup = setup(&bench.bootstrap, "coalescing", sim.base_url());
    let mut replica = Replica::new(&setup, "relay-0");
    replica.apply_topics();
    replica.start_as("reconciler");
    replica.ready(Duration::from_mins(1)).await;
    while sim.counts().lists < 3 {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    sim.faults().set(Faults { latency_ms: ARGOS_MS, ..Faults::default() });
    let topic = format!("{}kyc.hints.v1", setup.prefix);
    let mut number = 0;
    for &each in bench.pick(&[1_usize, 5, 20, 100][..], &[1, 20][..]) {
        let case = format!("{SUBMISSIONS} submissions, {each} hint(s) each, {} ms apart", APART.as_millis());
        for _ in 0..bench.times {
            let make = |number| {
                let id = sim.world().new_id();
                sim.world().create_with(PROJECT, &id, Traits { aml: false, ..Traits::FULL }, number).expect("made");
                sim.change(PROJECT, &id, &Change::Approve { by_hand: false }).expect("approved");
                id
            };
            let ids: Vec<String> = (number..number + SUBMISSIONS).map(make).collect();
            number += SUBMISSIONS;
            let (before, meter) = (sim.counts().singles, Meter::start(replica.pid()));
            let mut writer = stock::HintWriter::new(&setup.bootstrap, &topic, PARTITIONS as i32);
            let mut next = tokio::time::interval(APART);
            for _ in 0..each {
                next.tick().await;
                for id in &ids {
                    writer.send(id);
                }
            }
            tokio::task::block_in_place(|| writer.flush());
            let until = Instant::now() + Duration::from_mins(2);
            let mut last = (sim.counts().singles, Instant::now());
            while last.1.elapsed() < Duration::from_secs(1) {
                assert!(Instant::now() < until, "never quiet");
                tokio::time::sleep(Duration::from_millis(20)).await;
                if sim.counts().singles != last.0 {
                    last = (sim.counts().singles, Instant::now());
                }
            }
            let (hints, gets) = ((SUBMISSIONS * each) as f64, (last.0 - before) as f64);
            let mut run = meter.read(hints);
            run.remove("seconds");
            run.remove("per_s");
            run.insert("gets_per_hint".to_owned(), gets / hints);
            run.insert("gets_per_submission".to_owned(), gets / SUBMISSIONS as f64);
            bench.results.add(LINE, &case, OURS, run);
        }
    }
}
