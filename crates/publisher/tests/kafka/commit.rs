//! Commits: all or nothing, visible to read-committed consumers only, and fast.

use crate::support::{PATIENCE, entry, key, open_with, partition_of, rig, write};
use models::{CommitError, Lane, StateChange};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::producer::{BaseProducer, Producer};
use rdkafka::topic_partition_list::TopicPartitionListElem;
use rdkafka::{Offset, TopicPartitionList};
use std::time::{Duration, Instant};

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_is_visible_as_a_whole_with_its_offsets() {
    let Some(rig) = rig("commit", 2).await else {
        return;
    };
    rig.hints(0..12, Lane::Live).await;
    rig.hints(0..3, Lane::Bulk).await;
    let mut driver = rig.open();
    driver.until("15 hints", |driver| driver.hints.len() == 15).await;
    for partition in 0..2 {
        let mine = (0..12).map(key).filter(|key| partition_of(key, 2) == partition);
        let mut writes: Vec<_> = mine.map(|key| write(partition, &key, Some(entry(1)))).collect();
        writes[0].state = StateChange::Tombstone;
        let batch = driver.batch(partition, writes);
        driver.commit(batch).await.unwrap();
    }
    let ledger = rig.read(&rig.names().ledger).await;
    assert_eq!(ledger.iter().filter(|(_, key, _)| key.starts_with("acme/")).count(), 12);
    assert!(ledger.iter().all(|(partition, key, _)| {
        key.starts_with('_') || *partition == publisher::partition::partition_of(key.as_bytes(), 2)
    }));
    let state = rig.read(&rig.names().state).await;
    assert_eq!(state.len(), 2);
    assert!(state.iter().all(|(_, _, payload)| payload.is_none()));

    let (live, bulk) = (driver.progress(0).live, driver.progress(0).bulk);
    let mut config = rig.config();
    config.set("group.id", &rig.settings.group_id).set("isolation.level", "read_committed");
    let names = rig.names();
    let offsets = tokio::task::spawn_blocking(move || {
        let consumer: BaseConsumer = config.create().unwrap();
        let mut wanted = TopicPartitionList::new();
        wanted.add_partition(&names.hints, 0);
        wanted.add_partition(&names.bulk, 0);
        let found = consumer.committed_offsets(wanted, Duration::from_secs(10)).unwrap();
        found.elements().iter().map(TopicPartitionListElem::offset).collect::<Vec<_>>()
    })
    .await
    .unwrap();
    assert_eq!(offsets, [Offset::Offset(live), Offset::Offset(bulk)]);
    driver.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_aborted_batch_leaves_nothing_and_the_next_one_goes_through() {
    let Some(rig) = rig("abort", 2).await else {
        return;
    };
    rig.hints(0..4, Lane::Live).await;
    let mut driver = rig.open();
    driver.until("4 hints", |driver| driver.hints.len() == 4).await;
    let key = (0..1000).map(key).find(|key| partition_of(key, 2) == 0).unwrap();
    // The topic of dead letters takes markers only: the delivery fails, after other records were sent.
    rig.configure(&rig.names().dead_letters, &[("max.message.bytes", "100")]).await;
    let mut broken = driver.batch(0, vec![write(0, &key, Some(entry(7)))]);
    broken.dead_letters.push(models::DeadLetter {
        key: None,
        reason: "test",
        message: "refused".to_owned(),
        attempts: 1,
        first_seen: models::Time::from_millis(0),
        origin: None,
    });
    assert!(matches!(driver.commit(broken).await, Err(CommitError::Aborted(_))));
    assert!(rig.read(&rig.names().ledger).await.iter().all(|(_, key, _)| key.starts_with('_')));

    let mut stale = driver.batch(0, vec![write(0, &key, Some(entry(8)))]);
    stale.progress[0].epoch += 1;
    assert_eq!(driver.commit(stale).await, Err(CommitError::Aborted("stale assignment".to_owned())));

    let good = driver.batch(0, vec![write(0, &key, Some(entry(1)))]);
    driver.commit(good).await.unwrap();
    let ledger = rig.read(&rig.names().ledger).await;
    assert_eq!(ledger.iter().filter(|(_, name, _)| name == key.as_str()).count(), 1);
    assert_eq!(driver.revoked, 0, "an abort costs no partition");
    driver.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn commits_are_fast() {
    let Some(rig) = rig("latency", 1).await else {
        return;
    };
    let mut driver = rig.open();
    driver.until_running(1).await;
    let mut times = Vec::new();
    for number in 0..300 {
        let batch = driver.batch(0, vec![write(0, &key(number), Some(entry(1)))]);
        let started = Instant::now();
        driver.commit(batch).await.unwrap();
        times.push(started.elapsed());
    }
    times.sort();
    println!("commit of 1 record with offsets: p50 {:?}, p99 {:?}, n {}", times[150], times[297], times.len());
    driver.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lane_stops_at_its_window_and_goes_on_when_settled() {
    let Some(rig) = rig("window", 1).await else {
        return;
    };
    rig.hints(0..300, Lane::Live).await;
    let settings = publisher::KafkaSettings { unsettled_window: 100, ..rig.settings.clone() };
    let mut driver = open_with(settings);
    let mut settled = 0;
    while settled < 300 {
        driver.until("more hints", |driver| driver.hints.len() > settled).await;
        // What librdkafka had already handed over when the lane was paused may come on top.
        assert!(driver.hints.len() - settled <= 120, "{} unsettled", driver.hints.len() - settled);
        let batch = driver.batch(0, Vec::new());
        settled = driver.hints.len();
        driver.commit(batch).await.unwrap();
    }
    assert_eq!(driver.hints.len(), 300);
    driver.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_lost_commit_all_is_read_again_before_anything_is_written() {
    let Some(rig) = rig("lost", 2).await else {
        return;
    };
    rig.hints(0..12, Lane::Live).await;
    let mut driver = rig.open();
    driver.until("12 hints", |driver| driver.hints.len() == 12).await;
    let mine = |partition: i32| (0..12).map(key).filter(move |key| partition_of(key, 2) == partition);
    let first = driver.batch(0, mine(0).map(|key| write(0, &key, Some(entry(1)))).collect());
    driver.commit(first).await.unwrap();

    // Somebody takes the transactional id, as a second process with the same instance id would.
    let mut config = rig.config();
    config.set("transactional.id", rig.settings.transactional_id());
    let rival = tokio::task::spawn_blocking(move || {
        let rival: BaseProducer = config.create().unwrap();
        rival.init_transactions(PATIENCE).unwrap();
        rival
    });
    let rival = rival.await.unwrap();
    let second = driver.batch(1, mine(1).map(|key| write(1, &key, Some(entry(66)))).collect());
    let stale = second.clone();
    assert!(matches!(driver.commit(second).await, Err(CommitError::Lost(_))));
    assert!(matches!(driver.commit(stale).await, Err(CommitError::Aborted(_))));
    driver.until("both are revoked", |driver| driver.revoked == 2).await;
    driver.until_running(2).await;
    assert!(driver.assigned[2..].iter().all(|(_, fresh)| !fresh), "{:?}", driver.assigned);
    driver.until("the unsettled hints again", |driver| driver.hints.len() == mine(1).count()).await;
    let retry = driver.batch(1, mine(1).map(|key| write(1, &key, Some(entry(1)))).collect());
    driver.commit(retry).await.unwrap();
    let written = rig.read(&rig.names().ledger).await;
    let entries: Vec<_> = written.iter().filter(|(_, key, _)| key.starts_with("acme/")).collect();
    assert_eq!(entries.len(), 12);
    assert!(entries.iter().all(|(_, _, payload)| payload.as_deref() == Some(&entry(1).encode()[..])));
    tokio::task::spawn_blocking(move || drop(rival)).await.unwrap();
    driver.close().await;
}
