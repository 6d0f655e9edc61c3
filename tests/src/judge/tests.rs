//! Each wrong that the judge is there for, planted once.

use super::*;
use simulator::{Change, Config, ManualClock, Posted, Project};
use std::sync::Arc;

const START: i64 = 1_772_429_276_000;

/// A submission that was made, approved and flagged, a second apart; and the events that tell of it.
struct Case {
    clock: ManualClock,
    world: World,
    events: Vec<Told>,
}

fn case() -> Case {
    let clock = ManualClock::new(START);
    let config = Config { projects: vec![Project::new("acme", "key")], ..Config::default() };
    let world = World::new(&config, clock.clock());
    world.create("acme", "s1").unwrap();
    let mut case = Case { clock, world, events: Vec::new() };
    case.tell();
    case.change(&Change::Approve { by_hand: false });
    case.change(&Change::Screen { risk: simulator::Risk::High, matches: 2 });
    case
}

impl Case {
    fn change(&mut self, change: &Change) {
        self.clock.advance(1000);
        let now = self.world.now();
        self.world.set("acme", "s1", |state| change.apply(state, now)).unwrap();
        self.tell();
    }

    /// Appends the event of what is true now.
    fn tell(&mut self) {
        let (_, truth) = self.world.versions("acme", "s1").pop().unwrap();
        let sequence = self.events.len() as u64 + 1;
        let is_flagged = truth.aml_status == "Red Flag";
        let time = |millis| Time::from_millis(millis).to_string();
        let previous = (sequence > 1).then(
            || serde_json::json!({"sequence": sequence - 1, "kyc_status": "incomplete", "aml_status": "not_screened"}),
        );
        let mut data = serde_json::json!({
            "submission": {"project": "acme", "id": "s1", "user_id": truth.user_id, "created_at": time(truth.created_at)},
            "previous": previous,
            "changed": [],
            "provenance": {
                "cause": "webhook", "trigger": null, "hint_id": null, "hinted_at": null, "agreement": "none",
                "confirmed_at": time(self.world.now()), "notice_authentication": [],
                "vendor_updated_at": time(truth.updated_at), "fingerprint": "",
            },
        });
        if !truth.deleted {
            data["kyc"] = serde_json::json!({
                "status": truth.kyc_status, "vendor_status": truth.kyc_status, "decided_at": null, "reviewer": null,
                "origin": "automatic", "retries": u32::from(truth.kyc_status != "incomplete"), "reasons": [],
            });
            data["aml"] = serde_json::json!({
                "status": if is_flagged { "red_flag" } else { "not_screened" }, "vendor_status": truth.aml_status,
                "risk": if is_flagged { "high" } else { "unknown" }, "matches": 0, "notice_at": null,
                "monitoring": "unknown", "monitoring_notice_at": null,
            });
        }
        self.events.push(Told {
            place: (0, sequence as i64 * 2),
            key: Key::parse("acme/s1").unwrap(),
            sequence,
            id: format!("id-{sequence}"),
            kind: String::new(),
            recorded: Time::from_millis(self.world.now() + 5),
            data: serde_json::from_value(data).unwrap(),
        });
    }

    fn states(&self) -> BTreeMap<Key, Snapshot> {
        let last = self.events.last().unwrap();
        let facts = models::Facts {
            submission: last.data.submission.clone(),
            kyc: last.data.kyc.clone().unwrap(),
            aml: last.data.aml.clone().unwrap(),
        };
        let (sequence, confirmed_at) = (last.sequence, last.data.provenance.confirmed_at);
        let vendor_updated_at = last.data.provenance.vendor_updated_at;
        BTreeMap::from([(last.key.clone(), Snapshot { facts, sequence, confirmed_at, vendor_updated_at })])
    }
}

#[test]
fn a_true_story_is_found_right() {
    let mut case = case();
    assert_eq!(unlike_last_event(&case.events, &case.states()), [""; 0]);
    case.change(&Change::Delete { hard: true });
    assert_eq!(disorder(&case.events), [""; 0]);
    assert_eq!(inventions(&case.events, &case.world), [""; 0]);
    assert_eq!(unlike_last_event(&case.events, &BTreeMap::new()), [""; 0]);
}

#[test]
fn a_lost_event_a_repeat_and_a_swap_are_disorder() {
    let wrong = |change: fn(&mut Vec<Told>)| {
        let mut events = case().events;
        change(&mut events);
        disorder(&events).len()
    };
    assert!(wrong(|events| drop(events.remove(1))) > 0, "a gap");
    assert!(wrong(|events| events.push(events[2].clone())) > 0, "a repeat");
    assert!(wrong(|events| events.swap(0, 1)) > 0, "a swap");
    assert_eq!(wrong(|events| events[2].id = events[0].id.clone()), 1, "an id twice");
    assert_eq!(wrong(|events| events[2].data.previous = events[1].data.previous.clone()), 1, "another predecessor");
    assert_eq!(
        wrong(|events| events[2].data.provenance.vendor_updated_at = Some(Time::from_millis(START))),
        1,
        "older"
    );
}

