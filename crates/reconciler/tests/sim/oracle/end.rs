//! The judgement at the end of a calm: what is true is published, and nothing waits that should not.

use super::Oracle;
use super::facts::{born, matches, noticed};
use crate::run::RELOOK;
use crate::world::Shown;
use reconciler::memory::MemoryBroker;

/// While all is well, a hint is settled within so many milliseconds.
const SETTLED_WITHIN: i64 = 5_000;

impl Oracle {
    /// All was well long enough: what is true is published, and nothing waits that should not.
    pub(crate) fn finish(&mut self, broker: &MemoryBroker, at: i64) {
        let mut wrong = Vec::new();
        // A walk of just now may have told something.
        let young = self.accepted.iter().filter(|when| **when + SETTLED_WITHIN > at).count();
        if broker.unsettled() > young {
            wrong.push(format!("{} hints are unsettled, {young} of them young", broker.unsettled()));
        }
        let states = broker.states();
        for (key, mut life) in self.plan.lives.clone() {
            life.versions.truncate(life.at(at - 1).map_or(0, |index| index + 1));
            let (plan, book) = (&self.plan, self.books.entry(key.clone()).or_default());
            if states.get(&key) != book.state.as_ref() {
                wrong.push(format!("{key}: the state topic is not what was committed"));
            }
            let version = life.at(at - 1).map(|index| &life.versions[index]);
            let state = states.get(&key);
            match (version, state) {
                _ if book.erased => {
                    if state.is_some() {
                        wrong.push(format!("{key}: erased, and still there"));
                    }
                }
                (None, None) => {}
                // The list does not show it, and nobody told, or what was told went with an id that was forgotten
                // while the budget was short: it cannot be known.
                _ if life.unlisted && (book.entry.is_none() || !book.told.iter().any(|at| *at >= born(&life))) => {}
                (Some(version), Some(state)) if version.shown == Shown::Live => {
                    if !matches(version, &state.facts.kyc, &state.facts.aml) {
                        wrong.push(format!("{key}: {version:?} is published as {:?}", state.facts));
                    }
                    if state.sequence != book.sequence {
                        wrong.push(format!("{key}: state {} and event {} differ", state.sequence, book.sequence));
                    }
                    wrong.extend(noticed(&life, book, &state.facts.aml).map(|what| format!("{key}: {what}")));
                }
                (Some(version), None) if version.shown != Shown::Live => {}
                (Some(version), Some(_)) if version.shown == Shown::Gone && plan.deletions_per_hour == 1 => {}
                (version, state) => wrong.push(format!("{key}: {version:?} is published as {state:?}")),
            }
            let due = broker.entry(&key).and_then(|entry| entry.check).map(|check| check.due);
            let overdue = due.is_some_and(|due| due + RELOOK < plan.time(at));
            if overdue {
                wrong.push(format!("{key}: a look was due at {due:?}"));
            }
        }
        if broker.events_from(0).len() != self.events {
            wrong.push("the events topic is not what was committed".to_owned());
        }
        wrong.extend(self.too_fast());
        for what in wrong {
            self.wrong(at, &what);
        }
    }

    /// Requests in ten seconds: the rate, one burst, and half as much again for replicas that trade places meanwhile.
    fn too_fast(&self) -> Option<String> {
        let most = (self.plan.per_second * 16.0) as usize + 8;
        let fast = |times: &Vec<i64>| times.windows(most + 1).any(|window| window[most] - window[0] < 10_000);
        let fits = self.plan.zombies || self.plan.jumps || !self.requests.values().any(fast);
        (!fits).then(|| format!("more than {most} requests in ten seconds"))
    }
}
