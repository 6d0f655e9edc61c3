//! How far the reading of one partition's ledger is, and how long it will still take.
//!
//! Pure: moments are arguments. Must not know: Kafka, logs. What was compacted away counts as read: offsets are all that
//! is known beforehand.

use std::fmt;
use std::time::{Duration, Instant};

/// How often it is worth a line.
const EVERY: Duration = Duration::from_secs(5);

/// See the module.
#[derive(Clone, Debug)]
pub(super) struct Meter {
    first: i64,
    target: i64,
    began: Instant,
    told: Instant,
}

/// What can be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Told {
    partition: i32,
    done: i64,
    total: i64,
    /// At the pace so far; `None` before anything was read.
    left: Option<Duration>,
}

impl Meter {
    pub(super) fn new(first: i64, target: i64, now: Instant) -> Meter {
        Meter { first, target, began: now, told: now }
    }

    /// The part that is read, 0 to 1.
    pub(super) fn part(&self, next: i64) -> f64 {
        let total = self.target - self.first;
        if total <= 0 { 1.0 } else { ((next - self.first) as f64 / total as f64).clamp(0.0, 1.0) }
    }

    /// Something to tell, every few seconds.
    pub(super) fn tell(&mut self, partition: i32, next: i64, now: Instant) -> Option<Told> {
        if now.saturating_duration_since(self.told) < EVERY {
            return None;
        }
        self.told = now;
        let part = self.part(next);
        let took = now.saturating_duration_since(self.began);
        let left = (part > 0.0).then(|| took.mul_f64((1.0 - part) / part));
        Some(Told { partition, done: next - self.first, total: self.target - self.first, left })
    }
}

impl fmt::Display for Told {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = (self.done.saturating_mul(100)).checked_div(self.total).unwrap_or(100).clamp(0, 100);
        let Told { partition, done, total, .. } = self;
        write!(out, "reading the ledger of partition {partition}: {percent} % ({done} of {total} offsets)")?;
        match self.left {
            Some(left) => write!(out, ", about {} s left", left.as_secs_f64().ceil()),
            None => out.write_str(", nothing read yet"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_few_seconds_it_says_how_far_it_is_and_how_long_it_takes() {
        let now = Instant::now();
        let after = |seconds| now + Duration::from_secs(seconds);
        let mut meter = Meter::new(1_000, 9_000, now);
        assert_eq!(meter.tell(3, 1_500, after(4)), None);
        let told = meter.tell(3, 3_000, after(5)).unwrap();
        assert_eq!(told.to_string(), "reading the ledger of partition 3: 25 % (2000 of 8000 offsets), about 15 s left");
        assert_eq!(meter.tell(3, 4_000, after(9)), None, "not more often");
        let told = meter.tell(3, 9_000, after(10)).unwrap();
        assert_eq!(told.to_string(), "reading the ledger of partition 3: 100 % (8000 of 8000 offsets), about 0 s left");
    }

    #[test]
    fn nothing_read_and_nothing_there_are_told_as_such() {
        let now = Instant::now();
        let told = Meter::new(0, 10, now).tell(0, 0, now + EVERY).unwrap();
        assert_eq!(told.to_string(), "reading the ledger of partition 0: 0 % (0 of 10 offsets), nothing read yet");
        assert!((Meter::new(5, 5, now).part(5) - 1.0).abs() < f64::EPSILON);
    }
}
