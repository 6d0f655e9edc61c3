//! Topics as a downstream consumer reads them: `read_committed`, to the end.

use models::{Key, Snapshot};
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{Headers, Message};
use rdkafka::{Offset, TopicPartitionList};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// One record.
#[derive(Clone, Debug)]
pub struct Record {
    /// Its partition.
    pub partition: i32,
    /// Its offset.
    pub offset: i64,
    /// Broker or producer time, milliseconds.
    pub timestamp: i64,
    /// Its key.
    pub key: String,
    /// Its headers.
    pub headers: BTreeMap<String, String>,
    /// Its value, without the frame of a schema registry; `None` = tombstone.
    pub value: Option<Vec<u8>>,
    /// The id of its schema, from the frame.
    pub schema_id: Option<u32>,
}

/// Confluent's wire format: a zero byte, four bytes of an id, the value. Internal topics hold bytes of any kind.
fn unframed<'a>(topic: &str, value: &'a [u8]) -> (Option<u32>, &'a [u8]) {
    match value {
        [0, a, b, c, d, json @ ..] if crate::contract::is_public(topic) => {
            (Some(u32::from_be_bytes([*a, *b, *c, *d])), json)
        }
        plain => (None, plain),
    }
}

/// The value of a record that holds JSON; null for a tombstone.
pub fn json(record: &Record) -> serde_json::Value {
    record.value.as_deref().map_or(serde_json::Value::Null, |value| serde_json::from_slice(value).expect("JSON"))
}

/// Reads a topic from its beginning to the end that a `read_committed` client sees, and holds each record to the
/// published contract. Blocks: see [`read`].
pub fn read_blocking(bootstrap: &str, topic: &str) -> Vec<Record> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .set("group.id", "reader")
        .set("enable.auto.commit", "false")
        .set("isolation.level", "read_committed")
        .set("enable.partition.eof", "true")
        .set("auto.offset.reset", "earliest")
        .create()
        .expect("a consumer");
    let metadata = consumer.fetch_metadata(Some(topic), Duration::from_secs(20)).expect("metadata");
    let partitions = metadata.topics()[0].partitions().len();
    let mut assignment = TopicPartitionList::new();
    for partition in 0..partitions {
        assignment.add_partition_offset(topic, partition as i32, Offset::Beginning).expect("a partition");
    }
    consumer.assign(&assignment).expect("assigned");
    let mut records = Vec::new();
    let mut ended = vec![false; partitions];
    let until = Instant::now() + Duration::from_mins(1);
    while ended.contains(&false) {
        assert!(Instant::now() < until, "{topic} was not read to its end");
        match consumer.poll(Duration::from_millis(200)) {
            None => {}
            Some(Err(KafkaError::PartitionEOF(partition))) => ended[partition as usize] = true,
            Some(Err(error)) => panic!("{topic}: {error}"),
            Some(Ok(message)) => {
                let record = record(&message);
                if let Err(why) = crate::contract::check(topic, &record) {
                    panic!("{topic} {}@{} breaks the contract: {why}", record.partition, record.offset);
                }
                records.push(record);
            }
        }
    }
    records
}

/// A record of its own, out of a message.
pub(crate) fn record(message: &rdkafka::message::BorrowedMessage<'_>) -> Record {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let mut headers = BTreeMap::new();
    if let Some(all) = message.headers() {
        for header in all.iter() {
            headers.insert(header.key.to_owned(), header.value.map(text).unwrap_or_default());
        }
    }
    let value = message.payload().map(|value| unframed(message.topic(), value));
    Record {
        partition: message.partition(),
        offset: message.offset(),
        timestamp: message.timestamp().to_millis().unwrap_or_default(),
        key: message.key().map(text).unwrap_or_default(),
        headers,
        value: value.map(|(_, json)| json.to_vec()),
        schema_id: value.and_then(|(id, _)| id),
    }
}

/// Where each partition of a topic ends: for everyone, and for a `read_committed` client. Differs behind an open
/// transaction.
pub fn ends(bootstrap: &str, topic: &str) -> Vec<(i64, i64)> {
    let client = |isolation: &str| -> BaseConsumer {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", bootstrap).set("isolation.level", isolation).create().expect("a consumer")
    };
    let (all, committed) = (client("read_uncommitted"), client("read_committed"));
    let metadata = all.fetch_metadata(Some(topic), Duration::from_secs(20)).expect("metadata");
    let end = |client: &BaseConsumer, partition: i32| {
        client.fetch_watermarks(topic, partition, Duration::from_secs(20)).map_or(-1, |(_, end)| end)
    };
    let partitions = 0..metadata.topics()[0].partitions().len() as i32;
    partitions.map(|partition| (end(&all, partition), end(&committed, partition))).collect()
}

/// As [`read_blocking`], off the runtime.
pub async fn read(bootstrap: &str, topic: &str) -> Vec<Record> {
    let (bootstrap, topic) = (bootstrap.to_owned(), topic.to_owned());
    tokio::task::spawn_blocking(move || read_blocking(&bootstrap, &topic)).await.expect("read")
}

/// The state topic, compacted by hand.
pub fn states(records: &[Record]) -> BTreeMap<Key, Snapshot> {
    let mut states = BTreeMap::new();
    for record in records {
        let key = Key::parse(&record.key).expect("a key");
        match &record.value {
            Some(value) => states.insert(key, serde_json::from_slice(value).expect("a snapshot")),
            None => states.remove(&key),
        };
    }
    states
}
