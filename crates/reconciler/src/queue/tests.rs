//! Who goes when: shares, breakers, quotas, pages, and no work for those who only wait.

use super::*;
use std::cell::Cell;

const DAY: i64 = 86_400_000;

fn at(millis: i64) -> Time {
    Time::from_millis(millis)
}

fn ticket(key: &str, millis: i64) -> Ticket {
    Ticket { partition: 0, key: Key::parse(key).unwrap(), queued_at: at(millis) }
}

fn budget(per_second: f64) -> ProjectBudget {
    ProjectBudget { per_second, per_day: 1_000_000_000, deletions_per_hour: 10, cost: 1 }
}

fn denied() -> LookError {
    LookError::Denied("403".to_owned())
}

/// Records what is due.
fn commit(queue: &mut Queue, now: Time) {
    for (partition, project, standing) in queue.standings_to_write(now) {
        queue.standing_written(partition, &project, &standing, now);
    }
}

/// Two projects, one partition, held for so long that the buckets are full at time zero.
fn queue_of(budget: ProjectBudget) -> Queue {
    let start = at(-1_000_000);
    let projects = ["acme", "beta"].map(|name| (name.to_owned(), budget));
    let mut queue = Queue::new(projects, Duration::from_secs(30), start);
    queue.hold(0, 1, |_| None, start);
    commit(&mut queue, start);
    commit(&mut queue, at(0));
    queue
}

fn queue(rate: f64) -> Queue {
    queue_of(budget(rate))
}

fn fill(queue: &mut Queue, class: Class, prefix: &str, count: usize) {
    for index in 0..count {
        queue.push(class, ticket(&format!("acme/{prefix}{index}"), 0)).unwrap();
    }
}

fn next(queue: &mut Queue, now: i64) -> Next {
    queue.next(at(now), |_, _| true)
}

/// The first letters of what goes, `.` for a page, until nothing may go, each step of time.
fn goes(queue: &mut Queue, times: impl IntoIterator<Item = i64>, wants_pages: bool) -> String {
    let mut gone = String::new();
    for now in times {
        loop {
            queue.want_page("acme", wants_pages);
            match next(queue, now) {
                Next::Look { ticket, .. } => gone.push_str(&ticket.key.submission()[..1]),
                Next::Page { .. } => gone.push('.'),
                Next::Park(_, _) => {}
                Next::Wait(_) | Next::Idle | Next::QuotaSpent { .. } => break,
            }
        }
        commit(queue, at(now));
    }
    gone
}

fn count(gone: &str, letter: char) -> usize {
    gone.chars().filter(|other| *other == letter).count()
}

#[test]
fn live_goes_first_and_bulk_keeps_its_share() {
    let mut queue = queue(1_000.0);
    fill(&mut queue, Class::Live, "l", 100);
    fill(&mut queue, Class::Bulk, "b", 100);
    let gone: String = goes(&mut queue, [1], false).chars().take(90).collect();
    assert_eq!((count(&gone, 'l'), count(&gone, 'b')), (80, 10));
    assert!(gone.starts_with("llllllllb"));
}

#[test]
fn pages_alternate_with_bulk_looks_within_the_share_of_bulk() {
    let mut queue = queue(1_000.0);
    fill(&mut queue, Class::Live, "l", 800);
    fill(&mut queue, Class::Bulk, "b", 100);
    let gone: String = goes(&mut queue, [1], true).chars().take(180).collect();
    assert_eq!((count(&gone, 'l'), count(&gone, 'b'), count(&gone, '.')), (160, 10, 10));
}

#[test]
fn a_page_goes_when_nothing_else_waits_and_once_only() {
    let mut queue = queue(1_000.0);
    queue.want_page("beta", true);
    assert_eq!(queue.wake(at(1), |_, _| true), Some(at(1)));
    assert_eq!(next(&mut queue, 1), Next::Page { project: "beta".to_owned(), probe: false });
    assert_eq!(next(&mut queue, 1), Next::Idle);
    assert_eq!(queue.wake(at(1), |_, _| true), None);
    queue.want_page("beta", true);
    queue.want_page("beta", false);
    assert_eq!(next(&mut queue, 1), Next::Idle);
}

