//! Which key is looked at next, and which page is read: one project's trouble never stops another's, live goes before
//! bulk, and bulk keeps a guaranteed share.
//!
//! Owns the tickets that wait, and what stands before them: each project's rate, quota and breaker. Must not know what a
//! look says, nor how anything becomes durable. Pure.
//!
//! Path: [`Queue::hold`] brings a partition with its share of the budget; [`Queue::push`] and [`Queue::want_page`] say
//! what waits; [`Queue::next`] picks; [`Queue::record`] takes the result. `queue/project.rs` is the choice within one
//! project.

mod project;

pub use crate::breaker::Turned;
pub use crate::budget::ProjectBudget;

use crate::inquiry::ProjectView;
use models::{Key, Lane, LookError, Standing, Time};
use project::Project;
use std::collections::HashMap;
use std::time::Duration;

/// What a key waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// What somebody waits for.
    Live,
    /// What has time; it keeps a share, and pages of list walks are part of it.
    Bulk,
    /// Ids that nobody knew when they were first asked for: behind both, and a tenth of the budget at most.
    Unknown,
}

impl Class {
    /// All of them, first come first.
    pub const ALL: [Class; 3] = [Class::Live, Class::Bulk, Class::Unknown];
}

impl From<Lane> for Class {
    fn from(lane: Lane) -> Class {
        match lane {
            Lane::Live => Class::Live,
            Lane::Bulk => Class::Bulk,
        }
    }
}

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
    Look {
        /// At what.
        ticket: Ticket,
        /// Whether this look is the breaker's probe: to be told to [`Queue::record`].
        probe: bool,
    },
    /// Read the page that was wanted; the budget is taken, and no page is wanted any more.
    Page {
        /// Of which project.
        project: String,
        /// As with a look.
        probe: bool,
    },
    /// It cannot be looked at in time: set it aside until then.
    Park(Ticket, Time),
    /// Something waits, and this replica's share of the daily quota is spent. Told once a day.
    QuotaSpent {
        /// Of which project.
        project: String,
        /// When the next day begins.
        until: Time,
    },
    /// Nothing before this time.
    Wait(Time),
    /// Nothing waits.
    Idle,
}

/// What the end of a request changed.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Recorded {
    /// The breaker's level for the metric: 0 closed, 1 probing, 2 open.
    pub level: i64,
    /// Whether the breaker opened or closed, once each time.
    pub turned: Option<Turned>,
}

/// See the module.
#[derive(Debug)]
pub struct Queue {
    projects: Vec<Project>,
    by_name: HashMap<String, usize>,
    /// Whose turn it is.
    turn: usize,
}

impl Queue {
    /// One queue a project. A key that waits longer than `patience` for budget is set aside. Nothing may be asked until a
    /// partition is held.
    pub fn new(projects: impl IntoIterator<Item = (String, ProjectBudget)>, patience: Duration, now: Time) -> Queue {
        let new = |(name, budget)| Project::new(name, budget, patience, now);
        let projects: Vec<Project> = projects.into_iter().map(new).collect();
        let by_name = projects.iter().enumerate().map(|(index, project)| (project.name().to_owned(), index)).collect();
        Queue { projects, by_name, turn: 0 }
    }

    /// Takes a partition, with what the ledger holds of each project there. Every project's rate is split anew.
    pub fn hold(&mut self, partition: i32, of: i32, durable: impl Fn(&str) -> Option<Standing>, now: Time) {
        for project in &mut self.projects {
            let standing = durable(project.name());
            project.hold(partition, of, standing, now);
        }
    }

    /// Gives a partition up, with all that waits for it.
    pub fn release(&mut self, partition: i32, now: Time) {
        self.projects.iter_mut().for_each(|project| project.release(partition, now));
    }

    /// Gives all partitions up.
    pub fn release_all(&mut self, now: Time) {
        self.projects.iter_mut().for_each(|project| project.release_all(now));
    }

    /// Adds a key. Gives it back if its project is not known.
    pub fn push(&mut self, class: Class, ticket: Ticket) -> Result<(), Ticket> {
        match self.by_name.get(ticket.key.project()).and_then(|index| self.projects.get_mut(*index)) {
            Some(project) => {
                project.push(class, ticket);
                Ok(())
            }
            None => Err(ticket),
        }
    }

    /// Whether a walk of the project wants its next page.
    pub fn want_page(&mut self, project: &str, wanted: bool) {
        if let Some(project) = self.project_mut(project) {
            project.want_page(wanted);
        }
    }

