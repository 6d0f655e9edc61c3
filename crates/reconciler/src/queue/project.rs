//! The queue of one project: who is next, and whether anybody may go.

use super::{Class, Next, Recorded, Ticket};
use crate::breaker::{Breaker, Permit, Turned};
use crate::budget::{Budget, ProjectBudget};
use crate::inquiry::ProjectView;
use crate::standing::{Refused, Standings};
use models::{LookError, Standing, Time};
use std::collections::VecDeque;
use std::time::Duration;

/// After so many live looks bulk has a turn, if any waits.
const LIVE_FOR_ONE_BULK: u32 = 8;
/// After so many other requests an unknown id has a turn, if its own budget allows.
const OTHERS_FOR_ONE_UNKNOWN: u32 = 40;
/// The part of the rate that unknown ids may use.
const UNKNOWN_PART: f64 = 0.1;
/// How often those look again who wait for a record that is being committed; its end wakes them before.
const RECORD_LOOK: Duration = Duration::from_millis(50);

/// Whose turn it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    Look(Class),
    Page,
}

/// What can be done for a project now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Plan {
    /// Nothing waits, or nothing is held here.
    Idle,
    /// This may go.
    Go(Turn),
    /// The breaker is open until then.
    Shut(Time),
    /// There is no budget until then.
    Short(Time),
    /// There is none today.
    Spent(Time),
}

/// See the module.
#[derive(Debug)]
pub(super) struct Project {
    name: String,
    budget: ProjectBudget,
    patience: Duration,
    /// In the order of [`Class::ALL`].
    queues: [VecDeque<Ticket>; 3],
    page_wanted: bool,
    /// Whether bulk's last turn was a look, so that the next one is a page.
    page_next: bool,
    live_runs: u32,
    runs_since_unknown: u32,
    /// Up to when the budget is promised to keys set aside, by class.
    promised: [Time; 3],
    rate: Budget,
    unknown_rate: Budget,
    breaker: Breaker,
    standings: Standings,
    /// Since when the breaker is not closed, and why it opened.
    opened: Option<(Time, String)>,
    /// The end of the day whose quota was told to be spent.
    told_spent: Option<Time>,
}

