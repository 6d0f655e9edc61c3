//! The routes without Kafka: what each answers, and what is refused before anything is asked.

use super::*;
use crate::admin::guard::Tokens;
use crate::config::{Config, Environment};
use crate::health::Stage;
use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode};
use models::{Key, Source};
use reconciler::clock::SystemClock;
use serde_json::{Value, json};
use tower::ServiceExt;

const TOKEN: &str = "a-token-of-the-tests-0001";

fn api(means: Means) -> Arc<Api> {
    let text = "kafka.bootstrap_servers = '127.0.0.1:1'
        kafka.instance_id = 'relay-7'
        personal_data.digest_key = '0123456789abcdef0123456789abcdef'
        [[projects]]
        id = 'acme'
        api_key = 'api-key-in-the-clear'
        webhook = { unauthenticated = true }";
    let config = Arc::new(Config::parse(text, &Environment::default()).unwrap().config);
    let mut health = Health::new();
    health.latch(Stage::Ready, "drain", "not started");
    Arc::new(Api::new(config, Arc::new(SystemClock), "ingest", Arc::new(health), Registry::new(), means))
}

/// A process without Kafka that takes hints, and what it took.
type Taken = Arc<Mutex<Vec<(Key, Lane, Hint)>>>;

fn taking() -> (Means, Taken) {
    let taken: Taken = Arc::default();
    let kept = Arc::clone(&taken);
    let send: Send = Arc::new(move |key, lane, hint| {
        kept.lock().unwrap().push((key, lane, hint));
        Box::pin(std::future::ready(Ok(())))
    });
    (Means { send: Some(send), ..Means::default() }, taken)
}

async fn ask(router: &Router, method: &str, path: &str, body: Option<&str>) -> (StatusCode, Value) {
    let mut request = Request::builder().method(method).uri(path);
    if body.is_some() {
        request = request.header("content-type", "application/json");
    }
    let answer = router.clone().oneshot(request.body(Body::from(body.unwrap_or_default().to_owned())).unwrap()).await;
    let answer = answer.unwrap();
    assert_eq!(answer.headers()["cache-control"], "no-store", "{method} {path}");
    assert_eq!(answer.headers()["content-type"], "application/json", "{method} {path}");
    let status = answer.status();
    let body = to_bytes(answer.into_body(), usize::MAX).await.unwrap();
    (status, serde_json::from_slice(&body).unwrap())
}

#[tokio::test]
async fn status_and_series_answer_without_any_part() {
    let router = routes(api(Means::default()), None);
    let (status, told) = ask(&router, "GET", "/api/v1/status", None).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(
        (&told["instance"], &told["role"], &told["partitions"]["total"]),
        (&json!("relay-7"), &json!("ingest"), &json!(0))
    );
    assert_eq!(
        told["health"]["ready"]["conditions"][0],
        json!({ "name": "drain", "ok": false, "reason": "not started" })
    );
    assert_eq!((&told["projects"], &told["members"]), (&json!([]), &json!([])));
    let (status, told) = ask(&router, "GET", "/api/v1/series", None).await;
    assert_eq!((status, told), (StatusCode::OK, json!({ "every": 10, "points": [] })));
}