#[test]
fn unknown_ids_get_a_tenth_and_are_not_starved() {
    // Until patience ends.
    let half_a_minute = || (0..30_000).step_by(100);
    let mut alone = queue(10.0);
    fill(&mut alone, Class::Unknown, "u", 1_000);
    let gone = count(&goes(&mut alone, half_a_minute(), false), 'u');
    assert!((29..=31).contains(&gone), "{gone} in half a minute: a tenth of 300, and a burst of one");

    let mut busy = queue(50.0);
    fill(&mut busy, Class::Unknown, "u", 1_000);
    let (mut gone, mut live) = (String::new(), 0);
    for now in half_a_minute() {
        for _ in 0..10 {
            live += 1;
            busy.push(Class::Live, ticket(&format!("acme/l{live}"), now)).unwrap();
        }
        gone.push_str(&goes(&mut busy, [now], false));
    }
    let unknown = count(&gone, 'u');
    assert!((36..=45).contains(&unknown), "{unknown} of {}: behind the others, but not for ever", gone.len());
}

#[test]
fn a_dear_look_is_not_starved_by_cheap_pages() {
    let mut queue = queue_of(ProjectBudget { cost: 3, ..budget(3.0) });
    fill(&mut queue, Class::Bulk, "b", 100);
    let gone = goes(&mut queue, (0..20_000).step_by(100), true);
    assert!(count(&gone, 'b') >= 14, "{gone}");
    assert!(count(&gone, 'b').abs_diff(count(&gone, '.')) <= 1, "{gone}");
}

#[test]
fn an_open_breaker_parks_its_own_project_only_and_is_told_once() {
    let mut queue = queue(1_000.0);
    let opened = Turned::Opened { why: denied().to_string(), until: at(60_000) };
    let recorded = queue.record("acme", false, Some(&denied()), at(0));
    assert_eq!(recorded, Recorded { level: 2, turned: Some(opened) });
    assert_eq!(queue.record("acme", false, Some(&denied()), at(0)), Recorded { level: 2, turned: None });
    queue.push(Class::Live, ticket("acme/a", 0)).unwrap();
    queue.push(Class::Live, ticket("beta/b", 0)).unwrap();
    assert_eq!(next(&mut queue, 1), Next::Park(ticket("acme/a", 0), at(60_000)));
    assert_eq!(next(&mut queue, 1), Next::Look { ticket: ticket("beta/b", 0), probe: false });
    queue.want_page("acme", true);
    assert_eq!(next(&mut queue, 1), Next::Wait(at(60_000)), "a page waits where it is");
    assert_eq!(queue.wake(at(1), |_, _| true), Some(at(60_000)));
    assert_eq!(next(&mut queue, 60_000), Next::Page { project: "acme".to_owned(), probe: true });
    let late = queue.record("acme", false, None, at(60_001));
    assert_eq!(late, Recorded { level: 1, turned: None }, "not the probe's answer");
    assert_eq!(queue.record("acme", true, None, at(60_002)), Recorded { level: 0, turned: Some(Turned::Closed) });
}

#[test]
fn who_waits_too_long_for_budget_is_set_aside() {
    let mut queue = queue(0.01);
    queue.push(Class::Live, ticket("acme/a", 0)).unwrap();
    queue.push(Class::Live, ticket("acme/b", 0)).unwrap();
    assert!(matches!(next(&mut queue, 1), Next::Look { .. }));
    assert!(matches!(next(&mut queue, 2), Next::Wait(_)));
    assert_eq!(queue.wake(at(2), |_, _| true), Some(at(30_000)), "that moment is announced");
    assert!(matches!(next(&mut queue, 30_000), Next::Park(_, _)));
}

#[test]
fn an_unknown_project_is_given_back() {
    assert!(queue(1.0).push(Class::Live, ticket("gone/a", 0)).is_err());
}

#[test]
fn while_a_probe_is_under_way_the_others_wait_and_are_not_set_aside_again_and_again() {
    let mut queue = queue(1_000.0);
    queue.record("acme", false, Some(&denied()), at(0));
    for id in ["acme/a", "acme/b"] {
        queue.push(Class::Live, ticket(id, 60_000)).unwrap();
    }
    assert_eq!(next(&mut queue, 60_000), Next::Look { ticket: ticket("acme/a", 60_000), probe: true });
    let now = at(60_001);
    assert!(matches!(queue.next(now, |_, _| true), Next::Wait(_)));
    assert!(queue.wake(now, |_, _| true).unwrap() >= now + Duration::from_millis(100), "no busy loop");
    assert!(matches!(next(&mut queue, 90_000), Next::Park(_, _)), "nor does a hint wait for ever");
}

