//! A point in time, as the topics and the ledger carry it.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::ops::{Add, Sub};
use std::str::FromStr;
use std::time::Duration;

/// Milliseconds since 1970-01-01T00:00:00Z.
///
/// Text form: RFC 3339 in UTC with exactly three decimals, which is also ARGOS's own precision. Binary form: a
/// signed integer. The range that can be shown is the years -9999 to 9999; arithmetic saturates.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Time(i64);

impl Time {
    /// The largest time that can be shown, 9999-12-30T22:00:00Z.
    pub const MAX: Time = Time(253_402_207_200_000);
    /// The smallest time that can be shown.
    pub const MIN: Time = Time(-377_705_023_201_000);

    /// From milliseconds since the epoch, clamped to what can be shown.
    pub const fn from_millis(millis: i64) -> Time {
        if millis > Self::MAX.0 {
            Self::MAX
        } else if millis < Self::MIN.0 {
            Self::MIN
        } else {
            Time(millis)
        }
    }

    /// Milliseconds since the epoch.
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// How long ago `earlier` was; zero if it lies ahead.
    pub fn since(self, earlier: Time) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

impl Add<Duration> for Time {
    type Output = Time;

    fn add(self, step: Duration) -> Time {
        let millis = i64::try_from(step.as_millis()).unwrap_or(i64::MAX);
        Time::from_millis(self.0.saturating_add(millis))
    }
}

impl Sub<Duration> for Time {
    type Output = Time;

    fn sub(self, step: Duration) -> Time {
        let millis = i64::try_from(step.as_millis()).unwrap_or(i64::MAX);
        Time::from_millis(self.0.saturating_sub(millis))
    }
}

impl From<jiff::Timestamp> for Time {
    fn from(stamp: jiff::Timestamp) -> Time {
        Time::from_millis(stamp.as_millisecond())
    }
}

impl fmt::Display for Time {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stamp = jiff::Timestamp::from_millisecond(self.0).map_err(|_| fmt::Error)?;
        write!(out, "{stamp:.3}")
    }
}

impl fmt::Debug for Time {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}

/// Why a text is not a time in the topics' own form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an RFC 3339 time: {0:?}")]
pub struct InvalidTime(String);

impl FromStr for Time {
    type Err = InvalidTime;

    fn from_str(text: &str) -> Result<Time, InvalidTime> {
        if let Some(time) = usual(text.as_bytes()) {
            return Ok(time);
        }
        let stamp: jiff::Timestamp = text.parse().map_err(|_| InvalidTime(text.to_owned()))?;
        Ok(stamp.into())
    }
}

/// The usual form, `2026-03-02T05:27:56.279Z`, without the library's many steps: a page of a list holds 1,500 of them. Any
/// other form, and every mistake, is the library's.
fn usual(text: &[u8]) -> Option<Time> {
    let text: &[u8; 24] = text.try_into().ok()?;
    let marks = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':'), (19, b'.'), (23, b'Z')];
    if marks.iter().any(|(at, mark)| text[*at] != *mark) {
        return None;
    }
    let number = |digits: &[u8]| {
        digits.iter().try_fold(0, |sum, digit| digit.is_ascii_digit().then(|| sum * 10 + i64::from(digit - b'0')))
    };
    let (year, month, day) = (number(&text[..4])?, number(&text[5..7])?, number(&text[8..10])?);
    let (hour, minute, second) = (number(&text[11..13])?, number(&text[14..16])?, number(&text[17..19])?);
    // The days that every month has; what is left out needs the calendar.
    if !(1..=12).contains(&month) || !(1..=28).contains(&day) || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    // Years that begin in March, so that a leap day comes last; 719,468 days lie between their beginning and 1970.
    let years = if month > 2 { year } else { year - 1 };
    let leaps = years.div_euclid(4) - years.div_euclid(100) + years.div_euclid(400);
    let days = years * 365 + leaps + (153 * ((month + 9) % 12) + 2) / 5 + day - 1 - 719_468;
    let seconds = ((days * 24 + hour) * 60 + minute) * 60 + second;
    Some(Time::from_millis(seconds * 1000 + number(&text[20..23])?))
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        if out.is_human_readable() { out.collect_str(self) } else { out.serialize_i64(self.0) }
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Time, D::Error> {
        if input.is_human_readable() {
            let text = std::borrow::Cow::<'de, str>::deserialize(input)?;
            text.parse().map_err(serde::de::Error::custom)
        } else {
            i64::deserialize(input).map(Time::from_millis)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn is_shown_with_three_decimals_in_utc() {
        let time: Time = "2026-03-02T14:27:56.1+09:00".parse().unwrap();
        assert_eq!(time.to_string(), "2026-03-02T05:27:56.100Z");
        assert_eq!(Time::from_millis(0).to_string(), "1970-01-01T00:00:00.000Z");
    }

    proptest! {
        #[test]
        fn every_time_can_be_shown_and_read_again(millis in any::<i64>()) {
            let time = Time::from_millis(millis);
            prop_assert_eq!(time.to_string().parse::<Time>().unwrap(), time);
            let bytes = postcard::to_stdvec(&time).unwrap();
            prop_assert_eq!(postcard::from_bytes::<Time>(&bytes).unwrap(), time);
        }

        #[test]
        fn the_usual_form_is_read_as_the_library_reads_it(
            year in 0i32..10_000, parts in any::<[u8; 5]>(), millis in 0u16..1000, spoil in any::<(u8, u8, bool)>()
        ) {
            let [month, day, hour, minute, second] = parts.map(u32::from);
            let [month, day, hour, minute, second] = [month % 14, day % 33, hour % 25, minute % 61, second % 62];
            let mut text = format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z");
            if spoil.2 {
                let at = usize::from(spoil.0) % text.len();
                text.replace_range(at..=at, char::from(spoil.1 % 128).encode_utf8(&mut [0; 4]));
            }
            let library = text.parse::<jiff::Timestamp>().ok().map(Time::from);
            prop_assert_eq!(text.parse::<Time>().ok(), library, "{}", text);
        }

        #[test]
        fn arithmetic_never_panics(millis in any::<i64>(), step in any::<u64>()) {
            let time = Time::from_millis(millis);
            prop_assert!(time + Duration::from_millis(step) >= time);
            prop_assert!(time - Duration::from_millis(step) <= time);
        }
    }
}
