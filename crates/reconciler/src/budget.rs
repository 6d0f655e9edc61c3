//! How fast one project may be asked, and when not at all. Pure: time is an argument.

use models::{LookError, Time};
use std::time::Duration;

/// A token bucket: so many requests a second, with bursts of one second's worth.
#[derive(Clone, Debug)]
pub struct Budget {
    per_second: f64,
    tokens: f64,
    refilled_at: Time,
    /// Set by a 429: nothing before this time.
    held_until: Time,
}

impl Budget {
    /// Full at `now`.
    pub fn new(per_second: f64, now: Time) -> Budget {
        Budget { per_second, tokens: per_second.max(1.0), refilled_at: now, held_until: Time::MIN }
    }

    /// Takes one request, or says when to ask again.
    pub fn take(&mut self, now: Time) -> Result<(), Time> {
        if now < self.held_until {
            return Err(self.held_until);
        }
        let gained = now.since(self.refilled_at).as_secs_f64() * self.per_second;
        self.tokens = (self.tokens + gained).min(self.per_second.max(1.0));
        self.refilled_at = now;
        if self.tokens >= 1.0 {
            self.tokens -= 1.0;
            return Ok(());
        }
        let wait = Duration::from_secs_f64((1.0 - self.tokens) / self.per_second);
        Err(now + wait.max(Duration::from_millis(1)))
    }

    /// When [`Budget::take`] would next succeed, if nobody else takes.
    pub fn ready_at(&self, now: Time) -> Time {
        let missing = 1.0 - self.tokens - now.since(self.refilled_at).as_secs_f64() * self.per_second;
        let wait = Duration::from_secs_f64((missing / self.per_second).max(0.0));
        (now + wait + Duration::from_millis(1)).max(self.held_until)
    }

    /// The time between two requests at the full rate.
    pub fn interval(&self) -> Duration {
        Duration::from_secs_f64(1.0 / self.per_second)
    }

    /// ARGOS asked us to slow down.
    pub fn hold(&mut self, now: Time, retry_after: Option<Duration>) {
        let pause = retry_after.unwrap_or(Duration::from_secs(1));
        self.held_until = self.held_until.max(now + pause);
    }
}

/// So many in an hour, counted from the first of them.
#[derive(Clone, Copy, Debug, Default)]
pub struct HourlyCap {
    began: Option<Time>,
    taken: u32,
}

impl HourlyCap {
    const HOUR: Duration = Duration::from_hours(1);

    /// Takes one, or says when there is room again.
    pub fn take(&mut self, most: u32, now: Time) -> Result<(), Time> {
        let began = match self.began {
            Some(began) if now < began + Self::HOUR => began,
            _ => {
                *self = HourlyCap { began: Some(now), taken: 0 };
                now
            }
        };
        if self.taken >= most {
            return Err(began + Self::HOUR);
        }
        self.taken += 1;
        Ok(())
    }
}

/// What the breaker says to one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permit {
    /// Go on.
    Go,
    /// Not before this time.
    Wait(Time),
}

/// A circuit breaker with a single probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Breaker {
    /// Requests go on; so many have failed in a row.
    Closed {
        /// Failures in a row.
        failures: u32,
    },
    /// No requests until then; `opened` counts how often in a row, which lengthens the pause.
    Open {
        /// When one probe may go.
        until: Time,
        /// How often in a row.
        opened: u32,
    },
    /// One probe is under way.
    Probing {
        /// When the probe is given up, should its answer never come.
        until: Time,
        /// How often in a row it was open.
        opened: u32,
    },
}

impl Breaker {
    const FAILURES: u32 = 8;
    const PAUSE: Duration = Duration::from_secs(2);
    const DENIED_PAUSE: Duration = Duration::from_mins(1);
    const LONGEST: Duration = Duration::from_mins(1);
    const PROBE: Duration = Duration::from_mins(1);
    /// How often those who wait look after the probe.
    const PROBE_LOOK: Duration = Duration::from_millis(500);

    /// All is well.
    pub const fn closed() -> Breaker {
        Breaker::Closed { failures: 0 }
    }

    /// Whether a request may go; counts it as the probe if the pause is over.
    pub fn permit(&mut self, now: Time) -> Permit {
        match *self {
            Breaker::Closed { .. } => Permit::Go,
            Breaker::Open { until, opened } | Breaker::Probing { until, opened } if until <= now => {
                *self = Breaker::Probing { until: now + Self::PROBE, opened };
                Permit::Go
            }
            Breaker::Open { until, .. } => Permit::Wait(until),
            Breaker::Probing { .. } => Permit::Wait(now + Self::PROBE_LOOK),
        }
    }

    /// When something can be done about a waiting key: at once, unless a probe is awaited.
    pub fn ready_at(&self, now: Time) -> Time {
        match *self {
            Breaker::Probing { until, .. } => until.min(now + Self::PROBE_LOOK).max(now),
            Breaker::Closed { .. } | Breaker::Open { .. } => now,
        }
    }

