//! The list walks: which page is read next, what its rows lead to, and who asks for a walk before its time.

use super::partition::Partition;
use super::store::{Mark, bring_near};
use super::{State, Task};
use crate::decision::WordHashes;
use crate::inquiry::Partitioner;
use crate::metrics::{CLASSES, failure_word};
use crate::sweep::{Backlog, PageRun, Step};
use models::{Hint, Key, Lane, LookError, Page, ProjectId, Request, Row, SubmissionId, Time};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::time::Duration;

/// A step of a walk that waits for its commit.
#[derive(Clone, Debug)]
pub(super) struct StagedStep {
    pub(super) step: Step,
    /// When it is committed at the latest; with whatever else is committed before.
    pub(super) due: Time,
    /// The offset of the request that it settles, on partition 0.
    pub(super) offset: Option<(Lane, i64)>,
}

/// Partition 0 has the memos of all walks.
pub(super) const WALKS: i32 = 0;

impl State {
    /// Tells the queue which projects want a page.
    pub(super) fn want_pages(&mut self, now: Time) {
        for project in self.sweeper.wanting(now) {
            self.queue.want_page(project.as_str(), true);
        }
    }

    pub(super) fn begin_page(&mut self, project: &str, probe: bool, now: Time) -> Option<Task> {
        let project = ProjectId::new(project).ok()?;
        self.sweeper.begin(&project, now).map(|run| Task::Page(run, probe))
    }

    /// Takes a page. Its hints are to be made durable, also if there are none; then [`State::on_page_sent`] follows.
    pub fn on_page(
        &mut self,
        (run, probe): (&PageRun, bool),
        result: &Result<Page, LookError>,
        now: Time,
    ) -> Option<Vec<(Key, Hint)>> {
        let project = run.project.as_str();
        let outcome = result.as_ref().map_or_else(failure_word, |_| "read");
        self.metrics.list_requests.with_label_values(&[project, outcome]).inc();
        self.record(project, probe, result.as_ref().err(), now);
        let spread = self.settings.partitioner.zip(self.total);
        let near = result.as_ref().map_or_else(|_| Vec::new(), |page| near(&self.partitions, spread, project, page));
        let known = Cell::new(0);
        let words = WordHashes::default();
        let equal = |at: usize, key: &str, row: &Row| {
            let equal = near[at].iter().any(|(held, mark)| held.running && held.knows((key, *mark), row, &words));
            known.set(known.get() + u64::from(equal));
            equal
        };
        let hints = self.sweeper.on_page(run, result, now, equal);
        self.metrics.sweep_rows.with_label_values(&["equal"]).inc_by(known.get());
        if let Ok(page) = result {
            self.metrics.sweep_rows.with_label_values(&["unreadable"]).inc_by(page.unreadable as u64);
        }
        hints
    }

    /// Whether the hints of a page are durable. If so the walk's next position waits for its commit.
    pub fn on_page_sent(&mut self, run: &PageRun, sent: bool, now: Time) {
        if !sent {
            self.sweeper.not_durable(run, now);
            return;
        }
        let project = run.project.as_str();
        let backlog = Backlog {
            waiting: self.queue.waiting(project)[1] as u64,
            takes: Duration::from_secs(self.queue.backlog_seconds(project)),
        };
        if let Some(step) = self.sweeper.durable(run, backlog, now) {
            let due = if step.may_wait() { now + self.settings.settle_interval } else { now };
            self.steps.push(StagedStep { step, due, offset: None });
        }
    }

    /// A request for a walk. Its offset is settled by the step that answers it.
    pub(super) fn on_request(
        &mut self,
        (partition, epoch): (i32, u64),
        lane: Lane,
        offset: i64,
        request: &Request,
        now: Time,
    ) {
        if self.current(partition, epoch).is_none_or(|held| !held.running) {
            return;
        }
        let step = if partition == WALKS { self.sweeper.request(request, now) } else { None };
        let Some(held) = self.current(partition, epoch) else { return };
        match step {
            Some(step) => {
                held.window(lane).open(offset);
                self.steps.push(StagedStep { step, due: now, offset: Some((lane, offset)) });
            }
            None => held.window(lane).skip(offset),
        }
    }

