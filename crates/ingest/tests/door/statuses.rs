//! Every row of the table of answers, with its headers, its metric, and what reached the sink.

use crate::harness::{APPROVED, Mode, NOW, PATIENCE, Server, TOKEN, head, post};
use crate::signing::{SECONDS, signed, standard, timed};
use crate::table::rows;
use ingest::Rejection;
use models::{Authentication, KycStatus, Lane, Notice, Source, Time};
use std::collections::{BTreeSet, HashSet};
use tokio::time::timeout;

#[tokio::test]
async fn every_row_of_the_table_of_answers() {
    let server = Server::start().await;
    for (number, row) in rows().into_iter().enumerate() {
        server.set(row.mode);
        let before = server.count(row.project, row.outcome);
        let taken = server.sink.accepted.lock().unwrap().len();

        let answer = server.ask(&row.request).await;

        let name = row.name;
        assert_eq!(answer.status, row.status, "{name}: {answer:?}");
        assert_eq!(answer.header("content-type"), Some("application/json"), "{name}");
        assert_eq!(server.count(row.project, row.outcome), before + 1, "{name}");
        assert_eq!(server.count_all(), number as u64 + 1, "{name}: exactly one outcome");
        if let Some((header, value)) = row.header {
            assert_eq!(answer.header(header), Some(value), "{name}");
        }
        let accepted = row.outcome == "accepted";
        assert_eq!(answer.body["accepted"], accepted, "{name}");
        if answer.status != 200 {
            assert_eq!(answer.body["error"], row.outcome, "{name}");
        }
        assert_eq!(server.sink.accepted.lock().unwrap().len(), taken + usize::from(accepted), "{name}");
    }
}

/// Rows of the table that need a server or a caller of their own, and the test that has them.
const ELSEWHERE: [(&str, &str); 8] = [
    ("body_timeout", "limits::a_slow_body_is_cut_off"),
    ("body_broken", "limits::a_body_that_breaks_off_is_no_webhook"),
    ("busy", "admission::requests_over_the_bound_are_told_to_wait"),
    ("draining", "drain::a_request_that_begins_after_the_drain_is_told_to_come_again"),
    ("not_encrypted", "sealed bodies"),
    ("wrong_key", "sealed bodies"),
    ("corrupt", "sealed bodies"),
    ("bad_content", "sealed bodies"),
];

#[test]
fn no_answer_is_left_out_of_the_table() {
    let mut shown: HashSet<&str> = rows().iter().map(|row| row.outcome).collect();
    shown.extend(ELSEWHERE.map(|(outcome, _)| outcome));
    for rejection in Rejection::ALL {
        assert!(shown.contains(rejection.outcome()), "{rejection:?}");
    }
    let statuses: BTreeSet<u16> = rows().iter().map(|row| row.status).collect();
    assert_eq!(statuses.into_iter().collect::<Vec<_>>(), [200, 400, 401, 403, 404, 405, 413, 415, 429, 503]);
}

#[tokio::test]
async fn unknown_projects_and_wrong_paths_are_told_alike() {
    let server = Server::start().await;
    let mut answers = Vec::new();
    for path in ["/webhooks/nobody", "/webhooks/nobody/x", "/webhooks/open/x", "/x", "/webhooks/open/a/b"] {
        let answer = server.ask(post(path, APPROVED)).await;
        let head: Vec<_> = answer.head.lines().filter(|line| !line.starts_with("date")).map(str::to_owned).collect();
        answers.push((answer.status, head, answer.body));
    }
    assert!(answers.windows(2).all(|two| two[0] == two[1]), "{answers:?}");
}

