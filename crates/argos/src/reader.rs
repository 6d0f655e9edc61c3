//! How a document is turned into our words: the personal-data policy, the digest keys, the version of the rules.

use crate::personal::DigestKey;
use models::Reading;

/// The version of the normalizer. It grows whenever the same document would read differently, so that such a
/// difference is not published as ARGOS's change.
pub const NORMALIZER: u16 = 1;

/// Added to the version where a submission is read in parts: times and reviewer are not shown then, so that nothing but
/// a status may count as ARGOS's change when a project goes from one to the other.
const OF_PARTS: u16 = 0x8000;

/// Which personal fields may be shown; a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct Policy(u16);

impl Policy {
    /// None at all.
    pub const NONE: Policy = Policy(0);
    /// The customer's own id of the user.
    pub const USER_ID: Policy = Policy(1);
    /// The address of a person who decided.
    pub const REVIEWER: Policy = Policy(2);
    /// The free text beside a reason.
    pub const REASON_TEXT: Policy = Policy(4);

    /// Not a field: what was read is not the whole document, so none of its personal fields was there.
    pub(crate) const PARTS: Policy = Policy(0x8000);

    /// The field of a configured name: `user_id`, `reviewer` or `reason_text`.
    pub fn from_name(name: &str) -> Option<Policy> {
        match name {
            "user_id" => Some(Policy::USER_ID),
            "reviewer" => Some(Policy::REVIEWER),
            "reason_text" => Some(Policy::REASON_TEXT),
            _ => None,
        }
    }

    /// Both sets together.
    #[must_use]
    pub const fn with(self, other: Policy) -> Policy {
        Policy(self.0 | other.0)
    }

    /// Whether all of `other` may be shown.
    pub const fn contains(self, other: Policy) -> bool {
        self.0 & other.0 == other.0
    }

    /// As the ledger keeps it: one bit for each field.
    pub const fn bits(self) -> u16 {
        self.0
    }
}

/// The settings of a reading.
#[derive(Clone, Debug, Default)]
pub struct Reader {
    /// What may be shown.
    pub include: Policy,
    /// The key of the personal digest; without one no change of personal data is told.
    pub digest_key: Option<DigestKey>,
    /// The key before it, while both are valid.
    pub previous_digest_key: Option<DigestKey>,
}

impl Reader {
    /// What the ledger remembers of it.
    pub fn reading(&self) -> Reading {
        let parts = if self.include.contains(Policy::PARTS) { OF_PARTS } else { 0 };
        Reading { normalizer: NORMALIZER | parts, policy: self.include.bits() }
    }
}
