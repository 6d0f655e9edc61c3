//! What the operator says about Kafka, and what may not be said.
//!
//! Owns: the settings of this room with their defaults, the names of the seven topics, and the refusal of
//! librdkafka properties that would break a promise. Must not know: where settings come from (file, environment).
//!
//! Path: `relay` fills [`KafkaSettings`]; [`KafkaSettings::problems`] is shown whole by `config check`; the clients of
//! this room start from one common configuration.

use crate::record::{Form, Topic};
use crate::schemas::SchemaIds;
use crate::sealing::Sealer;
use rdkafka::ClientConfig;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// The names of the topics, without the prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicNames {
    /// Events for downstream.
    pub events: String,
    /// The compacted state for downstream.
    pub state: String,
    /// Dead letters.
    pub dead_letters: String,
    /// Notifications for operators.
    pub notifications: String,
    /// Live hints.
    pub hints: String,
    /// Bulk hints.
    pub bulk: String,
    /// The ledger.
    pub ledger: String,
}

impl Default for TopicNames {
    fn default() -> TopicNames {
        TopicNames {
            events: "kyc.submission.events.v1".to_owned(),
            state: "kyc.submission.state.v1".to_owned(),
            dead_letters: "kyc.submission.dlq.v1".to_owned(),
            notifications: "kyc.control.notifications.v1".to_owned(),
            hints: "kyc.hints.v1".to_owned(),
            bulk: "kyc.hints.bulk.v1".to_owned(),
            ledger: "kyc.ledger.v1".to_owned(),
        }
    }
}

impl TopicNames {
    /// All seven with the keys by which a configuration names them.
    pub fn all(&self) -> [(&'static str, &str); 7] {
        [
            ("events", &self.events),
            ("state", &self.state),
            ("dead_letters", &self.dead_letters),
            ("notifications", &self.notifications),
            ("hints", &self.hints),
            ("bulk", &self.bulk),
            ("ledger", &self.ledger),
        ]
    }

    /// One of them.
    pub fn of(&self, topic: Topic) -> &str {
        match topic {
            Topic::Events => &self.events,
            Topic::State => &self.state,
            Topic::DeadLetters => &self.dead_letters,
            Topic::Notifications => &self.notifications,
            Topic::Hints => &self.hints,
            Topic::Bulk => &self.bulk,
            Topic::Ledger => &self.ledger,
        }
    }

    /// The names with a prefix put before each.
    #[must_use]
    pub fn prefixed(&self, prefix: &str) -> TopicNames {
        let name = |plain: &str| format!("{prefix}{plain}");
        TopicNames {
            events: name(&self.events),
            state: name(&self.state),
            dead_letters: name(&self.dead_letters),
            notifications: name(&self.notifications),
            hints: name(&self.hints),
            bulk: name(&self.bulk),
            ledger: name(&self.ledger),
        }
    }
}

/// Everything about Kafka that an operator can set. `Debug` shows where and who, and no property: some are secrets.
#[derive(Clone)]
pub struct KafkaSettings {
    /// `host:port`, separated by commas.
    pub bootstrap_servers: String,
    /// The consumer group; also the first part of the transactional id.
    pub group_id: String,
    /// Differs between replicas, stable over restarts.
    pub instance_id: String,
    /// Put before every topic name.
    pub topic_prefix: String,
    /// The names behind the prefix.
    pub topics: TopicNames,
    /// Partitions of each topic, for `topics apply`.
    pub partitions: i32,
    /// Replicas of each partition, for `topics apply`.
    pub replication_factor: i32,
    /// Handed to librdkafka as they stand (TLS, SASL, compression).
    pub properties: BTreeMap<String, String>,
    /// Whether the group member keeps its place over a restart. With it, a replica that is closed in order hands its
    /// partitions over only after `session_timeout`; without it, at once, but each restart rebalances the group twice.
    pub static_membership: bool,
    /// How long the group waits for a silent member.
    pub session_timeout: Duration,
    /// How often a member shows itself.
    pub heartbeat_interval: Duration,
    /// How long a member may be without polling.
    pub max_poll_interval: Duration,
    /// How long the broker leaves a transaction open; bounds the wait of the next owner.
    pub transaction_timeout: Duration,
    /// How long the front door waits for an acknowledgement.
    pub hint_deadline: Duration,
    /// How long librdkafka tries to deliver a hint, whether or not anyone still waits.
    pub hint_delivery_timeout: Duration,
    /// How long hints are gathered into one request.
    pub hint_linger: Duration,
    /// Hints that may wait for their acknowledgement.
    pub hints_in_flight: usize,
    /// Unsettled hints of one partition and lane before it is paused; it goes on below half.
    pub unsettled_window: u64,
    /// Events that wait for the reconciler.
    pub event_buffer: usize,
    /// Partitions whose ledger is read at the same time.
    pub restore_threads: usize,
    /// After how long entries kept from an earlier assignment are no longer trusted.
    pub keep_entries_for: Duration,
    /// After how long a restore that waits for an open transaction is named.
    pub name_open_transaction_after: Duration,
    /// After how long without an answer the clients that read the past are made anew.
    pub replace_silent_client_after: Duration,
    /// Seals the protected fields of events and snapshots; `None` = there are none.
    pub sealer: Option<Arc<Sealer>>,
    /// Frames the values of public topics; `None` = they are plain JSON.
    pub schema_ids: Option<Arc<SchemaIds>>,
}

impl fmt::Debug for KafkaSettings {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("KafkaSettings")
            .field("bootstrap_servers", &self.bootstrap_servers)
            .field("group_id", &self.group_id)
            .field("instance_id", &self.instance_id)
            .field("topic_prefix", &self.topic_prefix)
            .finish_non_exhaustive()
    }
}

