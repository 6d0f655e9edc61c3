//! A `read_committed` consumer that reads events and snapshots while they are written, through every fault.
//!
//! Owns its client and its thread, what it saw in which order, and what it held against it at once. Must not know: the
//! world, or what is true.

use crate::judge::{Order, Told};
use crate::topics::record;
use models::{Key, Snapshot};
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message;
use rdkafka::{Offset, TopicPartitionList};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

/// What was seen so far.
#[derive(Debug, Default)]
pub struct Seen {
    /// Offsets and ids of the events, by partition, in the order in which they came.
    pub events: BTreeMap<i32, Vec<(i64, String)>>,
    /// The last snapshot of each submission.
    pub states: BTreeMap<Key, Snapshot>,
    /// What was wrong.
    pub wrong: Vec<String>,
    order: Order,
}

/// The consumer; ends with the value.
#[derive(Debug)]
pub struct Live {
    seen: Arc<Mutex<Seen>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Live {
    /// Reads both topics from their beginning on.
    pub fn start(bootstrap: &str, events: &str, states: &str, partitions: i32) -> Live {
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", bootstrap)
            .set("group.id", "live")
            .set("enable.auto.commit", "false")
            .set("isolation.level", "read_committed")
            // An offset that is gone would be a loss: it is told, not skipped.
            .set("auto.offset.reset", "error")
            .set("reconnect.backoff.max.ms", "500")
            .create()
            .expect("a consumer");
        let mut assignment = TopicPartitionList::new();
        for topic in [events, states] {
            for partition in 0..partitions {
                assignment.add_partition_offset(topic, partition, Offset::Offset(0)).expect("a partition");
            }
        }
        consumer.assign(&assignment).expect("assigned");
        let (seen, stop) = (Arc::<Mutex<Seen>>::default(), Arc::<AtomicBool>::default());
        let (shared, stopped, events) = (Arc::clone(&seen), Arc::clone(&stop), events.to_owned());
        let thread = std::thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                match consumer.poll(Duration::from_millis(200)) {
                    None => {}
                    Some(Ok(message)) if message.topic() == events => see_event(&shared, &message),
                    Some(Ok(message)) => see_state(&shared, &message),
                    Some(Err(KafkaError::MessageConsumption(RDKafkaErrorCode::AutoOffsetReset))) => {
                        shared.lock().expect("a lock").wrong.push("the live consumer's offset is gone".to_owned());
                    }
                    // Brokers come and go: the client goes on by itself.
                    Some(Err(error)) => drop(error),
                }
            }
        });
        Live { seen, stop, thread: Some(thread) }
    }

    /// Looks at what was seen so far.
    pub fn with<T>(&self, look: impl FnOnce(&Seen) -> T) -> T {
        look(&self.seen.lock().expect("a lock"))
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(Err(panic)) = self.thread.take().map(JoinHandle::join) {
            eprintln!("the live consumer broke off: {panic:?}");
        }
    }
}

fn see_event(seen: &Mutex<Seen>, message: &rdkafka::message::BorrowedMessage<'_>) {
    let mut seen = seen.lock().expect("a lock");
    let wrong = match Told::of(&record(message)) {
        Ok(event) => {
            seen.events.entry(event.place.0).or_default().push((event.place.1, event.id.clone()));
            seen.order.take(&event)
        }
        Err(error) => vec![error],
    };
    seen.wrong.extend(wrong.into_iter().map(|text| format!("live: {text}")));
}

fn see_state(seen: &Mutex<Seen>, message: &rdkafka::message::BorrowedMessage<'_>) {
    let mut seen = seen.lock().expect("a lock");
    let record = record(message);
    let key = match Key::parse(&record.key) {
        Ok(key) => key,
        Err(error) => return seen.wrong.push(format!("live: {error}")),
    };
    match record.value.as_deref().map(serde_json::from_slice) {
        None => drop(seen.states.remove(&key)),
        Some(Ok(snapshot)) => drop(seen.states.insert(key, snapshot)),
        Some(Err(error)) => seen.wrong.push(format!("live: {key}: {error}")),
    }
}
