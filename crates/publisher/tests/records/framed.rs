//! The same records where a schema registry is in use: the id of the schema before the same bytes, and nothing else.

use super::{deleted, event, key, notifications, sealer, snapshot};
use models::{Batch, Entry, Event, EventKind, Notification, StateChange, Write};
use publisher::record::{self, Form, Record, Topic};
use publisher::schemas::{PUBLISHED, SchemaIds, unframed};
use std::collections::BTreeMap;

/// Of each type, an id that has four bytes of its own.
fn ids() -> BTreeMap<&'static str, u32> {
    PUBLISHED.iter().map(|one| one.record_type).zip(0x0102_0304..).collect()
}

fn all_ids() -> SchemaIds {
    SchemaIds::new(ids()).unwrap()
}

/// The record with a frame is the plain one, but for what it says of its content.
fn only_framed(record_type: &str, plain: &Record, framed: &Record) {
    let (json, value) = (plain.payload.as_ref().unwrap(), framed.payload.as_ref().unwrap());
    assert_eq!(value[0], 0, "{record_type}");
    assert_eq!(value[1..5], ids()[record_type].to_be_bytes(), "{record_type}");
    assert_eq!(&value[5..], json, "{record_type}");
    assert_eq!((unframed(value), unframed(json)), (json.as_slice(), json.as_slice()));
    assert_eq!(framed.headers[0], ("content-type", "application/octet-stream".to_owned()));
    assert_eq!(framed.headers[1..], plain.headers[1..], "{record_type}: neither ids nor names depend on a registry");
    assert_eq!((framed.topic, &framed.key, framed.partition), (plain.topic, &plain.key, plain.partition));
    assert_eq!(framed.size(), plain.size() + 5 + "application/octet-stream".len() - "application/json".len());
}

#[test]
fn a_framed_record_is_the_plain_one_behind_its_schemas_id() {
    let ids = all_ids();
    let framed = Form { schema_ids: Some(&ids), ..Form::default() };
    for kind in EventKind::ALL {
        let event = Event { kind: *kind, ..event() };
        let both = [Form::default(), framed].map(|form| record::event(&event, form).unwrap());
        only_framed(kind.as_str(), &both[0], &both[1]);
    }
    let both = [Form::default(), framed].map(|form| record::snapshot(&key(), Some(&snapshot()), form).unwrap());
    only_framed("kyc.submission.state.v1", &both[0], &both[1]);
    for notice in notifications() {
        let both = [Form::default(), framed].map(|form| record::notification(&notice, form).unwrap());
        let payload = String::from_utf8(both[0].payload.clone().unwrap()).unwrap();
        let word = payload.split('"').nth(3).unwrap();
        assert_eq!(notice.record_type(), format!("kyc.control.{word}.v1"));
        only_framed(notice.record_type(), &both[0], &both[1]);
    }
}

#[test]
fn a_deleted_snapshot_is_null_with_a_registry_too() {
    let (ids, none) = (all_ids(), None);
    let record = record::snapshot(&key(), none, Form { schema_ids: Some(&ids), ..Form::default() }).unwrap();
    assert_eq!(record, record::snapshot(&key(), none, Form::default()).unwrap());
}

#[test]
fn what_is_sealed_is_framed_too() {
    let (ids, sealer) = (all_ids(), sealer());
    let record = record::event(&event(), Form { sealer: Some(&sealer), schema_ids: Some(&ids) }).unwrap();
    let payload = record.payload.unwrap();
    let read: models::event::EventData = serde_json::from_slice(unframed(&payload)).unwrap();
    assert!(payload[0] == 0 && read.submission.user_id.unwrap().starts_with("sealed:v1:"));
}

/// Only what others read is framed: the ledger's own bytes stay, and what has no value has none.
#[test]
fn a_batch_frames_what_is_public_and_nothing_else() {
    let quota = notifications().pop().unwrap();
    assert!(matches!(quota, Notification::QuotaSpent { .. }));
    let write = Write {
        partition: 1,
        key: key(),
        events: vec![event(), deleted()],
        state: StateChange::Put(Box::new(snapshot())),
        entry: Some(Entry::default()),
        dead_letter: None,
        notifications: vec![quota.clone()],
    };
    let batch = Batch { writes: vec![write], notifications: vec![quota], ..Batch::default() };
    let ids = all_ids();
    let plain = record::batch(&batch, Form::default()).unwrap();
    let framed = record::batch(&batch, Form { schema_ids: Some(&ids), ..Form::default() }).unwrap();
    assert_eq!(plain.len(), 6);
    for (plain, framed) in plain.iter().zip(&framed) {
        if plain.topic == Topic::Ledger {
            assert_eq!(plain, framed);
        } else {
            assert_eq!(unframed(framed.payload.as_ref().unwrap()), plain.payload.as_ref().unwrap().as_slice());
            assert_ne!(framed.payload, plain.payload);
        }
    }
}
