//! The service with a schema registry that others made, and Confluent's own client as the reader.

use serde_json::Value;
use simulator::{Pace, Scenario, Simulator};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};
use tests::registry::Registry;
use tests::service::{Replica, Setup, http_get};
use tests::topics::Record;
use tests::{PROJECT, TOKEN, broker, check, simulator};

const ANSWERS: &str = "argos_relay_schema_registry_answers_total";
/// The types of records that others read, but dead letters.
const TYPES: f64 = 20.0;
const PATIENCE: Duration = Duration::from_mins(2);

fn with(setup: &Setup, more: &str) -> Setup {
    Setup { kafka: format!("{}\n{more}", setup.kafka), ..setup.clone() }
}

async fn play(sim: &Simulator, replica: &Replica, setup: &Setup, seed: u64) {
    sim.set_targets(PROJECT, vec![replica.target()], Some(TOKEN.to_owned()));
    let scenario = Scenario { seed, submissions: 30, pace: Pace { min_ms: 5, max_ms: 50 }, ..Scenario::default() };
    scenario.run(sim).await.expect("played");
    check::converged(setup, sim, PATIENCE).await;
}

/// Waits until `/readyz` names the registry and says this.
async fn says_of_the_registry(replica: &Replica, wanted: &str) {
    let until = Instant::now() + PATIENCE;
    loop {
        let told = http_get(&format!("{}/readyz", replica.admin_url())).await;
        if let Some((503, body)) = &told
            && body.contains("schema_registry")
            && body.contains(wanted)
        {
            return;
        }
        assert!(Instant::now() < until, "/readyz does not say {wanted:?}: {told:?}\n{}", replica.logs());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn answers(replica: &Replica, outcome: &str) -> f64 {
    replica.metric_of(ANSWERS, &format!("outcome=\"{outcome}\"")).await
}

/// The public topics as this harness reads them, by topic, partition and offset.
async fn read_all(setup: &Setup) -> BTreeMap<(String, i64, i64), Record> {
    let mut all = BTreeMap::new();
    for topic in [check::TOPICS[0], check::TOPICS[1], check::TOPICS[3]] {
        for record in check::read(setup, topic).await {
            let at = (format!("{}{topic}", setup.prefix), i64::from(record.partition), record.offset);
            all.insert(at, record);
        }
    }
    all
}

/// The type that a record must have by everything but its frame.
fn record_type(topic: &str, record: &Record) -> String {
    let json = tests::topics::json(record);
    match record.headers.get("ce_type") {
        Some(kind) => kind.clone(),
        None if topic.ends_with(check::TOPICS[1]) => check::TOPICS[1].to_owned(),
        None => format!("kyc.control.{}.v1", json["type"].as_str().unwrap_or_default()),
    }
}

/// What Confluent's client reads is what stands behind the frame, under the subject of its type.
async fn the_official_client_reads_the_same(setup: &Setup, registry: &Registry) -> BTreeSet<String> {
    let ours = read_all(setup).await;
    let theirs = registry.official(&["decode", &setup.bootstrap, &registry.url(), &setup.prefix]).await;
    let (mut types, mut seen) = (BTreeSet::new(), 0);
    for line in theirs {
        let told: Value = serde_json::from_str(&line).expect("JSON");
        let topic = told["topic"].as_str().expect("a topic").to_owned();
        let at = (
            topic.clone(),
            told["partition"].as_i64().expect("a partition"),
            told["offset"].as_i64().expect("an offset"),
        );
        // What was written between the two readings is not among ours.
        let Some(record) = ours.get(&at) else { continue };
        seen += 1;
        assert_eq!(told["value"], tests::topics::json(record), "{at:?}");
        if record.value.is_none() {
            continue;
        }
        assert_eq!(record.headers["content-type"], "application/octet-stream");
        assert_eq!(told["id"].as_u64(), record.schema_id.map(u64::from), "{at:?}");
        let kind = record_type(&topic, record);
        assert_eq!(told["subject"], format!("{topic}-{kind}"), "TopicRecordName");
        assert_eq!(told["is_latest"], true, "{told}");
        types.insert(kind);
    }
    assert_eq!(seen, ours.len(), "every record of ours was decoded");
    types
}

/// Down at the start: not ready, and it says why; then everything is framed, in order and true; a restart registers
/// nothing; and with the registry gone again, what is under way goes on.
#[tokio::test(flavor = "multi_thread")]
async fn a_real_registry_and_its_official_client() {
    let Some(bootstrap) = broker::bootstrap() else { return };
    let Some(mut registry) = Registry::find() else { return };
    let sim = simulator(81).await;
    let plain = Setup::new(&bootstrap, "registry", sim.base_url());
    let setup = with(&plain, &format!("schema_registry = {{ url = \"{}\" }}", registry.url()));
    let mut replica = Replica::new(&setup, "relay-0");
    replica.apply_topics();

    replica.start();
    says_of_the_registry(&replica, "does not answer").await;
    let doctor = replica.command(&["doctor"]);
    let told = String::from_utf8_lossy(&doctor.stdout);
    assert!(doctor.status.code() == Some(69) && told.contains("WRONG  the schema registry does not answer"), "{told}");
    assert!(answers(&replica, "away").await >= 1.0);
    registry.start().await;
    replica.ready(PATIENCE).await;
    assert_eq!((answers(&replica, "registered").await, answers(&replica, "found").await), (TYPES, 0.0));
    let subjects = registry.official(&["subjects", &registry.url()]).await;
    assert!(subjects.len() == 20 && subjects.iter().all(|line| line.ends_with(" [1]")), "{subjects:?}");

    play(&sim, &replica, &setup, 81).await;
    let types = the_official_client_reads_the_same(&setup, &registry).await;
    assert!(types.len() >= 8, "{types:?}");
    assert_eq!(replica.terminate().await, Some(0), "{}", replica.logs());
    replica.start_ready().await;
    assert_eq!((answers(&replica, "registered").await, answers(&replica, "found").await), (0.0, TYPES));
    assert_eq!(registry.official(&["subjects", &registry.url()]).await, subjects, "a restart registers nothing");
    let told = String::from_utf8_lossy(&replica.command(&["doctor"]).stdout).into_owned();
    assert!(told.contains("20 of 20"), "{told}");

    registry.stop();
    play(&sim, &replica, &setup, 82).await;
    assert!(check::safe(&setup, &sim).await >= 60, "in order, unique, true, and equal to the state");
    assert!(read_all(&setup).await.values().all(|record| record.value.is_none() || record.schema_id.is_some()));
    the_commands_read_it(&mut replica).await;
    println!("{} subjects; record types seen: {types:?}", subjects.len());
}

/// `verify` reads the state topic, `ledger rebuild` state and events; the latter only when nobody is at work, and here
/// into another topic, as if the ledger were lost.
async fn the_commands_read_it(replica: &mut Replica) {
    let run = |replica: &Replica, arguments: &[&str]| {
        let mut command = replica.prepared(arguments);
        let output = command.env("ARGOS_RELAY__KAFKA__TOPICS__LEDGER", "kyc.ledger.v2").output().expect("it runs");
        let told = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        (output.status.code(), told)
    };
    for arguments in [&["topics", "apply"][..], &["verify", "--project", PROJECT]] {
        let (code, told) = run(replica, arguments);
        assert_eq!(code, Some(0), "{arguments:?}: {told}");
    }
    assert_eq!(replica.terminate().await, Some(0), "{}", replica.logs());
    let until = Instant::now() + PATIENCE;
    loop {
        let (code, told) = run(replica, &["ledger", "rebuild"]);
        if code == Some(0) {
            println!("{told}");
            return;
        }
        // Its place in the group is kept for as long.
        assert!(told.contains("kafka.session_timeout") && Instant::now() < until, "{told}");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

/// From plain to framed: the topics hold both, and everything reads both.
#[tokio::test(flavor = "multi_thread")]
async fn a_topic_with_framed_and_plain_records_is_read_whole_and_evolves_as_the_registry_allows() {
    let Some(bootstrap) = broker::bootstrap() else { return };
    let Some(mut registry) = Registry::find() else { return };
    registry.start().await;
    let sim = simulator(83).await;
    let plain = Setup::new(&bootstrap, "registry-mixed", sim.base_url());
    let setup = with(&plain, &format!("schema_registry = {{ url = \"{}\", register = false }}", registry.url()));
    let mut replica = Replica::new(&plain, "relay-0");
    replica.apply_topics();
    replica.start_ready().await;
    play(&sim, &replica, &plain, 83).await;
    assert_eq!(replica.terminate().await, Some(0), "{}", replica.logs());

    let mut replica = Replica::new(&setup, "relay-0");
    replica.start();
    says_of_the_registry(&replica, "`kafka.schema_registry.register` is off").await;
    let doctor = replica.command(&["doctor"]);
    let told = String::from_utf8_lossy(&doctor.stdout);
    assert!(doctor.status.code() == Some(1) && told.contains("0 of 20") && told.contains("WRONG"), "{told}");
    // Somebody else registers: here another replica that may, as a deployment's pipeline would.
    let may = with(&plain, &format!("schema_registry = {{ url = \"{}\" }}", registry.url()));
    let mut other = Replica::new(&may, "relay-1");
    other.start_ready().await;
    replica.ready(PATIENCE).await;
    assert_eq!((answers(&replica, "registered").await, answers(&replica, "found").await), (0.0, TYPES));
    assert_eq!(other.terminate().await, Some(0), "{}", other.logs());
    play(&sim, &replica, &setup, 84).await;
    assert!(check::safe(&setup, &sim).await >= 60);
    let records = read_all(&setup).await;
    let framed = records.values().filter(|record| record.schema_id.is_some()).count();
    let bare = records.values().filter(|record| record.schema_id.is_none() && record.value.is_some()).count();
    assert!(framed > 40 && bare > 40, "{framed} framed, {bare} plain");
    the_commands_read_it(&mut replica).await;

    let subject = format!("{0}{1}-kyc.submission.approved.v1", setup.prefix, check::TOPICS[0]);
    let evolved = registry.official(&["evolve", &registry.url(), &subject]).await;
    let expected = [
        "a word of an open enum: taken",
        "a description: taken",
        "a field's type: refused",
        "a field that is gone: refused",
        "a field that must be there: refused",
        "an optional field: refused",
    ];
    assert_eq!(evolved, expected);
    println!("{framed} framed and {bare} plain records in one set of topics");
}
