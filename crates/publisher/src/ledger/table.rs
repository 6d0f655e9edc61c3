//! Which partitions this process holds, and how far each one is.
//!
//! Owns: epochs, phases, the next and the lowest unsettled offset of each lane, and what the reconciler has kept of
//! partitions that went away. Pure: moments are arguments. Must not know: Kafka, threads, channels.
//!
//! Path: [`Table::hold`] on assignment, [`Table::announce`] when the restore starts, [`Table::run`] when it is done,
//! [`Table::settle`] after each commit, [`Table::void`] when the outcome of a commit is unknown, [`Table::release`] at
//! revocation.

use models::{Lane, Progress};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::time::{Duration, Instant};

/// How far a partition is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Phase {
    /// Held, but no producer is ready; the reconciler knows nothing of it.
    Waiting,
    /// Announced; its ledger is being read.
    Restoring {
        /// What it waits for, if that takes long.
        note: Option<String>,
        /// How much of it is read, 0 to 1.
        part: f64,
    },
    /// Hints flow.
    Running,
}

/// One lane of a partition that runs.
#[derive(Clone, Debug, Default)]
pub(crate) struct LaneState {
    /// The next offset to hand out.
    pub(crate) next: i64,
    /// The lowest unsettled offset that is committed.
    pub(crate) settled: i64,
    /// Whether the unsettled window is full.
    pub(crate) paused: bool,
    /// The offset before which a gap was looked at twice.
    pub(crate) gap_seen: Option<i64>,
}

impl LaneState {
    fn starting_at(offset: i64) -> LaneState {
        LaneState { next: offset, settled: offset, paused: false, gap_seen: None }
    }
}

/// One partition held.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    /// Of the current assignment.
    pub(crate) epoch: u64,
    /// How far it is.
    pub(crate) phase: Phase,
    /// Since when it is so.
    pub(crate) since: Instant,
    live: LaneState,
    bulk: LaneState,
}

impl Held {
    pub(crate) fn lane(&mut self, lane: Lane) -> &mut LaneState {
        match lane {
            Lane::Live => &mut self.live,
            Lane::Bulk => &mut self.bulk,
        }
    }
}

/// Up to where the reconciler's entries of a partition are known to be right.
#[derive(Clone, Copy, Debug)]
struct Kept {
    next: i64,
    last_held: Instant,
}

/// What to read before a partition runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Announcement {
    pub(crate) epoch: u64,
    /// From which ledger offset; `None` = from its start, and entries kept must be forgotten.
    pub(crate) from: Option<i64>,
}

/// All partitions held.
#[derive(Debug, Default)]
pub(crate) struct Table {
    held: BTreeMap<i32, Held>,
    kept: BTreeMap<i32, Kept>,
    last_epoch: u64,
}

impl Table {
    /// The partition was assigned by the group. False if it is held already: then nothing changes, since whoever was told
    /// of the earlier assignment must first be told of its end ([`Table::release`]).
    pub(crate) fn hold(&mut self, partition: i32, now: Instant) -> bool {
        let Entry::Vacant(place) = self.held.entry(partition) else {
            return false;
        };
        let lanes = LaneState::default();
        place.insert(Held { epoch: 0, phase: Phase::Waiting, since: now, live: lanes.clone(), bulk: lanes });
        true
    }

    /// The restore starts: a new epoch, and from where to read. Entries that are kept for longer than `keep` are not
    /// trusted: tombstones may have been compacted away since.
    pub(crate) fn announce(&mut self, partition: i32, now: Instant, keep: Duration) -> Option<Announcement> {
        let held = self.held.get_mut(&partition)?;
        self.last_epoch += 1;
        held.epoch = self.last_epoch;
        held.phase = Phase::Restoring { note: None, part: 0.0 };
        held.since = now;
        let from = self.kept.get(&partition).filter(|kept| now.saturating_duration_since(kept.last_held) <= keep);
        let from = from.map(|kept| kept.next);
        if from.is_none() {
            self.kept.remove(&partition);
        }
        Some(Announcement { epoch: held.epoch, from })
    }

    /// The restore is done; `ledger_next` is the first ledger offset not read. False if the epoch is no longer current.
    pub(crate) fn run(&mut self, start: Progress, ledger_next: i64, now: Instant) -> bool {
        if !self.is_current(start.partition, start.epoch) {
            return false;
        }
        let Some(held) = self.held.get_mut(&start.partition) else {
            return false;
        };
        held.phase = Phase::Running;
        held.since = now;
        held.live = LaneState::starting_at(start.live);
        held.bulk = LaneState::starting_at(start.bulk);
        self.kept.insert(start.partition, Kept { next: ledger_next, last_held: now });
        true
    }

    /// Whether the partition is held and announced under this epoch.
    pub(crate) fn is_current(&self, partition: i32, epoch: u64) -> bool {
        self.held.get(&partition).is_some_and(|held| held.epoch == epoch && held.phase != Phase::Waiting)
    }

    /// The partition, if hints of it may be handed out.
    pub(crate) fn running(&mut self, partition: i32) -> Option<&mut Held> {
        self.held.get_mut(&partition).filter(|held| held.phase == Phase::Running)
    }

    /// Whether a batch with this progress may be written.
    pub(crate) fn may_commit(&self, progress: &[Progress]) -> bool {
        progress.iter().all(|row| {
            let held = self.held.get(&row.partition);
            held.is_some_and(|held| held.epoch == row.epoch && held.phase == Phase::Running)
        })
    }

