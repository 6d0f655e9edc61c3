//! Figures of this room, and the ear that listens to librdkafka.
//!
//! Owns: every metric of this crate, declared once (what commits hold is counted by the reconciler); `Listener`, which
//! carries librdkafka's logs, statistics and errors to `tracing` and to the metrics. Must not know: what any of them leads to.

use crate::asking::CONNECTION;
use crate::refusal::Refusal;
use models::Lane;
use prometheus::core::Collector;
use prometheus::{
    Gauge, GaugeVec, Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
};
use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::statistics::{Partition, Statistics};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The metrics of this crate.
#[derive(Clone, Debug)]
pub struct KafkaMetrics {
    /// `argos_relay_kafka_transactions_total{outcome}`: committed, aborted, lost.
    pub commits: IntCounterVec,
    /// `argos_relay_ledger_restore_seconds`: from assignment to ready.
    pub restore_seconds: Histogram,
    /// `argos_relay_ledger_partitions{phase}`: restoring, running.
    pub partitions: IntGaugeVec,
    /// `argos_relay_ledger_open_transaction_waits`: restores that wait too long for somebody's open transaction.
    pub open_transaction_waits: IntGauge,
    /// `argos_relay_hints_expired_total{lane}`: hints that retention removed before they were settled.
    pub hints_expired: IntCounterVec,
    /// `argos_relay_records_too_large_total{topic}`: records that Kafka cannot take; their submission is set aside.
    pub records_too_large: IntCounterVec,
    /// `argos_relay_hints_foreign_total`: hints found on a wrong partition and moved.
    pub hints_foreign: IntCounter,
    /// `argos_relay_hint_deliveries_total{outcome}`: acknowledged, failed, late, refused, full.
    pub deliveries: IntCounterVec,
    /// `argos_relay_kafka_available`: whether a hint could be made durable.
    pub available: Gauge,
    /// `argos_relay_kafka_errors_total{client,kind}`: errors that librdkafka told of.
    pub errors: IntCounterVec,
    /// `argos_relay_kafka_queue_messages{client}`: records in librdkafka's queues.
    pub queue: GaugeVec,
    /// `argos_relay_kafka_consumer_lag{topic,partition}`: hints not read yet, of assigned partitions.
    pub lag: GaugeVec,
    /// `argos_relay_kafka_consumer_position{topic,partition}`: the next offset to be read, of assigned partitions.
    pub position: GaugeVec,
}

/// Declares metrics under the project's prefix.
struct Declare<'a>(&'a Registry);

impl Declare<'_> {
    fn options(name: &str, help: &str) -> Opts {
        Opts::new(name, help).namespace("argos_relay")
    }

    fn add<M: Collector + Clone + 'static>(
        &self,
        metric: Result<M, prometheus::Error>,
    ) -> Result<M, prometheus::Error> {
        let metric = metric?;
        self.0.register(Box::new(metric.clone()))?;
        Ok(metric)
    }

    fn counters(&self, name: &str, help: &str, labels: &[&str]) -> Result<IntCounterVec, prometheus::Error> {
        self.add(IntCounterVec::new(Self::options(name, help), labels))
    }

    fn gauges(&self, name: &str, help: &str, labels: &[&str]) -> Result<GaugeVec, prometheus::Error> {
        self.add(GaugeVec::new(Self::options(name, help), labels))
    }

    fn histogram(&self, name: &str, help: &str, buckets: &[f64]) -> Result<Histogram, prometheus::Error> {
        let options = HistogramOpts::from(Self::options(name, help)).buckets(buckets.to_vec());
        self.add(Histogram::with_opts(options))
    }
}

/// The clients by the word in their metrics.
const CLIENTS: [&str; 5] = ["hints", "ledger", "group", "foreign", "replay"];
/// The kinds of errors; [`Listener::kind`] sorts them.
const KINDS: [&str; 10] = [
    "all_brokers_down",
    "transport",
    "authentication",
    "authorization",
    "resolve",
    "tls",
    "unknown_topic",
    "poll_exceeded",
    "fatal",
    "other",
];

/// Seconds; a restore waits at most for an open transaction.
const RESTORE_BUCKETS: [f64; 11] = [0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0];

