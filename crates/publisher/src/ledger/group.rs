//! The group member: rebalances, and the thread around the flow of hints.
//!
//! Owns: the group consumer and its thread, the only one that hands out `Assigned`, `Ready`, `Revoked` and, through
//! [`super::flow`], hints. Subscribes to the live hints only; the bulk partitions of the same numbers are assigned by hand with
//! them, so that one owner has all that belongs to a number. Must not know: how a partition is restored or a batch
//! committed.
//!
//! Path: assignment -> all paused, announced, restore asked -> [`Signal::Restored`]: seek, `Ready`, resume -> hints, in
//! offset order for each lane, at most a window of unsettled ones -> revocation: wait for the commit gate, `Revoked`.

use super::flow::Flow;
use super::jobs::{Job, Jobs};
use super::table::{Announcement, Phase};
use super::{Events, Shared, Signal, lock};
use crate::errors;
use crate::settings::millis;
use crate::stats::{Listener, hand_on_to_listener};
use models::LedgerEvent;
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::KafkaResult;
use rdkafka::topic_partition_list::TopicPartitionListElem;
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{Offset, TopicPartitionList};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

/// How long one poll may wait; signals of other threads wait as long.
const POLL: Duration = Duration::from_millis(20);

/// The group consumer's context: rebalances happen in its callback, on the polling thread.
pub(super) struct Member {
    listener: Listener,
    pub(super) shared: Arc<Shared>,
    jobs: Arc<Jobs>,
    events: Events,
}

hand_on_to_listener!(Member, listener);

impl ConsumerContext for Member {
    fn rebalance(&self, consumer: &BaseConsumer<Self>, event: RDKafkaRespErr, list: &mut TopicPartitionList) {
        let mine: Vec<i32> = list.elements().iter().map(TopicPartitionListElem::partition).collect();
        self.tell_voided();
        let done = if event == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS {
            self.on_assigned(consumer, &mine)
        } else {
            self.on_revoked(consumer, &mine)
        };
        if let Err(error) = done {
            tracing::error!(error = %error, "a rebalance could not be followed");
        }
    }
}

impl Member {
    /// All lanes of these partitions, each at the same offset.
    fn lanes_of(&self, partitions: &[i32], offset: Offset) -> KafkaResult<TopicPartitionList> {
        let mut list = TopicPartitionList::with_capacity(partitions.len() * 2);
        for partition in partitions {
            for topic in [&self.shared.names.hints, &self.shared.names.bulk] {
                list.add_partition_offset(topic, *partition, offset)?;
            }
        }
        Ok(list)
    }

    fn on_assigned(&self, consumer: &BaseConsumer<Self>, mine: &[i32]) -> KafkaResult<()> {
        tracing::info!(partitions = ?mine, "partitions assigned");
        if !lock(&self.shared.table).partitions().is_empty() {
            tracing::warn!("assigned before the last assignment was revoked; that one ends here");
            self.let_go();
        }
        // The offset is of no account, as all are paused and seek before they run; an explicit one keeps librdkafka
        // from asking for the committed ones, which it would do while they are not yet stable.
        let list = self.lanes_of(mine, Offset::Offset(0))?;
        consumer.assign(&list)?;
        consumer.pause(&list)?;
        // Of this very generation: a later one must not write with it, nor this one with a later.
        *lock(&self.shared.generation) = consumer.group_metadata().map(Arc::new);
        let now = Instant::now();
        for partition in mine {
            if !lock(&self.shared.table).hold(*partition, now) {
                tracing::error!(partition, "assigned twice at once");
            }
        }
        self.announce(mine);
        Ok(())
    }

    fn on_revoked(&self, consumer: &BaseConsumer<Self>, mine: &[i32]) -> KafkaResult<()> {
        tracing::info!(partitions = ?mine, lost = consumer.assignment_lost(), "partitions revoked");
        self.let_go();
        consumer.unassign()
    }

    /// Everything held goes away: no transaction of this generation is half-way, none begins.
    fn let_go(&self) {
        let announced = {
            let _gate = lock(&self.shared.gate);
            *lock(&self.shared.generation) = None;
            let mut table = lock(&self.shared.table);
            let all = table.partitions();
            table.release(&all, Instant::now())
        };
        self.shared.metrics.lag.reset();
        self.shared.metrics.position.reset();
        self.tell_voided();
        for partition in announced {
            self.send(LedgerEvent::Revoked { partition });
        }
    }

    /// Tells of partitions that a lost commit took, before anything else is said of them.
    fn tell_voided(&self) {
        let voided = std::mem::take(&mut *lock(&self.shared.voided));
        for partition in voided {
            self.send(LedgerEvent::Revoked { partition });
        }
    }

    /// Starts the restore of those that wait. Not without a producer: before its predecessors are fenced, the ledger may
    /// not have its end yet. They go on waiting then, and the next [`Signal::ProducerReady`] announces them.
    fn announce(&self, partitions: &[i32]) {
        let now = Instant::now();
        let mut announced = Vec::new();
        {
            // A producer is lost under the gate, so it cannot be lost between the look and the new epochs.
            let _gate = lock(&self.shared.gate);
            if !self.shared.producer_ready.load(Ordering::Acquire) {
                return;
            }
            let mut table = lock(&self.shared.table);
            for partition in partitions {
                let one = table.announce(*partition, now, self.shared.settings.keep_entries_for);
                announced.extend(one.map(|one| (*partition, one)));
            }
        }
        for (partition, one) in announced {
            self.tell_assigned(partition, one, now);
        }
    }

