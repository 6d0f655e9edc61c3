//! Who is in the group and holds what, as Kafka tells everyone alike.
//!
//! Owns: the question to the group's coordinator, and the reading of its answer. Must not know: what a replica does with
//! its partitions. The call blocks.
//!
//! Path: [`members`] asks; `assigned` reads the classic protocol's bytes; an instance is told by its client's name
//! ([`KafkaSettings::transactional_id`] is in it), since the answer has no instance id.

use crate::reading::ReadError;
use crate::settings::KafkaSettings;
use rdkafka::consumer::{BaseConsumer, Consumer};
use std::time::Duration;

/// How long the question may take.
const QUESTION: Duration = Duration::from_secs(5);
/// The role in the client's name of a member; see `ledger/group.rs`.
pub(crate) const ROLE: &str = "group";

/// One member of the group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its `kafka.instance_id`, or the name of a client that does not look like one of ours.
    pub instance: String,
    /// Its partitions of the hints, in order.
    pub partitions: Vec<i32>,
}

/// The members in order of their names; none while the group is empty or about to be assigned anew.
pub fn members(settings: &KafkaSettings) -> Result<Vec<Member>, ReadError> {
    let hints = settings.names().hints;
    let client: BaseConsumer = settings.client("members").create()?;
    let groups = client.fetch_group_list(Some(&settings.group_id), QUESTION)?;
    let mut found: Vec<Member> = Vec::new();
    for group in groups.groups().iter().filter(|group| group.name() == settings.group_id) {
        found.extend(group.members().iter().map(|member| Member {
            instance: instance_of(settings, member.client_id()).to_owned(),
            partitions: assigned(member.assignment().unwrap_or_default(), &hints).unwrap_or_default(),
        }));
    }
    found.sort_by(|one, other| one.instance.cmp(&other.instance));
    Ok(found)
}

fn instance_of<'a>(settings: &KafkaSettings, client: &'a str) -> &'a str {
    let inner = client.strip_prefix(&settings.group_id).and_then(|rest| rest.strip_prefix('-'));
    inner.and_then(|rest| rest.strip_suffix(ROLE)?.strip_suffix('-')).unwrap_or(client)
}

/// The partitions of a topic in a `ConsumerProtocolAssignment`: version, then for each topic its name and its partitions,
/// all big-endian; what follows is nobody's here. `None` if the bytes are none.
fn assigned(bytes: &[u8], topic: &str) -> Option<Vec<i32>> {
    let mut bytes = Bytes(bytes);
    bytes.take(2)?;
    let mut found = Vec::new();
    for _ in 0..bytes.number()? {
        let length = u16::from_be_bytes(bytes.take(2)?.try_into().ok()?);
        let name = bytes.take(usize::from(length))?;
        for _ in 0..bytes.number()? {
            let partition = bytes.number()?;
            if name == topic.as_bytes() {
                found.push(partition);
            }
        }
    }
    found.sort_unstable();
    Some(found)
}

/// Bytes that are taken from the front.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn number(&mut self) -> Option<i32> {
        Some(i32::from_be_bytes(self.take(4)?.try_into().ok()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO_TOPICS: &[u8] =
        b"\0\0\0\0\0\x02\0\x05other\0\0\0\x01\0\0\0\x09\0\x05hints\0\0\0\x02\0\0\0\x03\0\0\0\x01\0\0\0\0";

    #[test]
    fn an_assignment_is_read_and_a_torn_one_is_none() {
        assert_eq!(assigned(TWO_TOPICS, "hints"), Some(vec![1, 3]));
        assert_eq!(assigned(TWO_TOPICS, "absent"), Some(vec![]));
        // The user data behind, four bytes, is not needed.
        for cut in 0..TWO_TOPICS.len() - 4 {
            assert_eq!(assigned(&TWO_TOPICS[..cut], "hints"), None, "{cut}");
        }
        assert_eq!(assigned(b"\0\0\x7f\xff\xff\xff", "hints"), None);
    }

    #[test]
    fn an_instance_is_told_by_its_clients_name() {
        let settings = KafkaSettings { group_id: "kyc-relay".into(), ..KafkaSettings::default() };
        assert_eq!(instance_of(&settings, "kyc-relay-relay-0-group"), "relay-0");
        assert_eq!(instance_of(&settings, "something-else"), "something-else");
    }
}
