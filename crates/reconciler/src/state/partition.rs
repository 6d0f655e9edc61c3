//! One partition: its entries, its unsettled offsets, its timers, and the work on its keys.

use super::hints::{is_equal, is_set_aside, waits};
use super::store::{Mark, Store};
use super::timers::Timers;
use crate::decision::{Wake, WordHashes};
use crate::queue::Class;
use crate::window::Window;
use models::{CheckReason, Entry, Hint, Key, Lane, Memo, MemoKey, Row, Span, Time, TraceContext};
use std::collections::{BTreeMap, HashMap};

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Partition {
    pub(super) epoch: u64,
    /// Ours, perhaps not yet restored.
    pub(super) assigned: bool,
    /// Restored: decisions may be made.
    pub(super) running: bool,
    /// Kept when the partition goes, in case it comes back.
    pub(super) entries: Store,
    /// Kept as the entries are.
    pub(super) memos: BTreeMap<MemoKey, Memo>,
    /// Offsets that stand for hints that are gone.
    pub(super) gaps: Vec<(Lane, i64)>,
    pub(super) live: Window,
    pub(super) bulk: Window,
    pub(super) timers: Timers,
    pub(super) work: HashMap<Key, Work, foldhash::fast::RandomState>,
    /// How many entries are set aside without a look, by project.
    pub(super) parked: BTreeMap<String, usize>,
}

impl Partition {
    pub(super) fn assign(&mut self, epoch: u64, fresh: bool) {
        self.stop();
        self.epoch = epoch;
        self.assigned = true;
        if fresh {
            self.entries.clear();
            self.memos.clear();
        }
    }

    pub(super) fn remember(&mut self, memos: Vec<(MemoKey, Option<Memo>)>) {
        for (key, memo) in memos {
            match memo {
                Some(memo) => self.memos.insert(key, memo),
                None => self.memos.remove(&key),
            };
        }
    }

    pub(super) fn restore(&mut self, entries: Vec<(Key, Option<Entry>)>) {
        for (key, entry) in entries {
            match entry {
                Some(entry) => self.entries.insert(&key, &entry),
                None => self.entries.remove(&key),
            }
        }
    }

    pub(super) fn start(&mut self, live: i64, bulk: i64) {
        self.running = true;
        self.live = Window::starting_at(live);
        self.bulk = Window::starting_at(bulk);
        self.timers.clear();
        self.parked.clear();
        for (key, mark, check) in self.entries.all_checks() {
            self.timers.insert(check.due, mark);
            if check.reason == CheckReason::Parked {
                count(&mut self.parked, key, 1);
            }
        }
    }

    pub(super) fn stop(&mut self) {
        self.assigned = false;
        self.running = false;
        self.timers.clear();
        self.parked.clear();
        self.work.clear();
        self.gaps.clear();
        self.live = Window::default();
        self.bulk = Window::default();
    }

    /// Whether a key has an entry or work here.
    pub(super) fn has(&self, key: &str) -> bool {
        self.work.contains_key(key) || self.entries.has(key)
    }

    /// Whether a list row needs no hint: it shows what the entry holds, or a look that has not begun waits anyway, in the
    /// queue or in the ledger.
    pub(super) fn knows(&self, (key, mark): (&str, Mark), row: &Row, words: &WordHashes) -> bool {
        if self.work.get(key).is_some_and(|work| matches!(work.phase, Phase::Queued(_))) {
            return true;
        }
        let Some(entry) = self.entries.glance(key, mark) else { return false };
        let is_set_aside =
            || Key::parse(key).ok().and_then(|key| self.entries.get(&key)).is_some_and(|entry| is_set_aside(&entry));
        is_equal(&entry, row, words) || (entry.check.is_some_and(waits) && is_set_aside())
    }

    pub(super) fn window(&mut self, lane: Lane) -> &mut Window {
        match lane {
            Lane::Live => &mut self.live,
            Lane::Bulk => &mut self.bulk,
        }
    }

