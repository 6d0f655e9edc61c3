//! From staged decisions to one batch, and what its outcome does to the state.

use super::partition::{Partition, Work};
use super::walks::{StagedStep, WALKS};
use super::{Staged, State, spans};
use crate::decision::Outcome;
use crate::inquiry::Partitioner;
use crate::journal::What;
use models::{
    Batch, CheckReason, CommitError, DeadLetter, Entry, Key, LookError, Memo, MemoKey, Notification, Progress,
    ProjectId, Span, Standing, Time, Write,
};
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
    /// Offsets that moved without a write are committed after this time, and so is a walk that came a page further.
    pub settle_interval: Duration,
    /// By which hints are spread over partitions; without it a key may be in any.
    pub partitioner: Option<Partitioner>,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            max_in_flight: 64,
            commit_interval: Duration::from_millis(10),
            commit_max: 1000,
            patience: Duration::from_secs(30),
            settle_interval: Duration::from_secs(1),
            partitioner: None,
        }
    }
}

const FIRST_RETRY: Duration = Duration::from_millis(50);
const LONGEST_RETRY: Duration = Duration::from_secs(5);

/// What the batch under way carries.
#[derive(Debug, Default)]
pub(super) struct Committing {
    decisions: Vec<Staged>,
    unreadable: Vec<(i32, DeadLetter)>,
    steps: Vec<StagedStep>,
    notices: Vec<Notification>,
    standings: Vec<(i32, String, Standing)>,
    progress: Vec<Progress>,
    /// Of the runs that it carries.
    spans: Vec<Span>,
}

/// So many steps of walks are committed without waiting longer: half of what one walk may be ahead of its commits, so that
/// the other half is read meanwhile.
const STEPS_AT_ONCE: usize = 32;

impl State {
    /// When the next batch is due; `None` while there is nothing to commit.
    pub(super) fn commit_due(&self, now: Time) -> Option<Time> {
        if self.committing.is_some() {
            return None;
        }
        let first = self.staged.first().map(|staged| staged.at + self.settings.commit_interval);
        // What operators are told needs some partition to ride with.
        let tells = !self.notices.is_empty() && self.partitions.values().any(|held| held.running);
        let at_once = tells || !self.unreadable.is_empty();
        let step = self.steps.iter().map(|staged| staged.due).min();
        let full = self.staged.len() >= self.settings.commit_max || self.steps.len() >= STEPS_AT_ONCE;
        let settle = self.settle_since.map(|since| since + self.settings.settle_interval);
        let standing = self.queue.next_standing_write(now);
        let due = [first, (at_once || full).then_some(now), step, settle, standing].into_iter().flatten().min()?;
        Some(self.retry_at.map_or(due, |retry_at| due.max(retry_at)))
    }

    /// The next batch, if it is due.
    pub fn take_batch(&mut self, now: Time) -> Option<Batch> {
        self.notice_settled(now);
        if self.commit_due(now)? > now {
            return None;
        }
        self.settle_since = None;
        let mut taken = Committing {
            decisions: std::mem::take(&mut self.staged),
            unreadable: std::mem::take(&mut self.unreadable),
            steps: std::mem::take(&mut self.steps),
            standings: self.queue.standings_to_write(now),
            ..Committing::default()
        };
        let (partitions, sweeper) = (&self.partitions, &self.sweeper);
        taken.decisions.retain(|staged| is_current(partitions, staged));
        taken.steps.retain(|staged| sweeper.is_current(&staged.step));
        taken.progress = self.progress_of(&taken);
        if taken.progress.is_empty() {
            return None; // nothing is held any more: operators are told with the next commit
        }
        taken.notices = std::mem::take(&mut self.notices);
        taken.spans = self.commit_spans(&taken.decisions);
        let batch = taken.batch();
        self.committing = Some(taken);
        Some(batch)
    }

