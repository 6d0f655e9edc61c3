//! One producer, one thread, one transaction at a time.
//!
//! Owns: the transactional producer from `init_transactions` to its end, and the steps of a transaction. Every call
//! here may block, and some ignore their timeout: the [`super::supervisor`] watches and may abandon the thread.
//! Must not know: epochs, the reconciler, what a record means.
//!
//! Path: begin, send all, wait until all are acknowledged, add the offsets (this is the fence: the broker refuses a
//! stale group generation), commit. What fails before the commit is aborted; what cannot be told is lost.

use super::Shared;
use crate::errors::{self, Class};
use crate::record::{Record, Topic};
use crate::refusal::Refusal;
use crate::settings::{KafkaSettings, millis};
use crate::stats::{Listener, hand_on_to_listener};
use rdkafka::TopicPartitionList;
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::ConsumerGroupMetadata;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, Message, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, DeliveryResult, Producer, ProducerContext};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// How long an abort may take.
pub(super) const ABORT_BUDGET: Duration = Duration::from_secs(3);
/// How finely a wait for acknowledgements is sliced.
const SLICE: Duration = Duration::from_millis(1);
/// Between attempts to get a producer ready.
const INIT_BACKOFF: Duration = Duration::from_millis(250);
/// How long one attempt to get a producer ready may take.
const INIT_TIMEOUT: Duration = Duration::from_secs(5);
/// How often an idle producer's own news are read.
const IDLE: Duration = Duration::from_millis(200);

/// What one transaction carries.
pub(super) struct Job {
    pub(super) records: Vec<Record>,
    pub(super) offsets: TopicPartitionList,
    pub(super) group: Arc<ConsumerGroupMetadata>,
}

/// What became of it.
#[derive(Debug)]
pub(super) enum Outcome {
    /// Durable; the next ledger offset of each partition written.
    Committed(BTreeMap<i32, i64>),
    /// Nothing of it is visible; the producer goes on.
    Aborted(String),
    /// Unknown or fenced; the producer is given up.
    Lost(String),
}

#[derive(Default)]
struct Deliveries {
    failed: Option<(KafkaError, String)>,
    ledger: BTreeMap<i32, i64>,
}

struct Reports {
    listener: Listener,
    ledger: String,
    deliveries: Mutex<Deliveries>,
}

hand_on_to_listener!(Reports, listener);

impl ProducerContext for Reports {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        let mut deliveries = super::lock(&self.deliveries);
        match result {
            Ok(record) if record.topic() == self.ledger => {
                let next = deliveries.ledger.entry(record.partition()).or_default();
                *next = (*next).max(record.offset() + 1);
            }
            Ok(_) => {}
            Err((error, record)) => {
                deliveries.failed.get_or_insert_with(|| (error.clone(), record.topic().to_owned()));
            }
        }
    }
}

type Transactional = BaseProducer<Reports>;

/// Where a transaction stopped.
struct Stopped {
    class: Class,
    step: &'static str,
    text: String,
}

impl Stopped {
    fn of(step: &'static str, class: Class, error: &KafkaError) -> Stopped {
        Stopped { class, step, text: error.to_string() }
    }

    fn late(step: &'static str) -> Stopped {
        Stopped { class: Class::Retry, step, text: "not done in time".to_owned() }
    }
}

const COMMIT: &str = "commit";

fn create(shared: &Shared) -> Result<Transactional, KafkaError> {
    let settings: &KafkaSettings = &shared.settings;
    let mut config = settings.telling_client("ledger");
    config
        .set("transactional.id", settings.transactional_id())
        .set("transaction.timeout.ms", millis(settings.transaction_timeout))
        .set("message.timeout.ms", millis(settings.transaction_timeout))
        .set("enable.idempotence", "true")
        .set("acks", "all")
        .set("partitioner", "murmur2_random")
        // Without these two a commit takes 100 ms and more: librdkafka waits that long on CONCURRENT_TRANSACTIONS.
        .set("linger.ms", "0")
        .set("retry.backoff.ms", "5");
    let reports = Reports {
        listener: Listener::new("ledger", shared.metrics.clone()),
        ledger: shared.names.ledger.clone(),
        deliveries: Mutex::default(),
    };
    BaseProducer::from_config_and_context(&config, reports)
}

