//! ARGOS's timestamps, in every form that its pages show (ARGOS protocol, section 4.7).
//!
//! Pure. Must not know where a timestamp comes from.

use models::Time;

/// The longest text that is looked at.
const MAX_LENGTH: usize = 64;

/// Reads a timestamp.
///
/// - RFC 3339 with any number of decimals, `Z` or an offset, `T` or a space;
/// - the same without a zone, or with a zone word after it: `UTC`, `GMT`, `KST` (+09:00);
/// - the dashed form of the documentation, `YYYY-MM-DD-HH-MM-SS-ZZZ`, whose last part may be one to three digits
///   (milliseconds), a zone word or an offset with its sign;
/// - a date alone: midnight.
///
/// A time without a zone, or with a zone word that is not known, is taken as UTC: ARGOS states UTC wherever it
/// states anything. What is finer than a millisecond is cut off. `None` for anything else.
pub fn parse(text: &str) -> Option<Time> {
    let text = text.trim();
    if text.is_empty() || text.len() > MAX_LENGTH || !text.is_ascii() {
        return None;
    }
    // The strict form first: it also covers years beyond four digits.
    text.parse().ok().or_else(|| parse_loose(text))
}

fn parse_loose(text: &str) -> Option<Time> {
    let mut rest = Rest(text);
    let year = rest.digits(4)?;
    rest.one_of("-/.")?;
    let month = rest.digits(2)?;
    rest.one_of("-/.")?;
    let day = rest.digits(2)?;
    if rest.0.is_empty() {
        return instant([year, month, day, 0, 0, 0], 0, 0);
    }
    let dashed = rest.one_of("Tt _-")? == '-';
    let hour = rest.digits(2)?;
    rest.one_of(":-")?;
    let minute = rest.digits(2)?;
    let mut second = 0;
    if dashed || rest.0.starts_with(':') {
        rest.one_of(":-")?;
        second = rest.digits(2)?;
    }
    let mut millis = if rest.0.starts_with(['.', ',']) { rest.fraction()? } else { 0 };
    let mut zone = rest.0.trim();
    if dashed {
        zone = zone.strip_prefix('-').unwrap_or(zone);
        if matches!(zone.len(), 1..=3) && zone.bytes().all(|byte| byte.is_ascii_digit()) {
            millis = zone.parse().ok()?;
            zone = "";
        }
    }
    instant([year, month, day, hour, minute, second], millis, offset(zone, dashed)?)
}

/// What is left to read. ASCII only, so that every cut falls between characters.
struct Rest<'a>(&'a str);

impl Rest<'_> {
    fn digits(&mut self, count: usize) -> Option<i16> {
        let (digits, rest) = self.0.split_at_checked(count)?;
        if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        self.0 = rest;
        digits.parse().ok()
    }

    fn one_of(&mut self, allowed: &str) -> Option<char> {
        let letter = self.0.chars().next().filter(|letter| allowed.contains(*letter))?;
        self.0 = &self.0[1..];
        Some(letter)
    }

    /// The mark and the digits behind it, as milliseconds.
    fn fraction(&mut self) -> Option<i64> {
        let digits = self.0[1..].bytes().take_while(u8::is_ascii_digit).count();
        let (fraction, rest) = self.0[1..].split_at_checked(digits)?;
        self.0 = rest;
        let first_three = fraction.bytes().chain(*b"000").take(3);
        (digits > 0).then(|| first_three.fold(0, |sum, digit| sum * 10 + i64::from(digit - b'0')))
    }
}

/// The offset from UTC in minutes. In the dashed form anything may stand in the zone's place; otherwise it must at
/// least look like a zone.
fn offset(zone: &str, dashed: bool) -> Option<i64> {
    let sign = match zone.as_bytes().first() {
        None => return Some(0),
        Some(b'+') => 1,
        Some(b'-') => -1,
        Some(_) if zone.eq_ignore_ascii_case("KST") => return Some(9 * 60),
        Some(_) => {
            let word = zone.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'/' || byte == b'_');
            return (word || dashed).then_some(0);
        }
    };
    let mut rest = Rest(&zone[1..]);
    let hours = i64::from(rest.digits(2)?);
    if rest.0.starts_with(':') {
        rest.0 = &rest.0[1..];
    }
    let minutes = if rest.0.is_empty() { 0 } else { i64::from(rest.digits(2)?) };
    (rest.0.is_empty() && hours <= 24 && minutes < 60).then_some(sign * (hours * 60 + minutes))
}

