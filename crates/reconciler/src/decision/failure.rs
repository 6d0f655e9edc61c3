//! A look that failed, or could not be made: the claims are set aside in the ledger, so that nothing but Kafka
//! itself ever holds an offset. Pure.

use super::{Case, Decision, Outcome, schedule};
use models::{
    Cause, Check, CheckReason, DeadLetter, Entry, Grave, GraveReason, LookError, Notice, Pending, StateChange, Time,
};

/// Sets a failed look aside. Backs off by failed attempts; a submission whose answers cannot be read gets one dead
/// letter and then a daily look.
pub fn fail(case: &Case<'_>, error: &LookError, rng: &mut fastrand::Rng) -> Decision {
    let mut pending = case.wake.pending(case.entry);
    let mut entry = case.entry.cloned().unwrap_or_default();
    pending.failures = pending.failures.saturating_add(1);
    let since = *pending.failing_since.get_or_insert(case.now);
    if *error == LookError::UnknownProject {
        return unknown_project(case, entry, letter(case, "unknown_project", error, pending.failures, since), rng);
    }
    let mut due = schedule::after_failure(case.policy, pending.failures, case.now, rng);
    let mut reason = CheckReason::Failed;
    let mut dead_letter = None;
    match error {
        LookError::Throttled { retry_after: Some(wait) } => due = due.max(case.now + *wait),
        LookError::Unreadable(_) => {
            pending.unreadable = pending.unreadable.saturating_add(1);
            if pending.unreadable >= case.policy.dead_letter_after {
                due = case.now + case.policy.dead_letter_pause;
                reason = CheckReason::DeadLettered;
            }
            if pending.unreadable == case.policy.dead_letter_after {
                dead_letter = Some(letter(case, "unreadable", error, pending.failures, since));
            }
        }
        _ => {}
    }
    entry.check = Some(Check { due, reason });
    entry.pending = Some(Box::new(pending));
    let outcome = if dead_letter.is_some() { Outcome::DeadLettered } else { Outcome::Failed };
    let mut decision = Decision::quiet(outcome, Some(entry));
    decision.dead_letter = dead_letter;
    decision
}

/// A project that is not configured (any more): a hint for it is dead-lettered. What was published keeps its schedule
/// at a slow pace, in case the project comes back, and our own looks tell nobody again.
fn unknown_project(case: &Case<'_>, mut entry: Entry, letter: DeadLetter, rng: &mut fastrand::Rng) -> Decision {
    let hinted = case.wake.hint_id.is_some() || entry.pending.is_some();
    entry.pending = None;
    let due = schedule::later(case.now + case.policy.dead_letter_pause, rng);
    entry.check = entry.published.is_some().then_some(Check { due, reason: CheckReason::DeadLettered });
    let outcome = if hinted { Outcome::DeadLettered } else { Outcome::Failed };
    let mut decision = Decision::quiet(outcome, Some(entry).filter(Entry::has_history));
    decision.dead_letter = hinted.then_some(letter);
    decision
}

/// Sets a look aside that could not be made: no budget, or an open breaker. Counts no failure. An id that nobody knew
/// when it was asked for does not outlive its ladder, however short the budget is: it is forgotten, unless a list or an
/// operator says that it is there, or a notice that counts waits: no list tells of that again. A key that had been set aside already keeps its place: hints push nobody back.
pub fn park(case: &Case<'_>, mut due: Time, rng: &mut fastrand::Rng) -> Decision {
    let mut pending = case.wake.pending(case.entry);
    let mut entry = case.entry.cloned().unwrap_or_default();
    if matches!(case.wake.cause, Cause::Sweep | Cause::Backfill | Cause::Operator) {
        pending.absent_since = pending.absent_since.filter(|_| entry.published.is_some());
    }
    if let Some(since) = pending.absent_since.filter(|_| entry.is_unknown() && !has_notice(case, &pending)) {
        let ends = schedule::ladder_end(case.policy, since);
        if ends <= case.now {
            let mut decision = Decision::quiet(Outcome::Forgotten, None);
            decision.notifications = schedule::unconfirmed(case, &pending);
            return decision;
        }
        due = due.min(ends);
    }
    let due = schedule::later(due, rng);
    let place = entry.check.filter(|check| check.reason == CheckReason::Parked && check.due > case.now);
    let due = place.map_or(due, |place| place.due.min(due));
    entry.check = Some(Check { due, reason: CheckReason::Parked });
    entry.pending = Some(Box::new(pending));
    Decision::quiet(Outcome::Parked, Some(entry))
}

/// Whether a notice waits that passed what the policy asks for.
fn has_notice(case: &Case<'_>, pending: &Pending) -> bool {
    let counts = |notice: &Notice| notice.authentication.any_of(case.policy.notice_authentication);
    [pending.notices.aml, pending.notices.monitoring].iter().flatten().any(counts)
}

/// An operator has the submission erased: the snapshot goes, and a grave stays, so that it is never asked for or
/// published again, even if it was never seen. No event: nothing has changed at ARGOS.
pub fn erase(case: &Case<'_>) -> Decision {
    let entry = case.entry.cloned().unwrap_or_default();
    if entry.is_erased() {
        return Decision::quiet(Outcome::Erased, Some(entry));
    }
    let state = if entry.published.is_some() { StateChange::Tombstone } else { StateChange::Keep };
    let erased = Entry {
        sequence: entry.sequence,
        published: None,
        since: case.now,
        pending: None,
        check: None,
        grave: Some(Grave { at: case.now, reason: GraveReason::Erased }),
    };
    Decision { state, ..Decision::quiet(Outcome::Erased, Some(erased)) }
}

/// Adds a wake to a key that already waits after a failure. Its due time stays: failures back off by attempts, never
/// by the number of triggers.
pub fn hold(case: &Case<'_>) -> Decision {
    let mut entry = case.entry.cloned().unwrap_or_default();
    entry.pending = Some(Box::new(case.wake.pending(case.entry)));
    Decision::quiet(Outcome::Parked, Some(entry))
}

fn letter(case: &Case<'_>, reason: &'static str, error: &LookError, attempts: u16, since: Time) -> DeadLetter {
    DeadLetter {
        key: Some(case.key.clone()),
        reason,
        message: error.to_string(),
        attempts: u32::from(attempts),
        first_seen: since,
        origin: None,
    }
}
