//! Topics as an operator's command reads them: from outside the group, as any `read_committed` client sees them.
//!
//! Owns: reading a topic, or one partition, from a point to its end and beyond, and the offsets that a command keeps
//! in a group of its own. Must not know: what the records say, and the service's own group.
//!
//! Path: [`TopicReader::open`] assigns by hand; [`TopicReader::next`] waits a bounded time for one record and
//! [`TopicReader::at_end`] says whether all was read that was there; [`TopicReader::read_within`] reads to the end within
//! [`Bounds`]. All calls block.

use crate::asking::{self, Client, Unanswered};
use crate::errors::{denies_topic, ends_consumer};
use crate::record::Topic;
use crate::refusal::Refusal;
use crate::schemas::unframed;
use crate::settings::KafkaSettings;
use models::Time;
use rdkafka::consumer::{CommitMode, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Headers, Message};
use rdkafka::{Offset, TopicPartitionList};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// How long one question to the cluster may take.
const QUESTION: Duration = Duration::from_secs(10);
/// A topic that is not read to its end gives a record, or its end, within this time.
const QUIET: Duration = Duration::from_secs(30);

/// One record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// Its partition.
    pub partition: i32,
    /// Its offset.
    pub offset: i64,
    /// The producer's or broker's time.
    pub at: Time,
    /// Its key, as text.
    pub key: Option<String>,
    /// Its value; `None` = a tombstone, or a dead letter.
    pub payload: Option<Vec<u8>>,
    headers: Vec<(String, String)>,
}

impl Received {
    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The value of a record that holds JSON, with a frame around it or without. `None` if it has no value.
    pub fn json<T: serde::de::DeserializeOwned>(&self) -> Option<serde_json::Result<T>> {
        self.payload.as_deref().map(|value| serde_json::from_slice(unframed(value)))
    }
}

/// Where reading begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Start {
    /// With the oldest record.
    Beginning,
    /// With what comes after this moment.
    End,
    /// With what was written since then, but with the last so many offsets of a partition at most.
    Since(Time, i64),
    /// With the last so many offsets of each partition; not all of them are records.
    Last(i64),
    /// Where the last [`TopicReader::keep`] of this group came to; before the first, with the oldest record.
    Kept(String),
}

/// What one reading may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Records, passed over or not.
    pub records: u64,
    /// Bytes of their keys and values.
    pub bytes: u64,
    /// Time.
    pub time: Duration,
}

/// Why a topic cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The cluster does not answer.
    #[error("the cluster does not answer")]
    Unreachable(#[source] KafkaError),
    /// The cluster will not have us: a wrong password, a certificate, another protocol.
    #[error("the cluster refuses: {0}")]
    Refused(Refusal),
    /// We came in, and may not do what this needs.
    #[error("{0}")]
    Denied(Refusal),
    /// It answers, and has no such topic.
    #[error("there is no topic {0}: `topics apply` makes it")]
    NoTopic(String),
}

impl From<KafkaError> for ReadError {
    fn from(error: KafkaError) -> ReadError {
        ReadError::Unreachable(error)
    }
}

impl From<Unanswered> for ReadError {
    fn from(unanswered: Unanswered) -> ReadError {
        match unanswered {
            Unanswered::Refused(refusal) => ReadError::Refused(refusal),
            Unanswered::Away(error) => ReadError::Unreachable(error),
        }
    }
}

/// A topic that is being read.
pub struct TopicReader {
    consumer: Client,
    topic: String,
    partitions: i32,
    /// Partitions that were not read to their end yet.
    open: BTreeSet<i32>,
    /// The offset after the last record given out, by partition.
    position: BTreeMap<i32, i64>,
    /// Whether there are records before where reading began that were asked for: there were too many.
    cut: bool,
}

impl TopicReader {
    /// Assigns all partitions.
    pub fn open(settings: &KafkaSettings, topic: Topic, start: &Start) -> Result<TopicReader, ReadError> {
        TopicReader::assigned(settings, topic, start, |count| (0..count).collect())
    }

