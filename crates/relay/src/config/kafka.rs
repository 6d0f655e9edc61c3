//! The `[kafka]` room.
//!
//! Owns: its keys and where their values come from. Whether a property or a topic name breaks a promise is for the
//! publisher to say; its findings join the list of errors.

use super::durations::{self, show_duration};
use super::problem::Problem;
use super::read::Section;
use super::schema_registry::SchemaRegistry;
use super::secret::{file_key, redacted};
use publisher::{KafkaSettings, TopicNames};
use secrecy::{ExposeSecret, SecretString};
use serde::{Serialize, Serializer};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;
use toml::Value;

/// How Kafka is reached and what this service keeps there. The defaults are those of `publisher::KafkaSettings`.
#[derive(Clone, Debug, Serialize)]
pub struct Kafka {
    /// `host:port`, several with commas between them. Required.
    pub bootstrap_servers: String,
    /// The consumer group of the reconcilers. Default `argos-relay`.
    pub group_id: String,
    /// This replica's name: transactional id and static membership rest on it, so it differs between replicas and stays
    /// the same over restarts. Default: the host's name.
    pub instance_id: String,
    /// Put before every topic name. Default: nothing.
    pub topic_prefix: String,
    /// For `topics apply`: partitions of every topic. Default 12.
    pub partitions: i32,
    /// For `topics apply`: copies of every record. Default 3.
    pub replication_factor: i32,
    /// Whether a replica keeps its partitions over a quick restart. With it, they are taken over `session_timeout` after
    /// an orderly stop; without it at once, but every restart rebalances the group twice. Default true.
    pub static_membership: bool,
    /// Without a sign of life for so long, a replica loses its partitions. Default 10 s.
    #[serde(serialize_with = "durations::duration")]
    pub session_timeout: Duration,
    /// How often a replica gives a sign of life. Default: three tenths of `session_timeout`.
    #[serde(serialize_with = "durations::duration")]
    pub heartbeat_interval: Duration,
    /// A replica that does not ask for records for so long loses its partitions too. Default 60 s.
    #[serde(serialize_with = "durations::duration")]
    pub max_poll_interval: Duration,
    /// The broker aborts a transaction that stays open for longer; it bounds how long a dead replica's partitions can
    /// stand still. Default 10 s.
    #[serde(serialize_with = "durations::duration")]
    pub transaction_timeout: Duration,
    /// A webhook whose hint is not acknowledged within this time is answered 503. Default 5 s.
    #[serde(serialize_with = "durations::duration")]
    pub hint_deadline: Duration,
    /// How long a hint's delivery is tried, whether or not its caller still waits. Default 2 min.
    #[serde(serialize_with = "durations::duration")]
    pub hint_delivery_timeout: Duration,
    /// Hints that may wait for their acknowledgement at the same time; what comes on top is refused. Default 4,096.
    pub hints_in_flight: usize,
    /// Hints of one partition and lane that may be read but not settled; at this number it is paused. Default 10,000.
    pub unsettled_window: u64,
    /// The topics' names, without the prefix.
    pub topics: Topics,
    /// Handed to librdkafka as they stand.
    pub properties: Properties,
    /// Where the schemas of what is published are kept. Default: none, and values are plain JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schema_registry: Option<SchemaRegistry>,
}

/// The names of the topics, before the prefix is put to them. The defaults are those of the published contract.
#[derive(Clone, Debug, Serialize)]
pub struct Topics {
    /// Confirmed changes, for downstream. Default `kyc.submission.events.v1`.
    pub events: String,
    /// The snapshot of every submission, for downstream. Default `kyc.submission.state.v1`.
    pub state: String,
    /// What could not be reconciled, for operators. Default `kyc.submission.dlq.v1`.
    pub dead_letters: String,
    /// What operators are told. Default `kyc.control.notifications.v1`.
    pub notifications: String,
    /// Hints of webhooks, internal. Default `kyc.hints.v1`.
    pub hints: String,
    /// Hints of sweeps and backfills, internal. Default `kyc.hints.bulk.v1`.
    pub bulk: String,
    /// The memory of the service, internal. Default `kyc.ledger.v1`.
    pub ledger: String,
}