#[tokio::test]
async fn the_hint_says_what_the_design_says() {
    let server = Server::start().await;
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let lines = format!("traceparent: {trace}\r\ncontent-length: {}\r\n", APPROVED.len());
    let answer = server.ask(head("POST", &format!("/webhooks/both/{TOKEN}"), &lines) + APPROVED).await;

    let accepted = server.sink.accepted.lock().unwrap().clone();
    let (key, lane, hint) = &accepted[0];
    assert_eq!((key.as_str(), *lane), ("both/k3f9x1mes3ugzb", Lane::Live));
    assert_eq!(hint.source, Source::Webhook);
    assert_eq!(hint.received_at, Time::from_millis(NOW));
    assert_eq!(hint.authentication, Authentication::SOURCE_IP.with(Authentication::PATH_TOKEN));
    assert_eq!((hint.claim.trigger.as_str(), hint.claim.status), ("approved", Some(KycStatus::Approved)));
    assert!(hint.notices.is_empty() && hint.row.is_none());
    assert_eq!(hint.traceparent.as_deref(), Some(trace));
    // Both digests were computed outside of this program (sha256sum).
    assert_eq!(hint.body_digest, "1991cbc684c18578d1d0839525f1a4602c3625e78e65e5b9383a92b28ba5d9d4");
    assert_eq!(hint.id, "2db60d5a87be7692aea7c50da8b1eda0");
    assert_eq!(answer.body["hint_id"], hint.id.as_str());
}

#[tokio::test]
async fn notices_carry_what_they_passed() {
    let server = Server::start().await;
    let aml = r#"{"webhook_trigger":"aml","submission_id":"k3f9x1mes3ugzb","aml_result":{"currentstatus":"Red Flag"}}"#;
    let monitor = r#"{"webhook_trigger":"aml_monitor","submission_id":"k3f9x1mes3ugzb","records":[]}"#;
    server.ask(post(&format!("/webhooks/secret/{TOKEN}"), aml)).await;
    server.ask(post("/webhooks/open", monitor)).await;

    let accepted = server.sink.accepted.lock().unwrap().clone();
    let notice = |authentication| Some(Notice { at: Time::from_millis(NOW), authentication });
    let notices: Vec<_> = accepted.iter().map(|(_, _, hint)| hint.notices).collect();
    assert_eq!((notices[0].aml, notices[0].monitoring), (notice(Authentication::PATH_TOKEN), None));
    assert_eq!((notices[1].aml, notices[1].monitoring), (None, notice(Authentication::NONE)));
}

#[tokio::test]
async fn a_signed_hint_says_so_and_a_replay_is_one_more_hint() {
    let server = Server::start().await;
    let length = format!("content-length: {}\r\n", APPROVED.len());
    let lines = signed(APPROVED) + &standard(SECONDS, APPROVED) + &length;
    let request = head("POST", &format!("/webhooks/all/{TOKEN}"), &lines) + APPROVED;
    for _ in 0..2 {
        assert_eq!(server.ask(&request).await.status, 200);
    }
    let timed = head("POST", "/webhooks/timed", &(timed(SECONDS, APPROVED) + &length)) + APPROVED;
    assert_eq!(server.ask(timed).await.status, 200);

    let accepted = server.sink.accepted.lock().unwrap().clone();
    let passed: Vec<Vec<_>> = accepted.iter().map(|(_, _, hint)| hint.authentication.names().collect()).collect();
    assert_eq!(
        passed,
        [vec!["source_ip", "path_token", "hmac"], vec!["source_ip", "path_token", "hmac"], vec!["hmac"]]
    );
    // Known for what it is, in the count only; a signature of another project is none of this one's.
    let repeats = |project| server.sum("argos_relay_webhook_repeats_total", project);
    assert_eq!((repeats("all"), repeats("timed")), (1, 0));
    // One hint, told twice: same submission, same digest.
    assert_eq!(accepted[0], accepted[1]);
}

#[tokio::test]
async fn the_time_to_the_acknowledgement_is_measured_for_accepted_webhooks_only() {
    let server = Server::start().await;
    server.ask(post("/webhooks/open", APPROVED)).await;
    server.ask(post("/webhooks/open", "[]")).await;
    let families = server.registry.gather();
    let family = families.iter().find(|family| family.name() == "argos_relay_webhook_ack_seconds").unwrap();
    assert_eq!(family.get_metric()[0].get_histogram().get_sample_count(), 1);
}

#[tokio::test]
async fn a_caller_who_leaves_before_the_answer_is_counted_too() {
    let server = Server::start().await;
    server.set(Mode::Slow);
    let mut client = server.connect().await;
    client.send(post("/webhooks/open", APPROVED)).await;
    server.sink_was_asked().await;
    drop(client);
    let counted = async {
        while server.count("open", "abandoned") == 0 {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, counted).await.unwrap();
    assert!(server.sink.accepted.lock().unwrap().is_empty());
}
