//! Reading a partition's past: stable offsets first, then the ledger to its true end.
//!
//! Owns: the threads that restore partitions, each with a pair of clients: one that reads only what is committed, and
//! one that sees where the log really ends. Must not know: the group, transactions of its own, what entries mean.
//!
//! Path, for one partition:
//! 1. The stable offsets of both lanes. The broker withholds them while a transaction that carries them is open.
//! 2. The target: the ledger's end as a read-uncommitted client sees it. Whatever an earlier owner committed with the
//!    offsets of step 1 lies below it.
//! 3. Read until an end that was seen by a read which started after the last stable offset had reached the target.
//!    Behind a zombie's open transaction that takes up to its timeout; other partitions are restored meanwhile.
//! 4. Wait until nothing is open among the events and snapshots of this partition's keys either. A broker may lose the
//!    marker of an aborted transaction (Kafka 4.3 and 4.4, KAFKA-20734: markers for partitions without a leader are
//!    skipped). Its records would then become visible with the next commit of the same transactional id: an event
//!    twice. So nothing is written behind them.
//! 5. Tell the group thread.

use super::jobs::{Begun, Job, Jobs, Restore};
use super::meter::Meter;
use super::{Events, Places, Restored, Shared, Signal, lock};
use crate::errors;
use crate::record::{RESERVED_PREFIX, Topic};
use crate::settings::{KafkaSettings, millis};
use crate::stats::{Listener, hand_on_to_listener};
use models::{Entry, Key, Lane, LedgerEvent, Memo, MemoKey, Progress};
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::{Offset, TopicPartitionList};
use std::sync::mpsc::SyncSender;
use std::time::{Duration, Instant};

/// How many entries travel together.
const CHUNK: usize = 500;
/// How long one question to the broker may take.
const QUESTION: Duration = Duration::from_secs(5);
/// How long an end of a log below the committed offset is doubted.
const BELIEVE: Duration = Duration::from_secs(3);
/// Between two looks at an open transaction.
const LOOK: Duration = Duration::from_millis(50);

struct Ear(Listener);

hand_on_to_listener!(Ear, 0);

impl ConsumerContext for Ear {}

/// Why a restore did not come to its end.
enum Stop {
    /// The partition went away meanwhile.
    Void,
    /// A transaction is open; again later.
    Later,
    /// The clients must be made anew; then again.
    Broken(String),
    /// The ledger cannot be read by this release.
    Unreadable(String),
}

fn settings_of(settings: &KafkaSettings) -> (rdkafka::ClientConfig, rdkafka::ClientConfig) {
    let mut committed = settings.client("replay");
    committed
        .set("group.id", &settings.group_id)
        .set("isolation.level", "read_committed")
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("auto.offset.reset", "earliest")
        .set("enable.partition.eof", "true")
        .set("fetch.wait.max.ms", millis(Duration::from_millis(10)))
        // What waits to be read is memory that the process hardly gives back; and a client whose queue is full asks
        // again only after a second by default, in which a short queue is long empty.
        .set("queued.min.messages", "20000")
        .set("queued.max.messages.kbytes", "8192")
        .set("fetch.queue.backoff.ms", "5");
    let mut raw = settings.client("replay-end");
    raw.set("isolation.level", "read_uncommitted").set("enable.auto.commit", "false");
    (committed, raw)
}

/// One restoring thread's clients.
pub(super) struct Restorer<'a> {
    shared: &'a Shared,
    events: &'a Events,
    places: &'a Places,
    committed: BaseConsumer<Ear>,
    raw: BaseConsumer<Ear>,
}