/// Properties for librdkafka (TLS, SASL, compression, …).
///
/// In the file, quoted names (`"sasl.password" = "…"`); a name with `_file` after it takes its value from that file. In
/// the environment, dots become underscores: `ARGOS_RELAY__KAFKA__PROPERTIES__SASL_PASSWORD_FILE`. Those on which a
/// promise rests are refused by the publisher. All values are treated as secrets in `Debug`.
#[derive(Clone, Debug, Default)]
pub struct Properties(BTreeMap<String, Property>);

#[derive(Clone, Debug)]
struct Property {
    value: SecretString,
    file: Option<PathBuf>,
}

impl Properties {
    /// Name and value of each.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, property)| (name.as_str(), property.value.expose_secret()))
    }
}

impl Serialize for Properties {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.collect_map(self.0.iter().map(|(name, property)| {
            let secret = property.file.is_some() || is_secret(name);
            let plain = || property.value.expose_secret().to_owned();
            (name, if secret { redacted(property.file.as_deref()) } else { plain() })
        }))
    }
}

/// Whether a property of this name may hold a secret; wide on purpose.
fn is_secret(name: &str) -> bool {
    ["password", "secret", "passphrase", "pem", "oauthbearer", "token", "credential"]
        .iter()
        .any(|word| name.to_ascii_lowercase().contains(word))
}

impl Kafka {
    pub(super) fn read(mut section: Section<'_>, host_name: Option<&str>) -> Kafka {
        let default = KafkaSettings::default();
        let session_timeout = section.or("session_timeout", default.session_timeout);
        let heartbeat = (session_timeout.saturating_mul(3) / 10).max(Duration::from_millis(100));
        let kafka = Kafka {
            bootstrap_servers: bootstrap_servers(&mut section),
            group_id: section.or("group_id", default.group_id),
            instance_id: instance_id(&mut section, host_name),
            topic_prefix: section.or("topic_prefix", default.topic_prefix),
            partitions: section.or("partitions", default.partitions),
            replication_factor: section.or("replication_factor", default.replication_factor),
            static_membership: section.or("static_membership", default.static_membership),
            session_timeout,
            heartbeat_interval: section.or("heartbeat_interval", heartbeat),
            max_poll_interval: section.or("max_poll_interval", default.max_poll_interval),
            transaction_timeout: section.or("transaction_timeout", default.transaction_timeout),
            hint_deadline: section.or("hint_deadline", default.hint_deadline),
            hint_delivery_timeout: section.or("hint_delivery_timeout", default.hint_delivery_timeout),
            hints_in_flight: section.or("hints_in_flight", default.hints_in_flight),
            unsettled_window: section.or("unsettled_window", default.unsettled_window),
            topics: Topics::read(&mut section, default.topics),
            properties: Properties::read(section.section("properties")),
            schema_registry: SchemaRegistry::read(&mut section),
        };
        if kafka.check_times(&section) {
            for problem in kafka.settings().problems() {
                if !section.is_wrong(&problem.key) {
                    section.wrong(&problem.key, problem.message);
                }
            }
        }
        kafka
    }

    /// Bounds of the times: without them the publisher's own rules have no meaning.
    fn check_times(&self, section: &Section<'_>) -> bool {
        let mut all_fit = true;
        for (key, span, least, most) in [
            ("session_timeout", self.session_timeout, 1_000, 300_000),
            ("heartbeat_interval", self.heartbeat_interval, 100, 100_000),
            ("max_poll_interval", self.max_poll_interval, 1_000, 3_600_000),
            ("transaction_timeout", self.transaction_timeout, 1_000, 300_000),
            ("hint_deadline", self.hint_deadline, 100, 60_000),
            ("hint_delivery_timeout", self.hint_delivery_timeout, 1_000, 3_600_000),
        ] {
            let (least, most) = (Duration::from_millis(least), Duration::from_millis(most));
            let fits = (least..=most).contains(&span);
            let bounds = || format!("must be from {} to {}", show_duration(least), show_duration(most));
            if !fits {
                section.wrong(key, bounds());
            }
            all_fit &= fits;
        }
        all_fit
    }

