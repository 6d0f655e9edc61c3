//! The client against a small registry in the test.

use super::*;
use crate::config::{Config, Environment};
use crate::health::{Health, Stage};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use serde_json::{Value, json};
use std::sync::Mutex;

/// What it keeps by subject, what it was asked, and what it says instead of an answer.
#[derive(Clone, Default)]
struct Small {
    kept: Arc<Mutex<BTreeMap<String, String>>>,
    asked: Arc<Mutex<Vec<(String, String)>>>,
    says: Arc<Mutex<Option<(StatusCode, String)>>>,
}

impl Small {
    async fn start(&self) -> String {
        let look = |State(small): State<Small>, Path(subject): Path<String>, headers: HeaderMap, body: String| async move {
            small.answer("look", &subject, &headers, &body)
        };
        let keep = |State(small): State<Small>, Path(subject): Path<String>, headers: HeaderMap, body: String| async move {
            small.answer("register", &subject, &headers, &body)
        };
        let routes = axum::Router::new()
            .route("/base/subjects/{subject}", post(look))
            .route("/base/subjects/{subject}/versions", post(keep))
            .with_state(self.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, routes).await });
        format!("http://{address}/base/")
    }

    fn answer(&self, what: &str, subject: &str, headers: &HeaderMap, body: &str) -> (StatusCode, String) {
        let header = |name: &str| headers.get(name).map_or("", |value| value.to_str().unwrap()).to_owned();
        assert_eq!(header("content-type"), "application/vnd.schemaregistry.v1+json");
        self.asked.lock().unwrap().push((format!("{what} {subject}"), header("authorization")));
        if let Some(said) = self.says.lock().unwrap().clone() {
            return said;
        }
        let body: Value = serde_json::from_str(body).unwrap();
        assert_eq!(body["schemaType"], "JSON");
        let (schema, mut kept) = (body["schema"].as_str().unwrap().to_owned(), self.kept.lock().unwrap());
        if what == "register" {
            kept.insert(subject.to_owned(), schema.clone());
        }
        let id = kept.iter().position(|(known, kept)| known == subject && *kept == schema);
        match id {
            Some(_) => {
                (StatusCode::OK, json!({ "id": subject.len(), "subject": subject, "schema": schema }).to_string())
            }
            None => (StatusCode::NOT_FOUND, json!({ "error_code": 40_401, "message": "no such subject" }).to_string()),
        }
    }

    fn asked(&self, what: &str) -> usize {
        let asked = std::mem::take(&mut *self.asked.lock().unwrap());
        asked.iter().filter(|(one, _)| one.starts_with(what)).count()
    }
}

fn registry(url: &str, more: &str) -> SchemaRegistry {
    let text = format!(
        "[kafka]\nbootstrap_servers = \"127.0.0.1:1\"\ninstance_id = \"relay-7\"\n\
         [kafka.schema_registry]\nurl = \"{url}\"\n{more}\n\
         [personal_data]\ndigest_key = \"0123456789abcdef0123456789abcdef\"\n\
         [[projects]]\nid = \"acme\"\napi_key = \"key\"\nwebhook = {{ unauthenticated = true }}\n"
    );
    let config = Config::parse(&text, &Environment::default()).unwrap().config;
    SchemaRegistry::new(config.kafka.schema_registry.as_ref().unwrap()).unwrap()
}

fn metrics() -> RegistryMetrics {
    RegistryMetrics::register(&Registry::new()).unwrap()
}

async fn round(registry: &SchemaRegistry, metrics: &RegistryMetrics) -> Result<BTreeMap<&'static str, u32>, Unknown> {
    let mut known = BTreeMap::new();
    registry.ask_for_all(&TopicNames::default(), metrics, &mut known).await.map(|()| known)
}

#[tokio::test]
async fn what_is_not_there_is_registered_once_and_then_only_looked_up() {
    let (small, metrics) = (Small::default(), metrics());
    let registry = registry(&small.start().await, "");
    let first = round(&registry, &metrics).await.unwrap();
    assert_eq!(small.asked("register"), PUBLISHED.len());
    let again = round(&registry, &metrics).await.unwrap();
    assert_eq!((small.asked("register"), first), (0, again));
    let kept = small.kept.lock().unwrap().clone();
    let subjects: Vec<_> = PUBLISHED.iter().map(|one| one.subject(&TopicNames::default())).collect();
    assert!(subjects.iter().all(|subject| kept.contains_key(subject)) && kept.len() == subjects.len(), "{kept:?}");
    let counted = (metrics.registered.get(), metrics.found.get(), metrics.refused.get() + metrics.away.get());
    assert_eq!(counted, (20, 20, 0));
}