/// What a broker denies shows here as the error of a call, or of a delivery, only. Whether it was such an error.
fn tell_refusal(producer: &Transactional, what: &str, error: &KafkaError) -> bool {
    let code = error.rdkafka_error_code().filter(|code| Refusal::denied(*code, what).is_some());
    if let Some(code) = code {
        producer.context().listener.tell(code, &format!("{what}: {code}"));
    }
    code.is_some()
}

/// A producer that has fenced its predecessors; waits for Kafka as long as it takes. `None` if given up.
fn ready_producer(shared: &Shared, given_up: &dyn Fn() -> bool) -> Option<Transactional> {
    loop {
        let producer = match create(shared) {
            Ok(producer) => producer,
            Err(error) => {
                tracing::error!(error = %error, "the transactional producer cannot be made");
                std::thread::park_timeout(INIT_BACKOFF);
                if given_up() {
                    return None;
                }
                continue;
            }
        };
        loop {
            if given_up() {
                return None;
            }
            let Err(error) = producer.init_transactions(INIT_TIMEOUT) else {
                return Some(producer);
            };
            let class = errors::transaction(&error);
            if !tell_refusal(&producer, &shared.settings.transactional_id(), &error) {
                tracing::warn!(error = %error, class = class.as_str(), "the transactional producer is not ready yet");
            }
            producer.poll(INIT_BACKOFF);
            if class != Class::Retry {
                break;
            }
        }
    }
}