impl Default for KafkaSettings {
    fn default() -> KafkaSettings {
        KafkaSettings {
            bootstrap_servers: "127.0.0.1:9092".to_owned(),
            group_id: "argos-relay".to_owned(),
            instance_id: "relay-0".to_owned(),
            topic_prefix: String::new(),
            topics: TopicNames::default(),
            partitions: 12,
            replication_factor: 3,
            properties: BTreeMap::new(),
            static_membership: true,
            session_timeout: Duration::from_secs(10),
            heartbeat_interval: Duration::from_secs(3),
            max_poll_interval: Duration::from_mins(1),
            transaction_timeout: Duration::from_secs(10),
            hint_deadline: Duration::from_secs(4),
            hint_delivery_timeout: Duration::from_mins(2),
            hint_linger: Duration::from_millis(1),
            hints_in_flight: 4096,
            unsettled_window: 10_000,
            event_buffer: 4096,
            restore_threads: 2,
            keep_entries_for: Duration::from_hours(1),
            name_open_transaction_after: Duration::from_mins(1),
            replace_silent_client_after: Duration::from_secs(10),
            sealer: None,
            schema_ids: None,
        }
    }
}

/// One thing that is wrong with the settings.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("kafka.{key}: {message}")]
pub struct Problem {
    /// The key below `kafka`, for example `properties.acks`.
    pub key: String,
    /// What is wrong, and why it matters.
    pub message: String,
}

/// How often a client tells its figures.
const FIGURES: &str = "statistics.interval.ms";

/// Properties that the relay sets itself, and what would break if somebody else did.
const REFUSED: [(&str, &str); 24] = [
    ("acks", "a webhook is answered only once all in-sync replicas have its hint"),
    ("request.required.acks", "a webhook is answered only once all in-sync replicas have its hint"),
    ("enable.idempotence", "transactions need it, and hints do without: an acknowledged one must have been appended"),
    ("max.in.flight", "retries must not reorder what a transaction writes"),
    ("max.in.flight.requests.per.connection", "retries must not reorder what a transaction writes"),
    ("isolation.level", "aborted decisions must not be read, and offsets must be stable"),
    ("auto.offset.reset", "hints that nobody has seen yet must not be skipped"),
    ("topic.auto.offset.reset", "hints that nobody has seen yet must not be skipped"),
    ("enable.auto.commit", "offsets ride in the transaction that settles them"),
    ("auto.commit.enable", "offsets ride in the transaction that settles them"),
    ("enable.auto.offset.store", "offsets ride in the transaction that settles them"),
    ("partition.assignment.strategy", "bulk and ledger partitions follow the hints' by number"),
    ("group.protocol", "bulk and ledger partitions follow the hints' by number"),
    ("group.remote.assignor", "bulk and ledger partitions follow the hints' by number"),
    ("partitioner", "a submission's hints must meet its ledger entry in one partition"),
    ("enable.partition.eof", "the end of the ledger is found by it"),
    ("transactional.id", "it is made of kafka.group_id and kafka.instance_id; fencing rests on it"),
    ("transaction.timeout.ms", "set by kafka.transaction_timeout; it bounds how long the next owner waits"),
    ("group.id", "set by kafka.group_id"),
    ("group.instance.id", "set by kafka.instance_id"),
    ("session.timeout.ms", "set by kafka.session_timeout"),
    ("heartbeat.interval.ms", "set by kafka.heartbeat_interval"),
    ("max.poll.interval.ms", "set by kafka.max_poll_interval"),
    ("message.timeout.ms", "set by kafka.hint_delivery_timeout"),
];