#[tokio::test]
async fn without_the_right_to_register_it_waits_for_whoever_does() {
    let small = Small::default();
    let url = small.start().await;
    let registry = registry(&url, "register = false");
    let error = round(&registry, &metrics()).await.unwrap_err().to_string();
    assert!(error.contains("does not have") && error.contains("register` is off"), "{error}");
    assert_eq!(small.asked("register"), 0);
    for one in PUBLISHED {
        small.kept.lock().unwrap().insert(one.subject(&TopicNames::default()), one.schema.to_owned());
    }
    assert_eq!(round(&registry, &metrics()).await.unwrap().len(), PUBLISHED.len());
}

#[tokio::test]
async fn a_refusal_says_whose_and_why_on_one_line_and_shows_no_secret() {
    let (small, metrics) = (Small::default(), metrics());
    let registry = registry(&small.start().await, "username = \"relay\"\npassword = \"a-secret-word\"");
    for (status, body, wanted) in [
        (
            409,
            r#"{"error_code":409,"message":"incompatible:\nproperty removed"}"#,
            "409: incompatible: property removed",
        ),
        (401, "<html>no JSON</html>", "it answers 401"),
        (404, r#"{"error_code":404,"message":"HTTP 404 Not Found"}"#, "it answers 404: HTTP 404 Not Found"),
        (503, "", "does not answer: it answers 503"),
        (200, "{}", "it answers without an id"),
    ] {
        let status = StatusCode::from_u16(status).unwrap();
        *small.says.lock().unwrap() = Some((status, body.to_owned()));
        let error = round(&registry, &metrics).await.unwrap_err().to_string();
        assert!(error.contains(wanted) && !error.contains('\n') && !error.contains("secret"), "{error}");
        assert!(status == 503 || error.contains("kyc.submission.events.v1-kyc.submission.created.v1"), "{error}");
    }
    assert_eq!((metrics.refused.get(), metrics.away.get(), metrics.found.get()), (4, 1, 0));
    let sent = small.asked.lock().unwrap().last().unwrap().1.clone();
    assert_eq!(sent, "Basic cmVsYXk6YS1zZWNyZXQtd29yZA==");
}

#[tokio::test]
async fn a_token_that_is_exchanged_goes_with_the_next_question() {
    let small = Small::default();
    let registry = registry(&small.start().await, "token = \"before\"");
    round(&registry, &metrics()).await.unwrap();
    assert_eq!(small.asked.lock().unwrap().last().unwrap().1, "Bearer before");
    registry.credentials().replace(SecretString::from("after"));
    round(&registry, &metrics()).await.unwrap();
    assert_eq!(small.asked.lock().unwrap().last().unwrap().1, "Bearer after");
}

#[tokio::test]
async fn while_it_is_away_the_health_says_so_and_a_stop_ends_the_waiting() {
    // Nobody listens there any more.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let registry = registry(&format!("http://{port}"), "");
    let (mut health, stop) = (Health::new(), CancellationToken::new());
    let told = health.latch(Stage::Startup, "schema_registry", "not asked yet");
    let (names, metrics) = (TopicNames::default(), metrics());
    let waiting = registry.all_ids(&names, &metrics, &told, &stop);
    let seen = async {
        loop {
            let verdict = health.started();
            let reason = verdict.conditions[0].reason.clone().unwrap_or_default();
            if reason.contains("does not answer") {
                break stop.cancel();
            }
            tokio::task::yield_now().await;
        }
    };
    let (ids, ()) = tokio::join!(waiting, seen);
    assert_eq!(ids, None);
    assert!(!health.started().ok && metrics.away.get() > 0);
}

#[test]
fn half_a_name_or_two_ways_in_are_refused() {
    let problems = |more: &str| {
        let text = format!("[kafka]\nbootstrap_servers = \"k:1\"\n[kafka.schema_registry]\n{more}");
        let errors = Config::parse(&text, &Environment::default()).unwrap_err();
        let ours = errors.into_iter().filter(|error| error.key.starts_with("kafka.schema_registry"));
        ours.map(|error| error.key.replace("kafka.schema_registry.", "")).collect::<Vec<_>>()
    };
    let url = "url = \"http://registry:8081\"\n";
    assert_eq!(problems(url), Vec::<String>::new());
    assert_eq!(problems(""), ["url"]);
    assert_eq!(problems("url = \"http://who:what@registry\""), ["url"]);
    assert_eq!(problems(&format!("{url}username = \"relay\"")), ["username"]);
    assert_eq!(problems(&format!("{url}password = \"x\"")), ["username"]);
    assert_eq!(problems(&format!("{url}username = \"a\"\npassword = \"x\"\ntoken = \"t\"")), ["token"]);
    assert_eq!(problems(&format!("{url}timeout = \"2h\"")), ["timeout"]);
    assert_eq!(problems(&format!("{url}regsiter = true")), ["regsiter"]);
}