impl KafkaMetrics {
    /// Declares and registers all of them.
    pub fn register(registry: &Registry) -> Result<KafkaMetrics, prometheus::Error> {
        let declare = Declare(registry);
        let metrics = KafkaMetrics {
            commits: declare.counters("kafka_transactions_total", "Transactions by outcome.", &["outcome"])?,
            restore_seconds: declare.histogram(
                "ledger_restore_seconds",
                "From the assignment of a partition to ready.",
                &RESTORE_BUCKETS,
            )?,
            partitions: declare.add(IntGaugeVec::new(
                Declare::options("ledger_partitions", "Partitions held, by phase."),
                &["phase"],
            ))?,
            open_transaction_waits: declare.add(IntGauge::with_opts(Declare::options(
                "ledger_open_transaction_waits",
                "Restores that wait too long for an open transaction.",
            )))?,
            hints_expired: declare.counters(
                "hints_expired_total",
                "Hints removed by retention unsettled.",
                &["lane"],
            )?,
            records_too_large: declare.counters(
                "records_too_large_total",
                "Records larger than Kafka takes; nothing of their submission was written.",
                &["topic"],
            )?,
            hints_foreign: declare.add(IntCounter::with_opts(Declare::options(
                "hints_foreign_total",
                "Hints on a wrong partition, moved to theirs.",
            )))?,
            deliveries: declare.counters(
                "hint_deliveries_total",
                "Hints handed to Kafka, by outcome.",
                &["outcome"],
            )?,
            available: declare.add(Gauge::with_opts(Declare::options(
                "kafka_available",
                "1 if a hint could be made durable right now.",
            )))?,
            errors: declare.counters("kafka_errors_total", "Errors told by librdkafka.", &["client", "kind"])?,
            queue: declare.gauges("kafka_queue_messages", "Records in librdkafka's queues.", &["client"])?,
            lag: declare.gauges(
                "kafka_consumer_lag",
                "Hints not read yet, of the partitions assigned to this replica; every 10 s.",
                &["topic", "partition"],
            )?,
            position: declare.gauges(
                "kafka_consumer_position",
                "The offset of the next hint to be read, of the partitions assigned to this replica; every 10 s.",
                &["topic", "partition"],
            )?,
        };
        metrics.declare_fixed();
        Ok(metrics)
    }

    /// Makes every series exist whose labels are words of ours, so that the first failure shows as an increase.
    fn declare_fixed(&self) {
        let all = |vec: &IntCounterVec, words: &[&str]| {
            for word in words {
                vec.with_label_values(&[*word]).inc_by(0);
            }
        };
        all(&self.commits, &["committed", "aborted", "lost"]);
        all(&self.hints_expired, &[Lane::Live.as_str(), Lane::Bulk.as_str()]);
        all(&self.deliveries, &["acknowledged", "failed", "late", "refused", "full"]);
        for (client, kind) in CLIENTS.iter().flat_map(|client| KINDS.iter().map(move |kind| (client, kind))) {
            self.errors.with_label_values(&[*client, *kind]).inc_by(0);
        }
        for phase in ["waiting", "restoring", "running"] {
            self.partitions.with_label_values(&[phase]).set(0);
        }
    }

    /// Makes the series of topics exist. `topics` are their full names.
    pub(crate) fn declare_topics<'a>(&self, topics: impl IntoIterator<Item = &'a str>) {
        for topic in topics {
            self.records_too_large.with_label_values(&[topic]).inc_by(0);
        }
    }

    /// How far a partition of hints is read. librdkafka's own figure of the lag goes by offsets that it committed itself;
    /// ours go with the transactions.
    fn reading(&self, topic: &str, partition: &Partition) {
        let known = [partition.app_offset, partition.committed_offset, partition.next_offset];
        let Some(position) = known.into_iter().find(|offset| *offset >= 0) else { return };
        let number = partition.partition.to_string();
        self.position.with_label_values(&[topic, &number]).set(position as f64);
        if partition.ls_offset >= 0 {
            let lag = partition.ls_offset.saturating_sub(position).max(0);
            self.lag.with_label_values(&[topic, &number]).set(lag as f64);
        }
    }
}

/// librdkafka's word for a topic that joins a transaction.
const ADD_PARTITIONS: &str = "ADDPARTS";

/// Who wants to know of errors, and of refusals among them.
type Hook = Arc<dyn Fn(RDKafkaErrorCode, Option<&Refusal>) + Send + Sync>;

/// What librdkafka says, carried on. One for each client.
pub(crate) struct Listener {
    client: &'static str,
    metrics: KafkaMetrics,
    on_error: Option<Hook>,
    /// When each kind of error was last told.
    told: Mutex<BTreeMap<&'static str, Instant>>,
}

/// An outage repeats the same errors many times a second; so often each kind is told at most.
const TELL_AGAIN: Duration = Duration::from_secs(10);

impl Listener {
    pub(crate) fn new(client: &'static str, metrics: KafkaMetrics) -> Listener {
        Listener { client, metrics, on_error: None, told: Mutex::default() }
    }

    /// With somebody who wants to know of errors; called on a polling thread, so it must be quick.
    pub(crate) fn with_errors(mut self, hook: Hook) -> Listener {
        self.on_error = Some(hook);
        self
    }

