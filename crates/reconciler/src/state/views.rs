//! What the state answers to those who ask: copies of what it knows at this moment. Changes nothing but the budget, when
//! somebody spends of it.

use super::State;
use super::partition::{Partition, Phase};
use super::walks::WALKS;
use crate::inquiry::{Ask, KeyView, Overview, PartitionView, ProjectView, Standing, SweepView};
use models::{Key, ProjectId, Sweep, Time};

impl State {
    /// Answers; one who no longer listens is no trouble.
    pub fn answer(&mut self, ask: Ask, now: Time) {
        match ask {
            Ask::Overview(reply) => drop(reply.send(self.overview(now))),
            Ask::Key(key, partitioner, reply) => {
                let partition = self.total.map(|total| partitioner(key.as_str().as_bytes(), total));
                drop(reply.send(self.view(partition, &key)));
            }
            Ask::Spend(project, reply) => drop(reply.send(self.queue.spend(&project, now))),
        }
    }

    fn overview(&self, now: Time) -> Overview {
        let held = self.partitions.iter().filter(|(_, held)| held.assigned);
        let partitions = held.map(|(partition, held)| PartitionView {
            partition: *partition,
            running: held.running,
            entries: held.entries.len() as u64,
            live: held.live.unsettled() as u64,
            bulk: held.bulk.unsettled() as u64,
        });
        let mut names: Vec<&String> = self.projects.keys().collect();
        names.sort();
        Overview {
            total: self.total,
            partitions: partitions.collect(),
            projects: names.into_iter().filter_map(|name| self.project_view(name, now)).collect(),
        }
    }

    fn project_view(&self, name: &str, now: Time) -> Option<ProjectView> {
        let queue = self.queue.view(name, now)?;
        let running = || self.partitions.values().filter(|held| held.running);
        let of_project = |key: &Key| key.project() == name;
        let in_flight = |held: &Partition| {
            held.work.iter().filter(|(key, work)| work.phase == Phase::Running && of_project(key)).count()
        };
        let due = |held: &Partition| {
            held.timers.due(now).flat_map(|mark| held.entries.due(mark, now)).filter(|(_, key)| of_project(key)).count()
        };
        let walks = self.partitions.get(&WALKS).is_some_and(|held| held.running);
        let id = ProjectId::new(name).ok().filter(|_| walks);
        Some(ProjectView {
            in_flight: running().map(in_flight).sum(),
            due: running().map(due).sum(),
            parked: running().map(|held| held.parked.get(name).copied().unwrap_or_default()).sum(),
            sweeps: id.map(|id| self.sweep_views(&id, now)).unwrap_or_default(),
            ..queue
        })
    }

    fn sweep_views(&self, project: &ProjectId, now: Time) -> Vec<SweepView> {
        let view = |sweep: &Sweep| {
            let memo = self.sweeper.memo(project, *sweep)?;
            let (walk, last) = (memo.walk.as_ref(), memo.last.as_ref());
            let due = self.sweeper.due(project, *sweep).filter(|_| walk.is_none());
            let state = match due {
                _ if walk.is_some() => "running",
                Some(due) if due <= now => "waiting",
                _ => "idle",
            };
            let rows = walk.map(|walk| walk.totals.rows);
            let whole = last.filter(|last| last.complete && last.totals.rows > 0).map(|last| last.totals.rows as f64);
            Some(SweepView {
                sweep: *sweep,
                state,
                rows: rows.or(last.map(|last| last.totals.rows)).unwrap_or_default(),
                part: rows.zip(whole).map(|(rows, whole)| (rows as f64 / whole).min(1.0)),
                started_at: walk.map(|walk| walk.started_at).or(last.map(|last| last.started_at)),
                finished_at: last.map(|last| last.ended_at),
                // What is due at once has no time of its own.
                due_at: due.map(|due| due.max(Time::from_millis(0))).filter(|due| due.as_millis() > 0),
                complete: last.map(|last| last.complete),
            })
        };
        Sweep::ALL.iter().filter_map(view).collect()
    }

    fn view(&self, partition: Option<i32>, key: &Key) -> KeyView {
        let held = partition.and_then(|partition| self.partitions.get(&partition)).filter(|held| held.running);
        let work = held.and_then(|held| held.work.get(key)).map(|work| match work.phase {
            Phase::Queued(_) => Standing::Queued,
            Phase::Running => Standing::Asked,
            Phase::Staged => Standing::Decided,
        });
        KeyView {
            owned: held.is_some(),
            entry: held.and_then(|held| held.entries.get(key)),
            work,
            notes: self.journal.of(key),
            notes_from: Some(self.journal.from().unwrap_or(self.began)),
        }
    }
}
