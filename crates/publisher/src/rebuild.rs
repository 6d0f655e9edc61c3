//! Writing a lost ledger anew.
//!
//! Owns: that it happens as a whole or not at all. Must not know: what an entry means, and whether anybody works on the
//! ledger: the caller has looked ([`crate::members`]).
//!
//! Path: [`write()`] carries all entries in one transaction. It blocks.

use crate::partition::partition_of;
use crate::reading::ReadError;
use crate::record;
use crate::settings::KafkaSettings;
use models::{Entry, Key};
use rdkafka::error::KafkaError;
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer};
use std::time::{Duration, Instant};

/// How long one question may take.
const QUESTION: Duration = Duration::from_secs(10);
/// The longest transaction that a broker takes by default. A million entries take seconds.
const TRANSACTION: Duration = Duration::from_mins(15);
/// While the queue is full.
const PAUSE: Duration = Duration::from_millis(20);

/// Writes entries to a ledger of so many partitions: all become visible together, or none. How many there were.
pub fn write(
    settings: &KafkaSettings,
    partitions: i32,
    entries: impl Iterator<Item = (Key, Entry)>,
) -> Result<u64, ReadError> {
    let mut config = settings.client("rebuild");
    config
        // One id for whoever rebuilds: of two at once the later fences the earlier.
        .set("transactional.id", format!("{}-rebuild", settings.group_id))
        .set("transaction.timeout.ms", TRANSACTION.as_millis().to_string())
        .set("message.timeout.ms", TRANSACTION.as_millis().to_string())
        .set("enable.idempotence", "true")
        .set("acks", "all");
    let producer: ThreadedProducer<DefaultProducerContext> = config.create()?;
    producer.init_transactions(QUESTION)?;
    producer.begin_transaction()?;
    match send_all(&producer, settings, partitions, entries) {
        Ok(count) => {
            producer.commit_transaction(TRANSACTION)?;
            Ok(count)
        }
        Err(error) => {
            producer.abort_transaction(QUESTION)?;
            Err(error.into())
        }
    }
}

fn send_all(
    producer: &ThreadedProducer<DefaultProducerContext>,
    settings: &KafkaSettings,
    partitions: i32,
    entries: impl Iterator<Item = (Key, Entry)>,
) -> Result<u64, KafkaError> {
    let (topic, until) = (settings.names().ledger, Instant::now() + TRANSACTION);
    let mut count = 0;
    for (key, entry) in entries {
        let record = record::entry(partition_of(key.as_str().as_bytes(), partitions), &key, Some(&entry));
        let mut next: BaseRecord<'_, String, Vec<u8>> = BaseRecord::to(&topic);
        (next.key, next.payload, next.partition) = (record.key.as_ref(), record.payload.as_ref(), record.partition);
        loop {
            let Err((error, back)) = producer.send(next) else { break };
            let full = error.rdkafka_error_code() == Some(rdkafka::types::RDKafkaErrorCode::QueueFull);
            if !full || Instant::now() >= until {
                return Err(error);
            }
            next = back;
            std::thread::park_timeout(PAUSE);
        }
        count += 1;
    }
    Ok(count)
}
