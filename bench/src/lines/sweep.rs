//! c. Sweep: one walk over a list that did not change; beside downloading and tokenising the same pages.
//!
//! The submissions are of three kinds. The service takes in one of each; the others' entries are written straight, as
//! copies. So the world's clock stands still: all of a kind show the same times. A walk is asked for as an operator does,
//! with `backfill`. Fails if one submission was asked for by itself.

use super::{Bench, PARTITIONS, holds, idle, setup};
use crate::kafka;
use crate::process::{Bare, Meter};
use crate::stock;
use crate::table::{OURS, Run};
use simulator::{Change, Config, Project, Simulator, Traits};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tests::service::{Replica, Setup};
use tests::{API_KEY, PROJECT, wall_clock};

/// The line's name.
pub const LINE: &str = "c. sweep";
/// What stands beside it.
pub const BARE: &str = "download + tokenise";
const PAGE: usize = 500;
const KINDS: usize = 3;
const DAY: i64 = 86_400_000;
const PATIENCE: Duration = Duration::from_mins(10);

/// Runs the line.
pub async fn run(bench: &mut Bench) {
    let rows = std::env::var_os("ROWS").and_then(|rows| rows.to_str()?.parse().ok());
    let rows = rows.unwrap_or(bench.pick(1_000_000, 200_000));
    let (sim, now) = standing_still().await;
    let setup = Setup { baseline: "snapshots", ..setup(&bench.bootstrap, "sweep", sim.base_url()) };
    let mut replica = Replica::new(&setup, "relay-0");
    replica.apply_topics();
    take_in(&sim, &mut replica, &setup, rows).await;
    let idle = idle(&replica).await;
    let case = format!("{rows} unchanged rows");
    for _ in 0..bench.times * 2 {
        let ours = walk(&sim, &replica, rows, now, idle).await;
        let began = Instant::now();
        let bare = Bare::start("pages", &[sim.base_url().to_owned(), API_KEY.to_owned(), PAGE.to_string()]);
        assert_eq!(bare.wait_for("done", PATIENCE), rows.to_string(), "the same rows");
        let theirs = Run::from([
            ("units".to_owned(), rows as f64),
            ("seconds".to_owned(), began.elapsed().as_secs_f64()),
            ("per_s".to_owned(), rows as f64 / began.elapsed().as_secs_f64()),
            ("cpu_ms_per_1k".to_owned(), crate::process::cpu(bare.pid()) * 1e6 / rows as f64),
            ("peak_mb".to_owned(), crate::process::peak(bare.pid()) / 1e6),
        ]);
        bench.results.add(LINE, &case, OURS, ours);
        bench.results.add(LINE, &case, BARE, theirs);
    }
    bench.results.bar_ratio((LINE, &case, BARE, "cpu_ms_per_1k"), "CPU per row / download + tokenise", 1.6, true);
}

/// A simulated ARGOS whose clock has stopped a day ago.
async fn standing_still() -> (Simulator, i64) {
    let now = (wall_clock())() - DAY;
    let listener = tokio::net::TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, 0)).await.expect("a port is free");
    let config = Config { seed: 61, projects: vec![Project::new(PROJECT, API_KEY)], ..Config::default() };
    (Simulator::start(listener, config, Arc::new(move || now)).expect("the simulator starts"), now)
}

/// Decided, and neither screened nor to be: nothing of its own makes the service look again.
fn make(sim: &Simulator, number: usize) -> String {
    let (id, traits) = (sim.world().new_id(), Traits { aml: false, ..Traits::FULL });
    sim.world().create_with(PROJECT, &id, traits, number).expect("made");
    let change = match number % KINDS {
        0 => Change::Reject { codes: &["glare_detected"], by_hand: false },
        1 => Change::Approve { by_hand: true },
        _ => Change::Approve { by_hand: false },
    };
    sim.change(PROJECT, &id, &change).expect("decided");
    id
}

/// One of each kind by the service, the others by copying; returns with a replica that holds all.
async fn take_in(sim: &Simulator, replica: &mut Replica, setup: &Setup, rows: usize) {
    let kinds: Vec<String> = (0..KINDS).map(|number| make(sim, number)).collect();
    replica.start_as("reconciler");
    replica.ready(PATIENCE).await;
    let until = Instant::now() + PATIENCE;
    while replica.metric("argos_relay_ledger_entries").await < KINDS as f64 || !is_quiet(sim).await {
        assert!(Instant::now() < until, "not taken in: {:?}\n{}", sim.counts(), replica.logs());
    }
    assert_eq!(replica.terminate().await, Some(0), "{}", replica.logs());
    let topic = format!("{}kyc.ledger.v1", setup.prefix);
    tokio::task::block_in_place(|| {
        let records: HashMap<String, Vec<u8>> = kafka::read_all(&setup.bootstrap, &topic)
            .into_iter()
            .filter_map(|(key, value)| Some((key, value?)))
            .collect();
        let entries: Vec<&[u8]> = kinds.iter().map(|id| &records[stock::key(id).as_str()][..]).collect();
        let ids: Vec<String> = (KINDS..rows).map(|number| make(sim, number)).collect();
        let copies = ids.iter().enumerate().map(|(at, id)| (id.as_str(), entries[at % KINDS]));
        stock::copies(&setup.bootstrap, &topic, PARTITIONS as i32, copies);
    });
    replica.start_as("reconciler");
    replica.ready(PATIENCE).await;
    holds(replica, rows).await;
}

/// Whether ARGOS was asked nothing for a second.
async fn is_quiet(sim: &Simulator) -> bool {
    let before = sim.counts();
    tokio::time::sleep(Duration::from_secs(1)).await;
    sim.counts() == before
}

/// A walk that is asked for, from its first page to the commit of its last.
async fn walk(sim: &Simulator, replica: &Replica, rows: usize, now: i64, idle: f64) -> Run {
    let day = |offset: i64| models::Time::from_millis(now + offset).to_string()[..10].to_owned();
    let equal = || replica.metric_of("argos_relay_sweep_rows_total", r#"result="equal""#);
    let (first, before) = (sim.counts(), equal().await);
    let (from, to) = (day(-2 * DAY), day(DAY));
    let asked = ["backfill", "--project", PROJECT, "--from", &from, "--to", &to, "--detach"];
    let output = tokio::task::block_in_place(|| replica.command(&asked));
    assert!(output.status.success(), "backfill: {}", String::from_utf8_lossy(&output.stderr));
    let until = Instant::now() + PATIENCE;
    let mut meter = Meter::start(replica.pid());
    while sim.counts() == first {
        assert!(Instant::now() < until, "no walk came");
        meter = Meter::start(replica.pid());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let (began, pages) = (Instant::now(), (rows / PAGE) as u64);
    while sim.counts().lists - first.lists < pages {
        assert!(Instant::now() < until, "{:?} of {pages} pages", sim.counts());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let took = began.elapsed().as_secs_f64();
    // The last commits are part of it.
    while !is_quiet(sim).await {
        assert!(Instant::now() < until, "never quiet: {:?}", sim.counts());
    }
    let mut run = meter.read_less(rows as f64, idle);
    run.insert("seconds".to_owned(), took);
    run.insert("per_s".to_owned(), rows as f64 / took);
    let equal = equal().await - before;
    assert!((equal - rows as f64).abs() < 0.5, "{equal} rows were equal");
    assert_eq!(sim.counts().singles, first.singles, "a single GET for a submission that did not change");
    run
}
