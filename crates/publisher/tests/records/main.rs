//! Every record that the relay writes, against golden files: what downstream reads must not change by accident.
//!
//! A missing file is written and the test fails; look at it and run again. What a release wrote is kept (`released.rs`)
//! and read by every later one.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod framed;
mod ledger;
mod released;

use models::event::EventData;
use models::{
    Agreement, Aml, AmlStatus, Cause, Claim, DeadLetter, Event, EventKind, Facts, Hint, Key, Kyc, KycStatus, Memo,
    MemoKey, Monitoring, Notices, Notification, Origin, Previous, ProjectId, Provenance, Reason, Request, Risk,
    Snapshot, Source, Standing, SubmissionFacts, Sweep, Time, Totals,
};
use publisher::record::{self, Form, Record, Topic};
use publisher::sealing::{Field, Sealer, SealingKeys};
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
        data: EventData {
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
    golden("event.txt", &record::event(&event(), Form::default()).unwrap());
}

fn deleted() -> Event {
    let mut gone = event();
    (gone.kind, gone.data.kyc, gone.data.aml, gone.traceparent) = (EventKind::Deleted, None, None, None);
    gone
}

#[test]
fn a_deletion_carries_ids_and_previous_only() {
    golden("event_deleted.txt", &record::event(&deleted(), Form::default()).unwrap());
}

fn snapshot() -> Snapshot {
    Snapshot {
        facts: facts(),
        sequence: 3,
        confirmed_at: time("2026-03-02T05:31:11.500Z"),
        vendor_updated_at: Some(time("2026-03-02T05:31:10.511Z")),
    }
}

#[test]
fn a_snapshot_is_put_and_deleted() {
    golden("snapshot.txt", &record::snapshot(&key(), Some(&snapshot()), Form::default()).unwrap());
    golden("snapshot_deleted.txt", &record::snapshot(&key(), None, Form::default()).unwrap());
}

fn sealer() -> Sealer {
    let keys = SealingKeys::read(["2026-01:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="]).unwrap();
    Sealer::new(vec![Field::UserId, Field::Reviewer, Field::ReasonText], keys, || Some([7; 12]))
}

/// With what is sealed in it.
fn personal() -> Event {
    let mut event = event();
    let kyc = event.data.kyc.as_mut().unwrap();
    kyc.reviewer = Some("minji.kim@example.com".to_owned());
    kyc.reasons[0].text = Some("Name differs: Kim Minji".to_owned());
    event
}

/// What a consumer with the keys reads.
fn sealing(sealer: &Sealer) -> Form<'_> {
    Form { sealer: Some(sealer), ..Form::default() }
}

fn opened(sealed: &EventData) -> EventData {
    let (mut clear, keys) = (sealed.clone(), sealer());
    let open = |field, value: &mut Option<String>| {
        let text = keys.open(&key(), field, value.as_deref().unwrap()).unwrap();
        *value = Some(text);
    };
    open(Field::UserId, &mut clear.submission.user_id);
    let kyc = clear.kyc.as_mut().unwrap();
    open(Field::Reviewer, &mut kyc.reviewer);
    open(Field::ReasonText, &mut kyc.reasons[0].text);
    clear
}

#[test]
fn protected_fields_are_sealed_and_nothing_else_changes() {
    let event = personal();
    let sealed = record::event(&event, sealing(&sealer())).unwrap();
    golden("event_sealed.txt", &sealed);
    let clear = record::event(&event, Form::default()).unwrap();
    assert_eq!(sealed.headers, clear.headers, "ids and types do not depend on keys");

    let read = serde_json::from_slice(&sealed.payload.unwrap()).unwrap();
    assert_eq!(opened(&read), event.data);
}

