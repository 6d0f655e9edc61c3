//! Looks: which is made next, and what becomes of its answer.

use super::partition::{Gathered, Partition, Phase, Work};
use super::{Run, Staged, State, Task};
use crate::decision::{self, Case, Decision, Outcome};
use crate::journal::What;
use crate::queue::{Class, Next, Queue, Ticket, Turned};
use models::{Answer, CheckReason, Entry, LookError, Notification, ProjectId, Time, Truth};
use std::collections::BTreeMap;

impl State {
    /// Due timers and walks join the queue.
    pub fn prepare(&mut self, now: Time) {
        self.wake_due(now);
        self.want_pages(now);
        self.prepared_at = now;
    }

    /// What to ask ARGOS next, if it may be asked now. Keys set aside are handled on the way.
    pub fn next_task(&mut self, now: Time) -> Option<Task> {
        loop {
            if self.staged.len() >= self.settings.commit_max {
                return None; // the ledger is slower than ARGOS: wait for it
            }
            let partitions = &self.partitions;
            match self.queue.next(now, |ticket, class| is_queued(partitions, ticket, class)) {
                Next::Look { ticket, probe } => {
                    if let Some(run) = self.begin(&ticket) {
                        self.journal.note(&run.key, now, What::Asked { probe });
                        return Some(Task::Look(Run { probe, ..run }));
                    }
                }
                Next::Page { project, probe } => {
                    if let Some(task) = self.begin_page(&project, probe, now) {
                        return Some(task);
                    }
                }
                Next::Park(ticket, until) => {
                    if let Some(run) = self.begin(&ticket) {
                        self.decide(run, now, |case, rng, _| decision::park(case, until, rng));
                    }
                }
                Next::QuotaSpent { project, until } => {
                    tracing::warn!(project, %until, "this replica's share of the daily quota is spent");
                    self.tell(&project, |project| Notification::QuotaSpent { project, until, at: now });
                }
                Next::Wait(_) | Next::Idle => return None,
            }
        }
    }

    fn wake_due(&mut self, now: Time) {
        let mut due = Vec::new();
        for (partition, held) in self.partitions.iter_mut().filter(|(_, held)| held.running) {
            for key in held.take_due(now) {
                if !held.work.contains_key(&key) {
                    let entry = held.entries.get(&key);
                    let class = entry.as_ref().map_or(Class::Bulk, class_of);
                    let reason = entry.and_then(|entry| entry.check).map(|check| check.reason);
                    self.journal.note(&key, now, What::Due(reason));
                    held.work.insert(key.clone(), Work::queued(Gathered::recheck(), class));
                    due.push((*partition, key, class));
                }
            }
        }
        for (partition, key, class) in due {
            self.enqueue(partition, key, class, now);
        }
    }

    /// When the partition of a run first ran with its project.
    fn first_run(&self, run: &Run) -> Time {
        self.queue.first_run(run.key.project(), run.partition).unwrap_or(Time::MIN)
    }

    pub(super) fn begin(&mut self, ticket: &Ticket) -> Option<Run> {
        let held = self.partitions.get_mut(&ticket.partition).filter(|held| held.running)?;
        let work = held.work.get_mut(&ticket.key)?;
        work.phase = Phase::Running;
        work.trace(&self.traces, ticket.partition, &ticket.key);
        let (key, trace) = (ticket.key.clone(), work.span.context());
        Some(Run { partition: ticket.partition, epoch: held.epoch, key, probe: false, trace })
    }

    /// Takes the result of a look. A result of an earlier assignment is void.
    pub fn finish(&mut self, run: &Run, result: &Result<Truth, LookError>, now: Time) {
        let project = run.key.project();
        self.record(project, run.probe, result.as_ref().err(), now);
        // Absence is believed up to a cap: an outage that looks like an empty vendor must not bury the ledger.
        let mut held_until = None;
        self.decide(run.clone(), now, |case, rng, queue| match result {
            Ok(truth) => {
                let decision = decision::decide(case, truth, rng);
                if decision.outcome != Outcome::Deleted || truth.answer != Answer::Absent {
                    return decision;
                }
                match queue.take_deletion(project, run.partition, now) {
                    Ok(()) => decision,
                    Err(until) => {
                        held_until = Some(until);
                        decision::park(case, until, rng)
                    }
                }
            }
            Err(error) => decision::fail(case, error, rng),
        });
        if let Some(until) = held_until {
            self.metrics.deletions_held.with_label_values(&[project]).inc();
            tracing::warn!(project, submission = run.key.submission(), %until, "a deletion waits: the hourly cap is reached");
            // Once an hour, however many wait.
            if self.deletions_told.insert(project.to_owned(), until) != Some(until) {
                self.tell(project, |project| Notification::DeletionsHeld { project, until, at: now });
            }
        }
    }

