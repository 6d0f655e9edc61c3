//! The decision: what to publish and when to look again, given what was published and what ARGOS says now.
//!
//! Pure: no async, no clock, no logging, no I/O; time and chance are arguments. This is the rule table, in order;
//! the first row that applies decides, and its outcome is the label of the metric.
//!
//! | # | entry | truth | outcome | effect |
//! |---|---|---|---|---|
//! | 1 | erased | any | `erased` | nothing, ever |
//! | 2 | grave | absent, or shown as deleted | `still_gone` | nothing |
//! | 3 | without history | absent, ladder not ended | `unknown_id` | look again along the ladder |
//! | 4 | without history | absent, ladder ended | `forgotten` | entry dropped, claims reported unconfirmed |
//! | 5 | published | absent, first time or too soon | `suspected_deletion` | look again after the pause |
//! | 6 | published | absent again after the pause | `deleted` | event, tombstone, grave |
//! | 7 | published | shown as deleted | `deleted` | event, tombstone, grave |
//! | 8 | without history | shown as deleted | `born_deleted` | grave, no event |
//! | 9 | published | live, older by the vendor's clock, ladder not ended | `stale_read` | look again along the ladder |
//! | 10 | without history | live, before `live_since` | `baselined` | snapshot and entry at sequence 0, no event |
//! | 11 | none or grave | live | `published` | events of the first sight, snapshot |
//! | 12 | published | live, differs only because we read differently | `rebaselined` | snapshot and entry, no event |
//! | 13 | published | live, differs | `published` | one event for each facet that changed, snapshot |
//! | 14 | published | live, equal | `unchanged` | nothing |
//!
//! Without a look: what failed or could not be asked is set aside, and what an operator has erased becomes a grave that
//! no row but the first ever touches (`failure.rs`).
//!
//! After rows 10 to 14 the claims of the hints are held against the truth ([`agreement`]); what is not shown yet is
//! looked for again along the ladder, and the next look is set (`schedule.rs`). An older clock still shown when the
//! ladder has ended is accepted (`clock_regressed`), so that no key sticks.
//!
//! The laws (hint-blind, idempotent, monotone, convergent, total) are property tests in `laws.rs`.

pub mod agreement;
mod changes;
mod facts;
mod failure;
#[cfg(test)]
mod laws;
pub mod rebuild;
mod records;
mod schedule;
mod wake;

pub(crate) use facts::{AML_WORD, WordHashes};
pub use facts::{fingerprint, publishable, summary};
pub use failure::{erase, fail, hold, park};
pub use wake::Wake;

use crate::policy::{Baseline, Policy};
use models::facts::KycStatus;
use models::{
    Agreement, Answer, Check, CheckReason, DeadLetter, Entry, Event, EventKind, Grave, GraveReason, Key, Notification,
    Pending, StateChange, Submission, Time, Truth,
};

/// What became of one look; the label of `argos_relay_decisions_total`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// Row 1.
    Erased,
    /// Row 2.
    StillGone,
    /// Row 3.
    UnknownId,
    /// Row 4.
    Forgotten,
    /// Row 5.
    SuspectedDeletion,
    /// Rows 6 and 7.
    Deleted,
    /// Row 8.
    BornDeleted,
    /// Row 9.
    StaleRead,
    /// Row 10.
    Baselined,
    /// Rows 11 and 13.
    Published,
    /// Row 12.
    Rebaselined,
    /// Row 14.
    Unchanged,
    /// A look that failed: set aside.
    Failed,
    /// Failed for good: a dead letter, and a daily look.
    DeadLettered,
    /// Set aside without a look.
    Parked,
}

impl Outcome {
    /// Every outcome.
    pub const ALL: [Outcome; 15] = [
        Outcome::Erased,
        Outcome::StillGone,
        Outcome::UnknownId,
        Outcome::Forgotten,
        Outcome::SuspectedDeletion,
        Outcome::Deleted,
        Outcome::BornDeleted,
        Outcome::StaleRead,
        Outcome::Baselined,
        Outcome::Published,
        Outcome::Rebaselined,
        Outcome::Unchanged,
        Outcome::Failed,
        Outcome::DeadLettered,
        Outcome::Parked,
    ];

    /// The metric label.
    pub const fn as_str(self) -> &'static str {
        match self {
            Outcome::Erased => "erased",
            Outcome::StillGone => "still_gone",
            Outcome::UnknownId => "unknown_id",
            Outcome::Forgotten => "forgotten",
            Outcome::SuspectedDeletion => "suspected_deletion",
            Outcome::Deleted => "deleted",
            Outcome::BornDeleted => "born_deleted",
            Outcome::StaleRead => "stale_read",
            Outcome::Baselined => "baselined",
            Outcome::Published => "published",
            Outcome::Rebaselined => "rebaselined",
            Outcome::Unchanged => "unchanged",
            Outcome::Failed => "failed",
            Outcome::DeadLettered => "dead_lettered",
            Outcome::Parked => "parked",
        }
    }
}

