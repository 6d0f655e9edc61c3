//! Kafka as the harness needs it: topics for the bare programs, records written straight, and a reader that notes when
//! what became visible.
//!
//! Owns its clients and threads. Must not know what is measured.

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Headers, Message};
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer};
use rdkafka::{Offset, TopicPartitionList};
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

const QUESTION: Duration = Duration::from_secs(20);

/// Makes topics of so many partitions.
pub async fn create(bootstrap: &str, topics: &[&str], partitions: i32) {
    let admin: AdminClient<DefaultClientContext> =
        ClientConfig::new().set("bootstrap.servers", bootstrap).create().expect("an admin client");
    let new = topics.iter().map(|topic| NewTopic::new(topic, partitions, TopicReplication::Fixed(1)));
    let made = admin.create_topics(&new.collect::<Vec<_>>(), &AdminOptions::new()).await.expect("an answer");
    assert!(made.iter().all(Result::is_ok), "{made:?}");
}

/// Writes records as fast as it can.
pub struct Writer {
    producer: ThreadedProducer<DefaultProducerContext>,
}

impl Writer {
    /// A client with a long queue.
    pub fn new(bootstrap: &str) -> Writer {
        let producer = ClientConfig::new()
            .set("bootstrap.servers", bootstrap)
            .set("acks", "all")
            .set("enable.idempotence", "true")
            .set("linger.ms", "20")
            .set("batch.size", "500000")
            .set("queue.buffering.max.messages", "200000")
            .create()
            .expect("a producer");
        Writer { producer }
    }

    /// Hands one record over; waits only while the queue is full.
    pub fn send(&self, topic: &str, partition: i32, key: &str, payload: &[u8]) {
        let mut record = BaseRecord::to(topic).partition(partition).key(key).payload(payload);
        let until = Instant::now() + QUESTION;
        while let Err((error, back)) = self.producer.send(record) {
            let full = error == KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull);
            assert!(full && Instant::now() < until, "{topic}: {error}");
            std::thread::park_timeout(Duration::from_millis(1));
            record = back;
        }
    }

    /// Waits for the acknowledgement of all.
    pub fn flush(&self) {
        self.producer.flush(Duration::from_mins(2)).expect("all acknowledged");
    }
}

/// Key, and value if it has one.
pub type KeyValue = (String, Option<Vec<u8>>);

/// All records of a topic; blocks.
pub fn read_all(bootstrap: &str, topic: &str) -> Vec<KeyValue> {
    let mut records = Vec::new();
    read_each(bootstrap, topic, |key, value, _| {
        records.push((String::from_utf8_lossy(key).into_owned(), value.map(<[u8]>::to_vec)));
    });
    records
}

/// Mean bytes of key, value and headers of a topic's records, and how many headers they have; blocks.
pub fn sizes(bootstrap: &str, topic: &str) -> [usize; 4] {
    let (mut sums, mut count) = ([0; 4], 0);
    read_each(bootstrap, topic, |key, value, headers| {
        count += 1;
        for (sum, more) in sums.iter_mut().zip([key.len(), value.map_or(0, <[u8]>::len), headers.1, headers.0]) {
            *sum += more;
        }
    });
    sums.map(|sum| sum / count.max(1))
}

/// Every partition of a topic from its beginning.
pub fn whole(consumer: &BaseConsumer, topic: &str) -> TopicPartitionList {
    let metadata = consumer.fetch_metadata(Some(topic), QUESTION).expect("metadata");
    let mut assignment = TopicPartitionList::new();
    for partition in metadata.topics()[0].partitions() {
        assignment.add_partition_offset(topic, partition.id(), Offset::Beginning).expect("a partition");
    }
    assignment
}

/// A consumer outside of any group.
pub fn reader(bootstrap: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", bootstrap)
        .set("group.id", "bench")
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("isolation.level", "read_committed")
        .set("auto.offset.reset", "earliest")
        .set("enable.partition.eof", "true");
    config
}

/// Key, value, and number and bytes of the headers.
fn read_each(bootstrap: &str, topic: &str, mut each: impl FnMut(&[u8], Option<&[u8]>, (usize, usize))) {
    let consumer: BaseConsumer = reader(bootstrap).create().expect("a consumer");
    let assignment = whole(&consumer, topic);
    let mut open = assignment.count();
    consumer.assign(&assignment).expect("assigned");
    let until = Instant::now() + Duration::from_mins(2);
    while open > 0 {
        assert!(Instant::now() < until, "{topic} was not read to its end");
        match consumer.poll(Duration::from_millis(200)) {
            None => {}
            Some(Err(KafkaError::PartitionEOF(_))) => open -= 1,
            Some(Err(error)) => panic!("{topic}: {error}"),
            Some(Ok(message)) => {
                let size = |headers: &rdkafka::message::BorrowedHeaders| {
                    headers.iter().map(|one| one.key.len() + one.value.map_or(0, <[u8]>::len)).sum()
                };
                let headers = message.headers().map_or((0, 0), |headers| (headers.count(), size(headers)));
                each(message.key().unwrap_or_default(), message.payload(), headers);
            }
        }
    }
}

/// A `read_committed` reader that notes when each key was first seen; ends with the value.
pub struct Follower {
    seen: Arc<Mutex<HashMap<String, Instant>>>,
    count: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Follower {
    /// From what is there on.
    pub fn start(bootstrap: &str, topic: &str) -> Follower {
        let consumer: BaseConsumer = reader(bootstrap)
            .set("enable.partition.eof", "false")
            .set("fetch.wait.max.ms", "100")
            .create()
            .expect("a consumer");
        consumer.assign(&whole(&consumer, topic)).expect("assigned");
        let mut follower = Follower { seen: Arc::default(), count: Arc::default(), stop: Arc::default(), thread: None };
        let (seen, count, stop) = (Arc::clone(&follower.seen), Arc::clone(&follower.count), Arc::clone(&follower.stop));
        follower.thread = Some(std::thread::spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                let Some(Ok(message)) = consumer.poll(Duration::from_millis(100)) else { continue };
                let key = String::from_utf8_lossy(message.key().unwrap_or_default()).into_owned();
                seen.lock().expect("a lock").entry(key).or_insert_with(Instant::now);
                count.fetch_add(1, Ordering::Relaxed);
            }
        }));
        follower
    }

    /// Records so far.
    pub fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    /// Waits for so many records in all.
    pub async fn reach(&self, count: u64, within: Duration) {
        let until = Instant::now() + within;
        while self.count() < count {
            assert!(Instant::now() < until, "{} of {count} records within {within:?}", self.count());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// When each key was first seen, since the last call.
    pub fn take(&self) -> HashMap<String, Instant> {
        std::mem::take(&mut self.seen.lock().expect("a lock"))
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(Err(panic)) = self.thread.take().map(JoinHandle::join) {
            eprintln!("the reader broke off: {panic:?}");
        }
    }
}
