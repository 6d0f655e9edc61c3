//! From staged decisions to one batch, and what its outcome does to the state.

use super::{Partition, Staged, State, partition::Work};
use models::{Batch, CommitError, Key, LookError, Notification, Progress, Time, Write};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// How the loop gathers and bounds its work.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Looks under way at a time.
    pub max_in_flight: usize,
    /// How long decisions are gathered into one commit.
    pub commit_interval: Duration,
    /// At most so many decisions in one commit; also how many may wait for a slow ledger.
    pub commit_max: usize,
    /// How long a key may wait for budget before it is set aside in the ledger.
    pub patience: Duration,
    /// Offsets that moved without a write are committed after this time.
    pub settle_interval: Duration,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            max_in_flight: 64,
            commit_interval: Duration::from_millis(10),
            commit_max: 1000,
            patience: Duration::from_secs(30),
            settle_interval: Duration::from_secs(1),
        }
    }
}

const FIRST_RETRY: Duration = Duration::from_millis(50);
const LONGEST_RETRY: Duration = Duration::from_secs(5);

impl State {
    /// When the next batch is due; `None` while there is nothing to commit.
    pub(super) fn commit_due(&self, now: Time) -> Option<Time> {
        if !self.committing.is_empty() || !self.committing_unreadable.is_empty() {
            return None;
        }
        let first = self.staged.first().map(|staged| staged.at + self.settings.commit_interval);
        let unreadable = (!self.unreadable.is_empty()).then_some(now);
        let full = (self.staged.len() >= self.settings.commit_max).then_some(now);
        let settle = self.settle_since.map(|since| since + self.settings.settle_interval);
        let due = [first, full, unreadable, settle].into_iter().flatten().min()?;
        Some(self.retry_at.map_or(due, |retry_at| due.max(retry_at)))
    }

    /// The next batch, if it is due.
    pub fn take_batch(&mut self, now: Time) -> Option<Batch> {
        self.notice_settled(now);
        if self.commit_due(now)? > now {
            return None;
        }
        self.settle_since = None;
        self.committing = std::mem::take(&mut self.staged);
        let partitions = &self.partitions;
        self.committing.retain(|staged| is_current(partitions, staged));
        self.committing_unreadable = std::mem::take(&mut self.unreadable);
        let mut touched: BTreeSet<i32> = self.committing_unreadable.iter().map(|(partition, _)| *partition).collect();
        for staged in &self.committing {
            let Some(held) = self.partitions.get_mut(&staged.run.partition) else {
                continue;
            };
            touched.insert(staged.run.partition);
            let offsets = held.work.get(&staged.run.key).map(|work| work.current.offsets.clone()).unwrap_or_default();
            for (lane, offset) in offsets {
                held.window(lane).stage(offset);
            }
        }
        let moved = |(partition, held): (&i32, &Partition)| {
            (held.running && (held.live.is_behind() || held.bulk.is_behind())).then_some(*partition)
        };
        touched.extend(self.partitions.iter().filter_map(moved));
        let progress = |partition: i32| {
            let held = self.partitions.get(&partition).filter(|held| held.running)?;
            Some(Progress { partition, epoch: held.epoch, live: held.live.low(), bulk: held.bulk.low() })
        };
        self.progress = touched.into_iter().filter_map(progress).collect();
        if self.progress.is_empty() {
            self.committing.clear();
            self.committing_unreadable.clear();
            return None;
        }
        Some(Batch {
            progress: self.progress.clone(),
            writes: self.committing.iter().map(write).collect(),
            dead_letters: self.committing_unreadable.iter().map(|(_, letter)| letter.clone()).collect(),
            ..Batch::default()
        })
    }

    /// Notes since when offsets wait that no decision will carry.
    fn notice_settled(&mut self, now: Time) {
        let behind =
            self.partitions.values().any(|held| held.running && (held.live.is_behind() || held.bulk.is_behind()));
        if behind {
            self.settle_since.get_or_insert(now);
        } else {
            self.settle_since = None;
        }
    }

    /// The outcome of the batch under way.
    pub fn on_commit(&mut self, result: &Result<(), CommitError>, now: Time) {
        let committing = std::mem::take(&mut self.committing);
        let unreadable = std::mem::take(&mut self.committing_unreadable);
        let progress = std::mem::take(&mut self.progress);
        match result {
            Ok(()) => {
                self.metrics.commits.with_label_values(&["committed"]).inc();
                self.retry_at = None;
                self.aborts = 0;
                for row in progress {
                    if let Some(held) = self.current(row.partition, row.epoch).filter(|held| held.running) {
                        held.live.committed(row.live);
                        held.bulk.committed(row.bulk);
                    }
                }
                for (_, letter) in unreadable {
                    self.metrics.dead_letters.with_label_values(&[letter.reason]).inc();
                }
                for staged in committing {
                    self.applied(staged, now);
                }
                self.gauges();
            }
            Err(CommitError::Aborted(_)) => {
                self.metrics.commits.with_label_values(&["aborted"]).inc();
                self.aborts = self.aborts.saturating_add(1);
                let pause = FIRST_RETRY.saturating_mul(1 << self.aborts.min(8)).min(LONGEST_RETRY);
                self.retry_at = Some(now + pause);
                self.restage(committing, unreadable);
            }
            Err(CommitError::TooLarge(keys)) => {
                self.metrics.commits.with_label_values(&["too_large"]).inc();
                self.restage(committing, unreadable);
                self.set_aside(keys, now);
            }
            Err(CommitError::Lost(_)) => {
                self.metrics.commits.with_label_values(&["lost"]).inc();
                // Nothing may be decided until the ledger has told what became of it.
                self.staged.clear();
                self.unreadable.clear();
                for held in self.partitions.values_mut() {
                    held.stop();
                }
                self.queue.release_all(now);
                self.gauges();
            }
        }
    }

