//! Faults of the simulated ARGOS: what goes wrong with an answer, and how often.
//!
//! Owns the settings, the dice (seeded) and the verdict on each request. Performs nothing: `server` does.

use serde::{Deserialize, Serialize};
use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// What goes wrong with GETs. Rates are shares of all requests, 0.0 to 1.0; at most one of them strikes a request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Faults {
    /// Latency of every answer, milliseconds.
    pub latency_ms: u64,
    /// Further latency, drawn evenly up to this, milliseconds.
    pub jitter_ms: u64,
    /// Share of GETs that show an older state.
    pub stale_rate: f64,
    /// How old that state is, milliseconds.
    pub stale_ms: u64,
    /// Every GET by id shows the state of this long ago: a change is seen only after it. Milliseconds.
    pub read_lag_ms: u64,
    /// The same for lists.
    pub list_lag_ms: u64,
    /// Share answered 500 or 502.
    pub error_rate: f64,
    /// Share answered 429.
    pub throttle_rate: f64,
    /// `Retry-After` of a 429, seconds; 0 for none.
    pub retry_after_s: u64,
    /// Share answered 200 with a body that is cut short, HTML, empty or of wrong types.
    pub garbage_rate: f64,
    /// Share whose connection is closed without an answer.
    pub cut_rate: f64,
    /// Share that is never answered, until `hang_ms`.
    pub hang_rate: f64,
    /// After this the connection of a hanging request is closed, milliseconds.
    pub hang_ms: u64,
    /// Every request is answered 403, as with an address that is not on the list.
    pub forbidden: bool,
    /// Every connection is closed at once.
    pub down: bool,
}

impl Default for Faults {
    fn default() -> Faults {
        Faults {
            latency_ms: 0,
            jitter_ms: 0,
            stale_rate: 0.0,
            stale_ms: 1_000,
            read_lag_ms: 0,
            list_lag_ms: 0,
            error_rate: 0.0,
            throttle_rate: 0.0,
            retry_after_s: 1,
            garbage_rate: 0.0,
            cut_rate: 0.0,
            hang_rate: 0.0,
            hang_ms: 60_000,
            forbidden: false,
            down: false,
        }
    }
}

/// What strikes one request instead of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Strike {
    Cut,
    Hang(Duration),
    Forbidden,
    Throttled { retry_after_s: u64 },
    Error(u16),
    Garbage(Garbage),
}

/// How a body is spoilt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Garbage {
    Truncated,
    Html,
    WrongTypes,
    Empty,
}

/// The conditions of one answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) delay: Duration,
    /// How old the shown state is, milliseconds.
    pub(crate) age_ms: i64,
    pub(crate) strike: Option<Strike>,
}

struct Inner {
    rng: fastrand::Rng,
    all: Faults,
    projects: HashMap<String, Faults>,
    poisoned: HashSet<(String, String)>,
}

/// The switchboard of faults, adjustable while the simulator runs.
pub struct FaultControl(Mutex<Inner>);

impl std::fmt::Debug for FaultControl {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_tuple("FaultControl").field(&self.get()).finish()
    }
}

impl FaultControl {
    pub(crate) fn new(seed: u64) -> FaultControl {
        FaultControl(Mutex::new(Inner {
            rng: fastrand::Rng::with_seed(seed),
            all: Faults::default(),
            projects: HashMap::new(),
            poisoned: HashSet::new(),
        }))
    }

    /// Sets the faults of all projects that have none of their own.
    pub fn set(&self, faults: Faults) {
        self.lock().all = faults;
    }

    /// Changes the faults that [`FaultControl::set`] sets.
    pub fn update(&self, change: impl FnOnce(&mut Faults)) {
        change(&mut self.lock().all);
    }

    /// Gives one project its own faults. `down` works on connections, hence only through [`FaultControl::set`].
    pub fn set_for(&self, project: &str, faults: Faults) {
        self.lock().projects.insert(project.to_owned(), faults);
    }

    /// Answers one submission with garbage from now on.
    pub fn poison(&self, project: &str, id: &str) {
        self.lock().poisoned.insert((project.to_owned(), id.to_owned()));
    }

    /// Answers a poisoned submission honestly again.
    pub fn heal(&self, project: &str, id: &str) {
        self.lock().poisoned.remove(&(project.to_owned(), id.to_owned()));
    }

    /// No faults any more: none for all, none for one project, nothing poisoned.
    pub fn clear(&self) {
        let mut inner = self.lock();
        inner.all = Faults::default();
        inner.projects.clear();
        inner.poisoned.clear();
    }