/// What a decision asks for. A later layer performs it.
#[derive(Clone, Debug)]
pub struct Decision {
    /// Exactly one label.
    pub outcome: Outcome,
    /// In order of sequence.
    pub events: Vec<Event>,
    /// The state topic.
    pub state: StateChange,
    /// The new entry; `None` = forget the key.
    pub entry: Option<Entry>,
    /// At most one.
    pub dead_letter: Option<DeadLetter>,
    /// For operators.
    pub notifications: Vec<Notification>,
    /// An older vendor clock was accepted at the end of the ladder.
    pub clock_regressed: bool,
}

impl Decision {
    /// A decision that publishes nothing.
    fn quiet(outcome: Outcome, entry: Option<Entry>) -> Decision {
        Decision {
            outcome,
            events: Vec::new(),
            state: StateChange::Keep,
            entry,
            dead_letter: None,
            notifications: Vec::new(),
            clock_regressed: false,
        }
    }
}

/// All that a decision may know, besides chance.
#[derive(Clone, Copy, Debug)]
pub struct Case<'a> {
    /// The project's rules.
    pub policy: &'a Policy,
    /// The submission.
    pub key: &'a Key,
    /// What the ledger remembers.
    pub entry: Option<&'a Entry>,
    /// Why we looked; moves `check` and fills `provenance`, never a fact (but for notices).
    pub wake: &'a Wake,
    /// Our clock.
    pub now: Time,
    /// When the partition first ran with this project.
    pub first_run: Time,
}

/// Compares what was published with what ARGOS says.
pub fn decide(case: &Case<'_>, truth: &Truth, rng: &mut fastrand::Rng) -> Decision {
    let mut entry = case.entry.cloned().unwrap_or_default();
    let pending = case.wake.pending(case.entry);
    entry.pending = None;
    if entry.is_erased() {
        entry.check = None;
        return Decision::quiet(Outcome::Erased, Some(entry));
    }
    match &truth.answer {
        Answer::Absent => absent(case, truth, entry, pending, rng),
        Answer::Present(submission) if submission.kyc.status == KycStatus::Deleted => {
            shown_as_deleted(case, truth, entry, &pending)
        }
        Answer::Present(submission) => live(case, truth, submission, entry, pending, rng),
    }
}

/// Rows 2 to 6.
fn absent(case: &Case<'_>, truth: &Truth, mut entry: Entry, mut pending: Pending, rng: &mut fastrand::Rng) -> Decision {
    pending.stale_since = None;
    if entry.grave.is_some() {
        entry.check = None;
        return Decision::quiet(Outcome::StillGone, Some(entry));
    }
    if entry.published.is_none() {
        let since = *pending.absent_since.get_or_insert(case.now);
        let Some(due) = schedule::ladder(case.policy, since, case.now, rng) else {
            let mut decision = Decision::quiet(Outcome::Forgotten, None);
            decision.notifications = schedule::unconfirmed(case, &pending);
            return decision;
        };
        entry.check = Some(Check { due, reason: CheckReason::UnknownId });
        entry.pending = Some(Box::new(pending));
        return Decision::quiet(Outcome::UnknownId, Some(entry));
    }
    let since = *pending.absent_since.get_or_insert(truth.asked_at);
    let believed_at = since + case.policy.deletion_confirm_after;
    if since < truth.asked_at && believed_at <= truth.asked_at {
        return bury(case, truth, &entry, &pending);
    }
    entry.check = Some(Check { due: schedule::later(believed_at, rng), reason: CheckReason::SuspectedDeletion });
    entry.pending = Some(Box::new(pending));
    Decision::quiet(Outcome::SuspectedDeletion, Some(entry))
}

/// Rows 2, 7 and 8.
fn shown_as_deleted(case: &Case<'_>, truth: &Truth, mut entry: Entry, pending: &Pending) -> Decision {
    if entry.published.is_some() {
        return bury(case, truth, &entry, pending);
    }
    entry.check = None;
    if entry.grave.is_some() {
        return Decision::quiet(Outcome::StillGone, Some(entry));
    }
    entry.grave = Some(Grave { at: case.now, reason: GraveReason::Deleted });
    entry.since = case.now;
    Decision::quiet(Outcome::BornDeleted, Some(entry))
}

