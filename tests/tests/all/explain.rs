//! An operator asks why: three prepared situations over the real commands and a real broker, and that every replica tells
//! the same.

use super::commands::{create, dead_letter, json, key, run};
use serde_json::{Value, json};
use simulator::{Change, Config, Project, Simulator, Trigger};
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};
use tests::service::{Replica, Setup, http_get, http_with};
use tests::{PROJECT, TOKEN, broker, check, simulator, wall_clock};

/// Time for what should take seconds.
const PATIENCE: Duration = Duration::from_mins(1);

/// A service in front of this ARGOS.
async fn service(prefix: &str, sim: &Simulator, change: impl FnOnce(&mut Setup)) -> Option<(Setup, Replica)> {
    let mut setup = Setup::new(&broker::bootstrap()?, prefix, sim.base_url());
    change(&mut setup);
    let mut replica = Replica::new(&setup, "relay-0");
    replica.apply_topics();
    replica.start_ready().await;
    sim.set_targets(PROJECT, vec![replica.target()], Some(TOKEN.to_owned()));
    Some((setup, replica))
}

async fn webhook(sim: &Simulator, id: &str, trigger: Trigger) {
    let body = sim.body(PROJECT, id, trigger, 0).expect("a body");
    assert_eq!(sim.send_webhook(PROJECT, &body).await.status, Some(200));
}

/// Asks until the document is as wanted.
async fn until(replica: &Replica, arguments: &[&str], wanted: impl Fn(&Value) -> bool) -> Value {
    let began = Instant::now();
    loop {
        let (_, told) = json(replica, arguments).await;
        if wanted(&told) {
            return told;
        }
        assert!(began.elapsed() < PATIENCE, "not told within {PATIENCE:?}: {told:#}");
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
}

fn kinds(told: &Value) -> Vec<&str> {
    told["timeline"].as_array().expect("a timeline").iter().map(|one| one["kind"].as_str().expect("a kind")).collect()
}

/// Situation 1: approved at ARGOS, and its webhook never came. Nobody knows it until a walk or an operator asks.
#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_that_never_came_is_named_with_what_to_do() {
    let sim = simulator(31).await;
    let Some((_, replica)) = service("never-came", &sim, |_| {}).await else { return };
    // The first walk leaves out what is younger than its lag; the next is minutes away.
    let id = create(&sim, 1).remove(0);
    sim.change(PROJECT, &id, &Change::Approve { by_hand: false }).expect("it is there");
    let (code, out, err) = run(&replica, &["explain", &key(&id)]).await;
    assert_eq!(code, Some(0), "{out}{err}");
    let verdict = out.lines().next().unwrap_or_default();
    assert!(verdict.starts_with(&format!("{PROJECT}/{id}: No webhook of it has come since ")), "{out}");
    assert!(verdict.contains(&format!("`reconcile {PROJECT}/{id}`")), "{out}");
    assert!(out.contains("\nverdict     webhook_never_came\n"), "{out}");
    let (code, status, _) = run(&replica, &["status"]).await;
    assert_eq!(code, Some(0), "{status}");
    assert!(
        status.starts_with("all is well\n")
            && status.contains("webhooks 0.0")
            && status.contains("\nwalk       recent"),
        "{status}"
    );

    // What the verdict says helps.
    assert_eq!(run(&replica, &["reconcile", &key(&id)]).await.0, Some(0));
    let (_, told) = json(&replica, &["explain", &key(&id)]).await;
    assert_eq!(
        (&told["verdict"]["code"], &told["entry"]["kyc_status"]),
        (&json!("published"), &json!("approved")),
        "{told:#}"
    );
    assert_eq!(told["entry"]["last_look"]["outcome"], "present");
    assert_eq!(told["entry"]["last_look"]["rule"], "published");
    let kinds = kinds(&told);
    for kind in ["hint", "read", "get", "decision", "event", "committed"] {
        assert!(kinds.contains(&kind), "{kind} in {kinds:?}");
    }
}