    /// The faults of all projects that have none of their own.
    pub fn get(&self) -> Faults {
        self.lock().all.clone()
    }

    pub(crate) fn is_down(&self) -> bool {
        self.lock().all.down
    }

    /// Rolls the dice for one request: always the same number of them, so that a seed gives the same verdicts
    /// whatever the settings.
    pub(crate) fn judge(&self, project: Option<&str>, id: Option<&str>) -> Verdict {
        let mut inner = self.lock();
        let (fate, stale, jitter, kind) = (inner.rng.f64(), inner.rng.f64(), inner.rng.f64(), inner.rng.u8(..));
        let own = project.and_then(|project| inner.projects.get(project));
        let faults = own.unwrap_or(&inner.all);
        let poisoned = match (project, id) {
            (Some(project), Some(id)) => inner.poisoned.contains(&(project.to_owned(), id.to_owned())),
            _ => false,
        };
        let lag = if id.is_some() { faults.read_lag_ms } else { faults.list_lag_ms };
        let stale = if stale < faults.stale_rate { faults.stale_ms } else { 0 };
        Verdict {
            delay: Duration::from_millis(faults.latency_ms + (jitter * (faults.jitter_ms + 1) as f64) as u64),
            age_ms: lag.max(stale) as i64,
            strike: strike(faults, fate, kind, poisoned),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn strike(faults: &Faults, mut fate: f64, kind: u8, poisoned: bool) -> Option<Strike> {
    let garbage = Strike::Garbage(match kind % 4 {
        0 => Garbage::Truncated,
        1 => Garbage::Html,
        2 => Garbage::WrongTypes,
        _ => Garbage::Empty,
    });
    if faults.down {
        return Some(Strike::Cut);
    }
    if faults.forbidden {
        return Some(Strike::Forbidden);
    }
    let shares = [
        (faults.cut_rate, Strike::Cut),
        (faults.hang_rate, Strike::Hang(Duration::from_millis(faults.hang_ms))),
        (faults.throttle_rate, Strike::Throttled { retry_after_s: faults.retry_after_s }),
        (faults.error_rate, Strike::Error(if kind.is_multiple_of(2) { 500 } else { 502 })),
        (faults.garbage_rate, garbage),
    ];
    for (rate, strike) in shares {
        if fate < rate {
            return Some(strike);
        }
        fate -= rate;
    }
    poisoned.then_some(garbage)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_hold_within_a_percent_for_a_seed() {
        let control = FaultControl::new(7);
        control.set(Faults {
            error_rate: 0.10,
            throttle_rate: 0.05,
            garbage_rate: 0.20,
            cut_rate: 0.02,
            stale_rate: 0.30,
            ..Faults::default()
        });
        let verdicts: Vec<Verdict> = (0..20_000).map(|_| control.judge(Some("acme"), Some("a"))).collect();
        let share = |wanted: fn(&Verdict) -> bool| {
            verdicts.iter().filter(|verdict| wanted(verdict)).count() as f64 / verdicts.len() as f64
        };
        let close = |share: f64, wanted: f64| {
            assert!((share - wanted).abs() < 0.01, "{share} is not {wanted}");
        };
        close(share(|verdict| matches!(verdict.strike, Some(Strike::Error(_)))), 0.10);
        close(share(|verdict| matches!(verdict.strike, Some(Strike::Throttled { .. }))), 0.05);
        close(share(|verdict| matches!(verdict.strike, Some(Strike::Garbage(_)))), 0.20);
        close(share(|verdict| verdict.strike == Some(Strike::Cut)), 0.02);
        close(share(|verdict| verdict.age_ms > 0), 0.30);
    }

    #[test]
    fn a_seed_gives_the_same_verdicts() {
        let roll = || {
            let control = FaultControl::new(11);
            control.set(Faults { error_rate: 0.5, jitter_ms: 50, ..Faults::default() });
            (0..500).map(|_| control.judge(None, None)).collect::<Vec<_>>()
        };
        assert_eq!(roll(), roll());
    }

    #[test]
    fn a_project_and_a_submission_can_suffer_alone() {
        let control = FaultControl::new(1);
        control.set_for("beta", Faults { forbidden: true, ..Faults::default() });
        control.poison("acme", "a");
        assert_eq!(control.judge(Some("beta"), Some("a")).strike, Some(Strike::Forbidden));
        assert!(matches!(control.judge(Some("acme"), Some("a")).strike, Some(Strike::Garbage(_))));
        assert_eq!(control.judge(Some("acme"), Some("b")).strike, None);
        control.heal("acme", "a");
        assert_eq!(control.judge(Some("acme"), Some("a")).strike, None);
    }
}
