//! What a version of a submission's history, a look, a list row and published facts say of one another.

use super::{Book, Look, Seen};
use crate::plan::STALE;
use crate::world::{Life, Shown, Version};
use models::{Aml, AmlStatus, CheckReason, Entry, Event, EventKind, Kyc, KycStatus, Monitoring, Risk, Row};

/// Whether a look shows what an event tells, and the look itself is of its time.
pub(super) fn tells(life: &Life, look: &Look, event: &Event) -> bool {
    let Seen::Version(index) = look.seen else { return false };
    let Some(version) = life.versions.get(index) else { return false };
    let ends = life.versions.get(index + 1).map_or(i64::MAX, |next| next.from);
    let of_its_time = version.from <= look.ended && look.started <= ends.saturating_add(STALE);
    let told = match (&event.data.kyc, &event.data.aml) {
        (Some(kyc), Some(aml)) => version.shown == Shown::Live && matches(version, kyc, aml),
        _ => event.kind == EventKind::Deleted && version.shown != Shown::Live,
    };
    of_its_time && told
}

pub(super) fn is_absent(life: &Life, look: &Look) -> bool {
    match look.seen {
        Seen::Version(index) => life.versions.get(index).is_some_and(|version| version.shown == Shown::Gone),
        Seen::Flicker | Seen::Nothing => true,
        Seen::Failed => false,
    }
}

/// Whether published facts are those of a version; a clean screening is told by notices alone.
pub(super) fn matches(version: &Version, kyc: &Kyc, aml: &Aml) -> bool {
    let codes: Vec<&str> = kyc.reasons.iter().map(|reason| reason.code.as_str()).collect();
    let flagged = (aml.status == AmlStatus::RedFlag, aml.risk == Risk::High);
    kyc.status == version.status
        && kyc.retries == version.retries
        && codes == version.reason.into_iter().collect::<Vec<_>>()
        && flagged == (version.flagged, version.flagged)
}

/// Whether an entry holds what a row shows.
pub(super) fn shows(entry: &Entry, row: &Row) -> bool {
    if row.kyc_status == Some(KycStatus::Deleted) && entry.grave.is_some() {
        return true;
    }
    let same = |last: &models::Published| Some(last.kyc_status) == row.kyc_status && last.updated_at == row.updated_at;
    entry.published.as_ref().is_some_and(same)
}

/// Whether a look waits in the ledger that could not be made, or failed.
pub(super) fn is_set_aside(entry: &Entry) -> bool {
    let waits = |reason| matches!(reason, CheckReason::Parked | CheckReason::Failed | CheckReason::DeadLettered);
    entry.check.is_some_and(|check| waits(check.reason))
}

/// When what is true now came to life, or back to it.
pub(super) fn born(life: &Life) -> i64 {
    let gone = life.versions.iter().rposition(|version| version.shown != Shown::Live);
    let first = gone.map_or(0, |index| index + 1);
    life.versions.get(first).map_or(i64::MAX, |version| version.from)
}

/// What the notices of this life must have led to.
pub(super) fn noticed(life: &Life, book: &Book, aml: &Aml) -> Option<&'static str> {
    let born = born(life);
    let since = |times: &[i64]| times.iter().any(|at| *at >= born);
    let flagged = life.versions.iter().any(|version| version.flagged);
    let approved = life.versions.last().is_some_and(|version| version.status == KycStatus::Approved);
    if approved && !flagged && since(&book.screened) && aml.status != AmlStatus::Clear {
        return Some("a notice of the screening is lost");
    }
    (since(&book.monitored) && aml.monitoring != Monitoring::Registered).then_some("a notice of the monitoring is lost")
}
