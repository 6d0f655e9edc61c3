//! What a page brings: hints, progress or none, failures.

use super::*;

#[test]
fn rows_outside_the_period_are_passed_over_and_a_row_without_age_is_taken() {
    let rules =
        SweepRules { full: Cadence { every: Duration::MAX, created_within: Some(Duration::from_hours(1)) }, ..rules() };
    let mut sweeper = sweeper(rules);
    let run = begin(&mut sweeper, 0);
    let shown = rows(&[
        ("old", Some(-HOUR - 1)),
        ("first", Some(-HOUR)),
        ("equal", Some(-HOUR)),
        ("last", Some(-MINUTE)),
        ("last", Some(-MINUTE)),
        ("young", Some(-MINUTE + 1)),
        ("ageless", None),
    ]);
    let answer = Ok(Page { rows: shown, next: None, unreadable: 3 });
    let hints = sweeper.on_page(&run, &answer, at(9), |_, key, _| key.ends_with("/equal")).unwrap();
    let ids: Vec<_> = hints.iter().map(|(key, _)| key.as_str()).collect();
    assert_eq!(ids, ["acme/first", "acme/last", "acme/ageless"]);
    let step = sweeper.durable(&run, Backlog::default(), at(9)).unwrap();
    let totals = Totals { pages: 1, rows: 7, equal: 1, hinted: 3, unreadable: 3 };
    assert_eq!(memo_of(&step).last.unwrap().totals, totals);
}

#[test]
fn a_hint_carries_the_row_claims_nothing_and_has_the_same_id_when_the_page_is_read_again() {
    let mut sweeper = settled(rules(), &[(Sweep::Full, walked(0, true)), (Sweep::Month, walked(0, true))]);
    turn(&mut sweeper, &page(&["x"], Some("1")), 0);
    let mut read = |millis, answer: &Result<Page, LookError>| {
        let run = begin(&mut sweeper, millis);
        let hints = sweeper.on_page(&run, answer, at(millis), |_, _, _| false).unwrap();
        sweeper.not_durable(&run, at(millis));
        hints.into_iter().map(|(_, hint)| hint).collect::<Vec<_>>()
    };
    let first = read(SECOND, &page(&["a", "b"], None));
    assert_eq!((first[0].source, first[0].received_at), (Source::Sweep, at(SECOND)));
    assert_eq!(first[0].claim, models::Claim { trigger: "sweep".to_owned(), ..models::Claim::default() });
    assert_eq!(first[0].row, Some(row(Some(-DAY))));
    assert!(first[0].id.len() == 32 && first[0].id.bytes().all(|byte| byte.is_ascii_hexdigit()));
    assert_ne!(first[0].id, first[1].id);
    let again = read(MINUTE, &page(&["a", "b"], None));
    assert_eq!([&again[0].id, &again[1].id], [&first[0].id, &first[1].id]);
    let changed = read(HOUR, &Ok(Page { rows: rows(&[("a", Some(-HOUR))]), next: None, unreadable: 0 }));
    assert_ne!(changed[0].id, first[0].id, "another row");
}

#[test]
fn failures_back_off_and_the_cursor_stays() {
    let mut sweeper = sweeper(only_full());
    turn(&mut sweeper, &page(&["a"], Some("1")), 0);
    let mut now = 0;
    let mut fail = |error: LookError| {
        let run = begin(&mut sweeper, now);
        assert_eq!(run.query.cursor, cursor("1"));
        assert_eq!(sweeper.on_page(&run, &Err(error), at(now), |_, _, _| false), None);
        let due = sweeper.next_due(at(now)).unwrap();
        let pause = due.since(at(now)).as_secs();
        now = due.as_millis() - START;
        pause
    };
    let retry = || LookError::Retry("timeout".to_owned());
    assert_eq!([fail(retry()), fail(retry()), fail(LookError::Denied("403".to_owned()))], [1, 2, 4]);
    assert_eq!(fail(LookError::Throttled { retry_after: Some(Duration::from_mins(15)) }), 900);
    assert_eq!(fail(LookError::Throttled { retry_after: None }), 16);
    assert_eq!((0..20).map(|_| fail(retry())).max(), Some(300));
    turn(&mut sweeper, &page(&["b"], Some("2")), now);
    assert_eq!(sweeper.next_due(at(now)), Some(at(now)), "a page heals");
}

#[test]
fn a_page_that_cannot_be_read_holds_up_its_own_walk_only_and_ends_it_after_ten() {
    let mut sweeper = settled(rules(), &[(Sweep::Full, walked(-8 * DAY, true)), (Sweep::Month, walked(0, true))]);
    turn(&mut sweeper, &page(&["a"], None), 0); // recent
    turn(&mut sweeper, &page(&["a"], Some("bad")), 0); // full
    let mut now = 0;
    for attempt in 1..=10 {
        now = sweeper.next_due(at(now)).unwrap().as_millis() - START;
        let mut run = begin(&mut sweeper, now);
        if run.sweep == Sweep::Recent {
            stage_and_commit(&mut sweeper, &run, now);
            now = sweeper.next_due(at(now)).unwrap().as_millis() - START;
            run = begin(&mut sweeper, now);
        }
        assert_eq!((run.sweep, run.query.cursor.clone()), (Sweep::Full, cursor("bad")));
        let answer = Err(LookError::Unreadable("nonsense".to_owned()));
        let hints = sweeper.on_page(&run, &answer, at(now), |_, _, _| false);
        assert_eq!(hints, (attempt == 10).then(Vec::new), "attempt {attempt}");
        if attempt == 10 {
            let step = sweeper.durable(&run, Backlog::default(), at(now)).unwrap();
            assert!(matches!(step.notifications[..], [Notification::SweepEnded { complete: false, .. }]));
            assert_eq!(memo_of(&step).walk, None);
        }
    }
}