#[test]
fn what_was_never_true_or_not_yet_is_invented() {
    let wrong = |change: fn(&mut Told)| {
        let mut case = case();
        change(&mut case.events[2]);
        inventions(&case.events, &case.world).len()
    };
    assert_eq!(wrong(|_| {}), 0);
    assert_eq!(wrong(|event| event.data.kyc.as_mut().unwrap().status = models::KycStatus::Rejected), 1);
    assert_eq!(wrong(|event| event.data.kyc.as_mut().unwrap().retries = 3), 1);
    assert_eq!(
        wrong(|event| event.data.aml.as_mut().unwrap().status = AmlStatus::NotScreened),
        1,
        "a mix of two versions"
    );
    assert_eq!(wrong(|event| event.data.aml.as_mut().unwrap().risk = Risk::Low), 1);
    assert_eq!(wrong(|event| event.data.provenance.vendor_updated_at = Some(Time::from_millis(START))), 1);
    assert_eq!(wrong(|event| event.data.submission.user_id = None), 1, "another's");
    assert_eq!(wrong(|event| event.recorded = Time::from_millis(START + 1999)), 1, "before it was true");
    assert_eq!(wrong(|event| (event.data.kyc, event.data.aml) = (None, None)), 1, "a deletion");
    assert_eq!(wrong(|event| event.key = Key::parse("acme/s2").unwrap()), 1, "of nobody");
}

#[test]
fn a_state_that_is_not_the_last_event_is_told() {
    let case = case();
    let mut states = case.states();
    for state in states.values_mut() {
        state.sequence = 2;
    }
    assert_eq!(unlike_last_event(&case.events, &states).len(), 1);
    assert_eq!(unlike_last_event(&case.events, &BTreeMap::new()).len(), 1);
    assert_eq!(unlike_last_event(&[], &case.states()).len(), 1);
}

fn post(status: u16) -> SendRecord {
    let posted = Posted { status: Some(status), retry_after_s: None, latency_us: 0 };
    let (project, id, trigger): (Arc<str>, Arc<str>, Arc<str>) = ("acme".into(), "s1".into(), "approved".into());
    SendRecord { project, id, trigger, due_us: 0, sent_us: 0, answered_us: 0, posted }
}

#[test]
fn a_webhook_that_was_accepted_once_more_than_it_was_kept_is_told() {
    let hint = br#"{"id":"x","source":"webhook","received_at":"2026-03-02T05:31:12.000Z","claim":{"trigger":"approved","status":null,"changed_at":null,"attempts":null,"red_flag":null,"deleted":false}}"#;
    let headers = BTreeMap::new();
    let record = Record {
        partition: 0,
        offset: 0,
        timestamp: 0,
        key: "acme/s1".into(),
        headers,
        value: Some(hint.to_vec()),
        schema_id: None,
    };
    assert_eq!(unkept(&[post(200), post(503)], std::slice::from_ref(&record)), [""; 0]);
    assert_eq!(unkept(&[post(200), post(200)], &[record.clone(), record.clone()]), [""; 0]);
    assert_eq!(unkept(&[post(200), post(200)], &[record]).len(), 1);
    assert_eq!(unkept(&[post(200)], &[]).len(), 1);
}

#[test]
fn a_webhook_that_no_retry_brought_in_is_told() {
    let post = |due_us, status| SendRecord {
        project: Arc::from("acme"),
        id: Arc::from("s1"),
        trigger: Arc::from("approved"),
        due_us,
        sent_us: 0,
        answered_us: 0,
        posted: Posted { status, retry_after_s: None, latency_us: 0 },
    };
    assert_eq!(undelivered(&[post(1, Some(503)), post(1, None), post(1, Some(200))]), [""; 0]);
    assert_eq!(undelivered(&[post(1, Some(503)), post(2, Some(200)), post(1, None)]).len(), 1);
}

#[test]
fn another_log_than_was_seen_live_is_told() {
    let events = case().events;
    let live = |ids: [(i64, &str); 3]| BTreeMap::from([(0, ids.map(|(at, id)| (at, id.to_owned())).to_vec())]);
    assert_eq!(unlike_live(&live([(2, "id-1"), (4, "id-2"), (6, "id-3")]), &events), [""; 0]);
    assert_eq!(unlike_live(&live([(2, "id-1"), (6, "id-3"), (4, "id-2")]), &events).len(), 1);
    assert_eq!(unlike_live(&live([(2, "id-1"), (4, "id-2"), (6, "id-4")]), &events).len(), 1);
    assert_eq!(unlike_live(&live([(2, "id-1"), (4, "id-2"), (6, "id-3")]), &events[..2]).len(), 1);
    assert_eq!(unlike_live(&BTreeMap::new(), &events).len(), 1);
}