    fn tell_assigned(&self, partition: i32, announced: Announcement, asked: Instant) {
        let Announcement { epoch, from } = announced;
        self.send(LedgerEvent::Assigned { partition, epoch, fresh: from.is_none() });
        self.jobs.push(Job { partition, epoch, from, asked });
    }

    /// Starts one partition anew under a new epoch.
    pub(super) fn restart(&self, partition: i32) {
        let now = Instant::now();
        let announced = {
            // A commit under way is answered before its partition is revoked, and none begins in between.
            let _gate = lock(&self.shared.gate);
            let mut table = lock(&self.shared.table);
            // One that a lost commit took is announced with the next producer.
            let runs = table.running(partition).is_some();
            runs.then(|| table.announce(partition, now, self.shared.settings.keep_entries_for)).flatten()
        };
        if let Some(announced) = announced {
            self.send(LedgerEvent::Revoked { partition });
            self.tell_assigned(partition, announced, now);
        }
    }

    pub(super) fn send(&self, event: LedgerEvent) {
        if self.events.blocking_send(event).is_err() {
            self.shared.stop();
        }
    }
}

/// The consumer of a group member.
pub(super) fn create(shared: &Arc<Shared>, jobs: Arc<Jobs>, events: Events) -> KafkaResult<BaseConsumer<Member>> {
    let settings = &shared.settings;
    let mut config = settings.telling_client(crate::members::ROLE);
    config
        .set("group.id", &settings.group_id)
        // Not only for records: offsets are then fetched only once they are stable.
        .set("isolation.level", "read_committed")
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("auto.offset.reset", "earliest")
        .set("partition.assignment.strategy", "range")
        .set("session.timeout.ms", millis(settings.session_timeout))
        .set("heartbeat.interval.ms", millis(settings.heartbeat_interval))
        .set("max.poll.interval.ms", millis(settings.max_poll_interval))
        .set("fetch.wait.max.ms", "100")
        .set("queued.max.messages.kbytes", "8192");
    if settings.static_membership {
        config.set("group.instance.id", &settings.instance_id);
    }
    let listener = Listener::new("group", shared.metrics.clone());
    BaseConsumer::from_config_and_context(&config, Member { listener, shared: shared.clone(), jobs, events })
}

/// The thread: runs until the ledger is closed or fails, then leaves the group.
pub(super) fn work(consumer: BaseConsumer<Member>, signals: &Receiver<Signal>) {
    let shared = consumer.context().shared.clone();
    let mut flow = Flow::default();
    let mut subscribed = false;
    while !shared.stopping() {
        while let Ok(signal) = signals.try_recv() {
            match signal {
                Signal::ProducerReady if subscribed => announce_waiting(consumer.context()),
                Signal::ProducerReady => subscribed = subscribe(&consumer),
                Signal::ProducerLost => consumer.context().tell_voided(),
                Signal::Restored(restored) => flow.restored(restored),
            }
        }
        flow.start_restored(&consumer);
        Flow::watch_windows(&consumer);
        match consumer.poll(POLL) {
            Some(Ok(message)) => flow.on_message(&consumer, &message),
            Some(Err(error)) if errors::ends_consumer(&error) => {
                let instance = &shared.settings.instance_id;
                shared
                    .fail(&consumer.context().events, format!("instance {instance} left the group for good: {error}"));
            }
            Some(Err(error)) => tracing::debug!(error = %error, "the group consumer goes on"),
            None => {}
        }
    }
    consumer.context().let_go();
    // Closes it; that serves a last revocation in the callback.
    drop(consumer);
}

fn subscribe(consumer: &BaseConsumer<Member>) -> bool {
    match consumer.subscribe(&[&consumer.context().shared.names.hints]) {
        Ok(()) => true,
        Err(error) => {
            let member = consumer.context();
            member.shared.fail(&member.events, format!("cannot subscribe to the hints: {error}"));
            false
        }
    }
}

/// A new producer is ready: what waited for it is restored.
fn announce_waiting(member: &Member) {
    member.tell_voided();
    let waiting: Vec<i32> = lock(&member.shared.table)
        .iter()
        .filter(|(_, held)| held.phase == Phase::Waiting)
        .map(|(partition, _)| partition)
        .collect();
    member.announce(&waiting);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::KafkaSettings;
    use crate::stats::KafkaMetrics;
    use models::Time;
    use tokio::sync::mpsc;

    #[test]
    fn nothing_is_restored_before_a_producer_is_ready() {
        let metrics = KafkaMetrics::register(&prometheus::Registry::new()).unwrap();
        let shared = Arc::new(Shared::new(KafkaSettings::default(), metrics.clone(), || Time::from_millis(0)));
        let (events, mut told) = mpsc::channel(8);
        let listener = Listener::new("group", metrics);
        let member = Member { listener, shared: shared.clone(), jobs: Arc::default(), events };
        assert!(lock(&shared.table).hold(0, Instant::now()));

        // The signal of a producer that is lost again by the time it is read.
        announce_waiting(&member);
        assert!(told.try_recv().is_err());
        assert_eq!(lock(&shared.table).iter().next().unwrap().1.phase, Phase::Waiting);

        shared.producer_ready.store(true, Ordering::Release);
        announce_waiting(&member);
        assert!(matches!(told.try_recv(), Ok(LedgerEvent::Assigned { partition: 0, epoch: 1, fresh: true })));
        member.restart(0);
        assert!(told.try_recv().is_err(), "what does not run is not started again");
    }
}
