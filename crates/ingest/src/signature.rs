//! Signatures over a webhook's body, by a gateway in front: ARGOS itself is not known to sign (ARGOS protocol,
//! section 1).
//!
//! Owns the two forms of a signature header, their secrets, and the comparison. Must not know HTTP answers, what a body
//! means, or which methods a project has (see [`crate::authenticate`]). Pure, but for the lock behind which secrets are
//! replaced: time is an argument.
//!
//! Path: `present` reads the headers and holds the timestamp against the clock, before the body is read: a caller
//! without a well-formed signature costs no reading. `Presented::covering` holds the signatures against the body.
//!
//! A header that is missing, repeated or malformed is a refusal. Every presented signature is compared with every
//! secret's, in constant time and without an early exit.
//!
//! *Replay.* Who has seen a signed request can send it again: for ever in the plain form, within the tolerance in the
//! others. That is counted (`replay`), not refused, because it is harmless: a webhook is a hint, and a repeated
//! hint is at most one more GET of the same submission. What an event says comes from that GET.

use axum::http::{HeaderMap, HeaderName};
use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use hmac::{Hmac, KeyInit, Mac};
use models::Time;
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretSlice, SecretString};
use sha2::Sha256;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use subtle::{Choice, ConstantTimeEq};

/// The most signatures in one header that are looked at. Senders give one for each secret of a rotation.
const MOST_SIGNATURES: usize = 16;
/// The longest `webhook-id`, in bytes.
const LONGEST_ID: usize = 256;
/// More digits than the seconds of any time that a clock shows.
const LONGEST_TIMESTAMP: usize = 12;

const ID: HeaderName = HeaderName::from_static("webhook-id");
const TIMESTAMP: HeaderName = HeaderName::from_static("webhook-timestamp");
const SIGNATURE: HeaderName = HeaderName::from_static("webhook-signature");

/// The ordinary alphabet; padding may be left out, as the reference libraries of Standard Webhooks allow for secrets.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Why signing secrets are of no use. Never holds one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSecrets {
    /// An empty list would let nobody in.
    #[error("the list of signing secrets is empty")]
    None,
    /// A key that everybody knows.
    #[error("signing secret number {number} is empty")]
    Empty {
        /// Which of the list, counted from 1.
        number: usize,
    },
    /// Not the form that Standard Webhooks gives secrets.
    #[error("signing secret number {number} is not base64 (after an optional `whsec_`)")]
    NotBase64 {
        /// Which of the list, counted from 1.
        number: usize,
    },
}

/// What is wrong with a signature, found in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadSignature {
    /// A header is missing, there twice, or not of its form.
    #[error("a signature header is missing, repeated or malformed")]
    Malformed,
    /// The timestamp is further from our clock than the tolerance.
    #[error("the signature's timestamp is outside the tolerance")]
    Stale,
    /// No secret gives one of the presented signatures.
    #[error("the signature is wrong")]
    Wrong,
}

/// How the bytes of a signature are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Either case.
    Hex,
    /// The ordinary alphabet, with or without padding.
    Base64,
}

/// What the one header of [`SignedBody`] looks like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Form {
    /// One signature over the body alone.
    Plain {
        /// How it is written.
        encoding: Encoding,
        /// What stands before it, such as `sha256=`; may be empty.
        prefix: String,
    },
    /// `t=SECONDS,v1=HEX`, with further `v1=` while secrets are exchanged, over `SECONDS.BODY`. Members of other names
    /// are left alone: they are schemes that we do not know.
    Timestamped {
        /// How far `t` may be from our clock, either way.
        tolerance: Duration,
    },
}

/// HMAC-SHA256 over the raw body, in a header of the sender's choice. Clones share the secrets.
#[derive(Clone, Debug)]
pub struct SignedBody {
    header: HeaderName,
    form: Form,
    keys: Keys,
}

impl SignedBody {
    /// The secrets' own bytes are the keys; all are valid at once.
    pub fn new(header: HeaderName, form: Form, secrets: &[SecretString]) -> Result<SignedBody, InvalidSecrets> {
        Ok(SignedBody { header, form, keys: Keys::new(secrets, plain_key)? })
    }

