//! The document that explains one submission.

use crate::operate::moment::Moment;
use models::{Check, CheckReason, Claim, Entry, GraveReason};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The answer to `/api/v1/submissions/{project}/{id}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Explain {
    /// `<project>/<submission_id>`.
    pub key: String,
    /// When this was told.
    pub now: Moment,
    /// Its partition of the hints.
    pub partition: i32,
    /// Who holds that, as Kafka tells it; null while it tells nobody.
    pub owner: Option<Owner>,
    /// Where it stands.
    pub verdict: Verdict,
    /// What the ledger holds; null = nothing.
    pub entry: Option<EntryView>,
    /// Oldest first.
    pub timeline: Vec<Happened>,
    /// How far back the topics were read.
    pub topics: Reached,
    /// What the owner remembers.
    pub journal: JournalView,
}

/// Who holds the partition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Owner {
    /// Its `kafka.instance_id`.
    pub instance: String,
    /// Whether it is the replica that answers.
    #[serde(rename = "self")]
    pub is_self: bool,
}

/// Where it stands, why, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Verdict {
    /// A word for programs; more may come.
    pub code: String,
    /// One to three plain sentences.
    pub text: String,
}

/// The ledger's entry, as committed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct EntryView {
    /// The sequence of the last event; 0 = none.
    pub sequence: u64,
    /// The KYC status last published; null = none, or it is gone.
    pub kyc_status: Option<String>,
    /// The AML status last published.
    pub aml_status: Option<String>,
    /// The last look, as far as the owner remembers; null elsewhere.
    pub last_look: Option<LastLook>,
    /// When it is looked at again; null = never.
    pub next_look: Option<NextLook>,
    /// What webhooks claimed and no GET has shown.
    pub claims: Vec<ClaimView>,
    /// Failed looks in a row.
    pub failures: u16,
    /// Set once it is gone.
    pub grave: Option<GraveView>,
}

/// A look.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct LastLook {
    /// When it was answered.
    pub at: Moment,
    /// How: `present`, `absent`, or the class of a failure.
    pub outcome: String,
    /// What was decided by it; null = nothing yet.
    pub rule: Option<String>,
}

/// A look to come.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct NextLook {
    /// Not before.
    pub due: Moment,
    /// Why, as a word.
    pub reason: String,
    /// Why, for people.
    pub text: String,
}

/// A claim.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ClaimView {
    /// The vendor's trigger.
    pub trigger: String,
    /// The KYC status claimed.
    pub kyc_status: Option<String>,
    /// Whether a deletion is claimed.
    pub deleted: bool,
}

/// A grave.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct GraveView {
    /// Since when.
    pub at: Moment,
    /// `deleted` or `erased`.
    pub reason: String,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Happened {
    /// When.
    pub at: Moment,
    /// What, as a word; more may come.
    pub kind: String,
    /// `topic`: every replica tells it; `journal`: only the owner does.
    pub source: String,
    /// What, for people.
    pub text: String,
    /// More, by kind.
    #[serde(flatten)]
    pub details: Map<String, Value>,
}

/// How far back the topics were read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Reached {
    /// Hints since then.
    pub hints_from: Moment,
    /// Events since then; null = all that the topic has.
    pub events_from: Option<Moment>,
    /// Whether all of that was read before a bound was reached.
    pub complete: bool,
}

/// What the owner remembers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct JournalView {
    /// Whether the timeline has details of it.
    pub available: bool,
    /// Since when they exist.
    pub from: Option<Moment>,
    /// Who has them.
    pub owner: Option<String>,
}

impl EntryView {
    /// Without the last look.
    pub fn of(entry: &Entry) -> EntryView {
        let pending = entry.pending.as_deref();
        let published = entry.published.as_ref();
        EntryView {
            sequence: entry.sequence,
            kyc_status: published.map(|last| last.kyc_status.to_string()),
            aml_status: published.map(|last| last.aml_status.to_string()),
            last_look: None,
            next_look: entry.check.map(NextLook::from),
            claims: pending.map(|pending| pending.claims.iter().map(ClaimView::from).collect()).unwrap_or_default(),
            failures: pending.map_or(0, |pending| pending.failures),
            grave: entry.grave.map(|grave| GraveView { at: grave.at.into(), reason: word(grave.reason).to_owned() }),
        }
    }
}

const fn word(reason: GraveReason) -> &'static str {
    match reason {
        GraveReason::Deleted => "deleted",
        GraveReason::Erased => "erased",
    }
}

impl From<Check> for NextLook {
    fn from(check: Check) -> NextLook {
        let (reason, text) = (check.reason.as_str().to_owned(), because(check.reason).to_owned());
        NextLook { due: check.due.into(), reason, text }
    }
}

impl From<&Claim> for ClaimView {
    fn from(claim: &Claim) -> ClaimView {
        ClaimView {
            trigger: claim.trigger.clone(),
            kyc_status: claim.status.map(|status| status.to_string()),
            deleted: claim.deleted,
        }
    }
}

/// Why a look is due, for people.
pub(super) const fn because(reason: CheckReason) -> &'static str {
    match reason {
        CheckReason::Unconfirmed => "a webhook claims what the last GET did not show",
        CheckReason::StaleRead => "the last GET showed an older state than is published",
        CheckReason::UnknownId => "ARGOS showed no such submission",
        CheckReason::SuspectedDeletion => "it was absent once; a second look decides",
        CheckReason::Incomplete => "the applicant has not finished",
        CheckReason::UnderReview => "ARGOS has not decided",
        CheckReason::AmlExpected => "approved, and a screening is expected",
        CheckReason::Failed => "the last look failed",
        CheckReason::DeadLettered => "its answer could not be read; it is looked at daily",
        CheckReason::Relook => "a look by age, whatever the list says",
        CheckReason::Parked => "it was set aside: no budget, or ARGOS was not asked",
    }
}
