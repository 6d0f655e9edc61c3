//! When a sweep is due and which rows it takes: the settings, and the rules that need nothing but a memo. Pure.

use models::{Sweep, SweepMemo, Time, Walk};
use std::time::Duration;

const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);

/// After a walk that was given up, at least so long passes before the next.
const PAUSE_AFTER_GIVING_UP: Duration = HOUR;

/// How often a sweep walks, and how far back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cadence {
    /// From the start of one walk to the start of the next.
    pub every: Duration,
    /// Only submissions made within this time; `None` = all.
    pub created_within: Option<Duration>,
}

/// The sweeps of one project.
#[derive(Clone, Debug, PartialEq)]
pub struct SweepRules {
    /// What is young.
    pub recent: Cadence,
    /// What is a month old at most.
    pub month: Cadence,
    /// All of it.
    pub full: Cadence,
    /// Rows created later than this before the start of a walk are left to the next one: the vendor's index may lag.
    pub lag: Duration,
    /// An early full sweep is granted at most once in this time.
    pub early_every: Duration,
    /// After so many pages in a row without progress a walk is given up.
    pub stalled_after: u32,
    /// Progress is told at most once in this time.
    pub progress_every: Duration,
    /// The share of the budget that the looks of the first full walk may take.
    pub first_walk_share: f64,
    /// The budget in looks: one look may take several requests.
    pub requests_per_second: f64,
}

impl Default for SweepRules {
    fn default() -> SweepRules {
        SweepRules {
            recent: Cadence { every: 5 * MINUTE, created_within: Some(3 * DAY) },
            month: Cadence { every: 6 * HOUR, created_within: Some(31 * DAY) },
            full: Cadence { every: 7 * DAY, created_within: None },
            lag: MINUTE,
            early_every: 6 * HOUR,
            stalled_after: 20,
            progress_every: MINUTE,
            first_walk_share: 0.5,
            requests_per_second: 5.0,
        }
    }
}

impl SweepRules {
    /// `None`: a backfill walks once, when it is asked for.
    pub(crate) const fn cadence(&self, sweep: Sweep) -> Option<Cadence> {
        match sweep {
            Sweep::Recent => Some(self.recent),
            Sweep::Month => Some(self.month),
            Sweep::Full => Some(self.full),
            Sweep::Backfill => None,
        }
    }

    /// When the sweep has something to do; `None` = not before something else happens. `full` is the memo of the
    /// project's full sweep: until its first walk has ended, which covers them, the shorter ones wait for their own interval.
    pub(super) fn due(&self, sweep: Sweep, memo: &SweepMemo, full: &SweepMemo) -> Option<Time> {
        if memo.walk.is_some() {
            return Some(Time::MIN);
        }
        let Some(cadence) = self.cadence(sweep) else {
            return memo.range.map(|_| Time::MIN);
        };
        let early = memo.asked_at.map(|_| memo.granted_at.unwrap_or(Time::MIN));
        let regular = match memo.last {
            Some(last) if last.complete => Some(last.started_at + cadence.every),
            Some(last) => Some((last.started_at + cadence.every).max(last.ended_at + PAUSE_AFTER_GIVING_UP)),
            None if sweep == Sweep::Full || full.last.is_some() => Some(Time::MIN),
            // A first walk that takes days is no reason to repair nothing meanwhile.
            None => full.walk.as_ref().map(|walk| walk.started_at + cadence.every),
        };
        [early, regular].into_iter().flatten().min()
    }

    /// The walk that begins now. Its upper bound is fixed here, so that a list that grows comes to an end.
    pub(super) fn begin(&self, sweep: Sweep, memo: &SweepMemo, now: Time) -> Walk {
        let settled = now - self.lag;
        let (from, to) = match (self.cadence(sweep), memo.range) {
            (None, Some((from, to))) => (Some(from), to.min(settled)),
            (cadence, _) => (cadence.and_then(|cadence| cadence.created_within).map(|within| now - within), settled),
        };
        Walk { started_at: now, from, to, cursor: None, stalled: 0, totals: models::Totals::default() }
    }

    /// What a full sweep that was asked for does to its memo. One within [`SweepRules::early_every`] of the last waits until
    /// that is over: what was lost since is in no earlier walk. A repeat while the walk that was granted has not begun
    /// changes nothing, since that covers it.
    pub(super) fn ask(&self, memo: &mut SweepMemo, at: Time, now: Time) {
        if memo.asked_at.is_none() {
            memo.asked_at = Some(at);
            memo.granted_at = Some(memo.granted_at.map_or(now, |granted| now.max(granted + self.early_every)));
        }
    }

    /// What a backfill that was asked for does to its memo. One that waits already is widened, so that none is lost. A
    /// period that is empty, or not over the lag window yet, has nothing to walk.
    pub(super) fn ask_for(&self, memo: &mut SweepMemo, (from, to): (Time, Time), at: Time, now: Time) {
        if from > to.min(now - self.lag) {
            return;
        }
        let wider = |(waits_from, waits_to): (Time, Time)| (from.min(waits_from), to.max(waits_to));
        memo.range = Some(memo.range.map_or((from, to), wider));
        memo.asked_at = Some(at);
    }

    /// How long the looks of so many hints take at the share that the first full walk may have.
    pub(super) fn pace(&self, hinted: u64) -> Duration {
        let per_second = self.first_walk_share * self.requests_per_second;
        // Only a rate of zero, which no configuration should let through, has no finite answer.
        Duration::try_from_secs_f64(hinted as f64 / per_second).unwrap_or(HOUR)
    }
}