    /// Assigns the one partition that records of `key` go to.
    pub fn open_for(
        settings: &KafkaSettings,
        topic: Topic,
        start: &Start,
        key: &str,
    ) -> Result<TopicReader, ReadError> {
        TopicReader::assigned(settings, topic, start, |count| {
            vec![crate::partition::partition_of(key.as_bytes(), count)]
        })
    }

    /// Assigns one partition.
    pub fn open_partition(
        settings: &KafkaSettings,
        topic: Topic,
        start: &Start,
        partition: i32,
    ) -> Result<TopicReader, ReadError> {
        TopicReader::assigned(settings, topic, start, |_| vec![partition])
    }

    fn assigned(
        settings: &KafkaSettings,
        topic: Topic,
        start: &Start,
        wanted: impl FnOnce(i32) -> Vec<i32>,
    ) -> Result<TopicReader, ReadError> {
        let names = settings.names();
        let topic = names.of(topic).to_owned();
        // Without a group nothing is committed; librdkafka wants a name all the same.
        let group = if let Start::Kept(group) = start { group } else { &format!("{}-command", settings.group_id) };
        let mut config = settings.client("command");
        config
            .set("group.id", group)
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("isolation.level", "read_committed")
            .set("auto.offset.reset", "earliest")
            .set("enable.partition.eof", "true")
            .set("fetch.wait.max.ms", "50");
        let consumer = asking::client(&config)?;
        let metadata = asking::metadata(&consumer, Some(&topic), QUESTION)?;
        let hidden = metadata.topics().iter().find_map(rdkafka::metadata::MetadataTopic::error);
        if let Some(refusal) = hidden.and_then(|code| Refusal::denied(code.into(), &format!("seeing {topic}"))) {
            return Err(ReadError::Denied(refusal));
        }
        let found = metadata.topics().iter().find(|one| one.name() == topic && one.error().is_none());
        let partitions = found.map_or(0, |one| one.partitions().len() as i32);
        if partitions == 0 {
            return Err(ReadError::NoTopic(topic));
        }
        let open: BTreeSet<i32> = wanted(partitions).into_iter().collect();
        let mut reader = TopicReader { consumer, topic, partitions, open, position: BTreeMap::new(), cut: false };
        reader.begin(start)?;
        Ok(reader)
    }

    fn begin(&mut self, start: &Start) -> Result<(), ReadError> {
        let mut from = TopicPartitionList::new();
        for partition in self.open.clone() {
            let ends = || self.consumer.fetch_watermarks(&self.topic, partition, QUESTION);
            let offset = match start {
                Start::Beginning => Offset::Beginning,
                // Asked now: `Offset::End` would be looked up later, behind what was written meanwhile.
                Start::End => Offset::Offset(ends()?.1),
                Start::Kept(_) => Offset::Invalid,
                Start::Last(most) => {
                    let (low, high) = ends()?;
                    self.cut |= high - most > low;
                    Offset::Offset((high - most).max(low))
                }
                Start::Since(time, most) => {
                    let (_, high) = ends()?;
                    let since = self.offset_at(partition, *time)?.unwrap_or(high);
                    self.cut |= high - most > since;
                    Offset::Offset(since.max(high - most))
                }
            };
            from.add_partition_offset(&self.topic, partition, offset)?;
        }
        if let Start::Kept(_) = start {
            let group = "reading the offsets of the group";
            from = asking::committed(&self.consumer, &from, QUESTION).map_err(|error| denied(group, error))?;
            for mut one in from.elements() {
                if one.offset() == Offset::Invalid {
                    one.set_offset(Offset::Beginning)?;
                }
            }
        }
        Ok(self.consumer.assign(&from)?)
    }

    /// The offset of the first record of that time or later; `None` = there is none.
    fn offset_at(&self, partition: i32, time: Time) -> Result<Option<i64>, ReadError> {
        let mut asked = TopicPartitionList::new();
        asked.add_partition_offset(&self.topic, partition, Offset::Offset(time.as_millis().max(0)))?;
        let found = self.consumer.offsets_for_times(asked, QUESTION)?;
        // The element is copied out: a list that outlives its consumer's calls would keep it from ending.
        Ok(match found.find_partition(&self.topic, partition).map(|element| element.offset()) {
            Some(Offset::Offset(offset)) => Some(offset),
            _ => None,
        })
    }