/// Situation 2: ARGOS answers 403.
#[tokio::test(flavor = "multi_thread")]
async fn a_refused_key_is_named_with_what_to_do() {
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port is free");
    let config = Config { projects: vec![Project::new(PROJECT, "another-key")], ..Config::default() };
    let sim = Simulator::start(listener, config, wall_clock()).expect("the simulator starts");
    let Some((_, replica)) = service("refused", &sim, |_| {}).await else { return };
    let began = Instant::now();
    let id = create(&sim, 1).remove(0);
    webhook(&sim, &id, Trigger::Created).await;
    let told = until(&replica, &["explain", &key(&id)], |told| told["verdict"]["code"] == "argos_refuses").await;
    let text = told["verdict"]["text"].as_str().expect("a text");
    assert!(
        text.contains("403") && text.contains("Check the API key") && text.contains("`doctor --project acme`"),
        "{text}"
    );
    assert!(began.elapsed() < PATIENCE);
    let (code, status, _) = run(&replica, &["status"]).await;
    assert_eq!(code, Some(1), "{status}");
    assert!(
        status.starts_with("ATTENTION  project acme: ARGOS is not asked since ")
            && status.contains("check the API key"),
        "{status}"
    );
    let (_, status) = json(&replica, &["status"]).await;
    assert_ne!(status["projects"][0]["breaker"]["state"], "closed", "{status:#}");
}

/// Situation 3: the GET shows pending, since nobody at ARGOS has decided.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_pending_at_argos_is_told_as_such() {
    let sim = simulator(33).await;
    let Some((_, replica)) = service("pending", &sim, |_| {}).await else { return };
    let id = create(&sim, 1).remove(0);
    webhook(&sim, &id, Trigger::Created).await;
    sim.change(PROJECT, &id, &Change::Pend).expect("it is there");
    webhook(&sim, &id, Trigger::Submit).await;
    let told = until(&replica, &["explain", &key(&id)], |told| told["entry"]["kyc_status"] == "pending").await;
    assert_eq!(told["verdict"]["code"], "pending_at_argos", "{told:#}");
    let text = told["verdict"]["text"].as_str().expect("a text");
    assert!(
        text.contains("somebody at ARGOS has to decide") && text.contains("looked at again by itself at"),
        "{text}"
    );
    assert_eq!(told["entry"]["next_look"]["reason"], "under_review");
    assert_eq!(run(&replica, &["status"]).await.0, Some(0));
}

/// Situation 3, the other cause: the look waits for budget.
#[tokio::test(flavor = "multi_thread")]
async fn a_look_that_waits_for_budget_is_told_as_such() {
    let sim = simulator(34).await;
    let Some((_, replica)) = service("budget", &sim, |setup| setup.requests_per_second = 1).await else { return };
    let ids = create(&sim, 60);
    for id in &ids {
        webhook(&sim, id, Trigger::Created).await;
    }
    let last = &ids[59];
    let waits = |told: &Value| matches!(told["verdict"]["code"].as_str(), Some("look_pending" | "parked"));
    let told = until(&replica, &["explain", &key(last)], waits).await;
    let text = told["verdict"]["text"].as_str().expect("a text");
    assert!(text.contains("budget") || text.contains("nothing is committed of it yet"), "{text}");
    let status = until(&replica, &["status"], |status| {
        let queue = &status["projects"][0]["queue"];
        queue["live"].as_u64() > Some(10) || queue["parked"].as_u64() > Some(0)
    });
    let status = status.await;
    assert_eq!(status["projects"][0]["budget"]["per_second"], 1.0, "{status:#}");
    let (code, text, _) = run(&replica, &["status"]).await;
    assert_eq!(code, Some(1), "{text}");
    assert!(text.starts_with("ATTENTION  project acme: ") && text.contains("budget"), "{text}");
}

async fn get(replica: &Replica, path: &str) -> Value {
    let (status, body) = http_get(&format!("{}{path}", replica.admin_url())).await.expect("an answer");
    assert_eq!(status, 200, "{path}: {body}");
    serde_json::from_str(&body).expect("JSON")
}

