//! Clients that ask the cluster something once, and hear it at once when the cluster refuses.
//!
//! Owns: the ear of such a client, and the metadata question in slices, between which it listens. Must not know: what
//! the answer is for.
//!
//! Path: [`client`]; [`metadata`], [`committed`]. All calls block.

use crate::ledger::lock;
use crate::refusal::Refusal;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::metadata::Metadata;
use rdkafka::{ClientConfig, TopicPartitionList};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Between two moments of listening.
const SLICE: Duration = Duration::from_secs(1);
/// News that may have come meanwhile.
const NEWS: usize = 64;

/// librdkafka's word for a connection that failed.
pub(crate) const CONNECTION: &str = "FAIL";

/// Hears why the cluster refuses.
#[derive(Default)]
pub(crate) struct Ear(Mutex<Option<Refusal>>);

impl ClientContext for Ear {
    fn error(&self, error: KafkaError, reason: &str) {
        if let Some(refusal) = error.rdkafka_error_code().and_then(|code| Refusal::of(code, reason)) {
            *lock(&self.0) = Some(refusal);
        }
    }

    fn log(&self, _: RDKafkaLogLevel, facility: &str, message: &str) {
        tracing::debug!(facility, "librdkafka: {message}");
        // Where a broker closes the connection, that it may speak another protocol is only logged.
        if facility == CONNECTION
            && let Some(refusal) = Refusal::of(RDKafkaErrorCode::BrokerTransportFailure, message)
        {
            *lock(&self.0) = Some(refusal);
        }
    }
}

impl ConsumerContext for Ear {}

/// A consumer that asks.
pub(crate) type Client = BaseConsumer<Ear>;

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum Unanswered {
    /// The cluster refuses.
    Refused(Refusal),
    /// It is away.
    Away(KafkaError),
}

/// A client from its configuration.
pub(crate) fn client(config: &ClientConfig) -> KafkaResult<Client> {
    config.create_with_context(Ear::default())
}

/// How far a group has come. That we may not see it, only who polls is told; the question itself just finds no answer.
pub(crate) fn committed(
    client: &Client,
    wanted: &TopicPartitionList,
    within: Duration,
) -> KafkaResult<TopicPartitionList> {
    let until = Instant::now() + within;
    loop {
        let left = until.saturating_duration_since(Instant::now());
        let error = match client.committed_offsets(wanted.clone(), left.min(SLICE)) {
            Ok(offsets) => return Ok(offsets),
            Err(error) => error,
        };
        // Nothing is assigned: what comes is news.
        let mut news = std::iter::from_fn(|| client.poll(Duration::ZERO)).take(NEWS).filter_map(Result::err);
        let denied =
            |error: &KafkaError| error.rdkafka_error_code() == Some(RDKafkaErrorCode::GroupAuthorizationFailed);
        if let Some(denied) = news.find(denied) {
            return Err(denied);
        }
        if Instant::now() >= until {
            return Err(error);
        }
    }
}

/// The cluster's metadata, of one topic or of all that are shown to us.
pub(crate) fn metadata(client: &Client, topic: Option<&str>, within: Duration) -> Result<Metadata, Unanswered> {
    let until = Instant::now() + within;
    loop {
        let left = until.saturating_duration_since(Instant::now());
        let error = match client.fetch_metadata(topic, left.min(SLICE)) {
            Ok(metadata) => return Ok(metadata),
            Err(error) => error,
        };
        // Nothing is assigned: what comes is news, and only polling brings it to the ear.
        for _ in 0..NEWS {
            if client.poll(Duration::ZERO).is_none() {
                break;
            }
        }
        if let Some(refusal) = lock(&client.context().0).take() {
            return Err(Unanswered::Refused(refusal));
        }
        if Instant::now() >= until {
            return Err(Unanswered::Away(error));
        }
    }
}