    /// The offsets that ride along: of every partition that is written to, and of those that have moved.
    fn progress_of(&mut self, taken: &Committing) -> Vec<Progress> {
        let mut touched: BTreeSet<i32> = taken.unreadable.iter().map(|(partition, _)| *partition).collect();
        touched.extend(taken.standings.iter().map(|(partition, ..)| *partition));
        for staged in &taken.decisions {
            let Some(held) = self.partitions.get_mut(&staged.run.partition) else {
                continue;
            };
            touched.insert(staged.run.partition);
            let offsets = held.work.get(&staged.run.key).map(|work| work.current.offsets.clone()).unwrap_or_default();
            for (lane, offset) in offsets {
                held.window(lane).stage(offset);
            }
        }
        if let Some(held) = self.partitions.get_mut(&WALKS).filter(|_| !taken.steps.is_empty()) {
            touched.insert(WALKS);
            for (lane, offset) in taken.steps.iter().filter_map(|staged| staged.offset) {
                held.window(lane).stage(offset);
            }
        }
        let moved = |(partition, held): (&i32, &Partition)| {
            (held.running && (held.live.is_behind() || held.bulk.is_behind())).then_some(*partition)
        };
        touched.extend(self.partitions.iter().filter_map(moved));
        if touched.is_empty() && !self.notices.is_empty() {
            // What operators are told needs some partition's offsets as its fence.
            touched.extend(self.partitions.iter().find(|(_, held)| held.running).map(|(partition, _)| *partition));
        }
        let progress = |partition: i32| {
            let held = self.partitions.get(&partition).filter(|held| held.running)?;
            Some(Progress { partition, epoch: held.epoch, live: held.live.low(), bulk: held.bulk.low() })
        };
        touched.into_iter().filter_map(progress).collect()
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
        let Some(mut committing) = self.committing.take() else {
            return;
        };
        let word = word_of(result);
        // Before the runs that they belong to.
        spans::committed(std::mem::take(&mut committing.spans), word, result);
        match result {
            Ok(()) => {
                self.retry_at = None;
                self.aborts = 0;
                self.durable(committing, now);
            }
            Err(CommitError::Aborted(_)) => {
                self.aborts = self.aborts.saturating_add(1);
                let pause = FIRST_RETRY.saturating_mul(1 << self.aborts.min(8)).min(LONGEST_RETRY);
                self.retry_at = Some(now + pause);
                self.note_each(&committing.decisions, now, &What::Aborted);
                self.restage(committing);
            }
            Err(CommitError::TooLarge(keys)) => {
                self.restage(committing);
                self.set_aside(keys, now);
            }
            Err(CommitError::Lost(_)) => {
                // Nothing may be decided until the ledger has told what became of it.
                self.note_each(&committing.decisions, now, &What::Lost);
                self.staged.clear();
                self.unreadable.clear();
                self.notices.splice(0..0, committing.notices);
                for held in self.partitions.values_mut() {
                    held.stop();
                }
                self.queue.release_all(now);
                self.stop_walks();
            }
        }
        self.metrics.commits.with_label_values(&[word]).inc();
        self.gauges();
    }

    /// The batch is durable: only now do entries, walks and standings change.
    fn durable(&mut self, committed: Committing, now: Time) {
        for row in committed.progress {
            if let Some(held) = self.current(row.partition, row.epoch).filter(|held| held.running) {
                held.live.committed(row.live);
                held.bulk.committed(row.bulk);
            }
        }
        for (_, letter) in committed.unreadable {
            self.metrics.dead_letters.with_label_values(&[letter.reason]).inc();
        }
        // Memos too count as read by us, also when the partition was revoked meanwhile.
        for staged in committed.steps {
            self.sweeper.committed(&staged.step);
            if let Some(held) = self.partitions.get_mut(&WALKS) {
                held.memos.extend([staged.step.memo]);
            }
        }
        for (partition, project, standing) in committed.standings {
            self.queue.standing_written(partition, &project, &standing, now);
            if let (Some(held), Ok(id)) = (self.partitions.get_mut(&partition), ProjectId::new(&project)) {
                held.memos.insert(MemoKey::Standing(id), Memo::Standing(standing));
            }
        }
        self.note_each(&committed.decisions, now, &What::Committed);
        for staged in committed.decisions {
            self.applied(staged, now);
        }
    }

