//! One rule a test: here when a page is due and whose, in `tests/pages.rs` what a page brings, in `tests/commits.rs` what
//! a commit changes. `tests/law.rs` walks a list that changes.

mod commits;
mod law;
mod pages;

use super::*;
use models::{PageCursor, Source, SubmissionId, Totals, Walk, Walked};

const SECOND: i64 = 1_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
/// When the tests begin.
const START: i64 = 400 * DAY;

fn at(millis: i64) -> Time {
    Time::from_millis(START + millis)
}

fn acme() -> ProjectId {
    ProjectId::new("acme").unwrap()
}

fn row(created: Option<i64>) -> Row {
    let created_at = created.map(at);
    Row { kyc_status: None, aml_vendor_status: None, risk: None, updated_at: created_at, created_at }
}

fn rows(rows: &[(&str, Option<i64>)]) -> Vec<(SubmissionId, Row)> {
    rows.iter().map(|(id, created)| (SubmissionId::new(id).unwrap(), row(*created))).collect()
}

#[expect(clippy::unnecessary_wraps, reason = "as a page and a query hold it")]
fn cursor(id: &str) -> Option<PageCursor> {
    Some(PageCursor { id: id.to_owned(), created_at: "t".to_owned() })
}

/// A page of old rows.
#[expect(clippy::unnecessary_wraps, reason = "as the source answers")]
fn page(ids: &[&str], next: Option<&str>) -> Result<Page, LookError> {
    let ids: Vec<_> = ids.iter().map(|id| (*id, Some(-DAY))).collect();
    Ok(Page { rows: rows(&ids), next: next.and_then(cursor), unreadable: 0 })
}

fn sweeper(rules: SweepRules) -> Sweeper {
    let mut sweeper = Sweeper::new([(acme(), rules)]);
    sweeper.start();
    sweeper
}

/// Rules without pacing.
fn rules() -> SweepRules {
    SweepRules { requests_per_second: f64::INFINITY, ..SweepRules::default() }
}

/// Rules by which nothing but the full sweep is due in the time of a test.
fn only_full() -> SweepRules {
    let never = Cadence { every: Duration::from_hours(24 * 365), created_within: None };
    SweepRules { recent: never, month: never, ..rules() }
}

fn walked(started: i64, complete: bool) -> SweepMemo {
    let started_at = at(started);
    let last = Some(Walked { started_at, ended_at: started_at, complete, totals: Totals::default() });
    SweepMemo { last, completed: complete.then_some(started_at), ..SweepMemo::default() }
}

/// A sweeper whose sweeps have walked at these times.
fn settled(rules: SweepRules, memos: &[(Sweep, SweepMemo)]) -> Sweeper {
    let mut sweeper = Sweeper::new([(acme(), rules)]);
    for (sweep, memo) in memos {
        sweeper.restore(&MemoKey::Sweep(acme(), *sweep), Some(Memo::Sweep(Box::new(memo.clone()))));
    }
    sweeper.start();
    sweeper
}

fn begin(sweeper: &mut Sweeper, millis: i64) -> PageRun {
    sweeper.begin(&acme(), at(millis)).expect("a page is wanted")
}

/// One page from asking to the staged step.
fn stage(sweeper: &mut Sweeper, run: &PageRun, answer: &Result<Page, LookError>, millis: i64) -> Step {
    sweeper.on_page(run, answer, at(millis), |_, _, _| false).expect("a page that was read");
    sweeper.durable(run, Backlog::default(), at(millis)).expect("a step")
}

/// One whole page; what was told.
fn turn(sweeper: &mut Sweeper, answer: &Result<Page, LookError>, millis: i64) -> (PageRun, Vec<Notification>) {
    let run = begin(sweeper, millis);
    let step = stage(sweeper, &run, answer, millis);
    sweeper.committed(&step);
    (run, step.notifications)
}

fn stage_and_commit(sweeper: &mut Sweeper, run: &PageRun, millis: i64) {
    let step = stage(sweeper, run, &page(&["a"], None), millis);
    sweeper.committed(&step);
}