    /// Replaces all secrets at once. On an error the old ones stay valid.
    pub fn replace(&self, secrets: &[SecretString]) -> Result<(), InvalidSecrets> {
        self.keys.replace(secrets, plain_key)
    }

    /// Reads what the caller presents.
    pub(crate) fn present(&self, headers: &HeaderMap, now: Time) -> Result<Presented<'_>, BadSignature> {
        let value = only(headers, &self.header)?;
        let (before, signatures) = match &self.form {
            Form::Plain { encoding, prefix } => {
                let written = value.strip_prefix(prefix.as_str()).ok_or(BadSignature::Malformed)?;
                (Vec::new(), vec![code(*encoding, written)?])
            }
            Form::Timestamped { tolerance } => timestamped(value, *tolerance, now)?,
        };
        Ok(Presented { keys: &self.keys, before, signatures })
    }
}

fn timestamped(value: &str, tolerance: Duration, now: Time) -> Result<(Vec<u8>, Vec<Code>), BadSignature> {
    let (mut time, mut signatures) = (None, Vec::new());
    for (number, member) in value.split(',').enumerate() {
        match member.split_once('=').ok_or(BadSignature::Malformed)? {
            _ if number > MOST_SIGNATURES => return Err(BadSignature::Malformed),
            ("t", _) if time.is_some() => return Err(BadSignature::Malformed),
            ("t", text) => time = Some(text),
            ("v1", written) => signatures.push(code(Encoding::Hex, written)?),
            _ => {}
        }
    }
    let time = time.filter(|_| !signatures.is_empty()).ok_or(BadSignature::Malformed)?;
    check_time(time, tolerance, now)?;
    Ok((format!("{time}.").into_bytes(), signatures))
}

/// The headers of Standard Webhooks: `webhook-id`, `webhook-timestamp`, and `webhook-signature` with `v1,BASE64`, several
/// with a space between them, over `ID.SECONDS.BODY`. Signatures of other versions are left alone. Clones share the
/// secrets.
///
/// Stricter than the reference library: the timestamp is digits only, and a malformed `v1` is a refusal even beside a
/// right one.
#[derive(Clone, Debug)]
pub struct StandardWebhooks {
    tolerance: Duration,
    keys: Keys,
}

impl StandardWebhooks {
    /// The secrets are base64, with or without `whsec_` before it; all are valid at once. The timestamp may be
    /// `tolerance` away from our clock, either way.
    pub fn new(secrets: &[SecretString], tolerance: Duration) -> Result<StandardWebhooks, InvalidSecrets> {
        Ok(StandardWebhooks { tolerance, keys: Keys::new(secrets, standard_key)? })
    }

    /// Replaces all secrets at once. On an error the old ones stay valid.
    pub fn replace(&self, secrets: &[SecretString]) -> Result<(), InvalidSecrets> {
        self.keys.replace(secrets, standard_key)
    }

    /// Reads what the caller presents.
    pub(crate) fn present(&self, headers: &HeaderMap, now: Time) -> Result<Presented<'_>, BadSignature> {
        let (id, time) = (only(headers, &ID)?, only(headers, &TIMESTAMP)?);
        if id.is_empty() || id.len() > LONGEST_ID || !id.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(BadSignature::Malformed);
        }
        let mut signatures = Vec::new();
        for (number, entry) in only(headers, &SIGNATURE)?.split(' ').enumerate() {
            match entry.split_once(',').ok_or(BadSignature::Malformed)? {
                _ if number >= MOST_SIGNATURES => return Err(BadSignature::Malformed),
                ("v1", written) => signatures.push(code(Encoding::Base64, written)?),
                _ => {}
            }
        }
        if signatures.is_empty() {
            return Err(BadSignature::Malformed);
        }
        check_time(time, self.tolerance, now)?;
        Ok(Presented { keys: &self.keys, before: format!("{id}.{time}.").into_bytes(), signatures })
    }
}

/// The bytes of an HMAC-SHA256.
type Code = [u8; 32];