    /// Whether reading began behind what was asked for, since there was too much.
    pub fn is_cut(&self) -> bool {
        self.cut
    }

    /// How many partitions the topic has.
    pub fn partitions(&self) -> i32 {
        self.partitions
    }

    /// Whether everything was given out that was there when the end was looked at.
    pub fn at_end(&self) -> bool {
        self.open.is_empty()
    }

    /// The next record; `None` if there was none within this time, or the end was just found.
    pub fn next(&mut self, within: Duration) -> Result<Option<Received>, ReadError> {
        let received = match self.consumer.poll(within) {
            Some(Ok(message)) => received(&message),
            Some(Err(KafkaError::PartitionEOF(partition))) => {
                self.open.remove(&partition);
                return Ok(None);
            }
            Some(Err(error)) if ends_consumer(&error) => return Err(error.into()),
            Some(Err(error)) if denies_topic(&error) => return Err(denied(&format!("reading {}", self.topic), error)),
            // librdkafka goes on by itself; who waits in vain is told by the callers' bounds.
            Some(Err(_)) | None => return Ok(None),
        };
        self.position.insert(received.partition, received.offset + 1);
        Ok(Some(received))
    }

    /// Gives out every record up to the end; `each` says whether to go on.
    pub fn read_to_end(&mut self, mut each: impl FnMut(Received) -> bool) -> Result<(), ReadError> {
        let mut quiet_until = Instant::now() + QUIET;
        while !self.at_end() {
            let open = self.open.len();
            if let Some(record) = self.next(Duration::from_millis(200))? {
                if !each(record) {
                    return Ok(());
                }
                quiet_until = Instant::now() + QUIET;
            } else if self.open.len() < open {
                quiet_until = Instant::now() + QUIET;
            } else if Instant::now() >= quiet_until {
                return Err(KafkaError::NoMessageReceived.into());
            }
        }
        Ok(())
    }

    /// As [`TopicReader::read_to_end`], but stops where a bound is reached. Whether the end was reached.
    pub fn read_within(&mut self, bounds: &Bounds, mut each: impl FnMut(Received)) -> Result<bool, ReadError> {
        let until = Instant::now() + bounds.time;
        let (mut records, mut bytes) = (0, 0);
        while !self.at_end() {
            if records >= bounds.records || bytes >= bounds.bytes || Instant::now() >= until {
                return Ok(false);
            }
            if let Some(record) = self.next(Duration::from_millis(100))? {
                let size = record.key.as_ref().map_or(0, String::len) + record.payload.as_ref().map_or(0, Vec::len);
                records += 1;
                bytes += size as u64;
                each(record);
            }
        }
        Ok(true)
    }

    /// Keeps how far this reader came, for [`Start::Kept`].
    pub fn keep(&self) -> Result<(), ReadError> {
        let mut offsets = TopicPartitionList::new();
        for (partition, offset) in &self.position {
            offsets.add_partition_offset(&self.topic, *partition, Offset::Offset(*offset))?;
        }
        if offsets.count() > 0 {
            let group = "keeping offsets of the group";
            self.consumer.commit(&offsets, CommitMode::Sync).map_err(|error| denied(group, error))?;
        }
        Ok(())
    }
}

fn denied(what: &str, error: KafkaError) -> ReadError {
    let refusal = error.rdkafka_error_code().and_then(|code: RDKafkaErrorCode| Refusal::denied(code, what));
    refusal.map_or(ReadError::Unreachable(error), ReadError::Denied)
}

fn received(message: &BorrowedMessage<'_>) -> Received {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let mut headers = Vec::new();
    if let Some(all) = message.headers() {
        headers.extend(all.iter().map(|one| (one.key.to_owned(), one.value.map(text).unwrap_or_default())));
    }
    Received {
        partition: message.partition(),
        offset: message.offset(),
        at: Time::from_millis(message.timestamp().to_millis().unwrap_or_default()),
        key: message.key().map(text),
        payload: message.payload().map(<[u8]>::to_vec),
        headers,
    }
}
