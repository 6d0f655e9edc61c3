//! The newest events and dead letters, read from the ends of their topics: every replica tells the same.
//!
//! Owns: what of a record is told, and how far back is read. Nothing personal: an event's data is not handed on, but for
//! its statuses. Must not know: who asks. All calls block.

use super::moment::Moment;
use models::Key;
use publisher::KafkaSettings;
use publisher::reading::{Bounds, ReadError, Received, Start, TopicReader};
use publisher::record::Topic;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::cmp::Reverse;
use std::time::{Duration, Instant};

/// What one answer may cost.
const BOUNDS: Bounds = Bounds { records: 50_000, bytes: 64 * 1024 * 1024, time: Duration::from_secs(8) };
/// The first attempt takes so many offsets of each partition for each record that is wanted; markers take some.
const OFFSETS: i64 = 3;
/// The least that is worth a request.
const LEAST: i64 = 100;
/// If that did not yield enough, so many times more.
const MORE: i64 = 10;
/// No more offsets of a partition than these.
const MOST: i64 = 100_000;

/// The answer to `/api/v1/events`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Events {
    /// Newest first.
    pub events: Vec<EventView>,
}

/// An event, as much as is told of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct EventView {
    /// When it was decided.
    pub at: Moment,
    /// `ce_type`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The project.
    pub project: String,
    /// The submission.
    pub id: String,
    /// `ce_sequence`.
    pub sequence: u64,
    /// What made us look.
    pub cause: Option<String>,
    /// How the truth stood to what was claimed.
    pub agreement: Option<String>,
    /// The KYC status confirmed; null for a deletion.
    pub kyc_status: Option<String>,
    /// The AML status confirmed; null for a deletion.
    pub aml_status: Option<String>,
    /// Where it is.
    pub partition: i32,
    /// See above.
    pub offset: i64,
}

impl EventView {
    /// `None` for a record that is no event of ours.
    pub fn of(record: &Received) -> Option<EventView> {
        let key = Key::parse(record.key.as_deref()?).ok()?;
        let data: Value = record.json()?.ok()?;
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let at = record.header("ce_recordedtime").and_then(|time| time.parse().ok()).unwrap_or(record.at);
        Some(EventView {
            at: Moment(at),
            kind: record.header("ce_type")?.to_owned(),
            project: key.project().to_owned(),
            id: key.submission().to_owned(),
            sequence: record.header("ce_sequence")?.parse().ok()?,
            cause: text(&data["provenance"]["cause"]),
            agreement: text(&data["provenance"]["agreement"]),
            kyc_status: text(&data["kyc"]["status"]),
            aml_status: text(&data["aml"]["status"]),
            partition: record.partition,
            offset: record.offset,
        })
    }
}

/// The answer to `/api/v1/dead-letters`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct DeadLetters {
    /// Newest first.
    pub dead_letters: Vec<DeadLetterView>,
}

/// A dead letter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct DeadLetterView {
    /// When it was written.
    pub at: Moment,
    /// The project; null if the record to blame named none.
    pub project: Option<String>,
    /// The submission; null likewise.
    pub id: Option<String>,
    /// The reason class.
    pub reason: String,
    /// How often it was tried.
    pub attempts: u64,
    /// When it first failed.
    pub first_seen: Option<Moment>,
    /// Where it is.
    pub partition: i32,
    /// See above.
    pub offset: i64,
}

impl DeadLetterView {
    /// Every record of the topic is one.
    pub fn of(record: &Received) -> DeadLetterView {
        let key = record.key.as_deref().and_then(|text| Key::parse(text).ok());
        DeadLetterView {
            at: record.at.into(),
            project: key.as_ref().map(|key| key.project().to_owned()),
            id: key.as_ref().map(|key| key.submission().to_owned()),
            reason: record.header("argos_relay.reason").unwrap_or("unknown").to_owned(),
            attempts: record.header("argos_relay.attempts").and_then(|text| text.parse().ok()).unwrap_or_default(),
            first_seen: record.header("argos_relay.first_seen").and_then(|text| text.parse().ok()).map(Moment),
            partition: record.partition,
            offset: record.offset,
        }
    }
}

/// The newest events, of one project if it is given.
pub fn events(settings: &KafkaSettings, project: Option<&str>, limit: usize) -> Result<Events, ReadError> {
    let of = |record: &Received| {
        EventView::of(record).filter(|event| project.is_none_or(|project| event.project == project))
    };
    let mut events = tail(settings, Topic::Events, limit, of)?;
    // Within a millisecond by their place, so that every replica has one order.
    events.sort_by_key(|one| Reverse((one.at, one.partition, one.offset)));
    events.truncate(limit);
    Ok(Events { events })
}

/// The newest dead letters, of one project if it is given.
pub fn dead_letters(settings: &KafkaSettings, project: Option<&str>, limit: usize) -> Result<DeadLetters, ReadError> {
    let of = |record: &Received| {
        let letter = DeadLetterView::of(record);
        project.is_none_or(|project| letter.project.as_deref() == Some(project)).then_some(letter)
    };
    let mut letters = tail(settings, Topic::DeadLetters, limit, of)?;
    letters.sort_by_key(|one| Reverse((one.at, one.partition, one.offset)));
    letters.truncate(limit);
    Ok(DeadLetters { dead_letters: letters })
}

/// At least the newest `limit` records that `of` takes, if there are so many within the bounds.
fn tail<T>(
    settings: &KafkaSettings,
    topic: Topic,
    limit: usize,
    of: impl Fn(&Received) -> Option<T>,
) -> Result<Vec<T>, ReadError> {
    let until = Instant::now() + BOUNDS.time;
    let mut offsets = (limit as i64).saturating_mul(OFFSETS).max(LEAST);
    loop {
        let mut reader = TopicReader::open(settings, topic, &Start::Last(offsets))?;
        let mut found = Vec::new();
        let bounds = Bounds { time: until.saturating_duration_since(Instant::now()), ..BOUNDS };
        let complete = reader.read_within(&bounds, |record| found.extend(of(&record)))?;
        if found.len() >= limit || !reader.is_cut() || !complete || offsets >= MOST {
            return Ok(found);
        }
        offsets = offsets.saturating_mul(MORE).min(MOST);
    }
}
