//! Vendor time.
//!
//! Owns the [`Clock`] type and two clocks for tests. The wall clock belongs to the caller: this crate never reads it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Instant;

/// Milliseconds since the Unix epoch, by whatever clock the caller brings.
pub type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;

/// A clock that starts at `base` (milliseconds since the epoch) and goes on with real speed.
pub fn ticking(base: i64) -> Clock {
    let start = Instant::now();
    Arc::new(move || base + start.elapsed().as_millis() as i64)
}

/// A clock that stands still until it is told to move.
#[derive(Clone, Debug)]
pub struct ManualClock(Arc<AtomicI64>);

impl ManualClock {
    /// Stands at `now` (milliseconds since the epoch).
    pub fn new(now: i64) -> ManualClock {
        ManualClock(Arc::new(AtomicI64::new(now)))
    }

    /// Moves on.
    pub fn advance(&self, millis: i64) {
        self.0.fetch_add(millis, Ordering::SeqCst);
    }

    /// As a [`Clock`].
    pub fn clock(&self) -> Clock {
        let now = Arc::clone(&self.0);
        Arc::new(move || now.load(Ordering::SeqCst))
    }
}

/// `2026-03-02T05:27:56.279Z`, the form of every real sample (ARGOS protocol, section 4.7).
pub(crate) fn iso(millis: i64) -> String {
    let time = jiff::Timestamp::from_millisecond(millis).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    format!("{time:.3}")
}

/// The reverse of [`iso`]; also takes an offset.
pub(crate) fn parse_iso(text: &str) -> Option<i64> {
    text.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_millisecond)
}

/// The first millisecond of a day given as `YYYY-MM-DD` or `YYYYMMDD`, in a zone `hours` east of Greenwich.
pub(crate) fn parse_day(text: &str, hours: i8) -> Option<i64> {
    let dashed = text.len() == 10 && text.as_bytes().get(4) == Some(&b'-');
    let plain = text.len() == 8 && text.bytes().all(|byte| byte.is_ascii_digit());
    let format = match (dashed, plain) {
        (true, _) => "%Y-%m-%d",
        (_, true) => "%Y%m%d",
        _ => return None,
    };
    let day = jiff::civil::Date::strptime(format, text).ok()?;
    let zone = jiff::tz::Offset::from_hours(hours).ok()?;
    let start = zone.to_timestamp(day.at(0, 0, 0, 0)).ok()?;
    Some(start.as_millisecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_days_round_trip() {
        assert_eq!(iso(1_772_429_276_279), "2026-03-02T05:27:56.279Z");
        assert_eq!(iso(1_772_429_276_000), "2026-03-02T05:27:56.000Z");
        assert_eq!(parse_iso("2026-03-02T05:27:56.279Z"), Some(1_772_429_276_279));
        assert_eq!(parse_day("2026-03-02", 0), parse_day("20260302", 0));
        assert_eq!(parse_day("2026-03-02", 0).map(iso).as_deref(), Some("2026-03-02T00:00:00.000Z"));
        assert_eq!(parse_day("2026-03-02", 9).map(iso).as_deref(), Some("2026-03-01T15:00:00.000Z"));
        assert_eq!(parse_day("02.03.2026", 0), None);
    }
}
