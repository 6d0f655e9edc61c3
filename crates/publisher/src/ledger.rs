//! The transactional ledger: `models::Ledger` on Kafka.
//!
//! Owns: the order of effects between its threads, and what they share. Decides nothing about submissions.
//!
//! Path, and the one order that all else rests on:
//! 1. `transaction`: a producer with this instance's transactional id is ready; its predecessors are fenced.
//! 2. `group`: only then the group is joined; partitions are assigned, all lanes paused.
//! 3. `replay`: stable offsets, then the ledger to its true end.
//! 4. `flow`: seek to the stable offsets, `Ready`, hints.
//! 5. `supervisor`: a batch is checked against the current epochs under the gate, and written in one transaction with
//!    the offsets of every partition it names, under the group generation of the assignment.
//! 6. Revocation waits for the gate, so that it never finds a transaction half-way.
//!
//! After a commit of unknown outcome: everything is void, a new producer (1), then 3 and 4 again for what is still held.
//!
//! No thread of the runtime ever blocks here: every client lives and dies on a thread of its own.

mod flow;
mod foreign;
mod group;
mod jobs;
mod meter;
mod replay;
mod supervisor;
mod table;
mod transaction;

use crate::record::Topic;
use crate::settings::{KafkaSettings, TopicNames};
use crate::stats::KafkaMetrics;
use models::{Batch, CommitError, Lane, Ledger, LedgerEvent, Progress, Time};
use rdkafka::consumer::ConsumerGroupMetadata;
use rdkafka::error::KafkaError;
use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use supervisor::{Request, Supervisor};
use table::{Phase, Table};
use tokio::sync::{mpsc, oneshot};

type Events = mpsc::Sender<LedgerEvent>;
/// Taken by each chunk of entries that is sent, and free again when it is received.
type Places = mpsc::Sender<()>;

/// Requests that may wait; by contract one batch is under way at a time.
const REQUESTS: usize = 16;
/// Chunks of restored entries that may wait for the reconciler. An event among many thousand that may wait is small; a
/// chunk of entries is 100 KB, and a restore reads faster than entries are taken in.
const CHUNKS: usize = 8;
/// Signals to the group thread that may wait.
const SIGNALS: usize = 64;
/// How long the threads are waited for when the ledger closes.
const JOIN: Duration = Duration::from_secs(20);

/// Locks; what a panicking thread left behind is still consistent, since every change here is one assignment.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What other threads tell the group thread.
enum Signal {
    /// A producer is ready; predecessors are fenced.
    ProducerReady,
    /// A commit was lost; [`Shared::voided`] says of which partitions to tell.
    ProducerLost,
    /// A partition's past is read.
    Restored(Restored),
}

/// A partition whose past is read.
struct Restored {
    /// Where its lanes start.
    start: Progress,
    /// The first ledger offset not read.
    ledger_next: i64,
    /// Lanes with a gap before their start, and how wide it is.
    expired: Vec<(Lane, u64)>,
}

/// What the threads of one ledger share.
pub(crate) struct Shared {
    settings: KafkaSettings,
    names: TopicNames,
    metrics: KafkaMetrics,
    clock: fn() -> Time,
    /// Held for the whole of a transaction, and for the instant of a revocation.
    gate: Mutex<()>,
    table: Mutex<Table>,
    /// The group generation of the current assignment.
    generation: Mutex<Option<Arc<ConsumerGroupMetadata>>>,
    /// Partitions that a lost commit took and that the reconciler was not told of yet.
    voided: Mutex<Vec<i32>>,
    last_commit: Mutex<Option<Instant>>,
    failed: Mutex<Option<String>>,
    producer_ready: AtomicBool,
    stop: AtomicBool,
}

impl Shared {
    fn new(settings: KafkaSettings, metrics: KafkaMetrics, clock: fn() -> Time) -> Shared {
        let names = settings.names();
        metrics.declare_topics([&names.events, &names.state, &names.ledger].map(String::as_str));
        Shared {
            names,
            settings,
            metrics,
            clock,
            gate: Mutex::default(),
            table: Mutex::default(),
            generation: Mutex::default(),
            voided: Mutex::default(),
            last_commit: Mutex::default(),
            failed: Mutex::default(),
            producer_ready: AtomicBool::new(false),
            stop: AtomicBool::new(false),
        }
    }