/// The thread: restores what is asked until the ledger is closed.
pub(super) fn work(shared: &Shared, jobs: &Jobs, (events, places): (&Events, &Places), signals: &SyncSender<Signal>) {
    let mut current: Option<Restore> = None;
    while !shared.stopping() {
        let restorer = match Restorer::new(shared, events, places) {
            Ok(restorer) => restorer,
            Err(error) => {
                tracing::error!(error = %error, "the consumers that read the ledger cannot be made");
                std::thread::park_timeout(Duration::from_secs(1));
                continue;
            }
        };
        while !shared.stopping() {
            let Some(mut restore) = current.take().or_else(|| jobs.take(Duration::from_millis(200))) else {
                restorer.idle();
                continue;
            };
            match restorer.restore(&mut restore) {
                Ok(done) => {
                    shared.metrics.restore_seconds.observe(restore.job.asked.elapsed().as_secs_f64());
                    if signals.send(Signal::Restored(done)).is_err() {
                        return;
                    }
                }
                Err(Stop::Void) => restorer.wait_is_over(&mut restore),
                Err(Stop::Later) => {
                    restorer.pause();
                    jobs.put_back(restore);
                }
                Err(Stop::Broken(why)) => {
                    tracing::warn!(partition = restore.job.partition, reason = %why, "reading the ledger starts again");
                    current = Some(restore);
                    break;
                }
                Err(Stop::Unreadable(why)) => shared.fail(events, why),
            }
        }
    }
}

