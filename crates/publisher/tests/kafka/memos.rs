//! Memos: in the transaction of their batch, on the partition they belong to, told again by each restore.

use crate::support::{Driver, PATIENCE, entry, key, partition_of, rig, write};
use models::{Batch, CommitError, Lane, Memo, MemoKey, Notification, ProjectId, Standing, Sweep, SweepMemo, Time};
use std::time::{Duration, Instant};

fn project() -> ProjectId {
    ProjectId::new("acme").unwrap()
}

fn standing(spent: u64) -> (MemoKey, Memo) {
    (MemoKey::Standing(project()), Memo::Standing(Standing { spent, ..Standing::default() }))
}

fn sweep(asked: i64) -> (MemoKey, Memo) {
    let memo = SweepMemo { asked_at: Some(Time::from_millis(asked)), ..SweepMemo::default() };
    (MemoKey::Sweep(project(), Sweep::Full), Memo::Sweep(Box::new(memo)))
}

fn batch_of(driver: &Driver, partition: i32, memos: Vec<(MemoKey, Memo)>) -> Batch {
    let memos = memos.into_iter().map(|(key, memo)| (partition, key, memo)).collect();
    Batch { memos, ..driver.batch(partition, Vec::new()) }
}

#[tokio::test(flavor = "multi_thread")]
async fn memos_become_durable_with_their_batch_and_on_their_partition() {
    let Some(rig) = rig("memos", 3).await else {
        return;
    };
    let mut driver = rig.open();
    driver.until_running(3).await;
    assert_eq!(driver.of, 3, "`Ready` says how many partitions there are");

    // A batch whose dead letter the broker refuses takes its memos with it.
    rig.configure(&rig.names().dead_letters, &[("max.message.bytes", "100")]).await;
    let mut broken = batch_of(&driver, 1, vec![standing(66)]);
    broken.dead_letters.push(models::DeadLetter {
        key: None,
        reason: "test",
        message: String::new(),
        attempts: 1,
        first_seen: Time::from_millis(0),
        origin: None,
    });
    assert!(matches!(driver.commit(broken).await, Err(CommitError::Aborted(_))));
    // So is one whose partition's offsets do not ride along.
    let mut uncovered = driver.batch(0, Vec::new());
    uncovered.memos = vec![(2, standing(66).0, standing(66).1)];
    assert!(matches!(driver.commit(uncovered).await, Err(CommitError::Aborted(_))));

    // The same name on every partition, whatever it would hash to, beside an entry and a notification.
    for partition in 0..3 {
        let own = (0..1000).map(key).find(|key| partition_of(key, 3) == partition).unwrap();
        let mut batch = batch_of(&driver, partition, vec![standing(partition as u64), sweep(7)]);
        batch.writes = vec![write(partition, &own, Some(entry(1)))];
        batch.writes[0].notifications = vec![Notification::GapRepaired {
            key: own,
            cause: models::Cause::Sweep,
            sequence: 1,
            at: Time::from_millis(1),
        }];
        batch.notifications =
            vec![Notification::SweepStarted { project: project(), sweep: Sweep::Full, at: Time::from_millis(1) }];
        driver.commit(batch).await.unwrap();
    }
    let ledger = rig.read(&rig.names().ledger).await;
    for (key, memo) in [standing(0), standing(1), standing(2)] {
        let Memo::Standing(Standing { spent, .. }) = memo else { unreachable!() };
        let there: Vec<_> = ledger
            .iter()
            .filter(|(_, name, payload)| *name == key.to_string() && *payload == Some(memo.encode()))
            .collect();
        assert_eq!(there.len(), 1);
        assert_eq!(there[0].0, spent as i32);
    }
    let told = rig.read(&rig.names().notifications).await;
    let of = |word: &str| {
        told.iter()
            .filter(|(_, _, payload)| {
                payload.as_deref().is_some_and(|text| String::from_utf8_lossy(text).contains(word))
            })
            .count()
    };
    assert_eq!((told.len(), of("gap_repaired"), of("sweep_started")), (6, 3, 3));
    driver.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn memos_are_told_again_after_a_crash() {
    let Some(rig) = rig("memos-crash", 2).await else {
        return;
    };
    let mut driver = rig.open();
    driver.until_running(2).await;
    for spent in 1..=5 {
        let batch = batch_of(&driver, 1, vec![standing(spent)]);
        driver.commit(batch).await.unwrap();
    }
    let batch = batch_of(&driver, 0, vec![sweep(7), standing(40)]);
    driver.commit(batch).await.unwrap();
    // Gone without a word: nothing of it is closed in order.
    drop(driver);

    let mut again = rig.open();
    again.until_running(2).await;
    assert!(again.assigned.iter().all(|(_, fresh)| *fresh));
    assert_eq!(again.memos[&1], std::collections::BTreeMap::from([standing(5)]));
    assert_eq!(again.memos[&0], std::collections::BTreeMap::from([sweep(7), standing(40)]));
    again.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partition_that_comes_back_is_told_only_what_changed() {
    let Some(rig) = rig("memos-back", 2).await else {
        return;
    };
    let mut first = rig.open_as("relay-0");
    first.until_running(2).await;
    for partition in 0..2 {
        let batch = batch_of(&first, partition, vec![standing(1)]);
        first.commit(batch).await.unwrap();
    }
    let mut second = rig.open_as("relay-1");
    let settled = |driver: &Driver| {
        driver.assigned.len() >= 3 && driver.held.len() == 1 && driver.held.values().all(|part| part.ready)
    };
    tokio::join!(first.until("one comes back", settled), second.until_running(1));
    let (kept, moved) = (*first.held.keys().next().unwrap(), *second.held.keys().next().unwrap());
    // What came back was not fresh, and there was nothing new to tell.
    assert_eq!(first.assigned.last(), Some(&(kept, false)));
    assert_eq!(first.memos_told, 0, "its own memos are not told to who wrote them");
    // What the other holds for the first time is told whole.
    assert_eq!(second.assigned, [(moved, true)]);
    assert_eq!(second.memos[&moved], std::collections::BTreeMap::from([standing(1)]));

    let batch = batch_of(&second, moved, vec![standing(2), sweep(9)]);
    second.commit(batch).await.unwrap();
    second.close().await;
    first.until_running(2).await;
    // Back with the first: not fresh, so only what the other wrote meanwhile.
    assert!(first.assigned.iter().skip(2).all(|(_, fresh)| !fresh), "{:?}", first.assigned);
    assert_eq!(first.memos_told, 2);
    assert_eq!(first.memos[&moved], std::collections::BTreeMap::from([standing(2), sweep(9)]));
    first.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn memos_survive_compaction() {
    let Some(rig) = rig("memos-compact", 1).await else {
        return;
    };
    let ledger = rig.names().ledger;
    let mut driver = rig.open();
    driver.until_running(1).await;
    for spent in 1..=50 {
        let batch = batch_of(&driver, 0, vec![standing(spent)]);
        driver.commit(batch).await.unwrap();
    }
    let batch = batch_of(&driver, 0, vec![sweep(7)]);
    driver.commit(batch).await.unwrap();
    let quick = [("cleanup.policy", "compact"), ("segment.ms", "1"), ("min.cleanable.dirty.ratio", "0.001")];
    rig.configure(&ledger, &quick).await;
    let deadline = Instant::now() + 2 * PATIENCE;
    while rig.read(&ledger).await.len() > 10 {
        assert!(Instant::now() < deadline, "the broker never compacted");
        // Only a closed segment is compacted, and only a write closes one.
        let own = driver.batch(0, vec![write(0, &key(1), Some(entry(1)))]);
        driver.commit(own).await.unwrap();
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    driver.close().await;
    let mut again = rig.open();
    again.until_running(1).await;
    assert!(again.memos_told < 10, "{} records were told", again.memos_told);
    assert_eq!(again.memos[&0], std::collections::BTreeMap::from([standing(50), sweep(7)]));
    assert_eq!(publisher::topics::verify_layout(&rig.settings).await.unwrap(), [], "so does the layout");
    again.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_memo_of_an_unknown_version_stops_the_service_and_says_where() {
    let Some(rig) = rig("memos-version", 1).await else {
        return;
    };
    let ledger = rig.names().ledger;
    // A reserved key that this release does not know is somebody else's.
    rig.put(&ledger, 0, "_later/acme", &[200]).await;
    let offset = rig.put(&ledger, 0, "_standing/acme", &[200, 1, 2, 3]).await;
    rig.hints(0..1, Lane::Live).await;
    let mut driver = rig.open();
    driver.until("it fails", |driver| driver.failed.is_some()).await;
    let why = driver.failed.clone().unwrap();
    assert!(why.contains(&format!("{ledger}/0 at offset {offset}")) && why.contains("version 200"), "{why}");
    assert_eq!(driver.hints, [], "nothing ran on a guess");
    driver.close().await;
}
