//! The wrapper around submissions: `{"Items":[…],"nextpageKey"?}`, for single answers and lists alike.
//!
//! Owns the ARGOS protocol, sections 4.3 and 4.4, as far as a success goes. Must not know what an item holds.

use crate::status::{Complaint, Failure, of_complaint};
use crate::wire::{Kind, Raw};
use models::LookError;

/// The names of an item's id.
pub(crate) const ID_NAMES: [&str; 2] = ["submission_id", "submissionId"];

/// A success, opened.
pub(crate) struct Answer<'a> {
    /// The items, unread.
    pub(crate) items: Vec<Raw<'a>>,
    /// `nextpageKey`, unread.
    pub(crate) next: Option<Raw<'a>>,
}

impl<'a> Answer<'a> {
    /// Opens a success. Missing `Items` are no items, unless the answer is sealed, an error in disguise, or the item
    /// itself without its wrapper.
    pub(crate) fn open(text: &'a str) -> Result<Answer<'a>, LookError> {
        let names = ["Items", "items", "nextpageKey", "data", "isEncrypted"];
        let (body, [items, lower, next, data, sealed]) = Raw::opened(text, names).ok_or_else(|| {
            let what = if Raw::parse(text).is_some() { "an object" } else { "JSON" };
            unreadable(&format!("the answer is not {what}"))
        })?;
        if let Some(items) = items.or(lower) {
            let kind = items.kind();
            let items = items.elements().ok_or_else(|| unexpected("Items", kind))?;
            return Ok(Answer { items, next });
        }
        let sealed = sealed.and_then(Raw::flag) == Some(true);
        if sealed || data.and_then(Raw::kind) == Some(Kind::String) {
            return Err(unreadable("the answer is encrypted, and this project is read as plain"));
        }
        if body.first_of(ID_NAMES).is_some() {
            return Ok(Answer { items: vec![body], next });
        }
        match Complaint::read(body).map(|complaint| of_complaint(200, &complaint)) {
            Some(Failure::Error(error)) => Err(error),
            Some(Failure::Absent) | None => Ok(Answer { items: Vec::new(), next }),
        }
    }
}

/// Shorthand: `text` must not hold anything of a body.
pub(crate) fn unreadable(text: &str) -> LookError {
    LookError::Unreadable(text.to_owned())
}

/// A field of the wrong kind.
pub(crate) fn unexpected(field: &str, kind: Option<Kind>) -> LookError {
    match kind {
        Some(kind) => LookError::Unreadable(format!("{field} is {kind}")),
        None => LookError::Unreadable(format!("{field} is null")),
    }
}
