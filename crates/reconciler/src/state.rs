//! What the loop knows: partitions, entries, who waits, who runs, and what is staged for the next commit.
//!
//! Sync and without a clock; [`crate::driver`] is the shell around it. Two invariants live here: a key has one
//! pending run and one run at a time, and an entry in memory changes only after its commit succeeded.

mod batch;
mod hints;
mod looks;
mod partition;

pub use batch::Settings;
use partition::{Partition, Phase};

use crate::budget::HourlyCap;
use crate::decision::{Decision, Outcome, Wake};
use crate::metrics::Metrics;
use crate::policy::Policy;
use crate::queue::{Class, ProjectBudget, Queue, Ticket};
use models::{DeadLetter, Entry, Key, LedgerEvent, Time};
use std::collections::{BTreeMap, HashMap};

/// One project as the loop sees it.
#[derive(Clone, Debug)]
pub struct ProjectRules {
    /// The rules of its decisions.
    pub policy: Policy,
    /// Its budget.
    pub requests_per_second: f64,
}

/// A look to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// Of which partition.
    pub partition: i32,
    /// Of which assignment.
    pub epoch: u64,
    /// The submission.
    pub key: Key,
    /// Whether it is the breaker's probe.
    pub probe: bool,
}

/// A decision that waits for its commit.
#[derive(Debug)]
struct Staged {
    run: Run,
    decision: Decision,
    at: Time,
}

/// See the module.
#[derive(Debug)]
pub struct State {
    settings: Settings,
    projects: HashMap<String, ProjectRules>,
    unknown: Policy,
    /// Deletions inferred in this hour, by project.
    deletions: HashMap<String, HourlyCap>,
    partitions: BTreeMap<i32, Partition>,
    queue: Queue,
    staged: Vec<Staged>,
    committing: Vec<Staged>,
    unreadable: Vec<(i32, DeadLetter)>,
    committing_unreadable: Vec<(i32, DeadLetter)>,
    /// The offsets of the batch under way.
    progress: Vec<models::Progress>,
    /// Since when offsets wait that no decision carries.
    settle_since: Option<Time>,
    retry_at: Option<Time>,
    aborts: u32,
    rng: fastrand::Rng,
    metrics: Metrics,
}

impl State {
    /// Nothing assigned yet.
    pub fn new(
        settings: Settings,
        projects: HashMap<String, ProjectRules>,
        rng: fastrand::Rng,
        metrics: Metrics,
        now: Time,
    ) -> State {
        let budgets = projects.iter().map(|(id, rules)| {
            let deletions_per_hour = rules.policy.deletions_per_hour;
            let per_second = rules.requests_per_second;
            (id.clone(), ProjectBudget { per_second, per_day: u64::MAX, deletions_per_hour, cost: 1 })
        });
        let queue = Queue::new(budgets, settings.patience, now);
        State {
            settings,
            projects,
            unknown: Policy::default(),
            deletions: HashMap::new(),
            partitions: BTreeMap::new(),
            queue,
            staged: Vec::new(),
            committing: Vec::new(),
            unreadable: Vec::new(),
            committing_unreadable: Vec::new(),
            progress: Vec::new(),
            settle_since: None,
            retry_at: None,
            aborts: 0,
            rng,
            metrics,
        }
    }

