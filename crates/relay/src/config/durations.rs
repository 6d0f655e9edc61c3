//! Spans of time and sizes as people write them: `"30s"`, `"1h30m"`, `"3d"`; `"512KiB"`, `"1MiB"`.
//!
//! Owns both text forms, in both directions. Must not know which key they belong to.

use super::read::{FromValue, Spot};
use serde::{Serialize, Serializer};
use std::fmt;
use std::time::Duration;
use toml::Value;

/// The units of a duration, largest first, in milliseconds.
const UNITS: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// Reads `"1h30m"`: whole numbers, each with a unit of d, h, m, s or ms; nothing else, no sign, no fraction.
pub(crate) fn parse_duration(text: &str) -> Option<Duration> {
    let mut rest = text.trim();
    let mut millis: u64 = 0;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let (number, unit, after) = number_and_unit(rest)?;
        let (_, size) = UNITS.iter().find(|(name, _)| *name == unit)?;
        millis = millis.checked_add(number.checked_mul(*size)?)?;
        rest = after;
    }
    Some(Duration::from_millis(millis))
}

/// Splits `"30s5ms"` into 30, `"s"` and the rest.
fn number_and_unit(text: &str) -> Option<(u64, &str, &str)> {
    let unit_at = text.find(|letter: char| !letter.is_ascii_digit())?;
    let (number, rest) = text.split_at(unit_at);
    let unit_end = rest.find(|letter: char| letter.is_ascii_digit()).unwrap_or(rest.len());
    let (unit, after) = rest.split_at(unit_end);
    Some((number.parse().ok()?, unit.trim(), after))
}

/// Writes a duration so that [`parse_duration`] reads it again; below a millisecond it is cut.
pub(crate) fn show_duration(span: Duration) -> String {
    let mut millis = u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
    if millis == 0 {
        return "0s".to_owned();
    }
    let mut parts = Vec::new();
    for (name, size) in UNITS {
        if millis >= size {
            parts.push(format!("{}{name}", millis / size));
            millis %= size;
        }
    }
    parts.concat()
}

/// For serde: one duration.
pub(super) fn duration<S: Serializer>(span: &Duration, out: S) -> Result<S::Ok, S::Error> {
    out.serialize_str(&show_duration(*span))
}

/// For serde: a list of durations.
pub(super) fn durations<S: Serializer>(spans: &[Duration], out: S) -> Result<S::Ok, S::Error> {
    out.collect_seq(spans.iter().copied().map(show_duration))
}

impl FromValue for Duration {
    fn from_value(value: Value, spot: &Spot<'_>) -> Option<Duration> {
        const EXPECTED: &str = "a duration such as \"30s\", \"5m\" or \"3d\"";
        let Value::String(text) = &value else {
            return spot.mismatch(EXPECTED, &value);
        };
        let span = parse_duration(text);
        if span.is_none() {
            spot.wrong(format!("expected {EXPECTED}"));
        }
        span
    }
}

/// A number of bytes. In the file a whole number, or text with the unit KiB or MiB.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ByteSize(pub u64);

/// The units of a size, largest first.
const SIZES: [(&str, u64); 2] = [("MiB", 1 << 20), ("KiB", 1 << 10)];

impl ByteSize {
    /// So many mebibytes.
    pub const fn mebibytes(count: u64) -> ByteSize {
        ByteSize(count << 20)
    }

    fn parse(text: &str) -> Option<ByteSize> {
        let text = text.trim();
        let (number, size) = SIZES
            .iter()
            .find_map(|(unit, size)| text.strip_suffix(unit).map(|number| (number, *size)))
            .unwrap_or((text, 1));
        number.trim().parse::<u64>().ok()?.checked_mul(size).map(ByteSize)
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match SIZES.iter().find(|(_, size)| self.0 > 0 && self.0.is_multiple_of(*size)) {
            Some((unit, size)) => write!(out, "{}{unit}", self.0 / size),
            None => write!(out, "{}", self.0),
        }
    }
}

impl Serialize for ByteSize {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.collect_str(self)
    }
}

impl FromValue for ByteSize {
    fn from_value(value: Value, spot: &Spot<'_>) -> Option<ByteSize> {
        const EXPECTED: &str = "a number of bytes, or a size such as \"512KiB\" or \"1MiB\"";
        let size = match &value {
            Value::Integer(bytes) => u64::try_from(*bytes).ok().map(ByteSize),
            Value::String(text) => ByteSize::parse(text),
            _ => return spot.mismatch(EXPECTED, &value),
        };
        if size.is_none() {
            spot.wrong(format!("expected {EXPECTED}"));
        }
        size
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn durations_are_read_as_people_write_them() {
        for (text, millis) in [("10ms", 10), ("1s", 1_000), ("5m", 300_000), ("1h30m", 5_400_000), ("3d", 259_200_000)]
        {
            assert_eq!(parse_duration(text), Some(Duration::from_millis(millis)), "{text}");
        }
        for text in ["", "5", "s", "-1s", "1.5s", "1 week", "1s!", "99999999999999999999s", "18446744073709551615d"] {
            assert_eq!(parse_duration(text), None, "{text}");
        }
    }

    #[test]
    fn sizes_are_read_as_people_write_them() {
        for (text, bytes) in [("0", 0), ("1500", 1500), ("512KiB", 524_288), ("1 MiB", 1_048_576)] {
            assert_eq!(ByteSize::parse(text), Some(ByteSize(bytes)), "{text}");
        }
        for text in ["", "MiB", "-1", "1MB", "99999999999999999MiB"] {
            assert_eq!(ByteSize::parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_can_be_read_again(millis in any::<u64>(), bytes in any::<u64>()) {
            let span = Duration::from_millis(millis);
            prop_assert_eq!(parse_duration(&show_duration(span)), Some(span));
            prop_assert_eq!(ByteSize::parse(&ByteSize(bytes).to_string()), Some(ByteSize(bytes)));
        }

        #[test]
        fn no_text_makes_it_panic(text in "\\PC*") {
            let _ = (parse_duration(&text), ByteSize::parse(&text));
        }
    }
}