    fn kind(code: RDKafkaErrorCode) -> &'static str {
        match code {
            RDKafkaErrorCode::AllBrokersDown => "all_brokers_down",
            RDKafkaErrorCode::BrokerTransportFailure => "transport",
            RDKafkaErrorCode::Authentication | RDKafkaErrorCode::SaslAuthenticationFailed => "authentication",
            RDKafkaErrorCode::TopicAuthorizationFailed
            | RDKafkaErrorCode::GroupAuthorizationFailed
            | RDKafkaErrorCode::ClusterAuthorizationFailed
            | RDKafkaErrorCode::TransactionalIdAuthorizationFailed => "authorization",
            RDKafkaErrorCode::Resolve => "resolve",
            RDKafkaErrorCode::SSL => "tls",
            RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic => "unknown_topic",
            RDKafkaErrorCode::PollExceeded => "poll_exceeded",
            RDKafkaErrorCode::Fatal | RDKafkaErrorCode::Fenced => "fatal",
            _ => "other",
        }
    }

    /// Tells of an error, and what to do about it if it is a refusal.
    pub(crate) fn tell(&self, code: RDKafkaErrorCode, reason: &str) {
        let refusal = Refusal::of(code, reason);
        let (client, kind, now) = (self.client, Listener::kind(code), Instant::now());
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.get(kind).is_some_and(|at| now.saturating_duration_since(*at) < TELL_AGAIN) {
            tracing::debug!(client, kind, "kafka client: {reason}");
        } else {
            told.insert(kind, now);
            if let Some(refusal) = &refusal {
                tracing::error!(client, kind, "{refusal}");
            } else {
                tracing::info!(client, kind, "kafka client: {reason}");
            }
        }
        drop(told);
        self.metrics.errors.with_label_values(&[self.client, kind]).inc();
        if let Some(hook) = &self.on_error {
            hook(code, refusal.as_ref());
        }
    }
}

impl ClientContext for Listener {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        let client = self.client;
        // A connection that fails is told as an error too; but for that it may speak another protocol.
        let fails = facility == CONNECTION;
        match level {
            RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info
                if fails && Refusal::of(RDKafkaErrorCode::BrokerTransportFailure, message).is_some() =>
            {
                self.tell(RDKafkaErrorCode::BrokerTransportFailure, message);
            }
            // Which topic a transaction may not write to is only logged, and the records then fail for another reason.
            _ if facility == ADD_PARTITIONS && message.contains("Topic authorization failed") => {
                self.tell(RDKafkaErrorCode::TopicAuthorizationFailed, message);
            }
            _ if fails => tracing::debug!(client, facility, "librdkafka: {message}"),
            RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical | RDKafkaLogLevel::Error => {
                tracing::warn!(client, facility, "librdkafka: {message}");
            }
            RDKafkaLogLevel::Warning => tracing::info!(client, facility, "librdkafka: {message}"),
            _ => tracing::debug!(client, facility, "librdkafka: {message}"),
        }
    }

    fn stats(&self, statistics: Statistics) {
        self.metrics.queue.with_label_values(&[self.client]).set(statistics.msg_cnt as f64);
        for topic in statistics.topics.values() {
            // Only a consumer fetches, and only what is assigned to it.
            for partition in topic.partitions.values().filter(|one| one.partition >= 0 && one.fetch_state == "active") {
                self.metrics.reading(&topic.topic, partition);
            }
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        let Some(code) = error.rdkafka_error_code() else {
            return;
        };
        if code != RDKafkaErrorCode::PartitionEOF {
            self.tell(code, reason);
        }
    }
}

/// Lets a client's context hand on what librdkafka says to the [`Listener`] in the named field.
macro_rules! hand_on_to_listener {
    ($context:ty, $field:tt) => {
        impl rdkafka::ClientContext for $context {
            fn log(&self, level: rdkafka::config::RDKafkaLogLevel, facility: &str, message: &str) {
                self.$field.log(level, facility, message);
            }

            fn stats(&self, statistics: rdkafka::Statistics) {
                self.$field.stats(statistics);
            }

            fn error(&self, error: rdkafka::error::KafkaError, reason: &str) {
                self.$field.error(error, reason);
            }
        }
    };
}
pub(crate) use hand_on_to_listener;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_registers_once_under_the_projects_prefix() {
        let registry = Registry::new();
        let metrics = KafkaMetrics::register(&registry).unwrap();
        metrics.commits.with_label_values(&["committed"]).inc();
        assert!(KafkaMetrics::register(&registry).is_err());
        assert!(registry.gather().iter().all(|family| family.name().starts_with("argos_relay_")));
    }

    #[test]
    fn the_lag_is_what_was_not_read_whatever_was_committed() {
        let metrics = KafkaMetrics::register(&Registry::new()).unwrap();
        let told = |vec: &GaugeVec| vec.with_label_values(&["kyc.hints.v1", "3"]).get() as i64;
        // (read, committed by librdkafka, to be fetched, end) -> (position, lag)
        for (offsets, expected) in
            [([70, 10, 90, 100], (70, 30)), ([-1001, 10, 90, 100], (10, 90)), ([-1001, -1001, 100, 100], (100, 0))]
        {
            let [app_offset, committed_offset, next_offset, ls_offset] = offsets;
            let partition = Partition {
                partition: 3,
                app_offset,
                committed_offset,
                next_offset,
                ls_offset,
                ..Partition::default()
            };
            metrics.reading("kyc.hints.v1", &partition);
            assert_eq!((told(&metrics.position), told(&metrics.lag)), expected, "{offsets:?}");
        }
    }
}