/// Two replicas share four partitions. Both tell the same of topics, entry and group; only the owner has details, and
/// the other says who that is. Without any replica, Kafka tells the same.
#[tokio::test(flavor = "multi_thread")]
async fn two_replicas_agree_and_name_the_owner() {
    let sim = simulator(35).await;
    // Decided submissions are at rest: an entry that is written anew between two answers would differ.
    let rest = |setup: &mut Setup| setup.relooks = r#"["1h"]"#.to_owned();
    let Some((setup, mut first)) = service("agree", &sim, rest).await else { return };
    let mut second = Replica::new(&setup, "relay-1");
    second.start_ready().await;
    let both_hold = |told: &Value| {
        let members = told["members"].as_array().map(Vec::as_slice).unwrap_or_default();
        members.len() == 2
            && members.iter().all(|member| member["partitions"].as_array().is_some_and(|all| all.len() == 2))
    };
    until(&first, &["status"], both_hold).await;
    let ids = create(&sim, 12);
    for id in &ids {
        sim.change(PROJECT, id, &Change::Reject { codes: &[], by_hand: false }).expect("it is there");
        webhook(&sim, id, Trigger::Rejected).await;
    }
    check::converged(&setup, &sim, PATIENCE).await;
    dead_letter(&setup, &ids[0]).await;

    for path in ["/api/v1/events?limit=100", "/api/v1/dead-letters?limit=10"] {
        assert_eq!(get(&first, path).await, get(&second, path).await, "{path}");
    }
    assert_eq!(get(&first, "/api/v1/events").await["events"].as_array().map(Vec::len), Some(12));
    assert_eq!(get(&first, "/api/v1/dead-letters").await["dead_letters"][0]["id"], json!(ids[0]));
    assert_eq!(get(&first, "/api/v1/status").await["members"], get(&second, "/api/v1/status").await["members"]);
    let mut owners = std::collections::BTreeSet::new();
    // Dead letters are written by a foreign producer here, which may put them elsewhere.
    for id in &ids[1..] {
        let path = format!("/api/v1/submissions/{PROJECT}/{id}");
        let (one, other) = (get(&first, &path).await, get(&second, &path).await);
        owners.insert(agree(one, other));
    }
    assert_eq!(owners.len(), 2, "each holds some: {owners:?}");

    // Hints of operators go from any replica to the owner.
    let url = format!("{}/api/v1/submissions/{PROJECT}/{}/reconcile", second.admin_url(), ids[0]);
    let (status, answer) =
        http_with("POST", &url, "content-type: application/json\r\n", "{}").await.expect("an answer");
    assert_eq!(status, 202, "{answer}");
    let told = until(&first, &["explain", &key(&ids[0])], |told| {
        kinds(told).iter().filter(|kind| **kind == "hint").count() == 2 && told["verdict"]["code"] == "published"
    })
    .await;
    assert_eq!(told["entry"]["sequence"], 1, "{told:#}");

    first.kill();
    second.kill();
    let (code, out, err) = run(&first, &["explain", &key(&ids[1]), "--output", "json"]).await;
    assert_eq!(code, Some(0), "{err}");
    assert!(err.contains("no replica answers at 127.0.0.1:") && err.contains("without details"), "{err}");
    let told: Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!((&told["entry"]["sequence"], &told["journal"]["available"]), (&json!(1), &json!(false)), "{told:#}");
    assert_eq!(kinds(&told), ["hint", "event"], "{told:#}");
    assert_eq!(run(&first, &["status"]).await.0, Some(69));
}

