//! Hints, in order and without gaps, from the group consumer to the reconciler.
//!
//! Owns: when a restored partition starts, what is handed out, and when a lane is paused. Must not know: rebalances.
//!
//! Why nothing is skipped: whatever arrives before a partition runs is dropped, and the seek to the stable offset comes
//! after. From then on an offset below the expected one is dropped, and one above it makes the lane seek back once: a
//! gap counts only when the broker shows it twice (retention, or somebody's transaction markers).

use super::foreign::Mover;
use super::group::Member;
use super::{Restored, lock};
use crate::partition::partition_of;
use crate::record::{REQUEST_PREFIX, RESERVED_PREFIX, Topic};
use models::{DeadLetter, Hint, Key, Lane, LedgerEvent, Progress, Request};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaResult;
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::{Offset, TopicPartitionList};
use std::time::{Duration, Instant};

/// How long a seek may take.
const SEEK: Duration = Duration::from_secs(1);
/// How long a question about the topic may take.
const QUESTION: Duration = Duration::from_secs(1);

/// What the group thread keeps between polls.
#[derive(Default)]
pub(super) struct Flow {
    restored: Vec<Restored>,
    partitions: i32,
    mover: Mover,
}

/// What to do with a record by its offset.
enum Verdict {
    Old,
    Gap(i64),
    Next { epoch: u64, expected: i64 },
}

impl Flow {
    /// A partition's past is read; it starts at the next turn.
    pub(super) fn restored(&mut self, restored: Restored) {
        self.restored.push(restored);
    }

    /// Starts what is restored: seek, `Ready`, resume. What cannot seek yet stays for the next turn.
    pub(super) fn start_restored(&mut self, consumer: &BaseConsumer<Member>) {
        if self.restored.is_empty() || !self.know_partitions(consumer) {
            return;
        }
        let member = consumer.context();
        for restored in std::mem::take(&mut self.restored) {
            let Restored { start, ledger_next, .. } = restored;
            if !lock(&member.shared.table).is_current(start.partition, start.epoch) {
                continue;
            }
            let lanes = [(Lane::Live, start.live), (Lane::Bulk, start.bulk)];
            let sought = lanes.iter().try_for_each(|(lane, offset)| seek(consumer, *lane, start.partition, *offset));
            if let Err(error) = sought {
                tracing::debug!(partition = start.partition, error = %error, "seek is tried again");
                self.restored.push(restored);
                continue;
            }
            if !lock(&member.shared.table).run(start, ledger_next, Instant::now()) {
                continue;
            }
            let Progress { partition, epoch, live, bulk } = start;
            tracing::info!(partition, epoch, live, bulk, ledger_next, "partition runs");
            member.send(LedgerEvent::Ready { partition, epoch, live, bulk, of: self.partitions });
            for (lane, lost) in restored.expired {
                tell_expired(member, partition, epoch, lane, lost);
            }
            for lane in [Lane::Live, Lane::Bulk] {
                set_paused(consumer, lane, partition, false);
            }
        }
    }

    fn know_partitions(&mut self, consumer: &BaseConsumer<Member>) -> bool {
        if self.partitions == 0 {
            let topic = &consumer.context().shared.names.hints;
            match consumer.fetch_metadata(Some(topic), QUESTION) {
                Ok(metadata) => {
                    self.partitions = metadata.topics().first().map_or(0, |topic| topic.partitions().len() as i32);
                }
                Err(error) => {
                    tracing::info!(error = %error, "the number of partitions is not known yet");
                }
            }
        }
        self.partitions > 0
    }

    /// Pauses lanes with a full window of unsettled hints, and lets them go on below half of it.
    pub(super) fn watch_windows(consumer: &BaseConsumer<Member>) {
        let shared = &consumer.context().shared;
        let window = shared.settings.unsettled_window;
        let mut changes = Vec::new();
        {
            let mut table = lock(&shared.table);
            for partition in table.partitions() {
                let Some(held) = table.running(partition) else {
                    continue;
                };
                for lane in [Lane::Live, Lane::Bulk] {
                    let state = held.lane(lane);
                    let unsettled = state.next.saturating_sub(state.settled).max(0) as u64;
                    let pause = if state.paused { unsettled > window / 2 } else { unsettled >= window };
                    if pause != state.paused {
                        state.paused = pause;
                        changes.push((lane, partition, pause));
                    }
                }
            }
        }
        for (lane, partition, pause) in changes {
            set_paused(consumer, lane, partition, pause);
        }
    }

    /// One record of a hint topic.
    pub(super) fn on_message(&mut self, consumer: &BaseConsumer<Member>, message: &BorrowedMessage<'_>) {
        let member = consumer.context();
        let lane = if message.topic() == member.shared.names.bulk { Lane::Bulk } else { Lane::Live };
        let (partition, offset) = (message.partition(), message.offset());
        match judge(member, lane, partition, offset) {
            Verdict::Old => {}
            Verdict::Gap(expected) => {
                tracing::debug!(partition, offset, expected, lane = lane.as_str(), "a gap; looked at once more");
                Flow::go_back(consumer, lane, partition, expected);
            }
            Verdict::Next { epoch, expected } => {
                let Some(lost) = expired_before(consumer, lane, partition, expected, offset) else {
                    Flow::go_back(consumer, lane, partition, expected);
                    return;
                };
                let Some(event) = self.event_of(member, message, lane, epoch) else {
                    Flow::go_back(consumer, lane, partition, offset);
                    return;
                };
                if let Some(held) = lock(&member.shared.table).running(partition) {
                    held.lane(lane).next = offset + 1;
                }
                if lost > 0 {
                    tell_expired(member, partition, epoch, lane, lost);
                }
                member.send(event);
            }
        }
    }

