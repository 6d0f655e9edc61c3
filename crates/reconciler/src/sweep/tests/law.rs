//! The law: when a walk says that it is complete, every row that was there from its start to its end, and belongs to its
//! period, was known to be equal or has a durable hint; and every walk ends.
//!
//! The list is a model of what is known and feared of ARGOS's (its protocol, section 4.2). The law is checked against
//! the model's own record of who was there when, which knows nothing of pages.

use super::*;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

/// Where the next page starts.
#[derive(Clone, Copy, Debug)]
enum Paging {
    /// Behind the last row shown, by (`created_at`, id).
    Exact,
    /// At the ten seconds of the last row shown: rows come again, and the cursor may not get on.
    Coarse,
    /// At a number, some rows before the end of the page: holds as long as no more are deleted than that.
    Number,
}

/// How the list ends.
#[derive(Clone, Copy, Debug)]
enum Ending {
    NoCursor,
    /// The cursor of the last page is given again and again.
    LastCursor,
    /// It begins anew, with cursors never seen before.
    AroundForEver,
}

#[derive(Clone, Copy, Debug)]
enum Twist {
    None,
    /// A row, so many seconds from the start of the test, perhaps in the same millisecond as others.
    Insert(i64),
    Delete(usize),
    ShortPage(usize),
    /// No rows, and the cursor that was asked with.
    EmptyPage,
    RepeatPage,
    Fail,
    Unreadable,
    NotDurable,
    /// The commit fails, of this step and of those that waited.
    Abort,
    /// The step waits, and the next page is read before its commit.
    Late,
    /// The process dies behind so many of its four moves: begun, read, hints durable, committed.
    Crash(u8),
}

const OVERLAP: usize = 6;

#[derive(Debug)]
struct List {
    rows: BTreeSet<(Time, String)>,
    ascending: bool,
    heeds_period: bool,
    paging: Paging,
    ending: Ending,
    size: usize,
    made: usize,
    deleted: usize,
    asked: usize,
    last: Page,
}

impl List {
    fn new(paging: Paging, ending: Ending, size: usize) -> List {
        List {
            rows: BTreeSet::new(),
            ascending: true,
            heeds_period: true,
            paging,
            ending,
            // A page by number has to be longer than its overlap, to get on at all.
            size: if matches!(paging, Paging::Number) { size + OVERLAP } else { size },
            made: 0,
            deleted: 0,
            asked: 0,
            last: Page::default(),
        }
    }

    fn insert(&mut self, second: i64) {
        self.made += 1;
        // Names that sort otherwise than they were made.
        let id = format!("{}-{}", self.made * 7 % 10, self.made);
        self.rows.insert((at(second * SECOND), id));
    }

    fn delete(&mut self, index: usize) -> Option<String> {
        if self.rows.is_empty() || matches!(self.paging, Paging::Number) && self.deleted == OVERLAP {
            return None;
        }
        self.deleted += 1;
        let gone = self.rows.iter().nth(index % self.rows.len())?.clone();
        self.rows.remove(&gone);
        Some(gone.1)
    }

    fn page(&mut self, query: &PageQuery, size: usize) -> Page {
        self.asked += 1;
        let wide = Duration::from_secs(30);
        let inside = |time: Time| {
            query.from.is_none_or(|from| time >= from - wide) && query.to.is_none_or(|to| time <= to + wide)
        };
        let mut rows: Vec<_> =
            self.rows.iter().filter(|(time, _)| !self.heeds_period || inside(*time)).cloned().collect();
        if !self.ascending {
            rows.reverse();
        }
        let skip = query.cursor.as_ref().map_or(0, |cursor| self.position(&rows, cursor));
        let shown: Vec<_> = rows.iter().skip(skip).take(size).cloned().collect();
        let at_end = skip + shown.len() >= rows.len();
        let next = match (at_end, self.ending) {
            (true, Ending::NoCursor) => None,
            (true, Ending::LastCursor) => query.cursor.clone().or_else(|| cursor("again")),
            (true, Ending::AroundForEver) => cursor(&format!("around {}", self.asked)),
            (false, _) => shown.last().map(|last| self.cursor(last, skip + shown.len())),
        };
        let rows = shown.iter().map(|(time, id)| (SubmissionId::new(id).unwrap(), row(Some(*time))));
        Page { rows: rows.collect(), next, unreadable: 0 }
    }

    fn cursor(&self, (time, id): &(Time, String), position: usize) -> PageCursor {
        let millis = time.as_millis();
        let (id, created_at) = match self.paging {
            Paging::Exact => (id.clone(), millis),
            Paging::Coarse => (String::new(), millis - millis.rem_euclid(10 * SECOND)),
            Paging::Number => ("number".to_owned(), position.saturating_sub(OVERLAP) as i64),
        };
        PageCursor { id, created_at: created_at.to_string() }
    }