    /// Takes the result of a request. A truth, or an answer that is only unreadable, shows that ARGOS is there; so does
    /// a probe that is told to slow down, which is the budget's to heed.
    pub fn record(&mut self, error: Option<&LookError>, now: Time) {
        *self = match (error, *self) {
            (Some(LookError::Denied(_)), state) => Self::reopen(state, Self::DENIED_PAUSE, now),
            (Some(LookError::Retry(_)), Breaker::Closed { failures }) if failures + 1 < Self::FAILURES => {
                Breaker::Closed { failures: failures + 1 }
            }
            (Some(LookError::Retry(_) | LookError::Throttled { .. }), state @ Breaker::Open { .. })
            | (Some(LookError::Throttled { .. }), state @ Breaker::Closed { .. }) => state,
            (Some(LookError::Retry(_)), state) => Self::reopen(state, Self::PAUSE, now),
            _ => Self::closed(),
        };
    }

    fn reopen(state: Breaker, pause: Duration, now: Time) -> Breaker {
        let opened = match state {
            Breaker::Closed { .. } => 1,
            Breaker::Open { opened, .. } => opened,
            Breaker::Probing { opened, .. } => opened.saturating_add(1),
        };
        let pause = pause.saturating_mul(1 << (opened - 1).min(5)).min(Self::LONGEST.max(pause));
        Breaker::Open { until: now + pause, opened }
    }

    /// 0 closed, 1 probing, 2 open; the metric's value.
    pub const fn level(&self) -> i64 {
        match self {
            Breaker::Closed { .. } => 0,
            Breaker::Probing { .. } => 1,
            Breaker::Open { .. } => 2,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(millis: i64) -> Time {
        Time::from_millis(millis)
    }

    proptest! {
        #[test]
        fn the_budget_is_never_exceeded(rate in 0.2..50.0_f64, pauses in prop::collection::vec(0..500_i64, 1..300)) {
            let mut budget = Budget::new(rate, at(0));
            let (mut now, mut taken) = (0, 0.0);
            for pause in pauses {
                now += pause;
                match budget.take(at(now)) {
                    Ok(()) => taken += 1.0,
                    Err(when) => prop_assert!(when > at(now)),
                }
                prop_assert!(taken <= rate.max(1.0) + rate * now as f64 / 1000.0 + 1e-6);
            }
        }
    }

    #[test]
    fn an_hour_has_so_many_and_no_more() {
        let mut cap = HourlyCap::default();
        assert_eq!([cap.take(2, at(0)), cap.take(2, at(1))], [Ok(()), Ok(())]);
        assert_eq!(cap.take(2, at(2)), Err(at(3_600_000)));
        assert_eq!(cap.take(2, at(3_600_000)), Ok(()));
    }

    #[test]
    fn retry_after_is_honoured() {
        let mut budget = Budget::new(100.0, at(0));
        budget.hold(at(0), Some(Duration::from_secs(7)));
        assert_eq!(budget.take(at(6_999)), Err(at(7_000)));
        assert_eq!(budget.take(at(7_000)), Ok(()));
    }

    #[test]
    fn a_refused_key_opens_at_once_and_one_probe_closes() {
        let mut breaker = Breaker::closed();
        breaker.record(Some(&LookError::Denied("403".to_owned())), at(0));
        assert_eq!(breaker.permit(at(1)), Permit::Wait(at(60_000)));
        assert_eq!(breaker.permit(at(60_000)), Permit::Go);
        assert!(matches!(breaker.permit(at(60_001)), Permit::Wait(_)), "a single probe");
        breaker.record(None, at(60_100));
        assert_eq!(breaker, Breaker::closed());
    }

    #[test]
    fn failures_in_a_row_open_it_and_failed_probes_lengthen_the_pause() {
        let retry = LookError::Retry("timeout".to_owned());
        let mut breaker = Breaker::closed();
        for _ in 0..8 {
            assert_eq!(breaker.permit(at(0)), Permit::Go);
            breaker.record(Some(&retry), at(0));
        }
        assert_eq!(breaker.permit(at(0)), Permit::Wait(at(2_000)));
        assert_eq!(breaker.permit(at(2_000)), Permit::Go);
        breaker.record(Some(&retry), at(2_000));
        assert_eq!(breaker.permit(at(2_001)), Permit::Wait(at(6_000)));
    }

    #[test]
    fn a_throttled_probe_shows_that_argos_is_there() {
        let mut breaker = Breaker::closed();
        breaker.record(Some(&LookError::Denied("403".to_owned())), at(0));
        assert_eq!(breaker.permit(at(60_000)), Permit::Go);
        breaker.record(Some(&LookError::Throttled { retry_after: None }), at(60_001));
        assert_eq!(breaker, Breaker::closed());
    }
}
