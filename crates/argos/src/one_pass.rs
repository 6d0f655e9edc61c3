//! An answer of the usual shape, in one pass over its text.
//!
//! Owns: nothing that [`Answer::open`](crate::answer::Answer::open) does not say too: what is read here is read as there
//! (property tests hold that), and whatever is unusual is left to it. Must not know what an item holds. Pure.

use crate::wire::{Raw, Text};
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::fmt;

/// Whoever takes the items of an answer.
pub(crate) trait Items<'a> {
    /// The members of one item, all of which are to be drawn.
    fn item<A: MapAccess<'a>>(&mut self, members: A) -> Result<(), A::Error>;
}

/// What an answer holds beside its items.
pub(crate) struct Rest<'a> {
    /// `nextpageKey`, unread.
    pub(crate) next: Option<Raw<'a>>,
}

/// Hands out the items. `None` if the answer is not of the usual shape, an object with one
/// `Items`, an array of objects; what was handed out is void then.
pub(crate) fn read<'a, I: Items<'a>>(text: &'a str, items: &mut I) -> Option<Rest<'a>> {
    let mut input = serde_json::Deserializer::from_str(text);
    let (lists, next) = input.deserialize_map(Body(items)).ok()?;
    input.end().ok()?;
    (lists == 1).then_some(Rest { next })
}

struct Body<'i, I>(&'i mut I);

impl<'de, I: Items<'de>> Visitor<'de> for Body<'_, I> {
    /// How many lists there are, and the cursor.
    type Value = (usize, Option<Raw<'de>>);

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an answer")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let (mut lists, mut next) = (0, None);
        while let Some(name) = map.next_key_seed(Text)? {
            match name.as_ref() {
                "Items" | "items" => {
                    lists += 1;
                    map.next_value_seed(List(&mut *self.0))?;
                }
                "nextpageKey" => {
                    let value = Raw::from(map.next_value::<&RawValue>()?);
                    next = value.kind().map(|_| value);
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok((lists, next))
    }
}

struct List<'i, I>(&'i mut I);

impl<'de, I: Items<'de>> DeserializeSeed<'de> for List<'_, I> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<(), D::Error> {
        input.deserialize_seq(self)
    }
}

impl<'de, I: Items<'de>> Visitor<'de> for List<'_, I> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while list.next_element_seed(One(&mut *self.0))?.is_some() {}
        Ok(())
    }
}

struct One<'i, I>(&'i mut I);

impl<'de, I: Items<'de>> DeserializeSeed<'de> for One<'_, I> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<(), D::Error> {
        input.deserialize_map(self)
    }
}

impl<'de, I: Items<'de>> Visitor<'de> for One<'_, I> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an item")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<(), A::Error> {
        self.0.item(map)
    }
}
