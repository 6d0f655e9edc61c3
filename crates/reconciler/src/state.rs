//! What the loop knows: partitions, entries, who waits, who runs, and what is staged for the next commit.
//!
//! Sync and without a clock; [`crate::driver`] is the shell around it. Two invariants live here: a key has one
//! pending run and one run at a time, and an entry in memory changes only after its commit succeeded.

mod batch;
mod partition;

pub use batch::Settings;
use partition::{Gathered, Partition, Phase, Work};

use crate::budget::HourlyCap;
use crate::decision::{self, Case, Decision, Outcome, Wake};
use crate::metrics::Metrics;
use crate::policy::Policy;
use crate::queue::{Next, Queue, Ticket};
use models::{Answer, CheckReason, DeadLetter, Entry, Hint, Key, Lane, LedgerEvent, LookError, Row, Time, Truth};
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
        let rates = projects.iter().map(|(id, rules)| (id.clone(), rules.requests_per_second));
        let queue = Queue::new(rates.collect::<Vec<_>>(), settings.patience, now);
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
            LedgerEvent::Ready { partition, epoch, live, bulk, of: _ } => {
                if let Some(held) = self.current(partition, epoch) {
                    held.start(live, bulk);
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

    #[expect(clippy::too_many_arguments, reason = "the fields of one ledger event")]
    fn on_hint(&mut self, partition: i32, epoch: u64, lane: Lane, offset: i64, key: Key, hint: Hint, now: Time) {
        let Some(held) = self.partitions.get_mut(&partition).filter(|held| held.epoch == epoch && held.running) else {
            return;
        };
        self.metrics.hints.with_label_values(&[lane.as_str(), hint.source.as_str()]).inc();
        // A look that is under way began before this hint was read: it covers nothing of it.
        let idle = !held.work.contains_key(&key);
        let entry = held.entries.get(&key);
        let equal = entry.is_some_and(|entry| hint.row.as_ref().is_some_and(|row| is_equal(entry, row)));
        let gathered = Gathered::of_hint(hint, lane, offset);
        if entry.is_some_and(|entry| entry.is_erased() || (idle && (equal || gathered.wake.is_covered_by(entry)))) {
            held.window(lane).skip(offset);
            self.metrics.hints_coalesced.inc();
            return;
        }
        held.window(lane).open(offset);
        if let Some(work) = held.work.get_mut(&key) {
            self.metrics.hints_coalesced.inc();
            let promoted = work.add(gathered, lane);
            if work.erases() {
                self.enqueue_or_hold(partition, key, lane, now);
            } else if promoted {
                self.enqueue(partition, key, lane, now);
            }
        } else {
            held.work.insert(key.clone(), Work::queued(gathered, lane));
            self.enqueue_or_hold(partition, key, lane, now);
        }
    }

    /// Queues a key that hints woke. They are set aside with it while it backs off after a failure, or while too many
    /// claims wait; an operator's request does not wait, and an erasure needs no look.
    fn enqueue_or_hold(&mut self, partition: i32, key: Key, lane: Lane, now: Time) {
        let held = self.partitions.get(&partition);
        let Some(work) = held.and_then(|held| held.work.get(&key)) else { return };
        let wake = &work.current.wake;
        let entry = held.and_then(|held| held.entries.get(&key));
        let erases = wake.erase;
        let waits = entry.is_some_and(|entry| {
            let backs_off = entry.check.is_some_and(|check| {
                matches!(check.reason, CheckReason::Failed | CheckReason::DeadLettered) && check.due > now
            });
            backs_off || wake.is_one_of_too_many(entry)
        });
        let holds = waits && wake.cause != models::Cause::Operator && self.projects.contains_key(key.project());
        if !erases && !holds {
            self.enqueue(partition, key, lane, now);
        } else if let Some(run) = self.begin(&Ticket { partition, key, queued_at: now }) {
            self.decide(run, now, |case, _| if erases { decision::erase(case) } else { decision::hold(case) });
        }
    }

    fn enqueue(&mut self, partition: i32, key: Key, lane: Lane, now: Time) {
        let refused = self.queue.push(lane, Ticket { partition, key, queued_at: now }).err();
        if let Some(ticket) = refused
            && let Some(run) = self.begin(&ticket)
        {
            self.finish(&run, &Err(LookError::UnknownProject), now);
        }
    }

    /// The next look to make, if one may be made now. Due timers and keys set aside are handled on the way.
    pub fn next_run(&mut self, now: Time) -> Option<Run> {
        self.wake_due(now);
        loop {
            if self.staged.len() >= self.settings.commit_max {
                return None; // the ledger is slower than ARGOS: wait for it
            }
            let partitions = &self.partitions;
            let waits = |ticket: &Ticket, lane: Lane| {
                let work = partitions.get(&ticket.partition).and_then(|held| held.work.get(&ticket.key));
                work.is_some_and(|work| work.phase == Phase::Queued(lane))
            };
            match self.queue.next(now, waits) {
                Next::Look(ticket) => {
                    if let Some(run) = self.begin(&ticket) {
                        return Some(run);
                    }
                }
                Next::Park(ticket, until) => {
                    if let Some(run) = self.begin(&ticket) {
                        self.decide(run, now, |case, rng| decision::park(case, until, rng));
                    }
                }
                Next::Wait(_) | Next::Idle => return None,
            }
        }
    }

    fn wake_due(&mut self, now: Time) {
        let mut due = Vec::new();
        for (partition, held) in &mut self.partitions {
            while held.running && held.timers.first().is_some_and(|(when, _)| *when <= now) {
                let Some((_, key)) = held.timers.pop_first() else {
                    break;
                };
                if !held.work.contains_key(&key) {
                    let lane = held.entries.get(&key).map_or(Lane::Bulk, lane_of);
                    held.work.insert(key.clone(), Work::queued(Gathered::recheck(), lane));
                    due.push((*partition, key, lane));
                }
            }
        }
        for (partition, key, lane) in due {
            self.enqueue(partition, key, lane, now);
        }
    }

    fn begin(&mut self, ticket: &Ticket) -> Option<Run> {
        let held = self.partitions.get_mut(&ticket.partition).filter(|held| held.running)?;
        let work = held.work.get_mut(&ticket.key)?;
        work.phase = Phase::Running;
        Some(Run { partition: ticket.partition, epoch: held.epoch, key: ticket.key.clone() })
    }

    /// Takes the result of a look. A result of an earlier assignment is void.
    pub fn finish(&mut self, run: &Run, result: &Result<Truth, LookError>, now: Time) {
        let level = self.queue.record(run.key.project(), result.as_ref().err(), now);
        if self.projects.contains_key(run.key.project()) {
            self.metrics.breaker_state.with_label_values(&[run.key.project()]).set(level);
        }
        let mut cap = self.deletions.remove(run.key.project()).unwrap_or_default();
        let mut held_until = None;
        self.decide(run.clone(), now, |case, rng| match result {
            Ok(truth) => {
                let decision = decision::decide(case, truth, rng);
                if decision.outcome != Outcome::Deleted || truth.answer != Answer::Absent {
                    return decision;
                }
                // Absence is believed up to a cap: an outage that looks like an empty vendor must not bury the ledger.
                match cap.take(case.policy.deletions_per_hour, now) {
                    Ok(()) => decision,
                    Err(until) => {
                        held_until = Some(until);
                        decision::park(case, until, rng)
                    }
                }
            }
            Err(error) => decision::fail(case, error, rng),
        });
        self.deletions.insert(run.key.project().to_owned(), cap);
        if let Some(until) = held_until {
            let project = run.key.project();
            self.metrics.deletions_held.with_label_values(&[project]).inc();
            tracing::warn!(project, submission = run.key.submission(), %until, "a deletion waits: the hourly cap is reached");
        }
    }

    fn decide(&mut self, run: Run, now: Time, rule: impl FnOnce(&Case<'_>, &mut fastrand::Rng) -> Decision) {
        let policy = self.projects.get(run.key.project()).map_or(&self.unknown, |rules| &rules.policy);
        let Some(held) = self.partitions.get_mut(&run.partition).filter(|held| held.epoch == run.epoch && held.running)
        else {
            return;
        };
        let Some(work) = held.work.get_mut(&run.key) else {
            return;
        };
        let case = Case { policy, key: &run.key, entry: held.entries.get(&run.key), wake: &work.current.wake, now };
        let decision = rule(&case, &mut self.rng);
        work.phase = Phase::Staged;
        self.metrics.decisions.with_label_values(&[decision.outcome.as_str()]).inc();
        self.staged.push(Staged { run, decision, at: now });
    }

    /// When something is to be done that no event announces.
    /// `may_look` is whether another look could be started at once.
    pub fn next_wake(&self, now: Time, may_look: bool) -> Option<Time> {
        let timers = self.partitions.values().filter(|held| held.running).filter_map(|held| held.timers.first());
        // Without room for a look nobody takes a due timer; the end of a look or a commit wakes the loop then.
        let timer = may_look.then(|| timers.map(|(when, _)| *when).min()).flatten();
        let partitions = &self.partitions;
        let waits = |ticket: &Ticket, lane: Lane| {
            let work = partitions.get(&ticket.partition).and_then(|held| held.work.get(&ticket.key));
            work.is_some_and(|work| work.phase == Phase::Queued(lane))
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

/// Whether a list row shows nothing that the entry does not hold.
fn is_equal(entry: &Entry, row: &Row) -> bool {
    if row.kyc_status == Some(models::KycStatus::Deleted) && entry.grave.is_some() {
        return true; // a deleted submission stays in the list
    }
    entry.published.as_ref().is_some_and(|last| {
        row.kyc_status.is_none_or(|status| status == last.kyc_status)
            && row.risk.is_none_or(|risk| risk == last.risk)
            && row.aml_vendor_status.as_ref().is_none_or(|word| decision::is_aml_word(last, word))
            && row.updated_at.is_some()
            && row.updated_at == last.updated_at
    })
}

/// Which lane a look of ours belongs to.
fn lane_of(entry: &Entry) -> Lane {
    let Some(check) = entry.check else { return Lane::Bulk };
    match check.reason {
        CheckReason::Unconfirmed
        | CheckReason::StaleRead
        | CheckReason::SuspectedDeletion
        | CheckReason::AmlExpected => Lane::Live,
        CheckReason::Failed | CheckReason::Parked if is_pressing(entry) => Lane::Live,
        CheckReason::Failed
        | CheckReason::Parked
        | CheckReason::UnknownId
        | CheckReason::Incomplete
        | CheckReason::UnderReview
        | CheckReason::DeadLettered
        | CheckReason::Relook => Lane::Bulk,
    }
}

/// Whether work that was set aside is live: a webhook's claim or notice waits, or a suspicion. What a sweep or an age
/// asked for stays bulk, so that a backlog of it never stands before webhooks.
fn is_pressing(entry: &Entry) -> bool {
    entry.pending.as_ref().is_some_and(|pending| {
        let suspected = pending.absent_since.is_some() && entry.published.is_some();
        !pending.claims.is_empty() || !pending.notices.is_empty() || pending.stale_since.is_some() || suspected
    })
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
