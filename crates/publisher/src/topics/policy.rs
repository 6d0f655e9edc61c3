//! How each topic must be, as a table. Pure.

use crate::settings::KafkaSettings;
use std::collections::BTreeMap;
use std::fmt;

/// One day in milliseconds.
const DAY: i64 = 24 * 3600 * 1000;
/// Hints must outlive a long weekend without the reconciler.
const HINTS_AT_LEAST: i64 = 7 * DAY;
/// A replica that was away for an hour reads the ledger from where it was: tombstones must still be there.
const TOMBSTONES_AT_LEAST: i64 = DAY / 12;

/// Kafka's own default, 1,048,588, lies so far above librdkafka's.
const AROUND: usize = 48_588;

/// How one topic is made, and what it must keep to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicPolicy {
    /// The full name.
    pub name: String,
    /// `compact` or `delete`.
    pub cleanup: &'static str,
    /// How long records are kept, for topics that delete; milliseconds.
    pub retention_ms: Option<i64>,
    /// Below this retention a promise breaks; milliseconds.
    pub retention_at_least_ms: Option<i64>,
    /// Partitions when it is made.
    pub partitions: i32,
    /// Replicas of each partition.
    pub replication: i32,
    /// In-sync replicas that must have a record before it is acknowledged.
    pub min_insync: i32,
    /// The largest batch of records that the clients may hand over, in bytes.
    pub largest: usize,
    /// What somebody loses if it is not so.
    promise: &'static str,
}

impl TopicPolicy {
    /// The topic configuration with which it is made.
    pub fn config(&self) -> BTreeMap<&'static str, String> {
        let mut config = BTreeMap::from([
            ("cleanup.policy", self.cleanup.to_owned()),
            ("min.insync.replicas", self.min_insync.to_string()),
            ("unclean.leader.election.enable", "false".to_owned()),
            ("max.message.bytes", (self.largest + AROUND).to_string()),
        ]);
        if let Some(retention) = self.retention_ms {
            config.insert("retention.ms", retention.to_string());
        }
        if self.cleanup == "compact" {
            config.insert("delete.retention.ms", DAY.to_string());
        }
        config
    }
}

/// The seven policies.
pub fn policies(settings: &KafkaSettings) -> [TopicPolicy; 7] {
    let names = settings.names();
    let policy = |name: &str, cleanup, retention_ms, retention_at_least_ms, promise| TopicPolicy {
        name: name.to_owned(),
        cleanup,
        retention_ms,
        retention_at_least_ms,
        partitions: settings.partitions,
        replication: settings.replication_factor,
        min_insync: settings.replication_factor.min(2),
        largest: settings.largest_record(),
        promise,
    };
    let days = |count: i64| Some(count * DAY);
    [
        policy(&names.events, "delete", days(90), None, "events are ordered and gapless for each submission"),
        policy(&names.state, "compact", None, None, "the state topic holds the last state of every submission"),
        policy(&names.dead_letters, "delete", days(30), None, "dead letters can be read and driven again"),
        policy(&names.notifications, "delete", days(7), None, "operators see what happened"),
        policy(&names.hints, "delete", days(7), Some(HINTS_AT_LEAST), "an accepted webhook is not lost"),
        policy(&names.bulk, "delete", days(7), Some(HINTS_AT_LEAST), "a sweep's findings are not lost"),
        policy(&names.ledger, "compact", None, None, "no event is lost, repeated or out of order"),
    ]
}

/// How a topic is, as the cluster tells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Actual {
    /// Partitions.
    pub partitions: i32,
    /// The smallest number of replicas of a partition.
    pub replication: i32,
    /// The topic's configuration.
    pub config: BTreeMap<String, String>,
}

/// One thing that would break a promise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What was looked at: a configuration key, `partitions` or `replication`.
    pub what: String,
    /// How it is.
    pub is: String,
    /// How it must be.
    pub must_be: String,
    /// The promise that would break.
    pub promise: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} is {}, must be {}: else not true that {}", self.what, self.is, self.must_be, self.promise)
    }
}

