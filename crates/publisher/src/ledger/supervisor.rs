//! The gate, the watchdog, and the way back after a lost producer.
//!
//! Owns: the order of a commit (gate, epochs, transaction, table) and the life of transaction threads. Holds the
//! commit gate for the whole of a transaction, so that a rebalance never finds one half-way. Must not know: how a
//! transaction is made ([`super::transaction`]), how partitions are restored ([`super::replay`]).
//!
//! Path: a [`Request::Commit`] is checked under the gate, handed to the transaction thread, and answered within
//! `transaction_timeout` plus a margin even if that thread hangs. A lost one voids every partition, tells the group
//! thread, and starts a new thread; its `init_transactions` fences whatever the old one may still do.

use super::transaction::{self, ABORT_BUDGET, Job, Outcome};
use super::{Shared, Signal, lock};
use crate::record::{self, Record};
use models::{Batch, CommitError};
use rdkafka::consumer::ConsumerGroupMetadata;
use rdkafka::{Offset, TopicPartitionList};
use std::collections::BTreeMap;
use std::error::Error as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// How much longer than the transaction the watchdog waits.
const MARGIN: Duration = Duration::from_secs(2);
/// How often the stop flag is looked at.
const IDLE: Duration = Duration::from_millis(100);

/// What the supervisor is asked.
pub(super) enum Request {
    /// Make a batch durable.
    Commit(Box<Batch>, oneshot::Sender<Result<(), CommitError>>),
    /// The transaction thread of this number has its producer.
    Ready(u64),
}

struct Worker {
    number: u64,
    ready: bool,
    abandoned: Arc<AtomicBool>,
    jobs: SyncSender<Job>,
    outcomes: Receiver<Outcome>,
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.abandoned.store(true, Ordering::Release);
    }
}

/// The supervisor's thread.
pub(super) struct Supervisor {
    shared: Arc<Shared>,
    requests: Receiver<Request>,
    own: SyncSender<Request>,
    signals: SyncSender<Signal>,
    worker: Option<Worker>,
    started: u64,
}

impl Supervisor {
    pub(super) fn new(
        shared: Arc<Shared>,
        (own, requests): (SyncSender<Request>, Receiver<Request>),
        signals: SyncSender<Signal>,
    ) -> Supervisor {
        Supervisor { shared, requests, own, signals, worker: None, started: 0 }
    }