/// Rows 6 and 7: the last event of a submission, the tombstone and the grave belong together.
fn bury(case: &Case<'_>, truth: &Truth, entry: &Entry, pending: &Pending) -> Decision {
    let agreement = agreement::of_deletion(&pending.claims);
    let event = records::deleted(case, truth, entry, pending, agreement);
    let buried = Entry {
        sequence: event.sequence,
        published: None,
        since: case.now,
        pending: None,
        check: None,
        grave: Some(Grave { at: case.now, reason: GraveReason::Deleted }),
    };
    let mut decision = Decision::quiet(Outcome::Deleted, Some(buried));
    decision.events.push(event);
    decision.state = StateChange::Tombstone;
    decision
}

/// Rows 9 to 14.
fn live(
    case: &Case<'_>,
    truth: &Truth,
    submission: &Submission,
    mut entry: Entry,
    mut pending: Pending,
    rng: &mut fastrand::Rng,
) -> Decision {
    let older = agreement::is_older(submission.updated_at, entry.published.as_ref().and_then(|last| last.updated_at));
    if older {
        let since = *pending.stale_since.get_or_insert(case.now);
        if let Some(due) = schedule::ladder(case.policy, since, case.now, rng) {
            pending.absent_since = None;
            entry.check = Some(Check { due, reason: CheckReason::StaleRead });
            entry.pending = Some(Box::new(pending));
            return Decision::quiet(Outcome::StaleRead, Some(entry));
        }
    }
    let agreement = agreement::settle_claims(case.policy, submission, &mut pending.claims);
    let mut decision = publish(case, truth, submission, &entry, &pending, agreement);
    decision.clock_regressed = older;
    if let Some(next) = decision.entry.as_mut() {
        let ladder = schedule::claims(case, &mut pending, rng);
        if ladder.is_none() {
            decision.notifications = schedule::unconfirmed(case, &pending);
            pending.claims.clear();
        }
        next.check = schedule::next(case, submission, next, ladder, rng);
        next.pending = schedule::remaining(pending);
    }
    decision
}

/// Rows 10 to 14 without the schedule.
fn publish(
    case: &Case<'_>,
    truth: &Truth,
    submission: &Submission,
    entry: &Entry,
    pending: &Pending,
    agreement: Agreement,
) -> Decision {
    let (facts, notices) = facts::publishable(case, submission, entry, pending);
    let summary = facts::summary(&facts, submission, notices, entry.published.as_ref());
    let (outcome, kinds) = match &entry.published {
        None if is_baseline(case, submission, entry) => (Outcome::Baselined, Vec::new()),
        None => (Outcome::Published, changes::first_sight(&facts)),
        Some(last) => match changes::compare(last, &summary, &submission.personal) {
            changes::Difference::None => (Outcome::Unchanged, Vec::new()),
            changes::Difference::OurReading => (Outcome::Rebaselined, Vec::new()),
            changes::Difference::Vendor(kinds) => (Outcome::Published, kinds),
        },
    };
    let confirmed = records::Confirmed { case, truth, entry, pending, facts: &facts, notices, agreement };
    let events = records::events(&confirmed, kinds);
    let sequence = entry.sequence + events.len() as u64;
    let status_changed = entry.published.as_ref().is_none_or(|last| last.kyc_status != summary.kyc_status);
    let next = Entry {
        sequence,
        since: if status_changed { case.now } else { entry.since },
        published: Some(summary),
        pending: None,
        check: None,
        grave: None,
    };
    let mut decision = Decision::quiet(outcome, Some(next));
    if outcome != Outcome::Unchanged {
        decision.state = StateChange::Put(Box::new(records::snapshot(facts, sequence, truth, submission)));
    }
    decision.events = events;
    decision
}

/// Row 10: known to be older than `live_since`, by both of the vendor's clocks.
fn is_baseline(case: &Case<'_>, submission: &Submission, entry: &Entry) -> bool {
    let Baseline::Snapshots { live_since } = case.policy.baseline else {
        return false;
    };
    let live_since = live_since.unwrap_or(case.first_run);
    let before = |time: Option<Time>| time.is_some_and(|time| time < live_since);
    !entry.has_history() && before(submission.created_at) && before(submission.updated_at.or(submission.created_at))
}

/// The event of a KYC status that was not published before.
const fn kind_of_status(status: KycStatus, first: bool) -> EventKind {
    match status {
        KycStatus::Incomplete if first => EventKind::Created,
        KycStatus::Pending => EventKind::Pending,
        KycStatus::Approved => EventKind::Approved,
        KycStatus::Rejected => EventKind::Rejected,
        KycStatus::Deleted => EventKind::Deleted,
        KycStatus::Incomplete | KycStatus::Unknown => EventKind::Updated,
    }
}
