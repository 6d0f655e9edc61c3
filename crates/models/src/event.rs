//! What downstream reads: events and snapshots.

use crate::facts::words;
use crate::{Aml, AmlStatus, Facts, Key, Kyc, KycStatus, SubmissionFacts, Time};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

words! {
    /// The type of an event (`ce_type`).
    EventKind {
        /// First seen, still incomplete.
        Created = "kyc.submission.created.v1",
        /// Still incomplete, more retries than before.
        Retried = "kyc.submission.retried.v1",
        /// Now under review.
        Pending = "kyc.submission.pending.v1",
        /// Approved; also when a rejection is reversed.
        Approved = "kyc.submission.approved.v1",
        /// Rejected; also when an approval is reversed.
        Rejected = "kyc.submission.rejected.v1",
        /// Status as before, or without an event of its own; other facts changed.
        Updated = "kyc.submission.updated.v1",
        /// Gone; a tombstone on the state topic comes with it.
        Deleted = "kyc.submission.deleted.v1",
        /// First time that the screening is known to be done.
        AmlScreened = "aml.screening.completed.v1",
        /// AML status or risk level changed after that.
        AmlRiskChanged = "aml.risk.changed.v1",
        /// Monitoring was registered or changed.
        AmlMonitoringChanged = "aml.monitoring.changed.v1",
    }
}

words! {
    /// What made us look.
    Cause {
        /// A webhook.
        Webhook = "webhook",
        /// A list walk.
        Sweep = "sweep",
        /// A schedule of ours.
        Recheck = "recheck",
        /// An operator's backfill.
        Backfill = "backfill",
        /// An operator's request for this submission.
        Operator = "operator",
    }
}

words! {
    /// How the confirmed truth stands to what the hints claimed.
    Agreement {
        /// It shows what was claimed.
        Agrees = "agrees",
        /// It is newer than what was claimed.
        Ahead = "ahead",
        /// It does not show what was claimed (yet).
        Behind = "behind",
        /// Nothing was claimed.
        None = "none",
    }
}

/// The state before the confirmation that yields this event. Events of one confirmation share it, except that
/// `sequence` is always one less than the event's own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Previous {
    /// The sequence of the event before this one.
    pub sequence: u64,
    /// The KYC status that was last published.
    pub kyc_status: KycStatus,
    /// The AML status that was last published.
    pub aml_status: AmlStatus,
}

/// Where an event comes from. Not facts: two confirmations of the same facts may differ here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Provenance {
    /// What made us look.
    pub cause: Cause,
    /// The vendor's trigger of the newest hint; `unknown` for a word that is none of the documented ones.
    pub trigger: Option<String>,
    /// The newest hint.
    pub hint_id: Option<String>,
    /// When it came.
    pub hinted_at: Option<Time>,
    /// When the GET that confirms this started.
    pub confirmed_at: Time,
    /// How the truth stands to the claims.
    pub agreement: Agreement,
    /// What the AML notice behind `clear` passed at the door; empty if no notice was used.
    pub notice_authentication: Vec<String>,
    /// The vendor's clock of the truth.
    pub vendor_updated_at: Option<Time>,
    /// The fingerprint of the facts, 32 hex characters.
    pub fingerprint: String,
}

/// The data of an event. `deleted` events carry ids and `previous` only, so `kyc` and `aml` are absent there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct EventData {
    /// Whose.
    pub submission: SubmissionFacts,
    /// The identity check as confirmed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kyc: Option<Kyc>,
    /// The screening as confirmed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aml: Option<Aml>,
    /// What was published before; `null` for the first event.
    pub previous: Option<Previous>,
    /// The published facts that differ, by path; `personal_data` for a change of what is not published.
    pub changed: Vec<String>,
    /// Where this comes from.
    pub provenance: Provenance,
}

/// One event, ready to be recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Deterministic: see [`event_id`].
    pub id: String,
    /// The type.
    pub kind: EventKind,
    /// The record's key.
    pub key: Key,
    /// 1 for the first event of a submission, then one more each.
    pub sequence: u64,
    /// The vendor's change time, else the start of the GET.
    pub time: Time,
    /// When it was decided (our clock).
    pub recorded_at: Time,
    /// W3C trace context: of the run that confirmed it if that is traced, else of the newest hint.
    pub traceparent: Option<String>,
    /// The payload.
    pub data: EventData,
}

/// `ce_id`: the first 32 hex characters of SHA-256 over project, submission, sequence and fingerprint, each ended
/// by a zero byte.
pub fn event_id(key: &Key, sequence: u64, fingerprint: u128) -> String {
    let mut hash = Sha256::new();
    for part in [key.project(), key.submission(), &sequence.to_string(), &format!("{fingerprint:032x}")] {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    let mut text = hex::encode(hash.finalize());
    text.truncate(32);
    text
}

/// The value of the compacted state topic: what is true now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Snapshot {
    /// Whose, and what.
    #[serde(flatten)]
    pub facts: Facts,
    /// The sequence of the last event; 0 for a baseline.
    pub sequence: u64,
    /// When the GET that confirms this started.
    pub confirmed_at: Time,
    /// The vendor's clock at that GET. A later look that finds the same facts under a newer clock writes no snapshot.
    pub vendor_updated_at: Option<Time>,
}
