//! Topics, a driver that plays the reconciler, and a read-committed reader.

use models::{
    Batch, Claim, CommitError, Entry, Hint, HintSink, Key, Lane, Ledger, LedgerEvent, Memo, MemoKey, Notices, Progress,
    Request, Source, StateChange, Time, Write,
};
use publisher::{KafkaHintSink, KafkaLedger, KafkaMetrics, KafkaSettings, TopicNames, topics};
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, AlterConfig, ResourceSpecifier};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::Message;
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::{Offset, TopicPartitionList};
use std::collections::BTreeMap;
use std::hash::{BuildHasher, Hasher};
use std::time::{Duration, Instant};

/// No wait in a test is longer.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A cluster part of its own: fresh topics and a fresh group.
pub(crate) struct Rig {
    pub(crate) settings: KafkaSettings,
}

/// The rig of a test; `None`, said loudly, where there is no broker.
pub(crate) async fn rig(name: &str, partitions: i32) -> Option<Rig> {
    let named = std::env::var_os("KAFKA_BOOTSTRAP").and_then(|value| value.into_string().ok());
    let Some(bootstrap) = named else {
        eprintln!("NOT RUN: {name}: KAFKA_BOOTSTRAP is not set");
        return None;
    };
    let random = std::collections::hash_map::RandomState::new().build_hasher().finish();
    let settings = KafkaSettings {
        bootstrap_servers: bootstrap,
        group_id: format!("{name}-{random:016x}"),
        topic_prefix: format!("{name}-{random:016x}."),
        instance_id: "relay-0".to_owned(),
        partitions,
        replication_factor: 1,
        session_timeout: Duration::from_secs(3),
        heartbeat_interval: Duration::from_millis(500),
        ..KafkaSettings::default()
    };
    assert_eq!(settings.problems(), []);
    let report = topics::apply(&settings).await.unwrap();
    assert!(report.is_ok(), "{report:?}");
    Some(Rig { settings })
}

impl Rig {
    pub(crate) fn names(&self) -> TopicNames {
        self.settings.names()
    }

    pub(crate) fn open(&self) -> Driver {
        self.open_as("relay-0")
    }

    pub(crate) fn open_as(&self, instance: &str) -> Driver {
        let settings = KafkaSettings { instance_id: instance.to_owned(), ..self.settings.clone() };
        open_with(settings)
    }

    pub(crate) async fn sink(&self) -> KafkaHintSink {
        let sink = KafkaHintSink::open(self.settings.clone(), metrics()).unwrap();
        let deadline = Instant::now() + PATIENCE;
        while !sink.is_available() {
            assert!(Instant::now() < deadline, "the sink never became available");
            tokio::task::yield_now().await;
        }
        sink
    }

    /// The keys `acme/k0`, `acme/k1`, … made durable as hints.
    pub(crate) async fn hints(&self, numbers: std::ops::Range<u32>, lane: Lane) {
        let sink = self.sink().await;
        for number in numbers {
            sink.accept(&key(number), lane, &hint(number)).await.unwrap();
        }
    }

    /// A plain producer for what a relay would not write.
    pub(crate) fn producer(&self) -> FutureProducer {
        self.config().set("acks", "all").create().unwrap()
    }

    pub(crate) fn config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.settings.bootstrap_servers);
        config
    }

    pub(crate) async fn put(&self, topic: &str, partition: i32, key: &str, payload: &[u8]) -> i64 {
        let record = FutureRecord::to(topic).partition(partition).key(key).payload(payload);
        self.producer().send(record, PATIENCE).await.unwrap().offset
    }

    /// Sets the configuration of a topic; what is not named goes back to the broker's defaults.
    pub(crate) async fn configure(&self, topic: &str, entries: &[(&str, &str)]) {
        let wanted = AlterConfig::new(ResourceSpecifier::Topic(topic));
        let wanted = entries.iter().fold(wanted, |wanted, (key, value)| wanted.set(key, value));
        self.admin().alter_configs(&[wanted], &AdminOptions::new()).await.unwrap()[0].as_ref().unwrap();
    }

    /// Moves the start of a partition's log, as retention does.
    pub(crate) async fn delete_before(&self, topic: &str, partition: i32, offset: i64) {
        let mut before = TopicPartitionList::new();
        before.add_partition_offset(topic, partition, Offset::Offset(offset)).unwrap();
        self.admin().delete_records(&before, &AdminOptions::new()).await.unwrap();
    }

    fn admin(&self) -> AdminClient<DefaultClientContext> {
        self.config().create().unwrap()
    }

    /// What a read-committed consumer sees of a topic: partition, key, value.
    pub(crate) async fn read(&self, topic: &str) -> Vec<(i32, String, Option<Vec<u8>>)> {
        let mut config = self.config();
        config.set("group.id", format!("{}-reader", self.settings.group_id)).set("isolation.level", "read_committed");
        config.set("enable.partition.eof", "true").set("enable.auto.commit", "false");
        let (topic, partitions) = (topic.to_owned(), self.settings.partitions);
        tokio::task::spawn_blocking(move || {
            let consumer: BaseConsumer = config.create().unwrap();
            let mut all = TopicPartitionList::new();
            for partition in 0..partitions {
                all.add_partition_offset(&topic, partition, Offset::Beginning).unwrap();
            }
            consumer.assign(&all).unwrap();
            let (mut ends, mut records, deadline) = (0, Vec::new(), Instant::now() + PATIENCE);
            while ends < partitions {
                assert!(Instant::now() < deadline, "{topic} has no end");
                match consumer.poll(Duration::from_millis(100)) {
                    Some(Ok(message)) => records.push((
                        message.partition(),
                        String::from_utf8_lossy(message.key().unwrap_or_default()).into_owned(),
                        message.payload().map(<[u8]>::to_vec),
                    )),
                    Some(Err(KafkaError::PartitionEOF(_))) => ends += 1,
                    Some(Err(error)) => eprintln!("reading {topic}: {error}"),
                    None => {}
                }
            }
            records
        })
        .await
        .unwrap()
    }
}

