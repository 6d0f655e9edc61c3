//! The door's way into Kafka: `models::HintSink`.
//!
//! Owns: the hint producer, the bound on hints in flight, and the knowledge whether a hint could be made
//! durable right now. Must not know: where hints come from, HTTP statuses.
//!
//! Path: [`KafkaHintSink::accept`] refuses at once while Kafka is known to be gone; else it takes one of a bounded
//! number of places, hands the record over without waiting, and waits for the acknowledgement of all in-sync replicas,
//! at most `hint_deadline`. A place is given back when librdkafka is done with the record, not when the caller stops
//! waiting, so memory stays bounded. `prober` finds out when Kafka is back.

mod prober;

use crate::ledger::lock;
use crate::record::{self, Record, RecordError, Topic};
use crate::refusal::Refusal;
use crate::settings::{KafkaSettings, TopicNames, millis};
use crate::stats::{KafkaMetrics, Listener, hand_on_to_listener};
use models::{Hint, HintSink, Key, Lane, Request, SinkError};
use prometheus::IntCounter;
use rdkafka::Message;
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, DeliveryResult, ProducerContext};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

/// So many failures in a row mean that Kafka is gone; one is a blip.
const FAILURES: u32 = 3;
/// How long one poll for acknowledgements waits. The binding spins through the last millisecond of each, so a long one
/// costs an idle service less.
const POLL: Duration = Duration::from_secs(1);

/// A hint that librdkafka has: its place, and who waits.
struct InFlight {
    /// Given back when this is dropped.
    _place: OwnedSemaphorePermit,
    reply: oneshot::Sender<Result<(), KafkaError>>,
}

/// A hint that waits for its acknowledgement.
struct Handed {
    topic: Topic,
    answer: oneshot::Receiver<Result<(), KafkaError>>,
}

