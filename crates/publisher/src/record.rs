//! Words of the domain as Kafka records.
//!
//! Owns: the bytes and headers of every record that the relay writes: `CloudEvents` 1.0 in Kafka's binary mode for
//! events, JSON for snapshots, hints and notifications, Kafka Connect's error headers for dead letters (which never
//! have a body). Protected fields leave here sealed, and public values framed where a schema registry is in use
//! ([`crate::schemas`]). Pure. Must not know: topics' names, producers, a clock.
//!
//! Path: [`crate::ledger`] and [`crate::hint_sink`] turn what they are given into a [`Record`] here and only carry it.

use crate::schemas::{SNAPSHOT, SchemaIds};
use crate::sealing::{SealError, Sealer};
use models::{
    Batch, DeadLetter, Entry, Event, Hint, Key, Lane, Memo, MemoKey, Notification, Request, Snapshot, StateChange,
    Write,
};

/// Keys of the ledger that start so are not entries.
pub const RESERVED_PREFIX: char = '_';
/// The reserved ledger key, on partition 0, under which the layout is recorded.
pub const META_PARTITIONS: &str = "_meta/partitions";
/// The reserved key of a request on the bulk topic begins so; the project follows.
pub const REQUEST_PREFIX: &str = "_request/";

/// The longest message of a dead letter, in bytes. It says what is wrong, and nothing that a vendor could make long.
const LONGEST_MESSAGE: usize = 1024;

/// The room that a value begins with, in bytes; one that is larger makes it grow.
const FIRST_ROOM: usize = 1024;

/// Why a record cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// A value that JSON cannot show.
    #[error("a record cannot be written as JSON")]
    Json(#[from] serde_json::Error),
    /// A protected field that cannot be sealed; it is never written in clear instead.
    #[error("a protected field cannot be sealed")]
    Sealing(#[from] SealError),
    /// A type without a schema; a test holds that there is none.
    #[error("{0} has no schema")]
    NoSchema(&'static str),
}

/// How public records are written. By default nothing is sealed or framed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Form<'a> {
    /// Seals the protected fields.
    pub sealer: Option<&'a Sealer>,
    /// Frames values with the ids of their schemas.
    pub schema_ids: Option<&'a SchemaIds>,
}

/// Which of the topics a record goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Topic {
    /// Events for downstream.
    Events,
    /// The compacted state.
    State,
    /// Dead letters.
    DeadLetters,
    /// Notifications.
    Notifications,
    /// Live hints.
    Hints,
    /// Bulk hints.
    Bulk,
    /// The ledger.
    Ledger,
}

impl Topic {
    /// The hints of a lane.
    pub const fn of_lane(lane: Lane) -> Topic {
        match lane {
            Lane::Live => Topic::Hints,
            Lane::Bulk => Topic::Bulk,
        }
    }
}

/// One record, ready to be carried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Where to.
    pub topic: Topic,
    /// An explicit partition; `None` = by the key.
    pub partition: Option<i32>,
    /// The key; only a dead letter may have none.
    pub key: Option<String>,
    /// The value; `None` = a tombstone, or a dead letter.
    pub payload: Option<Vec<u8>>,
    /// Headers in order.
    pub headers: Vec<(&'static str, String)>,
}

impl Record {
    fn plain(topic: Topic, key: &str, payload: Option<Vec<u8>>) -> Record {
        Record { topic, partition: None, key: Some(key.to_owned()), payload, headers: Vec::new() }
    }

    /// How many bytes it takes at most, without compression: what brokers and clients bound.
    pub fn size(&self) -> usize {
        // Version 2 of the format: varints for lengths, offset and time, and the batch around it.
        const AROUND_RECORD: usize = 128;
        const AROUND_HEADER: usize = 10;
        let headers: usize = self.headers.iter().map(|(name, value)| name.len() + value.len() + AROUND_HEADER).sum();
        self.key.as_ref().map_or(0, String::len) + self.payload.as_ref().map_or(0, Vec::len) + headers + AROUND_RECORD
    }