/// A ledger with settings of its own, and a driver for it.
pub(crate) fn open_with(settings: KafkaSettings) -> Driver {
    Driver {
        ledger: Some(KafkaLedger::open(settings, metrics(), || Time::from_millis(0)).unwrap()),
        held: BTreeMap::new(),
        entries: BTreeMap::new(),
        memos: BTreeMap::new(),
        memos_told: 0,
        requests: Vec::new(),
        expired: Vec::new(),
        of: 0,
        hints: Vec::new(),
        skipped: Vec::new(),
        failed: None,
        revoked: 0,
        assigned: Vec::new(),
    }
}

pub(crate) fn metrics() -> KafkaMetrics {
    KafkaMetrics::register(&prometheus::Registry::new()).unwrap()
}

pub(crate) fn key(number: u32) -> Key {
    Key::parse(&format!("acme/k{number}")).unwrap()
}

pub(crate) fn partition_of(key: &Key, partitions: i32) -> i32 {
    publisher::partition::partition_of(key.as_str().as_bytes(), partitions)
}

pub(crate) fn hint(number: u32) -> Hint {
    Hint {
        id: format!("{number:032x}"),
        source: Source::Webhook,
        received_at: Time::from_millis(1_000),
        authentication: models::Authentication::NONE,
        claim: Claim::default(),
        notices: Notices::default(),
        body_digest: String::new(),
        row: None,
        erase: false,
        traceparent: None,
    }
}

pub(crate) fn entry(sequence: u64) -> Entry {
    Entry { sequence, published: None, since: Time::from_millis(0), pending: None, check: None, grave: None }
}

pub(crate) fn write(partition: i32, key: &Key, entry: Option<Entry>) -> Write {
    Write {
        partition,
        key: key.clone(),
        events: Vec::new(),
        state: StateChange::Keep,
        entry,
        dead_letter: None,
        notifications: Vec::new(),
    }
}

/// One partition as the driver knows it.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    pub(crate) epoch: u64,
    pub(crate) ready: bool,
    pub(crate) live: i64,
    pub(crate) bulk: i64,
}

/// Plays the reconciler: drains events, keeps entries, counts offsets.
pub(crate) struct Driver {
    ledger: Option<KafkaLedger>,
    pub(crate) held: BTreeMap<i32, Part>,
    pub(crate) entries: BTreeMap<i32, BTreeMap<Key, Entry>>,
    pub(crate) memos: BTreeMap<i32, BTreeMap<MemoKey, Memo>>,
    /// How many records of memos were told, newer ones of the same name included.
    pub(crate) memos_told: usize,
    pub(crate) requests: Vec<(i32, Lane, i64, Request)>,
    pub(crate) expired: Vec<(i32, Lane, u64)>,
    /// What the last `Ready` said of the number of partitions.
    pub(crate) of: i32,
    pub(crate) hints: Vec<(i32, Lane, i64, Key)>,
    pub(crate) skipped: Vec<(i32, i64, Option<models::DeadLetter>)>,
    pub(crate) failed: Option<String>,
    pub(crate) revoked: usize,
    pub(crate) assigned: Vec<(i32, bool)>,
}

impl Driver {
    pub(crate) fn ledger(&self) -> &KafkaLedger {
        self.ledger.as_ref().unwrap()
    }

