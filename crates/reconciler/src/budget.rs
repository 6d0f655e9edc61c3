//! How fast one project may be asked, and when not at all. Pure: time is an argument.

use models::{LookError, Time};
use std::time::Duration;

/// What a project is allowed, over all replicas.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ProjectBudget {
    /// Requests a second.
    pub per_second: f64,
    /// Requests a day, counted from 00:00 UTC.
    pub per_day: u64,
    /// Deletions inferred from absence in one hour of the clock.
    pub deletions_per_hour: u32,
    /// Requests that one look makes.
    pub cost: u32,
}

/// A token bucket: so many requests a second, with bursts of one second's worth.
///
/// It starts empty, and a larger share fills it no faster than the share itself: neither a restart nor a rebalance is
/// worth a burst. A 429 halves the rate; from the end of the pause on it climbs back.
#[derive(Clone, Debug)]
pub struct Budget {
    /// This replica's share of the full rate, in requests a second.
    share: f64,
    /// The most that is taken at once; the bucket holds at least this.
    largest: f64,
    tokens: f64,
    refilled_at: Time,
    /// The part of the share that is used, 1/16 to 1.
    part: f64,
    halved_at: Option<Time>,
    /// Set by a 429: nothing before this time.
    held_until: Time,
}

impl Budget {
    const LEAST_PART: f64 = 1.0 / 16.0;
    /// What the rate regains in a second, as a part of the full one.
    const CLIMB: f64 = 1.0 / 20.0;
    /// Answers to requests that were under way together count as one 429.
    const HALVE_ONCE_IN: Duration = Duration::from_secs(1);
    /// The pause after a 429 that names none.
    const PAUSE: Duration = Duration::from_secs(1);
    /// What rounding may hide.
    const GRAIN: f64 = 1e-9;

    /// Empty, with a rate of zero. `largest` is the most that one [`Budget::take`] will ask for.
    pub fn new(largest: u32, now: Time) -> Budget {
        Budget {
            share: 0.0,
            largest: f64::from(largest),
            tokens: 0.0,
            refilled_at: now,
            part: 1.0,
            halved_at: None,
            held_until: Time::MIN,
        }
    }

    /// Another share of the full rate, from now on.
    pub fn set_rate(&mut self, share: f64, now: Time) {
        self.settle(now);
        self.share = share;
        self.tokens = self.tokens.min(self.most());
    }

    /// Takes so many requests, or says when to ask again.
    pub fn take(&mut self, now: Time, cost: u32) -> Result<(), Time> {
        self.settle(now);
        match self.ready_at(now, cost) {
            ready if ready <= now => {
                self.tokens = (self.tokens - f64::from(cost)).max(0.0);
                Ok(())
            }
            later => Err(later),
        }
    }

    /// When [`Budget::take`] would next succeed, if nobody else takes; `now` if at once.
    pub fn ready_at(&self, now: Time, cost: u32) -> Time {
        let mut then = self.clone();
        then.settle(now);
        let missing = f64::from(cost) - then.tokens;
        if missing <= Self::GRAIN {
            return now.max(self.held_until);
        }
        // The rate may climb meanwhile: then it is ready a little before. Without a rate it never is.
        let wait = Duration::try_from_secs_f64(missing / then.rate()).unwrap_or(Duration::MAX);
        now.max(self.held_until) + wait.saturating_add(Duration::from_millis(1))
    }

    /// The rate now, in requests a second; zero during a pause.
    pub fn rate_now(&self, now: Time) -> f64 {
        let mut then = self.clone();
        then.settle(now);
        if now < self.held_until { 0.0 } else { then.rate() }
    }

    /// How long so many requests take at the full rate.
    pub fn interval(&self, cost: u32) -> Duration {
        Duration::try_from_secs_f64(f64::from(cost) / self.share).unwrap_or(Duration::MAX)
    }

    /// ARGOS asked us to slow down.
    pub fn hold(&mut self, now: Time, retry_after: Option<Duration>) {
        self.settle(now);
        if self.halved_at.is_none_or(|halved| halved > now || halved + Self::HALVE_ONCE_IN <= now) {
            self.part = (self.part / 2.0).max(Self::LEAST_PART);
            self.halved_at = Some(now);
        }
        self.tokens = self.tokens.min(self.most());
        self.held_until = self.held_until.max(now + retry_after.unwrap_or(Self::PAUSE));
    }

