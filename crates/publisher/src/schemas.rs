//! The schemas of what is published, and the frame that names one in a record's value.
//!
//! Owns: which record types there are, their schemas as a registry takes them (`contracts/registry`, compiled in), the names
//! of their subjects, and Confluent's wire format: a zero byte, the schema's id as four bytes, the value. Pure. Must not
//! know: registries, how ids are found out, what a record says.
//!
//! Path: `relay` finds out the id of each of [`PUBLISHED`] before the ledger opens, and makes [`SchemaIds`] of them;
//! [`crate::record`] frames with it. Whoever reads public topics takes [`unframed`], which takes both kinds of records.

use crate::record::Topic;
use crate::settings::TopicNames;
use std::collections::BTreeMap;

/// One type of records that others read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Published {
    /// Where its records are.
    pub topic: Topic,
    /// Its name, which is also the title of its schema.
    pub record_type: &'static str,
    /// Its JSON Schema, draft-07.
    pub schema: &'static str,
}

impl Published {
    /// The name under which a registry keeps its schemas: `TopicRecordNameStrategy`.
    pub fn subject(&self, names: &TopicNames) -> String {
        format!("{}-{}", names.of(self.topic), self.record_type)
    }
}

/// The record type of snapshots.
pub const SNAPSHOT: &str = "kyc.submission.state.v1";

macro_rules! published {
    ($($topic:ident: $($record_type:literal)+;)+) => {
        [$($(Published {
            topic: Topic::$topic,
            record_type: $record_type,
            schema: include_str!(concat!("../../../contracts/registry/", $record_type, ".json")),
        },)+)+]
    };
}

/// Every type of records that others read, but dead letters, which have no value.
pub const PUBLISHED: [Published; 20] = published! {
    Events:
        "kyc.submission.created.v1" "kyc.submission.retried.v1" "kyc.submission.pending.v1" "kyc.submission.approved.v1"
        "kyc.submission.rejected.v1" "kyc.submission.updated.v1" "kyc.submission.deleted.v1"
        "aml.screening.completed.v1" "aml.risk.changed.v1" "aml.monitoring.changed.v1";
    State: "kyc.submission.state.v1";
    Notifications:
        "kyc.control.hint_unconfirmed.v1" "kyc.control.gap_repaired.v1" "kyc.control.sweep_started.v1"
        "kyc.control.sweep_progress.v1" "kyc.control.sweep_ended.v1" "kyc.control.breaker_opened.v1"
        "kyc.control.breaker_closed.v1" "kyc.control.deletions_held.v1" "kyc.control.quota_spent.v1";
};

/// The id that a registry gave to the schema of each of [`PUBLISHED`]: all of them, or there is no such value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemaIds(BTreeMap<&'static str, u32>);

impl SchemaIds {
    /// `None` while one is missing.
    pub fn new(ids: BTreeMap<&'static str, u32>) -> Option<SchemaIds> {
        PUBLISHED.iter().all(|one| ids.contains_key(one.record_type)).then_some(SchemaIds(ids))
    }

    /// The first bytes of a value of this type; `None` for a type that is not published.
    pub(crate) fn frame(&self, record_type: &str) -> Option<[u8; FRAME]> {
        let [a, b, c, d] = self.0.get(record_type)?.to_be_bytes();
        Some([MAGIC, a, b, c, d])
    }
}

/// What a framed value begins with. JSON never does.
const MAGIC: u8 = 0;
/// The bytes before the value.
const FRAME: usize = 5;

/// The JSON in a value, whether or not it has a frame: a topic holds both after a registry came into use.
pub fn unframed(value: &[u8]) -> &[u8] {
    match value {
        [MAGIC, _, _, _, _, json @ ..] => json,
        plain => plain,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use models::EventKind;
    use std::collections::BTreeSet;

    #[test]
    fn every_event_has_a_schema_and_every_schema_is_of_its_type() {
        let known: BTreeSet<_> = PUBLISHED.iter().map(|one| one.record_type).collect();
        assert_eq!(known.len(), PUBLISHED.len(), "no type twice");
        assert!(known.contains(SNAPSHOT));
        for kind in EventKind::ALL {
            assert!(known.contains(kind.as_str()), "{}", kind.as_str());
        }
        for one in PUBLISHED {
            let schema: serde_json::Value = serde_json::from_str(one.schema).unwrap();
            assert_eq!(schema["title"], one.record_type);
        }
    }

    #[test]
    fn a_subject_is_the_topic_with_its_prefix_and_the_type() {
        let names = TopicNames::default().prefixed("eu.");
        let subjects: BTreeSet<_> = PUBLISHED.iter().map(|one| one.subject(&names)).collect();
        assert_eq!(subjects.len(), PUBLISHED.len());
        assert!(subjects.contains("eu.kyc.submission.events.v1-kyc.submission.approved.v1"), "{subjects:?}");
        assert!(subjects.contains("eu.kyc.submission.state.v1-kyc.submission.state.v1"), "{subjects:?}");
        assert!(subjects.contains("eu.kyc.control.notifications.v1-kyc.control.sweep_ended.v1"), "{subjects:?}");
    }

    #[test]
    fn ids_are_there_for_all_types_or_not_at_all() {
        let mut ids: BTreeMap<_, _> = PUBLISHED.iter().map(|one| one.record_type).zip(1..).collect();
        let all = SchemaIds::new(ids.clone()).unwrap();
        assert_eq!(all.frame("kyc.submission.created.v1"), Some([0, 0, 0, 0, 1]));
        assert_eq!(all.frame("kyc.submission.hinted.v1"), None);
        ids.remove(SNAPSHOT);
        assert_eq!(SchemaIds::new(ids), None);
    }

    #[test]
    fn a_frame_is_taken_off_and_what_has_none_stays() {
        for (value, json) in [
            (&[0, 0, 1, 2, 3, b'{', b'}'][..], &b"{}"[..]),
            (&[0, 0, 1, 2, 3], b""),
            (b"{}", b"{}"),
            (b"", b""),
            (&[0, 0, 1], &[0, 0, 1]),
        ] {
            assert_eq!(unframed(value), json, "{value:?}");
        }
    }
}
