//! The `[personal_data]` room: what may leave ARGOS's answers, and the key under which the rest is compared.

use super::read::Section;
use super::secret::Secret;
use super::values::choice;
use serde::Serialize;

choice! {
    /// A field about a person that an operator may let into events and snapshots.
    PersonalField {
        /// The customer's own id of the user.
        UserId = "user_id",
        /// The address of the person who reviewed a submission; `system` is shown always.
        Reviewer = "reviewer",
        /// A reviewer's free text.
        ReasonText = "reason_text",
    }
}

/// The personal-data policy.
#[derive(Clone, Debug, Serialize)]
pub struct PersonalData {
    /// Fields that may enter events and snapshots. Default: `user_id` alone.
    pub include: Vec<PersonalField>,
    /// The secret under which a change of personal data is found without keeping the data: at least 32 characters, for
    /// example from `openssl rand -hex 32`. Keep it: with another key such changes go unseen once. Required.
    pub digest_key: Secret,
    /// The key before this one, while both are valid (key rotation). Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub previous_digest_key: Option<Secret>,
}

/// The shortest digest key, in bytes.
const SHORTEST_KEY: usize = 32;

impl PersonalData {
    /// `None` only after an error.
    pub(super) fn read(mut section: Section<'_>) -> Option<PersonalData> {
        let include = section.or("include", vec![PersonalField::UserId]);
        let digest_key = section.required_secret("digest_key");
        let previous_digest_key = section.secret("previous_digest_key");
        for (key, secret) in [("digest_key", &digest_key), ("previous_digest_key", &previous_digest_key)] {
            let long = secret.as_ref().is_none_or(|secret| secret.expose().len() >= SHORTEST_KEY);
            section.check(key, long, "must have at least 32 characters");
        }
        Some(PersonalData { include, digest_key: digest_key?, previous_digest_key })
    }
}