    /// What to do next, the projects in turn. `waits` says whether a ticket is still wanted in that class: tickets of keys
    /// that changed class are dropped here.
    pub fn next(&mut self, now: Time, waits: impl Fn(&Ticket, Class) -> bool) -> Next {
        let count = self.projects.len();
        let mut earliest: Option<Time> = None;
        for index in (self.turn..count).chain(0..self.turn.min(count)) {
            let Some(project) = self.projects.get_mut(index) else {
                continue;
            };
            match project.next(now, &waits) {
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

    /// When [`Queue::next`] has something to do; `None` if nothing waits.
    pub fn wake(&mut self, now: Time, waits: impl Fn(&Ticket, Class) -> bool) -> Option<Time> {
        self.projects.iter_mut().filter_map(|project| project.wake(now, &waits)).min()
    }

    /// Takes the result of a look or of a page, and whether it was the probe.
    pub fn record(&mut self, project: &str, probe: bool, error: Option<&LookError>, now: Time) -> Recorded {
        self.project_mut(project).map(|project| project.record(probe, error, now)).unwrap_or_default()
    }

    /// Charges one deletion inferred from absence, or says when there is room again. `partition` is the submission's.
    pub fn take_deletion(&mut self, project: &str, partition: i32, now: Time) -> Result<(), Time> {
        match self.project_mut(project) {
            Some(project) => project.standings_mut().take_deletion(partition, now),
            None => Err(now + Duration::from_hours(1)),
        }
    }

    /// What is to be recorded with the next commit: partition, project, standing.
    pub fn standings_to_write(&mut self, now: Time) -> Vec<(i32, String, Standing)> {
        let mut due = Vec::new();
        for project in &mut self.projects {
            let name = project.name().to_owned();
            let records = project.standings_mut().to_write(now);
            due.extend(records.into_iter().map(|(partition, standing)| (partition, name.clone(), standing)));
        }
        due
    }

    /// When there is a record that should not wait for another commit; nothing may be asked without it.
    pub fn next_standing_write(&self, now: Time) -> Option<Time> {
        self.projects.iter().filter_map(|project| project.standings().next_write(now)).min()
    }

    /// A record is durable.
    pub fn standing_written(&mut self, partition: i32, project: &str, standing: &Standing, now: Time) {
        if let Some(project) = self.project_mut(project) {
            project.standings_mut().written(partition, standing, now);
        }
    }

    /// When a partition that is held here first ran with a project.
    pub fn first_run(&self, project: &str, partition: i32) -> Option<Time> {
        self.project(project)?.standings().first_run(partition)
    }

    /// Requests that this replica may still make today.
    pub fn budget_remaining(&self, project: &str, now: Time) -> u64 {
        self.project(project).map_or(0, |project| project.standings().remaining(now))
    }

    /// Requests a second that this replica makes at most just now.
    pub fn rate(&self, project: &str, now: Time) -> f64 {
        self.project(project).map_or(0.0, |project| project.rate(now))
    }

    /// How many keys wait in each class, [`Class::ALL`]; keys that moved to another class are still counted in both.
    pub fn waiting(&self, project: &str) -> [usize; 3] {
        self.project(project).map(Project::waiting).unwrap_or_default()
    }

    /// How many seconds the bulk looks that wait here take, at the rate that they are sure of.
    pub fn backlog_seconds(&self, project: &str) -> u64 {
        self.project(project).map_or(0, Project::backlog_seconds)
    }

    /// One project for status answers, without what only the state knows.
    pub fn view(&self, project: &str, now: Time) -> Option<ProjectView> {
        self.project(project).map(|project| project.view(now))
    }

    /// Charges a request that somebody else makes, or says when there is room. It never is the breaker's probe.
    pub fn spend(&mut self, project: &str, now: Time) -> Result<(), Time> {
        self.project_mut(project).map_or(Err(now + Duration::from_hours(1)), |project| project.spend(now))
    }

    fn project(&self, name: &str) -> Option<&Project> {
        self.by_name.get(name).and_then(|index| self.projects.get(*index))
    }

    fn project_mut(&mut self, name: &str) -> Option<&mut Project> {
        self.by_name.get(name).and_then(|index| self.projects.get_mut(*index))
    }
}

#[cfg(test)]
mod laws;
#[cfg(test)]
mod tests;
