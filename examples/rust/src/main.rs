//! A consumer of argos-relay's topics in Rust, with rdkafka.
//!
//! Owns the loop over what happened: the events, which the members of a group share (`handled.rs`). What is true now is in
//! `states.rs`. Must not know the service: only the contract (docs/contract.md).
//!
//! Path: note the events' ends, read the state topic to its end, join the group. Each batch of events is saved together
//! with its offset, so that after a crash nothing is handled twice or left out. Settings: see examples/README.md.

mod contract;
mod digest;
mod group;
mod handled;
mod states;

use group::Group;
use handled::Store;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::message::Message;
use rdkafka::metadata::{MetadataPartition, MetadataTopic};
use states::States;
use std::collections::BTreeMap;
use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How many events are handled between two savings.
const BATCH: usize = 100;

#[expect(clippy::disallowed_methods, reason = "the service's configuration is not known here")]
fn env(name: &str, otherwise: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| otherwise.to_owned())
}

fn client(group: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", env("KAFKA_BOOTSTRAP", "127.0.0.1:9092"))
        .set("group.id", group)
        .set("isolation.level", "read_committed")
        .set("enable.auto.commit", "false")
        .set("auto.offset.reset", "earliest")
        .set("enable.partition.eof", "true")
        .set("session.timeout.ms", "6000");
    config
}

/// Partition to the end as a `read_committed` consumer sees it: before what an open transaction has written.
fn ends<C: ConsumerContext>(client: &BaseConsumer<C>, topic: &str) -> KafkaResult<BTreeMap<i32, i64>> {
    let wait = Duration::from_secs(10);
    let metadata = client.fetch_metadata(Some(topic), wait)?;
    let partitions = metadata.topics().iter().flat_map(MetadataTopic::partitions).map(MetadataPartition::id);
    partitions.map(|partition| Ok((partition, client.fetch_watermarks(topic, partition, wait)?.1))).collect()
}

fn main() -> Result<(), Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Arc::clone(&stop);
    let mut terminate = {
        let _entered = runtime.enter();
        tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?
    };
    runtime.spawn(async move {
        terminate.recv().await;
        stopped.store(true, Ordering::Relaxed);
    });
    consume(&stop)
}

fn consume(stop: &AtomicBool) -> Result<(), Box<dyn Error>> {
    let (prefix, group) = (env("TOPIC_PREFIX", ""), env("GROUP", "example-rust"));
    let (topic, state) = (format!("{prefix}kyc.submission.events.v1"), format!("{prefix}kyc.submission.state.v1"));
    let until_end = !env("UNTIL_END", "").is_empty();
    let store = Store::new(env("STORE", "store").into(), !env("HISTORY", "").is_empty())?;
    // No member of a group: it is assigned by hand.
    let follower: BaseConsumer = client(&format!("{group}-state")).create()?;
    let ends = ends(&follower, &topic)?;
    let mut states = States::read(follower, &state)?;
    let context = Group::new(store, ends.clone(), states.sequences());
    let consumer: BaseConsumer<Group> = client(&group).create_with_context(context)?;
    let group = consumer.context();
    consumer.subscribe(&[&topic])?;
    let mut taken = 0;
    while !(stop.load(Ordering::Relaxed) || until_end && group.store.is_at(&ends)?) {
        states.follow(Duration::ZERO)?;
        for _ in 0..BATCH {
            let Some(polled) = consumer.poll(Duration::from_millis(200)) else { break };
            match polled {
                Ok(message) => {
                    let mut owned = group.owned();
                    if let Some(handled) = owned.get_mut(&message.partition()) {
                        handled.take(&message)?;
                        handled.offset = message.offset() + 1;
                        taken += 1;
                    }
                }
                // The end of a partition is behind the marker of its last transaction.
                Err(KafkaError::PartitionEOF(partition)) => {
                    if let Some(handled) = group.owned().get_mut(&partition) {
                        handled.offset = handled.offset.max(ends[&partition]);
                    }
                    break;
                }
                Err(error) => return Err(error.into()),
            }
        }
        for (partition, handled) in group.owned().iter() {
            group.store.save(*partition, handled)?;
        }
    }
    consumer.unsubscribe();
    let handled = ends.keys().map(|partition| group.store.read(*partition)).collect::<std::io::Result<Vec<_>>>()?;
    println!("{}", digest::report(&states, &handled, taken));
    Ok(())
}
