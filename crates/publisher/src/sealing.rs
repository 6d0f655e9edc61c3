//! Protected fields: personal values that enter events and snapshots only under a key.
//!
//! Owns: the text form `sealed:v1:<key id>:<base64url(nonce | ciphertext | tag)>` (`docs/protected-fields.md`), its keys, and
//! which fields can take it. AES-256-GCM; the additional data bind a value to its submission and field, so that it cannot
//! be moved to another. Pure but for the nonces, whose source is an argument. Must not know: where keys come from, Kafka.
//!
//! Path: `relay` reads the keys and makes one [`Sealer`]; [`crate::record`] seals with it as it writes an event or a
//! snapshot. What the ledger compares and hashes is the clear value, so neither ids nor `changed` depend on keys.

use aes_gcm::{AeadInOut, Aes256Gcm, KeyInit};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use models::event::EventData;
use models::{Key, Kyc, Snapshot, SubmissionFacts};
use std::fmt;
use std::sync::{PoisonError, RwLock};
use zeroize::Zeroizing;

/// How a sealed value begins.
pub const PREFIX: &str = "sealed:v1:";
/// Bytes of a nonce and of a tag.
const NONCE: usize = 12;
const TAG: usize = 16;
/// Room for 32 bytes from base64, which comes in groups of three.
const ROOM: usize = 48;
/// The longest id of a key.
const LONGEST_ID: usize = 32;
/// What the vendor's own system is called where a reviewer is named: no person, so never sealed.
const SYSTEM: &str = "system";

/// What makes one sealed value differ from all others under its key: random, never used twice.
pub type Nonce = [u8; NONCE];
/// Where nonces come from; `None` if there are none to be had now.
pub type Nonces = fn() -> Option<Nonce>;

/// A field that can be protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// The customer's own id of the user.
    UserId,
    /// The address of the person who reviewed; `system` stays as it is.
    Reviewer,
    /// A reviewer's free text.
    ReasonText,
}

impl Field {
    /// The path that the value is bound to. All texts of a submission share one.
    pub const fn path(self) -> &'static str {
        match self {
            Field::UserId => "submission.user_id",
            Field::Reviewer => "kyc.reviewer",
            Field::ReasonText => "kyc.reasons[].text",
        }
    }
}

/// Why keys cannot be used. Names the place, never the content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidKeys {
    /// No key at all.
    #[error("no key")]
    None,
    /// Not `id:base64`.
    #[error("key {0}: must be `id:key`, the key as base64 of 32 bytes")]
    Form(usize),
    /// The id cannot be told from what follows it.
    #[error("key {0}: an id has 1 to 32 of the characters a-z A-Z 0-9 . _ -")]
    Id(usize),
    /// Two keys of one id.
    #[error("key {0}: its id is there twice")]
    Twice(usize),
}

/// Why a value cannot be sealed now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// No randomness for a nonce.
    #[error("the system gives no randomness")]
    NoNonce,
    /// AES-GCM takes 64 GiB at most.
    #[error("the value is too long to be sealed")]
    TooLong,
}

/// Why a value cannot be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// Not of the form that this release knows.
    #[error("not a sealed value of this version")]
    Form,
    /// Sealed with a key that is not here.
    #[error("sealed with a key that is not known here")]
    UnknownKey,
    /// Altered, of another submission or field, or another key under the same id.
    #[error("altered, or not of this submission and field")]
    Tag,
}

/// The keys that open; the first one seals. They are wiped when dropped, and no `Debug` shows them.
pub struct SealingKeys(Vec<(String, Aes256Gcm)>);

impl SealingKeys {
    /// Reads keys of the form `id:base64 of 32 bytes`, one an item. Positions in errors count from 1.
    pub fn read<'a>(items: impl IntoIterator<Item = &'a str>) -> Result<SealingKeys, InvalidKeys> {
        let mut keys: Vec<(String, Aes256Gcm)> = Vec::new();
        for (number, item) in (1..).zip(items) {
            let (id, text) = item.trim().split_once(':').ok_or(InvalidKeys::Form(number))?;
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
            if id.is_empty() || id.len() > LONGEST_ID || !id.bytes().all(plain) {
                return Err(InvalidKeys::Id(number));
            }
            let mut bytes = Zeroizing::new([0; ROOM]);
            let length = STANDARD.decode_slice(text.trim(), &mut *bytes).map_err(|_| InvalidKeys::Form(number))?;
            let cipher = Aes256Gcm::new_from_slice(&bytes[..length]).map_err(|_| InvalidKeys::Form(number))?;
            if keys.iter().any(|(known, _)| known == id) {
                return Err(InvalidKeys::Twice(number));
            }
            keys.push((id.to_owned(), cipher));
        }
        if keys.is_empty() { Err(InvalidKeys::None) } else { Ok(SealingKeys(keys)) }
    }
}

