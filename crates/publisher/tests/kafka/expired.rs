//! Hints that are gone before they were settled: told with the lane and how many, so that a full sweep repairs it.

use crate::support::{Driver, PATIENCE, Rig, open_with, rig};
use models::Lane;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::{Offset, TopicPartitionList};
use std::time::{Duration, Instant};

/// Ten hints on the live lane, of which the first `settled` are settled, by a service that then goes away.
async fn settle(rig: &Rig, settled: i64) {
    rig.hints(0..10, Lane::Live).await;
    let mut driver = rig.open();
    driver.until("10 hints", |driver| driver.hints.len() == 10).await;
    assert_eq!(driver.expired, []);
    let mut batch = driver.batch(0, Vec::new());
    batch.progress[0].live = settled;
    driver.commit(batch).await.unwrap();
    driver.close().await;
}

async fn go_past(driver: &mut Driver) {
    let batch = driver.batch(0, Vec::new());
    driver.commit(batch).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn hints_that_retention_removed_unsettled_are_told_until_progress_passes_them() {
    let Some(rig) = rig("expired", 1).await else {
        return;
    };
    settle(&rig, 3).await;
    rig.delete_before(&rig.names().hints, 0, 8).await;
    for _ in 0..2 {
        let mut driver = rig.open();
        driver.until("the last two", |driver| driver.hints.len() == 2).await;
        assert_eq!(driver.expired, [(0, Lane::Live, 5)], "again, as nothing was committed since");
        assert_eq!(driver.hints[0].2, 8);
        // Gone without a word.
        drop(driver);
    }
    let mut driver = rig.open();
    driver.until("the last two", |driver| driver.hints.len() == 2).await;
    go_past(&mut driver).await;
    driver.close().await;
    let mut driver = rig.open();
    driver.until_running(1).await;
    assert_eq!(driver.expired, []);
    driver.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_settled_may_go() {
    let Some(rig) = rig("not-expired", 1).await else {
        return;
    };
    settle(&rig, 8).await;
    rig.delete_before(&rig.names().hints, 0, 8).await;
    let mut driver = rig.open();
    driver.until("the last two", |driver| driver.hints.len() == 2).await;
    assert_eq!(driver.expired, []);
    driver.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_ends_before_the_committed_offset_is_read_from_its_start() {
    let Some(rig) = rig("beyond", 1).await else {
        return;
    };
    settle(&rig, 10).await;
    // As if the topic had been made anew: nobody can settle what the log does not have.
    let mut config = rig.config();
    config.set("group.id", &rig.settings.group_id);
    let bulk = rig.names().bulk;
    rig.hints(0..4, Lane::Bulk).await;
    tokio::task::spawn_blocking(move || {
        let consumer: BaseConsumer = config.create().unwrap();
        let mut beyond = TopicPartitionList::new();
        beyond.add_partition_offset(&bulk, 0, Offset::Offset(1_000)).unwrap();
        // Refused until the session of the member that went away has ended.
        let deadline = Instant::now() + PATIENCE;
        while let Err(error) = consumer.commit(&beyond, CommitMode::Sync) {
            assert!(Instant::now() < deadline, "{error}");
            std::thread::park_timeout(Duration::from_millis(100));
        }
    })
    .await
    .unwrap();
    let mut driver = rig.open();
    driver.until("the bulk hints", |driver| driver.hints.len() == 4).await;
    assert_eq!(driver.expired, [(0, Lane::Bulk, 996)]);
    go_past(&mut driver).await;
    driver.close().await;
    let mut driver = rig.open();
    driver.until_running(1).await;
    assert_eq!(driver.expired, [], "the offset is that of the log again");
    assert_eq!((driver.progress(0).live, driver.progress(0).bulk), (10, 4));
    driver.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hints_that_go_while_a_lane_is_paused_are_told() {
    let Some(rig) = rig("expired-running", 1).await else {
        return;
    };
    rig.hints(0..300, Lane::Live).await;
    let settings = publisher::KafkaSettings { unsettled_window: 50, ..rig.settings.clone() };
    let mut driver = open_with(settings);
    driver.until("a full window", |driver| driver.hints.len() >= 50).await;
    rig.delete_before(&rig.names().hints, 0, 280).await;
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while driver.hints.last().unwrap().2 < 299 {
        assert!(tokio::time::Instant::now() < deadline, "it stopped at {:?}", driver.hints.last());
        let seen = driver.hints.len();
        go_past(&mut driver).await;
        driver.until("more", |driver| driver.hints.len() > seen).await;
    }
    assert_eq!(driver.expired.len(), 1, "{:?}", driver.expired);
    let (_, lane, lost) = driver.expired[0];
    assert_eq!((lane, lost + driver.hints.len() as u64), (Lane::Live, 300), "each hint is read, or told to be gone");
    driver.close().await;
}