/// Another implementation agrees: the example for consumers, where Python and its `cryptography` are installed.
#[test]
fn the_example_for_consumers_opens_what_is_sealed() {
    let python = |arguments: &[&str]| std::process::Command::new("python3").args(arguments).output();
    if !python(&["-c", "import cryptography"]).is_ok_and(|done| done.status.success()) {
        eprintln!("NOT RUN: python3 with the package cryptography is not installed");
        return;
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let script = root.join("examples/decode_protected.py");
    let check = "import json, runpy, sys\n\
                 it = runpy.run_path(sys.argv[1])\n\
                 keys = it['read_keys']('# old\\n2026-01:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\\n')\n\
                 print(json.dumps(it['open_document'](keys, json.loads(sys.argv[2]))))";
    let payload = record::event(&event(), sealing(&sealer())).unwrap().payload.unwrap();
    let sealed = String::from_utf8(payload).unwrap();
    let done = python(&["-c", check, script.to_str().unwrap(), &sealed]).unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let opened: EventData = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!(opened, event().data);
}

#[test]
fn a_snapshot_is_sealed_alike_and_the_system_is_no_person() {
    let snapshot = Snapshot {
        facts: facts(),
        sequence: 3,
        confirmed_at: time("2026-03-02T05:31:11.500Z"),
        vendor_updated_at: None,
    };
    let record = record::snapshot(&key(), Some(&snapshot), sealing(&sealer())).unwrap();
    let read: Snapshot = serde_json::from_slice(&record.payload.unwrap()).unwrap();
    assert!(read.facts.submission.user_id.unwrap().starts_with("sealed:v1:2026-01:"));
    assert_eq!(read.facts.kyc.reviewer.as_deref(), Some("system"));
    assert_eq!(read.facts.kyc.reasons[0].text, None);
    let only_text = Sealer::new(
        vec![Field::ReasonText],
        SealingKeys::read(["a:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="]).unwrap(),
        || None,
    );
    let record = record::snapshot(&key(), Some(&snapshot), sealing(&only_text)).unwrap();
    let clear = record::snapshot(&key(), Some(&snapshot), Form::default()).unwrap();
    assert_eq!(record, clear, "what is not on the list stays");
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

/// One of each. The compiler asks for a new variant here by the match in `name_of`.
fn notifications() -> Vec<Notification> {
    let (project, at) = (ProjectId::new("acme").unwrap(), time("2026-03-02T05:36:47.000Z"));
    let (project, until) = (|| project.clone(), time("2026-03-02T06:00:00.000Z"));
    let totals = Totals { pages: 3, rows: 120, equal: 118, hinted: 1, unreadable: 1 };
    vec![
        Notification::HintUnconfirmed {
            key: key(),
            trigger: "approved".to_owned(),
            hint_id: Some("0f".repeat(16)),
            at,
        },
        Notification::GapRepaired { key: key(), cause: Cause::Sweep, sequence: 3, at },
        Notification::SweepStarted { project: project(), sweep: Sweep::Full, at },
        Notification::SweepProgress {
            project: project(),
            sweep: Sweep::Backfill,
            totals,
            waiting: 40,
            backlog_seconds: 80,
            at,
        },
        Notification::SweepEnded {
            project: project(),
            sweep: Sweep::Recent,
            started_at: time("2026-03-02T05:30:00.000Z"),
            complete: true,
            totals,
            at,
        },
        Notification::BreakerOpened { project: project(), why: "ARGOS did not answer".to_owned(), until, at },
        Notification::BreakerClosed { project: project(), at },
        Notification::DeletionsHeld { project: project(), until, at },
        Notification::QuotaSpent { project: project(), until, at },
    ]
}

fn name_of(notice: &Notification) -> &'static str {
    match notice {
        Notification::HintUnconfirmed { .. } => "hint_unconfirmed",
        Notification::GapRepaired { .. } => "gap_repaired",
        Notification::SweepStarted { .. } => "sweep_started",
        Notification::SweepProgress { .. } => "sweep_progress",
        Notification::SweepEnded { .. } => "sweep_ended",
        Notification::BreakerOpened { .. } => "breaker_opened",
        Notification::BreakerClosed { .. } => "breaker_closed",
        Notification::DeletionsHeld { .. } => "deletions_held",
        Notification::QuotaSpent { .. } => "quota_spent",
    }
}

#[test]
fn every_notification_is_json_under_its_own_name() {
    let mut seen = std::collections::BTreeSet::new();
    for notice in notifications() {
        let (name, record) = (name_of(&notice), record::notification(&notice, Form::default()).unwrap());
        golden(&format!("notification_{name}.txt"), &record);
        let payload = record.payload.unwrap();
        assert!(payload.starts_with(format!(r#"{{"type":"{name}""#).as_bytes()));
        assert_eq!(serde_json::from_slice::<Notification>(&payload).unwrap(), notice);
        assert!(seen.insert(name), "{name} is there twice");
    }
    assert_eq!(seen.len(), 9);
}

fn requests() -> [(&'static str, Request); 2] {
    let (project, at) = (ProjectId::new("acme").unwrap(), time("2026-03-02T05:36:47.000Z"));
    let full = Request::FullSweep { project: project.clone(), at };
    let from = time("2026-01-01T00:00:00.000Z");
    let backfill = Request::Backfill { project, at, from, to: time("2026-02-01T00:00:00.000Z") };
    [("full_sweep", full), ("backfill", backfill)]
}

#[test]
fn a_request_goes_to_the_owner_of_partition_0() {
    for (name, request) in requests() {
        let record = record::request(&request).unwrap();
        golden(&format!("request_{name}.txt"), &record);
        assert_eq!(serde_json::from_slice::<Request>(&record.payload.unwrap()).unwrap(), request);
    }
}

#[test]
fn a_memo_stays_on_the_partition_that_it_belongs_to() {
    let project = ProjectId::new("acme").unwrap();
    let spent = Standing { spent: 41, day: 20_514, ..Standing::default() };
    let record = record::memo(5, &MemoKey::Standing(project), &Memo::Standing(spent));
    assert_eq!((record.topic, record.partition), (Topic::Ledger, Some(5)));
    assert_eq!(record.key.as_deref(), Some("_standing/acme"));
    assert_eq!(Memo::decode(&record.payload.unwrap()), Ok(Memo::Standing(spent)));
}

#[test]
fn a_records_size_is_never_told_too_small() {
    let record = record::event(&event(), Form::default()).unwrap();
    let headers: usize = record.headers.iter().map(|(name, value)| name.len() + value.len()).sum();
    let bare = record.key.as_ref().unwrap().len() + record.payload.as_ref().unwrap().len() + headers;
    assert!(record.size() > bare && record.size() < bare + 500);
}

#[test]
fn a_dead_letters_message_is_bounded_and_cut_between_characters() {
    let letter = DeadLetter {
        key: None,
        reason: "unreadable_answer",
        message: "é".repeat(2_000),
        attempts: 1,
        first_seen: time("2026-03-02T05:31:11.000Z"),
        origin: None,
    };
    let record = record::dead_letter(&letter);
    let (_, message) = record.headers.iter().find(|(name, _)| *name == "__connect.errors.exception.message").unwrap();
    assert_eq!(message.len(), 1024);
}

#[test]
fn the_layout_is_recorded_under_a_reserved_key_on_partition_0() {
    let record = record::layout(12);
    golden("layout.txt", &record);
    assert_eq!(record::read_layout(&record.payload.unwrap()), Some(12));
    assert_eq!(record::read_layout(b"{}"), None);
}
