//! Reading the past: exactly what was committed, behind zombies too, and never what cannot be understood.

use crate::support::{Driver, PATIENCE, Rig, entry, hint, key, open_with, partition_of, rig, write};
use models::Lane;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use std::time::{Duration, Instant};

/// Somebody else's transaction with one record on partition 0 of a topic, left open.
async fn open_transaction(rig: &Rig, topic: &str, timeout_ms: &str) -> BaseProducer {
    let mut config = rig.config();
    config.set("transactional.id", format!("{}-zombie", rig.settings.group_id));
    config.set("transaction.timeout.ms", timeout_ms);
    let topic = topic.to_owned();
    tokio::task::spawn_blocking(move || {
        let zombie: BaseProducer = config.create().unwrap();
        zombie.init_transactions(PATIENCE).unwrap();
        zombie.begin_transaction().unwrap();
        let payload = entry(66).encode();
        zombie.send(BaseRecord::to(&topic).partition(0).key("acme/zombie").payload(&payload)).unwrap();
        zombie.flush(PATIENCE).unwrap();
        zombie
    })
    .await
    .unwrap()
}

/// Another instance, with one restoring thread, that names soon what it waits for.
fn new_owner(rig: &Rig) -> Driver {
    open_with(publisher::KafkaSettings {
        name_open_transaction_after: Duration::from_millis(300),
        instance_id: "relay-1".to_owned(),
        restore_threads: 1,
        ..rig.settings.clone()
    })
}

