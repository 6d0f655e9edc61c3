//! JSON text in one pass that builds nothing: whoever reads says what is wanted as it comes by.
//!
//! Owns: the grammar of JSON (RFC 8259), eight bytes at a time inside of strings, which are most of what ARGOS answers.
//! What is no JSON, nests deeper than [`DEPTH`] or has escapes where it is read is [`Unusual`], and left to `wire`, which
//! also says what is wrong with it. Must not know any name. Pure.

use crate::wire::Raw;
use std::borrow::Cow;

/// Not read here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unusual;

type Result<T> = std::result::Result<T, Unusual>;

/// How deep values may lie: the readers call themselves.
const DEPTH: u32 = 100;

/// Where one is in a text. No `Debug`: it may hold personal data.
pub(crate) struct Scan<'a> {
    text: &'a str,
    at: usize,
    depth: u32,
}

impl<'a> Scan<'a> {
    pub(crate) const fn new(text: &'a str) -> Scan<'a> {
        Scan { text, at: 0, depth: 0 }
    }

    /// Nothing but white space is left.
    pub(crate) fn end(&mut self) -> Result<()> {
        self.skip_white();
        if self.at == self.text.len() { Ok(()) } else { Err(Unusual) }
    }

    /// The first byte of what comes next, white space aside.
    #[inline]
    pub(crate) fn peek(&mut self) -> Result<u8> {
        if self.byte().is_some_and(|byte| byte <= b' ') {
            self.skip_white();
        }
        self.byte().ok_or(Unusual)
    }

    /// The members of an object; `each` takes the value of each.
    #[inline]
    pub(crate) fn members(&mut self, mut each: impl FnMut(&mut Self, &'a str) -> Result<()>) -> Result<()> {
        self.list([b'{', b'}'], |scan| {
            let name = scan.string()?;
            scan.take(b':')?;
            each(scan, name)
        })
    }

    /// The elements of an array; `each` takes each.
    #[inline]
    pub(crate) fn elements(&mut self, each: impl FnMut(&mut Self) -> Result<()>) -> Result<()> {
        self.list([b'[', b']'], each)
    }

    #[inline]
    fn list(&mut self, [opens, closes]: [u8; 2], mut each: impl FnMut(&mut Self) -> Result<()>) -> Result<()> {
        self.take(opens)?;
        self.depth += 1;
        if self.depth > DEPTH {
            return Err(Unusual);
        }
        if self.peek()? != closes {
            loop {
                each(self)?;
                let next = self.peek()?;
                if next == closes {
                    break;
                }
                self.take(b',')?;
            }
        }
        self.depth -= 1;
        self.take(closes)
    }

    /// A string without escapes.
    #[inline]
    pub(crate) fn string(&mut self) -> Result<&'a str> {
        self.take(b'"')?;
        let start = self.at;
        self.skip_plain();
        // No white space is passed over here: a line that ends inside of a string is no JSON.
        if self.byte() != Some(b'"') {
            return Err(Unusual);
        }
        let inside = self.text.get(start..self.at).ok_or(Unusual)?;
        self.at += 1;
        Ok(inside)
    }

    /// Any string; `None` if half a surrogate stands in it.
    pub(crate) fn text(&mut self) -> Result<Option<Cow<'a, str>>> {
        let start = self.at;
        if let Ok(plain) = self.string() {
            return Ok(Some(Cow::Borrowed(plain)));
        }
        self.at = start;
        let source = self.raw()?.source();
        Ok(serde_json::from_str(source).ok().map(Cow::Owned))
    }

    /// `null`, true or false.
    pub(crate) fn word(&mut self, word: &str) -> Result<()> {
        if !self.text.as_bytes()[self.at..].starts_with(word.as_bytes()) {
            return Err(Unusual);
        }
        self.at += word.len();
        Ok(())
    }

    /// Any value.
    pub(crate) fn skip(&mut self) -> Result<()> {
        match self.peek()? {
            b'"' => self.skip_string(),
            b'{' => self.list([b'{', b'}'], |scan| {
                scan.skip_string()?;
                scan.take(b':')?;
                scan.skip()
            }),
            b'[' => self.elements(Scan::skip),
            b'n' => self.word("null"),
            b't' => self.word("true"),
            b'f' => self.word("false"),
            _ => self.number(),
        }
    }