#[test]
fn keys_set_aside_for_want_of_budget_come_back_at_the_rate_of_the_budget() {
    let mut queue = queue(10.0);
    fill(&mut queue, Class::Bulk, "b", 1_000);
    let mut due = Vec::new();
    loop {
        match next(&mut queue, 30_000) {
            Next::Look { .. } => {}
            Next::Park(_, until) => due.push(until),
            _ => break,
        }
    }
    assert_eq!(due.len(), 990);
    for second in 31..120 {
        let in_it = due.iter().filter(|due| (second * 1_000..(second + 1) * 1_000).contains(&due.as_millis()));
        let count = in_it.count();
        assert!((9..=11).contains(&count), "{count} in second {second}: the budget would idle or be overrun");
    }
}

#[test]
fn a_spent_quota_is_told_once_and_parks_until_midnight_at_the_rate_of_the_budget() {
    let mut queue = queue_of(ProjectBudget { per_day: 10, ..budget(10.0) });
    let noon = DAY / 2;
    commit(&mut queue, at(noon));
    for index in 0..100 {
        queue.push(Class::Bulk, ticket(&format!("acme/b{index}"), noon)).unwrap();
    }
    for _ in 0..10 {
        assert!(matches!(next(&mut queue, noon), Next::Look { .. }));
    }
    assert_eq!(queue.budget_remaining("acme", at(noon)), 0);
    // The bucket is empty as well, but that is not what matters.
    assert_eq!(next(&mut queue, noon), Next::QuotaSpent { project: "acme".to_owned(), until: at(DAY) });
    assert_eq!(next(&mut queue, noon), Next::Wait(at(DAY)), "told once, and patience is not over");
    let patience_ends = noon + 30_000;
    assert_eq!(queue.wake(at(noon), |_, _| true), Some(at(patience_ends)));
    let mut due = Vec::new();
    while let Next::Park(_, until) = next(&mut queue, patience_ends) {
        due.push(until.as_millis());
    }
    assert_eq!(due, (0..90).map(|index| DAY + index * 100).collect::<Vec<_>>());
    assert_eq!(queue.wake(at(patience_ends), |_, _| true), None);
    assert_eq!(queue.next_standing_write(at(patience_ends)), Some(at(DAY)));
    commit(&mut queue, at(DAY));
    queue.push(Class::Live, ticket("acme/l", DAY)).unwrap();
    assert!(matches!(next(&mut queue, DAY), Next::Look { .. }));
}

#[test]
fn nothing_is_asked_without_a_partition_or_before_its_record_and_a_released_one_takes_its_keys_along() {
    let mut queue = Queue::new([("acme".to_owned(), budget(10.0))], Duration::from_secs(30), at(0));
    queue.push(Class::Live, ticket("acme/a", 0)).unwrap();
    assert_eq!(next(&mut queue, 5_000), Next::Idle);
    assert_eq!(queue.wake(at(5_000), |_, _| true), None);
    queue.hold(0, 4, |_| None, at(5_000));
    assert_eq!(queue.first_run("acme", 0), Some(at(5_000)));
    assert!((queue.rate("acme", at(5_000)) - 2.5).abs() < 1e-9, "a quarter of the partitions");
    let until = at(5_050);
    assert_eq!(next(&mut queue, 5_000), Next::Wait(until));
    assert_eq!(queue.next_standing_write(at(5_000)), Some(at(5_000)));
    commit(&mut queue, at(5_000));
    assert_eq!(next(&mut queue, 5_000), Next::Wait(at(5_401)), "and a share begins without a burst");
    assert!(matches!(next(&mut queue, 5_401), Next::Look { .. }));
    queue.push(Class::Live, ticket("acme/b", 0)).unwrap();
    queue.push(Class::Live, Ticket { partition: 1, ..ticket("acme/c", 0) }).unwrap();
    queue.hold(1, 4, |_| None, at(6_000));
    queue.release(0, at(6_000));
    assert_eq!(queue.waiting("acme"), [1, 0, 0]);
    queue.release_all(at(6_000));
    assert_eq!((queue.waiting("acme"), queue.budget_remaining("acme", at(6_000))), ([0, 0, 0], 0));
}