#[tokio::test]
async fn every_route_is_there_and_wrong_questions_say_what_to_do() {
    let router = routes(api(Means::default()), None);
    for (method, route) in ROUTES {
        let path = format!("/api/v1{}", route.replace("{project}", "acme").replace("{id}", "k3f9"));
        let (status, told) = ask(&router, method, &path, (method == "POST").then_some("[]")).await;
        let missing = matches!(status, StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED);
        assert!(!missing, "{method} {path}: {told}");
        let other = if method == "GET" { "DELETE" } else { "GET" };
        let body = (other == "DELETE").then_some("{}");
        let (status, told) = ask(&router, other, &path, body).await;
        assert_eq!(status, StatusCode::METHOD_NOT_ALLOWED, "{other} {path}: {told}");
    }
    for (method, path, body, status) in [
        ("GET", "/api/v1/unheard/of", None, 404),
        ("GET", "/api/v1/unheard", None, 404),
        ("GET", "/api/v1/events", None, 503),
        ("GET", "/api/v1/events?limit=0", None, 400),
        ("GET", "/api/v1/events?limit=501", None, 400),
        ("GET", "/api/v1/events?limit=x", None, 400),
        ("GET", "/api/v1/events?since=1", None, 400),
        ("GET", "/api/v1/dead-letters?project=other", None, 404),
        ("GET", "/api/v1/submissions/other/x", None, 404),
        ("GET", "/api/v1/submissions/acme/a%07b", None, 400),
        ("POST", "/api/v1/submissions/acme/x/reconcile", Some("{}"), 503),
        ("POST", "/api/v1/submissions/acme/x/erase", Some(r#"{"confirm":false}"#), 400),
        ("POST", "/api/v1/submissions/acme/x/erase", Some("{}"), 400),
        ("POST", "/api/v1/dead-letters/redrive", Some(r#"{"id":"x"}"#), 400),
        ("POST", "/api/v1/dead-letters/redrive", Some(r#"{"limit":0}"#), 400),
        ("POST", "/api/v1/lookup", Some(r#"{"project":"acme"}"#), 400),
        ("POST", "/api/v1/lookup", Some(r#"{"project":"acme","user":"u","email":"e"}"#), 400),
        ("POST", "/api/v1/lookup", Some(r#"{"project":"acme","user":"u-1001"}"#), 503),
        ("POST", "/api/v1/lookup", Some("{"), 400),
    ] {
        let (found, told) = ask(&router, method, path, body).await;
        assert_eq!(found.as_u16(), status, "{method} {path} {body:?}: {told}");
        assert!(told["error"]["code"].is_string() && told["error"]["message"].is_string(), "{told}");
    }
    let (status, told) = ask(&router, "POST", "/api/v1/lookup", Some(&format!("\"{}\"", "x".repeat(BODY + 1)))).await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE, "{told}");
}

/// What was sent with a person in it is not told back.
#[tokio::test]
async fn no_refusal_repeats_a_body() {
    let router = routes(api(Means::default()), None);
    for body in [
        r#"{"project":"acme","mail":"minji.kim@example.com"}"#,
        r#"{"project":"acme","email":["minji.kim@example.com"]}"#,
    ] {
        let (status, told) = ask(&router, "POST", "/api/v1/lookup", Some(body)).await;
        assert_eq!(status, StatusCode::BAD_REQUEST);
        assert!(!told.to_string().contains("minji"), "{told}");
    }
}

#[tokio::test]
async fn hints_go_the_way_of_all_hints() {
    let (means, taken) = taking();
    let router = routes(api(means), None);
    let (status, told) = ask(&router, "POST", "/api/v1/submissions/acme/k3f9/reconcile", Some("{}")).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{told}");
    let (status, erased) =
        ask(&router, "POST", "/api/v1/submissions/acme/k3f9/erase", Some(r#"{"confirm":true}"#)).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{erased}");
    let taken = taken.lock().unwrap();
    let [(key, Lane::Live, look), (_, Lane::Live, erase)] = &taken[..] else { panic!("{taken:?}") };
    assert_eq!((key.as_str(), look.source, look.erase, erase.erase), ("acme/k3f9", Source::Operator, false, true));
    assert_eq!((&told["hint_id"], &erased["hint_id"]), (&json!(look.id), &json!(erase.id)));
}

#[tokio::test]
async fn the_guard_stands_before_every_route() {
    let tokens = Tokens::new(&[TOKEN.into()]).unwrap();
    let (means, taken) = taking();
    let router = routes(api(means), Some(tokens));
    for (method, route) in ROUTES.iter().chain(&[("GET", "/unheard")]) {
        let path = format!("/api/v1{}", route.replace("{project}", "acme").replace("{id}", "k3f9"));
        let (status, told) = ask(&router, method, &path, (*method == "POST").then_some("{}")).await;
        assert_eq!((status, &told["error"]["code"]), (StatusCode::UNAUTHORIZED, &json!("unauthorized")), "{path}");
    }
    assert!(taken.lock().unwrap().is_empty());
}

/// The series fills by itself, whether or not anybody asks.
#[tokio::test(start_paused = true)]
async fn the_series_is_an_hour_at_ten_seconds() {
    let api = api(Means::default());
    let stop = CancellationToken::new();
    let watching = tokio::spawn(Arc::clone(&api).watch(stop.clone()));
    tokio::time::sleep(Duration::from_secs(35)).await;
    assert_eq!(api.series(|series| series.document().points.len()), 3);
    tokio::time::sleep(Duration::from_hours(2)).await;
    assert_eq!(api.series(|series| series.document().points.len()), 360);
    stop.cancel();
    watching.await.unwrap().unwrap();
}