    /// Tells budget and breaker of the end of a request.
    pub(super) fn record(&mut self, project: &str, probe: bool, error: Option<&LookError>, now: Time) {
        if !self.projects.contains_key(project) {
            return;
        }
        let recorded = self.queue.record(project, probe, error, now);
        self.metrics.breaker_state.with_label_values(&[project]).set(recorded.level);
        match recorded.turned {
            Some(Turned::Opened { why, until }) => {
                tracing::warn!(project, why, %until, "the breaker is open: ARGOS is not asked for this project");
                self.tell(project, |project| Notification::BreakerOpened { project, why, until, at: now });
            }
            Some(Turned::Closed) => {
                tracing::info!(project, "the breaker is closed: ARGOS answers again");
                self.tell(project, |project| Notification::BreakerClosed { project, at: now });
            }
            None => {}
        }
    }

    /// Something for operators that belongs to no submission; goes with the next commit.
    pub(super) fn tell(&mut self, project: &str, notice: impl FnOnce(ProjectId) -> Notification) {
        if let Ok(project) = ProjectId::new(project) {
            self.notices.push(notice(project));
        }
    }

    pub(super) fn decide(
        &mut self,
        run: Run,
        now: Time,
        rule: impl FnOnce(&Case<'_>, &mut fastrand::Rng, &mut Queue) -> Decision,
    ) {
        let policy = self.projects.get(run.key.project()).map_or(&self.unknown, |rules| &rules.policy);
        let first_run = self.first_run(&run);
        let Some(held) = self.partitions.get_mut(&run.partition).filter(|held| held.epoch == run.epoch && held.running)
        else {
            return;
        };
        let Some(work) = held.work.get_mut(&run.key) else {
            return;
        };
        let entry = held.entries.get(&run.key);
        let case = Case { policy, key: &run.key, entry: entry.as_ref(), wake: &work.current.wake, now, first_run };
        let mut decision = rule(&case, &mut self.rng, &mut self.queue);
        decision.notifications.extend(repaired(&case, &decision));
        work.phase = Phase::Staged;
        self.metrics.decisions.with_label_values(&[decision.outcome.as_str()]).inc();
        self.journal.note(&run.key, now, What::of(&decision));
        self.staged.push(Staged { run, decision, at: now });
    }
}

/// Whether a ticket still stands for a key that waits in that class.
pub(super) fn is_queued(partitions: &BTreeMap<i32, Partition>, ticket: &Ticket, class: Class) -> bool {
    let work = partitions.get(&ticket.partition).and_then(|held| held.work.get(&ticket.key));
    work.is_some_and(|work| work.phase == Phase::Queued(class))
}

/// What to tell of a change that no webhook told: of one that was published before, or was made since the service ran.
fn repaired(case: &Case<'_>, decision: &Decision) -> Option<Notification> {
    let is_new = || {
        let made = decision.events.first().and_then(|event| event.data.submission.created_at);
        made.is_some_and(|made| made >= case.first_run)
    };
    let known = case.entry.is_some_and(Entry::has_history) || is_new();
    let last = decision.events.last().filter(|_| known && !case.wake.is_told() && waits_for_nobody(case))?;
    Some(Notification::GapRepaired {
        key: case.key.clone(),
        cause: case.wake.cause,
        sequence: last.sequence,
        at: case.now,
    })
}

/// Whether no webhook's claim waits for this look.
fn waits_for_nobody(case: &Case<'_>) -> bool {
    let pending = case.entry.and_then(|entry| entry.pending.as_ref());
    pending.is_none_or(|pending| pending.claims.is_empty() && pending.notices.is_empty())
}

/// Which class a look of ours belongs to.
pub(super) fn class_of(entry: &Entry) -> Class {
    let Some(check) = entry.check else { return Class::Bulk };
    if entry.is_unknown() {
        return Class::Unknown;
    }
    match check.reason {
        CheckReason::Unconfirmed
        | CheckReason::StaleRead
        | CheckReason::SuspectedDeletion
        | CheckReason::AmlExpected => Class::Live,
        CheckReason::Failed | CheckReason::Parked if is_pressing(entry) => Class::Live,
        CheckReason::Failed
        | CheckReason::Parked
        | CheckReason::UnknownId
        | CheckReason::Incomplete
        | CheckReason::UnderReview
        | CheckReason::DeadLettered
        | CheckReason::Relook => Class::Bulk,
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
