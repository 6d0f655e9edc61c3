//! Which key is looked at next: one project's trouble never stops another's, live goes before bulk, and bulk keeps
//! a guaranteed share. Pure.

use crate::budget::{Breaker, Budget, Permit};
use models::{Key, Lane, LookError, Time};
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// After so many live runs one bulk run goes, if any waits.
const LIVE_RUNS_FOR_ONE_BULK: u32 = 8;

/// A key that waits for its look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// Its partition.
    pub partition: i32,
    /// The submission.
    pub key: Key,
    /// Since when it waits.
    pub queued_at: Time,
}

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Look now; the budget is taken.
    Look(Ticket),
    /// It cannot be looked at in time: set it aside until then.
    Park(Ticket, Time),
    /// Nothing before this time.
    Wait(Time),
    /// Nothing waits.
    Idle,
}

#[derive(Debug)]
struct Project {
    live: VecDeque<Ticket>,
    bulk: VecDeque<Ticket>,
    live_runs: u32,
    /// Up to when the budget is promised to keys set aside, live and bulk.
    promised: [Time; 2],
    budget: Budget,
    breaker: Breaker,
}

/// See the module.
#[derive(Debug)]
pub struct Queue {
    projects: BTreeMap<String, Project>,
    /// Whose turn it is.
    turn: usize,
    /// How long a key may wait for budget before it is set aside.
    patience: Duration,
}

impl Queue {
    /// One queue a project, with its requests a second.
    pub fn new(projects: impl IntoIterator<Item = (String, f64)>, patience: Duration, now: Time) -> Queue {
        let project = |per_second| Project {
            live: VecDeque::new(),
            bulk: VecDeque::new(),
            live_runs: 0,
            promised: [now; 2],
            budget: Budget::new(per_second, now),
            breaker: Breaker::closed(),
        };
        let projects = projects.into_iter().map(|(id, per_second)| (id, project(per_second))).collect();
        Queue { projects, turn: 0, patience }
    }

    /// Adds a key. Gives it back if its project is not known.
    pub fn push(&mut self, lane: Lane, ticket: Ticket) -> Result<(), Ticket> {
        match self.projects.get_mut(ticket.key.project()) {
            Some(project) => {
                project.lane(lane).push_back(ticket);
                Ok(())
            }
            None => Err(ticket),
        }
    }

    /// The next key, the projects in turn. `waits` says whether a ticket is still wanted in that lane: tickets of
    /// revoked partitions and of keys that changed lane are dropped here.
    pub fn next(&mut self, now: Time, waits: impl Fn(&Ticket, Lane) -> bool) -> Next {
        let count = self.projects.len();
        let mut earliest: Option<Time> = None;
        for step in 0..count {
            let index = (self.turn + step) % count;
            let Some((_, project)) = self.projects.iter_mut().nth(index) else {
                continue;
            };
            match project.next(now, self.patience, &waits) {
                Next::Idle => {}
                Next::Wait(when) => earliest = Some(earliest.map_or(when, |other| other.min(when))),
                found => {
                    self.turn = index + 1;
                    return found;
                }
            }
        }
        earliest.map_or(Next::Idle, Next::Wait)
    }

    /// When the next key may be looked at or set aside; `None` if nothing waits.
    pub fn wake(&self, now: Time, waits: impl Fn(&Ticket, Lane) -> bool) -> Option<Time> {
        let waiting = |project: &&Project| {
            project.live.iter().any(|ticket| waits(ticket, Lane::Live))
                || project.bulk.iter().any(|ticket| waits(ticket, Lane::Bulk))
        };
        self.projects
            .values()
            .filter(waiting)
            .map(|project| project.budget.ready_at(now).max(project.breaker.ready_at(now)))
            .min()
    }

    /// Takes the result of a look. Says the breaker's level for the metric.
    pub fn record(&mut self, project: &str, error: Option<&LookError>, now: Time) -> i64 {
        let Some(project) = self.projects.get_mut(project) else {
            return 0;
        };
        if let Some(LookError::Throttled { retry_after }) = error {
            project.budget.hold(now, *retry_after);
        }
        project.breaker.record(error, now);
        project.breaker.level()
    }
}

impl Project {
    fn lane(&mut self, lane: Lane) -> &mut VecDeque<Ticket> {
        match lane {
            Lane::Live => &mut self.live,
            Lane::Bulk => &mut self.bulk,
        }
    }

    fn next(&mut self, now: Time, patience: Duration, waits: &impl Fn(&Ticket, Lane) -> bool) -> Next {
        for lane in [Lane::Live, Lane::Bulk] {
            let tickets = self.lane(lane);
            while tickets.front().is_some_and(|ticket| !waits(ticket, lane)) {
                tickets.pop_front();
            }
        }
        let lane = match (self.live.is_empty(), self.bulk.is_empty()) {
            (true, true) => return Next::Idle,
            (false, false) if self.live_runs >= LIVE_RUNS_FOR_ONE_BULK => Lane::Bulk,
            (false, _) => Lane::Live,
            (true, false) => Lane::Bulk,
        };
        let until = match self.breaker.permit(now) {
            Permit::Wait(until) if matches!(self.breaker, Breaker::Open { .. }) => return self.park(lane, until),
            // A probe is under way: its answer is near, so the others wait for it where they are.
            Permit::Wait(until) => until,
            Permit::Go => match self.budget.take(now) {
                Ok(()) => {
                    self.live_runs = if lane == Lane::Live { self.live_runs.saturating_add(1) } else { 0 };
                    return self.lane(lane).pop_front().map_or(Next::Idle, Next::Look);
                }
                Err(until) => {
                    if let Breaker::Probing { opened, .. } = self.breaker {
                        // The permit was not used: the next one may probe.
                        self.breaker = Breaker::Open { until, opened };
                    }
                    until
                }
            },
        };
        // Whoever waits too long in either lane is set aside; the heads are the oldest.
        for lane in [Lane::Live, Lane::Bulk] {
            let gives_up = |ticket: &Ticket| now.since(ticket.queued_at) >= patience;
            if self.lane(lane).front().is_some_and(gives_up) {
                let due = self.promise(lane, until);
                return self.park(lane, due);
            }
        }
        Next::Wait(until)
    }