    /// The same in the publisher's terms. Holds the secret properties in the clear: for the Kafka clients only.
    pub fn settings(&self) -> KafkaSettings {
        KafkaSettings {
            bootstrap_servers: self.bootstrap_servers.clone(),
            group_id: self.group_id.clone(),
            instance_id: self.instance_id.clone(),
            topic_prefix: self.topic_prefix.clone(),
            topics: self.topics.names(),
            partitions: self.partitions,
            replication_factor: self.replication_factor,
            properties: self.properties.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
            static_membership: self.static_membership,
            session_timeout: self.session_timeout,
            heartbeat_interval: self.heartbeat_interval,
            max_poll_interval: self.max_poll_interval,
            transaction_timeout: self.transaction_timeout,
            hint_deadline: self.hint_deadline,
            hint_delivery_timeout: self.hint_delivery_timeout,
            hints_in_flight: self.hints_in_flight,
            unsettled_window: self.unsettled_window,
            ..KafkaSettings::default()
        }
    }
}

fn bootstrap_servers(section: &mut Section<'_>) -> String {
    let servers = section.required::<String>("bootstrap_servers");
    let fits = servers.as_deref().is_none_or(are_servers);
    section.check("bootstrap_servers", fits, "expected `host:port`, several with commas between them");
    servers.unwrap_or_default()
}

fn are_servers(text: &str) -> bool {
    text.split(',').map(str::trim).all(|server| {
        server.rsplit_once(':').is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok())
    })
}

fn instance_id(section: &mut Section<'_>, host_name: Option<&str>) -> String {
    let given = section.has("instance_id");
    let name = section.optional::<String>("instance_id").or_else(|| host_name.map(str::to_owned)).unwrap_or_default();
    if !given && name.is_empty() {
        section.wrong("instance_id", "is required: this host has no name to take instead");
    } else {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        let fits = (1..=128).contains(&name.len()) && name.bytes().all(plain);
        section.check("instance_id", fits, "must be 1 to 128 of the characters a-z A-Z 0-9 . _ -");
    }
    name
}

impl Topics {
    fn read(parent: &mut Section<'_>, default: TopicNames) -> Topics {
        let mut section = parent.section("topics");
        Topics {
            events: section.or("events", default.events),
            state: section.or("state", default.state),
            dead_letters: section.or("dead_letters", default.dead_letters),
            notifications: section.or("notifications", default.notifications),
            hints: section.or("hints", default.hints),
            bulk: section.or("bulk", default.bulk),
            ledger: section.or("ledger", default.ledger),
        }
    }

    fn names(&self) -> TopicNames {
        let Topics { events, state, dead_letters, notifications, hints, bulk, ledger } = self.clone();
        TopicNames { events, state, dead_letters, notifications, hints, bulk, ledger }
    }
}

impl Properties {
    fn read(mut section: Section<'_>) -> Properties {
        let mut all = BTreeMap::new();
        for (key, value) in flat(section.rest(), &section) {
            let (name, from_file) = match key.strip_suffix("_file") {
                Some(name) => (name.to_owned(), true),
                None => (key.clone(), false),
            };
            let property = if from_file {
                let path = section.base().join(&value);
                section.read_secret(&key, &path).map(|value| Property { value, file: Some(path) })
            } else {
                Some(Property { value: SecretString::from(value), file: None })
            };
            let twice = property.is_some_and(|property| all.insert(name.clone(), property).is_some());
            if twice {
                section.wrong(&name, format!("give either this or `{}`, not both", file_key(&name)));
            }
        }
        Properties(all)
    }
}

/// Names and texts. An unquoted `sasl.password = …` is a nested table in TOML: it is joined again.
fn flat(table: toml::Table, section: &Section<'_>) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut left: Vec<(String, Value)> = table.into_iter().collect();
    while let Some((name, value)) = left.pop() {
        match value {
            Value::Table(inner) => left.extend(inner.into_iter().map(|(key, value)| (format!("{name}.{key}"), value))),
            Value::String(text) => found.push((name, text)),
            Value::Integer(number) => found.push((name, number.to_string())),
            Value::Float(number) => found.push((name, number.to_string())),
            Value::Boolean(flag) => found.push((name, flag.to_string())),
            Value::Array(_) | Value::Datetime(_) => section.error(
                &name,
                Problem::Type { expected: "text, a number, or true or false", found: "a list or a date" },
            ),
        }
    }
    found
}