fn memo_of(step: &Step) -> SweepMemo {
    let Memo::Sweep(memo) = &step.memo.1 else { panic!("a sweep's memo") };
    (**memo).clone()
}

fn full_sweep(millis: i64) -> Request {
    Request::FullSweep { project: acme(), at: at(millis) }
}

fn backfill(millis: i64, from: i64, to: i64) -> Request {
    Request::Backfill { project: acme(), at: at(millis), from: at(from), to: at(to) }
}

#[test]
fn the_first_full_walk_is_due_at_once_and_the_others_wait_for_its_end() {
    let mut sweeper = sweeper(rules());
    assert_eq!(sweeper.next_due(at(0)), Some(at(0)));
    let (run, told) = turn(&mut sweeper, &page(&["a"], Some("1")), 0);
    assert_eq!((run.sweep, run.query.from, run.query.to), (Sweep::Full, None, Some(at(-MINUTE))));
    assert!(matches!(told[..], [Notification::SweepStarted { sweep: Sweep::Full, .. }]), "{told:?}");
    let (run, told) = turn(&mut sweeper, &page(&["b"], None), SECOND);
    assert_eq!((run.sweep, run.query.cursor, run.query.to), (Sweep::Full, cursor("1"), Some(at(-MINUTE))));
    let totals = Totals { pages: 2, rows: 2, hinted: 2, ..Totals::default() };
    let ended = Notification::SweepEnded {
        project: acme(),
        sweep: Sweep::Full,
        started_at: at(0),
        complete: true,
        totals,
        at: at(SECOND),
    };
    assert_eq!(told, [ended]);
    let (recent, _) = turn(&mut sweeper, &page(&["b"], None), 2 * SECOND);
    assert_eq!((recent.sweep, recent.query.from), (Sweep::Recent, Some(at(2 * SECOND - 3 * DAY))));
    let (month, _) = turn(&mut sweeper, &page(&["b"], None), 3 * SECOND);
    assert_eq!((month.sweep, month.query.from), (Sweep::Month, Some(at(3 * SECOND - 31 * DAY))));
    assert!(sweeper.wanting(at(4 * SECOND)).is_empty());
    assert_eq!(sweeper.next_due(at(4 * SECOND)), Some(at(2 * SECOND + 5 * MINUTE)), "recent, from its start");
}

#[test]
fn a_sweep_is_due_from_the_start_of_its_last_walk_and_later_after_one_given_up() {
    let due = |memo: SweepMemo| {
        let others = [(Sweep::Month, walked(0, true)), (Sweep::Full, walked(0, true)), (Sweep::Recent, memo)];
        settled(rules(), &others).next_due(at(1)).unwrap()
    };
    assert_eq!(due(walked(0, true)), at(5 * MINUTE));
    assert_eq!(due(walked(0, false)), at(HOUR));
    assert_eq!(due(SweepMemo::default()), at(1), "never walked");
    let full = settled(rules(), &[(Sweep::Full, walked(0, false)), (Sweep::Month, walked(0, true))]);
    assert_eq!(full.next_due(at(1)), Some(at(1)), "recent no longer waits");
    assert_eq!(full.sweep_age(&acme(), Sweep::Full, at(HOUR)), None);
    assert_eq!(full.sweep_age(&acme(), Sweep::Month, at(HOUR)), Some(Duration::from_hours(1)));
}

#[test]
fn a_walk_given_up_leaves_the_age_of_the_sweep_as_it_was() {
    let mut sweeper = settled(SweepRules { stalled_after: 1, ..rules() }, &[(Sweep::Full, walked(0, true))]);
    sweeper.request(&full_sweep(0), at(7 * DAY)).map(|step| sweeper.committed(&step)).unwrap();
    for sweep in [Sweep::Recent, Sweep::Month] {
        assert_eq!(turn(&mut sweeper, &page(&["a"], None), 7 * DAY).0.sweep, sweep);
    }
    let (run, told) = turn(&mut sweeper, &page(&[], Some("1")), 7 * DAY);
    assert_eq!(run.sweep, Sweep::Full);
    assert!(matches!(told[..], [_, Notification::SweepEnded { complete: false, .. }]), "{told:?}");
    assert_eq!(sweeper.sweep_age(&acme(), Sweep::Full, at(7 * DAY)), Some(Duration::from_hours(7 * 24)));
    assert!(sweeper.memo(&acme(), Sweep::Full).unwrap().last.is_some_and(|last| !last.complete));
}

