//! Every record that the relay writes, against golden files: what downstream reads must not change by accident.
//!
//! A missing file is written and the test fails; look at it and run again.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use models::{
    Agreement, Aml, AmlStatus, Cause, Claim, DeadLetter, Event, EventKind, Facts, Hint, Key, Kyc, KycStatus,
    Monitoring, Notices, Notification, Origin, Previous, Provenance, Reason, Risk, Snapshot, Source, SubmissionFacts,
    Time,
};
use publisher::record::{self, Record, Topic};
use std::fmt::Write as _;
use std::path::Path;

fn key() -> Key {
    Key::parse("acme/k3f9x1mes3ugzb").unwrap()
}

fn time(text: &str) -> Time {
    text.parse().unwrap()
}

fn facts() -> Facts {
    Facts {
        submission: SubmissionFacts {
            project: "acme".to_owned(),
            id: "k3f9x1mes3ugzb".to_owned(),
            user_id: Some("u-1001".to_owned()),
            created_at: Some(time("2026-03-02T05:27:56.279Z")),
        },
        kyc: Kyc {
            status: KycStatus::Approved,
            vendor_status: "approved".to_owned(),
            decided_at: Some(time("2026-03-02T05:31:10.498Z")),
            reviewer: Some("system".to_owned()),
            origin: Origin::Automatic,
            retries: 1,
            reasons: vec![Reason {
                code: "glare_detected".to_owned(),
                category: "document_unreadable".to_owned(),
                text: None,
            }],
        },
        aml: Aml {
            status: AmlStatus::NotScreened,
            vendor_status: "Not Screened".to_owned(),
            risk: Risk::Unknown,
            matches: 0,
            notice_at: None,
            monitoring: Monitoring::Unknown,
            monitoring_notice_at: None,
        },
    }
}

fn event() -> Event {
    let facts = facts();
    Event {
        id: models::event::event_id(&key(), 3, 7),
        kind: EventKind::Approved,
        key: key(),
        sequence: 3,
        time: time("2026-03-02T05:31:10.511Z"),
        recorded_at: time("2026-03-02T05:31:12.000Z"),
        traceparent: Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".to_owned()),
        data: models::event::EventData {
            submission: facts.submission,
            kyc: Some(facts.kyc),
            aml: Some(facts.aml),
            previous: Some(Previous {
                sequence: 2,
                kyc_status: KycStatus::Pending,
                aml_status: AmlStatus::NotScreened,
            }),
            changed: vec!["kyc.status".to_owned(), "kyc.decided_at".to_owned()],
            provenance: Provenance {
                cause: Cause::Webhook,
                trigger: Some("approved".to_owned()),
                hint_id: Some("0f".repeat(16)),
                hinted_at: Some(time("2026-03-02T05:31:11.000Z")),
                confirmed_at: time("2026-03-02T05:31:11.500Z"),
                agreement: Agreement::Agrees,
                notice_authentication: Vec::new(),
                vendor_updated_at: Some(time("2026-03-02T05:31:10.511Z")),
                fingerprint: format!("{:032x}", 7),
            },
        },
    }
}

fn hint() -> Hint {
    Hint {
        id: "0f".repeat(16),
        source: Source::Webhook,
        received_at: time("2026-03-02T05:31:11.000Z"),
        authentication: models::Authentication::SOURCE_IP,
        claim: Claim {
            trigger: "approved".to_owned(),
            status: Some(KycStatus::Approved),
            changed_at: Some(time("2026-03-02T05:31:10.511Z")),
            ..Claim::default()
        },
        notices: Notices::default(),
        body_digest: "ab".repeat(32),
        row: None,
        erase: false,
        traceparent: None,
    }
}

/// A record as text, one header a line.
fn shown(record: &Record) -> String {
    let mut text = format!("topic: {:?}\npartition: {:?}\nkey: {:?}\n", record.topic, record.partition, record.key);
    for (name, value) in &record.headers {
        writeln!(text, "{name}: {value}").unwrap();
    }
    let payload = record.payload.as_deref().map_or("null".into(), String::from_utf8_lossy);
    writeln!(text, "\n{payload}").unwrap();
    text
}

fn golden(name: &str, record: &Record) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    let now = shown(record);
    let Ok(then) = std::fs::read_to_string(&path) else {
        std::fs::write(&path, now).unwrap();
        panic!("{} was missing and is written; look at it and run again", path.display());
    };
    assert_eq!(now, then, "{name}");
}

#[test]
fn an_event_is_a_cloud_event_in_binary_mode() {
    golden("event.txt", &record::event(&event()).unwrap());
}

#[test]
fn a_deletion_carries_ids_and_previous_only() {
    let mut gone = event();
    (gone.kind, gone.data.kyc, gone.data.aml, gone.traceparent) = (EventKind::Deleted, None, None, None);
    golden("event_deleted.txt", &record::event(&gone).unwrap());
}

#[test]
fn a_snapshot_is_put_and_deleted() {
    let snapshot = Snapshot {
        facts: facts(),
        sequence: 3,
        confirmed_at: time("2026-03-02T05:31:11.500Z"),
        vendor_updated_at: Some(time("2026-03-02T05:31:10.511Z")),
    };
    golden("snapshot.txt", &record::snapshot(&key(), Some(&snapshot)).unwrap());
    golden("snapshot_deleted.txt", &record::snapshot(&key(), None).unwrap());
}

#[test]
fn a_hint_can_be_read_again() {
    let record = record::hint(Topic::Hints, &key(), &hint()).unwrap();
    golden("hint.txt", &record);
    assert_eq!(serde_json::from_slice::<Hint>(&record.payload.unwrap()).unwrap(), hint());
}

#[test]
fn a_dead_letter_has_headers_and_no_body() {
    let letter = DeadLetter {
        key: Some(key()),
        reason: "unreadable_answer",
        message: "field kyc.result: expected a string".to_owned(),
        attempts: 10,
        first_seen: time("2026-03-02T05:31:11.000Z"),
        origin: Some(("kyc.hints.v1".to_owned(), 3, 41)),
    };
    let record = record::dead_letter(&letter);
    assert_eq!(record.payload, None);
    golden("dead_letter.txt", &record);
}

#[test]
fn a_notification_is_json() {
    let notice = Notification::HintUnconfirmed {
        key: key(),
        trigger: "approved".to_owned(),
        hint_id: Some("0f".repeat(16)),
        at: time("2026-03-02T05:36:47.000Z"),
    };
    golden("notification.txt", &record::notification(&notice).unwrap());
}

#[test]
fn the_layout_is_recorded_under_a_reserved_key_on_partition_0() {
    let record = record::layout(12);
    golden("layout.txt", &record);
    assert_eq!(record::read_layout(&record.payload.unwrap()), Some(12));
    assert_eq!(record::read_layout(b"{}"), None);
}
