//! What ARGOS said when asked, and the seam through which it is asked.

use crate::{AmlStatus, Key, Kyc, Page, PageQuery, Risk, Time};
use serde::{Deserialize, Serialize};
use std::future::Future;
use std::time::Duration;

/// The answer to one GET, with the time at which it was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Truth {
    /// When the GET started (our clock): the truth is not older than this, unless the vendor's read was stale.
    pub asked_at: Time,
    /// What it said.
    pub answer: Answer,
}

/// Present or absent. A failure is neither: see [`LookError`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// A success that shows no such submission. A suspicion, not a deletion.
    Absent,
    /// The submission. With [`crate::KycStatus::Deleted`] it is shown as deleted.
    Present(Box<Submission>),
}

/// One submission as the single GET shows it, in our words, personal data already left out by policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Submission {
    /// The customer's id of the user, where the policy lets it in.
    pub user_id: Option<String>,
    /// When it was made (vendor's clock).
    pub created_at: Option<Time>,
    /// When it last changed (vendor's clock); what "older" is measured by.
    pub updated_at: Option<Time>,
    /// The identity check.
    pub kyc: Kyc,
    /// The screening status as shown: `NotScreened`, `RedFlag` or `Unknown`; never `Clear`, which GET cannot show.
    pub aml_status: AmlStatus,
    /// ARGOS's word for it, verbatim.
    pub aml_vendor_status: String,
    /// The risk level.
    pub risk: Risk,
    /// How many matches are shown.
    pub matches: u32,
    /// Whether the project screens this submission at all, where the answer tells.
    pub aml_expected: Option<bool>,
    /// Digest of the personal block under the current key, and under the previous one while both are valid.
    pub personal: [Option<PersonalDigest>; 2],
    /// How this was read.
    pub reading: Reading,
}

/// HMAC-SHA256 of the canonical personal block under a deployment secret, cut to 64 bits; never the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PersonalDigest {
    /// Which key: the first 32 bits of its SHA-256.
    pub key: u32,
    /// The digest.
    pub digest: u64,
}

/// How an answer was turned into our words. A difference explained by another reading alone is not ARGOS's change:
/// the decision re-baselines without an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Reading {
    /// Version of the normalizer; grows when the same document reads differently.
    pub normalizer: u16,
    /// The personal-data policy in force: one bit for each field that may be shown.
    pub policy: u16,
}

/// Why a GET gave no truth; each variant is what the caller does next.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LookError {
    /// Try again later: timeouts, 5xx, lost connections. The vendor is at fault, not the submission.
    #[error("ARGOS did not answer: {0}")]
    Retry(String),
    /// Slow down: 429, or a quota message. Wait at least as long as told.
    #[error("ARGOS asks us to slow down")]
    Throttled {
        /// `Retry-After`, if it was given.
        retry_after: Option<Duration>,
    },
    /// Stop asking for this project: 401 or 403, a wrong key or an address that is not on ARGOS's list.
    #[error("ARGOS refuses the API key or our address: {0}")]
    Denied(String),
    /// The answer for this submission cannot be read, though ARGOS answers. Counts towards a dead letter.
    #[error("the answer cannot be read: {0}")]
    Unreadable(String),
    /// No such project is configured here (any more).
    #[error("no such project is configured")]
    UnknownProject,
}

/// The seam to ARGOS: one submission, or one page of the list.
pub trait TruthSource: Send + Sync + 'static {
    /// Asks once, bounded in time and size. No retries: the reconciler schedules those.
    fn look(&self, key: &Key) -> impl Future<Output = Result<Truth, LookError>> + Send;

    /// Asks for one page of the list, bounded in time and size. No retries.
    fn page(&self, query: &PageQuery) -> impl Future<Output = Result<Page, LookError>> + Send;
}