    /// Runs until the ledger is closed.
    pub(super) fn run(mut self) {
        self.start_worker();
        while !self.shared.stopping() {
            match self.requests.recv_timeout(IDLE) {
                Ok(Request::Ready(number)) => self.on_ready(number),
                Ok(Request::Commit(batch, reply)) => {
                    if self.answer(&batch, reply) {
                        self.replace_worker();
                    }
                }
                Err(RecvTimeoutError::Timeout) => {
                    if self.worker.is_none() {
                        self.start_worker();
                    }
                }
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn on_ready(&mut self, number: u64) {
        if let Some(worker) = self.worker.as_mut().filter(|worker| worker.number == number) {
            worker.ready = true;
            self.shared.producer_ready.store(true, Ordering::Release);
            self.tell(Signal::ProducerReady);
        }
    }

    fn tell(&self, signal: Signal) {
        if self.signals.send(signal).is_err() {
            // The group thread ended; so does everything.
            self.shared.stop();
        }
    }

    fn start_worker(&mut self) {
        self.started += 1;
        let number = self.started;
        let (jobs, job_queue) = sync_channel(1);
        let (outcome_queue, outcomes) = sync_channel(1);
        let abandoned = Arc::new(AtomicBool::new(false));
        let (shared, own, flag) = (self.shared.clone(), self.own.clone(), abandoned.clone());
        let spawned = std::thread::Builder::new().name(format!("ledger-txn-{number}")).spawn(move || {
            let ready = || {
                if own.send(Request::Ready(number)).is_err() {
                    tracing::debug!("the supervisor ended before its producer was ready");
                }
            };
            transaction::work(&shared, &flag, ready, &job_queue, &outcome_queue);
        });
        match spawned {
            Ok(_) => {
                self.worker = Some(Worker { number, ready: false, abandoned, jobs, outcomes });
            }
            Err(error) => {
                tracing::error!(error = %error, "no thread for the transactional producer; trying again");
            }
        }
    }

    /// Gives the producer up. The old thread ends by itself, whenever its call returns.
    fn replace_worker(&mut self) {
        self.worker = None;
        self.tell(Signal::ProducerLost);
        self.start_worker();
    }

    /// Commits and answers under the gate, so that whoever is told of a revocation has the outcome already. Whether
    /// the producer is lost.
    fn answer(&self, batch: &Batch, reply: oneshot::Sender<Result<(), CommitError>>) -> bool {
        let _gate = lock(&self.shared.gate);
        let result = self.commit(batch);
        let lost = matches!(result, Err(CommitError::Lost(_)));
        // A caller that went away has nobody to tell.
        drop(reply.send(result));
        lost
    }

    fn commit(&self, batch: &Batch) -> Result<(), CommitError> {
        let aborted = CommitError::Aborted;
        let worker = self.worker.as_ref().filter(|worker| worker.ready);
        let worker = worker.ok_or_else(|| aborted("the producer is being made anew".to_owned()))?;
        let (offsets, group) = self.offsets(batch).map_err(aborted)?;
        let job = Job { records: self.records(batch)?, offsets, group };
        let limit = self.shared.settings.transaction_timeout + ABORT_BUDGET + MARGIN;
        let outcome = match worker.jobs.send(job) {
            Ok(()) => worker.outcomes.recv_timeout(limit).unwrap_or_else(|error| {
                Outcome::Lost(match error {
                    RecvTimeoutError::Timeout => "the transaction hangs; its producer is given up".to_owned(),
                    RecvTimeoutError::Disconnected => "the transaction thread ended".to_owned(),
                })
            }),
            Err(_) => Outcome::Lost("the transaction thread ended before".to_owned()),
        };
        let count = |word: &str| self.shared.metrics.commits.with_label_values(&[word]).inc();
        match outcome {
            Outcome::Committed(ledger) => {
                lock(&self.shared.table).settle(&batch.progress, &ledger, Instant::now());
                *lock(&self.shared.last_commit) = Some(Instant::now());
                count("committed");
                Ok(())
            }
            Outcome::Aborted(why) => {
                tracing::info!(reason = %why, "transaction aborted; its decisions are submitted again");
                count("aborted");
                Err(CommitError::Aborted(why))
            }
            Outcome::Lost(why) => {
                tracing::warn!(reason = %why, "outcome of a transaction unknown; reading the ledger again");
                count("lost");
                // Under the gate, so that a rebalance right after it sees both.
                self.shared.producer_ready.store(false, Ordering::Release);
                let voided = lock(&self.shared.table).void(Instant::now());
                lock(&self.shared.voided).extend(voided);
                Err(CommitError::Lost(why))
            }
        }
    }

    /// What the broker fences by: offsets of every partition written, under the generation of the assignment.
    fn offsets(&self, batch: &Batch) -> Result<(TopicPartitionList, Arc<ConsumerGroupMetadata>), String> {
        if !lock(&self.shared.table).may_commit(&batch.progress) {
            return Err("stale assignment".to_owned());
        }
        let covered = |partition: i32| batch.progress.iter().any(|row| row.partition == partition);
        let mut written = batch.writes.iter().map(|write| write.partition);
        let mut remembered = batch.memos.iter().map(|(partition, ..)| *partition);
        if batch.progress.is_empty() || !written.all(covered) || !remembered.all(covered) {
            return Err("a write without the offsets of its partition".to_owned());
        }
        let group = lock(&self.shared.generation).clone().ok_or("stale assignment")?;
        let names = &self.shared.names;
        let mut offsets = TopicPartitionList::with_capacity(batch.progress.len() * 2);
        for row in &batch.progress {
            for (topic, offset) in [(&names.hints, row.live), (&names.bulk, row.bulk)] {
                let added = offsets.add_partition_offset(topic, row.partition, Offset::Offset(offset));
                added.map_err(|error| error.to_string())?;
            }
        }
        Ok((offsets, group))
    }

    /// The records of a batch. Those that no broker would take are found here, before anything is sent: else the same
    /// batch would be aborted for ever, with everybody else's decisions in it.
    fn records(&self, batch: &Batch) -> Result<Vec<Record>, CommitError> {
        let settings = &self.shared.settings;
        let records = record::batch(batch, settings.form()).map_err(|error| {
            tracing::error!(error = %error, cause = error.source(), "records cannot be made; trying again");
            CommitError::Aborted(error.to_string())
        })?;
        let mut too_large = BTreeMap::new();
        for record in records.iter().filter(|record| record.size() > settings.largest_record()) {
            let (topic, key, bytes) = (self.shared.topic(record.topic), record.key.as_deref(), record.size());
            tracing::error!(
                topic,
                key,
                bytes,
                limit = settings.largest_record(),
                "a record is larger than Kafka takes"
            );
            self.shared.metrics.records_too_large.with_label_values(&[topic]).inc();
            let of = batch.writes.iter().find(|write| Some(write.key.as_str()) == key);
            let Some(write) = of else {
                // Memos, notifications and dead letters are bounded where they are made.
                return Err(CommitError::Aborted(format!("a record of {topic} is larger than Kafka takes")));
            };
            let largest = too_large.entry(write.key.clone()).or_insert(bytes);
            *largest = bytes.max(*largest);
        }
        if too_large.is_empty() { Ok(records) } else { Err(CommitError::TooLarge(too_large.into_iter().collect())) }
    }
}
