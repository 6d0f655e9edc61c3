//! Requests to the owner of partition 0: durable, in order, unsettled until progress passes them.

use crate::support::{PATIENCE, rig};
use models::{HintSink, Lane, ProjectId, Request, Time};

fn full_sweep(at: i64) -> Request {
    Request::FullSweep { project: ProjectId::new("acme").unwrap(), at: Time::from_millis(at) }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_told_in_order_and_again_until_progress_passes_it() {
    let Some(rig) = rig("requests", 2).await else {
        return;
    };
    let sink = rig.sink().await;
    rig.hints(0..8, Lane::Bulk).await;
    for at in 0..3 {
        sink.request(&full_sweep(at)).await.unwrap();
    }
    let backfill = Request::Backfill {
        project: ProjectId::new("acme").unwrap(),
        at: Time::from_millis(3),
        from: Time::from_millis(0),
        to: Time::from_millis(2),
    };
    sink.request(&backfill).await.unwrap();
    let there = rig.read(&rig.names().bulk).await;
    let requests = there.iter().filter(|(_, key, _)| key == "_request/acme");
    assert_eq!(
        requests.map(|(partition, ..)| *partition).collect::<Vec<_>>(),
        [0; 4],
        "on partition 0, whatever the key"
    );

    let wanted = [full_sweep(0), full_sweep(1), full_sweep(2), backfill];
    let mut driver = rig.open();
    driver.until("4 requests", |driver| driver.requests.len() == 4).await;
    assert_eq!(driver.requests.iter().map(|one| &one.3).collect::<Vec<_>>(), wanted.iter().collect::<Vec<_>>());
    assert!(driver.requests.iter().all(|(partition, lane, ..)| (*partition, *lane) == (0, Lane::Bulk)));
    assert!(driver.requests.is_sorted_by_key(|one| one.2));

    // The first two are granted; a crash, and only the others come again.
    let third = driver.requests[2].2;
    let mut batch = driver.batch(0, Vec::new());
    batch.progress[0].bulk = third;
    driver.commit(batch).await.unwrap();
    drop(driver);
    let mut again = rig.open();
    again.until("2 requests", |driver| driver.requests.len() == 2).await;
    assert_eq!(again.requests[0], (0, Lane::Bulk, third, wanted[2].clone()));
    let batch = again.batch(0, Vec::new());
    again.commit(batch).await.unwrap();
    again.close().await;

    sink.request(&full_sweep(9)).await.unwrap();
    let mut last = rig.open();
    last.until("the new request", |driver| !driver.requests.is_empty()).await;
    assert_eq!(last.requests.len(), 1);
    assert_eq!(last.requests[0].3, full_sweep(9));
    last.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_cannot_be_read_or_lies_elsewhere_is_passed_over() {
    let Some(rig) = rig("no-requests", 2).await else {
        return;
    };
    let bulk = rig.names().bulk;
    let good = serde_json::to_vec(&full_sweep(1)).unwrap();
    for (partition, payload) in
        [(0, &b"no request"[..]), (0, br#"{"request":"later"}"#), (1, &good[..]), (0, &good[..])]
    {
        rig.put(&bulk, partition, "_request/acme", payload).await;
    }
    let mut driver = rig.open();
    driver.until("all four", |driver| driver.requests.len() == 1 && driver.skipped.len() == 3).await;
    assert_eq!(driver.requests[0], (0, Lane::Bulk, 2, full_sweep(1)));
    driver.skipped.sort_by_key(|(partition, offset, _)| (*partition, *offset));
    assert_eq!(driver.skipped, [(0, 0, None), (0, 1, None), (1, 0, None)], "settled, and nothing to drive again");
    driver.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_holds_another_partition_is_not_told() {
    let Some(rig) = rig("other-requests", 2).await else {
        return;
    };
    let mut first = rig.open_as("relay-0");
    first.until_running(2).await;
    let mut second = rig.open_as("relay-1");
    tokio::join!(
        first.until("one comes back", |driver| {
            driver.assigned.len() >= 3 && driver.held.len() == 1 && driver.held.values().all(|part| part.ready)
        }),
        second.until_running(1)
    );
    rig.sink().await.request(&full_sweep(1)).await.unwrap();
    rig.hints(0..8, Lane::Bulk).await;
    let ((owner, _), _) = tokio::time::timeout(PATIENCE, async {
        let both = |driver: &crate::support::Driver| !driver.hints.is_empty();
        tokio::join!(first.until("hints", both), second.until("hints", both));
        let zero = first.held.contains_key(&0);
        if zero { ((&first, 0), &second) } else { ((&second, 0), &first) }
    })
    .await
    .unwrap();
    assert_eq!(owner.requests.len(), 1, "it lies before the hints");
    assert_eq!(first.requests.len() + second.requests.len(), 1);
    first.close().await;
    second.close().await;
}
