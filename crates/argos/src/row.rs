//! A row of a list whose fields are of the usual types, in one pass that builds nothing else.
//!
//! Owns: nothing that [`crate::head`] does not say too: a row that is read here is read as there (a property test holds
//! that), and a field of any other type is left to it. Pure.

use crate::head::{CHOSEN, later, time_of};
use crate::wire::{Text, cleaned, meaning};
use crate::words::{self, MAX_WORD};
use models::{KycStatus, Row, SubmissionId};
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;
use std::fmt;

type Word<'a> = Option<Cow<'a, str>>;

/// Reads a row; `None` without a usable id.
pub(crate) fn read<'a, A: MapAccess<'a>>(mut members: A) -> Result<Option<(SubmissionId, Row)>, A::Error> {
    let mut row = Usual::default();
    while let Some(name) = members.next_key_seed(Text)? {
        row.take(&name, &mut members)?;
    }
    row.row()
}

/// The members that mean something. Of a repeated name the last counts, `null` is absent.
#[derive(Default)]
struct Usual<'a> {
    ids: [Word<'a>; 2],
    created_at: Word<'a>,
    kyc: Option<Picked<'a, 2>>,
    /// `kycStatus`, `kyc_status` and `status`.
    statuses: [Word<'a>; 3],
    aml: [Option<Picked<'a, 2>>; 2],
    updated_at: [Word<'a>; 2],
    history: Option<Picked<'a, 1>>,
    labelled: bool,
    only_label: bool,
}

impl<'a> Usual<'a> {
    fn take<A: MapAccess<'a>>(&mut self, name: &str, from: &mut A) -> Result<(), A::Error> {
        match name {
            "submission_id" => self.ids[0] = from.next_value_seed(Plain)?,
            "submissionId" => self.ids[1] = from.next_value_seed(Plain)?,
            "created_at" => self.created_at = self.word(from)?,
            "kycStatus" => self.statuses[0] = self.word(from)?,
            "kyc_status" => self.statuses[1] = self.word(from)?,
            "status" => self.statuses[2] = self.word(from)?,
            "updated_at" => self.updated_at[0] = self.word(from)?,
            "update_at" => self.updated_at[1] = self.word(from)?,
            "kyc" => self.kyc = self.picked(["result", "status"], from)?,
            "aml" => self.aml[0] = self.picked(["currentstatus", "risk_level_summary"], from)?,
            "aml_result" => self.aml[1] = self.picked(["currentstatus", "risk_level_summary"], from)?,
            "updateHistory" => self.history = self.picked(["updateTime"], from)?,
            // An object elsewhere, and not in a list's row.
            "kyc_result" => return Err(A::Error::custom("unusual")),
            "data" => self.only_label = from.next_value_seed(Data)?,
            chosen if CHOSEN.contains(&chosen) => drop(from.next_value::<IgnoredAny>()?),
            _ => self.labelled |= from.next_value_seed(Seen)? == Piece::Label,
        }
        Ok(())
    }

    fn word<A: MapAccess<'a>>(&mut self, from: &mut A) -> Result<Word<'a>, A::Error> {
        let word = from.next_value_seed(Plain)?;
        self.labelled |= word.as_deref().is_some_and(words::is_deleted_label);
        Ok(word)
    }

    fn picked<const N: usize, A: MapAccess<'a>>(
        &mut self,
        names: [&'static str; N],
        from: &mut A,
    ) -> Result<Option<Picked<'a, N>>, A::Error> {
        let picked = from.next_value_seed(Pick(names))?;
        let itself = picked.as_ref().and_then(|picked| picked.itself.as_deref());
        self.labelled |= itself.is_some_and(words::is_deleted_label);
        Ok(picked)
    }

    fn row<E: Error>(self) -> Result<Option<(SubmissionId, Row)>, E> {
        let kyc_status = self.kyc_status()?;
        let Usual { ids: [id, other_id], created_at, aml: [aml, other_aml], updated_at, history, .. } = self;
        let Some(id) = id.or(other_id).and_then(meaning).and_then(|id| SubmissionId::new(&id).ok()) else {
            return Ok(None);
        };
        let [vendor_status, risk] = aml.or(other_aml).map(|aml| aml.words).unwrap_or_default();
        let history = history.and_then(|Picked { words: [time], .. }| time);
        let row = Row {
            kyc_status,
            aml_vendor_status: vendor_status.and_then(meaning).map(|word| cleaned(&word, MAX_WORD)),
            risk: risk.and_then(meaning).map(|word| words::risk(&word)),
            updated_at: later(updated_at.into_iter().flatten().find_map(time_of), || history.and_then(time_of)),
            created_at: created_at.and_then(time_of),
        };
        Ok(Some((id, row)))
    }

    fn kyc_status<E: Error>(&self) -> Result<Option<KycStatus>, E> {
        let (inside, itself) = match &self.kyc {
            Some(kyc) => (Some(&kyc.words), Some(&kyc.itself)),
            None => (None, None),
        };
        let mut first = None;
        for word in inside.into_iter().flatten().chain(itself).chain(&self.statuses) {
            let Some(word) = word.as_deref().map(Cow::Borrowed).and_then(meaning) else { continue };
            if word.len() > MAX_WORD {
                return Err(E::custom("unusual"));
            }
            let status = words::kyc_status(&word);
            if status == KycStatus::Deleted {
                return Ok(Some(status));
            }
            first = first.or(Some(status));
        }
        Ok(if self.labelled || self.only_label { Some(KycStatus::Deleted) } else { first })
    }
}

/// Some members of an object, or the text that stands in its place.
struct Picked<'a, const N: usize> {
    words: [Word<'a>; N],
    itself: Word<'a>,
}

/// Text, or nothing.
struct Plain;

impl<'de> DeserializeSeed<'de> for Plain {
    type Value = Word<'de>;

    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<Self::Value, D::Error> {
        input.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Plain {
    type Value = Word<'de>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("text")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Some(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Some(Cow::Owned(text.to_owned())))
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }
}

/// Some members of an object, all of them text.
struct Pick<const N: usize>([&'static str; N]);

impl<'de, const N: usize> DeserializeSeed<'de> for Pick<N> {
    type Value = Option<Picked<'de, N>>;

    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<Self::Value, D::Error> {
        input.deserialize_any(self)
    }
}

impl<'de, const N: usize> Visitor<'de> for Pick<N> {
    type Value = Option<Picked<'de, N>>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an object or text")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut words = [const { None }; N];
        while let Some(name) = map.next_key_seed(Text)? {
            match self.0.iter().position(|known| *known == name) {
                Some(place) => words[place] = map.next_value_seed(Plain)?,
                None => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(Some(Picked { words, itself: None }))
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Some(Picked { words: [const { None }; N], itself: Some(Cow::Borrowed(text)) }))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Some(Picked { words: [const { None }; N], itself: Some(Cow::Owned(text.to_owned())) }))
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }
}

/// Whether the label of a deleted submission is all that is left in `data`.
struct Data;

impl<'de> DeserializeSeed<'de> for Data {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<bool, D::Error> {
        input.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Data {
    type Value = bool;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<bool, A::Error> {
        let mut labels = 0;
        while map.next_key_seed(Text)?.is_some() {
            match map.next_value_seed(Seen)? {
                Piece::Label => labels += 1,
                Piece::Nothing => {}
                Piece::Other => {
                    while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                    return Ok(false);
                }
            }
        }
        Ok(labels > 0)
    }

    fn visit_unit<E>(self) -> Result<bool, E> {
        Ok(false)
    }
}

/// What a value is, as far as the label of a deleted submission is looked for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Piece {
    Label,
    Nothing,
    Other,
}

struct Seen;

impl<'de> DeserializeSeed<'de> for Seen {
    type Value = Piece;

    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<Piece, D::Error> {
        input.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seen {
    type Value = Piece;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("anything")
    }

    fn visit_str<E>(self, text: &str) -> Result<Piece, E> {
        Ok(match meaning(Cow::Borrowed(text)) {
            None => Piece::Nothing,
            Some(text) if words::is_deleted_label(&text) => Piece::Label,
            Some(_) => Piece::Other,
        })
    }

    fn visit_unit<E>(self) -> Result<Piece, E> {
        Ok(Piece::Nothing)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Piece, E> {
        Ok(Piece::Other)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Piece, E> {
        Ok(Piece::Other)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Piece, E> {
        Ok(Piece::Other)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Piece, E> {
        Ok(Piece::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Piece, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Piece::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Piece, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Piece::Other)
    }
}