    /// Hints are gone that nobody settled: every project is walked in full. Until these requests are durable the gap
    /// stays uncommitted, by an offset before it that counts as unsettled.
    pub(super) fn on_expired(&mut self, (partition, epoch): (i32, u64), lane: Lane, lost: u64, now: Time) {
        let Some(held) = self.current(partition, epoch) else { return };
        tracing::error!(partition, lane = lane.as_str(), lost, "hints are gone unsettled; full sweeps are asked for");
        let before = held.window(lane).low() - 1;
        if before >= 0 {
            held.window(lane).open(before);
            held.gaps.push((lane, before));
        }
        let projects = self.projects.keys().filter_map(|project| ProjectId::new(project).ok());
        self.requests.extend(projects.map(|project| Request::FullSweep { project, at: now }));
    }

    /// Requests to be made durable; [`State::on_asked`] tells when.
    pub fn take_requests(&mut self) -> Vec<Request> {
        let requests = std::mem::take(&mut self.requests);
        self.asking += requests.len();
        requests
    }

    /// One request is durable.
    pub fn on_asked(&mut self) {
        self.asking = self.asking.saturating_sub(1);
        if self.asking > 0 || !self.requests.is_empty() {
            return;
        }
        for held in self.partitions.values_mut() {
            for (lane, offset) in std::mem::take(&mut held.gaps) {
                held.window(lane).settle(offset);
            }
        }
    }

    /// The memos of partition 0 are told: the walks go on here.
    pub(super) fn start_walks(&mut self) {
        let Some(held) = self.partitions.get(&WALKS) else { return };
        self.sweeper.forget();
        for (key, memo) in &held.memos {
            self.sweeper.restore(key, Some(memo.clone()));
        }
        self.sweeper.start();
    }

    /// Partition 0 is gone: pages and steps are void.
    pub(super) fn stop_walks(&mut self) {
        self.sweeper.stop();
        self.steps.clear();
        // A page that is nobody's would take a request from the quota, and could be the breaker's probe.
        for project in self.projects.keys() {
            self.queue.want_page(project, false);
        }
    }

    /// Ages of the walks and what is left of the budget, for the metrics.
    pub fn observe(&self, now: Time) {
        let walks = self.partitions.get(&WALKS).is_some_and(|held| held.running);
        self.metrics.hints_unsettled.set(self.unsettled().0 as i64);
        for project in self.projects.keys() {
            let metrics = &self.metrics;
            metrics
                .budget_remaining
                .with_label_values(&[project])
                .set(self.queue.budget_remaining(project, now) as f64);
            metrics.budget_rate.with_label_values(&[project]).set(self.queue.rate(project, now));
            for (class, waiting) in CLASSES.iter().zip(self.queue.waiting(project)) {
                metrics.waiting.with_label_values(&[project.as_str(), *class]).set(waiting as f64);
            }
            let Ok(id) = ProjectId::new(project) else { continue };
            for sweep in models::Sweep::ALL {
                let (age, labels) = (self.sweeper.sweep_age(&id, *sweep, now), [project, sweep.as_str()]);
                if let Some(age) = age.filter(|_| walks) {
                    metrics.sweep_age_seconds.with_label_values(&labels).set(age.as_secs_f64());
                } else {
                    // Whoever walks now tells it. There may have been no such series.
                    metrics.sweep_age_seconds.remove_label_values(&labels).ok();
                }
            }
        }
        let due = self.partitions.values().filter(|held| held.running).map(|held| held.timers.due(now).count());
        self.metrics.recheck_due.set(due.sum::<usize>() as i64);
    }
}

/// Where the entries of a page's rows are, if they are here, and their marks; and brings them near.
fn near<'a>(
    partitions: &'a BTreeMap<i32, Partition>,
    spread: Option<(Partitioner, i32)>,
    project: &str,
    page: &Page,
) -> Vec<Option<(&'a Partition, Mark)>> {
    let mut key = String::new();
    let home = |(id, _): &(SubmissionId, Row)| {
        key.clear();
        key.extend([project, "/", id.as_str()]);
        let held = match spread {
            Some((partitioner, total)) => partitions.get(&partitioner(key.as_bytes(), total)),
            None => partitions.values().find(|held| held.has(&key)),
        }?;
        Some((held, held.entries.mark(&key)))
    };
    let near: Vec<_> = page.rows.iter().map(home).collect();
    bring_near(near.iter().flatten().map(|(held, mark)| (&held.entries, *mark)));
    near
}