    /// JSON that does not say so: for topics that only this service reads.
    fn bare<T: serde::Serialize>(topic: Topic, key: &str, value: &T) -> Result<Record, RecordError> {
        let mut text = Vec::with_capacity(FIRST_ROOM);
        serde_json::to_writer(&mut text, value)?;
        Ok(Record::plain(topic, key, Some(text)))
    }

    fn json<T: serde::Serialize>(topic: Topic, key: &str, value: &T) -> Result<Record, RecordError> {
        let mut record = Record::bare(topic, key, value)?;
        record.headers.push(("content-type", "application/json".to_owned()));
        Ok(record)
    }

    /// A record for others: with a frame it is no JSON any more, and says so.
    fn public<T: serde::Serialize>(
        topic: Topic,
        key: &str,
        record_type: &'static str,
        value: &T,
        form: Form<'_>,
    ) -> Result<Record, RecordError> {
        let Some(ids) = form.schema_ids else { return Record::json(topic, key, value) };
        let mut framed = ids.frame(record_type).ok_or(RecordError::NoSchema(record_type))?.to_vec();
        serde_json::to_writer(&mut framed, value)?;
        let mut record = Record::plain(topic, key, Some(framed));
        record.headers.push(("content-type", "application/octet-stream".to_owned()));
        Ok(record)
    }
}

/// An event: `CloudEvents` 1.0, binary mode (Kafka protocol binding, section 3.2). `ce_sequence` has 20 digits, so that
/// it sorts as text. `traceparent` has no prefix, as tracing tools expect it.
pub fn event(event: &Event, form: Form<'_>) -> Result<Record, RecordError> {
    let protected = form.sealer.map(|sealer| sealer.event(&event.key, &event.data)).transpose()?;
    let data = protected.as_ref().unwrap_or(&event.data);
    let mut record = Record::public(Topic::Events, event.key.as_str(), event.kind.as_str(), data, form)?;
    record.headers.extend([
        ("ce_specversion", "1.0".to_owned()),
        ("ce_id", event.id.clone()),
        ("ce_source", format!("/argos/projects/{}", event.key.project())),
        ("ce_type", event.kind.as_str().to_owned()),
        ("ce_subject", event.key.submission().to_owned()),
        ("ce_time", event.time.to_string()),
        ("ce_dataschema", format!("urn:argos-relay:schema:{}", event.kind.as_str())),
        ("ce_sequence", format!("{:020}", event.sequence)),
        ("ce_partitionkey", event.key.as_str().to_owned()),
        ("ce_recordedtime", event.recorded_at.to_string()),
    ]);
    if let Some(trace) = &event.traceparent {
        record.headers.push(("traceparent", trace.clone()));
    }
    Ok(record)
}

/// A snapshot, or its deletion.
pub fn snapshot(key: &Key, snapshot: Option<&Snapshot>, form: Form<'_>) -> Result<Record, RecordError> {
    let Some(snapshot) = snapshot else {
        return Ok(Record::plain(Topic::State, key.as_str(), None));
    };
    let protected = form.sealer.map(|sealer| sealer.snapshot(key, snapshot)).transpose()?;
    Record::public(Topic::State, key.as_str(), SNAPSHOT, protected.as_ref().unwrap_or(snapshot), form)
}

/// A ledger entry, or its deletion, on the partition whose offsets ride along.
pub fn entry(partition: i32, key: &Key, entry: Option<&Entry>) -> Record {
    Record { partition: Some(partition), ..Record::plain(Topic::Ledger, key.as_str(), entry.map(Entry::encode)) }
}

/// A memo on the partition that it belongs to.
pub fn memo(partition: i32, key: &MemoKey, memo: &Memo) -> Record {
    Record { partition: Some(partition), ..Record::plain(Topic::Ledger, &key.to_string(), Some(memo.encode())) }
}

