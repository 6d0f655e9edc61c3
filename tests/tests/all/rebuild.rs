//! The ledger is lost, and made anew: sequences go on, and nobody is told what did not happen.

use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use simulator::{Change, Mix, Pace, Scenario, Simulator, Trigger};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use tests::service::{Replica, Setup};
use tests::{PROJECT, TOKEN, broker, check, simulator, topics};

const PACE: Pace = Pace { min_ms: 20, max_ms: 200 };

/// Deletes the ledger, and returns once the cluster shows that it is gone.
async fn lose(setup: &Setup) {
    let admin: AdminClient<DefaultClientContext> =
        ClientConfig::new().set("bootstrap.servers", &setup.bootstrap).create().expect("a client");
    let ledger = format!("{}{}", setup.prefix, check::TOPICS[6]);
    for result in admin.delete_topics(&[&ledger], &AdminOptions::new()).await.expect("asked") {
        result.expect("deleted");
    }
    let until = Instant::now() + Duration::from_secs(30);
    while admin
        .inner()
        .fetch_metadata(None, Duration::from_secs(10))
        .expect("metadata")
        .topics()
        .iter()
        .any(|topic| topic.name() == ledger)
    {
        assert!(Instant::now() < until, "the ledger does not go");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn run(replica: &Replica, arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = replica.prepared(arguments);
    let output = tokio::task::spawn_blocking(move || command.output()).await.expect("it ran").expect("it runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout) + &text(&output.stderr))
}

/// The last sequence of each submission.
async fn sequences(setup: &Setup) -> BTreeMap<String, u64> {
    let events = check::read(setup, check::TOPICS[0]).await;
    events.into_iter().map(|event| (event.key, event.headers["ce_sequence"].parse().expect("a number"))).collect()
}

/// Each submission's events are numbered from 1 without gap or repeat.
async fn gapless(setup: &Setup) {
    let mut last: BTreeMap<String, u64> = BTreeMap::new();
    for event in check::read(setup, check::TOPICS[0]).await {
        let sequence: u64 = event.headers["ce_sequence"].parse().expect("a number");
        let before = last.insert(event.key.clone(), sequence).unwrap_or_default();
        assert_eq!(sequence, before + 1, "{}", event.key);
    }
}

/// Waits until each key's entry rests on a look of its own: the snapshot is then of after `since`.
async fn looked_at(setup: &Setup, keys: usize, since: models::Time) {
    let until = Instant::now() + Duration::from_mins(2);
    loop {
        let states = topics::states(&check::read(setup, check::TOPICS[1]).await);
        let fresh = states.values().filter(|state| state.confirmed_at >= since).count();
        if fresh >= keys {
            return;
        }
        assert!(Instant::now() < until, "{fresh} of {keys} were looked at again");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

async fn wait_for(what: &str, mut done: impl AsyncFnMut() -> bool) {
    let until = Instant::now() + Duration::from_mins(1);
    while !done().await {
        assert!(Instant::now() < until, "{what}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

fn now() -> models::Time {
    models::Time::from_millis(tests::wall_clock()())
}

async fn deployment() -> Option<(Setup, Simulator, Replica)> {
    let bootstrap = broker::bootstrap()?;
    let sim = simulator(81).await;
    let setup = Setup::new(&bootstrap, "rebuild", sim.base_url());
    let mut replica = Replica::new(&setup, "relay-0");
    replica.apply_topics();
    replica.start_ready().await;
    sim.set_targets(PROJECT, vec![replica.target()], Some(TOKEN.to_owned()));
    Some((setup, sim, replica))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_ledger_is_rebuilt_and_every_sequence_goes_on() {
    let Some((setup, sim, mut replica)) = deployment().await else { return };
    // Whether a deletion of its own were confirmed by the time that the ledger goes would be chance.
    let mix = Mix { deleted: 0, silently_deleted: 0, ..Mix::default() };
    Scenario { seed: 81, submissions: 40, pace: PACE, mix, ..Scenario::default() }.run(&sim).await.expect("played");
    let deleted = sim.world().new_id();
    sim.world().create(PROJECT, &deleted).expect("it is new");
    assert_eq!(run(&replica, &["reconcile", &format!("{PROJECT}/{deleted}")]).await.0, Some(0));
    sim.change(PROJECT, &deleted, &Change::Delete { hard: true }).expect("deleted");
    let erased = sim.world().new_id();
    sim.world().create(PROJECT, &erased).expect("it is new");
    let erased_key = format!("{PROJECT}/{erased}");
    assert_eq!(run(&replica, &["reconcile", &erased_key]).await.0, Some(0));
    assert_eq!(run(&replica, &["erase", &erased_key, "--yes"]).await.0, Some(0));
    wait_for("the deletion is told", async || {
        let events = check::read(&setup, check::TOPICS[0]).await;
        events.iter().any(|event| event.key.ends_with(&deleted) && event.headers["ce_type"].contains("deleted"))
    })
    .await;
    let (code, said) = run(&replica, &["ledger", "rebuild", "--yes"]).await;
    assert!(code == Some(1) && said.contains("members of the group"), "{code:?} {said}");
    assert_eq!(replica.terminate().await, Some(0));

    let before = sequences(&setup).await;
    lose(&setup).await;
    let (code, said) = run(&replica, &["ledger", "rebuild", "--yes"]).await;
    assert!(code == Some(1) && said.contains("topics apply"), "{code:?} {said}");
    replica.apply_topics();
    // The member that has left keeps its place for as long as its session lasts.
    wait_for("the group is empty", async || run(&replica, &["ledger", "rebuild"]).await.0 == Some(0)).await;
    let (code, said) = run(&replica, &["ledger", "rebuild", "--yes"]).await;
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("2 of them gone (1 of these erased)"), "{said}");
    let (code, said) = run(&replica, &["ledger", "rebuild", "--yes"]).await;
    assert!(code == Some(1) && said.contains("not empty"), "{code:?} {said}");

    let rebuilt_at = now();
    replica.start_ready().await;
    let states = topics::states(&check::read(&setup, check::TOPICS[1]).await);
    for key in states.keys() {
        assert_eq!(run(&replica, &["reconcile", key.as_str()]).await.0, Some(0));
    }
    looked_at(&setup, states.len(), rebuilt_at).await;
    assert_eq!(sequences(&setup).await, before, "nothing changed, so nothing is told");
    Scenario { seed: 82, submissions: 20, pace: PACE, ..Scenario::default() }.run(&sim).await.expect("played");
    let known = states.keys().next().expect("a submission").submission().to_owned();
    sim.change(PROJECT, &known, &Change::Delete { hard: true }).expect("deleted");
    // Known to ARGOS as it was; the relay forgets it for good.
    sim.forge(PROJECT, &erased, Trigger::Approved).await;
    wait_for("the deletion is told", async || {
        sequences(&setup).await.get(&format!("{PROJECT}/{known}")).copied()
            == before.get(&format!("{PROJECT}/{known}")).map(|last| last + 1)
    })
    .await;
    gapless(&setup).await;
    assert_eq!(sequences(&setup).await.get(&erased_key), before.get(&erased_key));
}
