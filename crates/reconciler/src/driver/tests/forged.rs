//! What a forger, a repeater or an operator who erases can make the loop do.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_thousand_repeats_of_a_forged_claim_cost_the_ladder_only() {
    let lab = Lab::new(Duration::from_millis(10));
    let (stop, task) = lab.start();
    lab.world.set(&key(1), KycStatus::Rejected);
    for _ in 0..1_000 {
        lab.hint(&key(1), Some(KycStatus::Approved)).await;
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
    lab.settled().await;
    tokio::time::sleep(Duration::from_secs(400)).await;
    let events = lab.broker.events_from(0);
    assert_eq!(events.iter().map(|event| event.kind).collect::<Vec<_>>(), [models::EventKind::Rejected]);
    assert!(lab.world.looks(&key(1)) <= 1 + 4 + 1, "{} looks", lab.world.looks(&key(1)));
    let unconfirmed = |notice: &models::Notification| matches!(notice, models::Notification::HintUnconfirmed { .. });
    assert_eq!(lab.broker.notifications().into_iter().filter(unconfirmed).count(), 1);
    stop.cancel();
    task.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_unknown_id_costs_a_bounded_number_of_looks_and_leaves_nothing() {
    let lab = Lab::new(Duration::from_millis(10));
    let (stop, task) = lab.start();
    for _ in 0..100 {
        lab.hint(&key(9), Some(KycStatus::Approved)).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    tokio::time::sleep(Duration::from_secs(400)).await;
    assert_eq!(lab.broker.unsettled(), 0);
    assert_eq!(lab.broker.entry(&key(9)), None);
    assert!(lab.broker.events_from(0).is_empty());
    assert!(lab.world.looks(&key(9)) <= 5, "{} looks", lab.world.looks(&key(9)));
    stop.cancel();
    task.await.unwrap().unwrap();
}

/// However slow looks and commits are: a repeat that comes meanwhile is covered by the ladder's next step.
#[tokio::test(start_paused = true)]
async fn repeats_during_slow_looks_cost_the_ladder_only() {
    let lab = Lab::new(Duration::from_millis(700));
    let (stop, task) = lab.start();
    lab.world.set(&key(1), KycStatus::Rejected);
    for _ in 0..400 {
        lab.hint(&key(1), Some(KycStatus::Approved)).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    tokio::time::sleep(Duration::from_secs(400)).await;
    assert_eq!(lab.broker.unsettled(), 0);
    assert!(lab.world.looks(&key(1)) <= 1 + 4 + 1, "{} looks", lab.world.looks(&key(1)));
    stop.cancel();
    task.await.unwrap().unwrap();
}

/// Each forged claim differs from the one before: as many as are kept get a look, the others the ladder's.
#[tokio::test(start_paused = true)]
async fn a_thousand_different_forged_claims_cost_a_bounded_number_of_looks() {
    let lab = Lab::new(Duration::from_millis(10));
    let (stop, task) = lab.start();
    lab.world.set(&key(1), KycStatus::Rejected);
    for index in 0..1_000 {
        let later = |hint: &mut Hint| hint.claim.changed_at = Some(at(10_000_000 + index));
        lab.hint_with(&key(1), Some(KycStatus::Approved), later).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    lab.settled().await;
    tokio::time::sleep(Duration::from_secs(400)).await;
    let looks = lab.world.looks(&key(1));
    assert!(looks <= models::Pending::MAX_CLAIMS + 2 * 4, "{looks} looks");
    assert_eq!(lab.broker.events_from(0).len(), 1);
    stop.cancel();
    task.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_erased_submission_is_never_asked_for_or_published_again() {
    let lab = Lab::new(Duration::from_millis(300));
    let (stop, task) = lab.start();
    for id in [1, 2] {
        lab.world.set(&key(id), KycStatus::Approved);
    }
    lab.hint(&key(1), Some(KycStatus::Approved)).await;
    lab.settled().await;
    let by_operator = |hint: &mut Hint| {
        hint.source = Source::Operator;
        hint.erase = true;
    };
    // One that was published, one in the middle of its first look, one never seen.
    lab.hint(&key(2), Some(KycStatus::Approved)).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    for id in [1, 2, 3] {
        lab.hint_with(&key(id), None, by_operator).await;
    }
    lab.settled().await;
    assert!(lab.broker.states().is_empty(), "tombstones");
    let (told, looks) = (lab.broker.events_from(0).len(), lab.world.looks(&key(1)) + lab.world.looks(&key(2)));
    for id in [1, 2, 3] {
        lab.world.set(&key(id), KycStatus::Rejected);
        lab.hint(&key(id), Some(KycStatus::Rejected)).await;
        assert!(lab.broker.entry(&key(id)).unwrap().is_erased());
    }
    lab.settled().await;
    tokio::time::sleep(Duration::from_hours(2_000)).await;
    assert_eq!(lab.broker.events_from(0).len(), told);
    assert_eq!(lab.world.looks(&key(1)) + lab.world.looks(&key(2)) + lab.world.looks(&key(3)), looks);
    stop.cancel();
    task.await.unwrap().unwrap();
}