/// A request to the owner of partition 0.
pub fn request(request: &Request) -> Result<Record, RecordError> {
    let key = format!("{REQUEST_PREFIX}{}", request.project());
    Ok(Record { partition: Some(0), ..Record::bare(Topic::Bulk, &key, request)? })
}

/// A hint on the topic of its lane.
pub fn hint(topic: Topic, key: &Key, hint: &Hint) -> Result<Record, RecordError> {
    let mut record = Record::bare(topic, key.as_str(), hint)?;
    if let Some(trace) = &hint.traceparent {
        record.headers.push(("traceparent", trace.clone()));
    }
    Ok(record)
}

/// A dead letter: headers only. Kafka Connect's names (`DeadLetterQueueReporter`) where it has one.
pub fn dead_letter(letter: &DeadLetter) -> Record {
    let mut headers = vec![("__connect.errors.connector.name", "argos-relay".to_owned())];
    if let Some((topic, partition, offset)) = &letter.origin {
        headers.extend([
            ("__connect.errors.topic", topic.clone()),
            ("__connect.errors.partition", partition.to_string()),
            ("__connect.errors.offset", offset.to_string()),
        ]);
    }
    let cut = letter.message.floor_char_boundary(LONGEST_MESSAGE);
    headers.extend([
        ("__connect.errors.exception.class.name", letter.reason.to_owned()),
        ("__connect.errors.exception.message", letter.message[..cut].to_owned()),
        ("argos_relay.reason", letter.reason.to_owned()),
        ("argos_relay.attempts", letter.attempts.to_string()),
        ("argos_relay.first_seen", letter.first_seen.to_string()),
    ]);
    let key = letter.key.as_ref().map(|key| key.as_str().to_owned());
    Record { topic: Topic::DeadLetters, partition: None, key, payload: None, headers }
}

/// A notification for operators.
pub fn notification(notice: &Notification, form: Form<'_>) -> Result<Record, RecordError> {
    Record::public(Topic::Notifications, notice.key(), notice.record_type(), notice, form)
}

/// The record that states how many partitions the ledger has.
pub fn layout(partitions: i32) -> Record {
    Record {
        topic: Topic::Ledger,
        partition: Some(0),
        key: Some(META_PARTITIONS.to_owned()),
        payload: Some(format!(r#"{{"partitions":{partitions}}}"#).into_bytes()),
        headers: vec![("content-type", "application/json".to_owned())],
    }
}

/// Reads what [`layout`] wrote.
pub fn read_layout(payload: &[u8]) -> Option<i32> {
    #[derive(serde::Deserialize)]
    struct Layout {
        partitions: i32,
    }
    serde_json::from_slice::<Layout>(payload).ok().map(|layout| layout.partitions)
}

/// All records of one decision, the ledger's last.
fn records_of(write: &Write, form: Form<'_>, records: &mut Vec<Record>) -> Result<(), RecordError> {
    for happened in &write.events {
        records.push(event(happened, form)?);
    }
    match &write.state {
        StateChange::Keep => {}
        StateChange::Put(state) => records.push(snapshot(&write.key, Some(state), form)?),
        StateChange::Tombstone => records.push(snapshot(&write.key, None, form)?),
    }
    records.extend(write.dead_letter.as_ref().map(dead_letter));
    for notice in &write.notifications {
        records.push(notification(notice, form)?);
    }
    records.push(entry(write.partition, &write.key, write.entry.as_ref()));
    Ok(())
}

/// All records of a batch.
pub fn batch(batch: &Batch, form: Form<'_>) -> Result<Vec<Record>, RecordError> {
    let mut records: Vec<Record> = batch.dead_letters.iter().map(dead_letter).collect();
    for write in &batch.writes {
        records_of(write, form, &mut records)?;
    }
    for notice in &batch.notifications {
        records.push(notification(notice, form)?);
    }
    records.extend(batch.memos.iter().map(|(partition, key, content)| memo(*partition, key, content)));
    Ok(records)
}