#[test]
fn walks_take_turns_page_by_page() {
    let memos = [(Sweep::Full, walked(-8 * DAY, true)), (Sweep::Month, walked(0, true))];
    let mut sweeper = settled(rules(), &memos);
    let mut order = Vec::new();
    for page_number in 0..6 {
        let next = page_number.to_string();
        let id = format!("id{page_number}");
        order.push(turn(&mut sweeper, &page(&[&id], Some(&next)), page_number * SECOND).0.sweep);
    }
    assert_eq!(order, [Sweep::Recent, Sweep::Full].repeat(3));
    let step = sweeper.request(&backfill(0, -DAY, -HOUR), at(7 * SECOND)).unwrap();
    sweeper.committed(&step);
    let three: Vec<_> = (7..10)
        .map(|n| turn(&mut sweeper, &page(&[&n.to_string()], Some(&n.to_string())), n * SECOND).0.sweep)
        .collect();
    assert_eq!(three, [Sweep::Backfill, Sweep::Recent, Sweep::Full]);
}

#[test]
fn a_project_has_one_page_at_a_time_and_reads_on_before_the_commit() {
    let mut sweeper = sweeper(rules());
    let run = begin(&mut sweeper, 0);
    assert_eq!((sweeper.begin(&acme(), at(1)), sweeper.next_due(at(1))), (None, None));
    let step = stage(&mut sweeper, &run, &page(&["a"], Some("1")), 2);
    assert_eq!(sweeper.durable(&run, Backlog::default(), at(3)), None, "once");
    assert_eq!(sweeper.memo(&acme(), Sweep::Full), Some(&SweepMemo::default()), "moves with the commit only");
    assert_eq!(sweeper.wanting(at(3)), [acme()]);
    let second = begin(&mut sweeper, 3);
    assert_eq!(second.query.cursor, cursor("1"), "behind the step that waits");
    assert!(sweeper.is_current(&step));
    sweeper.committed(&step);
    assert_eq!(sweeper.memo(&acme(), Sweep::Full), Some(&memo_of(&step)));
    assert_eq!((sweeper.begin(&acme(), at(4)), sweeper.next_due(at(4))), (None, None), "still under way");
    stage_and_commit(&mut sweeper, &second, 4);
}

#[test]
fn no_page_is_read_far_ahead_of_the_commits() {
    let mut sweeper = sweeper(rules());
    let mut steps = Vec::new();
    while let Some(run) = sweeper.begin(&acme(), at(0)) {
        let (id, next) = (format!("id{}", steps.len()), steps.len().to_string());
        steps.push(stage(&mut sweeper, &run, &page(&[&id], Some(&next)), 0));
        assert!(steps.len() <= 64, "without a bound");
    }
    assert_eq!((steps.len(), sweeper.wanting(at(0))), (64, vec![]), "only a commit goes on from here");
    assert!(steps.iter().all(|step| sweeper.is_current(step)) && !steps[0].may_wait() && steps[1].may_wait());
    sweeper.committed(&steps[1]);
    assert_eq!(sweeper.memo(&acme(), Sweep::Full), Some(&memo_of(&steps[1])), "and with it those before");
    assert_eq!(begin(&mut sweeper, 1).query.cursor, cursor("63"));
}

#[test]
fn projects_take_turns() {
    let beta = ProjectId::new("beta").unwrap();
    let mut sweeper = Sweeper::new([(acme(), rules()), (beta.clone(), rules())]);
    sweeper.start();
    assert_eq!(sweeper.wanting(at(0)), [acme(), beta.clone()]);
    turn(&mut sweeper, &page(&["a"], Some("1")), 0);
    assert_eq!(sweeper.wanting(at(1)), [beta, acme()]);
}
