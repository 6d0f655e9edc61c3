//! What the topics say of one submission, read from outside the group: every replica finds the same.
//!
//! Owns: how far back is read, and what of it is kept. Nothing personal is: hints have none, and of an event only what
//! [`EventView`] shows. Must not know: what it means. Blocks.

use crate::operate::tails::{DeadLetterView, EventView};
use models::{Entry, Hint, Key, Lane, Notification, ProjectId, Source, Time};
use publisher::KafkaSettings;
use publisher::reading::{Bounds, ReadError, Received, Start, TopicReader};
use publisher::record::Topic;
use std::time::Duration;

/// Hints are looked for over so long, and no more of them.
pub(super) const WINDOW: Duration = Duration::from_hours(24);
/// No more offsets of a partition than these.
const OFFSETS: i64 = 100_000;
/// Of dead letters and notifications there are few.
const FEW: i64 = 20_000;
/// What one topic may cost.
const BOUNDS: Bounds = Bounds { records: 100_000, bytes: 64 * 1024 * 1024, time: Duration::from_secs(8) };
/// What a partition of the ledger may cost: it has to be read whole, by whoever does not hold it in memory.
const LEDGER: Bounds = Bounds { records: 5_000_000, bytes: 512 * 1024 * 1024, time: Duration::from_secs(20) };

/// A hint on its topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct HintSeen {
    pub(super) lane: Lane,
    pub(super) partition: i32,
    pub(super) offset: i64,
    pub(super) hint: Hint,
}

/// What was found.
#[derive(Clone, Debug, Default)]
pub(super) struct Gathered {
    /// The key's partition of the hints.
    pub(super) partition: i32,
    pub(super) hints: Vec<HintSeen>,
    /// When the newest webhook came of any other submission on the partition.
    pub(super) others_at: Option<Time>,
    pub(super) events: Vec<EventView>,
    pub(super) letters: Vec<DeadLetterView>,
    /// Of the submission and of its project, oldest first.
    pub(super) notices: Vec<Notification>,
    /// Read only if it was wanted.
    pub(super) entry: Option<Entry>,
    pub(super) hints_from: Time,
    pub(super) events_from: Option<Time>,
    pub(super) complete: bool,
}

/// Whether a record is the hint of a webhook; operators' hints go the same way.
fn is_webhook(record: &Received) -> bool {
    #[derive(serde::Deserialize)]
    struct From {
        source: Source,
    }
    record.json::<From>().is_some_and(|from| from.is_ok_and(|from| from.source == Source::Webhook))
}

/// Reads all of it; the ledger only if `ledger`.
pub(super) fn gather(settings: &KafkaSettings, key: &Key, ledger: bool, now: Time) -> Result<Gathered, ReadError> {
    let since = now - WINDOW;
    let mut found = Gathered { hints_from: since, complete: true, ..Gathered::default() };
    for (lane, topic) in [(Lane::Live, Topic::Hints), (Lane::Bulk, Topic::Bulk)] {
        found.read_hints(settings, key, (lane, topic), since)?;
    }
    let mut first = None;
    let reader = found.read(settings, Topic::Events, &Start::Last(OFFSETS), key.as_str(), |found, record| {
        first.get_or_insert(record.at);
        if record.key.as_deref() == Some(key.as_str()) {
            found.events.extend(EventView::of(&record));
        }
    })?;
    found.events_from = first.filter(|_| reader.is_cut());
    found.read(settings, Topic::DeadLetters, &Start::Last(FEW), key.as_str(), |found, record| {
        if record.key.as_deref() == Some(key.as_str()) {
            found.letters.push(DeadLetterView::of(&record));
        }
    })?;
    for of in [key.as_str(), key.project()] {
        found.read(settings, Topic::Notifications, &Start::Last(FEW), of, |found, record| {
            if record.key.as_deref() == Some(of) {
                found.notices.extend(record.json().and_then(Result::ok));
            }
        })?;
    }
    if ledger {
        found.read_entry(settings, key)?;
    }
    Ok(found)
}

impl Gathered {
    fn read(
        &mut self,
        settings: &KafkaSettings,
        topic: Topic,
        start: &Start,
        key: &str,
        mut take: impl FnMut(&mut Gathered, Received),
    ) -> Result<TopicReader, ReadError> {
        let mut reader = TopicReader::open_for(settings, topic, start, key)?;
        let complete = reader.read_within(&BOUNDS, |record| take(self, record))?;
        self.complete &= complete;
        Ok(reader)
    }

    fn read_hints(
        &mut self,
        settings: &KafkaSettings,
        key: &Key,
        (lane, topic): (Lane, Topic),
        since: Time,
    ) -> Result<(), ReadError> {
        let mut first = None;
        let reader = self.read(settings, topic, &Start::Since(since, OFFSETS), key.as_str(), |found, record| {
            first.get_or_insert(record.at);
            if record.key.as_deref() != Some(key.as_str()) {
                let newest = Some(record.at).filter(|_| lane == Lane::Live && is_webhook(&record));
                found.others_at = found.others_at.max(newest);
                return;
            }
            let (partition, offset) = (record.partition, record.offset);
            let hint = record.json().and_then(Result::ok);
            found.hints.extend(hint.map(|hint| HintSeen { lane, partition, offset, hint }));
        })?;
        self.partition = publisher::partition::partition_of(key.as_str().as_bytes(), reader.partitions());
        if let Some(first) = first.filter(|_| reader.is_cut()) {
            self.hints_from = self.hints_from.max(first);
        }
        Ok(())
    }

    fn read_entry(&mut self, settings: &KafkaSettings, key: &Key) -> Result<(), ReadError> {
        let mut last = None;
        let mut reader = TopicReader::open_for(settings, Topic::Ledger, &Start::Beginning, key.as_str())?;
        let complete = reader.read_within(&LEDGER, |record| {
            if record.key.as_deref() == Some(key.as_str()) {
                last = Some(record.payload);
            }
        })?;
        self.complete &= complete;
        // One of a release that is newer than this one is as good as unknown here; the service itself refuses to guess.
        self.entry = last.flatten().and_then(|bytes| Entry::decode(&bytes).ok());
        Ok(())
    }

    /// Whether ARGOS is not asked for the project now, since when, and why: the newest word of the breaker.
    pub(super) fn breaker(&self, project: &str) -> Option<(Time, &str)> {
        let is_ours = |id: &ProjectId| id.as_str() == project;
        let newest = self.notices.iter().rev().find_map(|notice| match notice {
            Notification::BreakerOpened { project, why, at, .. } if is_ours(project) => Some(Some((*at, why.as_str()))),
            Notification::BreakerClosed { project, .. } if is_ours(project) => Some(None),
            _ => None,
        });
        newest.flatten()
    }

    /// Until when the project's daily quota is spent.
    pub(super) fn quota_spent(&self, project: &str, now: Time) -> Option<Time> {
        self.notices.iter().rev().find_map(|notice| match notice {
            Notification::QuotaSpent { project: id, until, .. } if id.as_str() == project && *until > now => {
                Some(*until)
            }
            _ => None,
        })
    }

    /// When the newest webhook of the submission came, within the window.
    pub(super) fn webhook_at(&self) -> Option<Time> {
        let webhooks = self.hints.iter().filter(|seen| seen.hint.source == Source::Webhook);
        webhooks.map(|seen| seen.hint.received_at).max()
    }
}
