//! A hint arrives: what it joins, and whether it needs a look at all.

use super::State;
use super::packed::Glance;
use super::partition::{Gathered, Work};
use crate::decision::{self, WordHashes};
use crate::journal::{Joined, What};
use crate::queue::{Class, Ticket};
use models::{CheckReason, Entry, Hint, Key, Lane, LookError, Row, Time};

impl State {
    #[expect(clippy::too_many_arguments, reason = "the fields of one ledger event")]
    pub(super) fn on_hint(
        &mut self,
        partition: i32,
        epoch: u64,
        lane: Lane,
        offset: i64,
        key: Key,
        hint: Hint,
        now: Time,
    ) {
        let traces = self.trace_of(&hint);
        let Some(held) = self.partitions.get_mut(&partition).filter(|held| held.epoch == epoch && held.running) else {
            return;
        };
        self.metrics.hints.with_label_values(&[lane.as_str(), hint.source.as_str()]).inc();
        // A look that is under way began before this hint was read: it covers nothing of it.
        let idle = !held.work.contains_key(&key);
        let entry = held.entries.get(&key);
        let entry = entry.as_ref();
        let words = WordHashes::default();
        let equal =
            entry.is_some_and(|entry| hint.row.as_ref().is_some_and(|row| is_equal(&Glance::from(entry), row, &words)));
        if hint.row.is_some() {
            let word = if equal { "equal" } else { "different" };
            self.metrics.sweep_rows.with_label_values(&[word]).inc();
        }
        let class = class_of_hint(lane, &hint, entry);
        let (is_row, source) = (hint.row.is_some(), hint.source);
        let gathered = Gathered::of_hint(hint, lane, offset, traces);
        let covered = entry.is_some_and(|entry| {
            let waits = is_row && is_set_aside(entry);
            entry.is_erased() || (idle && (equal || waits || gathered.wake.is_covered_by(entry)))
        });
        let joined = match (covered, idle) {
            (true, _) => Joined::Covered,
            (false, false) => Joined::Coalesced,
            (false, true) => Joined::Waits,
        };
        self.journal.note(&key, now, What::Hint { lane, offset, source, joined });
        if covered {
            held.window(lane).skip(offset);
            self.metrics.hints_coalesced.inc();
            return;
        }
        held.window(lane).open(offset);
        if let Some(work) = held.work.get_mut(&key) {
            self.metrics.hints_coalesced.inc();
            let promoted = work.add(gathered, class);
            if work.erases() {
                self.enqueue_or_hold(partition, key, class, now);
            } else if promoted {
                self.enqueue(partition, key, class, now);
            }
        } else {
            held.work.insert(key.clone(), Work::queued(gathered, class));
            self.enqueue_or_hold(partition, key, class, now);
        }
    }

    /// Queues a key that hints woke. They are set aside with it while it backs off after a failure, or while too many
    /// claims wait; an operator's request does not wait, and an erasure needs no look.
    pub(super) fn enqueue_or_hold(&mut self, partition: i32, key: Key, class: Class, now: Time) {
        let held = self.partitions.get(&partition);
        let Some(work) = held.and_then(|held| held.work.get(&key)) else { return };
        let wake = &work.current.wake;
        let entry = held.and_then(|held| held.entries.get(&key));
        let erases = wake.erase;
        let waits = entry.as_ref().is_some_and(|entry| {
            let backs_off = entry.check.is_some_and(|check| {
                matches!(check.reason, CheckReason::Failed | CheckReason::DeadLettered) && check.due > now
            });
            backs_off || wake.is_one_of_too_many(entry)
        });
        let holds = waits && wake.cause != models::Cause::Operator && self.projects.contains_key(key.project());
        if !erases && !holds {
            self.enqueue(partition, key, class, now);
        } else if let Some(run) = self.begin(&Ticket { partition, key, queued_at: now }) {
            self.decide(run, now, |case, _, _| if erases { decision::erase(case) } else { decision::hold(case) });
        }
    }

    pub(super) fn enqueue(&mut self, partition: i32, key: Key, class: Class, now: Time) {
        let refused = self.queue.push(class, Ticket { partition, key, queued_at: now }).err();
        if let Some(ticket) = refused
            && let Some(run) = self.begin(&ticket)
        {
            self.finish(&run, &Err(LookError::UnknownProject), now);
        }
    }
}

/// An id that nobody knew is asked for at its own pace, whatever webhooks of it come; but a list that shows it knows it.
fn class_of_hint(lane: Lane, hint: &Hint, entry: Option<&Entry>) -> Class {
    if hint.row.is_none() && entry.is_some_and(Entry::is_unknown) { Class::Unknown } else { lane.into() }
}

/// Whether a look waits in the ledger for budget, for the breaker, or after a failure. It will show whatever a list row
/// shows now: a walk that meets a backlog again adds nothing to it. An id that nobody knows may be forgotten without a
/// look, so a row of it counts.
pub(super) fn is_set_aside(entry: &Entry) -> bool {
    entry.check.is_some_and(|check| waits(check.reason)) && !entry.is_unknown()
}

/// Whether a look of this reason waits for budget, for the breaker, or after a failure.
pub(super) fn waits(reason: CheckReason) -> bool {
    matches!(reason, CheckReason::Parked | CheckReason::Failed | CheckReason::DeadLettered)
}

/// Whether a list row shows nothing that the entry does not hold.
pub(super) fn is_equal(entry: &Glance, row: &Row, words: &WordHashes) -> bool {
    if row.kyc_status == Some(models::KycStatus::Deleted) && entry.is_grave {
        return true; // a deleted submission stays in the list
    }
    entry.published.is_some_and(|last| {
        row.kyc_status.is_none_or(|status| status == last.kyc_status)
            && row.risk.is_none_or(|risk| risk == last.risk)
            && row.aml_vendor_status.as_ref().is_none_or(|word| words.of(word) == last.aml_word)
            // Slices show no vendor's clock: there is then nothing to hold the row's against.
            && (last.updated_at.is_none() || row.updated_at == last.updated_at)
    })
}