fn instant(parts: [i16; 6], millis: i64, offset_minutes: i64) -> Option<Time> {
    let [year, month, day, hour, minute, second] = parts;
    let small = |part: i16| i8::try_from(part).ok();
    // A leap second is the last moment before it, as in the strict form.
    let second = if second == 60 { 59 } else { second };
    let date = jiff::civil::Date::new(year, small(month)?, small(day)?).ok()?;
    let clock = jiff::civil::Time::new(small(hour)?, small(minute)?, small(second)?, 0).ok()?;
    let stamp = jiff::tz::Offset::UTC.to_timestamp(date.to_datetime(clock)).ok()?;
    Some(Time::from_millis(stamp.as_millisecond() + millis - offset_minutes * 60_000))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shown(text: &str) -> Option<String> {
        parse(text).map(|time| time.to_string())
    }

    #[test]
    fn every_form_is_read() {
        for text in [
            "2026-03-02T05:27:56.279Z",
            "2026-03-02T05:27:56.279+00:00",
            "2026-03-02T14:27:56.279+09:00",
            "2026-03-02 05:27:56.279Z",
            "2026-03-02 05:27:56.279",
            "2026-03-02T05:27:56.279",
            "2026-03-02t05:27:56,2794 UTC",
            "2026-03-02 14:27:56.279 KST",
            "2026-03-02 14:27:56.279 +0900",
            "2026-03-02-05-27-56-279",
            "2026-03-02-05-27-56.279-UTC",
            "2026-03-02-14-27-56.279-KST",
            "2026-03-02-14-27-56.279-+09:00",
            "2026/03/02 05:27:56.279",
            " 2026-03-02T05:27:56.279Z ",
            // A word that is not known is taken as UTC.
            "2026-03-02 05:27:56.279 PST",
        ] {
            assert_eq!(shown(text).as_deref(), Some("2026-03-02T05:27:56.279Z"), "{text}");
        }
        for text in [
            "2026-03-02T05:27:56Z",
            "2026-03-02T05:27:56",
            "2026-03-02-05-27-56",
            "2026-03-02-05-27-56-UTC",
            "2026-03-02-05-27-56-Z",
            "2026-03-02-05-27-56-0",
            "2026-03-02-05-27-56-000",
            "2026-03-02-14-27-56-KST",
            "2026-03-02-14-27-56-+09:00",
            "2026-03-02-14-27-56+0900",
            "2026-03-02T14:27:56+09",
            // Four digits are neither milliseconds nor an offset with its sign: UTC.
            "2026-03-02-05-27-56-0900",
        ] {
            assert_eq!(shown(text).as_deref(), Some("2026-03-02T05:27:56.000Z"), "{text}");
        }
        assert_eq!(shown("2026-03-02-05-27-56-7").as_deref(), Some("2026-03-02T05:27:56.007Z"));
        assert_eq!(shown("2026-03-02T05:27:56.5").as_deref(), Some("2026-03-02T05:27:56.500Z"));
        assert_eq!(shown("2026-03-02 05:27").as_deref(), Some("2026-03-02T05:27:00.000Z"));
        assert_eq!(shown("2026-03-02").as_deref(), Some("2026-03-02T00:00:00.000Z"));
        assert_eq!(shown("2016-12-31T23:59:60").as_deref(), Some("2016-12-31T23:59:59.000Z"));
    }

    #[test]
    fn anything_else_is_none() {
        for text in [
            "",
            "N/A",
            "YYYY-MM-DD-HH-MM-SS-ZZZ",
            "2026-02-30",
            "2026-13-01T00:00:00Z",
            "2026-03-02T24:00:00Z",
            "2026-03-02T05:61:00Z",
            "20260302",
            "2026-03-02T05:27:56.",
            "2026-03-02T05:27:56.279 1234",
            "2026-03-02T05:27:56+99:00",
            "２０２６-03-02",
            "1772429276279",
        ] {
            assert_eq!(shown(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn the_topics_own_form_comes_back(millis in any::<i64>()) {
            let time = Time::from_millis(millis);
            prop_assert_eq!(parse(&time.to_string()), Some(time));
        }

        #[test]
        fn the_dashed_form_comes_back(millis in 0_i64..253_402_000_000_000) {
            let time = Time::from_millis(millis);
            let dashed = time.to_string().replace(['T', ':', '.'], "-").replace('Z', "");
            prop_assert_eq!(parse(&dashed), Some(time));
        }

        #[test]
        fn nothing_panics(text in ".{0,80}", digits in "[0-9TZ :.,+/-]{0,40}") {
            let _ = parse(&text);
            let _ = parse(&digits);
            let _ = parse(&format!("2026-03-02{digits}"));
        }
    }
}
