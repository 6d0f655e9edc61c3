//! What a commit changes: requests, restored walks, and what is void.

use super::*;

#[test]
fn an_early_full_sweep_is_granted_once_in_six_hours_and_what_comes_sooner_waits() {
    let memos = [Sweep::Recent, Sweep::Month, Sweep::Full].map(|sweep| (sweep, walked(0, true)));
    let mut sweeper = settled(only_full(), &memos);
    let granted = sweeper.request(&full_sweep(SECOND), at(2 * SECOND)).unwrap();
    assert!(sweeper.wanting(at(2 * SECOND)).contains(&acme()), "asked for, also before the commit");
    sweeper.committed(&granted);
    let memo = memo_of(&granted);
    assert_eq!((memo.asked_at, memo.granted_at), (Some(at(SECOND)), Some(at(2 * SECOND))));
    let (run, _) = turn(&mut sweeper, &page(&["a"], None), 3 * SECOND);
    assert_eq!((run.sweep, sweeper.memo(&acme(), Sweep::Full).unwrap().asked_at), (Sweep::Full, None));

    // What was lost since then is in no walk yet: it waits for its time, and is not forgotten.
    for minute in [60, 90, 120] {
        let waits = sweeper.request(&full_sweep(minute * MINUTE), at(minute * MINUTE)).unwrap();
        sweeper.committed(&waits);
        assert_eq!(memo_of(&waits).asked_at, Some(at(HOUR)));
        assert_eq!(sweeper.next_due(at(minute * MINUTE)), Some(at(6 * HOUR + 2 * SECOND)));
    }
    let (run, _) = turn(&mut sweeper, &page(&["a"], None), 6 * HOUR + 2 * SECOND);
    assert_eq!((run.sweep, sweeper.memo(&acme(), Sweep::Full).unwrap().asked_at), (Sweep::Full, None));
    assert!(sweeper.wanting(at(7 * HOUR)).is_empty());

    let gone = ProjectId::new("gone").unwrap();
    assert_eq!(sweeper.request(&Request::FullSweep { project: gone, at: at(0) }, at(8 * HOUR)), None);
}

#[test]
fn a_full_sweep_asked_for_during_a_walk_begins_after_it() {
    let mut sweeper = sweeper(rules());
    let run = begin(&mut sweeper, 0);
    let asked = sweeper.request(&full_sweep(1), at(1)).unwrap();
    let paged = stage(&mut sweeper, &run, &page(&["a"], None), 2);
    assert!(memo_of(&paged).last.is_some() && memo_of(&paged).asked_at.is_some(), "built on the step before");
    sweeper.committed(&asked);
    sweeper.committed(&paged);
    let due: Vec<_> = (4..7).map(|millis| turn(&mut sweeper, &page(&["a"], None), millis).0.sweep).collect();
    assert!(due.contains(&Sweep::Full), "{due:?}");
    assert_eq!(sweeper.memo(&acme(), Sweep::Full).unwrap().asked_at, None);
}

#[test]
fn a_backfill_walks_its_period_once_and_one_that_waits_is_widened() {
    let memos = [Sweep::Recent, Sweep::Month, Sweep::Full].map(|sweep| (sweep, walked(0, true)));
    let mut sweeper = settled(rules(), &memos);
    for (from, to) in [(-3 * DAY, -2 * DAY), (-9 * DAY, -8 * DAY), (5, -5), (HOUR, 2 * HOUR)] {
        let step = sweeper.request(&backfill(0, from, to), at(1)).unwrap();
        sweeper.committed(&step);
    }
    let run = begin(&mut sweeper, 2);
    assert_eq!((run.sweep, run.query.from, run.query.to), (Sweep::Backfill, Some(at(-9 * DAY)), Some(at(-2 * DAY))));
    let answer = Ok(Page { rows: rows(&[("a", Some(-5 * DAY))]), next: None, unreadable: 0 });
    let hints = sweeper.on_page(&run, &answer, at(2), |_, _, _| false).unwrap();
    assert_eq!((hints[0].1.source, hints[0].1.claim.trigger.as_str()), (Source::Backfill, "backfill"));
    let while_walking = sweeper.request(&backfill(3, -DAY, HOUR), at(3)).unwrap();
    let step = sweeper.durable(&run, Backlog::default(), at(4)).unwrap();
    sweeper.committed(&while_walking);
    sweeper.committed(&step);
    let run = begin(&mut sweeper, 5);
    assert_eq!((run.query.from, run.query.to), (Some(at(-9 * DAY)), Some(at(5 - MINUTE))), "and nothing too young");
    stage_and_commit(&mut sweeper, &run, 6);
    assert_eq!(sweeper.memo(&acme(), Sweep::Backfill).unwrap().range, None);
    assert!(sweeper.wanting(at(7)).is_empty());
}