impl Project {
    pub(super) fn new(name: String, budget: ProjectBudget, patience: Duration, now: Time) -> Project {
        Project {
            name,
            budget,
            patience,
            queues: Default::default(),
            page_wanted: false,
            page_next: false,
            live_runs: 0,
            runs_since_unknown: 0,
            promised: [now; 3],
            rate: Budget::new(budget.cost.max(1), now),
            unknown_rate: Budget::new(budget.cost, now),
            breaker: Breaker::closed(),
            standings: Standings::new(budget),
            opened: None,
            told_spent: None,
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) const fn standings(&self) -> &Standings {
        &self.standings
    }

    pub(super) const fn standings_mut(&mut self) -> &mut Standings {
        &mut self.standings
    }

    pub(super) fn hold(&mut self, partition: i32, of: i32, durable: Option<Standing>, now: Time) {
        self.standings.hold(partition, of, durable, now);
        self.split(now);
    }

    pub(super) fn release(&mut self, partition: i32, now: Time) {
        for queue in &mut self.queues {
            queue.retain(|ticket| ticket.partition != partition);
        }
        self.standings.release(partition);
        self.split(now);
    }

    pub(super) fn release_all(&mut self, now: Time) {
        self.queues.iter_mut().for_each(VecDeque::clear);
        self.standings.release_all();
        self.split(now);
    }

    /// Takes this replica's share of the rate.
    fn split(&mut self, now: Time) {
        let share = self.budget.per_second * self.standings.part();
        self.rate.set_rate(share, now);
        self.unknown_rate.set_rate(share * UNKNOWN_PART, now);
    }

    pub(super) fn push(&mut self, class: Class, ticket: Ticket) {
        self.queue_mut(class).push_back(ticket);
    }

    pub(super) const fn want_page(&mut self, wanted: bool) {
        self.page_wanted = wanted;
    }

    pub(super) fn next(&mut self, now: Time, waits: &impl Fn(&Ticket, Class) -> bool) -> Next {
        self.prune(waits);
        let until = match self.plan(now) {
            Plan::Idle => return Next::Idle,
            Plan::Go(turn) => return self.go(turn, now),
            Plan::Shut(until) => {
                let waiting = Class::ALL.into_iter().find(|class| !self.queue(*class).is_empty());
                return waiting.map_or(Next::Wait(until), |class| {
                    // One after the other here too: at each probe of a long outage all would be written anew.
                    let due = self.promise(class, until);
                    self.park(class, due)
                });
            }
            Plan::Spent(until) if self.told_spent != Some(until) => {
                self.told_spent = Some(until);
                return Next::QuotaSpent { project: self.name.clone(), until };
            }
            Plan::Short(until) | Plan::Spent(until) => until,
        };
        // Whoever waits too long is set aside; the heads are the oldest.
        for class in Class::ALL {
            if self.gives_up_at(class).is_some_and(|when| when <= now) {
                let due = self.promise(class, until);
                return self.park(class, due);
            }
        }
        Next::Wait(until)
    }

    pub(super) fn wake(&mut self, now: Time, waits: &impl Fn(&Ticket, Class) -> bool) -> Option<Time> {
        self.prune(waits);
        let gives_up = Class::ALL.into_iter().filter_map(|class| self.gives_up_at(class)).min();
        match self.plan(now) {
            Plan::Idle => None,
            Plan::Go(_) => Some(now),
            Plan::Shut(until) => Some(if gives_up.is_some() { now } else { until }),
            Plan::Spent(until) if self.told_spent != Some(until) => Some(now),
            Plan::Short(until) | Plan::Spent(until) => Some(gives_up.map_or(until, |when| when.min(until)).max(now)),
        }
    }

    pub(super) fn record(&mut self, probe: bool, error: Option<&LookError>, now: Time) -> Recorded {
        if let Some(LookError::Throttled { retry_after }) = error {
            self.rate.hold(now, *retry_after);
            self.unknown_rate.hold(now, *retry_after);
        }
        let turned = self.breaker.record(probe, error, now);
        match &turned {
            Some(Turned::Opened { why, .. }) => self.opened = Some((now, why.clone())),
            Some(Turned::Closed) => self.opened = None,
            None => {}
        }
        Recorded { level: self.breaker.level(), turned }
    }

    pub(super) fn rate(&self, now: Time) -> f64 {
        self.rate.rate_now(now)
    }

    pub(super) fn view(&self, now: Time) -> ProjectView {
        let breaker = match self.breaker {
            Breaker::Closed { .. } => "closed",
            Breaker::Probing { .. } => "half_open",
            Breaker::Open { .. } => "open",
        };
        ProjectView {
            id: self.name.clone(),
            breaker,
            opened: self.opened.clone(),
            per_second: self.budget.per_second,
            rate_now: self.rate(now),
            per_day: self.budget.per_day,
            spent: self.standings.spent(now),
            share: self.standings.part(),
            waiting: self.waiting(),
            deletions_per_hour: self.budget.deletions_per_hour,
            deletions: self.standings.deletions(now),
            in_flight: 0,
            due: 0,
            parked: 0,
            sweeps: Vec::new(),
        }
    }

    pub(super) fn spend(&mut self, now: Time) -> Result<(), Time> {
        let soon = now + Duration::from_secs(1);
        if self.standings.part() <= 0.0 {
            return Err(soon);
        }
        match (self.breaker, self.breaker.permit(now)) {
            (Breaker::Closed { .. }, Permit::Go) => {}
            (_, Permit::Wait(until) | Permit::Probed(until)) => return Err(until.max(soon)),
            (_, Permit::Go) => return Err(soon),
        }
        let ready = self.rate.ready_at(now, 1);
        if ready > now {
            return Err(ready);
        }
        self.standings.take(now, 1).map_err(|refused| match refused {
            Refused::Spent(until) => until,
            Refused::Unwritten => soon,
        })?;
        self.rate.take(now, 1)
    }

    pub(super) fn waiting(&self) -> [usize; 3] {
        Class::ALL.map(|class| self.queue(class).len())
    }

    pub(super) fn backlog_seconds(&self) -> u64 {
        let all = self.queue(Class::Bulk).len() as u32;
        let share = if self.queue(Class::Live).is_empty() { 1 } else { LIVE_FOR_ONE_BULK + 1 };
        self.rate.interval(self.budget.cost).saturating_mul(all.saturating_mul(share)).as_secs()
    }

    /// Drops the tickets at the heads that are no longer wanted: each ticket is dropped once, so that this costs nothing
    /// over time, however many wait.
    fn prune(&mut self, waits: &impl Fn(&Ticket, Class) -> bool) {
        for class in Class::ALL {
            let queue = self.queue_mut(class);
            while queue.front().is_some_and(|ticket| !waits(ticket, class)) {
                queue.pop_front();
            }
        }
    }

    /// What is next. Also says when it may go, so that [`Project::next`] and [`Project::wake`] can never differ.
    fn plan(&self, now: Time) -> Plan {
        let Some(turn) = self.turn(now).filter(|_| self.standings.part() > 0.0) else {
            return Plan::Idle;
        };
        match self.breaker.permit(now) {
            Permit::Wait(until) => return Plan::Shut(until),
            // The answer is near, so those who wait for it stay where they are.
            Permit::Probed(until) => return Plan::Short(until),
            Permit::Go => {}
        }
        let cost = self.cost(turn);
        match self.standings.check(now, cost) {
            Err(Refused::Spent(until)) => return Plan::Spent(until),
            Err(Refused::Unwritten) => {
                let soon = now + RECORD_LOOK;
                return Plan::Short(self.standings.next_write(now).map_or(soon, |when| when.max(soon)));
            }
            Ok(()) => {}
        }
        let mut ready = self.rate.ready_at(now, cost);
        if turn == Turn::Look(Class::Unknown) {
            ready = ready.max(self.unknown_rate.ready_at(now, cost));
        }
        if ready <= now { Plan::Go(turn) } else { Plan::Short(ready) }
    }

    /// Whose turn it is. The choice does not depend on what the budget allows just now, lest the cheap always pass the
    /// dear: only unknown ids, which have a budget of their own, let others pass.
    fn turn(&self, now: Time) -> Option<Turn> {
        let [live, bulk, unknown] = Class::ALL.map(|class| !self.queue(class).is_empty());
        let others = live || bulk || self.page_wanted;
        let unknown_first = self.runs_since_unknown >= OTHERS_FOR_ONE_UNKNOWN
            && self.unknown_rate.ready_at(now, self.budget.cost) <= now;
        if unknown && (!others || unknown_first) {
            return Some(Turn::Look(Class::Unknown));
        }
        let bulk_waits = bulk || self.page_wanted;
        if live && !(bulk_waits && self.live_runs >= LIVE_FOR_ONE_BULK) {
            Some(Turn::Look(Class::Live))
        } else if self.page_wanted && (self.page_next || !bulk) {
            Some(Turn::Page)
        } else {
            bulk.then_some(Turn::Look(Class::Bulk))
        }
    }

    fn go(&mut self, turn: Turn, now: Time) -> Next {
        let cost = self.cost(turn);
        // The plan has asked all of them; should one refuse all the same, nothing is asked of ARGOS.
        let unknown = turn != Turn::Look(Class::Unknown) || self.unknown_rate.take(now, cost).is_ok();
        if !unknown || self.rate.take(now, cost).is_err() || self.standings.take(now, cost).is_err() {
            return Next::Wait(now + RECORD_LOOK);
        }
        self.runs_since_unknown = self.runs_since_unknown.saturating_add(1);
        match turn {
            Turn::Look(Class::Live) => self.live_runs = self.live_runs.saturating_add(1),
            Turn::Look(Class::Bulk) => (self.live_runs, self.page_next) = (0, true),
            Turn::Page => (self.live_runs, self.page_next) = (0, false),
            Turn::Look(Class::Unknown) => self.runs_since_unknown = 0,
        }
        let probe = self.breaker.begin(now);
        match turn {
            Turn::Look(class) => {
                self.queue_mut(class).pop_front().map_or(Next::Idle, |ticket| Next::Look { ticket, probe })
            }
            Turn::Page => {
                self.page_wanted = false;
                Next::Page { project: self.name.clone(), probe }
            }
        }
    }

    const fn cost(&self, turn: Turn) -> u32 {
        match turn {
            Turn::Look(_) => self.budget.cost,
            Turn::Page => 1,
        }
    }

    /// When the oldest of a class has waited long enough.
    fn gives_up_at(&self, class: Class) -> Option<Time> {
        self.queue(class).front().map(|ticket| ticket.queued_at + self.patience)
    }

    /// When a key set aside comes back: one after the other at the budget's rate. All at once, they would only be set
    /// aside again, and the budget would idle until they are back.
    fn promise(&mut self, class: Class, until: Time) -> Time {
        let rate = if class == Class::Unknown { &self.unknown_rate } else { &self.rate };
        let step = rate.interval(self.budget.cost);
        let promised = &mut self.promised[class as usize];
        let due = (*promised).max(until);
        *promised = due + step;
        due
    }

    fn park(&mut self, class: Class, until: Time) -> Next {
        self.queue_mut(class).pop_front().map_or(Next::Idle, |ticket| Next::Park(ticket, until))
    }

    const fn queue(&self, class: Class) -> &VecDeque<Ticket> {
        &self.queues[class as usize]
    }

    const fn queue_mut(&mut self, class: Class) -> &mut VecDeque<Ticket> {
        &mut self.queues[class as usize]
    }
}
