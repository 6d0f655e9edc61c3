//! What no webhook told: the list, re-looks, and what the budget says to both.

use super::*;
use models::{MemoKey, Notification, ProjectId, Sweep};

fn told(lab: &Lab, which: impl Fn(&Notification) -> bool) -> usize {
    lab.broker.notifications().iter().filter(|notice| which(notice)).count()
}

#[tokio::test(start_paused = true)]
async fn what_no_webhook_told_is_found_in_the_list_within_the_interval() {
    let lab = Lab::new(Duration::from_millis(20));
    let (stop, task) = lab.start();
    tokio::time::sleep(Duration::from_mins(10)).await;
    for id in 0..120 {
        lab.world.set(&key(id), KycStatus::Incomplete);
        lab.world.truths.lock().unwrap().get_mut(&key(id)).unwrap().created_at = Some(lab.world.clock.now());
    }
    // The interval, the lag, and the walk itself.
    tokio::time::sleep(Duration::from_mins(5 + 5 + 1)).await;
    assert_eq!(lab.broker.states().len(), 120);
    for id in 0..120 {
        lab.world.set(&key(id), KycStatus::Approved);
        lab.world.truths.lock().unwrap().get_mut(&key(id)).unwrap().created_at = Some(lab.world.clock.now());
    }
    tokio::time::sleep(Duration::from_mins(11)).await;
    assert!(lab.broker.states().values().all(|state| state.facts.kyc.status == KycStatus::Approved));
    lab.check_sequences();
    assert!(told(&lab, |notice| matches!(notice, Notification::GapRepaired { .. })) >= 120);
    assert!(told(&lab, |notice| matches!(notice, Notification::SweepEnded { complete: true, .. })) >= 3);
    let looks: usize = (0..120).map(|id| lab.world.looks(&key(id))).sum();
    stop.cancel();
    task.await.unwrap().unwrap();
    // Nothing has changed since: pages, and no look that was not due.
    let (pages, again) = (lab.world.pages.load(std::sync::atomic::Ordering::Relaxed), lab.start());
    tokio::time::sleep(Duration::from_mins(12)).await;
    assert!(lab.world.pages.load(std::sync::atomic::Ordering::Relaxed) > pages);
    assert_eq!((0..120).map(|id| lab.world.looks(&key(id))).sum::<usize>(), looks, "equal rows cost no look");
    again.0.cancel();
    again.1.await.unwrap().unwrap();
}

/// A deletion that no list and no webhook shows, and a reason that the list does not carry.
#[tokio::test(start_paused = true)]
async fn what_no_list_shows_is_found_within_the_re_look_age() {
    let lab = Lab::new(Duration::from_millis(20));
    let (stop, task) = lab.start();
    for id in 0..3 {
        lab.world.set(&key(id), KycStatus::Rejected);
        lab.hint(&key(id), Some(KycStatus::Rejected)).await;
    }
    lab.settled().await;
    let deleted = lab.world.truths.lock().unwrap().remove(&key(0)).unwrap();
    drop(deleted);
    let reason = models::Reason { code: "expired_id".to_owned(), category: "other".to_owned(), text: None };
    lab.world.truths.lock().unwrap().get_mut(&key(1)).unwrap().kyc.reasons.push(reason);
    // The first age is one hour, spread by a tenth; the deletion is confirmed half a minute later.
    tokio::time::sleep(Duration::from_mins(68)).await;
    let kinds = |id: usize| -> Vec<models::EventKind> {
        let events = lab.broker.events_from(0);
        events.iter().filter(|event| event.key == key(id)).map(|event| event.kind).collect()
    };
    assert_eq!(kinds(0), [models::EventKind::Rejected, models::EventKind::Deleted]);
    assert_eq!(kinds(1), [models::EventKind::Rejected, models::EventKind::Updated]);
    assert_eq!(kinds(2), [models::EventKind::Rejected]);
    assert!(!lab.broker.states().contains_key(&key(0)) && lab.broker.entry(&key(0)).unwrap().grave.is_some());
    // A late webhook changes nothing; one that is live again goes on in its sequence.
    lab.hint(&key(0), Some(KycStatus::Approved)).await;
    tokio::time::sleep(Duration::from_mins(10)).await;
    assert_eq!(kinds(0).len(), 2);
    lab.world.set(&key(0), KycStatus::Approved);
    lab.hint(&key(0), Some(KycStatus::Approved)).await;
    lab.settled().await;
    assert_eq!(kinds(0).len(), 3);
    lab.check_sequences();
    stop.cancel();
    task.await.unwrap().unwrap();
}

