//! What the ledger remembers of one submission.
//!
//! Owns the ledger's record format. A reader that meets an unknown version must refuse ([`LedgerFormat`]), never
//! guess. Kept compact: one entry a submission lives in memory.

use crate::{AmlStatus, Claim, KycStatus, Monitoring, Notices, PersonalDigest, Reading, Risk, Time};
use serde::{Deserialize, Serialize};

/// The published facts that `changed` can name, besides those that the entry holds in full.
pub const HASHED_FIELDS: [&str; 9] = [
    "submission.user_id",
    "submission.created_at",
    "kyc.vendor_status",
    "kyc.decided_at",
    "kyc.reviewer",
    "kyc.origin",
    "kyc.reasons",
    "aml.vendor_status",
    "aml.matches",
];

/// What was last published of a submission: enough to tell every change, and no more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Published {
    /// The KYC status.
    pub kyc_status: KycStatus,
    /// The AML status.
    pub aml_status: AmlStatus,
    /// The risk level.
    pub risk: Risk,
    /// The monitoring status.
    pub monitoring: Monitoring,
    /// Retries counted.
    pub retries: u32,
    /// The vendor's clock.
    pub updated_at: Option<Time>,
    /// One short hash for each of [`HASHED_FIELDS`].
    pub hashes: [u32; HASHED_FIELDS.len()],
    /// The fingerprint of the facts: the first 128 bits of their SHA-256.
    pub fingerprint: u128,
    /// The digest of the personal block.
    pub personal: Option<PersonalDigest>,
    /// How the facts were read.
    pub reading: Reading,
    /// The notices that the published facts rest on.
    pub notices: Notices,
}

/// Why a submission is to be looked at again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum CheckReason {
    /// A hint claims what the last GET did not show.
    Unconfirmed,
    /// The last GET showed an older state than is published.
    StaleRead,
    /// No such submission was shown for an id that never published.
    UnknownId,
    /// A published submission was absent once.
    SuspectedDeletion,
    /// Still incomplete.
    Incomplete,
    /// Still under review.
    UnderReview,
    /// Approved, screening expected, none seen.
    AmlExpected,
    /// The last look failed.
    Failed,
    /// Its answer could not be read ten times; a daily look.
    DeadLettered,
    /// By age, whatever the list says.
    Relook,
    /// Set aside without a look: no budget, or the project's breaker is open.
    Parked,
}

impl CheckReason {
    /// Every reason.
    pub const ALL: &'static [CheckReason] = &[
        CheckReason::Unconfirmed,
        CheckReason::StaleRead,
        CheckReason::UnknownId,
        CheckReason::SuspectedDeletion,
        CheckReason::Incomplete,
        CheckReason::UnderReview,
        CheckReason::AmlExpected,
        CheckReason::Failed,
        CheckReason::DeadLettered,
        CheckReason::Relook,
        CheckReason::Parked,
    ];

    /// The word in metric labels and answers to operators.
    pub const fn as_str(self) -> &'static str {
        match self {
            CheckReason::Unconfirmed => "unconfirmed",
            CheckReason::StaleRead => "stale_read",
            CheckReason::UnknownId => "unknown_id",
            CheckReason::SuspectedDeletion => "suspected_deletion",
            CheckReason::Incomplete => "incomplete",
            CheckReason::UnderReview => "under_review",
            CheckReason::AmlExpected => "aml_expected",
            CheckReason::Failed => "failed",
            CheckReason::DeadLettered => "dead_lettered",
            CheckReason::Relook => "relook",
            CheckReason::Parked => "parked",
        }
    }
}

/// When to look again, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// Not before this time.
    pub due: Time,
    /// Why.
    pub reason: CheckReason,
}

