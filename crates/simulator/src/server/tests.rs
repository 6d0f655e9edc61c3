//! The server over real connections: keys, faults and what a client sees of them.

use crate::seal::Seal;
use crate::sender::client;
use crate::{Change, Config, Derivation, Faults, Mode, Project, Simulator, ticking};
use std::time::Duration;

async fn start(config: Config) -> Simulator {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let sim = Simulator::start(listener, config, ticking(1_772_429_276_279)).unwrap();
    sim.change("acme", "a", &Change::Create).unwrap();
    sim.change("acme", "a", &Change::Approve { by_hand: false }).unwrap();
    sim
}

async fn get(sim: &Simulator, key: &str, query: &str) -> Result<reqwest::Response, reqwest::Error> {
    let url = format!("{}/submission?{query}", sim.base_url());
    client().unwrap().get(url).header("x-api-key", key).timeout(Duration::from_secs(5)).send().await
}

async fn ask(sim: &Simulator) -> Result<reqwest::Response, reqwest::Error> {
    get(sim, "sim-key-acme", "submission_id=a").await
}

#[tokio::test]
async fn a_key_opens_its_own_project_only() {
    let config = Config {
        projects: vec![Project::new("acme", "sim-key-acme"), Project::new("beta", "sim-key-beta")],
        ..Config::default()
    };
    let sim = start(config).await;
    let answer = ask(&sim).await.unwrap();
    assert_eq!(answer.status(), 200);
    assert!(answer.text().await.unwrap().contains(r#""result":"approved""#));
    assert_eq!(get(&sim, "sim-key-beta", "submission_id=a").await.unwrap().text().await.unwrap(), r#"{"Items":[]}"#);
    let refused = get(&sim, "wrong", "submission_id=a").await.unwrap();
    assert_eq!(refused.status(), 403);
    assert_eq!(refused.text().await.unwrap(), r#"{"message":"Forbidden"}"#);
    let counts = sim.counts();
    assert_eq!((counts.requests, counts.singles, counts.wrong_key, counts.answered), (3, 2, 1, 2));
    assert_eq!((sim.gets("acme", "a"), sim.gets("beta", "a"), sim.gets("acme", "b")), (1, 1, 0));
}

#[tokio::test]
async fn throttling_names_the_pause() {
    let sim = start(Config::default()).await;
    sim.faults().set(Faults { throttle_rate: 1.0, retry_after_s: 3, ..Faults::default() });
    let answer = ask(&sim).await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.headers()["retry-after"].to_str().unwrap()), (429, "3"));
    sim.faults().set(Faults { throttle_rate: 1.0, retry_after_s: 0, ..Faults::default() });
    assert!(!ask(&sim).await.unwrap().headers().contains_key("retry-after"));
}

#[tokio::test]
async fn switches_and_broken_connections() {
    let sim = start(Config::default()).await;
    sim.faults().set(Faults { forbidden: true, ..Faults::default() });
    assert_eq!(ask(&sim).await.unwrap().status(), 403);
    sim.faults().set(Faults { error_rate: 1.0, ..Faults::default() });
    assert!(ask(&sim).await.unwrap().status().is_server_error());
    for broken in [
        Faults { cut_rate: 1.0, ..Faults::default() },
        Faults { hang_rate: 1.0, hang_ms: 20, ..Faults::default() },
        Faults { down: true, ..Faults::default() },
    ] {
        sim.faults().set(broken);
        assert!(ask(&sim).await.is_err());
    }
    sim.faults().clear();
    assert_eq!(ask(&sim).await.unwrap().status(), 200);
    let counts = sim.counts();
    assert_eq!((counts.forbidden, counts.errors, counts.hung), (1, 1, 1));
    assert!(counts.cut >= 2);
}

#[tokio::test]
async fn garbage_is_a_success_that_cannot_be_read() {
    let sim = start(Config::default()).await;
    sim.faults().set(Faults { garbage_rate: 1.0, ..Faults::default() });
    for _ in 0..20 {
        let answer = ask(&sim).await.unwrap();
        assert_eq!(answer.status(), 200);
        let body: Result<serde_json::Value, _> = serde_json::from_str(&answer.text().await.unwrap());
        assert!(body.is_err() || !body.unwrap()["Items"].is_array());
    }
    assert_eq!(sim.counts().garbage, 20);
}

#[tokio::test]
async fn every_change_is_seen_only_after_the_read_lag() {
    let sim = start(Config::default()).await;
    sim.faults().set(Faults { read_lag_ms: 60_000, ..Faults::default() });
    assert_eq!(ask(&sim).await.unwrap().text().await.unwrap(), r#"{"Items":[]}"#);
    assert_eq!(sim.counts().stale, 1);
}

#[tokio::test]
async fn a_stopped_simulator_leaves_its_port() {
    let sim = start(Config::default()).await;
    let address = sim.base_url().trim_start_matches("http://").trim_end_matches("/v3").to_owned();
    sim.stop().await;
    assert!(tokio::net::TcpStream::connect(&address).await.is_err());
}

#[tokio::test]
async fn an_encrypting_project_speaks_sealed_both_ways() {
    for mode in [Mode::Ecb, Mode::Gcm] {
        let project = || Project::new("acme", "sim-key-acme").encrypted(mode, Derivation::Sha256);
        let sim = start(Config { projects: vec![project()], ..Config::default() }).await;
        let seal = Seal::new(project().encryption.unwrap(), &project().api_key).unwrap();
        let text = |value: &serde_json::Value| value["data"].as_str().unwrap().to_owned();
        let inside = |envelope: &serde_json::Value| {
            assert_eq!((envelope["isEncrypted"].as_bool(), envelope.as_object().unwrap().len()), (Some(true), 2));
            String::from_utf8(seal.plain(&text(envelope)).unwrap()).unwrap()
        };
        let ask = async |query: String| {
            let answer = get(&sim, "sim-key-acme", &query).await.unwrap();
            (answer.status().as_u16(), inside(&serde_json::from_str(&answer.text().await.unwrap()).unwrap()))
        };
        let sealed = |plain: &str| {
            let data = text(&seal.envelope(plain));
            url::form_urlencoded::Serializer::new(String::new()).append_pair("data", &data).finish()
        };
        let (status, body) = ask(sealed(r#"{"submission_id":"a"}"#)).await;
        assert!(status == 200 && body.contains(r#""result":"approved""#), "{status} {body}");
        assert_eq!(sim.gets("acme", "a"), 1, "counted by what was sealed");
        let (status, body) = ask(format!("count=1&request_type=kyc&{}", sealed("{}"))).await;
        assert!(status == 200 && body.contains("nextpageKey") && !body.contains("minji"), "{status} {body}");
        for wrong in ["submission_id=a".to_owned(), "data=AAAA".to_owned(), sealed(r#"{"userid":"u"}"#)] {
            assert_eq!(ask(wrong).await, (400, r#"{"errorCode":"invalid_payload"}"#.to_owned()));
        }
        assert_eq!(get(&sim, "wrong", "").await.unwrap().text().await.unwrap(), r#"{"message":"Forbidden"}"#);
    }
    let short = Config {
        projects: vec![Project::new("a", "b").encrypted(Mode::Ecb, Derivation::default())],
        ..Config::default()
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    assert!(Simulator::start(listener, short, ticking(0)).is_err());
}