/// What breaks if a topic is as it is.
pub fn findings(policy: &TopicPolicy, actual: &Actual) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut breaks = |what: &str, is: String, must_be: String| {
        let (what, promise) = (what.to_owned(), policy.promise.to_owned());
        found.push(Finding { what, is, must_be, promise });
    };
    if actual.replication < policy.replication {
        breaks("replication", actual.replication.to_string(), format!("at least {}", policy.replication));
    }
    let text = |key: &str| actual.config.get(key).map_or("", String::as_str);
    let number = |key: &str| text(key).parse::<i64>().ok();
    if text("cleanup.policy") != policy.cleanup {
        breaks("cleanup.policy", text("cleanup.policy").to_owned(), policy.cleanup.to_owned());
    }
    if number("min.insync.replicas").is_none_or(|count| count < i64::from(policy.min_insync)) {
        breaks(
            "min.insync.replicas",
            text("min.insync.replicas").to_owned(),
            format!("at least {}", policy.min_insync),
        );
    }
    if text("unclean.leader.election.enable") == "true" {
        breaks("unclean.leader.election.enable", "true".to_owned(), "false".to_owned());
    }
    if number("max.message.bytes").is_none_or(|bytes| bytes < policy.largest as i64) {
        // Else the broker would refuse what the relay held for small enough, and the same decisions again and again.
        breaks("max.message.bytes", text("max.message.bytes").to_owned(), format!("at least {}", policy.largest));
    }
    // -1 = for ever.
    let shorter = |key: &str, least: i64| number(key).is_none_or(|kept| kept != -1 && kept < least);
    if let Some(least) = policy.retention_at_least_ms
        && shorter("retention.ms", least)
    {
        breaks("retention.ms", text("retention.ms").to_owned(), format!("at least {least}"));
    }
    if policy.cleanup == "compact" && shorter("delete.retention.ms", TOMBSTONES_AT_LEAST) {
        let is = text("delete.retention.ms").to_owned();
        breaks("delete.retention.ms", is, format!("at least {TOMBSTONES_AT_LEAST}"));
    }
    found
}

/// What breaks if the three topics that go together do not have the same number of partitions, or another one than the
/// ledger was made with. `recorded` is what the ledger says of itself.
pub fn layout_findings(hints: i32, bulk: i32, ledger: i32, recorded: Option<i32>) -> Vec<Finding> {
    let promise = "a submission's hints and its ledger entry have one owner".to_owned();
    let mut found = Vec::new();
    for (what, count) in [("partitions of the bulk hints", bulk), ("partitions of the ledger", ledger)] {
        if count != hints {
            let must_be = format!("{hints}, as the hints have");
            found.push(Finding { what: what.to_owned(), is: count.to_string(), must_be, promise: promise.clone() });
        }
    }
    if recorded != Some(ledger) {
        let is = recorded.map_or("not recorded".to_owned(), |count| count.to_string());
        let must_be = format!("{ledger}; `topics apply` records it once, and it never changes");
        found.push(Finding { what: "the ledger's recorded partition count".to_owned(), is, must_be, promise });
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn as_made(policy: &TopicPolicy) -> Actual {
        let config = policy.config().into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
        Actual { partitions: policy.partitions, replication: policy.replication, config }
    }

    #[test]
    fn every_topic_fits_as_it_is_made() {
        for policy in policies(&KafkaSettings::default()) {
            assert_eq!(findings(&policy, &as_made(&policy)), [], "{}", policy.name);
        }
    }

    #[test]
    fn each_wrong_setting_is_named_with_its_promise() {
        let all = policies(&KafkaSettings::default());
        let with = |policy: &TopicPolicy, key: &str, value: &str| {
            let mut actual = as_made(policy);
            actual.config.insert(key.to_owned(), value.to_owned());
            findings(policy, &actual)
        };
        let (hints, ledger) = (&all[4], &all[6]);
        for (policy, key, value) in [
            (hints, "retention.ms", "3600000"),
            (hints, "cleanup.policy", "compact"),
            (ledger, "cleanup.policy", "compact,delete"),
            (ledger, "min.insync.replicas", "1"),
            (ledger, "unclean.leader.election.enable", "true"),
            (ledger, "delete.retention.ms", "60000"),
            (ledger, "max.message.bytes", "500000"),
        ] {
            let found = with(policy, key, value);
            assert_eq!(found.len(), 1, "{key}");
            assert_eq!((found[0].what.as_str(), found[0].is.as_str()), (key, value));
        }
        assert_eq!(with(hints, "retention.ms", "-1"), []);
    }

    #[test]
    fn partitions_must_be_equal_and_as_recorded() {
        assert_eq!(layout_findings(12, 12, 12, Some(12)), []);
        assert_eq!(layout_findings(12, 6, 12, Some(12)).len(), 1);
        assert_eq!(layout_findings(12, 12, 12, None).len(), 1);
        assert_eq!(layout_findings(24, 24, 24, Some(12)).len(), 1);
    }
}
