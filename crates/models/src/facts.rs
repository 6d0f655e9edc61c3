//! What is published about a submission: the open vocabulary of the topics.
//!
//! Every enum here is open for consumers: a vendor value without a word of ours becomes `unknown`, with the raw
//! value beside it.

use crate::Time;
use serde::{Deserialize, Serialize};

macro_rules! words {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[cfg_attr(test, derive(schemars::JsonSchema))]
        pub enum $name { $($(#[$doc])* #[serde(rename = $word)] $variant),+ }

        impl $name {
            /// Every value, in order.
            pub const ALL: &'static [$name] = &[$($name::$variant),+];

            /// The word on the wire and in metric labels.
            pub const fn as_str(self) -> &'static str {
                match self { $($name::$variant => $word),+ }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                out.pad(self.as_str())
            }
        }
    };
}
pub(crate) use words;

words! {
    /// Where the identity check of a submission stands.
    KycStatus {
        /// The applicant has not finished.
        Incomplete = "incomplete",
        /// A person has to decide.
        Pending = "pending",
        /// Accepted. Can still be reversed by the vendor's users.
        Approved = "approved",
        /// Refused. Can still be reversed by the vendor's users.
        Rejected = "rejected",
        /// Shown as deleted by the vendor, or confirmed absent.
        Deleted = "deleted",
        /// A value without a word of ours; the raw one stands beside it.
        Unknown = "unknown",
    }
}

words! {
    /// Where the watch-list screening stands.
    AmlStatus {
        /// Not screened as far as is known. ARGOS shows the same for "screened, no match".
        NotScreened = "not_screened",
        /// A screening was noticed, and a GET after it shows an approved submission that is not flagged.
        Clear = "clear",
        /// Similar to a listed person; not guilt, and no KYC decision.
        RedFlag = "red_flag",
        /// A value without a word of ours; the raw one stands beside it.
        Unknown = "unknown",
    }
}

words! {
    /// The vendor's summary of the AML risk.
    Risk {
        /// No level shown.
        Unknown = "unknown",
        /// Low.
        Low = "low",
        /// Medium.
        Medium = "medium",
        /// High.
        High = "high",
    }
}

words! {
    /// Ongoing AML monitoring. ARGOS's GET does not show it; a notice does.
    Monitoring {
        /// No notice of a registration came.
        Unknown = "unknown",
        /// A sufficiently authenticated notice told of a registration.
        Registered = "registered",
    }
}

words! {
    /// Who decided the KYC result.
    Origin {
        /// The vendor's system.
        Automatic = "automatic",
        /// A person.
        Manual = "manual",
        /// Not decided, or not told.
        Unknown = "unknown",
    }
}

/// Why a submission was rejected, or had to be tried again.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Reason {
    /// The vendor's code, verbatim; an open list. Empty if only a text was given.
    pub code: String,
    /// Our grouping of the code, for example `document_unreadable`; `other` when the code has no group.
    pub category: String,
    /// The reviewer's free text; null unless the personal-data policy lets it in. May be sealed.
    pub text: Option<String>,
}

/// The identity check, as last confirmed.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Kyc {
    /// Our word for the status.
    pub status: KycStatus,
    /// ARGOS's word, verbatim.
    pub vendor_status: String,
    /// When it was decided, by the vendor's clock.
    pub decided_at: Option<Time>,
    /// `system`, or a person's address where the personal-data policy lets it in; that one may be sealed.
    pub reviewer: Option<String>,
    /// Whether the system or a person decided.
    pub origin: Origin,
    /// How often the applicant had to try again.
    pub retries: u32,
    /// Why, in the vendor's order.
    pub reasons: Vec<Reason>,
}

/// The screening, as last confirmed, with what notices add.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Aml {
    /// Our word for the status.
    pub status: AmlStatus,
    /// ARGOS's word, verbatim; empty if it shows none.
    pub vendor_status: String,
    /// The risk level.
    pub risk: Risk,
    /// How many matches are shown.
    pub matches: u32,
    /// When a notice of a finished screening came (our clock).
    pub notice_at: Option<Time>,
    /// Whether ongoing monitoring is known to be registered.
    pub monitoring: Monitoring,
    /// When the notice of the monitoring came (our clock).
    pub monitoring_notice_at: Option<Time>,
}

/// Whose submission it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct SubmissionFacts {
    /// The operator's name of the project.
    pub project: String,
    /// ARGOS's id.
    pub id: String,
    /// The customer's own id of the user, as given to ARGOS; null where the personal-data policy leaves it out. May be
    /// sealed.
    pub user_id: Option<String>,
    /// When the submission was made, by the vendor's clock.
    pub created_at: Option<Time>,
}

/// All published facts of one submission. The fingerprint in an event's id covers exactly these.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Facts {
    /// Whose.
    pub submission: SubmissionFacts,
    /// The identity check.
    pub kyc: Kyc,
    /// The screening.
    pub aml: Aml,
}
