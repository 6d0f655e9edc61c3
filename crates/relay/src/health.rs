//! Whether the service has started, and whether it can do its work right now.
//!
//! Owns: a list of named conditions with a reason for each that does not hold. Must not know: what they mean, or HTTP.
//! Nothing is smoothed or delayed: an answer is true at the moment it is given, and whoever asks does the waiting.
//!
//! Path: wiring names every condition before the admin listener opens; the parts report through a [`Latch`], or are
//! asked through a closure ([`Health::ask`]).

use serde::Serialize;
use std::borrow::Cow;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// Why a condition does not hold, in words for an operator. Never personal data.
pub type Why = Cow<'static, str>;

/// Which question a condition belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Has the service started? The same conditions also belong to the next question.
    Startup,
    /// Can it do its work durably right now?
    Ready,
}

type Asked = Box<dyn Fn() -> Result<(), Why> + Send + Sync>;

struct Condition {
    name: &'static str,
    stage: Stage,
    ask: Asked,
}

/// All conditions. Built once, then only asked.
#[derive(Default)]
pub struct Health {
    conditions: Vec<Condition>,
}

impl fmt::Debug for Health {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_list().entries(self.conditions.iter().map(|condition| condition.name)).finish()
    }
}

/// The answer to one of the questions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// Whether every condition holds.
    pub ok: bool,
    /// Each of them.
    pub conditions: Vec<Finding>,
}

/// One condition at the moment of asking.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Its name.
    pub name: &'static str,
    /// Whether it holds.
    pub ok: bool,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Why>,
}

impl Health {
    /// Without conditions: all is well.
    pub fn new() -> Health {
        Health::default()
    }

    /// Adds a condition that somebody reports; it does not hold until they do.
    pub fn latch(&mut self, stage: Stage, name: &'static str, until_set: impl Into<Why>) -> Latch {
        let latch = Latch(Arc::new(Mutex::new(Some(until_set.into()))));
        let seen = latch.clone();
        self.ask(stage, name, move || seen.get());
        latch
    }

    /// Adds a condition that is asked each time; the closure must not block.
    pub fn ask(&mut self, stage: Stage, name: &'static str, ask: impl Fn() -> Result<(), Why> + Send + Sync + 'static) {
        self.conditions.push(Condition { name, stage, ask: Box::new(ask) });
    }

    /// Whether the service has started.
    pub fn started(&self) -> Verdict {
        self.verdict(|stage| stage == Stage::Startup)
    }

    /// Whether it can do its work right now.
    pub fn ready(&self) -> Verdict {
        self.verdict(|_| true)
    }

    fn verdict(&self, belongs: impl Fn(Stage) -> bool) -> Verdict {
        let conditions: Vec<Finding> = self
            .conditions
            .iter()
            .filter(|condition| belongs(condition.stage))
            .map(|condition| {
                let reason = (condition.ask)().err();
                Finding { name: condition.name, ok: reason.is_none(), reason }
            })
            .collect();
        Verdict { ok: conditions.iter().all(|finding| finding.ok), conditions }
    }
}

/// The hand of a part that reports its own condition.
#[derive(Clone, Debug)]
pub struct Latch(Arc<Mutex<Option<Why>>>);

impl Latch {
    /// The condition holds from now on.
    pub fn set(&self) {
        self.put(None);
    }

    /// The condition does not hold (any more), and why.
    pub fn clear(&self, why: impl Into<Why>) {
        self.put(Some(why.into()));
    }

    fn put(&self, state: Option<Why>) {
        // A poisoned lock still holds a whole value: it is only ever replaced.
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = state;
    }

    fn get(&self) -> Result<(), Why> {
        match &*self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            None => Ok(()),
            Some(why) => Err(why.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicBool, Ordering};

    #[test]
    fn startup_conditions_count_for_readiness_too_but_not_the_other_way_round() {
        let mut health = Health::new();
        assert!(health.ready().ok, "nothing was asked for");
        let ledger = health.latch(Stage::Startup, "ledger", "the ledger is being read");
        let broker = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&broker);
        health.ask(Stage::Ready, "kafka", move || {
            if seen.load(Ordering::Relaxed) { Ok(()) } else { Err("no broker is connected".into()) }
        });
        assert_eq!((health.started().ok, health.ready().ok), (false, false));
        ledger.set();
        assert_eq!((health.started().ok, health.ready().ok), (true, false));
        broker.store(true, Ordering::Relaxed);
        assert_eq!((health.started().ok, health.ready().ok), (true, true));
        ledger.clear("an open transaction is in the way");
        let verdict = health.ready();
        assert!(!verdict.ok);
        assert_eq!(verdict.conditions[0].reason.as_deref(), Some("an open transaction is in the way"));
        assert_eq!(verdict.conditions[1].reason, None);
    }
}
