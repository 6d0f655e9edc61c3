//! What waits for whom: live before bulk, and one project beside another's trouble.

use super::*;

/// The lags of `count` live hints, one every `every`: from the hint to its submission's state.
async fn live_lags(lab: &Lab, first: usize, count: usize, every: Duration) -> Vec<Duration> {
    let mut lags = Vec::new();
    let mut waiting: HashMap<Key, Time> = HashMap::new();
    let mut sent = 0;
    let mut next = tokio::time::Instant::now();
    while sent < count || !waiting.is_empty() {
        if sent < count && tokio::time::Instant::now() >= next {
            let key = key(first + sent);
            lab.world.set(&key, KycStatus::Approved);
            lab.world.unlisted.lock().unwrap().insert(key.clone());
            lab.hint(&key, Some(KycStatus::Approved)).await;
            waiting.insert(key, lab.world.clock.now());
            (sent, next) = (sent + 1, next + every);
        }
        let states = lab.broker.states();
        let now = lab.world.clock.now();
        waiting.retain(|key, since| {
            let done = states.contains_key(key);
            lags.extend(done.then(|| now.since(*since)));
            !done
        });
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    lags.sort();
    lags
}

fn p99(lags: &[Duration]) -> Duration {
    lags[lags.len() * 99 / 100]
}

/// ARGOS takes 100 ms, the budget is 50 requests a second, and 20,000 bulk differences wait.
#[tokio::test(start_paused = true)]
async fn live_hints_do_not_feel_twenty_thousand_bulk_ones_and_bulk_goes_on() {
    let rules = |rules: &mut ProjectRules| rules.budget.per_second = 50.0;
    let idle = Lab::new(Duration::from_millis(100));
    let (stop, task) = idle.start_with(rules);
    let idle_lags = live_lags(&idle, 0, 200, Duration::from_millis(100)).await;
    stop.cancel();
    task.await.unwrap().unwrap();

    let lab = Lab::new(Duration::from_millis(100));
    let bulk = |hint: &mut Hint| hint.source = Source::Sweep;
    for id in 0..20_000 {
        lab.world.set(&key(100_000 + id), KycStatus::Rejected);
        lab.world.unlisted.lock().unwrap().insert(key(100_000 + id));
        lab.hint_in(Lane::Bulk, &key(100_000 + id), None, bulk).await;
    }
    let (stop, task) = lab.start_with(rules);
    tokio::time::sleep(Duration::from_secs(40)).await;
    let before = lab.broker.states().len();
    assert!(before > 500, "bulk has all the budget while nothing else waits: {before}");
    let busy_lags = live_lags(&lab, 0, 200, Duration::from_millis(100)).await;
    let (idle, busy) = (p99(&idle_lags), p99(&busy_lags));
    println!("live lag p99: {idle:?} idle, {busy:?} beside 20,000 bulk differences");
    assert!(busy <= idle + Duration::from_millis(250), "{busy:?} beside bulk, {idle:?} idle");
    // 20 s of 10 live hints a second leave bulk 40 requests a second.
    let went_on = lab.broker.states().len() - before - 200;
    assert!(went_on > 500, "bulk goes on: {went_on}");
    stop.cancel();
    task.await.unwrap().unwrap();
}

/// Live work alone would take all of the budget: bulk still gets its ninth.
#[tokio::test(start_paused = true)]
async fn bulk_keeps_its_share_beside_more_live_work_than_the_budget_allows() {
    let lab = Lab::new(Duration::from_millis(10));
    for id in 0..2_000 {
        for (lane, key) in [(Lane::Live, key(id)), (Lane::Bulk, key(100_000 + id))] {
            lab.world.set(&key, KycStatus::Rejected);
            lab.world.unlisted.lock().unwrap().insert(key.clone());
            lab.hint_in(lane, &key, None, |_| {}).await;
        }
    }
    let (stop, task) = lab.start_with(|rules| rules.budget.per_second = 50.0);
    tokio::time::sleep(Duration::from_secs(25)).await;
    let states = lab.broker.states();
    let bulk = states.keys().filter(|key| key.submission().len() > 5).count();
    let live = states.len() - bulk;
    assert!(bulk >= live / 9 && bulk <= live / 7 + 1, "{bulk} bulk looks beside {live} live ones");
    stop.cancel();
    task.await.unwrap().unwrap();
}

/// One project's breaker is open for an hour. The other's hints take what they always take, and a restart reads none
/// of them again.
#[tokio::test(start_paused = true)]
async fn one_projects_breaker_delays_nobody_else_and_holds_no_offset() {
    let lab = Lab::new(Duration::from_millis(20));
    let (stop, task) = lab.start();
    let idle = live_lags(&lab, 0, 100, Duration::from_millis(50)).await;
    *lab.world.refuses.lock().unwrap() = Some("beta".to_owned());
    for id in 0..200 {
        let key = Key::parse(&format!("beta/s{id}")).unwrap();
        lab.hint(&key, Some(KycStatus::Approved)).await;
    }
    let busy = live_lags(&lab, 1_000, 1_000, Duration::from_millis(50)).await;
    assert!(p99(&busy) <= p99(&idle) + Duration::from_millis(20), "{:?} beside {:?}", p99(&busy), p99(&idle));
    tokio::time::sleep(Duration::from_hours(1)).await;
    assert_eq!(lab.broker.unsettled(), 0, "what waits for the breaker waits in the ledger, not in the topic");
    let asked = lab.world.looks.lock().unwrap().iter().filter(|(key, _)| key.project() == "beta").count();
    assert!(asked <= 110, "{asked} keys were tried: a wrong key is never hammered");
    task.abort();
    let looks = || (0..1_100).map(|id| lab.world.looks(&key(id))).sum::<usize>();
    drop(stop);
    let before = looks();
    let (stop, task) = lab.start();
    tokio::time::sleep(Duration::from_secs(5)).await;
    let read = lab.metrics.lock().unwrap()[1].hints.with_label_values(&["live", "webhook"]).get();
    assert_eq!(read, 0, "a restart reads no settled hint again");
    assert!(looks() - before <= 2, "and looks at nothing that is not due");
    *lab.world.refuses.lock().unwrap() = None;
    for id in 0..200 {
        lab.world.set(&Key::parse(&format!("beta/s{id}")).unwrap(), KycStatus::Approved);
    }
    tokio::time::sleep(Duration::from_mins(10)).await;
    let beta = lab.broker.states().keys().filter(|key| key.project() == "beta").count();
    assert_eq!((beta, lab.broker.dead_letters().len()), (200, 0));
    stop.cancel();
    task.await.unwrap().unwrap();
}

/// Ids that nobody knows take a tenth of the budget at most once their first look is made.
#[tokio::test(start_paused = true)]
async fn unknown_ids_take_a_tenth_of_the_budget_and_leave_nothing() {
    let lab = Lab::new(Duration::from_millis(5));
    let (stop, task) = lab.start_with(|rules| rules.budget.per_second = 50.0);
    for id in 0..1_000 {
        lab.hint(&key(id), Some(KycStatus::Approved)).await;
    }
    // Every id is asked for once, at the full rate.
    tokio::time::sleep(Duration::from_secs(21)).await;
    let total = || lab.world.looks.lock().unwrap().values().sum::<usize>();
    let before = total();
    assert!(before >= 950, "{before}");
    tokio::time::sleep(Duration::from_mins(1)).await;
    let later = total() - before;
    assert!(later <= 60 * 5 + 60, "{later} looks in a minute at 5 a second");
    tokio::time::sleep(Duration::from_hours(1)).await;
    assert_eq!(lab.broker.unsettled(), 0);
    assert!((0..1_000).all(|id| lab.broker.entry(&key(id)).is_none()), "no entry outlives its ladder");
    stop.cancel();
    task.await.unwrap().unwrap();
}
