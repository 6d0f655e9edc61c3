//! The envelope of encrypted bodies: `{"data":"…","isEncrypted":true}`, for webhooks and answers alike.
//!
//! Owns the rule that tells sealed from plain (ARGOS protocol, section 3): sealed if and only if `data` is a string
//! and there is no `webhook_trigger`; and what an encrypting project's answer means that is plain or stays shut. Must
//! not know HTTP, or what an opened body holds. Pure.
//!
//! Path: [`envelope`] finds the text, [`open`] decrypts it to a JSON object. What could not be opened is never
//! "absent": [`plain_success`] and [`untrusted_failure`] say what it is instead.

use crate::answer::Answer;
use crate::cipher::{Cipher, CipherError};
use crate::status::Failure;
use crate::wire::{Kind, Raw, text_of};
use models::LookError;
use std::borrow::Cow;

/// Told when an answer stays shut. A wrong key, derivation or mode shuts every answer of the project, and a corrupt
/// body cannot be told from one; so it is a refusal, which opens the breaker and keeps the hints, and not an
/// unreadable answer, which would lead to one dead letter for each of them.
const SHUT: &str = "the answer cannot be decrypted: check encryption.mode and key_derivation";

/// Told when an answer is in clear. Either the option is off at ARGOS, or our configuration is wrong.
const PLAIN: &str = "the answer is not encrypted: check encryption.mode";

/// A body of an encrypting project.
pub(crate) enum Opened {
    /// It was sealed; this was inside: a JSON object.
    Sealed(Vec<u8>),
    /// It is no envelope.
    Plain,
    /// It is an envelope that stays shut.
    Shut(CipherError),
}

/// The encrypted text of a body; `None` if the body is plain.
pub(crate) fn envelope(body: Raw<'_>) -> Option<Cow<'_, str>> {
    let [trigger, data] = body.members(["webhook_trigger", "data"])?;
    // A lone surrogate is no text, and no base64 either.
    data.filter(|_| is_sealed(trigger, data)).map(|data| data.string().unwrap_or_default())
}

/// The rule, over the two members of a body that it is about.
pub(crate) fn is_sealed(trigger: Option<Raw<'_>>, data: Option<Raw<'_>>) -> bool {
    trigger.is_none() && data.and_then(Raw::kind) == Some(Kind::String)
}

/// Opens a body. Only a JSON object counts as its content: under ECB a wrong key may give anything.
pub(crate) fn open(cipher: &Cipher, bytes: &[u8]) -> Opened {
    let text = text_of(bytes);
    let Some(body) = Raw::parse(&text) else { return Opened::Plain };
    match envelope(body) {
        Some(sealed) => cipher.decrypt_if(&sealed, is_object).map_or_else(Opened::Shut, Opened::Sealed),
        None => Opened::Plain,
    }
}

fn is_object(bytes: &[u8]) -> bool {
    Raw::parse(&text_of(bytes)).is_some_and(|body| body.kind() == Some(Kind::Object))
}

/// An answer that stays shut.
pub(crate) fn shut() -> LookError {
    LookError::Denied(SHUT.to_owned())
}

/// What a success in clear means. `proven`: an answer of this project was opened before, so mode and key are right.
///
/// An error in disguise is that error, as without encryption. Items in clear are a refusal. No items at all may come
/// from a query that ARGOS could not decrypt, and are never taken for absence.
pub(crate) fn plain_success(bytes: &[u8], proven: bool) -> LookError {
    match Answer::open(&text_of(bytes)) {
        Err(LookError::Unreadable(why)) => unproven(why, proven),
        Err(error) => error,
        Ok(answer) if answer.items.is_empty() => unproven(PLAIN.to_owned(), proven),
        Ok(_) => LookError::Denied(PLAIN.to_owned()),
    }
}

/// What a failure means that was not told in an envelope that opens.
///
/// Absence counts once a cipher is proven. Before that, ARGOS may just not have understood our encrypted query.
pub(crate) fn untrusted_failure(failure: Failure, proven: bool) -> Failure {
    match failure {
        Failure::Absent if !proven => {
            Failure::Error(LookError::Retry("an absence is not believed before an answer was decrypted".to_owned()))
        }
        Failure::Error(LookError::Unreadable(why)) => Failure::Error(unproven(why, proven)),
        other => other,
    }
}

/// Before any answer was opened, whatever ARGOS does not understand is most likely our encryption.
fn unproven(why: String, proven: bool) -> LookError {
    if proven {
        return LookError::Unreadable(why);
    }
    LookError::Denied(format!("{why}; no answer was decrypted yet: check encryption.mode and key_derivation"))
}

#[cfg(test)]
#[path = "sealed_tests.rs"]
mod tests;