/// Why a hint was not made durable: the word under which it is counted, and what the caller is told.
type Failure = (&'static str, SinkError);

/// What is known of Kafka. Shared by the callers, the producer's callbacks and the prober.
struct Health {
    metrics: KafkaMetrics,
    available: AtomicBool,
    /// Somebody said that Kafka might be gone: to be looked at now.
    suspect: AtomicBool,
    failures: AtomicU32,
    /// Whether a hint was acknowledged since Kafka was last seen to be gone.
    acknowledged: AtomicBool,
    /// Why the cluster will not have us, until it does.
    refusal: Mutex<Option<Refusal>>,
    stop: AtomicBool,
    sleeping: Mutex<()>,
    wake: Condvar,
}

impl Health {
    fn set_available(&self, available: bool) {
        if self.available.swap(available, Ordering::AcqRel) != available {
            if available {
                *lock(&self.refusal) = None;
                tracing::info!("hints can be made durable");
            } else {
                tracing::warn!("hints cannot be made durable: Kafka is not reachable");
            }
            self.metrics.available.set(f64::from(u8::from(available)));
        }
    }

    fn succeeded(&self) {
        self.failures.store(0, Ordering::Release);
        self.acknowledged.store(true, Ordering::Release);
    }

    fn failed(&self) {
        if self.failures.fetch_add(1, Ordering::AcqRel) + 1 >= FAILURES {
            self.set_available(false);
        }
        self.wake.notify_all();
    }

    fn on_error(&self, code: RDKafkaErrorCode, refusal: Option<&Refusal>) {
        if let Some(refusal) = refusal {
            *lock(&self.refusal) = Some(refusal.clone());
        }
        // The latter too: with its sparse connections librdkafka may never count the last broker as down.
        if matches!(code, RDKafkaErrorCode::AllBrokersDown | RDKafkaErrorCode::BrokerTransportFailure) {
            self.suspect.store(true, Ordering::Release);
            self.wake.notify_all();
        }
    }

    fn wait(&self, within: Duration) {
        let guard = lock(&self.sleeping);
        drop(self.wake.wait_timeout(guard, within).unwrap_or_else(PoisonError::into_inner));
    }
}

/// What the producer's thread reports to.
struct Reports {
    listener: Listener,
    health: Arc<Health>,
}

hand_on_to_listener!(Reports, listener);

impl ProducerContext for Reports {
    type DeliveryOpaque = Box<InFlight>;

    fn delivery(&self, result: &DeliveryResult<'_>, hint: Box<InFlight>) {
        let outcome = match result {
            Ok(record) => {
                // Where it lies: for whoever looks for a hint that was acknowledged.
                tracing::debug!(
                    topic = record.topic(),
                    partition = record.partition(),
                    offset = record.offset(),
                    "acknowledged"
                );
                self.health.succeeded();
                Ok(())
            }
            Err((error, hint)) => {
                self.health.failed();
                // A right that is denied shows here only.
                let denied = error.rdkafka_error_code().filter(|code| Refusal::denied(*code, "").is_some());
                if let Some(code) = denied {
                    self.listener.tell(code, &format!("writing to {}: {code}", hint.topic()));
                }
                Err(error.clone())
            }
        };
        // Whoever waited may have gone; the outcome is counted where it was waited for.
        drop(hint.reply.send(outcome));
    }
}

type Producer = BaseProducer<Reports>;

/// What callers and prober share.
struct Inner {
    settings: KafkaSettings,
    names: TopicNames,
    places: Arc<Semaphore>,
    health: Arc<Health>,
    producer: Producer,
    /// Of `deliveries`, found by its label once.
    acknowledged: IntCounter,
}

impl Inner {
    fn create(settings: &KafkaSettings, health: &Arc<Health>) -> Result<Producer, KafkaError> {
        let mut config = settings.telling_client("hints");
        config
            .set("acks", "all")
            // A repeated hint is harmless, a lost one is not: an acknowledgement must come from a record that was
            // appended, never from one that was taken for a repeat (decision 0018).
            .set("enable.idempotence", "false")
            // Without numbers there is no bound, and at full load each hint would travel in a request of its own.
            .set("max.in.flight", "5")
            .set("partitioner", "murmur2_random")
            .set("linger.ms", millis(settings.hint_linger))
            .set("message.timeout.ms", millis(settings.hint_delivery_timeout))
            .set("retry.backoff.ms", "50")
            .set("queue.buffering.max.messages", (settings.hints_in_flight.max(1) * 2).to_string());
        let told = health.clone();
        let listener = Listener::new("hints", health.metrics.clone())
            .with_errors(Arc::new(move |code, refusal| told.on_error(code, refusal)));
        BaseProducer::from_config_and_context(&config, Reports { listener, health: health.clone() })
    }

    fn name_of(&self, topic: Topic) -> &str {
        if topic == Topic::Bulk { &self.names.bulk } else { &self.names.hints }
    }

    /// Hands a record over without waiting.
    fn hand_over(&self, record: &Record, in_flight: InFlight) -> Result<(), SinkError> {
        let name = self.name_of(record.topic);
        let mut next: BaseRecord<'_, String, Vec<u8>, Box<InFlight>> =
            BaseRecord::with_opaque_to(name, Box::new(in_flight));
        for (key, value) in &record.headers {
            let headers = next.headers.take().unwrap_or_else(|| OwnedHeaders::new_with_capacity(record.headers.len()));
            next.headers = Some(headers.insert(Header { key, value: Some(value) }));
        }
        next.key = record.key.as_ref();
        next.partition = record.partition;
        next.payload = record.payload.as_ref();
        let Err((error, _)) = self.producer.send(next) else {
            return Ok(());
        };
        match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::QueueFull) => Err(SinkError::Full),
            Some(code) => {
                self.health.on_error(code, None);
                Err(SinkError::Unavailable(error.to_string()))
            }
            None => Err(SinkError::Unavailable(error.to_string())),
        }
    }
}

/// The hint sink on Kafka.
pub struct KafkaHintSink {
    inner: Arc<Inner>,
}

impl KafkaHintSink {
    /// Starts it; Kafka may be away. [`HintSink::is_available`] becomes true once metadata was fetched.
    pub fn open(settings: KafkaSettings, metrics: KafkaMetrics) -> Result<KafkaHintSink, crate::OpenError> {
        metrics.available.set(0.0);
        let health = Arc::new(Health {
            metrics,
            available: AtomicBool::new(false),
            suspect: AtomicBool::new(false),
            failures: AtomicU32::new(0),
            acknowledged: AtomicBool::new(false),
            refusal: Mutex::default(),
            stop: AtomicBool::new(false),
            sleeping: Mutex::default(),
            wake: Condvar::new(),
        });
        let inner = Arc::new(Inner {
            names: settings.names(),
            places: Arc::new(Semaphore::new(settings.hints_in_flight)),
            producer: Inner::create(&settings, &health)?,
            acknowledged: health.metrics.deliveries.with_label_values(&["acknowledged"]),
            settings,
            health,
        });
        let sink = KafkaHintSink { inner };
        sink.spawn("hints-prober", prober::work)?;
        sink.spawn("hints-reports", |inner| {
            while !inner.health.stop.load(Ordering::Acquire) {
                inner.producer.poll(POLL);
            }
        })?;
        Ok(sink)
    }