    /// Takes what the ledger tells. `Failed` is the driver's.
    pub fn on_event(&mut self, event: LedgerEvent, now: Time) {
        match event {
            LedgerEvent::Assigned { partition, epoch, fresh } => {
                self.partitions.entry(partition).or_default().assign(epoch, fresh);
            }
            LedgerEvent::Entries { partition, epoch, entries } => {
                if let Some(held) = self.current(partition, epoch) {
                    held.restore(entries);
                }
            }
            LedgerEvent::Ready { partition, epoch, live, bulk, of } => {
                if let Some(held) = self.current(partition, epoch) {
                    held.start(live, bulk);
                    self.queue.hold(partition, of, |_| None, now);
                }
                self.gauges();
            }
            LedgerEvent::Hint { partition, epoch, lane, offset, key, hint } => {
                self.on_hint(partition, epoch, lane, offset, key, *hint, now);
            }
            LedgerEvent::Skipped { partition, epoch, lane, offset, dead_letter } => {
                if let Some(held) = self.current(partition, epoch) {
                    held.window(lane).skip(offset);
                    self.unreadable.extend(dead_letter.map(|letter| (partition, *letter)));
                }
            }
            LedgerEvent::Revoked { partition } => {
                self.staged.retain(|staged| staged.run.partition != partition);
                self.unreadable.retain(|(from, _)| *from != partition);
                if let Some(held) = self.partitions.get_mut(&partition) {
                    held.stop();
                }
                self.queue.release(partition, now);
                self.gauges();
            }
            LedgerEvent::Request { partition, epoch, lane, offset, .. } => {
                if let Some(held) = self.current(partition, epoch) {
                    held.window(lane).skip(offset);
                }
            }
            LedgerEvent::Memos { .. } | LedgerEvent::Expired { .. } | LedgerEvent::Failed(_) => {}
        }
    }

    fn current(&mut self, partition: i32, epoch: u64) -> Option<&mut Partition> {
        self.partitions.get_mut(&partition).filter(|held| held.epoch == epoch)
    }

    /// When something is to be done that no event announces.
    /// `may_look` is whether another look could be started at once.
    pub fn next_wake(&mut self, now: Time, may_look: bool) -> Option<Time> {
        let timers = self.partitions.values().filter(|held| held.running).filter_map(|held| held.timers.first());
        // Without room for a look nobody takes a due timer; the end of a look or a commit wakes the loop then.
        let timer = may_look.then(|| timers.map(|(when, _)| *when).min()).flatten();
        let partitions = &self.partitions;
        let waits = |ticket: &Ticket, class: Class| {
            let work = partitions.get(&ticket.partition).and_then(|held| held.work.get(&ticket.key));
            work.is_some_and(|work| matches!(work.phase, Phase::Queued(lane) if class == lane.into()))
        };
        let may_look = may_look && self.staged.len() < self.settings.commit_max;
        let queue = may_look.then(|| self.queue.wake(now, waits)).flatten();
        [timer, queue, self.commit_due(now)].into_iter().flatten().min()
    }

    /// Whether decisions wait for a commit, or one is under way.
    pub fn has_uncommitted(&self) -> bool {
        !(self.staged.is_empty()
            && self.committing.is_empty()
            && self.unreadable.is_empty()
            && self.committing_unreadable.is_empty())
    }

    /// How many looks may be under way at a time.
    pub fn max_in_flight(&self) -> usize {
        self.settings.max_in_flight
    }

    /// The metrics.
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Whether every partition that is ours has been restored, and how many there are.
    pub fn restored(&self) -> (bool, usize) {
        let held: Vec<_> = self.partitions.values().filter(|held| held.assigned).collect();
        (held.iter().all(|held| held.running), held.len())
    }

    /// The entry of a key, if its partition is worked on here.
    pub fn entry(&self, key: &Key) -> Option<&Entry> {
        self.partitions.values().find_map(|held| held.entries.get(key))
    }

    fn gauges(&self) {
        let running = self.partitions.values().filter(|held| held.running);
        self.metrics.partitions_running.set(running.clone().count() as i64);
        self.metrics.ledger_entries.set(running.map(|held| held.entries.len()).sum::<usize>() as i64);
    }
}

impl Outcome {
    /// Whether an event of this outcome repairs what no webhook told.
    const fn publishes(self) -> bool {
        matches!(self, Outcome::Published | Outcome::Deleted)
    }
}

impl Wake {
    /// Whether any hint is part of it.
    fn is_hinted(&self) -> bool {
        self.hint_id.is_some()
    }
}

#[cfg(test)]
mod tests;
