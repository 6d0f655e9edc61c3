//! A page of the usual shape, in one pass over its text.
//!
//! Owns: nothing that `read_in_steps` does not say too: a page that is read here is read as there (a property test
//! holds that), and whatever is unusual is left to it. Pure.

use super::{cursor, row};
use crate::head::Gathered;
use crate::wire::{Raw, Text};
use models::{LookError, Page, PageCursor, Row, SubmissionId};
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::fmt;

/// `None` if the page is not of the usual shape: an object with one `Items`, an array.
pub(super) fn read(text: &str) -> Option<Result<Page, LookError>> {
    let mut input = serde_json::Deserializer::from_str(text);
    let Body { page, items, next } = input.deserialize_map(Body::default()).ok()?;
    input.end().ok()?;
    if items != 1 {
        return None;
    }
    let next: Option<Result<Option<PageCursor>, LookError>> = next.map(cursor);
    Some(next.transpose().map(|next| Page { next: next.flatten(), ..page }))
}

#[derive(Default)]
struct Body<'a> {
    page: Page,
    /// How many lists there are.
    items: usize,
    next: Option<Raw<'a>>,
}

impl<'de> Visitor<'de> for Body<'de> {
    type Value = Body<'de>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a page")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Body<'de>, A::Error> {
        while let Some(name) = map.next_key_seed(Text)? {
            match name.as_ref() {
                "Items" | "items" => {
                    self.items += 1;
                    map.next_value_seed(Rows(&mut self.page))?;
                }
                "nextpageKey" => {
                    let value = Raw::from(map.next_value::<&RawValue>()?);
                    self.next = value.kind().map(|_| value);
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(self)
    }
}

struct Rows<'p>(&'p mut Page);

impl<'de> DeserializeSeed<'de> for Rows<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<(), D::Error> {
        input.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Rows<'_> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while let Some(row) = list.next_element_seed(Item)? {
            match row {
                Some(row) => self.0.rows.push(row),
                None => self.0.unreadable += 1,
            }
        }
        Ok(())
    }
}

/// One row; an item that is no object makes the page an unusual one.
struct Item;

impl<'de> DeserializeSeed<'de> for Item {
    type Value = Option<(SubmissionId, Row)>;

    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<Self::Value, D::Error> {
        input.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Item {
    type Value = Option<(SubmissionId, Row)>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a row")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut gathered = Gathered::default();
        while let Some(name) = map.next_key_seed(Text)? {
            gathered.add(&name, map.next_value::<&RawValue>()?.into());
        }
        Ok(row(&gathered.head()))
    }
}
