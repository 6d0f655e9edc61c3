//! Scenarios against a receiver in this process: delivery, determinism, rate.

use super::*;
use crate::clock::ManualClock;
use crate::{Config, ticking};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::post;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::net::TcpListener;

type Bodies = Arc<Mutex<Vec<String>>>;

async fn listener() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.unwrap()
}

/// A receiver that answers what `answer` says for the n-th webhook, and keeps the bodies.
async fn receiver(answer: fn(u64) -> axum::response::Response) -> (String, Bodies) {
    let (bodies, count) = (Bodies::default(), Arc::new(AtomicU64::new(0)));
    let kept = Arc::clone(&bodies);
    let handler = move |body: String| {
        let number = count.fetch_add(1, Ordering::SeqCst);
        kept.lock().unwrap().push(body);
        async move { answer(number) }
    };
    let router = axum::Router::new().route("/webhooks/acme", post(handler));
    let listener = listener().await;
    let base = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    (base, bodies)
}

fn ok(_: u64) -> axum::response::Response {
    StatusCode::OK.into_response()
}

async fn simulator() -> Simulator {
    Simulator::start(listener().await, Config::default(), ticking(1_772_429_276_279)).unwrap()
}

fn quick(target: String) -> Scenario {
    Scenario { pace: Pace { min_ms: 0, max_ms: 5 }, targets: vec![target], ..Scenario::default() }
}

#[tokio::test]
async fn every_webhook_is_accounted_for() {
    let (target, bodies) = receiver(ok).await;
    let sim = simulator().await;
    let webhooks = WebhookFaults {
        loss_rate: 0.2,
        repeat_rate: 0.3,
        delay_ms: 10,
        reorder_rate: 0.2,
        reorder_ms: 30,
        ..WebhookFaults::default()
    };
    let report = Scenario { submissions: 300, webhooks, ..quick(target) }.run(&sim).await.unwrap();
    let sent = &report.sent;
    assert_eq!(sent.accepted, sent.posts);
    assert_eq!(bodies.lock().unwrap().len() as u64, sent.posts);
    let loss = sent.lost_on_purpose as f64 / sent.webhooks as f64;
    assert!((0.14..0.26).contains(&loss), "{loss}");
    assert!(sent.posts > sent.webhooks - sent.lost_on_purpose, "some were repeated");
    assert_eq!((report.ids.len(), report.plots.values().sum::<u64>()), (300, 300));
    let truth = sim.world().truth("acme");
    assert_eq!(truth.len(), 300);
    assert!(truth.iter().any(|one| one.aml_noticed) && truth.iter().any(|one| one.absent));
    for one in truth {
        let last = sim.world().history("acme", &one.id).pop().unwrap();
        assert_eq!(last, (one.kyc_status, one.aml_status));
    }
}

#[tokio::test]
async fn the_same_seed_tells_the_same_story() {
    let mut stories = Vec::new();
    for _ in 0..2 {
        let (target, bodies) = receiver(ok).await;
        let clock = ManualClock::new(1_772_429_276_279);
        let sim = Simulator::start(listener().await, Config::default(), clock.clock()).unwrap();
        let report = Scenario { seed: 42, submissions: 120, ..quick(target) }.run(&sim).await.unwrap();
        let mut told = bodies.lock().unwrap().clone();
        told.sort();
        stories.push((told, report.ids, sim.world().truth("acme")));
        sim.stop().await;
    }
    assert!(stories[0].0.len() > 120);
    assert_eq!(stories[0], stories[1]);
}

#[tokio::test]
async fn refusals_without_retry_after_are_bad_and_nothing_is_resent_by_default() {
    let (target, _) = receiver(|number| match number {
        0 => StatusCode::SERVICE_UNAVAILABLE.into_response(),
        1 => (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "2")]).into_response(),
        2 => (StatusCode::SERVICE_UNAVAILABLE, [("retry-after", "0")]).into_response(),
        _ => StatusCode::BAD_REQUEST.into_response(),
    })
    .await;
    let sim = simulator().await;
    sim.set_targets("acme", vec![target], None);
    let body = sim.forged_body("nobody", Trigger::Approved);
    for _ in 0..4 {
        sim.send_webhook("acme", &body).await;
    }
    let sent = sim.sent();
    assert_eq!(sent.refused, BTreeMap::from([(400, 1), (429, 1), (503, 2)]));
    assert_eq!((sent.bad_refusals, sent.accepted, sent.resends), (2, 0, 0));
    assert!(sent.accepted_ids.is_empty());
}