#[test]
fn a_restored_walk_goes_on_at_its_page() {
    let walk = Walk {
        started_at: at(-HOUR),
        from: None,
        to: at(-HOUR),
        cursor: cursor("7"),
        stalled: 1,
        totals: Totals { pages: 7, ..Totals::default() },
    };
    let memo = SweepMemo { walk: Some(walk), ..SweepMemo::default() };
    let mut sweeper = settled(SweepRules { stalled_after: 2, ..only_full() }, &[(Sweep::Full, memo)]);
    let run = begin(&mut sweeper, 0);
    assert_eq!((run.query.cursor.clone(), run.query.to), (cursor("7"), Some(at(-HOUR))));
    let step = stage(&mut sweeper, &run, &page(&["z"], Some("7")), 0);
    let last = memo_of(&step).last.unwrap();
    assert_eq!((last.started_at, last.complete, last.totals.pages), (at(-HOUR), false, 8), "the count goes on as well");
}

#[test]
fn what_belongs_to_an_assignment_that_is_over_is_void() {
    let mut sweeper = sweeper(rules());
    let run = begin(&mut sweeper, 0);
    sweeper.stop();
    assert!(sweeper.wanting(at(1)).is_empty() && sweeper.next_due(at(1)).is_none());
    assert_eq!(sweeper.begin(&acme(), at(1)), None);
    assert_eq!(sweeper.request(&full_sweep(0), at(1)), None);
    sweeper.start();
    assert_eq!(sweeper.on_page(&run, &page(&["a"], None), at(2), |_, _, _| false), None);

    let run = begin(&mut sweeper, 3);
    let staged = stage(&mut sweeper, &run, &page(&["a"], None), 3);
    sweeper.stop();
    assert!(!sweeper.is_current(&staged));
    let mut other = settled(rules(), &[(Sweep::Full, walked(9, true))]);
    other.committed(&staged);
    assert_eq!(other.memo(&acme(), Sweep::Full), Some(&walked(9, true)), "made by another");
    sweeper.committed(&staged);
    assert_eq!(sweeper.memo(&acme(), Sweep::Full), Some(&memo_of(&staged)), "committed before it was taken away");

    sweeper.start();
    let run = begin(&mut sweeper, 4);
    let staged = stage(&mut sweeper, &run, &page(&["a"], Some("1")), 4);
    sweeper.stop();
    sweeper.restore(&staged.memo.0, Some(Memo::Sweep(Box::new(walked(9, true)))));
    sweeper.committed(&staged);
    assert_eq!(sweeper.memo(&acme(), run.sweep), Some(&walked(9, true)), "the ledger's word is newer");
    sweeper.forget();
    assert_eq!(sweeper.memo(&acme(), run.sweep), Some(&SweepMemo::default()));
}

#[test]
fn an_aborted_step_takes_what_was_built_on_it_along_and_its_page_is_read_again() {
    let mut sweeper = sweeper(rules());
    let run = begin(&mut sweeper, 0);
    let paged = stage(&mut sweeper, &run, &page(&["a"], Some("1")), 0);
    let asked = sweeper.request(&full_sweep(1), at(1)).unwrap();
    let behind = begin(&mut sweeper, 1);
    sweeper.aborted(&paged);
    assert!(!sweeper.is_current(&paged) && !sweeper.is_current(&asked));
    assert_eq!(sweeper.on_page(&behind, &page(&["b"], Some("2")), at(1), |_, _, _| false), None, "void as well");
    sweeper.committed(&asked);
    assert_eq!(sweeper.memo(&acme(), Sweep::Full), Some(&SweepMemo::default()));
    assert_eq!(begin(&mut sweeper, 2).query.cursor, None, "the same page");
}

#[test]
fn hints_that_are_not_durable_have_their_page_read_again_after_a_pause() {
    let mut sweeper = sweeper(rules());
    turn(&mut sweeper, &page(&["a"], Some("1")), 0);
    let run = begin(&mut sweeper, 1);
    sweeper.on_page(&run, &page(&["b"], Some("2")), at(1), |_, _, _| false).unwrap();
    sweeper.not_durable(&run, at(1));
    assert_eq!(sweeper.durable(&run, Backlog::default(), at(1)), None);
    assert_eq!(sweeper.next_due(at(1)), Some(at(1 + SECOND)));
    assert_eq!(begin(&mut sweeper, 1 + SECOND).query.cursor, cursor("1"));
}
