//! One page of a walk: its rows become hints, and it says whether the walk gets on.
//!
//! Owns the no-progress rule. The list is not a snapshot and its order is not documented (ARGOS protocol, section
//! 4.2), so nothing here relies on an order: pages may repeat, overlap, be short or be empty, and only an absent cursor
//! is the end. Pure.

use foldhash::quality::FixedState;
use models::{Authentication, Claim, Hint, Key, Notices, Page, PageQuery, ProjectId, Row, Source, Sweep, Time};
use models::{Totals, Walk};
use sha2::{Digest, Sha256};
use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, BuildHasherDefault, Hasher};

/// What a walk has met: 64 bits for each submission and cursor. Kept in memory only, eight bytes a row beside
/// some 120 that an entry takes; a walk that is resumed elsewhere begins with none, and then needs longer to
/// notice that it gets nowhere.
pub(super) type Seen = HashSet<u64, AsItIs>;
type AsItIs = BuildHasherDefault<Mark>;

/// A mark is a hash already.
#[derive(Clone, Copy, Default)]
pub(super) struct Mark(u64);

impl Hasher for Mark {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = bytes.iter().fold(self.0, |mark, byte| mark.rotate_left(8) ^ u64::from(*byte));
    }

    fn write_u64(&mut self, mark: u64) {
        self.0 = mark;
    }
}

/// What one page came to.
#[derive(Clone, Debug)]
pub(super) struct Read {
    /// The walk behind this page.
    pub(super) walk: Walk,
    /// Whether it has ended here, and if so whether at the end of the list.
    pub(super) ended: Option<bool>,
    /// What the page adds to [`Seen`].
    pub(super) met: Vec<u64>,
    /// Rows of this page that became hints.
    pub(super) hinted: u64,
}

/// Which walk of which project.
#[derive(Clone, Copy)]
pub(super) struct Of<'a> {
    pub(super) project: &'a ProjectId,
    pub(super) sweep: Sweep,
}

/// Reads a page: the walk behind it, and a hint for each row that is not known to be `equal`.
pub(super) fn read(
    of: Of<'_>,
    walk: &Walk,
    page: &Page,
    (seen, stalled_after): (&Seen, u32),
    now: Time,
    equal: impl Fn(usize, &str, &Row) -> bool,
) -> (Read, Vec<(Key, Hint)>) {
    let mut met = Vec::with_capacity(page.rows.len() + 1);
    let mut hints: Vec<(Key, Hint)> = Vec::new();
    let mut rows: HashMap<u64, &Row, AsItIs> = HashMap::with_capacity_and_hasher(page.rows.len(), AsItIs::default());
    let mut text = String::new();
    let mut counts =
        Totals { pages: 1, rows: page.rows.len() as u64, unreadable: page.unreadable as u64, ..Totals::default() };
    // A row outside the walk's period is progress too: a list may show many of them before the first one inside.
    let marks: Vec<u64> = page.rows.iter().map(|(submission, _)| mark("row", submission.as_str(), "")).collect();
    met.extend(marks.iter().filter(|mark| !seen.contains(*mark)));
    for (at, ((submission, row), mark)) in page.rows.iter().zip(marks).enumerate() {
        if rows.insert(mark, row) == Some(row) || !takes(walk, row) {
            continue;
        }
        text.clear();
        text.extend([of.project.as_str(), "/", submission.as_str()]);
        if equal(at, &text, row) {
            counts.equal += 1;
        } else {
            counts.hinted += 1;
            let key = Key::new(of.project, submission);
            let hint = hint(of.sweep, walk, &key, row, now);
            hints.push((key, hint));
        }
    }
    let mut next = walk.clone();
    add(&mut next.totals, counts);
    let ended = match &page.next {
        None => Some(true),
        Some(cursor) => {
            let mark = mark("cursor", &cursor.id, &cursor.created_at);
            let repeats = walk.cursor.as_ref() == Some(cursor) || seen.contains(&mark);
            next.stalled = if met.is_empty() || repeats { walk.stalled.saturating_add(1) } else { 0 };
            met.push(mark);
            (next.stalled >= stalled_after).then_some(false)
        }
    };
    next.cursor.clone_from(&page.next);
    (Read { walk: next, ended, met, hinted: counts.hinted }, hints)
}

/// A walk that is given up where it is.
pub(super) fn give_up(walk: &Walk) -> Read {
    Read { walk: walk.clone(), ended: Some(false), met: Vec::new(), hinted: 0 }
}

/// Whether a row belongs to the walk. The vendor's days are wider than what was asked for, or not heeded; a row that
/// does not show its age is always taken.
fn takes(walk: &Walk, row: &Row) -> bool {
    row.created_at.is_none_or(|created| created <= walk.to && walk.from.is_none_or(|from| created >= from))
}

fn mark(kind: &str, first: &str, second: &str) -> u64 {
    FixedState::default().hash_one((kind, first, second))
}

fn add(totals: &mut Totals, page: Totals) {
    totals.pages += page.pages;
    totals.rows += page.rows;
    totals.equal += page.equal;
    totals.hinted += page.hinted;
    totals.unreadable += page.unreadable;
}

fn hint(sweep: Sweep, walk: &Walk, key: &Key, row: &Row, now: Time) -> Hint {
    let source = if sweep == Sweep::Backfill { Source::Backfill } else { Source::Sweep };
    Hint {
        id: hint_id(sweep, walk, key, row),
        source,
        received_at: now,
        authentication: Authentication::NONE,
        claim: Claim { trigger: source.as_str().to_owned(), ..Claim::default() },
        notices: Notices::default(),
        body_digest: String::new(),
        row: Some(row.clone()),
        erase: false,
        traceparent: None,
    }
}

/// The same row of the same walk has the same id, however often its page is read.
fn hint_id(sweep: Sweep, walk: &Walk, key: &Key, row: &Row) -> String {
    // A row is a plain struct of words and times: writing it cannot fail.
    let row = serde_json::to_vec(row).unwrap_or_default();
    let started = walk.started_at.as_millis().to_be_bytes();
    let mut digest = Sha256::new();
    for part in [key.as_str().as_bytes(), &started, sweep.as_str().as_bytes(), &row] {
        digest.update((part.len() as u64).to_be_bytes());
        digest.update(part);
    }
    let [half @ .., _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _]: [u8; 32] = digest.finalize().into();
    format!("{:032x}", u128::from_be_bytes(half))
}

/// The page that a walk reads next.
pub(super) fn query(project: &ProjectId, walk: &Walk) -> PageQuery {
    PageQuery { project: project.as_str().to_owned(), from: walk.from, to: Some(walk.to), cursor: walk.cursor.clone() }
}
