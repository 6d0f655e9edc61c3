//! When to look again. Pure; chance only spreads due times.

use super::Case;
use crate::policy::Policy;
use models::{AmlStatus, Check, CheckReason, Entry, KycStatus, Notification, Pending, Submission, Time};
use std::time::Duration;

/// A due time a little later than asked: up to a tenth of a second, so that keys do not march in step.
pub(super) fn later(due: Time, rng: &mut fastrand::Rng) -> Time {
    due + Duration::from_millis(rng.u64(0..100))
}

/// `pause` from `now`, spread by up to a tenth of itself.
fn spread(now: Time, pause: Duration, rng: &mut fastrand::Rng) -> Time {
    now + pause + pause.mul_f64(rng.f64() / 10.0)
}

/// The next step of a ladder that began at `since`; `None` once it has ended. Measured by time, not by looks: a
/// burst of hints neither shortens nor prolongs it.
pub(super) fn ladder(policy: &Policy, since: Time, now: Time, rng: &mut fastrand::Rng) -> Option<Time> {
    let mut step_at = since;
    for pause in &policy.ladder {
        step_at = step_at + *pause;
        if step_at > now {
            return Some(step_at + pause.mul_f64(rng.f64() / 10.0));
        }
    }
    None
}

/// When a ladder that began at `since` ends.
pub(super) fn ladder_end(policy: &Policy, since: Time) -> Time {
    policy.ladder.iter().fold(since, |end, pause| end + *pause)
}

/// The next step for the claims that wait, if any do and their ladder has not ended.
pub(super) fn claims(case: &Case<'_>, pending: &mut Pending, rng: &mut fastrand::Rng) -> Option<Time> {
    if pending.claims.is_empty() {
        return None;
    }
    let since = *pending.claimed_since.get_or_insert(case.now);
    ladder(case.policy, since, case.now, rng)
}

/// The pause after `failures` failed looks in a row: by attempts, never by the number of triggers.
pub(super) fn after_failure(policy: &Policy, failures: u16, now: Time, rng: &mut fastrand::Rng) -> Time {
    let doublings = u32::from(failures.saturating_sub(1)).min(20);
    let pause = policy.failure_first.saturating_mul(1 << doublings).min(policy.failure_cap);
    spread(now, pause, rng)
}

/// The claims that the ladder did not confirm, for operators.
pub(super) fn unconfirmed(case: &Case<'_>, pending: &Pending) -> Vec<Notification> {
    let told = |claim: &models::Claim| Notification::HintUnconfirmed {
        key: case.key.clone(),
        trigger: claim.trigger.clone(),
        hint_id: pending.hint_id.clone(),
        at: case.now,
    };
    pending.claims.iter().map(told).collect()
}

/// What still waits after a look that showed the submission.
pub(super) fn remaining(mut pending: Pending) -> Option<Box<Pending>> {
    pending.failures = 0;
    pending.unreadable = 0;
    pending.failing_since = None;
    pending.stale_since = None;
    pending.absent_since = None;
    if pending.claims.is_empty() {
        // The published entry has taken what counts of the notices; one that does not count is of no more use.
        return None;
    }
    Some(Box::new(pending))
}

/// The next look: the ladder if a claim waits, else by status, else by age.
pub(super) fn next(
    case: &Case<'_>,
    submission: &Submission,
    entry: &Entry,
    ladder: Option<Time>,
    rng: &mut fastrand::Rng,
) -> Option<Check> {
    let candidates = [
        ladder.map(|due| Check { due, reason: CheckReason::Unconfirmed }),
        settling(case, submission, entry, rng),
        relook(case, entry, rng),
    ];
    candidates.into_iter().flatten().min_by_key(|check| check.due)
}

/// Incomplete, under review, or approved with a screening to come: half of its age, between the two bounds.
fn settling(case: &Case<'_>, submission: &Submission, entry: &Entry, rng: &mut fastrand::Rng) -> Option<Check> {
    let last = entry.published.as_ref()?;
    let expected = submission.aml_expected.unwrap_or(case.policy.aml_expected);
    let reason = match last.kyc_status {
        KycStatus::Incomplete => CheckReason::Incomplete,
        KycStatus::Pending | KycStatus::Unknown => CheckReason::UnderReview,
        KycStatus::Approved if expected && last.aml_status == AmlStatus::NotScreened => CheckReason::AmlExpected,
        _ => return None,
    };
    let age = case.now.since(entry.since);
    if age >= case.policy.settle_for {
        return None;
    }
    let pause = (age / 2).max(case.policy.settle_first).min(case.policy.settle_cap);
    Some(Check { due: spread(case.now, pause, rng), reason })
}

/// The first age of the list that lies ahead; after the last, that one again and again.
fn relook(case: &Case<'_>, entry: &Entry, rng: &mut fastrand::Rng) -> Option<Check> {
    let age = case.now.since(entry.since);
    let last = *case.policy.relooks.last()?;
    let pause = case.policy.relooks.iter().find(|step| age < **step).map_or(last, |step| step.saturating_sub(age));
    Some(Check { due: spread(case.now, pause, rng), reason: CheckReason::Relook })
}