    /// A batch was committed; `ledger` has the next ledger offset of each partition written.
    pub(crate) fn settle(&mut self, progress: &[Progress], ledger: &BTreeMap<i32, i64>, now: Instant) {
        for row in progress {
            if let Some(held) = self.held.get_mut(&row.partition) {
                held.live.settled = held.live.settled.max(row.live);
                held.bulk.settled = held.bulk.settled.max(row.bulk);
            }
        }
        for (partition, next) in ledger {
            if let Some(kept) = self.kept.get_mut(partition) {
                kept.next = kept.next.max(*next);
                kept.last_held = now;
            }
        }
    }

    /// The outcome of a commit is unknown: nothing runs until it is restored. The partitions that were announced.
    pub(crate) fn void(&mut self, now: Instant) -> Vec<i32> {
        let mut announced = Vec::new();
        for (partition, held) in &mut self.held {
            if held.phase != Phase::Waiting {
                announced.push(*partition);
                if held.phase == Phase::Running {
                    self.kept.entry(*partition).and_modify(|kept| kept.last_held = now);
                }
                held.phase = Phase::Waiting;
                held.since = now;
            }
        }
        announced
    }

    /// The group took them away. Those that were announced.
    pub(crate) fn release(&mut self, partitions: &[i32], now: Instant) -> Vec<i32> {
        let mut announced = Vec::new();
        for partition in partitions {
            if let Some(held) = self.held.remove(partition) {
                if held.phase != Phase::Waiting {
                    announced.push(*partition);
                }
                if held.phase == Phase::Running {
                    self.kept.entry(*partition).and_modify(|kept| kept.last_held = now);
                }
            }
        }
        announced
    }

    /// How much of a partition's ledger is read.
    pub(crate) fn progress(&mut self, partition: i32, epoch: u64, read: f64) {
        if let Some(held) = self.held.get_mut(&partition).filter(|held| held.epoch == epoch)
            && let Phase::Restoring { part, .. } = &mut held.phase
        {
            *part = read;
        }
    }

    /// Says what a restore waits for, or that it waits no longer.
    pub(crate) fn note(&mut self, partition: i32, epoch: u64, text: Option<String>) {
        if let Some(held) = self.held.get_mut(&partition)
            && held.epoch == epoch
            && let Phase::Restoring { note, .. } = &mut held.phase
        {
            *note = text;
        }
    }

    /// All of them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (i32, &Held)> {
        self.held.iter().map(|(partition, held)| (*partition, held))
    }

    /// The numbers of all of them.
    pub(crate) fn partitions(&self) -> Vec<i32> {
        self.held.keys().copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_hours(1);

    fn running(table: &mut Table, now: Instant) -> u64 {
        assert!(table.hold(3, now));
        let epoch = table.announce(3, now, HOUR).unwrap().epoch;
        assert!(table.run(Progress { partition: 3, epoch, live: 10, bulk: 20 }, 100, now));
        epoch
    }

    #[test]
    fn a_partition_that_comes_back_is_read_from_where_it_was() {
        let (mut table, now) = (Table::default(), Instant::now());
        let epoch = running(&mut table, now);
        table.settle(&[Progress { partition: 3, epoch, live: 11, bulk: 20 }], &BTreeMap::from([(3, 104)]), now);
        assert_eq!(table.release(&[3], now), [3]);
        assert!(table.hold(3, now));
        let again = table.announce(3, now, HOUR).unwrap();
        assert_eq!(again.from, Some(104));
        assert!(again.epoch > epoch);
        assert!(!table.may_commit(&[Progress { partition: 3, epoch, live: 11, bulk: 20 }]));
    }

    #[test]
    fn entries_kept_for_too_long_are_forgotten() {
        let (mut table, now) = (Table::default(), Instant::now());
        running(&mut table, now);
        table.release(&[3], now);
        let later = now + HOUR + Duration::from_secs(1);
        assert!(table.hold(3, later));
        assert_eq!(table.announce(3, later, HOUR).unwrap().from, None);
    }

    #[test]
    fn what_is_held_is_not_held_anew() {
        let (mut table, now) = (Table::default(), Instant::now());
        let epoch = running(&mut table, now);
        assert!(!table.hold(3, now));
        assert!(table.is_current(3, epoch) && table.running(3).is_some());
        assert_eq!(table.release(&[3], now), [3], "its end is still told");
        assert!(table.hold(3, now));
    }

    #[test]
    fn a_restore_that_was_not_finished_counts_for_nothing() {
        let (mut table, now) = (Table::default(), Instant::now());
        assert!(table.hold(3, now));
        let epoch = table.announce(3, now, HOUR).unwrap().epoch;
        assert_eq!(table.release(&[3], now), [3]);
        assert!(!table.run(Progress { partition: 3, epoch, live: 0, bulk: 0 }, 50, now));
        assert!(table.hold(3, now));
        assert_eq!(table.announce(3, now, HOUR).unwrap().from, None);
    }

    #[test]
    fn after_a_lost_commit_nothing_may_be_written_until_it_is_read_again() {
        let (mut table, now) = (Table::default(), Instant::now());
        let epoch = running(&mut table, now);
        let row = Progress { partition: 3, epoch, live: 10, bulk: 20 };
        assert!(table.may_commit(&[row]));
        assert_eq!(table.void(now), [3]);
        assert!(!table.may_commit(&[row]) && table.running(3).is_none() && !table.is_current(3, epoch));
        assert_eq!(table.release(&[3], now), [] as [i32; 0], "its revocation was told already");
    }
}
