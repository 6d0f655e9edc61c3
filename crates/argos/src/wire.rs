//! A lenient look into JSON: find a few members, skip the rest unread.
//!
//! Owns: [`Raw`], a JSON value whose inside was checked for syntax and nothing else. Must not know any field name.
//!
//! Path: [`text_of`] makes text of bytes, [`Raw::parse`] checks it as a whole, [`Raw::members`] picks members by
//! name; a picked value is read as what is needed ([`Raw::text`], [`Raw::count`], …) and is `None` when it is
//! something else. ARGOS's types vary from page to page (ARGOS protocol, section 8, points 27 to 30): strings for
//! numbers, `N/A` and empty strings for "absent". Skipped values may be of any depth and any magnitude.

use crate::scan::{Scan, Unusual};
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

/// Text of a body: without a byte order mark, and with replacement characters for what is not UTF-8. One broken
/// byte in a name must not cost a submission its event.
pub(crate) fn text_of(bytes: &[u8]) -> Cow<'_, str> {
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    // Nearly all is sound, and that is found out faster without looking for what is not.
    std::str::from_utf8(bytes).map_or_else(|_| String::from_utf8_lossy(bytes), Cow::Borrowed)
}

/// A vendor's word as we pass it on: no control characters, at most `max` characters.
pub(crate) fn cleaned(text: &str, max: usize) -> String {
    if text.len() <= max && text.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ') {
        return text.to_owned();
    }
    text.chars().filter(|letter| !letter.is_control()).take(max).collect()
}

/// A word without case, spaces and punctuation, so that spellings compare.
pub(crate) fn folded(text: &str) -> String {
    text.chars().filter(char::is_ascii_alphanumeric).map(|letter| letter.to_ascii_lowercase()).collect()
}

/// [`folded`], to be compared with the words of a table: nothing is allocated, and a word longer than [`Word::MAX`] is
/// empty.
pub(crate) struct Word {
    letters: [u8; Word::MAX],
    length: usize,
}

impl Word {
    /// Longer than any word of any table.
    pub(crate) const MAX: usize = 32;

    pub(crate) fn of(text: &str) -> Word {
        let mut word = Word { letters: [0; Word::MAX], length: 0 };
        for letter in text.bytes().filter(u8::is_ascii_alphanumeric) {
            let Some(place) = word.letters.get_mut(word.length) else {
                return Word { length: 0, ..word };
            };
            *place = letter.to_ascii_lowercase();
            word.length += 1;
        }
        word
    }

    pub(crate) fn as_str(&self) -> &str {
        std::str::from_utf8(&self.letters[..self.length]).unwrap_or_default()
    }
}

/// Text without the white space around it; `None` if it says that there is nothing.
pub(crate) fn meaning(text: &str) -> Option<&str> {
    let text = trimmed(text);
    (!text.is_empty() && !text.eq_ignore_ascii_case("n/a")).then_some(text)
}

/// Without the white space around it.
fn trimmed(text: &str) -> &str {
    match text.as_bytes() {
        // Nearly always there is none.
        [only] if only.is_ascii_graphic() => text,
        [first, .., last] if first.is_ascii_graphic() && last.is_ascii_graphic() => text,
        _ => text.trim(),
    }
}

/// What kind of value it is; for error texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Object,
    Array,
    String,
    Number,
    Bool,
}

impl fmt::Display for Kind {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Kind::Object => "an object",
            Kind::Array => "an array",
            Kind::String => "a string",
            Kind::Number => "a number",
            Kind::Bool => "a boolean",
        })
    }
}

/// One JSON value, syntactically sound, its inside unread. Never `null` where a picked value is meant: that is
/// "absent". No `Debug`: it may hold personal data.
#[derive(Clone, Copy)]
pub(crate) struct Raw<'a>(&'a str);