/// Holds two answers against each other; the owner's name.
fn agree(one: Value, other: Value) -> String {
    let (mut owner, mut stranger) = if one["owner"]["self"] == true { (one, other) } else { (other, one) };
    assert_eq!((&owner["owner"]["self"], &stranger["owner"]["self"]), (&json!(true), &json!(false)), "{stranger:#}");
    let name = owner["owner"]["instance"].as_str().expect("a name").to_owned();
    assert_eq!(stranger["owner"]["instance"], json!(name));
    assert_eq!((&owner["journal"]["available"], &stranger["journal"]["available"]), (&json!(true), &json!(false)));
    assert_eq!(stranger["journal"]["owner"], json!(name));
    let of_topics = |told: &Value| -> Vec<Value> {
        told["timeline"]
            .as_array()
            .expect("a timeline")
            .iter()
            .filter(|one| one["source"] == "topic")
            .cloned()
            .collect()
    };
    assert_eq!(of_topics(&owner), of_topics(&stranger));
    assert_eq!(kinds(&stranger), ["hint", "event"], "{stranger:#}");
    assert!(kinds(&owner).contains(&"get"), "{owner:#}");
    // Only the owner remembers the look itself.
    owner["entry"]["last_look"] = Value::Null;
    stranger["entry"]["last_look"] = Value::Null;
    assert_eq!(owner["entry"], stranger["entry"]);
    assert_eq!(owner["verdict"], stranger["verdict"]);
    name
}

/// With a token, only who shows it is told anything or may do anything; another one in the file is valid without a restart.
#[tokio::test(flavor = "multi_thread")]
async fn the_token_is_asked_for_and_exchanged_without_a_restart() {
    let sim = simulator(36).await;
    let tokens = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(tokens.path(), "first-token-of-the-tests\n").expect("it is written");
    let admin = format!("token_file = {:?}", tokens.path());
    let Some((_, replica)) = service("token", &sim, |setup| setup.admin = admin).await else { return };
    let url = |path: &str| format!("{}{path}", replica.admin_url());
    let with = |token: &str| format!("authorization: Bearer {token}\r\n");
    assert_eq!(http_get(&url("/readyz")).await.map(|(status, _)| status), Some(200), "probes are open");
    let status = url("/api/v1/status");
    assert_eq!(http_get(&status).await.map(|(status, _)| status), Some(401));
    let asked = http_with("GET", &status, &with("first-token-of-the-tests"), "").await;
    assert_eq!(asked.map(|(status, _)| status), Some(200));
    assert_eq!(run(&replica, &["status"]).await.0, Some(0), "the command takes it from the configuration");
    let wrong = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(wrong.path(), "another-token-0000000000\n").expect("it is written");
    let file = wrong.path().to_str().expect("a path");
    let (code, _, err) = run(&replica, &["status", "--token-file", file]).await;
    assert!(code == Some(64) && err.contains("401"), "{err}");

    std::fs::write(tokens.path(), "first-token-of-the-tests\nanother-token-0000000000\n").expect("it is written");
    let began = Instant::now();
    while run(&replica, &["status", "--token-file", file]).await.0 != Some(0) {
        assert!(began.elapsed() < PATIENCE, "the new token is not taken");
    }

    // Every way to act, and what came of it.
    let token = with("another-token-0000000000") + "content-type: application/json\r\n";
    let post = async |path: String, body: &str| {
        let (status, answer) = http_with("POST", &url(&path), &token, body).await.expect("an answer");
        let body = answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default();
        (status, serde_json::from_str::<Value>(&body).unwrap_or_else(|error| panic!("{error}: {answer}")))
    };
    let id = create(&sim, 1).remove(0);
    let (status, _) = post(format!("/api/v1/submissions/{PROJECT}/{id}/reconcile"), "{}").await;
    assert_eq!(status, 202);
    until(&replica, &["explain", &key(&id)], |told| told["entry"]["sequence"] == 1).await;
    let (status, found) = post("/api/v1/lookup".into(), r#"{"project":"acme","user":"u-1001"}"#).await;
    assert_eq!((status, &found["submissions"][0]["id"]), (200, &json!(id)), "{found:#}");
    let (status, found) = post("/api/v1/dead-letters/redrive".into(), r#"{"project":"acme"}"#).await;
    assert_eq!((status, found), (202, json!({ "redriven": [] })));
    let (status, _) = post(format!("/api/v1/submissions/{PROJECT}/{id}/erase"), r#"{"confirm":true}"#).await;
    assert_eq!(status, 202);
    let told = until(&replica, &["explain", &key(&id)], |told| told["verdict"]["code"] == "erased").await;
    assert_eq!(told["entry"]["grave"]["reason"], "erased", "{told:#}");
    assert!(!replica.logs().contains("token-of-the-tests"), "no token is logged");
}