/// Well-formed, timely signatures that are still to be held against a body.
#[derive(Debug)]
pub(crate) struct Presented<'a> {
    keys: &'a Keys,
    /// What is signed before the body.
    before: Vec<u8>,
    signatures: Vec<Code>,
}

impl Presented<'_> {
    /// The signature that is right for this body under one of the secrets, if it was presented.
    pub(crate) fn covering(&self, body: &[u8]) -> Option<Code> {
        let keys = self.keys.current();
        let mut found = None;
        for key in keys.iter() {
            // A key of any length is taken; if one were not, it would match nothing.
            let Ok(mac) = Hmac::<Sha256>::new_from_slice(key.expose_secret()) else { continue };
            let right: Code = mac.chain_update(&self.before).chain_update(body).finalize().into_bytes().into();
            let is_there = |there, presented: &Code| there | presented.ct_eq(&right);
            if self.signatures.iter().fold(Choice::from(0), is_there).into() {
                found = Some(right);
            }
        }
        found
    }
}

/// The value of a header that must be there exactly once, in visible ASCII and spaces.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<&'a str, BadSignature> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().map_err(|_| BadSignature::Malformed),
        _ => Err(BadSignature::Malformed),
    }
}

fn code(encoding: Encoding, written: &str) -> Result<Code, BadSignature> {
    let bytes = match encoding {
        Encoding::Hex => hex::decode(written).ok(),
        Encoding::Base64 => BASE64.decode(written).ok(),
    };
    bytes.and_then(|bytes| bytes.try_into().ok()).ok_or(BadSignature::Malformed)
}

/// Holds a timestamp in seconds against the clock. The bounds themselves are inside.
fn check_time(text: &str, tolerance: Duration, now: Time) -> Result<(), BadSignature> {
    if text.len() > LONGEST_TIMESTAMP || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(BadSignature::Malformed);
    }
    let seconds: i64 = text.parse().map_err(|_| BadSignature::Malformed)?;
    let away = now.as_millis().abs_diff(seconds * 1000);
    if u128::from(away) > tolerance.as_millis() { Err(BadSignature::Stale) } else { Ok(()) }
}

type Key = SecretSlice<u8>;

/// Several keys that are valid at once; clones share them.
#[derive(Clone)]
struct Keys(Arc<RwLock<Arc<[Key]>>>);

impl Keys {
    fn new(secrets: &[SecretString], key: fn(&str) -> Option<Key>) -> Result<Keys, InvalidSecrets> {
        Ok(Keys(Arc::new(RwLock::new(keys(secrets, key)?))))
    }

    fn replace(&self, secrets: &[SecretString], key: fn(&str) -> Option<Key>) -> Result<(), InvalidSecrets> {
        let new = keys(secrets, key)?;
        // A poisoned lock still holds a whole list: the only write is this assignment.
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = new;
        Ok(())
    }

    /// The keys of now. The lock is not held while a body is hashed.
    fn current(&self) -> Arc<[Key]> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Keys([redacted])")
    }
}

fn keys(secrets: &[SecretString], key: fn(&str) -> Option<Key>) -> Result<Arc<[Key]>, InvalidSecrets> {
    if secrets.is_empty() {
        return Err(InvalidSecrets::None);
    }
    let keys = secrets.iter().zip(1..).map(|(secret, number)| {
        let key = key(secret.expose_secret()).ok_or(InvalidSecrets::NotBase64 { number })?;
        if key.expose_secret().is_empty() { Err(InvalidSecrets::Empty { number }) } else { Ok(key) }
    });
    keys.collect()
}

#[expect(clippy::unnecessary_wraps, reason = "of one shape with `standard_key`")]
fn plain_key(text: &str) -> Option<Key> {
    Some(Key::from(text.as_bytes().to_vec()))
}

/// `whsec_` may stand before the base64.
fn standard_key(text: &str) -> Option<Key> {
    let bytes = Zeroizing::new(BASE64.decode(text.strip_prefix("whsec_").unwrap_or(text)).ok()?);
    Some(Key::from(bytes.to_vec()))
}

#[cfg(test)]
#[path = "signature_tests.rs"]
mod tests;
