//! The partitions that this member has, and where each begins.

use crate::handled::{Handled, Store};
use rdkafka::client::ClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use rdkafka::types::RDKafkaRespErr;
use std::collections::{BTreeMap, HashMap};
use std::error::Error;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What the callbacks of the group need.
pub(crate) struct Group {
    pub(crate) store: Store,
    /// Where to begin a partition of which nothing is saved, and what is known there.
    ends: BTreeMap<i32, i64>,
    known: HashMap<i32, HashMap<String, i64>>,
    owned: Mutex<BTreeMap<i32, Handled>>,
}

impl Group {
    pub(crate) fn new(store: Store, ends: BTreeMap<i32, i64>, known: HashMap<i32, HashMap<String, i64>>) -> Group {
        Group { store, ends, known, owned: Mutex::default() }
    }

    pub(crate) fn owned(&self) -> MutexGuard<'_, BTreeMap<i32, Handled>> {
        self.owned.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn assigned(&self, client: &BaseConsumer<Self>, list: &mut TopicPartitionList) -> Result<(), Box<dyn Error>> {
        let mine: Vec<(String, i32)> =
            list.elements().iter().map(|one| (one.topic().to_owned(), one.partition())).collect();
        for (topic, partition) in mine {
            let known = self.known.get(&partition).cloned().unwrap_or_default();
            let handled = self.store.open(partition, known, self.ends.get(&partition).copied().unwrap_or_default())?;
            list.set_partition_offset(&topic, partition, Offset::Offset(handled.offset))?;
            self.owned().insert(partition, handled);
        }
        Ok(client.assign(list)?)
    }
}

impl ClientContext for Group {}

impl ConsumerContext for Group {
    fn rebalance(&self, client: &BaseConsumer<Self>, event: RDKafkaRespErr, list: &mut TopicPartitionList) {
        self.owned().clear();
        let done = if event == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS {
            self.assigned(client, list)
        } else {
            client.unassign().map_err(Into::into)
        };
        if let Err(error) = done {
            eprintln!("a rebalance could not be followed: {error}");
            std::process::exit(1);
        }
    }
}