    fn note_each(&mut self, decisions: &[Staged], now: Time, what: &What) {
        for staged in decisions {
            self.journal.note(&staged.run.key, now, what.clone());
        }
    }

    /// The entries have not moved, so each decision still stands: the same batch is tried again, without what belongs to
    /// partitions that are gone.
    fn restage(&mut self, committing: Committing) {
        self.staged.splice(0..0, committing.decisions);
        self.unreadable.splice(0..0, committing.unreadable);
        self.steps.splice(0..0, committing.steps);
        self.notices.splice(0..0, committing.notices);
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
                self.decide(run, now, |case, rng, _| crate::decision::fail(case, &why, rng));
            }
        }
    }

    /// One decision became durable.
    fn applied(&mut self, staged: Staged, now: Time) {
        self.count(&staged, now);
        let Staged { run, decision, .. } = staged;
        let (outcome, events) = (decision.outcome, decision.events);
        // Also when the partition was revoked meanwhile: the ledger counts these records as read by us.
        let Some(held) = self.current(run.partition, run.epoch) else {
            return;
        };
        held.apply(&run.key, decision.entry.as_ref());
        let Some(mut work) = held.work.remove(&run.key) else {
            return;
        };
        spans::conclude(&mut work.span, outcome, &events);
        if let Some((later, class)) = work.later {
            let entry = held.entries.get(&run.key);
            if entry.is_some_and(|entry| entry.is_erased() || later.wake.is_covered_by(&entry)) {
                for (lane, offset) in later.offsets {
                    held.window(lane).settle(offset);
                }
                return;
            }
            held.work.insert(run.key.clone(), Work::queued(later, class));
            self.enqueue_or_hold(run.partition, run.key, class, now);
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
                Notification::GapRepaired { cause, .. } => metrics.repaired.with_label_values(&[cause.as_str()]).inc(),
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
        let confirmed = !matches!(decision.outcome, Outcome::Failed | Outcome::DeadLettered | Outcome::Parked);
        let set_aside = held.and_then(|held| set_aside_since(&held.entries.get(&staged.run.key)?));
        let oldest = [work.current.oldest, set_aside].into_iter().flatten().min();
        if let Some(oldest) = oldest.filter(|_| confirmed) {
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

/// The word of a commit's outcome in metrics and spans.
const fn word_of(result: &Result<(), CommitError>) -> &'static str {
    match result {
        Ok(()) => "committed",
        Err(CommitError::Aborted(_)) => "aborted",
        Err(CommitError::TooLarge(_)) => "too_large",
        Err(CommitError::Lost(_)) => "lost",
    }
}

/// When the newest webhook came of those that are not confirmed because looks failed or had to wait.
fn set_aside_since(entry: &Entry) -> Option<Time> {
    let reason = entry.check?.reason;
    let waits = matches!(reason, CheckReason::Failed | CheckReason::DeadLettered | CheckReason::Parked);
    let pending = entry.pending.as_ref()?;
    // Only a webhook claims anything.
    pending.hinted_at.filter(|_| waits && !pending.claims.is_empty())
}

impl Committing {
    fn batch(&self) -> Batch {
        let standing = |(partition, project, standing): &(i32, String, Standing)| {
            let key = MemoKey::Standing(ProjectId::new(project).ok()?);
            Some((*partition, key, Memo::Standing(*standing)))
        };
        // Of a walk that came several pages further, only where it is now.
        let steps: BTreeMap<&MemoKey, &Memo> =
            self.steps.iter().map(|staged| (&staged.step.memo.0, &staged.step.memo.1)).collect();
        let steps = steps.into_iter().map(|(key, memo)| (WALKS, key.clone(), memo.clone()));
        let told = self.steps.iter().flat_map(|staged| staged.step.notifications.clone());
        Batch {
            progress: self.progress.clone(),
            writes: self.decisions.iter().map(write).collect(),
            dead_letters: self.unreadable.iter().map(|(_, letter)| letter.clone()).collect(),
            memos: steps.chain(self.standings.iter().filter_map(standing)).collect(),
            notifications: told.chain(self.notices.iter().cloned()).collect(),
        }
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