impl KafkaSettings {
    /// The topics with their prefix.
    pub fn names(&self) -> TopicNames {
        self.topics.prefixed(&self.topic_prefix)
    }

    /// How public records are written.
    pub fn form(&self) -> Form<'_> {
        Form { sealer: self.sealer.as_deref(), schema_ids: self.schema_ids.as_deref() }
    }

    /// The transactional id of this instance: unique in the cluster as long as groups and instances are.
    pub fn transactional_id(&self) -> String {
        format!("{}-{}", self.group_id, self.instance_id)
    }

    /// The largest record that the clients hand over, in bytes: `kafka.properties`' `message.max.bytes`, or librdkafka's
    /// default. Topics must take at least as much.
    pub fn largest_record(&self) -> usize {
        self.properties.get("message.max.bytes").and_then(|text| text.parse().ok()).unwrap_or(1_000_000)
    }

    /// Everything that is wrong, by key; empty if all is well.
    pub fn problems(&self) -> Vec<Problem> {
        let mut found = Vec::new();
        let mut wrong = |key: &str, message: &str| {
            found.push(Problem { key: key.to_owned(), message: message.to_owned() });
        };
        for (key, text) in [
            ("bootstrap_servers", &self.bootstrap_servers),
            ("group_id", &self.group_id),
            ("instance_id", &self.instance_id),
        ] {
            if text.trim().is_empty() {
                wrong(key, "must not be empty");
            }
        }
        if self.partitions < 1 {
            wrong("partitions", "must be at least 1");
        }
        if !(1..=i32::from(i16::MAX)).contains(&self.replication_factor) {
            wrong("replication_factor", "must be at least 1");
        }
        for (key, number) in [
            ("hints_in_flight", self.hints_in_flight),
            ("event_buffer", self.event_buffer),
            ("restore_threads", self.restore_threads),
            ("unsettled_window", self.unsettled_window as usize),
        ] {
            if number == 0 {
                wrong(key, "must be at least 1");
            }
        }
        if self.heartbeat_interval * 3 > self.session_timeout {
            wrong("heartbeat_interval", "must be at most a third of session_timeout");
        }
        if self.session_timeout > self.max_poll_interval {
            wrong("max_poll_interval", "must not be shorter than session_timeout");
        }
        if self.transaction_timeout * 2 > self.max_poll_interval {
            wrong("transaction_timeout", "must be at most half of max_poll_interval: a rebalance waits for a commit");
        }
        self.check_topics(&mut found);
        self.check_properties(&mut found);
        found
    }

    fn check_topics(&self, found: &mut Vec<Problem>) {
        let names = self.names();
        let all = names.all();
        for (at, (key, name)) in all.iter().enumerate() {
            let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
            if name.is_empty() || name.len() > 249 || !name.bytes().all(legal) {
                let message = "with its prefix, must be 1 to 249 characters of a-z, A-Z, 0-9, '.', '_', '-'";
                found.push(Problem { key: format!("topics.{key}"), message: message.to_owned() });
            }
            if let Some((other, _)) = all.iter().take(at).find(|(_, earlier)| earlier == name) {
                found.push(Problem { key: format!("topics.{key}"), message: format!("is the same as topics.{other}") });
            }
        }
    }

    fn check_properties(&self, found: &mut Vec<Problem>) {
        let mut config = ClientConfig::new();
        for (key, value) in &self.properties {
            if let Some((_, why)) = REFUSED.iter().find(|(refused, _)| refused == key) {
                found
                    .push(Problem { key: format!("properties.{key}"), message: format!("is not yours to set: {why}") });
            } else if key.starts_with("sasl.mechanism") && value.to_ascii_uppercase().contains("OAUTHBEARER") {
                let message = "its tokens are made by a callback that the service does not have: use SCRAM, PLAIN over \
                               TLS, or mutual TLS";
                found.push(Problem { key: format!("properties.{key}"), message: message.to_owned() });
            } else {
                // Asked one by one, so that every unknown property is named, not only the first.
                config = ClientConfig::new();
                config.set(key, value);
                if config.create_native_config().is_err() {
                    let message = "librdkafka does not know this property or value".to_owned();
                    found.push(Problem { key: format!("properties.{key}"), message });
                }
            }
        }
        drop(config);
    }

    /// What every client of this room starts from; `role` names it in the broker's log.
    pub(crate) fn client(&self, role: &str) -> ClientConfig {
        let mut config = ClientConfig::new();
        config
            .set("reconnect.backoff.ms", "50")
            .set("reconnect.backoff.max.ms", "500")
            .set("client.id", format!("{}-{role}", self.transactional_id()));
        for (key, value) in self.properties.iter().filter(|(key, _)| *key != FIGURES) {
            config.set(key, value);
        }
        config.set("bootstrap.servers", &self.bootstrap_servers);
        config
    }

    /// As [`KafkaSettings::client`], for one that lives long: it tells its figures, every 10 s unless the properties say
    /// otherwise.
    pub(crate) fn telling_client(&self, role: &str) -> ClientConfig {
        let mut config = self.client(role);
        config.set(FIGURES, self.properties.get(FIGURES).map_or("10000", String::as_str));
        config
    }
}

