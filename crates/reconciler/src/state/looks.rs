//! Looks: which is made next, and what becomes of its answer.

use super::partition::{Gathered, Phase, Work};
use super::{Run, Staged, State};
use crate::decision::{self, Case, Decision, Outcome};
use crate::queue::{Class, Next, Ticket};
use models::{Answer, CheckReason, Entry, Lane, LookError, Time, Truth};

impl State {
    /// The next look to make, if one may be made now. Due timers and keys set aside are handled on the way.
    pub fn next_run(&mut self, now: Time) -> Option<Run> {
        self.wake_due(now);
        // What was spent counts from the start of this process: the ledger does not hold it yet.
        for (partition, project, standing) in self.queue.standings_to_write(now) {
            self.queue.standing_written(partition, &project, &standing, now);
        }
        loop {
            if self.staged.len() >= self.settings.commit_max {
                return None; // the ledger is slower than ARGOS: wait for it
            }
            let partitions = &self.partitions;
            let waits = |ticket: &Ticket, class: Class| {
                let work = partitions.get(&ticket.partition).and_then(|held| held.work.get(&ticket.key));
                work.is_some_and(|work| matches!(work.phase, Phase::Queued(lane) if class == lane.into()))
            };
            match self.queue.next(now, waits) {
                Next::Look { ticket, probe } => {
                    if let Some(run) = self.begin(&ticket) {
                        return Some(Run { probe, ..run });
                    }
                }
                Next::Park(ticket, until) => {
                    if let Some(run) = self.begin(&ticket) {
                        self.decide(run, now, |case, rng| decision::park(case, until, rng));
                    }
                }
                Next::QuotaSpent { .. } | Next::Page { .. } => {}
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

    pub(super) fn begin(&mut self, ticket: &Ticket) -> Option<Run> {
        let held = self.partitions.get_mut(&ticket.partition).filter(|held| held.running)?;
        let work = held.work.get_mut(&ticket.key)?;
        work.phase = Phase::Running;
        Some(Run { partition: ticket.partition, epoch: held.epoch, key: ticket.key.clone(), probe: false })
    }

    /// Takes the result of a look. A result of an earlier assignment is void.
    pub fn finish(&mut self, run: &Run, result: &Result<Truth, LookError>, now: Time) {
        let level = self.queue.record(run.key.project(), run.probe, result.as_ref().err(), now).level;
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

    pub(super) fn decide(&mut self, run: Run, now: Time, rule: impl FnOnce(&Case<'_>, &mut fastrand::Rng) -> Decision) {
        let policy = self.projects.get(run.key.project()).map_or(&self.unknown, |rules| &rules.policy);
        let Some(held) = self.partitions.get_mut(&run.partition).filter(|held| held.epoch == run.epoch && held.running)
        else {
            return;
        };
        let Some(work) = held.work.get_mut(&run.key) else {
            return;
        };
        let case = Case {
            policy,
            key: &run.key,
            entry: held.entries.get(&run.key),
            wake: &work.current.wake,
            now,
            first_run: Time::MIN,
        };
        let decision = rule(&case, &mut self.rng);
        work.phase = Phase::Staged;
        self.metrics.decisions.with_label_values(&[decision.outcome.as_str()]).inc();
        self.staged.push(Staged { run, decision, at: now });
    }
}

/// Which lane a look of ours belongs to.
pub(super) fn lane_of(entry: &Entry) -> Lane {
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
