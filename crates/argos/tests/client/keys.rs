//! Exchanging the API key: two valid at a time, and what ARGOS hears of the one that goes.

use crate::{APPROVED, client_of, key, project, word};
use argos::ApiKeys;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use models::TruthSource;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;

#[derive(Default)]
struct Behind {
    /// The keys that are accepted now.
    accepted: Vec<&'static str>,
    /// How often each was presented.
    presented: BTreeMap<String, usize>,
    /// Whether accepted ones are told to wait.
    slow: bool,
}

#[derive(Clone, Default)]
struct Argos(Arc<Mutex<Behind>>);

impl Argos {
    async fn start() -> (Argos, String) {
        let argos = Argos::default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let app = axum::Router::new().fallback(answer).with_state(argos.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        (argos, format!("http://{address}/v3"))
    }

    fn accept(&self, keys: &[&'static str]) {
        keys.clone_into(&mut self.0.lock().unwrap().accepted);
    }

    fn slow_down(&self, slow: bool) {
        self.0.lock().unwrap().slow = slow;
    }

    /// The counts since the last time this was asked.
    fn presented(&self) -> Vec<(String, usize)> {
        std::mem::take(&mut self.0.lock().unwrap().presented).into_iter().collect()
    }
}

async fn answer(State(argos): State<Argos>, headers: HeaderMap) -> (StatusCode, &'static str) {
    let mut state = argos.0.lock().unwrap();
    let given = headers["x-api-key"].to_str().unwrap().to_owned();
    let known = state.accepted.iter().any(|key| *key == given);
    *state.presented.entry(given).or_default() += 1;
    match (known, state.slow) {
        (false, _) => (StatusCode::FORBIDDEN, r#"{"message":"Forbidden"}"#),
        (true, true) => (StatusCode::TOO_MANY_REQUESTS, ""),
        (true, false) => (StatusCode::OK, APPROVED),
    }
}

#[tokio::test]
async fn the_second_key_is_asked_before_a_refusal_is_told() {
    let (argos, address) = Argos::start().await;
    let mut project = project(&address);
    let keys = ApiKeys::new(&["new".into(), "old".into()]).unwrap();
    project.api_keys = keys.clone();
    let client = client_of(project);
    let count = |key: &str, times| (key.to_owned(), times);

    // Told to us before it is valid at ARGOS: one refusal, then the old one goes first.
    argos.accept(&["old"]);
    for _ in 0..5 {
        assert_eq!(word(&client.look(&key()).await), "present");
    }
    assert_eq!(argos.presented(), [count("new", 1), count("old", 5)]);

    // The old one is withdrawn: one refusal again.
    argos.accept(&["new"]);
    for _ in 0..5 {
        assert_eq!(word(&client.look(&key()).await), "present");
    }
    assert_eq!(argos.presented(), [count("new", 5), count("old", 1)]);

    // The new one is withdrawn, and the old one let in, but told to wait: the refused one is not asked again meanwhile.
    argos.accept(&["old"]);
    argos.slow_down(true);
    for _ in 0..5 {
        assert_eq!(word(&client.look(&key()).await), "throttled");
    }
    assert_eq!(argos.presented(), [count("new", 1), count("old", 5)]);
    argos.slow_down(false);

    // Neither is valid: each is asked once, and the refusal is told.
    argos.accept(&[]);
    assert_eq!(word(&client.look(&key()).await), "denied");
    assert_eq!(argos.presented(), [count("new", 1), count("old", 1)]);

    // New keys hold for the next request.
    argos.accept(&["newest"]);
    keys.replace(&["newest".into()]).unwrap();
    assert_eq!(word(&client.look(&key()).await), "present");
    assert_eq!(argos.presented(), [count("newest", 1)]);
}