/// Whole milliseconds, as librdkafka wants them.
pub(crate) fn millis(duration: Duration) -> String {
    duration.as_millis().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_sound() {
        assert_eq!(KafkaSettings::default().problems(), []);
    }

    #[test]
    fn no_debug_output_shows_a_property() {
        let properties = BTreeMap::from([("sasl.password".to_owned(), "hush-hush".to_owned())]);
        let settings = KafkaSettings { properties, ..KafkaSettings::default() };
        assert!(!format!("{settings:?} {settings:#?}").contains("hush"), "{settings:?}");
    }

    #[test]
    fn every_problem_is_named_at_once() {
        let mut settings = KafkaSettings { partitions: 0, group_id: " ".to_owned(), ..KafkaSettings::default() };
        settings.topic_prefix = "a b".to_owned();
        settings.properties.insert("acks".to_owned(), "1".to_owned());
        settings.properties.insert("no.such.thing".to_owned(), "1".to_owned());
        settings.properties.insert("compression.type".to_owned(), "lz4".to_owned());
        let keys: Vec<_> = settings.problems().into_iter().map(|problem| problem.key).collect();
        for key in ["partitions", "group_id", "topics.events", "properties.acks", "properties.no.such.thing"] {
            assert!(keys.iter().any(|found| found == key), "{key} is missing in {keys:?}");
        }
        assert!(!keys.contains(&"properties.compression.type".to_owned()));
        // Clients would wait for a token for ever, and say nothing.
        settings.properties = BTreeMap::from([("sasl.mechanism".to_owned(), "oauthbearer".to_owned())]);
        assert!(settings.problems().iter().any(|problem| problem.key == "properties.sasl.mechanism"));
    }

    #[test]
    fn every_refused_property_is_refused_and_known_to_librdkafka() {
        for (key, _) in REFUSED {
            let mut settings = KafkaSettings::default();
            settings.properties.insert(key.to_owned(), "x".to_owned());
            let problems = settings.problems();
            assert_eq!(problems.len(), 1, "{key}");
            assert!(problems[0].message.contains("not yours"), "{key}");
        }
    }

    #[test]
    fn two_topics_of_one_name_are_refused() {
        let mut settings = KafkaSettings::default();
        settings.topics.bulk = settings.topics.hints.clone();
        let problems = settings.problems();
        assert_eq!(problems[0].to_string(), "kafka.topics.bulk: is the same as topics.hints");
    }
}