    fn stopping(&self) -> bool {
        self.stop.load(Ordering::Acquire)
    }

    fn stop(&self) {
        self.stop.store(true, Ordering::Release);
    }

    /// The ledger cannot go on: says so once, and stops.
    fn fail(&self, events: &Events, why: String) {
        let first = lock(&self.failed).replace(why.clone()).is_none();
        if first && !self.stopping() {
            tracing::error!(reason = %why, "the ledger cannot go on");
            if events.blocking_send(LedgerEvent::Failed(why)).is_err() {
                tracing::debug!("nobody listens any more");
            }
        }
        self.stop();
    }

    fn topic(&self, topic: Topic) -> &str {
        self.names.of(topic)
    }
}

/// How one partition is, for operators.
#[derive(Clone, Debug, PartialEq)]
pub struct PartitionStatus {
    /// Which.
    pub partition: i32,
    /// `waiting` (for a producer), `restoring` or `running`.
    pub phase: &'static str,
    /// Since how long.
    pub lasts: Duration,
    /// What a restore waits for, if that takes long: topic, partition and offset of an open transaction.
    pub note: Option<String>,
    /// While it is restored, how much of its ledger is read, 0 to 1.
    pub restored: Option<f64>,
}

/// How the ledger is, for `/startupz`, `/readyz` and `status`.
#[derive(Clone, Debug, PartialEq)]
pub struct LedgerStatus {
    /// Whether a transactional producer is ready.
    pub producer_ready: bool,
    /// The partitions held.
    pub partitions: Vec<PartitionStatus>,
    /// Age of the last commit of this process.
    pub last_commit: Option<Duration>,
    /// Why the ledger stopped, if it failed.
    pub failed: Option<String>,
}

impl LedgerStatus {
    /// Whether all that is held runs. True as well for a spare replica that holds nothing but could.
    pub fn is_ready(&self) -> bool {
        self.producer_ready && self.failed.is_none() && self.partitions.iter().all(|one| one.phase == "running")
    }
}

/// Looks at a ledger from outside; cheap to clone, outlives it.
#[derive(Clone)]
pub struct LedgerWatch(Arc<Shared>);

impl LedgerWatch {
    /// How the ledger is right now. Also sets the gauge of partitions by phase.
    pub fn status(&self) -> LedgerStatus {
        let now = Instant::now();
        let partitions: Vec<PartitionStatus> = lock(&self.0.table)
            .iter()
            .map(|(partition, held)| {
                let (phase, note, restored) = match &held.phase {
                    Phase::Waiting => ("waiting", None, None),
                    Phase::Restoring { note, part } => ("restoring", note.clone(), Some(*part)),
                    Phase::Running => ("running", None, None),
                };
                let lasts = now.saturating_duration_since(held.since);
                PartitionStatus { partition, phase, lasts, note, restored }
            })
            .collect();
        for phase in ["waiting", "restoring", "running"] {
            let count = partitions.iter().filter(|one| one.phase == phase).count();
            self.0.metrics.partitions.with_label_values(&[phase]).set(count as i64);
        }
        LedgerStatus {
            producer_ready: self.0.producer_ready.load(Ordering::Acquire),
            partitions,
            last_commit: lock(&self.0.last_commit).map(|at| now.saturating_duration_since(at)),
            failed: lock(&self.0.failed).clone(),
        }
    }
}

