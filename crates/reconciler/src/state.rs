//! What the loop knows: partitions, entries, who waits, who runs, and what is staged for the next commit.
//!
//! Sync and without a clock; [`crate::driver`] is the shell around it. Two invariants live here: a key has one
//! pending run and one run at a time, and an entry in memory changes only after its commit succeeded.

mod batch;
mod hints;
mod looks;
mod packed;
mod partition;
mod spans;
mod store;
mod timers;
mod views;
mod walks;

pub use batch::Settings;
use partition::Partition;
use walks::{StagedStep, WALKS};

use crate::decision::Decision;
use crate::journal::{Journal, What};
use crate::metrics::Metrics;
use crate::policy::Policy;
use crate::queue::{ProjectBudget, Queue};
use crate::sweep::{PageRun, SweepRules, Sweeper};
use models::{
    DeadLetter, Entry, Key, LedgerEvent, Memo, MemoKey, Notification, ProjectId, Request, Standing, Time, TraceContext,
    Traces,
};
use std::collections::{BTreeMap, HashMap};

/// One project as the loop sees it.
#[derive(Clone, Debug)]
pub struct ProjectRules {
    /// The rules of its decisions.
    pub policy: Policy,
    /// Its budget.
    pub budget: ProjectBudget,
    /// Its list walks.
    pub sweeps: SweepRules,
}

/// What to ask ARGOS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Task {
    /// One submission.
    Look(Run),
    /// One page of the list, and whether it is the breaker's probe.
    Page(PageRun, bool),
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
    /// Where it stands in its trace.
    pub trace: Option<TraceContext>,
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
    /// Until when operators know that deletions wait, by project.
    deletions_told: HashMap<String, Time>,
    partitions: BTreeMap<i32, Partition>,
    queue: Queue,
    sweeper: Sweeper,
    /// When [`State::prepare`] last looked at timers and walks.
    prepared_at: Time,
    staged: Vec<Staged>,
    unreadable: Vec<(i32, DeadLetter)>,
    steps: Vec<StagedStep>,
    notices: Vec<Notification>,
    /// The batch under way.
    committing: Option<batch::Committing>,
    /// Requests to be made durable, and how many are on their way.
    requests: Vec<Request>,
    asking: usize,
    /// Since when offsets wait that no decision carries.
    settle_since: Option<Time>,
    retry_at: Option<Time>,
    aborts: u32,
    rng: fastrand::Rng,
    metrics: Metrics,
    traces: Traces,
    /// How many partitions there are in all, once one was held.
    total: Option<i32>,
    /// For operators only: nothing is ever decided by it.
    journal: Journal,
    began: Time,
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
        for (id, rules) in &projects {
            metrics.declare(id, rules);
        }
        // In order of their names: whose turn is first is no matter of chance.
        let budgets: BTreeMap<_, _> = projects.iter().map(|(id, rules)| (id.clone(), rules.budget)).collect();
        let queue = Queue::new(budgets, settings.patience, now);
        let sweeps = projects.iter().filter_map(|(id, rules)| Some((ProjectId::new(id).ok()?, rules.sweeps.clone())));
        let sweeper = Sweeper::new(sweeps);
        State {
            settings,
            projects,
            unknown: Policy::default(),
            deletions_told: HashMap::new(),
            partitions: BTreeMap::new(),
            queue,
            sweeper,
            prepared_at: Time::MIN,
            staged: Vec::new(),
            unreadable: Vec::new(),
            steps: Vec::new(),
            notices: Vec::new(),
            committing: None,
            requests: Vec::new(),
            asking: 0,
            settle_since: None,
            retry_at: None,
            aborts: 0,
            rng,
            metrics,
            traces: Traces::default(),
            total: None,
            journal: Journal::default(),
            began: now,
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
                self.total = Some(of);
                let held = self.partitions.get_mut(&partition).filter(|held| held.epoch == epoch);
                if let Some(held) = held {
                    held.start(live, bulk);
                    self.queue.hold(partition, of, |project| standing_of(&held.memos, project), now);
                    if partition == WALKS {
                        self.start_walks();
                    }
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
                if partition == WALKS {
                    self.stop_walks();
                }
                self.gauges();
            }
            LedgerEvent::Memos { partition, epoch, memos } => {
                if let Some(held) = self.current(partition, epoch) {
                    held.remember(memos);
                }
            }
            LedgerEvent::Request { partition, epoch, lane, offset, request } => {
                self.on_request((partition, epoch), lane, offset, &request, now);
            }
            LedgerEvent::Expired { partition, epoch, lane, lost } => {
                self.on_expired((partition, epoch), lane, lost, now);
            }
            LedgerEvent::Failed(_) => {}
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
        let timer = may_look.then(|| timers.min()).flatten();
        // What was due by then is in the queue, or waits for a page or a commit.
        let walk = self.sweeper.next_due(now).filter(|due| may_look && *due > self.prepared_at);
        let partitions = &self.partitions;
        let may_look = may_look && self.staged.len() < self.settings.commit_max;
        let waits = |ticket: &_, class| looks::is_queued(partitions, ticket, class);
        let queue = may_look.then(|| self.queue.wake(now, waits)).flatten();
        [timer, walk, queue, self.commit_due(now)].into_iter().flatten().min()
    }

    /// Whether something waits for a commit, or one is under way.
    pub fn has_uncommitted(&self) -> bool {
        let waits = !(self.staged.is_empty() && self.unreadable.is_empty() && self.steps.is_empty());
        waits || self.committing.is_some()
    }

    /// How many looks may be under way at a time.
    pub fn max_in_flight(&self) -> usize {
        self.settings.max_in_flight
    }

    /// The metrics.
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Notes something of a key, for whoever asks.
    pub fn note(&mut self, key: &Key, now: Time, what: What) {
        self.journal.note(key, now, what);
    }

    /// Whether every partition that is ours has been restored, and how many there are.
    pub fn restored(&self) -> (bool, usize) {
        let held: Vec<_> = self.partitions.values().filter(|held| held.assigned).collect();
        (held.iter().all(|held| held.running), held.len())
    }

    /// The entry of a key, if its partition is worked on here.
    pub fn entry(&self, key: &Key) -> Option<Entry> {
        self.partitions.values().find_map(|held| held.entries.get(key))
    }

    fn gauges(&self) {
        let running = self.partitions.values().filter(|held| held.running);
        self.metrics.partitions_running.set(running.clone().count() as i64);
        self.metrics.ledger_entries.set(running.map(|held| held.entries.len()).sum::<usize>() as i64);
    }
}

/// What the ledger holds of a project on one partition.
fn standing_of(memos: &BTreeMap<MemoKey, Memo>, project: &str) -> Option<Standing> {
    let key = MemoKey::Standing(ProjectId::new(project).ok()?);
    match memos.get(&key)? {
        Memo::Standing(standing) => Some(*standing),
        Memo::Sweep(_) => None,
    }
}

#[cfg(test)]
mod tests;
