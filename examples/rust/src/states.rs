//! What is true now: the compacted state topic, which every member reads whole, and goes on reading.

use crate::contract::state::KycSubmissionStateV1;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::Message;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::error::Error;
use std::time::Duration;

/// The snapshots, and of them one view.
#[derive(Default)]
pub(crate) struct States {
    client: Option<BaseConsumer>,
    /// By key, each with the partition that it came from.
    pub(crate) rows: HashMap<String, (i32, KycSubmissionStateV1)>,
    /// User -> key -> since when it is approved, and the submission.
    approved: HashMap<String, BTreeMap<String, (String, String)>>,
}

impl States {
    /// Reads to the end that it finds.
    pub(crate) fn read(client: BaseConsumer, topic: &str) -> Result<States, Box<dyn Error>> {
        let mut still: BTreeSet<i32> = crate::ends(&client, topic)?.into_keys().collect();
        let mut list = TopicPartitionList::new();
        for partition in &still {
            list.add_partition_offset(topic, *partition, Offset::Beginning)?;
        }
        client.assign(&list)?;
        let mut states = States { client: Some(client), ..States::default() };
        while !still.is_empty() {
            let at_end = states.follow(Duration::from_secs(1))?;
            still.retain(|partition| !at_end.contains(partition));
        }
        Ok(states)
    }

    /// Takes in what has come; the partitions that are at their end.
    pub(crate) fn follow(&mut self, timeout: Duration) -> Result<BTreeSet<i32>, Box<dyn Error>> {
        let mut at_end = BTreeSet::new();
        let Some(client) = self.client.take() else { return Ok(at_end) };
        while let Some(polled) = client.poll(timeout) {
            match polled {
                Ok(message) => {
                    let key = String::from_utf8(message.key().unwrap_or_default().to_vec())?;
                    self.apply(key, message.partition(), message.payload())?;
                }
                Err(KafkaError::PartitionEOF(partition)) => {
                    at_end.insert(partition);
                    break;
                }
                Err(error) => return Err(error.into()),
            }
        }
        self.client = Some(client);
        Ok(at_end)
    }

    pub(crate) fn apply(&mut self, key: String, partition: i32, value: Option<&[u8]>) -> serde_json::Result<()> {
        if let Some((_, old)) = self.rows.remove(&key)
            && let Some(all) = self.approved.get_mut(&user_of(&old))
        {
            all.remove(&key);
        }
        // Deleted, or erased by an operator, of which no event tells.
        let Some(value) = value else { return Ok(()) };
        let row: KycSubmissionStateV1 = serde_json::from_slice(value)?;
        if *row.kyc.status == *"approved" && row.submission.user_id.is_some() {
            // All times on the topics are written alike: they sort as texts.
            let times = [&row.kyc.decided_at, &row.vendor_updated_at, &row.submission.created_at];
            let at = times.into_iter().flatten().next().cloned().unwrap_or_default();
            let all = self.approved.entry(user_of(&row)).or_default();
            all.insert(key.clone(), (at, row.submission.id.clone()));
        }
        self.rows.insert(key, (partition, row));
        Ok(())
    }

    /// The view: the latest approved submission of each user.
    pub(crate) fn latest_approved(&self) -> impl Iterator<Item = (&str, &str)> {
        let latest = |(user, all)| -> Option<(&str, &str)> {
            let (user, all): (&String, &BTreeMap<String, (String, String)>) = (user, all);
            all.values().max().map(|(_, submission)| (user.as_str(), submission.as_str()))
        };
        self.approved.iter().filter_map(latest)
    }

    /// Partition -> the sequence of each of its submissions.
    pub(crate) fn sequences(&self) -> HashMap<i32, HashMap<String, i64>> {
        let mut found: HashMap<i32, HashMap<String, i64>> = HashMap::new();
        for (key, (partition, row)) in &self.rows {
            found.entry(*partition).or_default().insert(key.clone(), row.sequence);
        }
        found
    }
}

fn user_of(row: &KycSubmissionStateV1) -> String {
    format!("{}/{}", row.submission.project, row.submission.user_id.as_deref().unwrap_or_default())
}