    /// The entries have not moved, so each decision still stands: the same batch is tried again, without what belongs to
    /// partitions that are gone.
    fn restage(&mut self, committing: Vec<Staged>, unreadable: Vec<(i32, models::DeadLetter)>) {
        let newer = std::mem::replace(&mut self.staged, committing);
        self.staged.extend(newer);
        self.unreadable.splice(0..0, unreadable);
        let partitions = &self.partitions;
        self.staged.retain(|staged| is_current(partitions, staged));
        self.unreadable.retain(|(from, _)| partitions.get(from).is_some_and(|held| held.running));
    }

    /// What Kafka cannot take counts as an answer that cannot be read: backed off, dead-lettered, looked at daily.
    fn set_aside(&mut self, keys: &[(Key, usize)], now: Time) {
        for (key, bytes) in keys {
            let why = LookError::Unreadable(format!("a record of it would have {bytes} bytes, more than Kafka takes"));
            let runs: Vec<_> = self.staged.extract_if(.., |staged| staged.run.key == *key).map(|one| one.run).collect();
            for run in runs {
                self.decide(run, now, |case, rng| crate::decision::fail(case, &why, rng));
            }
        }
    }

    /// One decision became durable.
    fn applied(&mut self, staged: Staged, now: Time) {
        self.count(&staged, now);
        let Staged { run, decision, .. } = staged;
        // Also when the partition was revoked meanwhile: the ledger counts these records as read by us.
        let Some(held) = self.current(run.partition, run.epoch) else {
            return;
        };
        held.apply(&run.key, decision.entry);
        let Some(work) = held.work.remove(&run.key) else {
            return;
        };
        if let Some((later, lane)) = work.later {
            let entry = held.entries.get(&run.key);
            if entry.is_some_and(|entry| entry.is_erased() || later.wake.is_covered_by(entry)) {
                for (lane, offset) in later.offsets {
                    held.window(lane).settle(offset);
                }
                return;
            }
            held.work.insert(run.key.clone(), Work::queued(later, lane));
            self.enqueue_or_hold(run.partition, run.key, lane, now);
        }
    }

    fn count(&self, staged: &Staged, now: Time) {
        let decision = &staged.decision;
        let metrics = &self.metrics;
        for event in &decision.events {
            metrics.events_published.with_label_values(&[event.kind.as_str()]).inc();
        }
        for notification in &decision.notifications {
            match notification {
                Notification::HintUnconfirmed { .. } => metrics.hint_unconfirmed.inc(),
                _ => {}
            }
        }
        if let Some(letter) = &decision.dead_letter {
            metrics.dead_letters.with_label_values(&[letter.reason]).inc();
        }
        if decision.clock_regressed {
            metrics.clock_regressed.inc();
        }
        let held = self.partitions.get(&staged.run.partition);
        let Some(work) = held.and_then(|held| held.work.get(&staged.run.key)) else {
            return;
        };
        if !work.current.wake.is_hinted() && decision.outcome.publishes() && unhinted(decision) {
            metrics.repaired.with_label_values(&[work.current.wake.cause.as_str()]).inc();
        }
        let confirmed = !matches!(decision.outcome, super::Outcome::Failed | super::Outcome::Parked);
        if let Some(oldest) = work.current.oldest.filter(|_| confirmed) {
            metrics.hint_confirm_lag_seconds.observe(now.since(oldest).as_secs_f64());
        }
    }

    /// Offsets and keys not settled, for status answers.
    pub fn unsettled(&self) -> (usize, usize) {
        let offsets = self.partitions.values().map(|held| held.live.unsettled() + held.bulk.unsettled()).sum();
        let keys = self.partitions.values().map(|held| held.work.len()).sum();
        (offsets, keys)
    }
}

/// Whether a decision belongs to an assignment that still stands.
fn is_current(partitions: &BTreeMap<i32, Partition>, staged: &Staged) -> bool {
    let held = partitions.get(&staged.run.partition);
    held.is_some_and(|held| held.running && held.epoch == staged.run.epoch)
}

fn write(staged: &Staged) -> Write {
    let decision = &staged.decision;
    Write {
        partition: staged.run.partition,
        key: staged.run.key.clone(),
        events: decision.events.clone(),
        state: decision.state.clone(),
        entry: decision.entry.clone(),
        dead_letter: decision.dead_letter.clone(),
        notifications: decision.notifications.clone(),
    }
}

fn unhinted(decision: &crate::decision::Decision) -> bool {
    decision.events.first().is_some_and(|event| event.data.provenance.hint_id.is_none())
}