#[test]
fn a_429_slows_its_project_down_and_the_backlog_says_so() {
    let mut queue = queue(8.0);
    fill(&mut queue, Class::Bulk, "b", 80);
    assert_eq!(queue.backlog_seconds("acme"), 10);
    fill(&mut queue, Class::Live, "l", 1);
    assert_eq!(queue.backlog_seconds("acme"), 90, "one ninth is sure");
    queue.record("acme", false, Some(&LookError::Throttled { retry_after: Some(Duration::from_secs(3)) }), at(0));
    assert_eq!(next(&mut queue, 1), Next::Wait(at(3_000)));
    assert!(queue.rate("acme", at(1)) < 1e-9);
    assert!((queue.rate("acme", at(3_000)) - 4.0).abs() < 1e-6);
    assert!((queue.rate("beta", at(3_000)) - 8.0).abs() < 1e-6);
}

#[test]
fn those_who_wait_cost_nothing_and_do_not_slow_the_live_down() {
    let mut queue = queue(50.0);
    fill(&mut queue, Class::Bulk, "b", 20_000);
    let asked = Cell::new(0);
    let waits = |_: &Ticket, _: Class| {
        asked.set(asked.get() + 1);
        true
    };
    let (mut slowest, mut bulk) = (0, 0);
    for step in 0..1_000_i64 {
        let now = step * 25;
        // Twenty live hints a second.
        if step % 2 == 0 {
            queue.push(Class::Live, ticket(&format!("acme/l{step}"), now)).unwrap();
        }
        while let Next::Look { ticket, .. } = queue.next(at(now), waits) {
            if ticket.key.submission().starts_with('l') {
                slowest = slowest.max(now - ticket.queued_at.as_millis());
            } else {
                bulk += 1;
            }
        }
        queue.wake(at(now), waits);
        commit(&mut queue, at(now));
    }
    assert!(slowest <= 50, "{slowest} ms");
    assert!(bulk >= 25 * 29, "{bulk}: bulk gets all the rest");
    assert!(asked.get() < 20_000, "{}: only heads are asked for", asked.get());
}

#[test]
fn tickets_no_longer_wanted_are_dropped_once() {
    let mut queue = queue(10.0);
    fill(&mut queue, Class::Bulk, "b", 1_000);
    let asked = Cell::new(0);
    let waits = |ticket: &Ticket, _: Class| {
        asked.set(asked.get() + 1);
        ticket.key.submission() == "b999"
    };
    assert!(queue.wake(at(0), waits).is_some());
    assert_eq!(asked.get(), 1_000);
    assert_eq!(queue.waiting("acme"), [0, 1, 0]);
    queue.wake(at(0), waits);
    assert_eq!(asked.get(), 1_001);
}

#[test]
fn deletions_are_capped_by_project() {
    let mut queue = queue(10.0);
    for _ in 0..10 {
        assert_eq!(queue.take_deletion("acme", 0, at(5)), Ok(()));
    }
    assert_eq!(queue.take_deletion("acme", 0, at(6)), Err(at(3_600_000)));
    assert_eq!(queue.take_deletion("beta", 0, at(6)), Ok(()));
    assert!(queue.take_deletion("gone", 0, at(6)).is_err());
    let standings = queue.standings_to_write(at(6));
    assert!(standings.iter().any(|(_, project, standing)| project == "acme" && standing.deletions == 10));
}

/// A lookup by an operator takes from the same bucket and quota, waits as long, and is never the breaker's probe.
#[test]
fn a_lookup_is_charged_like_any_request() {
    let mut queue = queue(2.0);
    assert_eq!((queue.spend("acme", at(0)), queue.spend("acme", at(0))), (Ok(()), Ok(())));
    let until = queue.spend("acme", at(0)).unwrap_err();
    assert!(until > at(0) && until <= at(510), "{until}");
    assert_eq!(queue.spend("acme", at(510)), Ok(()));
    assert_eq!(queue.view("acme", at(510)).unwrap().spent, 3);
    fill(&mut queue, Class::Live, "l", 1);
    assert!(matches!(next(&mut queue, 511), Next::Wait(_)), "the look waits for what was charged");

    queue.record("beta", false, Some(&denied()), at(0));
    let view = queue.view("beta", at(0)).unwrap();
    assert_eq!((view.breaker, view.opened.unwrap().0), ("open", at(0)));
    assert!(queue.spend("beta", at(0)).unwrap_err() > at(0));
    // The pause is over: the next look is the probe, and a lookup still is not.
    assert!(queue.spend("beta", at(10 * 60_000)).is_err());
    assert!(queue.spend("other", at(0)).is_err());
    queue.release_all(at(0));
    assert!(queue.spend("acme", at(5_000)).is_err(), "without a partition there is no share");
}
