//! Encrypted bodies: what is taken, what is refused, and that refusals look alike.

use crate::harness::{APPROVED, KEY, NOW, Server, TOKEN, cipher, post};
use argos::Mode;
use models::{Authentication, KycStatus, Notice, Time};

fn envelope(mode: Mode, key: &str, inside: &str) -> String {
    let data = cipher(mode, key).encrypt(inside.as_bytes(), &[7; 12]);
    serde_json::json!({ "data": data, "isEncrypted": true }).to_string()
}

fn path(mode: Mode) -> String {
    match mode {
        Mode::Ecb => format!("/webhooks/ecb/{TOKEN}"),
        Mode::Gcm => "/webhooks/gcm".to_owned(),
    }
}

const fn project(mode: Mode) -> &'static str {
    match mode {
        Mode::Ecb => "ecb",
        Mode::Gcm => "gcm",
    }
}

#[tokio::test]
async fn what_opens_is_taken_and_only_gcm_shows_who_sent_it() {
    let server = Server::start().await;
    let aml =
        r#"{"webhook_trigger":"aml","submission_id":"k3f9x1mes3ugzb","aml_result":{"currentstatus":"Not Screened"}}"#;
    for mode in [Mode::Ecb, Mode::Gcm] {
        for body in [APPROVED, aml] {
            let answer = server.ask(post(&path(mode), &envelope(mode, KEY, body))).await;
            assert_eq!((answer.status, answer.body["accepted"].as_bool()), (200, Some(true)), "{answer:?}");
        }
        let other = server.ask(post(&path(mode), &envelope(mode, KEY, r#"{"webhook_trigger":"argos_id_auth"}"#))).await;
        assert_eq!((other.status, server.count(project(mode), "ignored")), (200, 1));
    }
    let accepted = server.sink.accepted.lock().unwrap().clone();
    let shown: Vec<_> = accepted.iter().map(|(key, _, hint)| (key.as_str(), hint.authentication)).collect();
    let (ecb, gcm) =
        (("ecb/k3f9x1mes3ugzb", Authentication::PATH_TOKEN), ("gcm/k3f9x1mes3ugzb", Authentication::ENCRYPTED));
    assert_eq!(shown, [ecb, ecb, gcm, gcm]);
    assert_eq!(accepted[0].2.claim.status, Some(KycStatus::Approved));
    let notice = Notice { at: Time::from_millis(NOW), authentication: Authentication::ENCRYPTED };
    assert_eq!(accepted[3].2.notices.aml, Some(notice));
}

#[tokio::test]
async fn refusals_are_told_apart_in_the_metric_and_not_in_the_answer() {
    let server = Server::start().await;
    for mode in [Mode::Ecb, Mode::Gcm] {
        let bad_id = r#"{"webhook_trigger":"approved","submission_id":"a\u0007b"}"#;
        let twice = envelope(mode, KEY, APPROVED);
        let mut answers = Vec::new();
        for (body, outcome) in [
            (APPROVED.to_owned(), "not_encrypted"),
            ("{}".to_owned(), "not_encrypted"),
            (r#"{"webhook_trigger":"approved","data":"AAAA","submission_id":"x"}"#.to_owned(), "not_encrypted"),
            (envelope(mode, "another-key", APPROVED), "wrong_key"),
            (r#"{"data":"no base64 at all!"}"#.to_owned(), "corrupt"),
            (r#"{"data":"AAAA"}"#.to_owned(), "corrupt"),
            (envelope(mode, KEY, bad_id), "bad_content"),
            (envelope(mode, KEY, &twice), "bad_content"),
        ] {
            let before = server.count(project(mode), outcome);
            let answer = server.ask(post(&path(mode), &body)).await;
            assert_eq!(server.count(project(mode), outcome), before + 1, "{outcome}: {body}");
            let head: Vec<_> =
                answer.head.lines().filter(|line| !line.starts_with("date")).map(str::to_owned).collect();
            answers.push((answer.status, head, answer.body));
        }
        assert_eq!((answers[0].0, answers[0].2["error"].as_str()), (400, Some("undecryptable")));
        assert!(answers.windows(2).all(|two| two[0] == two[1]), "{answers:?}");
        let broken = server.ask(post(&path(mode), "[]")).await;
        assert_eq!((broken.status, broken.body["error"].as_str()), (400, Some("not_an_object")));
    }
    assert!(server.sink.accepted.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_sealed_body_for_a_project_that_does_not_encrypt_is_refused_by_name() {
    let server = Server::start().await;
    let answer = server.ask(post("/webhooks/open", &envelope(Mode::Gcm, KEY, APPROVED))).await;
    assert_eq!((answer.status, answer.body["error"].as_str()), (400, Some("encrypted")));
    assert_eq!(server.count("open", "encrypted"), 1);
}

#[tokio::test]
async fn the_lock_comes_before_the_key() {
    let server = Server::start().await;
    let answer = server.ask(post("/webhooks/ecb/wrong", &envelope(Mode::Ecb, KEY, APPROVED))).await;
    assert_eq!((answer.status, answer.body["error"].as_str()), (401, Some("wrong_token")));
}