    /// How many rows lie before the cursor.
    fn position(&self, rows: &[(Time, String)], cursor: &PageCursor) -> usize {
        let Ok(number) = cursor.created_at.parse::<i64>() else { return 0 };
        let is_before = |(time, id): &&(Time, String)| match self.paging {
            Paging::Exact if self.ascending => (time.as_millis(), id) <= (number, &cursor.id),
            Paging::Exact => (time.as_millis(), id) >= (number, &cursor.id),
            Paging::Coarse if self.ascending => time.as_millis() < number,
            Paging::Coarse => time.as_millis() >= number + 10 * SECOND,
            Paging::Number => true,
        };
        let before = rows.iter().take_while(is_before).count();
        if matches!(self.paging, Paging::Number) { usize::try_from(number).unwrap().min(before) } else { before }
    }
}

fn row(created_at: Option<Time>) -> Row {
    Row { kyc_status: None, aml_vendor_status: None, risk: None, updated_at: created_at, created_at }
}

/// The process, the ledger and the bulk topic around the list.
struct World {
    rules: SweepRules,
    list: List,
    sweeper: Sweeper,
    /// The ledger's memos.
    memos: BTreeMap<MemoKey, Memo>,
    /// Steps that are not committed yet.
    late: Vec<Step>,
    now: i64,
    /// Who has been there since the walk's start, and its period.
    throughout: BTreeSet<String>,
    period: (Option<Time>, Time),
    /// Known to be equal, or with a durable hint in this walk.
    covered: BTreeSet<String>,
    ended: Option<bool>,
}

impl World {
    fn new(rules: SweepRules, list: List) -> World {
        World {
            sweeper: sweeper(rules.clone()),
            rules,
            list,
            memos: BTreeMap::new(),
            late: Vec::new(),
            now: 0,
            throughout: BTreeSet::new(),
            period: (None, Time::MIN),
            covered: BTreeSet::new(),
            ended: None,
        }
    }

    fn crash(&mut self) {
        self.late.clear();
        self.sweeper = Sweeper::new([(acme(), self.rules.clone())]);
        for (key, memo) in &self.memos {
            self.sweeper.restore(key, Some(Memo::decode(&memo.encode()).unwrap()));
        }
        self.sweeper.start();
    }

    /// One page, with what goes wrong meanwhile.
    fn turn(&mut self, twist: Twist) {
        let due = self.sweeper.next_due(at(self.now)).expect("the walk goes on");
        self.now = due.as_millis() - START + SECOND;
        let run = begin(&mut self.sweeper, self.now);
        let period = (run.query.from, run.query.to.unwrap());
        let walks = self.memos.values().any(|memo| matches!(memo, Memo::Sweep(memo) if memo.walk.is_some()));
        if !walks && self.late.is_empty() {
            self.period = period;
            self.throughout = self.list.rows.iter().map(|(_, id)| id.clone()).collect();
            self.covered.clear();
        }
        assert_eq!(period, self.period, "fixed for the whole walk");
        if matches!(twist, Twist::Crash(0)) {
            return self.crash();
        }
        let answer = self.answer(&run.query, twist);
        let is_equal = |_: usize, key: &str, _: &Row| key.split_once('/').is_some_and(|(_, id)| id.starts_with('3'));
        let now = at(self.now);
        let Some(hints) = self.sweeper.on_page(&run, &answer, now, is_equal) else { return };
        match twist {
            Twist::Crash(1) => return self.crash(),
            Twist::NotDurable => return self.sweeper.not_durable(&run, now),
            _ => {}
        }
        self.covered.extend(hints.iter().map(|(key, _)| key.submission().to_owned()));
        if matches!(twist, Twist::Crash(2)) {
            return self.crash();
        }
        let step = self.sweeper.durable(&run, Backlog::default(), now).unwrap();
        if matches!(twist, Twist::Late) && step.may_wait() {
            return self.late.push(step);
        }
        if matches!(twist, Twist::Abort) {
            self.sweeper.aborted(self.late.first().unwrap_or(&step));
            return self.late.clear();
        }
        for step in self.late.iter().chain([&step]) {
            self.memos.insert(step.memo.0.clone(), step.memo.1.clone());
            for told in &step.notifications {
                if let Notification::SweepEnded { complete, .. } = told {
                    self.ended = Some(*complete);
                }
            }
        }
        self.late.clear();
        if matches!(twist, Twist::Crash(_)) { self.crash() } else { self.sweeper.committed(&step) }
    }

    fn answer(&mut self, query: &PageQuery, twist: Twist) -> Result<Page, LookError> {
        match twist {
            Twist::Fail => return Err(LookError::Throttled { retry_after: None }),
            Twist::Unreadable => return Err(LookError::Unreadable("nonsense".to_owned())),
            // A page of rows met before, and a cursor that leads back to where the walk is.
            Twist::RepeatPage if query.cursor.is_some() => {
                return Ok(Page { rows: self.list.last.rows.clone(), next: query.cursor.clone(), unreadable: 0 });
            }
            Twist::EmptyPage if query.cursor.is_some() => {
                return Ok(Page { next: query.cursor.clone(), ..Page::default() });
            }
            _ => {}
        }
        let size = if let Twist::ShortPage(size) = twist { size } else { self.list.size };
        let page = self.list.page(query, size);
        self.list.last = page.clone();
        Ok(page)
    }

