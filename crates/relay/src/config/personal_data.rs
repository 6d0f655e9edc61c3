//! The `[personal_data]` room: what may leave ARGOS's answers, and the key under which the rest is compared.

use super::read::Section;
use super::secret::{Secret, Secrets};
use super::values::choice;
use publisher::Sealer;
use publisher::sealing::{Field, InvalidKeys, Nonce, SealingKeys};
use secrecy::ExposeSecret;
use serde::Serialize;
use std::sync::Arc;

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

impl PersonalField {
    const fn sealed(self) -> Field {
        match self {
            PersonalField::UserId => Field::UserId,
            PersonalField::Reviewer => Field::Reviewer,
            PersonalField::ReasonText => Field::ReasonText,
        }
    }
}

/// The personal-data policy.
#[derive(Clone, Debug, Serialize)]
pub struct PersonalData {
    /// Fields that may enter events and snapshots. Default: `user_id` alone.
    pub include: Vec<PersonalField>,
    /// Of those, the fields that are written sealed instead of clear (`docs/protected-fields.md`). Default: none.
    pub protect: Vec<PersonalField>,
    /// The keys for it, `id:base64 of 32 bytes` each: the first seals, all open. Required with `protect`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protect_keys: Option<Secrets>,
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
        let protect = section.or::<Vec<PersonalField>>("protect", Vec::new());
        for (index, _) in protect.iter().enumerate().filter(|(_, field)| !include.contains(field)) {
            section.wrong(&format!("protect[{index}]"), "is not in `include`, so it is not written at all");
        }
        let given = section.has("protect_keys") || section.has("protect_keys_file");
        section.check("protect", given || protect.is_empty(), "needs `protect_keys_file` (or `protect_keys`)");
        let protect_keys = section.secrets("protect_keys");
        if let Some(Err(error)) = protect_keys.as_ref().map(sealing_keys) {
            section.wrong("protect_keys", error.to_string());
        }
        let digest_key = section.required_secret("digest_key");
        let previous_digest_key = section.secret("previous_digest_key");
        for (key, secret) in [("digest_key", &digest_key), ("previous_digest_key", &previous_digest_key)] {
            let long = secret.as_ref().is_none_or(|secret| secret.expose().len() >= SHORTEST_KEY);
            section.check(key, long, "must have at least 32 characters");
        }
        Some(PersonalData { include, protect, protect_keys, digest_key: digest_key?, previous_digest_key })
    }

    /// What seals the protected fields; `None` if there are none.
    pub fn sealer(&self) -> Result<Option<Arc<Sealer>>, InvalidKeys> {
        let Some(keys) = self.protect_keys.as_ref().filter(|_| !self.protect.is_empty()) else { return Ok(None) };
        let fields = self.protect.iter().map(|field| field.sealed()).collect();
        Ok(Some(Arc::new(Sealer::new(fields, sealing_keys(keys)?, nonce))))
    }
}

fn sealing_keys(secrets: &Secrets) -> Result<SealingKeys, InvalidKeys> {
    SealingKeys::read(secrets.wrapped().iter().map(ExposeSecret::expose_secret))
}

/// From the operating system: never the same twice, across restarts and replicas.
fn nonce() -> Option<Nonce> {
    let mut nonce = Nonce::default();
    getrandom::fill(&mut nonce).ok().map(|()| nonce)
}

#[cfg(test)]
#[path = "tests/protect.rs"]
mod tests;
