//! The operators' commands as they are run: the real binary, its output and its exit code.

use serde_json::Value;
use simulator::{Change, Config, Derivation, ListAml, ListShape, Mode, Pace, Project, Scenario, Simulator, Trigger};
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};
use tests::service::{Replica, Setup};
use tests::{API_KEY, PROJECT, TOKEN, broker, check, simulator, topics, wall_clock};

/// Nothing listens there.
const NO_KAFKA: &str = "127.0.0.1:1";

/// Runs a command off the runtime: the simulator runs on it.
pub(super) async fn run(replica: &Replica, arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut command = replica.prepared(arguments);
    let output = tokio::task::spawn_blocking(move || command.output()).await.expect("it ran").expect("it runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    (output.status.code(), text(output.stdout), text(output.stderr))
}

/// The same with `--output json`, read.
pub(super) async fn json(replica: &Replica, arguments: &[&str]) -> (Option<i32>, Value) {
    let (code, out, err) = run(replica, &[arguments, &["--output", "json"]].concat()).await;
    let document = serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {out}{err}"));
    (code, document)
}

async fn argos(project: Project, list: ListShape) -> Simulator {
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port is free");
    let config = Config { projects: vec![project], list, ..Config::default() };
    Simulator::start(listener, config, wall_clock()).expect("the simulator starts")
}

pub(super) fn create(sim: &Simulator, count: usize) -> Vec<String> {
    let ids: Vec<String> = (0..count).map(|_| sim.world().new_id()).collect();
    for id in &ids {
        sim.world().create(PROJECT, id).expect("it is new");
    }
    ids
}

fn without_kafka(sim: &Simulator, project: &str) -> Replica {
    let mut setup = Setup::new(NO_KAFKA, "commands", sim.base_url());
    project.clone_into(&mut setup.project);
    Replica::new(&setup, "relay-0")
}

/// Settings that hold, each that does not, and the right ones named.
#[tokio::test(flavor = "multi_thread")]
async fn doctor_names_the_settings_that_hold() {
    let plain = || Project::new(PROJECT, API_KEY);
    let list = ListShape { max_count: 100, aml: ListAml::Always, ..ListShape::default() };
    let sim = argos(plain(), list).await;
    create(&sim, 5);
    let (code, found) = json(&without_kafka(&sim, ""), &["doctor"]).await;
    assert_eq!(code, Some(0), "{found:#}");
    let one = &found["projects"][0];
    assert_eq!((&found["ok"], &one["wrong"]), (&true.into(), &Value::Array(Vec::new())));
    assert_eq!(one["settings"]["encryption"]["mode"], "off");
    assert_eq!((&one["rows"]["rows"], &one["rows"]["with_aml"]), (&5.into(), &5.into()));
    assert_eq!(one["slices"]["verdict"], "holds");
    assert!(one["latency"]["p50_ms"].is_u64() && one["clock_skew_ms"].as_i64().unwrap().abs() < 2_000, "{one:#}");

    let large = without_kafka(&sim, "list = { page_size = 500 }");
    let (code, out, _) = run(&large, &["doctor", "--project", PROJECT]).await;
    assert_eq!(code, Some(1));
    assert!(out.contains("WRONG  list.page_size: 500 does not hold") && out.contains("\npage_size = 50\n"), "{out}");

    let sealed = without_kafka(&sim, "encryption = { mode = \"aes-256-gcm\" }");
    let (code, found) = json(&sealed, &["doctor"]).await;
    assert_eq!(code, Some(1));
    assert_eq!(found["projects"][0]["wrong"][0], "encryption.mode: is \"aes-256-gcm\", and \"off\" holds");
}

/// Each mode and derivation is found, whatever is configured; the right one is named.
#[tokio::test(flavor = "multi_thread")]
async fn doctor_names_the_derivation_that_opens_answers() {
    let modes = [(Mode::Ecb, "aes-256-ecb"), (Mode::Gcm, "aes-256-gcm")];
    let derivations = [(Derivation::Last32Bytes, "last_32_bytes"), (Derivation::Sha256Hex32, "sha256_hex_32")];
    for ((mode, mode_word), (derivation, word)) in modes.into_iter().zip(derivations) {
        let sim = argos(Project::new(PROJECT, API_KEY).encrypted(mode, derivation), ListShape::default()).await;
        create(&sim, 3);
        let wrong =
            without_kafka(&sim, &format!("encryption = {{ mode = \"{mode_word}\", key_derivation = \"sha256\" }}"));
        let (code, out, _) = run(&wrong, &["doctor"]).await;
        assert_eq!(code, Some(1), "{out}");
        let sentence = format!("WRONG  encryption.key_derivation: is \"sha256\", and \"{word}\" holds\n");
        assert!(out.contains(&sentence) && out.contains(&format!("\nkey_derivation = \"{word}\"\n")), "{out}");
        let right =
            without_kafka(&sim, &format!("encryption = {{ mode = \"{mode_word}\", key_derivation = \"{word}\" }}"));
        let (code, out, _) = run(&right, &["doctor"]).await;
        assert_eq!(code, Some(0), "{out}");
        assert!(out.contains(&format!("answers are sealed; {mode_word} with {word} of key 1 opens them")), "{out}");
    }
}

/// A refused key is not hammered, and a project that is away is 69.
#[tokio::test(flavor = "multi_thread")]
async fn doctor_tells_a_refusal_from_an_outage() {
    let sim = argos(Project::new(PROJECT, "another-key"), ListShape::default()).await;
    let (code, out, _) = run(&without_kafka(&sim, ""), &["doctor"]).await;
    assert_eq!((code, sim.counts().requests), (Some(1), 1), "{out}");
    assert!(out.contains("API key accepted       no: "), "{out}");
    let nowhere = Replica::new(&Setup::new(NO_KAFKA, "commands", "http://127.0.0.1:1/v3"), "relay-0");
    assert_eq!(run(&nowhere, &["doctor"]).await.0, Some(69));
    let (code, _, err) = run(&nowhere, &["doctor", "--project", "other"]).await;
    assert_eq!(code, Some(64));
    assert!(err.contains("no project \"other\" is configured; there are: acme"), "{err}");
}

/// All submissions of a person, newest first; the latest approved is marked though a newer one is not approved.
#[tokio::test(flavor = "multi_thread")]
async fn lookup_marks_the_latest_approved() {
    let sim = argos(Project::new(PROJECT, API_KEY), ListShape::default()).await;
    let ids: Vec<String> = (0..4).map(|_| sim.world().new_id()).collect();
    for (at, id) in ids.iter().enumerate() {
        // The last one is another person's.
        sim.world().create_with(PROJECT, id, simulator::Traits::FULL, usize::from(at == 3)).unwrap();
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    for id in &ids[..2] {
        sim.change(PROJECT, id, &Change::Approve { by_hand: false }).unwrap();
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let replica = without_kafka(&sim, "");
    let (code, found) = json(&replica, &["lookup", "--project", PROJECT, "--user", "u-1001"]).await;
    assert_eq!((code, &found["latest_approved"]), (Some(0), &ids[1].as_str().into()));
    let shown: Vec<&str> =
        found["submissions"].as_array().unwrap().iter().map(|one| one["submission"].as_str().unwrap()).collect();
    assert_eq!(shown, [&ids[2], &ids[1], &ids[0]]);
    let (code, out, err) = run(&replica, &["lookup", "--project", PROJECT, "--user", "u-1001"]).await;
    assert_eq!(code, Some(0));
    let marked: Vec<&str> = out.lines().filter(|line| line.ends_with("<- the latest approved")).collect();
    assert!(marked.len() == 1 && marked[0].starts_with(&ids[1]), "{out}");
    for needle in simulator::people::needles() {
        assert!(!out.contains(&needle) && !err.contains(&needle) && !found.to_string().contains(&needle), "{needle}");
    }
    let (code, out, _) = run(&replica, &["lookup", "--project", PROJECT, "--email", "nobody@example.com"]).await;
    assert_eq!((code, out.as_str()), (Some(0), "0 submissions, newest first\n"));
}

/// The dry run walks and counts; Kafka is not needed, and nothing is sent.
#[tokio::test(flavor = "multi_thread")]
async fn a_dry_backfill_counts_and_sends_nothing() {
    let sim = argos(Project::new(PROJECT, API_KEY), ListShape::default()).await;
    create(&sim, 120);
    let replica = without_kafka(&sim, "");
    let period = ["--project", PROJECT, "--from", "2020-01-01", "--to", "2099-12-31"];
    let dry = [&["backfill", "--dry-run", "--rate", "100"][..], &period].concat();
    let (code, found) = json(&replica, &dry).await;
    assert_eq!((code, &found["submissions"], &found["rows"]), (Some(0), &120.into(), &120.into()), "{found:#}");
    assert_eq!((&found["pages"], &found["gets_at_worst"]), (&3.into(), &123.into()));
    assert_eq!((sim.counts().lists, sim.counts().singles), (3, 0));
    let none = ["backfill", "--dry-run", "--project", PROJECT, "--from", "2020-01-01", "--to", "2020-01-31"];
    assert_eq!(json(&replica, &none).await.1["submissions"], 0);
    let swapped = ["backfill", "--project", PROJECT, "--from", "2026-02-01", "--to", "2026-01-01"];
    assert_eq!(run(&replica, &swapped).await.0, Some(64));
    // In earnest it needs Kafka.
    assert_eq!(run(&replica, &[&["backfill"][..], &period].concat()).await.0, Some(69));
}

/// A service on the broker with submissions confirmed.
async fn service(prefix: &str, count: usize) -> Option<(Setup, Simulator, Replica, Vec<String>)> {
    let bootstrap = broker::bootstrap()?;
    let sim = simulator(21).await;
    let setup = Setup::new(&bootstrap, prefix, sim.base_url());
    let mut replica = Replica::new(&setup, "relay-0");
    replica.apply_topics();
    replica.start_ready().await;
    sim.set_targets(PROJECT, vec![replica.target()], Some(TOKEN.to_owned()));
    let ids = create(&sim, count);
    for id in &ids {
        let body = sim.body(PROJECT, id, Trigger::Created, 0).expect("a body");
        assert_eq!(sim.send_webhook(PROJECT, &body).await.status, Some(200));
    }
    check::converged(&setup, &sim, Duration::from_secs(20)).await;
    Some((setup, sim, replica, ids))
}

pub(super) fn key(id: &str) -> String {
    format!("{PROJECT}/{id}")
}

/// A look asked for by an operator is made, and its result is told.
#[tokio::test(flavor = "multi_thread")]
async fn reconcile_tells_what_came_of_it() {
    let Some((setup, sim, mut replica, ids)) = service("reconcile", 1).await else { return };
    let id = &ids[0];
    let (code, found) = json(&replica, &["reconcile", &key(id)]).await;
    assert_eq!((code, &found["result"]), (Some(0), &"unchanged".into()), "{found:#}");
    sim.change(PROJECT, id, &Change::Approve { by_hand: true }).unwrap();
    let (code, found) = json(&replica, &["reconcile", &key(id)]).await;
    assert_eq!((code, &found["result"]), (Some(0), &"published".into()), "{found:#}");
    let event = &found["events"][0];
    assert_eq!(event["type"], "kyc.submission.approved.v1");
    assert_eq!((&event["hint_id"], &found["state"]["kyc_status"]), (&found["hint_id"], &"approved".into()));
    let (code, found) = json(&replica, &["reconcile", &key("nobody0000000")]).await;
    assert_eq!((code, &found["result"]), (Some(0), &"unknown".into()), "{found:#}");
    assert_eq!(run(&replica, &["reconcile", "other/x"]).await.0, Some(64));

    replica.kill();
    let (code, out, _) = run(&replica, &["reconcile", &key(id), "--timeout", "1s"]).await;
    assert_eq!(code, Some(1), "{out}");
    assert!(out.contains("nothing came of it within 1s"), "{out}");
    let (code, out, _) = run(&replica, &["reconcile", &key(id), "--no-wait"]).await;
    assert_eq!((code, out.lines().count()), (Some(0), 1), "{out}");
    check::safe(&setup, &sim).await;
    let nowhere = Replica::new(&Setup::new(NO_KAFKA, "commands", sim.base_url()), "relay-0");
    assert_eq!(run(&nowhere, &["reconcile", &key(id)]).await.0, Some(69));
}

/// Nothing without `--yes`; then a tombstone, a grave, and no look ever again.
#[tokio::test(flavor = "multi_thread")]
async fn erase_needs_a_yes_and_is_for_good() {
    let Some((setup, sim, replica, ids)) = service("erase", 2).await else { return };
    let id = &ids[0];
    let (code, found) = json(&replica, &["erase", &key(id)]).await;
    assert_eq!(
        (code, &found["result"], &found["held"]["events"]),
        (Some(64), &"nothing".into(), &1.into()),
        "{found:#}"
    );
    assert!(found["held"]["retention_seconds"].as_u64().unwrap() >= 86_400, "{found:#}");
    assert_eq!(states(&setup).await.len(), 2);

    let (code, found) = json(&replica, &["erase", &key(id), "--yes"]).await;
    assert_eq!((code, &found["result"]), (Some(0), &"erased".into()), "{found:#}");
    let left = states(&setup).await;
    assert!(left.len() == 1 && left.contains_key(&models::Key::parse(&key(&ids[1])).unwrap()), "{left:?}");

    sim.change(PROJECT, id, &Change::Approve { by_hand: false }).unwrap();
    let gets = sim.gets(PROJECT, id);
    let body = sim.body(PROJECT, id, Trigger::Approved, 0).unwrap();
    assert_eq!(sim.send_webhook(PROJECT, &body).await.status, Some(200));
    let body = sim.body(PROJECT, &ids[1], Trigger::Created, 0).unwrap();
    assert_eq!(sim.send_webhook(PROJECT, &body).await.status, Some(200));
    // A later hint of another submission on any partition shows that time has passed; the erased one was not asked for.
    let (code, found) = json(&replica, &["reconcile", &key(&ids[1])]).await;
    assert_eq!(code, Some(0), "{found:#}");
    assert_eq!(sim.gets(PROJECT, id), gets, "an erased submission is never fetched again");
    assert_eq!(states(&setup).await.len(), 1);
    let (code, found) = json(&replica, &["erase", &key(id), "--yes"]).await;
    assert_eq!((code, &found["result"]), (Some(0), &"erased_before".into()), "{found:#}");
    assert_eq!(run(&replica, &["reconcile", &key(id)]).await.0, Some(64));
    let (code, found) = json(&replica, &["verify", "--project", PROJECT, "--rate", "100"]).await;
    assert_eq!(
        (code, &found["erased"]),
        (Some(0), &1.into()),
        "ARGOS shows it still, and that is no difference: {found:#}"
    );
}

async fn states(setup: &Setup) -> std::collections::BTreeMap<models::Key, models::Snapshot> {
    topics::states(&check::read(setup, check::TOPICS[1]).await)
}

/// Dead letters are looked at again, each submission once, and not twice by two runs.
#[tokio::test(flavor = "multi_thread")]
async fn redrive_reconciles_what_was_given_up() {
    let Some((setup, sim, replica, ids)) = service("redrive", 2).await else { return };
    for id in &ids {
        sim.faults().poison(PROJECT, id);
        sim.change(PROJECT, id, &Change::Pend).unwrap();
        dead_letter(&setup, id).await;
        // Twice: one submission, two letters.
        dead_letter(&setup, id).await;
    }
    let (code, found) = json(&replica, &["redrive", "--dry-run"]).await;
    assert_eq!((code, &found["dead_letters"], &found["submissions"]), (Some(0), &4.into(), &2.into()), "{found:#}");
    assert_eq!(found["sent"], 0);
    let (_, found) = json(&replica, &["redrive", "--reason", "another", "--dry-run"]).await;
    assert_eq!((&found["submissions"], &found["left_out"]), (&0.into(), &4.into()));
    for id in &ids {
        sim.faults().heal(PROJECT, id);
    }
    let (code, found) = json(&replica, &["redrive"]).await;
    assert_eq!((code, &found["sent"]), (Some(0), &2.into()), "{found:#}");
    check::converged(&setup, &sim, Duration::from_secs(20)).await;
    let (_, found) = json(&replica, &["redrive"]).await;
    assert_eq!((&found["dead_letters"], &found["sent"]), (&0.into(), &0.into()), "how far it came is kept");
    let (_, found) = json(&replica, &["redrive", "--from-start", "--limit", "1"]).await;
    assert_eq!((&found["submissions"], &found["sent"]), (&1.into(), &1.into()));
    check::safe(&setup, &sim).await;
}

/// As the service writes one, without waiting for ten failures.
pub(super) async fn dead_letter(setup: &Setup, id: &str) {
    use rdkafka::message::{Header, OwnedHeaders};
    use rdkafka::producer::{FutureProducer, FutureRecord};
    let mut config = rdkafka::ClientConfig::new();
    config.set("bootstrap.servers", &setup.bootstrap).set("partitioner", "murmur2_random");
    let producer: FutureProducer = config.create().expect("a producer");
    let (topic, key) = (format!("{}{}", setup.prefix, check::TOPICS[2]), key(id));
    let reason = Header { key: "argos_relay.reason", value: Some("unreadable") };
    let record = FutureRecord::<str, [u8]>::to(&topic).key(&key).headers(OwnedHeaders::new().insert(reason));
    producer.send(record, Duration::from_secs(10)).await.expect("it is written");
}

/// List and state agree; a difference that nobody told the service is found, and one that settles is not counted.
#[tokio::test(flavor = "multi_thread")]
async fn verify_finds_what_differs() {
    let Some((setup, sim, mut replica, ids)) = service("verify", 60).await else { return };
    let verify = ["verify", "--project", PROJECT, "--rate", "100", "--settle", "5s"];
    let (code, found) = json(&replica, &verify).await;
    assert_eq!((code, &found["ok"], &found["listed"]), (Some(0), &true.into(), &60.into()), "{found:#}");

    // Nobody repairs these.
    replica.kill();
    sim.change(PROJECT, &ids[0], &Change::Approve { by_hand: false }).unwrap();
    sim.change(PROJECT, &ids[1], &Change::Delete { hard: true }).unwrap();
    let unknown = create(&sim, 1);
    let (code, found) = json(&replica, &verify).await;
    assert_eq!(code, Some(1), "{found:#}");
    let mut told: Vec<(&str, &str)> = found["differences"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["id"].as_str().unwrap(), one["what"].as_str().unwrap()))
        .collect();
    told.sort_unstable();
    let mut expected =
        vec![(ids[0].as_str(), "kyc.status"), (ids[1].as_str(), "extra"), (unknown[0].as_str(), "missing")];
    expected.sort_unstable();
    assert_eq!(told, expected);

    // These are repaired while the command looks again.
    let settling = ["verify", "--project", PROJECT, "--rate", "100", "--settle", "1m"];
    let (begun, ((code, found), ())) = (
        Instant::now(),
        tokio::join!(json(&replica, &settling), async {
            let mut other = Replica::new(&setup, "relay-0");
            other.start_ready().await;
            sim.set_targets(PROJECT, vec![other.target()], Some(TOKEN.to_owned()));
            for id in [&ids[0], &ids[1], &unknown[0]] {
                assert_eq!(sim.forge(PROJECT, id, Trigger::Approved).await.status, Some(200));
            }
            check::converged(&setup, &sim, Duration::from_secs(40)).await;
            other.terminate().await;
        }),
    );
    assert_eq!((code, &found["settled"]), (Some(0), &3.into()), "{found:#}");
    println!("60 submissions and 3 that settled: verified in {:?}", begun.elapsed());
}

/// A backfill finds what no webhook told, is followed to its end, and is attached to instead of sent twice.
#[tokio::test(flavor = "multi_thread")]
async fn backfill_is_followed_to_its_end() {
    let Some(bootstrap) = broker::bootstrap() else { return };
    let sim = simulator(22).await;
    let mut setup = Setup::new(&bootstrap, "backfill", sim.base_url());
    "sweeps = { lag = \"0ms\" }".clone_into(&mut setup.project);
    let mut replica = Replica::new(&setup, "relay-0");
    replica.apply_topics();
    // No webhook goes out: nobody is told of any of these.
    let scenario = Scenario { seed: 22, submissions: 120, pace: Pace { min_ms: 1, max_ms: 5 }, ..Scenario::default() };
    scenario.run(&sim).await.unwrap();
    let period = ["backfill", "--project", PROJECT, "--from", "2020-01-01", "--to", "2099-12-31"];
    replica.start_ready().await;
    let (code, found) = json(&replica, &period).await;
    assert_eq!((code, &found["result"], &found["complete"]), (Some(0), &"ended".into(), &true.into()), "{found:#}");
    assert!(found["totals"]["rows"].as_u64().unwrap() >= 100, "{found:#}");
    check::converged(&setup, &sim, Duration::from_secs(30)).await;
    check::safe(&setup, &sim).await;
    let (code, found) = json(&replica, &period).await;
    assert_eq!((code, &found["totals"]["hinted"]), (Some(0), &0.into()), "all is equal now: {found:#}");
}

/// A request that nobody takes up is told, and kept.
#[tokio::test(flavor = "multi_thread")]
async fn a_backfill_that_nobody_walks_is_told() {
    let Some(bootstrap) = broker::bootstrap() else { return };
    let sim = simulator(23).await;
    let mut setup = Setup::new(&bootstrap, "nobody", sim.base_url());
    "sweeps = { lag = \"0ms\" }".clone_into(&mut setup.project);
    let mut replica = Replica::new(&setup, "relay-0");
    replica.apply_topics();
    let period = ["backfill", "--project", PROJECT, "--from", "2020-01-01", "--to", "2099-12-31"];
    let (code, found) = json(&replica, &[&period[..], &["--begins-within", "1s"]].concat()).await;
    assert_eq!((code, &found["result"]), (Some(69), &"not_begun".into()));
    let id = &create(&sim, 1)[0];
    replica.start_ready().await;
    check::converged(&setup, &sim, Duration::from_secs(30)).await;
    assert!(sim.gets(PROJECT, id) >= 1, "the walk found it, though no webhook told");
}