impl<'a> Raw<'a> {
    /// A text that was found to be one value.
    pub(crate) const fn sound(text: &'a str) -> Raw<'a> {
        Raw(text)
    }

    /// The whole text as one value; `None` if it is not JSON, or has something behind it.
    pub(crate) fn parse(text: &'a str) -> Option<Raw<'a>> {
        serde_json::from_str::<&RawValue>(text).ok().map(|raw| Raw(raw.get()))
    }

    /// [`Raw::parse`] and [`Raw::members`] in one pass over the text. `None` if it is not JSON, or no object.
    pub(crate) fn opened<const N: usize>(text: &'a str, names: [&str; N]) -> Option<(Raw<'a>, [Option<Raw<'a>>; N])> {
        let body = Raw(text.trim_matches([' ', '\n', '\r', '\t']));
        Some((body, body.members(names)?))
    }

    /// The JSON text itself.
    pub(crate) fn source(self) -> &'a str {
        self.0
    }

    /// What it is; `None` for `null`.
    pub(crate) fn kind(self) -> Option<Kind> {
        match self.0.as_bytes().first()? {
            b'{' => Some(Kind::Object),
            b'[' => Some(Kind::Array),
            b'"' => Some(Kind::String),
            b't' | b'f' => Some(Kind::Bool),
            b'n' => None,
            _ => Some(Kind::Number),
        }
    }

    /// Calls `each` for every member of an object, in order, `null` included. `false` if it is no object, or one
    /// with a key that is not text.
    pub(crate) fn each_member(self, each: impl FnMut(Cow<'a, str>, Raw<'a>)) -> bool {
        let mut input = serde_json::Deserializer::from_str(self.0);
        self.kind() == Some(Kind::Object) && input.deserialize_map(Members(each)).is_ok() && input.end().is_ok()
    }

    /// The members of these names; of a repeated name the last counts, `null` is absent. `None` if it is no object.
    pub(crate) fn members<const N: usize>(self, names: [&str; N]) -> Option<[Option<Raw<'a>>; N]> {
        let index = |name: &str| names.iter().position(|known| *known == name);
        let (mut scan, mut found) = (Scan::new(self.0), [None; N]);
        let usual = scan.members(|scan, name| {
            let value = scan.raw()?;
            if let Some(index) = index(name) {
                found[index] = value.kind().map(|_| value);
            }
            Ok(())
        });
        if usual.and_then(|()| scan.end()).is_ok() {
            return Some(found);
        }
        found = [None; N];
        let sound = self.each_member(|key, value| {
            if let Some(index) = index(&key) {
                found[index] = value.kind().map(|_| value);
            }
        });
        sound.then_some(found)
    }

    /// The first of these names that is there.
    pub(crate) fn first_of<const N: usize>(self, names: [&str; N]) -> Option<Raw<'a>> {
        self.members(names)?.into_iter().flatten().next()
    }

    /// The elements of an array; `None` if it is none.
    pub(crate) fn elements(self) -> Option<Vec<Raw<'a>>> {
        let mut input = serde_json::Deserializer::from_str(self.0);
        if self.kind() != Some(Kind::Array) {
            return None;
        }
        input.deserialize_seq(Elements).ok()
    }

    /// A string or a number as trimmed text; blank strings and `N/A` are absent.
    pub(crate) fn text(self) -> Option<Cow<'a, str>> {
        let text = match self.kind()? {
            Kind::String => self.string()?,
            Kind::Number => Cow::Borrowed(self.0),
            Kind::Object | Kind::Array | Kind::Bool => return None,
        };
        match text {
            Cow::Borrowed(text) => meaning(text).map(Cow::Borrowed),
            Cow::Owned(text) => meaning(&text).map(|text| Cow::Owned(text.to_owned())),
        }
    }

    /// A string just as it stands; `None` if it is none, or has a lone surrogate.
    pub(crate) fn string(self) -> Option<Cow<'a, str>> {
        let inside = self.0.strip_prefix('"')?.strip_suffix('"')?;
        // Nearly always: the text is what stands in the source.
        if !inside.contains('\\') {
            return Some(Cow::Borrowed(inside));
        }
        serde_json::Deserializer::from_str(self.0).deserialize_str(Text).ok()
    }

    /// A count, as number or as text; clamped to what fits, negative and broken ones are absent.
    pub(crate) fn count(self) -> Option<u32> {
        let text = self.text()?;
        if text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Some(text.parse().unwrap_or(u32::MAX));
        }
        let number: f64 = text.parse().ok()?;
        // A cast from a float saturates.
        (number.is_finite() && number >= 0.0).then_some(number as u32)
    }

    /// A flag, as boolean, number or word.
    pub(crate) fn flag(self) -> Option<bool> {
        if self.kind() == Some(Kind::Bool) {
            return Some(self.0 == "true");
        }
        match Word::of(&self.text()?).as_str() {
            "true" | "1" | "yes" | "y" | "on" => Some(true),
            "false" | "0" | "no" | "n" | "off" => Some(false),
            _ => None,
        }
    }
}

/// The members of an object, found in one pass, for whoever picks many of them. No `Debug`: it may hold personal data.
#[derive(Default)]
pub(crate) struct Object<'a>(Vec<(Cow<'a, str>, Raw<'a>)>);

impl<'a> Object<'a> {
    /// `None` if it is no object.
    pub(crate) fn of(value: Raw<'a>) -> Option<Object<'a>> {
        let mut object = Object::default();
        value.each_member(|name, value| object.0.push((name, value))).then_some(object)
    }

    /// The object that comes next.
    pub(crate) fn scan(scan: &mut Scan<'a>) -> Result<Object<'a>, Unusual> {
        let mut object = Object(Vec::with_capacity(32));
        scan.members(|scan, name| {
            object.0.push((Cow::Borrowed(name), scan.raw()?));
            Ok(())
        })?;
        Ok(object)
    }

    /// The members in order, `null` included.
    pub(crate) fn members(&self) -> impl Iterator<Item = (&Cow<'a, str>, Raw<'a>)> {
        self.0.iter().map(|(name, value)| (name, *value))
    }

    /// The member of this name; of a repeated name the last counts, `null` is absent.
    pub(crate) fn get(&self, name: &str) -> Option<Raw<'a>> {
        let (_, value) = self.0.iter().rev().find(|(known, _)| known == name)?;
        value.kind().map(|_| *value)
    }
}

/// A string, borrowed where it has no escapes.
struct Text;

impl<'de> Visitor<'de> for Text {
    type Value = Cow<'de, str>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a string")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(text))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(text.to_owned()))
    }
}

