//! Several members: partitions move, the loser cannot write, no hint is lost.

use crate::support::{Driver, entry, key, open_with, partition_of, rig, write};
use models::{CommitError, Lane};

const PARTITIONS: i32 = 4;

#[tokio::test(flavor = "multi_thread")]
async fn partitions_move_to_a_second_member_and_no_hint_is_lost() {
    let Some(rig) = rig("move", PARTITIONS).await else {
        return;
    };
    rig.hints(0..20, Lane::Live).await;
    rig.hints(0..20, Lane::Bulk).await;
    let mut first = rig.open_as("relay-0");
    first.until("40 hints", |driver| driver.hints.len() == 40).await;
    for partition in 0..PARTITIONS {
        let mine = (0..20).map(key).filter(|key| partition_of(key, PARTITIONS) == partition);
        let writes = mine.map(|key| write(partition, &key, Some(entry(1)))).collect();
        let batch = first.batch(partition, writes);
        first.commit(batch).await.unwrap();
    }
    rig.hints(20..40, Lane::Live).await;
    first.until("60 hints", |driver| driver.hints.len() == 60).await;
    let stale: Vec<_> = (0..PARTITIONS).map(|partition| first.batch(partition, Vec::new())).collect();

    let mut second = rig.open_as("relay-1");
    let follow_both = async {
        let moved = |driver: &Driver| {
            driver.assigned.len() >= 6 && driver.held.len() == 2 && driver.held.values().all(|part| part.ready)
        };
        tokio::join!(first.until("two come back", moved), second.until_running(2));
        (first, second)
    };
    let (mut first, mut second) = follow_both.await;
    let (mine, theirs) = (first.held.clone(), second.held.clone());
    assert!(mine.keys().all(|partition| !theirs.contains_key(partition)));
    // Every batch of the old generation is refused, of what is kept as well.
    for batch in stale {
        assert!(matches!(first.commit(batch).await, Err(CommitError::Aborted(_))));
    }
    // The kept partitions were caught up, not read anew.
    assert!(first.assigned.iter().skip(4).all(|(_, fresh)| !fresh));
    assert!(second.assigned.iter().all(|(_, fresh)| *fresh));

    // The unsettled 20 come again, each once, to whoever owns them; the settled 20 do not.
    let again = |driver: &Driver, partitions: Vec<i32>| {
        let keys = (20..40).map(key).filter(|key| partitions.contains(&partition_of(key, PARTITIONS))).count();
        driver.hints.len() >= keys
    };
    first.until("its hints again", |driver| again(driver, mine.keys().copied().collect())).await;
    second.until("its hints", |driver| again(driver, theirs.keys().copied().collect())).await;
    let owned = |driver: &Driver| driver.entries.values().map(std::collections::BTreeMap::len).sum::<usize>();
    let total: usize = (0..20).map(key).filter(|key| theirs.contains_key(&partition_of(key, PARTITIONS))).count();
    assert_eq!(owned(&second), total);
    for driver in [&mut first, &mut second] {
        for partition in driver.held.keys().copied().collect::<Vec<_>>() {
            let batch = driver.batch(partition, Vec::new());
            driver.commit(batch).await.unwrap();
        }
    }
    first.close().await;
    second.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_instance_twice_fences_the_older() {
    let Some(rig) = rig("twice", 2).await else {
        return;
    };
    rig.hints(0..10, Lane::Live).await;
    let mut old = rig.open();
    old.until("10 hints", |driver| driver.hints.len() == 10).await;
    let mine = |partition: i32, sequence: u64| {
        let keys = (0..10).map(key).filter(move |key| partition_of(key, 2) == partition);
        keys.map(|key| write(partition, &key, Some(entry(sequence)))).collect::<Vec<_>>()
    };
    let zombie = old.batch(0, mine(0, 66));
    let mut new = rig.open();
    new.until_running(2).await;
    let result = old.ledger();
    let outcome = models::Ledger::commit(result, zombie).await;
    assert!(outcome.is_err(), "the older wrote");
    old.until("the older is told", |driver| driver.failed.is_some()).await;
    assert!(old.failed.as_ref().unwrap().contains("relay-0"), "{:?}", old.failed);
    old.close().await;

    // Whatever the older did to the producer's epoch on its way out, the newer gets through.
    let mut done = false;
    for _ in 0..5 {
        new.until_running(2).await;
        let batch = new.batch(0, mine(0, 1));
        match new.commit(batch).await {
            Ok(()) => {
                done = true;
                break;
            }
            Err(error) => println!("the newer had to try again: {error}"),
        }
        if new.held.values().all(|part| part.ready) {
            let revoked = new.revoked;
            new.until("it is told", |driver| driver.revoked > revoked || driver.held.len() < 2).await;
        }
    }
    assert!(done);
    let ledger = rig.read(&rig.names().ledger).await;
    let written: Vec<_> = ledger.iter().filter(|(_, key, _)| key.starts_with("acme/")).collect();
    assert_eq!(written.len(), mine(0, 1).len());
    assert!(written.iter().all(|(_, _, payload)| payload.as_deref() == Some(&entry(1).encode()[..])));
    new.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_static_membership_a_closed_member_hands_over_at_once() {
    let Some(rig) = rig("leave", 2).await else {
        return;
    };
    let member = |instance: &str| publisher::KafkaSettings {
        static_membership: false,
        session_timeout: std::time::Duration::from_secs(20),
        heartbeat_interval: std::time::Duration::from_millis(500),
        instance_id: instance.to_owned(),
        ..rig.settings.clone()
    };
    let mut first = open_with(member("relay-0"));
    first.until_running(2).await;
    let mut second = open_with(member("relay-1"));
    tokio::join!(first.until_running(1), second.until_running(1));
    let started = std::time::Instant::now();
    first.close().await;
    second.until_running(2).await;
    println!("handed over in {:?}", started.elapsed());
    assert!(started.elapsed() < std::time::Duration::from_secs(10));
    second.close().await;
}