    /// When a key set aside comes back: one after the other at the budget's rate. All at once, they would only be set
    /// aside again, and the budget would idle until they are back.
    fn promise(&mut self, lane: Lane, until: Time) -> Time {
        let due = self.promised[usize::from(lane == Lane::Bulk)].max(until);
        self.promised[usize::from(lane == Lane::Bulk)] = due + self.budget.interval();
        due
    }

    fn park(&mut self, lane: Lane, until: Time) -> Next {
        self.lane(lane).pop_front().map_or(Next::Idle, |ticket| Next::Park(ticket, until))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Time {
        Time::from_millis(millis)
    }

    fn ticket(key: &str, millis: i64) -> Ticket {
        Ticket { partition: 0, key: Key::parse(key).unwrap(), queued_at: at(millis) }
    }

    fn queue(rate: f64) -> Queue {
        Queue::new([("acme".to_owned(), rate), ("beta".to_owned(), rate)], Duration::from_secs(30), at(0))
    }

    #[test]
    fn live_goes_first_and_bulk_keeps_its_share() {
        let mut queue = queue(1_000.0);
        for index in 0..100 {
            queue.push(Lane::Live, ticket(&format!("acme/l{index}"), 0)).unwrap();
            queue.push(Lane::Bulk, ticket(&format!("acme/b{index}"), 0)).unwrap();
        }
        let mut bulk = 0;
        for _ in 0..90 {
            let Next::Look(ticket) = queue.next(at(1), |_, _| true) else { panic!("a key waits") };
            bulk += usize::from(ticket.key.submission().starts_with('b'));
        }
        assert_eq!(bulk, 10);
    }

    #[test]
    fn an_open_breaker_parks_its_own_project_only() {
        let mut queue = queue(1_000.0);
        queue.record("acme", Some(&LookError::Denied("403".to_owned())), at(0));
        queue.push(Lane::Live, ticket("acme/a", 0)).unwrap();
        queue.push(Lane::Live, ticket("beta/b", 0)).unwrap();
        assert_eq!(queue.next(at(1), |_, _| true), Next::Park(ticket("acme/a", 0), at(60_000)));
        assert_eq!(queue.next(at(1), |_, _| true), Next::Look(ticket("beta/b", 0)));
    }

    #[test]
    fn who_waits_too_long_for_budget_is_set_aside() {
        let mut queue = queue(0.001);
        queue.push(Lane::Live, ticket("acme/a", 0)).unwrap();
        queue.push(Lane::Live, ticket("acme/b", 0)).unwrap();
        assert_eq!(queue.next(at(1), |_, _| true), Next::Look(ticket("acme/a", 0)));
        assert!(matches!(queue.next(at(2), |_, _| true), Next::Wait(_)));
        assert!(matches!(queue.next(at(30_000), |_, _| true), Next::Park(_, _)));
    }

    #[test]
    fn an_unknown_project_is_given_back() {
        assert!(queue(1.0).push(Lane::Live, ticket("gone/a", 0)).is_err());
    }

    #[test]
    fn while_a_probe_is_under_way_the_others_wait_and_are_not_set_aside_again_and_again() {
        let mut queue = queue(1_000.0);
        queue.record("acme", Some(&LookError::Denied("403".to_owned())), at(0));
        for id in ["acme/a", "acme/b"] {
            queue.push(Lane::Live, ticket(id, 60_000)).unwrap();
        }
        assert_eq!(queue.next(at(60_000), |_, _| true), Next::Look(ticket("acme/a", 60_000)));
        let now = at(60_001);
        assert!(matches!(queue.next(now, |_, _| true), Next::Wait(_)));
        assert!(queue.wake(now, |_, _| true).unwrap() >= now + Duration::from_millis(100), "no busy loop");
        assert!(matches!(queue.next(at(90_000), |_, _| true), Next::Park(_, _)), "nor does a hint wait for ever");
    }

    #[test]
    fn keys_set_aside_for_want_of_budget_come_back_at_the_rate_of_the_budget() {
        let mut queue = queue(10.0);
        for id in 0..1_000 {
            queue.push(Lane::Bulk, ticket(&format!("acme/{id}"), 0)).unwrap();
        }
        let mut due = Vec::new();
        loop {
            match queue.next(at(30_000), |_, _| true) {
                Next::Look(_) => {}
                Next::Park(_, until) => due.push(until),
                Next::Wait(_) | Next::Idle => break,
            }
        }
        assert_eq!(due.len(), 990);
        for second in 30..120 {
            let in_it = due.iter().filter(|due| (second * 1_000..(second + 1) * 1_000).contains(&due.as_millis()));
            let count = in_it.count();
            assert!((9..=11).contains(&count), "{count} in second {second}: the budget would idle or be overrun");
        }
    }
}