/// What is unsettled about a submission: claims not yet shown by a GET, failures, a suspicion.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Pending {
    /// The distinct claims that wait for confirmation, oldest first, at most [`Pending::MAX_CLAIMS`].
    pub claims: Vec<Claim>,
    /// The newest of their hints, for provenance.
    pub hint_id: Option<String>,
    /// When that hint came.
    pub hinted_at: Option<Time>,
    /// Notices not yet part of the published facts.
    pub notices: Notices,
    /// Since when the newest distinct claim was looked for in vain (our clock); where its ladder starts.
    pub claimed_since: Option<Time>,
    /// Since when GETs show an older state than is published; where that ladder starts.
    pub stale_since: Option<Time>,
    /// Failed looks in a row.
    pub failures: u16,
    /// Of these, answers that could not be read.
    pub unreadable: u16,
    /// When the first of them failed.
    pub failing_since: Option<Time>,
    /// Since when GETs show no such submission.
    pub absent_since: Option<Time>,
}

impl Pending {
    /// How many distinct claims are kept; the oldest goes first.
    pub const MAX_CLAIMS: usize = 8;

    /// Whether as many claims wait as are kept.
    pub fn is_full(&self) -> bool {
        self.claims.len() >= Self::MAX_CLAIMS
    }

    /// Adds a claim unless it is there already; says whether it was new.
    pub fn add_claim(&mut self, claim: &Claim) -> bool {
        if self.claims.contains(claim) {
            return false;
        }
        if self.is_full() {
            self.claims.remove(0);
        }
        self.claims.push(claim.clone());
        true
    }
}

/// Why an entry is a grave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum GraveReason {
    /// Confirmed absent, or shown as deleted.
    Deleted,
    /// An operator had it erased: never fetched or published again.
    Erased,
}

/// A submission that is gone; kept so that its sequence never starts again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grave {
    /// Since when (our clock).
    pub at: Time,
    /// Why.
    pub reason: GraveReason,
}

/// One submission in the ledger.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Entry {
    /// The sequence of the last event; 0 = none yet (a baseline, or never confirmed).
    pub sequence: u64,
    /// What was last published; `None` before the first confirmation and in a grave.
    pub published: Option<Published>,
    /// Since when the KYC status is as it is (our clock); what ages and back-offs are measured from.
    pub since: Time,
    /// What is unsettled.
    pub pending: Option<Box<Pending>>,
    /// When to look again.
    pub check: Option<Check>,
    /// Set once it is gone.
    pub grave: Option<Grave>,
}

impl Entry {
    /// Whether the key must be remembered for good: it published something, or is a grave.
    pub fn has_history(&self) -> bool {
        self.sequence > 0 || self.published.is_some() || self.grave.is_some()
    }

    /// Whether it published nothing, and a GET showed no such submission.
    pub fn is_unknown(&self) -> bool {
        !self.has_history() && self.pending.as_ref().is_some_and(|pending| pending.absent_since.is_some())
    }

    /// Whether an operator had it erased.
    pub fn is_erased(&self) -> bool {
        self.grave.is_some_and(|grave| grave.reason == GraveReason::Erased)
    }

    /// The ledger's bytes: one version byte, then postcard.
    pub fn encode(&self) -> Vec<u8> {
        // Serialising into a Vec cannot fail: every type here has a fixed shape and no map.
        postcard::to_extend(self, vec![LEDGER_VERSION]).unwrap_or_default()
    }

    /// Reads the ledger's bytes.
    pub fn decode(bytes: &[u8]) -> Result<Entry, LedgerFormat> {
        match bytes.split_first() {
            Some((&LEDGER_VERSION, rest)) => {
                postcard::from_bytes(rest).map_err(|error| LedgerFormat::Damaged(error.to_string()))
            }
            Some((&version, _)) => Err(LedgerFormat::UnknownVersion(version)),
            None => Err(LedgerFormat::Damaged("empty".to_owned())),
        }
    }
}

/// The version byte of the entries written by this release.
pub const LEDGER_VERSION: u8 = 1;

/// Why a ledger record cannot be read. Either way the service refuses to start: guessing would break the sequence.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LedgerFormat {
    /// Written by another release.
    #[error("ledger record of version {0}; this release reads version {LEDGER_VERSION}")]
    UnknownVersion(u8),
    /// Not a ledger record.
    #[error("damaged ledger record: {0}")]
    Damaged(String),
}