    /// Reads a lane again from an offset. If even that fails, the whole partition starts again.
    fn go_back(consumer: &BaseConsumer<Member>, lane: Lane, partition: i32, offset: i64) {
        let Err(error) = seek(consumer, lane, partition, offset) else {
            return;
        };
        let member = consumer.context();
        tracing::warn!(partition, offset, error = %error, "cannot seek; the partition is restored again");
        member.restart(partition);
    }

    /// What a record is to the reconciler; `None` if it has to be read again.
    fn event_of(
        &mut self,
        member: &Member,
        message: &BorrowedMessage<'_>,
        lane: Lane,
        epoch: u64,
    ) -> Option<LedgerEvent> {
        let (partition, offset) = (message.partition(), message.offset());
        let skipped = |dead_letter| LedgerEvent::Skipped { partition, epoch, lane, offset, dead_letter };
        if let Some(request) = read_request(message) {
            return Some(LedgerEvent::Request { partition, epoch, lane, offset, request });
        }
        let Ok((key, hint)) = read(message) else {
            if message.key().is_some_and(|key| key.first() == Some(&(RESERVED_PREFIX as u8))) {
                tracing::warn!(
                    partition,
                    offset,
                    "a request that this release cannot read, or not for here, is passed over"
                );
                return Some(skipped(None));
            }
            let letter = DeadLetter {
                key: message.key().and_then(|key| std::str::from_utf8(key).ok()).and_then(|key| Key::parse(key).ok()),
                reason: "hint_undecodable",
                message: "the record is not a hint of this release".to_owned(),
                attempts: 1,
                first_seen: (member.shared.clock)(),
                origin: Some((message.topic().to_owned(), partition, offset)),
            };
            return Some(skipped(Some(Box::new(letter))));
        };
        let home = partition_of(key.as_str().as_bytes(), self.partitions);
        if home == partition {
            return Some(LedgerEvent::Hint { partition, epoch, lane, offset, key, hint });
        }
        match self.mover.move_to(&member.shared, message, home) {
            Ok(()) => Some(skipped(None)),
            Err(error) => {
                tracing::warn!(partition, offset, home, error = %error, "a foreign hint could not be moved yet");
                None
            }
        }
    }
}

fn read(message: &BorrowedMessage<'_>) -> Result<(Key, Box<Hint>), ()> {
    let key = message.key().and_then(|key| std::str::from_utf8(key).ok()).ok_or(())?;
    let key = Key::parse(key).map_err(|_| ())?;
    let hint = serde_json::from_slice(message.payload().unwrap_or_default()).map_err(|_| ())?;
    Ok((key, Box::new(hint)))
}

/// A request counts only on partition 0, whose owner runs the sweeps.
fn read_request(message: &BorrowedMessage<'_>) -> Option<Request> {
    let asks = message.partition() == 0 && message.key()?.starts_with(REQUEST_PREFIX.as_bytes());
    asks.then(|| serde_json::from_slice(message.payload().unwrap_or_default()).ok()).flatten()
}

fn judge(member: &Member, lane: Lane, partition: i32, offset: i64) -> Verdict {
    let mut table = lock(&member.shared.table);
    let Some(held) = table.running(partition) else {
        return Verdict::Old;
    };
    let epoch = held.epoch;
    let state = held.lane(lane);
    if offset < state.next {
        Verdict::Old
    } else if offset > state.next && state.gap_seen != Some(state.next) {
        state.gap_seen = Some(state.next);
        Verdict::Gap(state.next)
    } else {
        Verdict::Next { epoch, expected: state.next }
    }
}

/// How many of the offsets between the expected one and the one that came are gone with the log's start; the others are
/// transaction markers. `None` if the broker does not tell now.
fn expired_before(
    consumer: &BaseConsumer<Member>,
    lane: Lane,
    partition: i32,
    expected: i64,
    came: i64,
) -> Option<u64> {
    if came == expected {
        return Some(0);
    }
    let (low, _) = consumer.fetch_watermarks(topic_of(consumer.context(), lane), partition, QUESTION).ok()?;
    Some((low.min(came) - expected).max(0) as u64)
}

fn topic_of(member: &Member, lane: Lane) -> &str {
    member.shared.topic(Topic::of_lane(lane))
}

fn tell_expired(member: &Member, partition: i32, epoch: u64, lane: Lane, lost: u64) {
    tracing::error!(partition, lane = lane.as_str(), lost, "hints are gone that may not have been settled");
    member.shared.metrics.hints_expired.with_label_values(&[lane.as_str()]).inc_by(lost);
    member.send(LedgerEvent::Expired { partition, epoch, lane, lost });
}

fn seek(consumer: &BaseConsumer<Member>, lane: Lane, partition: i32, offset: i64) -> KafkaResult<()> {
    consumer.seek(topic_of(consumer.context(), lane), partition, Offset::Offset(offset), SEEK)
}

fn set_paused(consumer: &BaseConsumer<Member>, lane: Lane, partition: i32, pause: bool) {
    let mut list = TopicPartitionList::with_capacity(1);
    list.add_partition(topic_of(consumer.context(), lane), partition);
    let done = if pause { consumer.pause(&list) } else { consumer.resume(&list) };
    if let Err(error) = done {
        tracing::warn!(partition, lane = lane.as_str(), pause, error = %error, "a lane could not be paused or resumed");
    }
}
