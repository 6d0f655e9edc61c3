//! The sweeps of all projects: which page of which walk is read next, and what a page leads to.
//!
//! Owns how far each walk is. A list row is thin: it only ever yields a hint, never a truth. Must not know who reads a
//! page, who makes hints durable and who commits; and only the owner of partition 0 may run it.
//!
//! Path of one page: [`Sweeper::begin`] names it, [`Sweeper::on_page`] turns it into hints, and once these are durable
//! [`Sweeper::durable`] gives the memo to be committed, and the next page may be read. The cursor never passes a row
//! whose hint is not durable, and the ledger knows no step that was not committed: after a crash the pages of the last
//! moment are read again. `sweep/rules.rs` says when, `sweep/walk.rs` what a page brings. Pure.
//!
//! Several walks of a project may be under way, each with its own cursor, and take turns page by page: the walk whose
//! last page is longest ago goes first, so that a week of `full` stops neither `recent` nor a backfill, nor they it.
//! A project has one page at a time, and a sweep never overlaps itself.

mod project;
mod rules;
mod walk;

pub use rules::{Cadence, SweepRules};

use models::{Hint, Key, LookError, Memo, MemoKey, Notification, Page, PageQuery, ProjectId, Request, Row, Sweep};
use models::{SweepMemo, Time};
use project::Project;
use std::collections::BTreeMap;
use std::time::Duration;

/// A page to be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageRun {
    /// Of which project.
    pub project: ProjectId,
    /// Of which sweep.
    pub sweep: Sweep,
    /// What to ask for.
    pub query: PageQuery,
    stamp: Stamp,
}

/// What is to be committed on partition 0. Steps of one project are committed in the order in which they were made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The memo that replaces the one before.
    pub memo: (MemoKey, Memo),
    /// To be told with it.
    pub notifications: Vec<Notification>,
    stamp: Stamp,
}

/// Which assignment of partition 0 something belongs to, and its number, which no other thing has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
struct Stamp {
    epoch: u64,
    serial: u64,
}

/// What waits on this replica because of earlier pages; told with the progress.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Backlog {
    /// Bulk looks that wait.
    pub waiting: u64,
    /// How long they take at the bulk lane's rate.
    pub takes: Duration,
}

/// See the module.
#[derive(Debug)]
pub struct Sweeper {
    projects: BTreeMap<ProjectId, Project>,
    running: bool,
    stamp: Stamp,
}

impl Step {
    /// Whether its commit may wait a moment: it only moves a cursor, and nobody is told anything.
    pub fn may_wait(&self) -> bool {
        let walks = matches!(&self.memo.1, Memo::Sweep(memo) if memo.walk.is_some());
        walks && self.notifications.is_empty()
    }
}

impl Sweeper {
    /// Nothing walked yet; not running.
    pub fn new(rules: impl IntoIterator<Item = (ProjectId, SweepRules)>) -> Sweeper {
        let projects = rules.into_iter().map(|(id, rules)| (id.clone(), Project::new(id, rules))).collect();
        Sweeper { projects, running: false, stamp: Stamp::default() }
    }

    /// Takes what the ledger tells of a memo, between [`Sweeper::stop`] and [`Sweeper::start`]. Memos of projects that
    /// are not configured here stay in the ledger, untouched.
    pub fn restore(&mut self, key: &MemoKey, memo: Option<Memo>) {
        let MemoKey::Sweep(project, sweep) = key else { return };
        let memo = match memo {
            Some(Memo::Sweep(memo)) => *memo,
            Some(Memo::Standing(_)) | None => SweepMemo::default(),
        };
        if let Some(project) = self.projects.get_mut(project) {
            project.restore(*sweep, memo);
        }
    }

    /// Forgets all memos: the ledger tells everything anew.
    pub fn forget(&mut self) {
        for project in self.projects.values_mut() {
            for sweep in Sweep::ALL {
                project.restore(*sweep, SweepMemo::default());
            }
        }
    }

    /// Partition 0 is ours, and its memos are told.
    pub fn start(&mut self) {
        self.stamp.epoch += 1;
        self.running = true;
        self.projects.values_mut().for_each(Project::start);
    }

    /// Partition 0 is no longer ours: pages and steps are void. A step whose commit succeeded nonetheless still counts
    /// until [`Sweeper::restore`] or [`Sweeper::start`].
    pub fn stop(&mut self) {
        self.running = false;
        self.projects.values_mut().for_each(Project::drop_page);
    }

