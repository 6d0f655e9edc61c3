//! Events and snapshots out of a decided case. Pure.

use super::changes::Kind;
use super::{Case, facts};
use models::event::{EventData, event_id};
use models::{
    Agreement, AmlStatus, Entry, Event, EventKind, Facts, KycStatus, Notices, Pending, Previous, Provenance, Snapshot,
    Submission, SubmissionFacts, Truth,
};
use sha2::{Digest, Sha256};

/// All that the events of one confirmation have in common.
pub(super) struct Confirmed<'a> {
    pub(super) case: &'a Case<'a>,
    pub(super) truth: &'a Truth,
    pub(super) entry: &'a Entry,
    pub(super) pending: &'a Pending,
    pub(super) facts: &'a Facts,
    pub(super) notices: Notices,
    pub(super) agreement: Agreement,
}

/// One event for each kind, numbered on from the entry.
pub(super) fn events(confirmed: &Confirmed<'_>, kinds: Vec<Kind>) -> Vec<Event> {
    if kinds.is_empty() {
        return Vec::new();
    }
    let fingerprint = facts::fingerprint(confirmed.facts);
    let entry = confirmed.entry;
    let vendor_time = match &confirmed.truth.answer {
        models::Answer::Present(submission) => submission.updated_at,
        models::Answer::Absent => None,
    };
    (entry.sequence + 1..)
        .zip(kinds)
        .map(|(sequence, (kind, changed))| {
            let mut provenance =
                provenance(confirmed.case, confirmed.truth, confirmed.pending, confirmed.agreement, fingerprint);
            if confirmed.facts.aml.status == AmlStatus::Clear {
                let passed = confirmed.notices.aml.map(|notice| notice.authentication).unwrap_or_default();
                provenance.notice_authentication = passed.names().map(str::to_owned).collect();
            }
            Event {
                id: event_id(confirmed.case.key, sequence, fingerprint),
                kind,
                key: confirmed.case.key.clone(),
                sequence,
                time: vendor_time.unwrap_or(confirmed.truth.asked_at),
                recorded_at: confirmed.case.now,
                traceparent: confirmed.case.wake.traceparent.clone(),
                data: EventData {
                    submission: confirmed.facts.submission.clone(),
                    kyc: Some(confirmed.facts.kyc.clone()),
                    aml: Some(confirmed.facts.aml.clone()),
                    previous: previous(entry, sequence - 1),
                    changed,
                    provenance,
                },
            }
        })
        .collect()
}

/// The last event of a submission: ids and `previous` only.
pub(super) fn deleted(case: &Case<'_>, truth: &Truth, entry: &Entry, pending: &Pending, agreement: Agreement) -> Event {
    let sequence = entry.sequence + 1;
    let digest: [u8; 32] = Sha256::digest(b"deleted").into();
    let fingerprint = u128::from_be_bytes(std::array::from_fn(|index| digest[index]));
    let vendor_time = match &truth.answer {
        models::Answer::Present(submission) => submission.updated_at,
        models::Answer::Absent => None,
    };
    Event {
        id: event_id(case.key, sequence, fingerprint),
        kind: EventKind::Deleted,
        key: case.key.clone(),
        sequence,
        time: vendor_time.unwrap_or(truth.asked_at),
        recorded_at: case.now,
        traceparent: case.wake.traceparent.clone(),
        data: EventData {
            submission: SubmissionFacts {
                project: case.key.project().to_owned(),
                id: case.key.submission().to_owned(),
                user_id: None,
                created_at: None,
            },
            kyc: None,
            aml: None,
            previous: previous(entry, entry.sequence),
            changed: vec!["kyc.status".to_owned()],
            provenance: provenance(case, truth, pending, agreement, fingerprint),
        },
    }
}

/// What stood before this confirmation. After a grave that is `deleted`.
fn previous(entry: &Entry, sequence: u64) -> Option<Previous> {
    let (kyc_status, aml_status) = match (&entry.published, &entry.grave) {
        (Some(last), _) => (last.kyc_status, last.aml_status),
        (None, Some(_)) => (KycStatus::Deleted, AmlStatus::Unknown),
        (None, None) => return None,
    };
    Some(Previous { sequence, kyc_status, aml_status })
}

fn provenance(
    case: &Case<'_>,
    truth: &Truth,
    pending: &Pending,
    agreement: Agreement,
    fingerprint: u128,
) -> Provenance {
    Provenance {
        cause: case.wake.cause,
        trigger: case.wake.trigger.clone(),
        hint_id: pending.hint_id.clone(),
        hinted_at: pending.hinted_at,
        confirmed_at: truth.asked_at,
        agreement,
        notice_authentication: Vec::new(),
        vendor_updated_at: match &truth.answer {
            models::Answer::Present(submission) => submission.updated_at,
            models::Answer::Absent => None,
        },
        fingerprint: format!("{fingerprint:032x}"),
    }
}

/// The value of the state topic.
pub(super) fn snapshot(facts: Facts, sequence: u64, truth: &Truth, submission: &Submission) -> Snapshot {
    Snapshot { facts, sequence, confirmed_at: truth.asked_at, vendor_updated_at: submission.updated_at }
}