/// The thread: gets a producer ready, says so, runs jobs until one is lost or nobody sends any.
pub(super) fn work(
    shared: &Shared,
    abandoned: &AtomicBool,
    ready: impl FnOnce(),
    jobs: &Receiver<Job>,
    outcomes: &SyncSender<Outcome>,
) {
    let given_up = || abandoned.load(Ordering::Acquire) || shared.stopping();
    let Some(producer) = ready_producer(shared, &given_up) else {
        return;
    };
    ready();
    loop {
        match jobs.recv_timeout(IDLE) {
            Ok(job) => {
                let outcome = run(shared, &producer, &job, abandoned);
                let lost = matches!(outcome, Outcome::Lost(_));
                if outcomes.send(outcome).is_err() || lost {
                    return;
                }
            }
            Err(RecvTimeoutError::Timeout) => producer.poll(Duration::ZERO),
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

fn run(shared: &Shared, producer: &Transactional, job: &Job, abandoned: &AtomicBool) -> Outcome {
    let deadline = Instant::now() + shared.settings.transaction_timeout;
    *super::lock(&producer.context().deliveries) = Deliveries::default();
    let Err(stopped) = attempt(shared, producer, job, deadline, abandoned) else {
        return Outcome::Committed(std::mem::take(&mut super::lock(&producer.context().deliveries).ledger));
    };
    let text = format!("{}: {}", stopped.step, stopped.text);
    match stopped.class {
        Class::Fenced | Class::Fatal => Outcome::Lost(text),
        // Once the commit was asked for, only its success is certain.
        _ if stopped.step == COMMIT => Outcome::Lost(text),
        Class::Retry | Class::Abort => match abort(producer) {
            Ok(()) => Outcome::Aborted(text),
            Err(failed) => Outcome::Lost(format!("{text}; then abort: {}", failed.text)),
        },
    }
}

fn attempt(
    shared: &Shared,
    producer: &Transactional,
    job: &Job,
    deadline: Instant,
    abandoned: &AtomicBool,
) -> Result<(), Stopped> {
    insist(producer, "begin", deadline, |_| producer.begin_transaction())?;
    for record in &job.records {
        send(shared, producer, record, deadline)?;
    }
    drain(producer, "deliver", deadline)?;
    let failed = super::lock(&producer.context().deliveries).failed.take();
    if let Some((error, topic)) = failed {
        tell_refusal(producer, &topic, &error);
        return Err(Stopped::of("deliver", errors::production(&error), &error));
    }
    insist(producer, "offsets", deadline, |left| producer.send_offsets_to_transaction(&job.offsets, &job.group, left))?;
    if abandoned.load(Ordering::Acquire) {
        return Err(Stopped { class: Class::Fatal, step: COMMIT, text: "abandoned".to_owned() });
    }
    insist(producer, COMMIT, deadline, |left| producer.commit_transaction(left))
}

/// Repeats a call that may be retried, until the deadline.
fn insist(
    producer: &Transactional,
    step: &'static str,
    deadline: Instant,
    call: impl Fn(Duration) -> Result<(), KafkaError>,
) -> Result<(), Stopped> {
    loop {
        let Err(error) = call(deadline.saturating_duration_since(Instant::now())) else {
            return Ok(());
        };
        let class = match &error {
            // The flush inside a commit found something undelivered: the commit itself was not sent.
            KafkaError::Flush(_) => Class::Retry,
            other => errors::transaction(other),
        };
        if class != Class::Retry || Instant::now() >= deadline {
            tell_refusal(producer, step, &error);
            return Err(Stopped::of(step, class, &error));
        }
        pause(producer);
    }
}

fn send(shared: &Shared, producer: &Transactional, record: &Record, deadline: Instant) -> Result<(), Stopped> {
    let mut headers = OwnedHeaders::new_with_capacity(record.headers.len());
    for (key, value) in &record.headers {
        headers = headers.insert(Header { key, value: Some(value) });
    }
    let topic = shared.topic(record.topic);
    let mut next: BaseRecord<'_, String, Vec<u8>> = BaseRecord::to(topic).headers(headers);
    next.key = record.key.as_ref();
    next.payload = record.payload.as_ref();
    next.partition = record.partition;
    debug_assert!(record.topic != Topic::Ledger || record.partition.is_some());
    loop {
        let Err((error, back)) = producer.send(next) else {
            return Ok(());
        };
        let class = errors::production(&error);
        if class != Class::Retry {
            return Err(Stopped::of("send", class, &error));
        }
        if Instant::now() >= deadline {
            return Err(Stopped::late("send"));
        }
        next = back;
        pause(producer);
    }
}

/// Waits until every record is acknowledged or failed. Only then is the flush inside a commit immediate.
fn drain(producer: &Transactional, step: &'static str, deadline: Instant) -> Result<(), Stopped> {
    loop {
        let before = producer.in_flight_count();
        // Reads one report; each is of one partition.
        producer.poll(Duration::ZERO);
        let left = producer.in_flight_count();
        if left == 0 {
            return Ok(());
        }
        if Instant::now() >= deadline {
            return Err(Stopped::late(step));
        }
        if left == before {
            pause(producer);
        }
    }
}

/// Lets others work. The binding's poll neither returns early nor sleeps for less than a millisecond: it spins, and a
/// thread that waits in it takes a whole processor.
fn pause(producer: &Transactional) {
    std::thread::park_timeout(SLICE);
    producer.poll(Duration::ZERO);
}

fn abort(producer: &Transactional) -> Result<(), Stopped> {
    let deadline = Instant::now() + ABORT_BUDGET;
    loop {
        // Short calls: the purged records' reports are only read by the poll in between.
        let left = deadline.saturating_duration_since(Instant::now()).min(Duration::from_millis(100));
        let Err(error) = producer.abort_transaction(left) else {
            return Ok(());
        };
        let class = errors::transaction(&error);
        let retry = class == Class::Retry || error.rdkafka_error_code() == Some(RDKafkaErrorCode::OperationTimedOut);
        if !retry || Instant::now() >= deadline {
            return Err(Stopped::of("abort", class, &error));
        }
        pause(producer);
    }
}