/// Rows and next cursor of each page.
type Pages = &'static [(&'static [&'static str], &'static str)];

#[test]
fn pages_without_progress_in_a_row_end_the_walk_and_one_with_progress_starts_the_count_anew() {
    let rules = SweepRules { stalled_after: 3, ..rules() };
    // And the page at which the walk is given up.
    let cases: [(&str, Pages, usize); 5] = [
        ("empty pages", &[(&["a"], "1"), (&[], "2"), (&[], "3"), (&[], "4")], 4),
        ("nothing but rows met before", &[(&["a", "b"], "1"), (&["b"], "2"), (&["a"], "3"), (&["a"], "4")], 4),
        ("the cursor repeats", &[(&["a"], "1"), (&["b"], "1"), (&["c"], "1"), (&["d"], "1")], 4),
        ("two cursors in turn", &[(&["a"], "1"), (&["b"], "2"), (&["c"], "1"), (&["d"], "2"), (&["e"], "1")], 5),
        (
            "progress between",
            &[(&["a"], "1"), (&[], "2"), (&["a"], "3"), (&["b"], "4"), (&[], "5"), (&[], "6"), (&[], "7")],
            7,
        ),
    ];
    for (name, pages, given_up) in cases {
        let mut sweeper = sweeper(rules.clone());
        for (index, (ids, next)) in pages.iter().enumerate() {
            let (_, told) = turn(&mut sweeper, &page(ids, Some(next)), SECOND);
            let ended = told.iter().any(|told| matches!(told, Notification::SweepEnded { complete: false, .. }));
            assert_eq!(ended, index + 1 == given_up, "{name}: page {}", index + 1);
        }
    }
}

#[test]
fn rows_outside_the_period_are_progress() {
    let mut sweeper = sweeper(SweepRules { stalled_after: 2, ..rules() });
    for number in 0..10 {
        let id = number.to_string();
        let answer = Ok(Page { rows: rows(&[(&id, Some(DAY))]), next: cursor(&id), unreadable: 0 });
        assert!(
            turn(&mut sweeper, &answer, SECOND).1.iter().all(|told| !matches!(told, Notification::SweepEnded { .. }))
        );
    }
}

#[test]
fn only_the_first_full_walk_is_paced_by_the_looks_that_it_caused() {
    let paced = SweepRules { requests_per_second: 4.0, first_walk_share: 0.5, ..SweepRules::default() };
    let mut first = sweeper(paced.clone());
    turn(&mut first, &page(&["a", "b", "c"], Some("1")), 0);
    assert_eq!(first.next_due(at(0)), Some(at(1_500)), "three looks at two a second");
    assert_eq!(first.begin(&acme(), at(1_499)), None);
    turn(&mut first, &page(&["a"], None), 1_500);
    assert_eq!(begin(&mut first, 1_500).sweep, Sweep::Recent, "not paced");

    let mut later = settled(paced, &[(Sweep::Full, walked(-8 * DAY, true))]);
    for number in 0..6 {
        let id = number.to_string();
        turn(&mut later, &page(&[&id], Some(&id)), number);
    }
    assert_eq!(SweepRules { requests_per_second: 0.0, ..rules() }.pace(1), Duration::from_hours(1));
}

#[test]
fn progress_is_told_once_an_interval_with_what_waits() {
    let mut sweeper = sweeper(only_full());
    let told: Vec<usize> = [0, 10, 59, 60, 90, 120]
        .into_iter()
        .map(|second| {
            let id = second.to_string();
            turn(&mut sweeper, &page(&[&id], Some(&id)), second * SECOND).1.len()
        })
        .collect();
    assert_eq!(told, [1, 0, 0, 1, 0, 1], "first its start");
    let run = begin(&mut sweeper, HOUR);
    sweeper.on_page(&run, &page(&["z"], Some("z")), at(HOUR), |_, _, _| true).unwrap();
    let backlog = Backlog { waiting: 7, takes: Duration::from_secs(90) };
    let step = sweeper.durable(&run, backlog, at(HOUR)).unwrap();
    let totals = Totals { pages: 7, rows: 7, hinted: 6, equal: 1, unreadable: 0 };
    let (sweep, waiting, backlog_seconds) = (Sweep::Full, 7, 90);
    let progress =
        Notification::SweepProgress { project: acme(), sweep, totals, waiting, backlog_seconds, at: at(HOUR) };
    assert_eq!(step.notifications, [progress]);
}
