//! What becomes of one submission after a hint: its ledger entry before and after, and the events that came of it.
//!
//! Owns: following one key through the ledger and the events topic. Must not know why it is followed.
//!
//! Path: [`Follow::open`] reads the key's ledger partition to its end (what is known now) before the hint is sent;
//! [`Follow::wait`] then waits for the next entry of the key, and for the events that its sequence promises.

use super::support::Ended;
use crate::config::Config;
use models::{Entry, Key};
use publisher::reading::{Received, Start, TopicReader};
use publisher::record::Topic;
use serde_json::Value;
use std::time::{Duration, Instant};

const SHORT: Duration = Duration::from_millis(50);
/// How long the events of a transaction may show later than its ledger record: they lie on other brokers.
const EVENTS_AFTER: Duration = Duration::from_secs(5);

/// An event, as much as is told of it.
#[derive(Clone, Debug, serde::Serialize)]
pub(super) struct Seen {
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) id: String,
    pub(super) sequence: u64,
    pub(super) hint_id: Option<String>,
}

/// What came.
pub(super) enum Came {
    /// This entry, and these events with it. `None` = the key was forgotten: ARGOS knows no such submission.
    Entry(Option<Box<Entry>>, Vec<Seen>),
    /// Nothing in time.
    Nothing,
}

/// One key, followed.
pub(super) struct Follow {
    key: String,
    ledger: TopicReader,
    events: TopicReader,
    /// The key's entry, as far as was read.
    pub(super) entry: Option<Box<Entry>>,
}

impl Follow {
    /// Reads what is known now.
    pub(super) fn open(config: &Config, key: &Key) -> Result<Follow, Ended> {
        let settings = config.kafka.settings();
        let text = key.as_str();
        let events = TopicReader::open_for(&settings, Topic::Events, &Start::End, text)?;
        let ledger = TopicReader::open_for(&settings, Topic::Ledger, &Start::Beginning, text)?;
        let mut follow = Follow { key: text.to_owned(), ledger, events, entry: None };
        let (mut last, wanted) = (None, text.to_owned());
        follow.ledger.read_to_end(|record| {
            if record.key.as_deref() == Some(&wanted) {
                last = Some(record);
            }
            true
        })?;
        follow.entry = last.map(|record| decode(&record)).transpose()?.flatten();
        Ok(follow)
    }

    /// The last sequence that was published.
    fn sequence(&self) -> u64 {
        self.entry.as_ref().map_or(0, |entry| entry.sequence)
    }

    /// Waits for the next entry of the key.
    pub(super) fn wait(&mut self, within: Duration) -> Result<Came, Ended> {
        let until = Instant::now() + within;
        while Instant::now() < until {
            let Some(record) = self.ledger.next(SHORT)? else { continue };
            if record.key.as_deref() != Some(&self.key) {
                continue;
            }
            let before = self.sequence();
            self.entry = decode(&record)?;
            let events = self.events_until(before, self.sequence())?;
            return Ok(Came::Entry(self.entry.clone(), events));
        }
        Ok(Came::Nothing)
    }

    /// The events with a sequence after `before`, up to `last`.
    fn events_until(&mut self, before: u64, last: u64) -> Result<Vec<Seen>, Ended> {
        let mut events: Vec<Seen> = Vec::new();
        let until = Instant::now() + EVENTS_AFTER;
        while events.last().map_or(before, |event| event.sequence) < last && Instant::now() < until {
            let Some(record) = self.events.next(SHORT)? else { continue };
            if record.key.as_deref() == Some(&self.key) {
                events.extend(seen(&record).filter(|event| event.sequence > before));
            }
        }
        Ok(events)
    }
}

fn decode(record: &Received) -> Result<Option<Box<Entry>>, Ended> {
    let Some(bytes) = &record.payload else { return Ok(None) };
    let entry = Entry::decode(bytes).map_err(anyhow::Error::from)?;
    Ok(Some(Box::new(entry)))
}

fn seen(record: &Received) -> Option<Seen> {
    let data: Value = record.json()?.ok()?;
    Some(Seen {
        kind: record.header("ce_type")?.to_owned(),
        id: record.header("ce_id")?.to_owned(),
        sequence: record.header("ce_sequence")?.parse().ok()?,
        hint_id: data["provenance"]["hint_id"].as_str().map(str::to_owned),
    })
}