/// Seals protected fields, and opens them again.
pub struct Sealer {
    fields: Vec<Field>,
    keys: RwLock<SealingKeys>,
    nonces: Nonces,
}

impl fmt::Debug for Sealer {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Sealer").field("fields", &self.fields).finish_non_exhaustive()
    }
}

impl Sealer {
    /// Protects `fields` with the first of `keys`.
    pub fn new(fields: Vec<Field>, keys: SealingKeys, nonces: Nonces) -> Sealer {
        Sealer { fields, keys: RwLock::new(keys), nonces }
    }

    /// From now on these keys, for the next value.
    pub fn replace(&self, keys: SealingKeys) {
        // A poisoned lock still holds whole keys: each write is one step.
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = keys;
    }

    /// Seals one value under the first key, whether or not its field is on the list.
    pub fn seal(&self, submission: &Key, field: Field, clear: &str) -> Result<String, SealError> {
        let nonce = (self.nonces)().ok_or(SealError::NoNonce)?;
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        // Never empty: `SealingKeys::read` is the only way to one.
        let Some((id, cipher)) = keys.0.first() else { return Err(SealError::NoNonce) };
        let mut sealed = Vec::with_capacity(NONCE + clear.len() + TAG);
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(clear.as_bytes());
        let bound = bound_to(submission, field);
        let tag = cipher
            .encrypt_inout_detached((&nonce).into(), bound.as_bytes(), (&mut sealed[NONCE..]).into())
            .map_err(|_| SealError::TooLong)?;
        sealed.extend_from_slice(&tag);
        Ok(format!("{PREFIX}{id}:{}", URL_SAFE_NO_PAD.encode(sealed)))
    }

    /// Opens one value with the key that it names.
    pub fn open(&self, submission: &Key, field: Field, sealed: &str) -> Result<String, OpenError> {
        let (id, text) = sealed.strip_prefix(PREFIX).and_then(|rest| rest.split_once(':')).ok_or(OpenError::Form)?;
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| OpenError::Form)?;
        let (nonce, rest) = bytes.split_first_chunk::<NONCE>().ok_or(OpenError::Form)?;
        let (cipher_text, tag) = rest.split_last_chunk::<TAG>().ok_or(OpenError::Form)?;
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        let (_, cipher) = keys.0.iter().find(|(known, _)| known == id).ok_or(OpenError::UnknownKey)?;
        let (mut clear, bound) = (cipher_text.to_vec(), bound_to(submission, field));
        cipher
            .decrypt_inout_detached(nonce.into(), bound.as_bytes(), clear.as_mut_slice().into(), tag.into())
            .map_err(|_| OpenError::Tag)?;
        String::from_utf8(clear).map_err(|_| OpenError::Form)
    }

    /// The payload of an event with what is protected sealed.
    pub(crate) fn event(&self, key: &Key, data: &EventData) -> Result<EventData, SealError> {
        let mut data = data.clone();
        self.submission(key, &mut data.submission)?;
        data.kyc.as_mut().map_or(Ok(()), |kyc| self.kyc(key, kyc))?;
        Ok(data)
    }

    /// A snapshot with what is protected sealed.
    pub(crate) fn snapshot(&self, key: &Key, snapshot: &Snapshot) -> Result<Snapshot, SealError> {
        let mut snapshot = snapshot.clone();
        self.submission(key, &mut snapshot.facts.submission)?;
        self.kyc(key, &mut snapshot.facts.kyc)?;
        Ok(snapshot)
    }

    fn submission(&self, key: &Key, submission: &mut SubmissionFacts) -> Result<(), SealError> {
        self.protect(key, Field::UserId, &mut submission.user_id)
    }

    fn kyc(&self, key: &Key, kyc: &mut Kyc) -> Result<(), SealError> {
        if kyc.reviewer.as_deref() != Some(SYSTEM) {
            self.protect(key, Field::Reviewer, &mut kyc.reviewer)?;
        }
        kyc.reasons.iter_mut().try_for_each(|reason| self.protect(key, Field::ReasonText, &mut reason.text))
    }

    fn protect(&self, key: &Key, field: Field, value: &mut Option<String>) -> Result<(), SealError> {
        if let Some(clear) = value
            && self.fields.contains(&field)
        {
            *clear = self.seal(key, field, clear)?;
        }
        Ok(())
    }
}

/// The additional data: `<project>/<submission id>|<field path>`.
fn bound_to(submission: &Key, field: Field) -> String {
    format!("{}|{}", submission.as_str(), field.path())
}

#[cfg(test)]
#[path = "sealing_tests.rs"]
mod tests;
