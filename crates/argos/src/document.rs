//! The single answer of GET -> a truth.
//!
//! Owns which item of an answer is meant, and what "none" means (ARGOS protocol, sections 4.3 and 4.4). What an
//! item holds is read in `submission`. Pure.

use crate::answer::{Answer, ID_NAMES, unreadable};
use crate::one_pass::{self, Items};
use crate::reader::Reader;
use crate::scan::{Scan, Unusual};
use crate::submission;
use crate::wire::{Object, text_of};
use models::Time;
use models::truth::Answer as Shown;
use models::{LookError, Truth};

/// Reads the body of a success.
///
/// No items: absent, which is a suspicion and not yet a deletion. Among several items the one with the requested id
/// is taken; items without it are never taken for the one that was asked for.
///
/// # Errors
/// [`LookError::Unreadable`] for what is not an answer of this kind, is sealed, shows another submission, or shows
/// no status; [`LookError::Denied`] if a success carries an error body about project or key.
pub fn decode_single(bytes: &[u8], requested: &str, reader: &Reader, asked_at: Time) -> Result<Truth, LookError> {
    let text = text_of(bytes);
    let answer = match item_of(&text, requested)? {
        Some(item) => Shown::Present(Box::new(submission::read(&item, reader)?)),
        None => Shown::Absent,
    };
    Ok(Truth { asked_at, answer })
}

/// The item that was asked for; `None` if there are no items.
pub(crate) fn item_of<'a>(text: &'a str, requested: &str) -> Result<Option<Object<'a>>, LookError> {
    let items = read_in_one_pass(text).map_or_else(|| read_in_steps(text), Ok)?;
    if items.is_empty() {
        return Ok(None);
    }
    let item = items.into_iter().find(|item| id(item).is_some_and(|id| id == requested));
    item.map(Some).ok_or_else(|| unreadable("the answer shows another submission, or one without submission_id"))
}

/// `None` if the answer is not of the usual shape.
fn read_in_one_pass(text: &str) -> Option<Vec<Object<'_>>> {
    let mut items = Vec::new();
    one_pass::read(text, &mut items)?;
    Some(items)
}

/// The way of all answers. What is no object has no members, thus no id.
fn read_in_steps(text: &str) -> Result<Vec<Object<'_>>, LookError> {
    let items = Answer::open(text)?.items.into_iter();
    Ok(items.map(|item| Object::of(item).unwrap_or_default()).collect())
}

impl<'a> Items<'a> for Vec<Object<'a>> {
    fn item(&mut self, scan: &mut Scan<'a>) -> Result<(), Unusual> {
        self.push(Object::scan(scan)?);
        Ok(())
    }
}

fn id<'a>(item: &Object<'a>) -> Option<std::borrow::Cow<'a, str>> {
    ID_NAMES.iter().find_map(|name| item.get(name))?.text()
}

#[cfg(test)]
#[path = "document_tests.rs"]
mod tests;