    /// Any value, unread.
    pub(crate) fn raw(&mut self) -> Result<Raw<'a>> {
        self.peek()?;
        let start = self.at;
        self.skip()?;
        self.text.get(start..self.at).map(Raw::sound).ok_or(Unusual)
    }

    fn skip_string(&mut self) -> Result<()> {
        self.take(b'"')?;
        loop {
            self.skip_plain();
            match self.byte() {
                Some(b'"') => break,
                Some(b'\\') => self.escape()?,
                _ => return Err(Unusual),
            }
        }
        self.at += 1;
        Ok(())
    }

    #[inline]
    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn skip_white(&mut self) {
        while matches!(self.byte(), Some(b' ' | b'\n' | b'\r' | b'\t')) {
            self.at += 1;
        }
    }

    #[inline]
    fn take(&mut self, wanted: u8) -> Result<()> {
        if self.peek()? != wanted {
            return Err(Unusual);
        }
        self.at += 1;
        Ok(())
    }

    /// To the next byte that is not plain text inside of a string.
    #[inline]
    fn skip_plain(&mut self) {
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        let (eights, _) = rest.as_chunks::<8>();
        for eight in eights {
            let marked = special(u64::from_le_bytes(*eight));
            if marked != 0 {
                self.at += marked.trailing_zeros() as usize / 8;
                return;
            }
            self.at += 8;
        }
        while self.byte().is_some_and(|byte| byte >= b' ' && byte != b'"' && byte != b'\\') {
            self.at += 1;
        }
    }

    fn escape(&mut self) -> Result<()> {
        let rest = &self.text.as_bytes()[self.at..];
        let length = match rest.get(1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => 2,
            Some(b'u') if rest.get(2..6).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit)) => 6,
            _ => return Err(Unusual),
        };
        self.at += length;
        Ok(())
    }

    fn number(&mut self) -> Result<()> {
        self.at += usize::from(self.byte() == Some(b'-'));
        if self.byte() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.byte() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.byte(), Some(b'e' | b'E')) {
            self.at += 1;
            self.at += usize::from(matches!(self.byte(), Some(b'+' | b'-')));
            self.digits()?;
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<()> {
        let start = self.at;
        while self.byte().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        if self.at > start { Ok(()) } else { Err(Unusual) }
    }
}

/// Marks the first quote, backslash or control character among eight bytes, in the highest bit of its byte; behind it
/// others may be marked that are none.
#[inline]
fn special(bytes: u64) -> u64 {
    const EACH: u64 = u64::MAX / 255;
    let below = |bytes: u64, bound: u64| bytes.wrapping_sub(EACH * bound) & !bytes;
    let quote = bytes ^ (EACH * u64::from(b'"'));
    let backslash = bytes ^ (EACH * u64::from(b'\\'));
    (below(quote, 1) | below(backslash, 1) | below(bytes, u64::from(b' '))) & (EACH << 7)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde::de::IgnoredAny;

    fn is_json(text: &str) -> bool {
        let mut scan = Scan::new(text);
        scan.skip().and_then(|()| scan.end()).is_ok()
    }

    /// Pieces of JSON, and what is nearly JSON, in any order.
    fn pieces() -> impl Strategy<Value = String> {
        let piece = prop::sample::select(vec![
            "{",
            "}",
            "[",
            "]",
            ",",
            ":",
            "\"",
            "\"a\"",
            "\"\":",
            "\\",
            "\\u00e9",
            "\\ud800",
            "\\x",
            "\u{e9}",
            "\u{7f}",
            "\u{1f}",
            "\n",
            " ",
            "0",
            "01",
            "-",
            "1.5e+3",
            "1.",
            "e9",
            "true",
            "nul",
            "null",
            "false",
            "longer text",
        ]);
        prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn it_takes_what_json_is(text in prop_oneof![pieces(), pieces().prop_map(|inside| format!("[\"{inside}\"]"))]) {
            prop_assert_eq!(is_json(&text), serde_json::from_str::<IgnoredAny>(&text).is_ok(), "{}", text);
        }

        #[test]
        fn a_string_ends_where_it_ends(text in "[ -~\u{0}-\u{20}é日]{0,40}", behind in "[\"a, ]{0,20}") {
            let quoted = serde_json::to_string(&text).unwrap();
            let whole = format!("{quoted}{behind}");
            let mut scan = Scan::new(&whole);
            prop_assert_eq!(scan.text(), Ok(Some(Cow::Borrowed(&*text))));
            prop_assert_eq!(scan.at, quoted.len());
            let plain = (!quoted.contains('\\')).then_some(&*text);
            prop_assert_eq!(Scan::new(&whole).string().ok(), plain);
        }
    }

    #[test]
    fn a_string_does_not_go_over_the_end_of_a_line() {
        for text in ["\"a\n\"", "\"a\t \"", "\"a", "\"a\\\"", "\"\r\""] {
            assert_eq!(Scan::new(text).string(), Err(Unusual), "{text:?}");
            assert!(!is_json(&format!("[{text}]")) && Scan::new(text).text().is_err(), "{text:?}");
        }
    }

    #[test]
    fn what_lies_too_deep_is_left_to_others() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(is_json(&nested(100)) && !is_json(&nested(101)) && !is_json(&nested(1_000_000)));
    }

    #[test]
    fn a_value_is_cut_out_as_it_stands() {
        let mut scan = Scan::new(" {\"a\": [1, {}] , \"b\":null}x");
        let mut found = Vec::new();
        let taken = scan.members(|scan, name| {
            found.push((name, scan.raw()?.source()));
            Ok(())
        });
        assert_eq!((taken, scan.end()), (Ok(()), Err(Unusual)));
        assert_eq!(found, [("a", "[1, {}]"), ("b", "null")]);
    }
}