impl<'a> Restorer<'a> {
    fn new(shared: &'a Shared, events: &'a Events, places: &'a Places) -> Result<Restorer<'a>, KafkaError> {
        let (committed, raw) = settings_of(&shared.settings);
        let ear = || Ear(Listener::new("replay", shared.metrics.clone()));
        let committed = BaseConsumer::from_config_and_context(&committed, ear())?;
        let raw = BaseConsumer::from_config_and_context(&raw, ear())?;
        Ok(Restorer { shared, events, places, committed, raw })
    }

    /// Serves the clients' own news while there is nothing to do.
    fn idle(&self) {
        for consumer in [&self.committed, &self.raw] {
            if let Some(Err(error)) = consumer.poll(Duration::ZERO) {
                tracing::debug!(error = %error, "an idle consumer has news");
            }
        }
    }

    fn check(&self, job: &Job) -> Result<(), Stop> {
        let current = lock(&self.shared.table).is_current(job.partition, job.epoch);
        if current && !self.shared.stopping() { Ok(()) } else { Err(Stop::Void) }
    }

    /// One step: up to its end, or to an open transaction.
    fn restore(&self, restore: &mut Restore) -> Result<Restored, Stop> {
        let job = restore.job;
        let mut begun = match restore.begun.take() {
            Some(begun) => begun,
            None => self.begin(&job)?,
        };
        let result = self.go_on(&job, &mut begun);
        let ledger_next = begun.next.max(begun.target);
        let done = Restored { start: begun.start, ledger_next, expired: begun.expired.clone() };
        let open = begun.awaited.first().cloned();
        restore.begun = Some(begun);
        match result? {
            None => {
                self.wait_is_over(restore);
                Ok(done)
            }
            Some(stable) => {
                if let Some((topic, partition, end)) = open {
                    self.name(restore, &topic, partition, stable, end);
                }
                Err(Stop::Later)
            }
        }
    }

    fn begin(&self, job: &Job) -> Result<Begun, Stop> {
        let names = &self.shared.names;
        let (live_committed, bulk_committed) = self.stable_offsets(job)?;
        let mut expired = Vec::new();
        let live = self.start_of(job, Lane::Live, live_committed, &mut expired)?;
        let bulk = self.start_of(job, Lane::Bulk, bulk_committed, &mut expired)?;
        let (low, target) = self.ask(job, || watermarks(&self.raw, &names.ledger, job.partition))?;
        // A broker that has just come back may show an end below what was read from it before.
        let target = target.max(job.from.unwrap_or(low));
        let mut awaited = vec![(names.ledger.clone(), job.partition, target)];
        let ledger = self.partitions(job, &names.ledger)?;
        for topic in [&names.events, &names.state] {
            let count = self.partitions(job, topic)?;
            // With as many partitions as the ledger, a key has the same number everywhere.
            let numbers = if count == ledger { job.partition..job.partition + 1 } else { 0..count };
            for partition in numbers {
                let (_, end) = self.ask(job, || watermarks(&self.raw, topic, partition))?;
                awaited.push((topic.clone(), partition, end));
            }
        }
        let start = Progress { partition: job.partition, epoch: job.epoch, live, bulk };
        let next = job.from.unwrap_or(low).max(low);
        let meter = Meter::new(next, target, Instant::now());
        Ok(Begun { start, expired, target, next, meter, awaited })
    }

    /// Reads what is there. If a transaction is open, where the first place in `awaited` is stable.
    fn go_on(&self, job: &Job, begun: &mut Begun) -> Result<Option<i64>, Stop> {
        while let Some((topic, partition, end)) = begun.awaited.first() {
            let stable = self.last_stable(job, topic, *partition)?;
            let complete = stable >= *end;
            if *topic == self.shared.names.ledger && begun.next < stable {
                begun.next = self.read_to_end(job, begun.next, &mut begun.meter)?;
            }
            if !complete {
                return Ok(Some(stable));
            }
            begun.awaited.remove(0);
        }
        Ok(None)
    }

    fn partitions(&self, job: &Job, topic: &str) -> Result<i32, Stop> {
        self.ask(job, || {
            let metadata = self.raw.fetch_metadata(Some(topic), QUESTION)?;
            let count = metadata.topics().first().map_or(0, |topic| topic.partitions().len() as i32);
            // A broker that has just started may not know its topics yet.
            if count > 0 {
                Ok(count)
            } else {
                Err(KafkaError::MetadataFetch(RDKafkaErrorCode::UnknownTopicOrPartition))
            }
        })
    }

    /// Says what a restore waits for, once it has taken long.
    fn name(&self, restore: &mut Restore, topic: &str, partition: i32, stable: i64, target: i64) {
        let job = &restore.job;
        if restore.named || job.asked.elapsed() < self.shared.settings.name_open_transaction_after {
            return;
        }
        restore.named = true;
        let text = format!("{topic}/{partition}: open transaction at offset {stable}");
        tracing::warn!(topic, partition, stable, target, "waiting for an open transaction");
        self.shared.metrics.open_transaction_waits.inc();
        lock(&self.shared.table).note(job.partition, job.epoch, Some(text));
    }

    fn wait_is_over(&self, restore: &mut Restore) {
        if std::mem::take(&mut restore.named) {
            self.shared.metrics.open_transaction_waits.dec();
            lock(&self.shared.table).note(restore.job.partition, restore.job.epoch, None);
        }
    }

    /// Whether a client was asked in vain for so long that it may be at fault itself, and not the brokers.
    fn is_doubted(&self, since: Instant) -> bool {
        since.elapsed() >= self.shared.settings.replace_silent_client_after
    }

    /// Asks until there is an answer, with new clients from time to time; the broker may be away for long.
    fn ask<T>(&self, job: &Job, question: impl Fn() -> Result<T, KafkaError>) -> Result<T, Stop> {
        let since = Instant::now();
        loop {
            self.check(job)?;
            match question() {
                Ok(answer) => return Ok(answer),
                Err(error) if errors::ends_consumer(&error) || self.is_doubted(since) => {
                    return Err(Stop::Broken(error.to_string()));
                }
                Err(error) => {
                    tracing::info!(partition = job.partition, error = %error, "the broker does not answer yet");
                    self.pause();
                }
            }
        }
    }

    /// A short wait that also serves the consumer; it has nothing assigned here, so nothing can be read by it.
    fn pause(&self) {
        if let Some(Err(error)) = self.committed.poll(LOOK) {
            tracing::debug!(error = %error, "while waiting");
        }
    }

    fn last_stable(&self, job: &Job, topic: &str, partition: i32) -> Result<i64, Stop> {
        self.ask(job, || watermarks(&self.committed, topic, partition)).map(|(_, end)| end)
    }

    fn stable_offsets(&self, job: &Job) -> Result<(Option<i64>, Option<i64>), Stop> {
        let names = &self.shared.names;
        self.ask(job, || {
            let mut wanted = TopicPartitionList::with_capacity(2);
            wanted.add_partition(&names.hints, job.partition);
            wanted.add_partition(&names.bulk, job.partition);
            let found = self.committed.committed_offsets(wanted, QUESTION)?;
            for element in found.elements() {
                element.error()?;
            }
            let offset = |topic| match found.find_partition(topic, job.partition).map(|element| element.offset()) {
                Some(Offset::Offset(offset)) => Some(offset),
                _ => None,
            };
            Ok((offset(&names.hints), offset(&names.bulk)))
        })
    }

    /// Where a lane starts: the committed offset, or the log's start if there is none or the log does not have it. What
    /// is missing then is added to `expired`.
    fn start_of(
        &self,
        job: &Job,
        lane: Lane,
        committed: Option<i64>,
        expired: &mut Vec<(Lane, u64)>,
    ) -> Result<i64, Stop> {
        let topic = self.shared.topic(Topic::of_lane(lane));
        let look = || self.ask(job, || watermarks(&self.raw, topic, job.partition));
        let (mut low, mut high) = look()?;
        let Some(offset) = committed else {
            return Ok(low);
        };
        // A broker that has just come back may not show the end that it had: no reason to read all of it again.
        let believed = Instant::now() + BELIEVE;
        while offset > high && Instant::now() < believed {
            self.pause();
            (low, high) = look()?;
        }
        let lost = if offset > high { offset - high } else { low - offset };
        if lost <= 0 {
            return Ok(offset);
        }
        tracing::error!(
            topic,
            partition = job.partition,
            committed = offset,
            low,
            high,
            "the log lacks the committed offset"
        );
        expired.push((lane, lost as u64));
        Ok(low)
    }

    /// Reads from an offset to the end that the broker shows, and hands the entries on. The next offset.
    fn read_to_end(&self, job: &Job, from: i64, meter: &mut Meter) -> Result<i64, Stop> {
        let mut wanted = TopicPartitionList::with_capacity(1);
        let ledger = &self.shared.names.ledger;
        let broken = |error: KafkaError| Stop::Broken(error.to_string());
        wanted.add_partition_offset(ledger, job.partition, Offset::Offset(from)).map_err(broken)?;
        self.committed.assign(&wanted).map_err(broken)?;
        let result = self.read_assigned(job, from, meter);
        self.committed.unassign().map_err(broken)?;
        result
    }

    fn read_assigned(&self, job: &Job, from: i64, meter: &mut Meter) -> Result<i64, Stop> {
        let (mut next, mut chunk) = (from, Chunk::default());
        let (mut heard, mut told) = (Instant::now(), from);
        self.check(job)?;
        loop {
            // Without a wait first: a wait looks at the clock three times, and there are millions of records.
            let news = self.committed.poll(Duration::ZERO).or_else(|| self.committed.poll(Duration::from_millis(100)));
            match news {
                Some(Ok(message)) => {
                    next = message.offset() + 1;
                    chunk.take(&message)?;
                    if chunk.entries.len() < CHUNK {
                        continue;
                    }
                    self.hand_on(job, &mut chunk)?;
                }
                Some(Err(KafkaError::PartitionEOF(partition))) if partition == job.partition => {
                    self.hand_on(job, &mut chunk)?;
                    return Ok(next);
                }
                Some(Err(error)) => {
                    let gone = error.rdkafka_error_code() == Some(RDKafkaErrorCode::UnknownTopicOrPartition);
                    if errors::ends_consumer(&error) || gone {
                        return Err(Stop::Broken(error.to_string()));
                    }
                    tracing::debug!(partition = job.partition, error = %error, "reading the ledger goes on");
                }
                None if next == told && self.is_doubted(heard) => {
                    return Err(Stop::Broken("nothing was heard of the ledger".to_owned()));
                }
                None => self.hand_on(job, &mut chunk)?,
            }
            if next > told {
                (heard, told) = (Instant::now(), next);
                self.tell(job, next, meter);
            }
            self.check(job)?;
        }
    }

    /// How far it is: for `status`, and now and then in the log.
    fn tell(&self, job: &Job, next: i64, meter: &mut Meter) {
        lock(&self.shared.table).progress(job.partition, job.epoch, meter.part(next));
        if let Some(told) = meter.tell(job.partition, next, Instant::now()) {
            tracing::info!(partition = job.partition, next, "{told}");
        }
    }

    fn hand_on(&self, job: &Job, chunk: &mut Chunk) -> Result<(), Stop> {
        let (partition, epoch) = (job.partition, job.epoch);
        let Chunk { entries, memos } = std::mem::take(chunk);
        if !entries.is_empty() {
            self.places.blocking_send(()).map_err(|_| Stop::Void)?;
        }
        let told = [
            (!entries.is_empty()).then_some(LedgerEvent::Entries { partition, epoch, entries }),
            (!memos.is_empty()).then_some(LedgerEvent::Memos { partition, epoch, memos }),
        ];
        told.into_iter().flatten().try_for_each(|event| self.events.blocking_send(event).map_err(|_| Stop::Void))
    }
}

/// Start and end of a partition's log. A client that was told once of a partition without a leader, or whose leader it
/// has given up since, says `UnknownPartition` for as long as it believes that, 15 minutes by default: it is told anew.
fn watermarks(client: &BaseConsumer<Ear>, topic: &str, partition: i32) -> Result<(i64, i64), KafkaError> {
    let found = client.fetch_watermarks(topic, partition, QUESTION);
    if let Err(KafkaError::MetadataFetch(RDKafkaErrorCode::UnknownPartition)) = found {
        client.fetch_metadata(Some(topic), QUESTION)?;
    }
    found
}

/// What was read and not handed on yet.
struct Chunk {
    entries: Vec<(Key, Option<Entry>)>,
    memos: Vec<(MemoKey, Option<Memo>)>,
}

impl Default for Chunk {
    fn default() -> Chunk {
        Chunk { entries: Vec::with_capacity(CHUNK), memos: Vec::new() }
    }
}

impl Chunk {
    /// Takes one ledger record in. Reserved keys that this release does not know are passed over.
    fn take(&mut self, message: &BorrowedMessage<'_>) -> Result<(), Stop> {
        let at = || format!("{}/{} at offset {}", message.topic(), message.partition(), message.offset());
        let text = message.key().and_then(|key| std::str::from_utf8(key).ok());
        let Some(text) = text else {
            return Err(Stop::Unreadable(format!("{}: a ledger record without a key", at())));
        };
        let unreadable = |error: &dyn std::fmt::Display| Stop::Unreadable(format!("{}: {error}", at()));
        if text.starts_with(RESERVED_PREFIX) {
            if let Some(key) = MemoKey::parse(text) {
                let memo = message.payload().map(Memo::decode).transpose().map_err(|error| unreadable(&error))?;
                self.memos.push((key, memo));
            }
            return Ok(());
        }
        let key = Key::parse(text).map_err(|error| unreadable(&error))?;
        let entry = message.payload().map(Entry::decode).transpose().map_err(|error| unreadable(&error))?;
        self.entries.push((key, entry));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rdkafka::mocking::MockCluster;

    /// Asks for the end of a partition that had no leader when the client first heard of it, and `has_one` since.
    fn ask(has_one: bool, patience: Duration) -> Result<(i64, i64), Stop> {
        // In-process brokers suffice: what counts is what librdkafka makes of what it was told.
        let cluster = MockCluster::new(1).unwrap();
        let settings = KafkaSettings {
            bootstrap_servers: cluster.bootstrap_servers(),
            replace_silent_client_after: patience,
            ..KafkaSettings::default()
        };
        let ledger = settings.names().ledger;
        cluster.create_topic(&ledger, 1, 1).unwrap();
        cluster.partition_leader(&ledger, 0, None).unwrap();
        let metrics = crate::stats::KafkaMetrics::register(&prometheus::Registry::new()).unwrap();
        let shared = Shared::new(settings, metrics, || models::Time::from_millis(0));
        let now = Instant::now();
        assert!(lock(&shared.table).hold(0, now));
        let epoch = lock(&shared.table).announce(0, now, Duration::ZERO).unwrap().epoch;
        let (events, _told) = tokio::sync::mpsc::channel(1);
        let (places, _free) = tokio::sync::mpsc::channel(1);
        let restorer = Restorer::new(&shared, &events, &places).unwrap();
        restorer.raw.fetch_watermarks(&ledger, 0, QUESTION).unwrap_err();
        if has_one {
            cluster.partition_leader(&ledger, 0, Some(1)).unwrap();
        }
        let job = Job { partition: 0, epoch, from: None, asked: now };
        restorer.ask(&job, || watermarks(&restorer.raw, &ledger, 0))
    }

    #[test]
    fn a_leader_that_was_away_is_found_again() {
        assert!(matches!(ask(true, Duration::from_mins(1)), Ok((0, 0))));
    }

    #[test]
    fn a_client_that_is_asked_in_vain_is_given_up() {
        let answer = ask(false, Duration::from_millis(300));
        assert!(matches!(answer, Err(Stop::Broken(why)) if why.contains("UnknownPartition")));
    }
}
