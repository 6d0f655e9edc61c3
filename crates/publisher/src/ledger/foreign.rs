//! Hints on a wrong partition.
//!
//! Owns: moving a hint that a foreign partitioner put beside its ledger entry to the partition where it belongs. It is
//! acknowledged there before its old offset may count as settled. Rare by design, so one at a time is good enough.

use super::Shared;
use crate::settings::millis;
use crate::stats::{Listener, hand_on_to_listener};
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::producer::{BaseProducer, BaseRecord, DeliveryResult, Producer, ProducerContext};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// How long one move may take before the record is read again.
const PATIENCE: Duration = Duration::from_secs(5);

type Answer = Arc<Mutex<Option<Result<(), KafkaError>>>>;

struct Reports(Listener);

hand_on_to_listener!(Reports, 0);

impl ProducerContext for Reports {
    type DeliveryOpaque = Box<Answer>;

    fn delivery(&self, result: &DeliveryResult<'_>, answer: Box<Answer>) {
        let outcome = result.as_ref().map(|_| ()).map_err(|(error, _)| error.clone());
        *super::lock(&answer) = Some(outcome);
    }
}

/// The producer for it, made at the first need.
#[derive(Default)]
pub(super) struct Mover(Option<BaseProducer<Reports>>);

impl Mover {
    /// Copies the record to another partition of its topic and waits for the acknowledgement.
    pub(super) fn move_to(
        &mut self,
        shared: &Shared,
        message: &BorrowedMessage<'_>,
        partition: i32,
    ) -> Result<(), KafkaError> {
        let producer = match self.0.take() {
            Some(producer) => producer,
            None => create(shared)?,
        };
        let result = carry(&producer, message, partition);
        // After an error the state of the producer is not worth a thought: the next move makes a new one.
        if result.is_ok() {
            self.0 = Some(producer);
            shared.metrics.hints_foreign.inc();
        }
        result
    }
}

fn create(shared: &Shared) -> Result<BaseProducer<Reports>, KafkaError> {
    let mut config = shared.settings.client("foreign");
    config
        .set("acks", "all")
        // As for all hints (decision 0018).
        .set("enable.idempotence", "false")
        .set("linger.ms", "0")
        .set("message.timeout.ms", millis(PATIENCE));
    BaseProducer::from_config_and_context(&config, Reports(Listener::new("foreign", shared.metrics.clone())))
}

fn carry(producer: &BaseProducer<Reports>, message: &BorrowedMessage<'_>, partition: i32) -> Result<(), KafkaError> {
    let answer = Answer::default();
    let mut record: BaseRecord<'_, [u8], [u8], Box<Answer>> =
        BaseRecord::with_opaque_to(message.topic(), Box::new(answer.clone())).partition(partition);
    record.key = message.key();
    record.payload = message.payload();
    record.headers = message.headers().map(rdkafka::message::BorrowedHeaders::detach);
    producer.send(record).map_err(|(error, _)| error)?;
    let deadline = Instant::now() + PATIENCE * 2;
    loop {
        producer.poll(Duration::from_millis(1));
        if let Some(outcome) = super::lock(&answer).take() {
            return outcome;
        }
        if Instant::now() >= deadline || producer.in_flight_count() == 0 {
            return Err(KafkaError::Canceled);
        }
    }
}