/// kill -9 in the middle of a walk: it goes on at its page, on another member.
#[tokio::test(start_paused = true)]
async fn a_walk_goes_on_at_its_page_after_a_kill() {
    let lab = Lab::new(Duration::from_millis(500));
    for id in 0..1_000 {
        lab.world.set(&key(id), KycStatus::Approved);
        lab.world.truths.lock().unwrap().get_mut(&key(id)).unwrap().created_at = Some(at(-1_000_000));
    }
    let (_, task) = lab.start();
    let memo = || lab.broker.memos(0).remove(&MemoKey::Sweep(ProjectId::new("acme").unwrap(), Sweep::Full));
    let pages = || match memo() {
        Some(models::Memo::Sweep(memo)) => memo.walk.map_or(0, |walk| walk.totals.pages),
        _ => 0,
    };
    while pages() < 7 {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    task.abort();
    let Some(models::Memo::Sweep(before)) = memo() else { panic!("a walk is under way") };
    let (stop, task) = lab.start();
    tokio::time::sleep(Duration::from_mins(10)).await;
    let Some(models::Memo::Sweep(after)) = memo() else { panic!("its memo stays") };
    let (walk, last) = (before.walk.unwrap(), after.last.unwrap());
    assert_eq!((last.started_at, last.complete), (walk.started_at, true), "the same walk came to its end");
    assert_eq!((last.totals.pages, last.totals.rows), (1_000 / PAGE as u64, 1_000), "no page of it counts twice");
    tokio::time::sleep(Duration::from_mins(30)).await;
    assert_eq!(lab.broker.states().len(), 1_000);
    stop.cancel();
    task.await.unwrap().unwrap();
}

/// Day one: what was there before is a snapshot without an event, and its walk leaves half of the budget free.
#[tokio::test(start_paused = true)]
async fn day_one_is_walked_at_its_own_share_and_told_as_snapshots() {
    let lab = Lab::new(Duration::from_millis(20));
    for id in 0..1_000 {
        lab.world.set(&key(id), KycStatus::Approved);
        let mut truths = lab.world.truths.lock().unwrap();
        let truth = truths.get_mut(&key(id)).unwrap();
        (truth.created_at, truth.updated_at) = (Some(at(-1_000_000)), Some(at(-900_000)));
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    let (stop, task) = lab.start_with(|rules| {
        rules.policy.baseline = crate::policy::Baseline::Snapshots { live_since: None };
        rules.budget.per_second = 20.0;
        rules.sweeps.requests_per_second = 20.0;
    });
    // 1,000 looks at half of 20 a second: 100 s, and never much faster.
    tokio::time::sleep(Duration::from_mins(1)).await;
    let early = lab.broker.states().len();
    assert!((450..=750).contains(&early), "{early} states after 60 s");
    tokio::time::sleep(Duration::from_mins(1)).await;
    assert_eq!(lab.broker.states().len(), 1_000);
    assert!(lab.broker.events_from(0).is_empty(), "nothing has happened since the service runs");
    assert!(told(&lab, |notice| matches!(notice, Notification::SweepProgress { .. })) >= 1);
    assert_eq!(told(&lab, |notice| matches!(notice, Notification::GapRepaired { .. })), 0);
    lab.world.set(&key(1), KycStatus::Rejected);
    lab.hint(&key(1), Some(KycStatus::Rejected)).await;
    lab.settled().await;
    let events = lab.broker.events_from(0);
    assert_eq!(events.len(), 1);
    assert_eq!((events[0].sequence, events[0].data.previous.as_ref().unwrap().sequence), (1, 0));
    stop.cancel();
    task.await.unwrap().unwrap();
}

/// The quota of a day: what exceeds it waits for midnight, over a restart too, and is told once.
#[tokio::test(start_paused = true)]
async fn the_daily_quota_holds_over_a_restart_and_ends_at_midnight() {
    let lab = Lab::new(Duration::from_millis(5));
    let quota = |rules: &mut ProjectRules| rules.budget.per_day = 400;
    let (_, task) = lab.start_with(quota);
    for id in 0..600 {
        lab.world.set(&key(id), KycStatus::Approved);
        lab.hint(&key(id), Some(KycStatus::Approved)).await;
    }
    let looks = || {
        lab.world.looks.lock().unwrap().values().sum::<usize>()
            + lab.world.pages.load(std::sync::atomic::Ordering::Relaxed)
    };
    tokio::time::sleep(Duration::from_secs(1)).await;
    task.abort();
    let (stop, task) = lab.start_with(quota);
    tokio::time::sleep(Duration::from_mins(5)).await;
    let day_one = looks();
    assert!(day_one <= 2 * 400, "{day_one} requests of two projects with 400 each");
    assert_eq!(lab.broker.unsettled(), 0, "what exceeds the quota waits in the ledger");
    assert!(lab.broker.states().len() < 600);
    assert!(told(&lab, |notice| matches!(notice, Notification::QuotaSpent { .. })) >= 1);
    // Re-looks take their part of the second day, so that some wait for the third.
    tokio::time::sleep(Duration::from_hours(18)).await;
    assert!(lab.broker.states().len() > 500, "a new day");
    tokio::time::sleep(Duration::from_hours(24)).await;
    assert_eq!(lab.broker.states().len(), 600);
    stop.cancel();
    task.await.unwrap().unwrap();
}

/// Somebody could not be heard: the full sweep comes before its time, once in six hours.
#[tokio::test(start_paused = true)]
async fn an_early_full_sweep_is_granted_once_in_six_hours() {
    let lab = Lab::new(Duration::from_millis(5));
    let (stop, task) = lab.start();
    tokio::time::sleep(Duration::from_mins(30)).await;
    let full = |lab: &Lab| {
        told(
            lab,
            |notice| matches!(notice, Notification::SweepStarted { sweep: Sweep::Full, project, .. } if project.as_str() == "acme"),
        )
    };
    assert_eq!(full(&lab), 1, "day one");
    for _ in 0..10 {
        let request =
            models::Request::FullSweep { project: ProjectId::new("acme").unwrap(), at: lab.world.clock.now() };
        lab.broker.request(&request).await.unwrap();
        tokio::time::sleep(Duration::from_mins(10)).await;
    }
    assert_eq!(full(&lab), 2);
    assert_eq!(lab.broker.unsettled(), 0, "a request that is refused is settled too");
    stop.cancel();
    task.await.unwrap().unwrap();
}