impl<'de> DeserializeSeed<'de> for Text {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<Self::Value, D::Error> {
        input.deserialize_str(self)
    }
}

struct Members<F>(F);

impl<'de, F: FnMut(Cow<'de, str>, Raw<'de>)> Visitor<'de> for Members<F> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key_seed(Text)? {
            let value: &'de RawValue = map.next_value()?;
            (self.0)(key, Raw(value.get()));
        }
        Ok(())
    }
}

struct Elements;

impl<'de> Visitor<'de> for Elements {
    type Value = Vec<Raw<'de>>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut all = Vec::new();
        while let Some(value) = list.next_element::<&'de RawValue>()? {
            all.push(Raw(value.get()));
        }
        Ok(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(text: &str) -> Raw<'_> {
        Raw::parse(text).unwrap()
    }

    #[test]
    fn the_last_of_a_repeated_name_counts_and_null_is_absent() {
        let [a, b] = raw(r#"{"a":1,"x":[{}],"a":2,"b":3,"b":null}"#).members(["a", "b"]).unwrap();
        assert_eq!(a.unwrap().count(), Some(2));
        assert!(b.is_none());
    }

    #[test]
    fn an_object_shows_what_its_text_shows() {
        let text = r#"{"a":1,"x":[{}],"a":2,"b":3,"b":null,"submission\u005fid":"x"}"#;
        let object = Object::of(raw(text)).unwrap();
        assert_eq!(object.get("a").unwrap().count(), Some(2));
        assert_eq!(object.get("submission_id").unwrap().text().unwrap(), "x");
        assert!(object.get("b").is_none() && object.get("c").is_none());
        assert_eq!(object.members().count(), 6);
        assert!(Object::of(raw("[]")).is_none());
    }

    #[test]
    fn an_escaped_name_is_the_same_name() {
        let [id] = raw(r#"{"submission\u005fid":"x"}"#).members(["submission_id"]).unwrap();
        assert_eq!(id.unwrap().text().unwrap(), "x");
    }

    #[test]
    fn depth_and_magnitude_of_skipped_values_do_not_matter() {
        let deep = format!("{{\"x\":{}{},\"y\":1e999999,\"a\":7}}", "[".repeat(200_000), "]".repeat(200_000));
        let [a] = raw(&deep).members(["a"]).unwrap();
        assert_eq!(a.unwrap().count(), Some(7));
    }

    #[test]
    fn counts_and_flags_come_as_numbers_and_words() {
        let table = [("3", Some(3)), ("\"3\"", Some(3)), ("3.0", Some(3)), ("-1", None), ("\"x\"", None)];
        for (text, count) in table {
            assert_eq!(raw(text).count(), count, "{text}");
        }
        assert_eq!(raw("99999999999999").count(), Some(u32::MAX));
        assert_eq!(raw("1e999").count(), None);
        for (text, flag) in [("true", Some(true)), ("\"N\"", Some(false)), ("0", Some(false)), ("{}", None)] {
            assert_eq!(raw(text).flag(), flag, "{text}");
        }
    }

    #[test]
    fn a_word_is_the_folded_text_or_too_long_for_any_table() {
        for text in ["", "Red Flag", "deleted_submission", "É-1", "N/A"] {
            assert_eq!(Word::of(text).as_str(), folded(text), "{text}");
        }
        assert_eq!(Word::of(&"x".repeat(Word::MAX)).as_str(), "x".repeat(Word::MAX));
        assert_eq!(Word::of(&"x".repeat(Word::MAX + 1)).as_str(), "");
    }

    #[test]
    fn text_is_without_the_white_space_around_it() {
        for (text, expected) in
            [("\"x\"", "x"), ("\" a b\\t\"", "a b"), ("\"\u{a0}\u{e9}\u{a0}\"", "\u{e9}"), ("7", "7")]
        {
            assert_eq!(raw(text).text().as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn blank_and_not_applicable_are_absent() {
        for text in ["\"\"", "\"  \"", "\"N/A\"", "null", "[]", "{}", "true", "\"\\ud800\""] {
            assert!(raw(text).text().is_none(), "{text}");
        }
    }

    #[test]
    fn what_follows_a_value_makes_it_no_value() {
        assert!(Raw::parse("{} {}").is_none());
        for text in ["{} {}", "{}]", "{\"a\":1", "{\"a\":}", "", " "] {
            assert!(Raw::opened(text, ["a"]).is_none(), "{text}");
        }
        assert!(Raw::opened("\t{\"a\":1} \r\n", ["a"]).is_some_and(|(_, [a])| a.is_some()));
        assert!(Raw::parse("").is_none());
        assert!(Raw::parse(" {} \n").is_some());
    }
}