    /// An entry became durable.
    pub(super) fn apply(&mut self, key: &Key, entry: Option<&Entry>) {
        let parked = |check: Option<CheckReason>| isize::from(check == Some(CheckReason::Parked));
        let mark = self.entries.mark(key.as_str());
        let before = self.entries.glance(key.as_str(), mark).and_then(|entry| entry.check);
        let change = parked(entry.and_then(|entry| entry.check).map(|check| check.reason)) - parked(before);
        if self.running && change != 0 {
            count(&mut self.parked, key.project(), change);
        }
        let Some(entry) = entry else { return self.entries.remove(key) };
        self.entries.insert(key, entry);
        if self.running
            && let Some(check) = entry.check
        {
            self.timers.renew(check.due, mark, |mark| self.entries.due_times(mark));
        }
    }

    /// The keys that are due, the longest due first. Marks come in an order that no two runs share: keys do not.
    pub(super) fn take_due(&mut self, now: Time) -> impl Iterator<Item = Key> + use<> {
        let entries = &self.entries;
        self.timers.advance(now, |mark| entries.due_times(mark));
        let mut due = Vec::new();
        while let Some(mark) = self.timers.pop(now) {
            due.extend(entries.due(mark, now));
        }
        due.sort_unstable();
        due.dedup();
        due.into_iter().map(|(_, key)| key)
    }
}

fn count(parked: &mut BTreeMap<String, usize>, project: &str, change: isize) {
    match parked.get_mut(project) {
        Some(count) => *count = count.saturating_add_signed(change),
        None => drop(parked.insert(project.to_owned(), 0_usize.saturating_add_signed(change))),
    }
}

/// Where the work on a key stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Waits in this class.
    Queued(Class),
    /// A look is under way.
    Running,
    /// Decided, not yet committed.
    Staged,
}

/// The work on one key: one run at a time, and what came meanwhile asks for one more.
#[derive(Debug)]
pub(super) struct Work {
    pub(super) phase: Phase,
    pub(super) current: Gathered,
    pub(super) later: Option<(Gathered, Class)>,
    /// Of the run under way; it ends with the work.
    pub(super) span: Span,
}

impl Work {
    pub(super) fn queued(current: Gathered, class: Class) -> Work {
        Work { phase: Phase::Queued(class), current, later: None, span: Span::default() }
    }

    /// Whether an erasure waits that can be decided at once: no look is under way.
    pub(super) fn erases(&self) -> bool {
        matches!(self.phase, Phase::Queued(_)) && self.current.wake.erase
    }

    /// Adds a hint. A run that has started cannot cover it: its GET began before the hint was read. Says whether
    /// the key moves up.
    pub(super) fn add(&mut self, gathered: Gathered, class: Class) -> bool {
        if let Phase::Queued(waits_in) = self.phase {
            self.current.merge(gathered);
            let promoted = class < waits_in;
            if promoted {
                self.phase = Phase::Queued(class);
            }
            return promoted;
        }
        match &mut self.later {
            Some((later, later_class)) => {
                later.merge(gathered);
                *later_class = (*later_class).min(class);
            }
            None => self.later = Some((gathered, class)),
        }
        false
    }
}

/// What one run covers.
#[derive(Debug)]
pub(super) struct Gathered {
    pub(super) wake: Wake,
    pub(super) offsets: Vec<(Lane, i64)>,
    /// When the oldest of its webhooks was taken in.
    pub(super) oldest: Option<Time>,
    /// Where its hints stand in their traces, oldest first; bounded.
    pub(super) traces: Vec<TraceContext>,
}

impl Gathered {
    pub(super) fn recheck() -> Gathered {
        Gathered { wake: Wake::recheck(), offsets: Vec::new(), oldest: None, traces: Vec::new() }
    }

    pub(super) fn of_hint(hint: Hint, lane: Lane, offset: i64, traces: Vec<TraceContext>) -> Gathered {
        let oldest = (lane == Lane::Live).then_some(hint.received_at);
        Gathered { wake: Wake::of(hint), offsets: vec![(lane, offset)], oldest, traces }
    }

    fn merge(&mut self, other: Gathered) {
        self.wake.merge(other.wake);
        self.offsets.extend(other.offsets);
        self.merge_traces(other.traces);
        self.oldest = [self.oldest, other.oldest].into_iter().flatten().min();
    }
}