    fn change(&mut self, twist: Twist) {
        match twist {
            Twist::Insert(second) => self.list.insert(second),
            Twist::Delete(index) => {
                if let Some(id) = self.list.delete(index) {
                    self.throughout.remove(&id);
                }
            }
            _ => {}
        }
    }

    /// Who should have been found and was not.
    fn missed(&self) -> Vec<&(Time, String)> {
        let (from, to) = self.period;
        let wanted = |(time, id): &&(Time, String)| {
            let inside = *time <= to && from.is_none_or(|from| *time >= from);
            inside && self.throughout.contains(id) && !id.starts_with('3')
        };
        self.list.rows.iter().filter(wanted).filter(|(_, id)| !self.covered.contains(id)).collect()
    }
}

/// Seconds around the end of the lag window, many of them equal.
fn second() -> impl Strategy<Value = i64> {
    prop_oneof![3 => -200i64..60, 2 => (-20i64..6).prop_map(|ten| ten * 10), 1 => Just(-100)]
}

fn twist() -> impl Strategy<Value = Twist> {
    prop_oneof![
        4 => Just(Twist::None),
        4 => second().prop_map(Twist::Insert),
        3 => any::<usize>().prop_map(Twist::Delete),
        1 => (1usize..3).prop_map(Twist::ShortPage),
        1 => Just(Twist::EmptyPage),
        1 => Just(Twist::RepeatPage),
        1 => Just(Twist::Fail),
        1 => Just(Twist::Unreadable),
        1 => Just(Twist::NotDurable),
        1 => Just(Twist::Abort),
        2 => Just(Twist::Late),
        2 => (0u8..4).prop_map(Twist::Crash),
    ]
}

fn list() -> impl Strategy<Value = List> {
    let paging = prop_oneof![3 => Just(Paging::Exact), 2 => Just(Paging::Coarse), 2 => Just(Paging::Number)];
    let ending = prop_oneof![
        6 => Just(Ending::NoCursor),
        1 => Just(Ending::LastCursor),
        1 => Just(Ending::AroundForEver),
    ];
    let seconds = proptest::collection::vec(second(), 0..40);
    (seconds, any::<bool>(), any::<bool>(), paging, ending, 1usize..10).prop_map(
        |(seconds, ascending, heeds_period, paging, ending, size)| {
            let mut list = List::new(paging, ending, size);
            (list.ascending, list.heeds_period) = (ascending, heeds_period);
            for second in seconds {
                list.insert(second);
            }
            list
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_500))]

    #[test]
    fn a_complete_walk_misses_no_row_that_was_there_throughout_and_every_walk_ends(
        list in list(),
        twists in proptest::collection::vec(twist(), 0..40),
        within in proptest::option::of(100u64..250),
        stalled_after in 2u32..6,
    ) {
        let full = Cadence { every: Duration::MAX, created_within: within.map(Duration::from_secs) };
        let mut world = World::new(SweepRules { full, stalled_after, ..rules() }, list);
        // Each page that counts shows a row never met, or adds to the pages in a row that do not; a crash forgets what
        // was met.
        let crashes = 1 + twists.iter().filter(|twist| matches!(twist, Twist::Crash(_))).count();
        let bound = (1 + world.list.rows.len() + twists.len()) * stalled_after as usize * crashes + twists.len();
        let mut twists = twists.into_iter();
        let mut turns = 0;
        while world.ended.is_none() {
            let twist = twists.next().unwrap_or(Twist::None);
            world.turn(twist);
            world.change(twist);
            turns += 1;
            prop_assert!(turns <= bound, "more than {bound} pages");
        }
        if world.ended == Some(true) {
            prop_assert!(world.missed().is_empty(), "{:?}", world.missed());
        }
    }
}

/// The law would hold for a sweeper that never says that it is complete.
#[test]
fn a_list_that_stands_still_is_walked_to_its_end() {
    for (paging, size) in [(Paging::Exact, 3), (Paging::Coarse, 12), (Paging::Number, 3)] {
        for ascending in [true, false] {
            let mut list = List::new(paging, Ending::NoCursor, size);
            (list.ascending, list.heeds_period) = (ascending, true);
            (0..50).for_each(|number| list.insert(-200 + number * 3));
            let mut world = World::new(rules(), list);
            while world.ended.is_none() {
                world.turn(Twist::None);
            }
            assert_eq!((world.ended, world.missed()), (Some(true), vec![]), "{paging:?} {ascending}");
            assert!(world.covered.len() > 40);
        }
    }
}