    /// Starts a thread that runs until the sink is dropped.
    fn spawn(&self, name: &str, work: fn(&Inner)) -> std::io::Result<()> {
        let inner = self.inner.clone();
        std::thread::Builder::new().name(name.to_owned()).spawn(move || work(&inner)).map(drop)
    }

    /// Why the cluster will not have us, if it said so since hints could last be made durable.
    pub fn refusal(&self) -> Option<Refusal> {
        lock(&self.inner.health.refusal).clone()
    }

    /// Waits until no hint is in flight, at most `within`. Whether that was reached. Meanwhile new hints are `Full`.
    pub async fn flush(&self, within: Duration) -> bool {
        let all = u32::try_from(self.inner.settings.hints_in_flight).unwrap_or(u32::MAX);
        tokio::time::timeout(within, self.inner.places.acquire_many(all)).await.is_ok()
    }

    /// Hands a record over, and keeps nothing of it: librdkafka has a copy.
    fn hand_in(&self, record: Result<Record, RecordError>) -> Result<Handed, Failure> {
        let refused = |why: String| ("refused", SinkError::Unavailable(why));
        let record = record.map_err(|error| refused(error.to_string()))?;
        if !self.is_available() {
            return Err(refused("Kafka is not reachable".to_owned()));
        }
        let place = self.inner.places.clone().try_acquire_owned().map_err(|_| ("full", SinkError::Full))?;
        let (reply, answer) = oneshot::channel();
        match self.inner.hand_over(&record, InFlight { _place: place, reply }) {
            Ok(()) => Ok(Handed { topic: record.topic, answer }),
            Err(SinkError::Full) => Err(("full", SinkError::Full)),
            Err(error) => Err(("refused", error)),
        }
    }

    /// Waits for the acknowledgement of what was handed over; counts what became of it.
    async fn settled(&self, handed: Result<Handed, Failure>) -> Result<(), SinkError> {
        let result = match handed {
            Ok(handed) => self.acknowledged(handed).await,
            Err(failure) => Err(failure),
        };
        match &result {
            Ok(()) => self.inner.acknowledged.inc(),
            Err((word, _)) => self.inner.health.metrics.deliveries.with_label_values(&[*word]).inc(),
        }
        result.map_err(|(_, error)| error)
    }

    async fn acknowledged(&self, Handed { topic, answer }: Handed) -> Result<(), Failure> {
        let inner = &self.inner;
        match tokio::time::timeout(inner.settings.hint_deadline, answer).await {
            Ok(Ok(Ok(()))) => Ok(()),
            Ok(Ok(Err(error))) => {
                let topic = inner.name_of(topic);
                let denied = error.rdkafka_error_code().and_then(|code| Refusal::denied(code, topic));
                let unavailable = || SinkError::Unavailable(error.to_string());
                Err(("failed", denied.map_or_else(unavailable, |refusal| SinkError::Denied(refusal.to_string()))))
            }
            Ok(Err(_)) => Err(("failed", SinkError::Unavailable("the hint sink was closed".to_owned()))),
            Err(_) => {
                // A broker that hangs closes no connection: only a look tells it from one slow record.
                inner.health.suspect.store(true, Ordering::Release);
                inner.health.failed();
                Err(("late", SinkError::Unavailable("no acknowledgement in time".to_owned())))
            }
        }
    }
}

impl HintSink for KafkaHintSink {
    async fn accept(&self, key: &Key, lane: Lane, hint: &Hint) -> Result<(), SinkError> {
        self.settled(self.hand_in(record::hint(Topic::of_lane(lane), key, hint))).await
    }

    async fn request(&self, request: &Request) -> Result<(), SinkError> {
        self.settled(self.hand_in(record::request(request))).await
    }

    fn is_available(&self) -> bool {
        self.inner.health.available.load(Ordering::Acquire)
    }
}

impl Drop for KafkaHintSink {
    /// Lets the threads end; the last of them takes the producer with it, so that nothing here blocks.
    fn drop(&mut self) {
        self.inner.health.stop.store(true, Ordering::Release);
        self.inner.health.wake.notify_all();
    }
}
