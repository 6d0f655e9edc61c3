//! A page of the list -> thin rows and the cursor of the next page.
//!
//! Owns the ARGOS protocol, sections 4.2 and 4.3: a list row is thin and only ever yields a hint. Pure.
//!
//! Path: a walk over a long list reads very many pages, so [`decode_page`] reads a page of the usual shape in one
//! pass (`scan.rs`, `one_pass.rs`, `row.rs`). Any other goes the way of all answers, which also finds the words for what is wrong with it.

use crate::answer::{Answer, unexpected, unreadable};
use crate::head::{Head, time};
use crate::one_pass::{self, Items};
use crate::row;
use crate::scan::{Scan, Unusual};
use crate::wire::{Raw, text_of};
use models::{LookError, Page, PageCursor, Row, SubmissionId};

/// Reads the body of a success.
///
/// # Errors
/// [`LookError::Unreadable`] if it is no list, is sealed, or has a `nextpageKey` without both parts: taking that for
/// the end would cut the walk short in silence.
pub fn decode_page(bytes: &[u8]) -> Result<Page, LookError> {
    let text = text_of(bytes);
    read_in_one_pass(&text).unwrap_or_else(|| read_in_steps(&text))
}

/// `None` if the page is not of the usual shape.
fn read_in_one_pass(text: &str) -> Option<Result<Page, LookError>> {
    let mut page = Page::default();
    let next = one_pass::read(text, &mut page)?.next;
    Some(next.map_or(Ok(None), cursor).map(|next| Page { next, ..page }))
}

impl<'a> Items<'a> for Page {
    fn item(&mut self, scan: &mut Scan<'a>) -> Result<(), Unusual> {
        match row::read(scan)? {
            Some(row) => self.rows.push(row),
            None => self.unreadable += 1,
        }
        Ok(())
    }
}

/// The way of all answers.
fn read_in_steps(text: &str) -> Result<Page, LookError> {
    let answer = Answer::open(text)?;
    let mut page = Page { rows: Vec::with_capacity(answer.items.len()), next: None, unreadable: 0 };
    for item in &answer.items {
        match Head::of(*item).ok().and_then(|head| row_of(&head)) {
            Some(row) => page.rows.push(row),
            None => page.unreadable += 1,
        }
    }
    page.next = answer.next.map(cursor).transpose()?.flatten();
    Ok(page)
}

/// `None` without a usable id. What else is not shown, or cannot be read, is `None` in the row: the reconciler compares
/// what is there, and looks if the vendor's clock is missing.
fn row_of(head: &Head<'_>) -> Option<(SubmissionId, Row)> {
    let id = SubmissionId::new(&head.id?.text()?).ok()?;
    let aml = head.screening();
    let row = Row {
        kyc_status: head.kyc_status().ok().flatten().map(|(status, _)| status),
        aml_vendor_status: aml.vendor_status,
        risk: aml.risk,
        updated_at: head.updated_at(),
        created_at: head.created_at.and_then(time),
    };
    Some((id, row))
}

/// `nextpageKey`; `None` if it is blank.
pub(crate) fn cursor(next: Raw<'_>) -> Result<Option<PageCursor>, LookError> {
    let Some([id, created_at]) = next.members(["id", "created_at"]) else {
        // A blank text is an absent cursor.
        let blank = next.string().is_some_and(|text| text.trim().is_empty());
        return if blank { Ok(None) } else { Err(unexpected("nextpageKey", next.kind())) };
    };
    let verbatim = |field: Raw<'_>| field.text().map(|text| field.string().unwrap_or(text).into_owned());
    match (id.and_then(verbatim), created_at.and_then(verbatim)) {
        (Some(id), Some(created_at)) => Ok(Some(PageCursor { id, created_at })),
        (None, None) if is_empty(next) => Ok(None),
        _ => Err(unreadable("nextpageKey has not both parts")),
    }
}

fn is_empty(object: Raw<'_>) -> bool {
    let mut any = false;
    object.each_member(|_, value| any |= value.kind().is_some());
    !any
}

#[cfg(test)]
#[path = "list_tests.rs"]
mod tests;