/// Why a ledger could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A client could not be made: a property that librdkafka refuses.
    #[error("a Kafka client could not be made")]
    Client(#[from] KafkaError),
    /// No thread to be had.
    #[error("a thread could not be started")]
    Thread(#[from] std::io::Error),
}

/// The ledger on Kafka. Dropping it closes it without waiting.
pub struct KafkaLedger {
    shared: Arc<Shared>,
    requests: SyncSender<Request>,
    events: mpsc::Receiver<LedgerEvent>,
    /// One for each chunk of entries among the events.
    places: mpsc::Receiver<()>,
}

impl KafkaLedger {
    /// Starts its threads and returns at once; Kafka may be away. The topics must exist and fit
    /// ([`crate::topics::verify_layout`]). `clock` is asked when a record that is no hint is first seen.
    pub fn open(settings: KafkaSettings, metrics: KafkaMetrics, clock: fn() -> Time) -> Result<KafkaLedger, OpenError> {
        let (event_queue, events) = mpsc::channel(settings.event_buffer);
        let (taken, places) = mpsc::channel(CHUNKS);
        let (requests, request_queue) = sync_channel(REQUESTS);
        let (signals, signal_queue) = sync_channel(SIGNALS);
        let shared = Arc::new(Shared::new(settings, metrics, clock));
        let jobs = Arc::new(jobs::Jobs::default());
        let consumer = group::create(&shared, jobs.clone(), event_queue.clone())?;
        let mut threads = Vec::new();
        for number in 0..shared.settings.restore_threads {
            let (shared, jobs) = (shared.clone(), jobs.clone());
            let (events, places, signals) = (event_queue.clone(), taken.clone(), signals.clone());
            threads.push(spawn(format!("ledger-replay-{number}"), move || {
                replay::work(&shared, &jobs, (&events, &places), &signals);
            })?);
        }
        let supervisor = Supervisor::new(shared.clone(), (requests.clone(), request_queue), signals);
        threads.push(spawn("ledger-commit".to_owned(), move || supervisor.run())?);
        let stopper = shared.clone();
        spawn("ledger-group".to_owned(), move || {
            lead(consumer, &signal_queue, threads, &stopper);
            drop(event_queue);
        })?;
        Ok(KafkaLedger { shared, requests, events, places })
    }

    /// A view for the admin listener.
    pub fn watch(&self) -> LedgerWatch {
        LedgerWatch(self.shared.clone())
    }

    /// Closes and waits until every thread has ended, at most `within`. What still comes is thrown away. Whether all
    /// ended in time.
    pub async fn closed(mut self, within: Duration) -> bool {
        self.close();
        tokio::time::timeout(within, async { while self.next().await.is_some() {} }).await.is_ok()
    }
}

fn spawn(name: String, work: impl FnOnce() + Send + 'static) -> std::io::Result<JoinHandle<()>> {
    std::thread::Builder::new().name(name).spawn(work)
}

/// The group thread, then the end of all others. The last sender of events goes with them: `next` then ends.
fn lead(
    consumer: rdkafka::consumer::BaseConsumer<group::Member>,
    signals: &Receiver<Signal>,
    threads: Vec<JoinHandle<()>>,
    shared: &Shared,
) {
    group::work(consumer, signals);
    shared.stop();
    let deadline = Instant::now() + JOIN;
    for thread in threads {
        while !thread.is_finished() && Instant::now() < deadline {
            // A full queue would keep a thread from seeing that it ends.
            while signals.try_recv().is_ok() {}
            std::thread::park_timeout(Duration::from_millis(5));
        }
        if !thread.is_finished() {
            tracing::warn!(thread = thread.thread().name(), "does not end; left behind");
        }
    }
}

impl Ledger for KafkaLedger {
    async fn next(&mut self) -> Option<LedgerEvent> {
        let event = self.events.recv().await;
        if let Some(LedgerEvent::Entries { .. }) = &event {
            // It was taken before the chunk was sent.
            self.places.try_recv().ok();
        }
        event
    }

    fn commit(&self, batch: Batch) -> impl Future<Output = Result<(), CommitError>> + Send + 'static {
        let (reply, answer) = oneshot::channel();
        let sent = self.requests.try_send(Request::Commit(Box::new(batch), reply));
        async move {
            match sent {
                // The supervisor answers every request that it takes; without an answer it ended.
                Ok(()) => answer.await.unwrap_or_else(|_| Err(CommitError::Lost("the ledger is closed".to_owned()))),
                Err(TrySendError::Full(_)) => Err(CommitError::Aborted("too many batches wait".to_owned())),
                Err(TrySendError::Disconnected(_)) => Err(CommitError::Aborted("the ledger is closed".to_owned())),
            }
        }
    }

    fn close(&self) {
        self.shared.stop();
    }
}

impl Drop for KafkaLedger {
    fn drop(&mut self) {
        self.shared.stop();
    }
}