    /// Follows one event, and asserts the contract on the way.
    fn follow(&mut self, event: LedgerEvent) {
        match event {
            LedgerEvent::Assigned { partition, epoch, fresh } => {
                let part = Part { epoch, ready: false, live: -1, bulk: -1 };
                assert!(self.held.insert(partition, part).is_none(), "assigned twice");
                self.assigned.push((partition, fresh));
                if fresh {
                    self.entries.remove(&partition);
                    self.memos.remove(&partition);
                }
            }
            LedgerEvent::Memos { partition, epoch, memos } => {
                self.restores(partition, epoch);
                self.memos_told += memos.len();
                let known = self.memos.entry(partition).or_default();
                for (key, memo) in memos {
                    match memo {
                        Some(memo) => known.insert(key, memo),
                        None => known.remove(&key),
                    };
                }
            }
            LedgerEvent::Request { partition, epoch, lane, offset, request } => {
                self.step(partition, epoch, lane, offset);
                self.requests.push((partition, lane, offset, request));
            }
            LedgerEvent::Expired { partition, epoch, lane, lost } => {
                let part = &self.held[&partition];
                assert!(part.ready && part.epoch == epoch, "expired before Ready or of another epoch");
                self.expired.push((partition, lane, lost));
            }
            LedgerEvent::Entries { partition, epoch, entries } => {
                self.restores(partition, epoch);
                let known = self.entries.entry(partition).or_default();
                for (key, entry) in entries {
                    match entry {
                        Some(entry) => known.insert(key, entry),
                        None => known.remove(&key),
                    };
                }
            }
            LedgerEvent::Ready { partition, epoch, live, bulk, of } => {
                self.restores(partition, epoch);
                self.of = of;
                self.held.insert(partition, Part { epoch, ready: true, live, bulk });
            }
            LedgerEvent::Hint { partition, epoch, lane, offset, key, .. } => {
                self.step(partition, epoch, lane, offset);
                self.hints.push((partition, lane, offset, key));
            }
            LedgerEvent::Skipped { partition, epoch, lane, offset, dead_letter } => {
                self.step(partition, epoch, lane, offset);
                self.skipped.push((partition, offset, dead_letter.map(|letter| *letter)));
            }
            LedgerEvent::Revoked { partition } => {
                assert!(self.held.remove(&partition).is_some(), "revoked what was not held");
                // What was not settled comes again to whoever owns it next.
                self.hints.retain(|(of, ..)| *of != partition);
                self.requests.retain(|(of, ..)| *of != partition);
                self.revoked += 1;
            }
            LedgerEvent::Failed(why) => self.failed = Some(why),
        }
    }

    fn restores(&self, partition: i32, epoch: u64) {
        let part = &self.held[&partition];
        assert!(!part.ready && part.epoch == epoch, "told of the past after Ready, or of another epoch");
    }

    /// Every offset must be the next one, but for gaps that were told.
    fn step(&mut self, partition: i32, epoch: u64, lane: Lane, offset: i64) {
        let part = self.held.get_mut(&partition).expect("a hint of a partition not held");
        assert!(part.ready && part.epoch == epoch, "a hint before Ready or of another epoch");
        let next = if lane == Lane::Live { &mut part.live } else { &mut part.bulk };
        let gap = self.expired.last().map_or(0, |(_, _, lost)| *lost as i64);
        assert!(
            *next == offset
                || self.expired.last().is_some_and(|told| (told.0, told.1) == (partition, lane))
                    && *next + gap == offset,
            "partition {partition}, {lane:?}: skipped or repeated: {next} {offset}"
        );
        *next = offset + 1;
    }

    /// Follows events until something holds.
    pub(crate) async fn until(&mut self, what: &str, holds: impl Fn(&Driver) -> bool) {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        while !holds(self) {
            let next = tokio::time::timeout_at(deadline, self.ledger.as_mut().unwrap().next()).await;
            let Ok(event) = next else {
                panic!("waited in vain until {what}: {:?}", self.ledger().watch().status());
            };
            match event {
                Some(event) => self.follow(event),
                None => panic!("the ledger ended before {what}; failed: {:?}", self.failed),
            }
        }
    }

    pub(crate) async fn until_running(&mut self, partitions: usize) {
        let what = format!("{partitions} partitions run");
        self.until(&what, |driver| driver.held.len() == partitions && driver.held.values().all(|part| part.ready))
            .await;
    }

    /// Offsets of a partition up to where hints were followed.
    pub(crate) fn progress(&self, partition: i32) -> Progress {
        let part = &self.held[&partition];
        Progress { partition, epoch: part.epoch, live: part.live, bulk: part.bulk }
    }

    pub(crate) fn batch(&self, partition: i32, writes: Vec<Write>) -> Batch {
        Batch { progress: vec![self.progress(partition)], writes, ..Batch::default() }
    }

    /// Commits, and goes on following events meanwhile.
    pub(crate) async fn commit(&mut self, batch: Batch) -> Result<(), CommitError> {
        let commit = self.ledger().commit(batch);
        tokio::pin!(commit);
        loop {
            let ledger = self.ledger.as_mut().unwrap();
            // Both arms are cancel-safe: the commit is pinned outside, `next` by its contract.
            tokio::select! {
                result = &mut commit => return result,
                Some(event) = ledger.next() => self.follow(event),
            }
        }
    }

    /// Closes and waits for every thread.
    pub(crate) async fn close(mut self) {
        assert!(self.ledger.take().unwrap().closed(PATIENCE).await, "a thread did not end");
    }
}
