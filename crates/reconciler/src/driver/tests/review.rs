//! What the two halves do to one another when budget is short or a breaker is open.

use super::*;

fn decisions(lab: &Lab, outcome: &str) -> u64 {
    lab.metrics.lock().unwrap().iter().map(|metrics| metrics.decisions.with_label_values(&[outcome]).get()).sum()
}

fn made_now(lab: &Lab, ids: std::ops::Range<usize>) {
    for id in ids {
        lab.world.set(&key(id), KycStatus::Rejected);
        lab.world.truths.lock().unwrap().get_mut(&key(id)).unwrap().created_at = Some(lab.world.clock.now());
    }
}

/// More differences than the budget takes in several intervals: the walks that meet them again push nothing back.
#[tokio::test(start_paused = true)]
async fn walks_that_meet_a_backlog_again_neither_delay_it_nor_write_it_anew() {
    let lab = Lab::new(Duration::from_millis(20));
    let rules = |rules: &mut ProjectRules| rules.budget.per_second = 4.0;
    let (stop, task) = lab.start_with(rules);
    tokio::time::sleep(Duration::from_mins(10)).await;
    made_now(&lab, 0..3_000);
    let began = tokio::time::Instant::now();
    while lab.broker.states().len() < 3_000 && began.elapsed() < Duration::from_hours(5) {
        tokio::time::sleep(Duration::from_secs(5)).await;
    }
    let hints = lab.metrics.lock().unwrap()[0].hints.with_label_values(&["bulk", "sweep"]).get();
    let (parked, took) = (decisions(&lab, "parked"), began.elapsed());
    println!("3,000 differences at 4/s: {took:?}, {hints} bulk hints, {parked} parked");
    assert!(took <= Duration::from_secs(750 + 400 + 300 + 100), "{took:?}");
    assert!(hints <= 3_500, "{hints} hints");
    assert!(parked <= 6_000, "{parked} writes of parked entries");
    stop.cancel();
    task.await.unwrap().unwrap();
}

/// What waits for a breaker comes back as the budget allows, not all at each probe.
#[tokio::test(start_paused = true)]
async fn a_long_outage_does_not_write_what_is_parked_again_and_again() {
    let lab = Lab::new(Duration::from_millis(20));
    let (stop, task) = lab.start_with(|rules| rules.budget.per_second = 5.0);
    *lab.world.refuses.lock().unwrap() = Some("acme".to_owned());
    for id in 0..1_000 {
        lab.world.set(&key(id), KycStatus::Approved);
        lab.world.unlisted.lock().unwrap().insert(key(id));
        lab.hint(&key(id), Some(KycStatus::Approved)).await;
    }
    tokio::time::sleep(Duration::from_hours(1)).await;
    let parked = decisions(&lab, "parked");
    println!("1,000 keys, one hour: {parked} parked");
    *lab.world.refuses.lock().unwrap() = None;
    let began = tokio::time::Instant::now();
    while lab.broker.states().len() < 1_000 && began.elapsed() < Duration::from_hours(5) {
        tokio::time::sleep(Duration::from_secs(5)).await;
    }
    println!("all published {:?} after the end", began.elapsed());
    assert!(began.elapsed() <= Duration::from_secs(2 * 200 + 120), "{:?}", began.elapsed());
    assert!(parked <= 20_000, "{parked}");
    stop.cancel();
    task.await.unwrap().unwrap();
}

/// A row shows that an id exists: it is never forgotten without a look after that.
#[tokio::test(start_paused = true)]
async fn an_unknown_id_that_a_list_shows_is_looked_at_once_more() {
    let lab = Lab::new(Duration::from_millis(10));
    let (stop, task) = lab.start();
    lab.hint(&key(1), Some(KycStatus::Approved)).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(lab.broker.entry(&key(1)).unwrap().is_unknown());
    lab.world.set(&key(1), KycStatus::Approved);
    lab.world.unlisted.lock().unwrap().insert(key(1));
    *lab.world.refuses.lock().unwrap() = Some("acme".to_owned());
    tokio::time::sleep(Duration::from_secs(100)).await;
    let shown = row(&lab.world.truths.lock().unwrap()[&key(1)]);
    lab.hint_in(Lane::Bulk, &key(1), None, |hint| {
        hint.source = Source::Sweep;
        hint.row = Some(shown);
    })
    .await;
    tokio::time::sleep(Duration::from_mins(10)).await;
    assert_eq!(lab.broker.unsettled(), 0);
    *lab.world.refuses.lock().unwrap() = None;
    tokio::time::sleep(Duration::from_mins(10)).await;
    assert_eq!(lab.broker.states().len(), 1);
    stop.cancel();
    task.await.unwrap().unwrap();
}