#[tokio::test]
async fn a_refused_webhook_is_sent_again_when_asked_for() {
    let (target, bodies) = receiver(|number| match number {
        0 => (StatusCode::SERVICE_UNAVAILABLE, [("retry-after", "1")]).into_response(),
        _ => StatusCode::OK.into_response(),
    })
    .await;
    let sim = simulator().await;
    sim.set_targets("acme", vec![target], None);
    sim.set_webhook_faults(WebhookFaults { resend: true, ..WebhookFaults::default() }, 1);
    let start = Instant::now();
    sim.deliver("acme", &sim.forged_body("nobody", Trigger::Rejected)).await;
    sim.settled().await;
    assert!(start.elapsed() >= Duration::from_secs(1), "Retry-After is honoured");
    assert_eq!(bodies.lock().unwrap().len(), 2);
    let sent = sim.sent();
    assert_eq!((sent.resends, sent.accepted), (1, 1));
    assert!(sent.accepted_ids.contains(&("acme".to_owned(), "nobody".to_owned())));
}

#[tokio::test]
async fn nobody_listening_counts_as_failed() {
    let address = listener().await.local_addr().unwrap();
    let sim = simulator().await;
    let body = sim.forged_body("nobody", Trigger::Approved);
    assert_eq!(sim.send_webhook("acme", &body).await.status, None);
    assert_eq!(sim.sent().without_target, 1);
    sim.set_targets("acme", vec![format!("http://{address}")], None);
    assert_eq!(sim.send_webhook("acme", &body).await.status, None);
    assert_eq!(sim.sent().failed, 1);
}

#[tokio::test]
async fn a_rate_is_kept_and_recorded() {
    let (target, bodies) = receiver(ok).await;
    let sim = simulator().await;
    let rate = Rate { per_second: 400.0, seconds: 0.5, pool: 0 };
    let report = Scenario { rate: Some(rate), ..quick(target.clone()) }.run(&sim).await.unwrap();
    assert_eq!((report.ids.len(), bodies.lock().unwrap().len()), (200, 200));
    let mut records = sim.take_records();
    records.sort_by_key(|record| record.due_us);
    for pair in records.windows(2) {
        assert!((2_499..=2_501).contains(&(pair[1].due_us - pair[0].due_us)), "due every 2.5 ms");
    }
    assert!(records.iter().all(|one| one.due_us <= one.sent_us && one.sent_us <= one.answered_us));
    let pool = Rate { pool: 10, ..rate };
    let report = Scenario { rate: Some(pool), ..quick(target) }.run(&sim).await.unwrap();
    assert_eq!(report.ids.len(), 10);
    assert_eq!(sim.world().history("acme", &report.ids[0].1).len(), 22, "created, approved, reversed 20 times");
}

#[test]
fn a_file_needs_to_name_only_what_differs_and_unknown_keys_are_refused() {
    let scenario: Scenario =
        serde_json::from_str(r#"{"submissions":7,"webhooks":{"loss_rate":0.1},"mix":{"pending":0}}"#).unwrap();
    assert_eq!((scenario.submissions, scenario.mix.pending, scenario.mix.straight), (7, 0, 20));
    assert!(serde_json::from_str::<Scenario>(r#"{"webhooks":{"los_rate":0.1}}"#).is_err());
    assert!(serde_json::from_str::<Config>(r#"{"unknown_id":"not_found"}"#).is_ok());
}

/// A grep for needles proves something only if they were really sent.
#[tokio::test]
async fn every_needle_is_told_by_some_body() {
    let (target, bodies) = receiver(ok).await;
    let sim = simulator().await;
    Scenario { submissions: 400, ..quick(target) }.run(&sim).await.unwrap();
    let told = bodies.lock().unwrap().concat();
    // Shown by GET only, where this suite does not look.
    let by_get =
        |needle: &str| crate::people::PEOPLE.iter().any(|one| [one.document, one.street, one.city].contains(&needle));
    for needle in crate::people::needles() {
        assert!(told.contains(&needle) || by_get(&needle), "{needle} is never told");
    }
}
