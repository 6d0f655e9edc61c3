//! How fast one project may be asked. Pure: time is an argument.

use models::Time;
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
    fn retry_after_is_honoured() {
        let mut budget = full(100.0);
        budget.hold(at(0), Some(Duration::from_secs(7)));
        assert_eq!(budget.take(at(6_999), 1), Err(at(7_000)));
        assert_eq!(budget.take(at(7_000), 1), Ok(()));
    }
}
