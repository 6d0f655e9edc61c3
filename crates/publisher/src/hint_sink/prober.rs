//! The thread that finds out whether Kafka is there.
//!
//! Down: at once after several failures in a row; after one failed look when a hint was not
//! acknowledged in time, or a connection broke or all are down (idle connections close as well, so that alone
//! is not enough).
//! Up: after the first metadata ever, later after two good looks in a row, and only if nothing handed over before is
//! still stuck: metadata alone does not show that records are acknowledged.

use super::{Health, Inner};
use crate::refusal::Refusal;
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::metadata::MetadataTopic;
use rdkafka::producer::Producer as _;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Between two looks while Kafka is away.
const EVERY: Duration = Duration::from_millis(250);
/// How long a look may take while Kafka is away, and while it is only suspected to be.
const PATIENCE: Duration = Duration::from_secs(1);
const SUSPICION: Duration = Duration::from_millis(250);
/// Good looks in a row until Kafka counts as back.
const GOOD: u32 = 2;

/// Runs until the sink is dropped.
pub(super) fn work(inner: &Inner) {
    let health = &inner.health;
    let (mut good, mut ever) = (0, false);
    let mut was_available = false;
    while !health.stop.load(Ordering::Acquire) {
        let available = health.available.load(Ordering::Acquire);
        if was_available && !available {
            good = 0;
            health.acknowledged.store(false, Ordering::Release);
        }
        was_available = available;
        let suspected = health.suspect.swap(false, Ordering::AcqRel);
        if !available || suspected {
            if look(inner, if available { SUSPICION } else { PATIENCE }) {
                good += 1;
                if !available && (!ever || good >= GOOD) && nothing_stuck(inner, health) {
                    ever = true;
                    health.failures.store(0, Ordering::Release);
                    health.set_available(true);
                    was_available = true;
                }
            } else {
                good = 0;
                health.set_available(false);
            }
        }
        health.wait(EVERY);
    }
}

/// Whether the broker tells of the hints topic and at least one partition of it has a leader.
fn look(inner: &Inner, patience: Duration) -> bool {
    let producer = &inner.producer;
    match producer.client().fetch_metadata(Some(&inner.names.hints), patience) {
        Ok(metadata) => {
            let errors = metadata.topics().iter().filter_map(MetadataTopic::error);
            for code in errors.map(RDKafkaErrorCode::from).filter(|code| Refusal::denied(*code, "").is_some()) {
                let name = &inner.names.hints;
                producer.client().context().listener.tell(code, &format!("seeing {name}: {code}"));
            }
            let has_leader = |topic: &MetadataTopic| topic.partitions().iter().any(|one| one.leader() >= 0);
            metadata.topics().iter().any(|topic| topic.error().is_none() && has_leader(topic))
        }
        Err(error) => {
            tracing::debug!(error = %error, "Kafka is not reachable yet");
            false
        }
    }
}

/// Whether everything handed over before Kafka went away is done with, or something was acknowledged since.
fn nothing_stuck(inner: &Inner, health: &Health) -> bool {
    let empty = inner.places.available_permits() == inner.settings.hints_in_flight;
    empty || health.acknowledged.load(Ordering::Acquire)
}
