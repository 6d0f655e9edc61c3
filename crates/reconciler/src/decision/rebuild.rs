//! An entry out of what the public topics still show of a submission, after the ledger was lost. Pure.
//!
//! What they do not show is not guessed: the entry says that it was read in a way that no release reads. So at the first
//! look only a status that moved with the vendor's clock is ARGOS's change; anything else re-baselines without an event.

use super::facts::{field_hashes, fingerprint};
use models::{
    Authentication, Check, CheckReason, Entry, Grave, GraveReason, KycStatus, Notice, Notices, Published, Reading,
    Snapshot, Time,
};
use std::time::Duration;

/// No release reads so.
const UNKNOWN: Reading = Reading { normalizer: u16::MAX, policy: u16::MAX };
/// Over so long the first looks at what is decided are spread.
const SPREAD: Duration = Duration::from_hours(24);

/// The last event of a submission that its topic still holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LastEvent {
    /// Its sequence.
    pub sequence: u64,
    /// Whether it told of the deletion.
    pub deleted: bool,
}

/// The entry of a submission with a snapshot, with events, or with both; `None` for one without either.
///
/// Events and snapshots are written together. So a submission with events and without a snapshot is gone: deleted, if its
/// last event says so, else erased.
pub fn rebuilt(
    snapshot: Option<&Snapshot>,
    last: Option<LastEvent>,
    now: Time,
    rng: &mut fastrand::Rng,
) -> Option<Entry> {
    let told = last.map_or(0, |last| last.sequence);
    let Some(snapshot) = snapshot else {
        let reason = if last?.deleted { GraveReason::Deleted } else { GraveReason::Erased };
        return Some(Entry { sequence: told, since: now, grave: Some(Grave { at: now, reason }), ..Entry::default() });
    };
    let facts = &snapshot.facts;
    let settled = matches!(facts.kyc.status, KycStatus::Approved | KycStatus::Rejected);
    let wait = if settled { rng.u64(0..SPREAD.as_millis() as u64) } else { 0 };
    let notice = |at: Time| Notice { at, authentication: Authentication::default() };
    let published = Published {
        kyc_status: facts.kyc.status,
        aml_status: facts.aml.status,
        risk: facts.aml.risk,
        monitoring: facts.aml.monitoring,
        retries: facts.kyc.retries,
        updated_at: snapshot.vendor_updated_at,
        hashes: field_hashes(facts),
        fingerprint: fingerprint(facts),
        personal: None,
        reading: UNKNOWN,
        notices: Notices {
            aml: facts.aml.notice_at.map(notice),
            monitoring: facts.aml.monitoring_notice_at.map(notice),
        },
    };
    Some(Entry {
        sequence: snapshot.sequence.max(told),
        published: Some(published),
        since: snapshot.confirmed_at,
        check: Some(Check { due: now + Duration::from_millis(wait), reason: CheckReason::Relook }),
        ..Entry::default()
    })
}
