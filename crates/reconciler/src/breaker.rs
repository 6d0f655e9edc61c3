//! Whether a project may be asked at all: a circuit breaker. Pure: time is an argument.

use models::{LookError, Time};
use std::time::Duration;

/// What the breaker says to one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permit {
    /// Go on.
    Go,
    /// Not before this time: the pause is not over.
    Wait(Time),
    /// A probe is under way, and its answer is near; look again then.
    Probed(Time),
}

/// What the end of a request turned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Turned {
    /// The breaker opened: nothing is asked until then, and then one probe.
    Opened {
        /// The failure that did it, in our words.
        why: String,
        /// When one probe may go.
        until: Time,
    },
    /// A probe succeeded.
    Closed,
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

    /// Whether a request may go.
    pub fn permit(&self, now: Time) -> Permit {
        match *self {
            Breaker::Closed { .. } => Permit::Go,
            Breaker::Open { until, .. } | Breaker::Probing { until, .. } if until <= now => Permit::Go,
            Breaker::Open { until, .. } => Permit::Wait(until),
            Breaker::Probing { until, .. } => Permit::Probed(until.min(now + Self::PROBE_LOOK)),
        }
    }

    /// A permitted request goes. Says whether it is the probe.
    pub fn begin(&mut self, now: Time) -> bool {
        match *self {
            Breaker::Closed { .. } => false,
            Breaker::Open { opened, .. } | Breaker::Probing { opened, .. } => {
                *self = Breaker::Probing { until: now + Self::PROBE, opened };
                true
            }
        }
    }

    /// Takes the result of a request, and whether that was the probe. A truth, or an answer that is only unreadable,
    /// shows that ARGOS is there; so does a probe that is told to slow down, which is the budget's to heed. Answers to
    /// requests that began before the breaker opened say nothing new: they are no probe, and change nothing.
    pub fn record(&mut self, probe: bool, error: Option<&LookError>, now: Time) -> Option<Turned> {
        let before = *self;
        *self = match (error, before) {
            (_, Breaker::Open { .. }) | (Some(LookError::Throttled { .. }), Breaker::Closed { .. }) => before,
            (_, Breaker::Probing { .. }) if !probe => before,
            (Some(LookError::Denied(_)), _) => Self::reopen(before, Self::DENIED_PAUSE, now),
            (Some(LookError::Retry(_)), Breaker::Closed { failures }) if failures + 1 < Self::FAILURES => {
                Breaker::Closed { failures: failures + 1 }
            }
            (Some(LookError::Retry(_)), _) => Self::reopen(before, Self::PAUSE, now),
            _ => Self::closed(),
        };
        match (before, *self) {
            (Breaker::Closed { .. }, Breaker::Open { until, .. }) => {
                Some(Turned::Opened { why: error.map(LookError::to_string).unwrap_or_default(), until })
            }
            (Breaker::Probing { .. }, Breaker::Closed { .. }) => Some(Turned::Closed),
            _ => None,
        }
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

    fn at(millis: i64) -> Time {
        Time::from_millis(millis)
    }

    fn retry() -> LookError {
        LookError::Retry("timeout".to_owned())
    }

    fn denied() -> LookError {
        LookError::Denied("403".to_owned())
    }

    #[test]
    fn a_refused_key_opens_at_once_and_one_probe_closes() {
        let mut breaker = Breaker::closed();
        let why = denied().to_string();
        assert_eq!(breaker.record(false, Some(&denied()), at(0)), Some(Turned::Opened { why, until: at(60_000) }));
        assert_eq!(breaker.permit(at(1)), Permit::Wait(at(60_000)));
        assert_eq!(breaker.permit(at(60_000)), Permit::Go);
        assert!(breaker.begin(at(60_000)));
        assert!(matches!(breaker.permit(at(60_001)), Permit::Probed(_)), "a single probe");
        assert_eq!(breaker.record(true, None, at(60_100)), Some(Turned::Closed));
        assert_eq!(breaker, Breaker::closed());
        assert!(!breaker.begin(at(60_200)));
    }

    #[test]
    fn failures_in_a_row_open_it_and_failed_probes_lengthen_the_pause() {
        let mut breaker = Breaker::closed();
        let turns: Vec<_> = (0..8).filter_map(|_| breaker.record(false, Some(&retry()), at(0))).collect();
        assert_eq!(turns.len(), 1);
        assert_eq!(breaker.permit(at(0)), Permit::Wait(at(2_000)));
        assert!(breaker.begin(at(2_000)));
        assert_eq!(breaker.record(true, Some(&retry()), at(2_000)), None, "told once");
        assert_eq!(breaker.permit(at(2_001)), Permit::Wait(at(6_000)));
    }

    #[test]
    fn late_answers_neither_close_nor_reopen_it_nor_stand_for_the_probe() {
        let mut breaker = Breaker::closed();
        breaker.record(false, Some(&denied()), at(0));
        let open = breaker;
        for error in [None, Some(retry()), Some(denied())] {
            assert_eq!(breaker.record(false, error.as_ref(), at(10)), None);
            assert_eq!(breaker, open);
        }
        breaker.begin(at(60_000));
        let probing = breaker;
        for error in [None, Some(retry()), Some(denied())] {
            assert_eq!(breaker.record(false, error.as_ref(), at(60_010)), None);
            assert_eq!(breaker, probing);
        }
        breaker.record(true, Some(&denied()), at(60_020));
        assert_eq!(breaker.permit(at(60_021)), Permit::Wait(at(120_020)));
    }

    #[test]
    fn a_probe_without_an_answer_is_given_up() {
        let mut breaker = Breaker::closed();
        breaker.record(false, Some(&denied()), at(0));
        breaker.begin(at(60_000));
        assert_eq!(breaker.permit(at(119_900)), Permit::Probed(at(120_000)));
        assert_eq!(breaker.permit(at(120_000)), Permit::Go);
        assert!(breaker.begin(at(120_000)));
    }

    #[test]
    fn a_throttled_probe_shows_that_argos_is_there() {
        let mut breaker = Breaker::closed();
        breaker.record(false, Some(&denied()), at(0));
        breaker.begin(at(60_000));
        breaker.record(true, Some(&LookError::Throttled { retry_after: None }), at(60_001));
        assert_eq!(breaker, Breaker::closed());
    }
}
