//! What every whole-service test asserts, from the topics and the simulated world alone.

use crate::service::Setup;
use crate::topics::{self, Record};
use argos_relay::oracle;
use models::{AmlStatus, Key, Snapshot};
use serde_json::Value;
use simulator::{Simulator, people};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::{Duration, Instant};

/// Every topic, by its name without prefix.
pub const TOPICS: [&str; 7] = [
    "kyc.submission.events.v1",
    "kyc.submission.state.v1",
    "kyc.submission.dlq.v1",
    "kyc.control.notifications.v1",
    "kyc.hints.v1",
    "kyc.hints.bulk.v1",
    "kyc.ledger.v1",
];

/// Reads one of the topics.
pub async fn read(setup: &Setup, topic: &str) -> Vec<Record> {
    topics::read(&setup.bootstrap, &format!("{}{topic}", setup.prefix)).await
}

/// Waits until the state topic agrees with the world; panics with the differences if it does not in time. Returns how
/// long it took.
pub async fn converged(setup: &Setup, sim: &Simulator, within: Duration) -> Duration {
    let began = Instant::now();
    loop {
        let states = topics::states(&read(setup, TOPICS[1]).await);
        let differences = oracle::differences(sim.world(), &states);
        if differences.is_empty() {
            return began.elapsed();
        }
        assert!(
            began.elapsed() < within,
            "not converged within {within:?}: {} differences, for instance {:?}",
            differences.len(),
            &differences[..differences.len().min(5)]
        );
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

/// Safety, for every submission: sequence 1..n without gap or repeat, ids unique, the last event equal to the state,
/// and no (kyc, aml) pair that was never true. Returns the number of events.
pub async fn safe(setup: &Setup, sim: &Simulator) -> usize {
    let (events, states) = at_rest(setup).await;
    let mut ids = HashSet::new();
    let mut last: HashMap<Key, (u64, Value)> = HashMap::new();
    for event in &events {
        let key = Key::parse(&event.key).expect("a key");
        let sequence: u64 = event.headers["ce_sequence"].parse().expect("a sequence");
        let before = last.get(&key).map_or(0, |(sequence, _)| *sequence);
        if sequence != before + 1 {
            tell_ends(setup);
            tell(setup, &event.key).await;
            panic!("{key}: sequence {sequence} after {before}: gap, repeat or disorder");
        }
        assert!(ids.insert(event.headers["ce_id"].clone()), "{key}: id twice");
        let data: Value = serde_json::from_slice(event.value.as_deref().expect("a value")).expect("JSON");
        never_untrue(sim, &key, &data);
        last.insert(key, (sequence, data));
    }
    for (key, (sequence, data)) in &last {
        equal_to_state(key, *sequence, data, states.get(key));
    }
    events.len()
}

/// Events and states of one moment: what a look of the service's own publishes between the two readings would show
/// in the one and not in the other.
async fn at_rest(setup: &Setup) -> (Vec<Record>, BTreeMap<Key, Snapshot>) {
    let mut events = read(setup, TOPICS[0]).await;
    for _ in 0..50 {
        let states = topics::states(&read(setup, TOPICS[1]).await);
        let again = read(setup, TOPICS[0]).await;
        if again.len() == events.len() {
            return (again, states);
        }
        events = again;
    }
    panic!("events go on without an end");
}

/// Prints where every topic ends, for whoever has to find out.
pub fn tell_ends(setup: &Setup) {
    for topic in TOPICS {
        let topic = format!("{}{topic}", setup.prefix);
        let read = topics::read_blocking(&setup.bootstrap, &topic);
        let mut counts: BTreeMap<i32, usize> = BTreeMap::new();
        for record in &read {
            *counts.entry(record.partition).or_default() += 1;
        }
        eprintln!(
            "{topic}: (end, stable end) {:?}, records by partition {counts:?}",
            topics::ends(&setup.bootstrap, &topic)
        );
    }
}

/// Prints every record of a key, for whoever has to find out.
async fn tell(setup: &Setup, key: &str) {
    for topic in TOPICS {
        for record in read(setup, topic).await.iter().filter(|record| record.key == key) {
            let value = record.value.as_deref().map(|value| match models::Entry::decode(value) {
                Ok(entry) => format!("{entry:?}"),
                Err(_) => String::from_utf8_lossy(value).into_owned(),
            });
            let at = models::Time::from_millis(record.timestamp);
            eprintln!("{topic} {}@{} {at} {:?} {value:?}", record.partition, record.offset, record.headers);
        }
    }
}

fn never_untrue(sim: &Simulator, key: &Key, data: &Value) {
    let Some(kyc) = data["kyc"]["status"].as_str() else { return };
    let aml: AmlStatus = serde_json::from_value(data["aml"]["status"].clone()).expect("an AML status");
    assert!(oracle::was_ever_true(sim.world(), key, kyc, aml), "{key}: ({kyc}, {aml}) was never true");
}

fn equal_to_state(key: &Key, sequence: u64, data: &Value, state: Option<&Snapshot>) {
    let Some(state) = state else {
        assert!(data.get("kyc").is_none(), "{key}: the last event shows a submission, the state topic none");
        return;
    };
    assert_eq!(sequence, state.sequence, "{key}");
    assert_eq!(unsealed(&data["kyc"]), unsealed(&serde_json::to_value(&state.facts.kyc).expect("JSON")), "{key}");
    assert_eq!(unsealed(&data["aml"]), unsealed(&serde_json::to_value(&state.facts.aml).expect("JSON")), "{key}");
}

/// With one word for every sealed value: what is sealed twice never looks the same.
fn unsealed(value: &Value) -> Value {
    match value {
        Value::String(text) if text.starts_with("sealed:v1:") => Value::from("sealed"),
        Value::Array(items) => items.iter().map(unsealed).collect(),
        Value::Object(fields) => fields.iter().map(|(name, field)| (name.clone(), unsealed(field))).collect(),
        other => other.clone(),
    }
}

/// No invented person's data in any topic, nor in the texts given (logs, metrics).
pub async fn private(setup: &Setup, texts: &[String]) {
    let needles: Vec<String> = people::needles();
    let mut read_bytes = 0;
    for topic in TOPICS {
        for record in read(setup, topic).await {
            let headers = format!("{:?}", record.headers);
            let value = record.value.as_deref().map(|value| String::from_utf8_lossy(value).into_owned());
            let text = format!("{} {headers} {}", record.key, value.unwrap_or_default());
            read_bytes += text.len();
            assert_free(topic, &text, &needles);
        }
    }
    assert!(read_bytes > 0, "nothing was read, nothing is proven");
    for text in texts {
        assert!(!text.is_empty(), "an empty log proves nothing");
        assert_free("logs and metrics", text, &needles);
    }
}

fn assert_free(place: &str, text: &str, needles: &[String]) {
    for needle in needles {
        assert!(!text.contains(needle.as_str()), "personal data in {place}: {needle}");
    }
}

/// Events by type.
pub fn by_type(events: &[Record]) -> BTreeMap<String, usize> {
    let mut types = BTreeMap::new();
    for event in events {
        *types.entry(event.headers["ce_type"].clone()).or_default() += 1;
    }
    types
}