    fn rate(&self) -> f64 {
        self.share * self.part
    }

    /// What the bucket holds: one second's worth.
    fn most(&self) -> f64 {
        if self.share > 0.0 { self.rate().max(self.largest) } else { 0.0 }
    }

    /// Refills, and lets the rate climb; neither during a pause.
    fn settle(&mut self, now: Time) {
        let seconds = now.since(self.refilled_at.max(self.held_until)).as_secs_f64();
        let climbing = seconds.min((1.0 - self.part) / Self::CLIMB);
        let climbed = climbing * Self::CLIMB;
        let full = seconds - climbing;
        let gained = self.share * (climbing * (self.part + climbed / 2.0) + full);
        self.part = (self.part + climbed).min(1.0);
        self.tokens = (self.tokens + gained).min(self.most());
        self.refilled_at = now;
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
    use proptest::prelude::*;

    fn at(millis: i64) -> Time {
        Time::from_millis(millis)
    }

    /// A bucket that has filled up before time zero.
    fn full(rate: f64) -> Budget {
        let mut budget = Budget::new(1, at(-1_000_000));
        budget.set_rate(rate, at(-1_000_000));
        budget
    }

    proptest! {
        #[test]
        fn the_budget_is_never_exceeded(
            rate in 0.2..50.0_f64, steps in prop::collection::vec((0..500_i64, 1..4_u32, 0..12_u8), 1..300),
        ) {
            let mut budget = Budget::new(3, at(0));
            budget.set_rate(rate, at(0));
            let (mut now, mut taken) = (0, 0.0);
            for (pause, cost, other) in steps {
                now += pause;
                match other {
                    0 => budget.hold(at(now), None),
                    1 => budget.set_rate(rate / 2.0, at(now)),
                    2 => budget.set_rate(rate, at(now)),
                    _ => {}
                }
                let ready = budget.ready_at(at(now), cost);
                match budget.take(at(now), cost) {
                    Ok(()) => {
                        taken += f64::from(cost);
                        prop_assert!(ready <= at(now));
                    }
                    Err(when) => {
                        prop_assert!(when > at(now) && when == ready);
                        prop_assert_eq!(budget.clone().take(when, cost), Ok(()), "a promise is kept");
                    }
                }
                prop_assert!(taken <= rate * now as f64 / 1000.0 + 1e-6, "{taken} by {now}");
            }
        }
    }

    #[test]
    fn a_larger_share_is_no_burst() {
        let mut budget = full(10.0);
        for _ in 0..10 {
            assert_eq!(budget.take(at(0), 1), Ok(()));
        }
        for _ in 0..100 {
            budget.set_rate(1.0, at(0));
            budget.set_rate(100.0, at(0));
        }
        assert_eq!(budget.take(at(0), 1), Err(at(11)));
        budget.set_rate(0.0, at(0));
        assert_eq!(budget.take(at(3_600_000), 1), Err(Time::MAX), "without a share, nothing");
    }

    #[test]
    fn a_429_halves_the_rate_once_in_a_second_and_it_climbs_back() {
        let mut budget = full(16.0);
        let near = |rate: f64, expected: f64| assert!((rate - expected).abs() < 1e-6, "{rate}, not {expected}");
        for _ in 0..64 {
            budget.hold(at(0), Some(Duration::ZERO));
        }
        near(budget.rate_now(at(0)), 8.0);
        near(budget.rate_now(at(5_000)), 12.0);
        near(budget.rate_now(at(60_000)), 16.0);
        for step in 0..40 {
            budget.hold(at(step * 1_000), Some(Duration::from_secs(1)));
        }
        near(budget.rate_now(at(39_500)), 0.0);
        near(budget.rate_now(at(40_000)), 1.0);
        near(budget.rate_now(at(41_000)), 1.8);
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
        let mut budget = full(100.0);
        budget.hold(at(0), Some(Duration::from_secs(7)));
        assert_eq!(budget.take(at(6_999), 1), Err(at(7_000)));
        assert_eq!(budget.take(at(7_000), 1), Ok(()));
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