    /// What somebody asked for, as a step whose commit settles the request, also when it is refused. `None` if the
    /// project is not configured here, or partition 0 is not ours.
    pub fn request(&mut self, request: &Request, now: Time) -> Option<Step> {
        let stamp = self.next_stamp();
        let project = self.projects.get_mut(request.project()).filter(|_| self.running)?;
        Some(project.request(request, stamp, now))
    }

    /// The projects for which a page may be read now; who had one longest ago comes first.
    pub fn wanting(&self, now: Time) -> Vec<ProjectId> {
        let mut wanting: Vec<_> = self
            .projects
            .iter()
            .filter(|(_, project)| self.running && project.ready_at().is_some_and(|ready| ready <= now))
            .map(|(id, project)| (project.last_turn(), id.clone()))
            .collect();
        wanting.sort();
        wanting.into_iter().map(|(_, id)| id).collect()
    }

    /// When [`Sweeper::wanting`] next has something to say; `None` while only a page, a commit or a request can change
    /// that.
    pub fn next_due(&self, now: Time) -> Option<Time> {
        let ready = self.projects.values().filter(|_| self.running).filter_map(Project::ready_at).min()?;
        Some(ready.max(now))
    }

    /// The next page of a project, if one may be read now.
    pub fn begin(&mut self, project: &ProjectId, now: Time) -> Option<PageRun> {
        let stamp = self.next_stamp();
        self.projects.get_mut(project).filter(|_| self.running)?.begin(stamp, now)
    }

    /// Takes a page. The hints are to be made durable, also if there are none: then [`Sweeper::durable`] or
    /// [`Sweeper::not_durable`] follows. `None`: there is nothing more to do for this run; a failed page is read again
    /// after a pause. `equal` says whether the ledger is known to hold all that a row shows: its place
    /// in the page, its key, itself.
    pub fn on_page(
        &mut self,
        run: &PageRun,
        result: &Result<Page, LookError>,
        now: Time,
        equal: impl Fn(usize, &str, &Row) -> bool,
    ) -> Option<Vec<(Key, Hint)>> {
        self.projects.get_mut(&run.project)?.on_page(run.stamp, result, now, equal)
    }

    /// All hints of the page are acknowledged: what is to be committed. `None` if the run is void.
    pub fn durable(&mut self, run: &PageRun, backlog: Backlog, now: Time) -> Option<Step> {
        let stamp = self.next_stamp();
        self.projects.get_mut(&run.project)?.durable(run.stamp, stamp, backlog, now)
    }

    /// Not all hints of the page could be made durable: it is read again after a pause.
    pub fn not_durable(&mut self, run: &PageRun, now: Time) {
        if let Some(project) = self.projects.get_mut(&run.project) {
            project.not_durable(run.stamp, now);
        }
    }

    /// A step is committed.
    pub fn committed(&mut self, step: &Step) {
        if let Some((project, sweep)) = self.of(step) {
            project.committed(sweep, step.stamp);
        }
    }

    /// A step was not committed and will not be: its page is read again. Later steps of the same sweep were built on it
    /// and are void as well, and so is a page under way. A step that is only tried again needs no word.
    pub fn aborted(&mut self, step: &Step) {
        if let Some((project, sweep)) = self.of(step) {
            project.aborted(sweep, step.stamp);
        }
    }

    /// Whether a step may be committed: its assignment stands, and nothing that it was built on was aborted.
    pub fn is_current(&self, step: &Step) -> bool {
        let MemoKey::Sweep(project, sweep) = &step.memo.0 else { return false };
        let project = self.projects.get(project).filter(|_| self.running);
        project.is_some_and(|project| project.slot(*sweep).is_staged(step.stamp))
    }

    /// How long ago the last walk that came to its end began; `None` if none did.
    pub fn sweep_age(&self, project: &ProjectId, sweep: Sweep, now: Time) -> Option<Duration> {
        Some(now.since(self.memo(project, sweep)?.completed?))
    }

    /// How far a sweep is, as committed; for status answers.
    pub fn memo(&self, project: &ProjectId, sweep: Sweep) -> Option<&SweepMemo> {
        Some(self.projects.get(project)?.slot(sweep).committed_memo())
    }

    /// When a sweep is due; of one under way, or of what only a request can begin, nothing useful.
    pub fn due(&self, project: &ProjectId, sweep: Sweep) -> Option<Time> {
        self.projects.get(project)?.due(sweep)
    }

    fn of(&mut self, step: &Step) -> Option<(&mut Project, Sweep)> {
        let MemoKey::Sweep(project, sweep) = &step.memo.0 else { return None };
        Some((self.projects.get_mut(project)?, *sweep))
    }

    fn next_stamp(&mut self) -> Stamp {
        self.stamp.serial += 1;
        self.stamp
    }
}

#[cfg(test)]
mod tests;
