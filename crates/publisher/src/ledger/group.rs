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
use crate::stats::Listener;
use models::LedgerEvent;
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::topic_partition_list::TopicPartitionListElem;
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{ClientContext, Offset, TopicPartitionList};
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

impl ClientContext for Member {
    fn log(&self, level: rdkafka::config::RDKafkaLogLevel, facility: &str, message: &str) {
        self.listener.log(level, facility, message);
    }
    fn stats(&self, statistics: rdkafka::Statistics) {
        self.listener.stats(statistics);
    }
    fn error(&self, error: KafkaError, reason: &str) {
        self.listener.error(error, reason);
    }
}

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
        // The offset is of no account, as all are paused and seek before they run; an explicit one keeps librdkafka
        // from asking for the committed ones, which it would do while they are not yet stable.
        let list = self.lanes_of(mine, Offset::Offset(0))?;
        consumer.assign(&list)?;
        consumer.pause(&list)?;
        // Of this very generation: a later one must not write with it, nor this one with a later.
        *lock(&self.shared.generation) = consumer.group_metadata().map(Arc::new);
        let now = Instant::now();
        for partition in mine {
            lock(&self.shared.table).hold(*partition, now);
        }
        if self.shared.producer_ready.load(Ordering::Acquire) {
            self.announce(mine);
        }
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

    fn announce(&self, partitions: &[i32]) {
        for partition in partitions {
            let now = Instant::now();
            let announced = lock(&self.shared.table).announce(*partition, now, self.shared.settings.keep_entries_for);
            if let Some(announced) = announced {
                self.tell_assigned(*partition, announced, now);
            }
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
            lock(&self.shared.table).announce(partition, now, self.shared.settings.keep_entries_for)
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
    let mut config = settings.client("group");
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
        .set("queued.max.messages.kbytes", "8192")
        .set("statistics.interval.ms", "10000");
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
                Signal::Restored { start, ledger_next } => flow.restored(start, ledger_next),
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