/// What the first partition says that it waits for; `None` if it runs without ever waiting for long.
fn note_of(driver: &Driver) -> impl Future<Output = Option<String>> + use<> {
    let watch = driver.ledger().watch();
    async move {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            match watch.status().partitions.first() {
                Some(one) if one.note.is_some() => return one.note.clone(),
                Some(one) if one.phase == "running" => return None,
                _ => tokio::task::yield_now().await,
            }
        }
        None
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restarted_ledger_replays_exactly_what_was_committed() {
    let Some(rig) = rig("restart", 2).await else {
        return;
    };
    rig.hints(0..10, Lane::Live).await;
    let mut driver = rig.open();
    driver.until("10 hints", |driver| driver.hints.len() == 10).await;
    let place = |key: &models::Key| partition_of(key, 2);
    for number in 0..10 {
        let key = key(number);
        let batch = driver.batch(place(&key), vec![write(place(&key), &key, Some(entry(u64::from(number) + 1)))]);
        driver.commit(batch).await.unwrap();
    }
    // One changes, one is forgotten.
    let changed = driver.batch(place(&key(1)), vec![write(place(&key(1)), &key(1), Some(entry(99)))]);
    driver.commit(changed).await.unwrap();
    let forgotten = driver.batch(place(&key(2)), vec![write(place(&key(2)), &key(2), None)]);
    driver.commit(forgotten).await.unwrap();
    driver.close().await;

    rig.hints(10..12, Lane::Live).await;
    let mut again = rig.open();
    again.until_running(2).await;
    again.until("the new hints", |driver| driver.hints.len() >= 2).await;
    let keys: Vec<_> = again.hints.iter().map(|(_, _, _, key)| key.clone()).collect();
    assert!(keys.contains(&key(10)) && keys.contains(&key(11)) && keys.len() == 2, "{keys:?}");
    let all: Vec<_> = again.entries.values().flatten().collect();
    assert_eq!(all.len(), 9);
    for (found, entry) in all {
        assert_ne!(*found, key(2));
        let number: u64 = found.submission()[1..].parse().unwrap();
        assert_eq!(entry.sequence, if number == 1 { 99 } else { number + 1 });
    }
    assert!(again.assigned.iter().all(|(_, fresh)| *fresh));
    again.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_a_zombies_open_transaction_the_new_owner_waits_and_then_reads_on() {
    let Some(rig) = rig("zombie", 1).await else {
        return;
    };
    let ledger = rig.names().ledger;
    rig.put(&ledger, 0, "acme/before", &entry(1).encode()).await;
    let zombie = open_transaction(&rig, &ledger, "4000").await;
    // Committed behind the open transaction: whoever stops at the last stable offset does not see it.
    rig.put(&ledger, 0, "acme/after", &entry(2).encode()).await;

    let started = Instant::now();
    let mut driver = new_owner(&rig);
    let named = tokio::spawn(note_of(&driver));
    driver.until_running(1).await;
    println!("waited {:?} for the zombie's transaction", started.elapsed());
    let note = named.await.unwrap().expect("the open transaction was never named");
    assert!(note.contains("open transaction at offset 2"), "{note}");
    let found: Vec<_> = driver.entries[&0].keys().map(|key| key.submission().to_owned()).collect();
    assert_eq!(found, ["after", "before"]);
    tokio::task::spawn_blocking(move || drop(zombie)).await.unwrap();
    driver.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_an_open_transaction_among_the_events_nothing_is_written() {
    let Some(rig) = rig("hanging", 1).await else {
        return;
    };
    // The ledger itself is whole. Were the open record our own, the next commit would make it visible.
    let events = rig.names().events;
    let zombie = open_transaction(&rig, &events, "4000").await;
    let mut driver = new_owner(&rig);
    let note = note_of(&driver).await.expect("it ran, or waited without a word");
    assert!(note.contains(&format!("{events}/0: open transaction at offset 0")), "{note}");
    driver.until_running(1).await;
    assert_eq!(rig.read(&events).await, [], "it is aborted by then, and stays so");
    tokio::task::spawn_blocking(move || drop(zombie)).await.unwrap();
    driver.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partition_that_waits_keeps_no_other_from_running() {
    let Some(rig) = rig("waiting", 2).await else {
        return;
    };
    let zombie = open_transaction(&rig, &rig.names().ledger, "30000").await;
    let mut driver = new_owner(&rig);
    let runs = |driver: &Driver, partition| driver.held.get(&partition).is_some_and(|part| part.ready);
    driver.until("partition 1 runs", |driver| runs(driver, 1)).await;
    assert!(!runs(&driver, 0), "partition 0 waits for the open transaction");
    tokio::task::spawn_blocking(move || zombie.abort_transaction(PATIENCE).unwrap()).await.unwrap();
    driver.until_running(2).await;
    driver.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_of_an_unknown_version_stops_the_service_and_says_where() {
    let Some(rig) = rig("version", 1).await else {
        return;
    };
    let offset = rig.put(&rig.names().ledger, 0, "acme/k1", &[200, 1, 2, 3]).await;
    let mut driver = rig.open();
    driver.until("it fails", |driver| driver.failed.is_some()).await;
    let why = driver.failed.clone().unwrap();
    let place = format!("{}/0 at offset {offset}", rig.names().ledger);
    assert!(why.contains(&place) && why.contains("version 200"), "{why}");
    driver.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn foreign_and_unreadable_hints_are_moved_or_dead_lettered() {
    let Some(rig) = rig("foreign", 2).await else {
        return;
    };
    let foreign = (0..1000).map(key).find(|key| partition_of(key, 2) == 1).unwrap();
    let own = (0..1000).map(key).find(|key| partition_of(key, 2) == 0).unwrap();
    let bytes = serde_json::to_vec(&hint(5)).unwrap();
    rig.put(&rig.names().hints, 0, foreign.as_str(), &bytes).await;
    rig.put(&rig.names().hints, 0, own.as_str(), b"no hint").await;
    rig.put(&rig.names().hints, 0, own.as_str(), &bytes).await;
    let mut driver = rig.open();
    driver.until("both hints", |driver| driver.hints.len() == 2 && driver.skipped.len() == 2).await;
    assert!(driver.hints.contains(&(1, Lane::Live, 0, foreign)));
    assert!(driver.hints.contains(&(0, Lane::Live, 2, own.clone())));
    assert_eq!((driver.skipped[0].0, driver.skipped[0].1, &driver.skipped[0].2), (0, 0, &None));
    let letter = driver.skipped[1].2.clone().unwrap();
    assert_eq!((letter.reason, letter.key.as_ref()), ("hint_undecodable", Some(&own)));
    assert_eq!(letter.origin, Some((rig.names().hints, 0, 1)));
    assert!(!letter.message.contains("no hint"));

    let mut batch = driver.batch(0, Vec::new());
    batch.dead_letters.push(letter);
    driver.commit(batch).await.unwrap();
    let dead = rig.read(&rig.names().dead_letters).await;
    assert_eq!(dead.len(), 1);
    assert_eq!(dead[0].2, None);
    driver.close().await;
}
