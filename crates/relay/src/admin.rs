//! The listener for probes, metrics and operators; never the public one. Probes and metrics need no token.
//!
//! Owns: `/livez`, `/startupz`, `/readyz`, `/metrics`; `/api/v1` is in the files beside. Must not know: what the conditions
//! and metrics mean.
//!
//! Path: [`router`] from a [`Health`] and a metrics registry; [`serve`] on a listener until it is told to stop.

pub(crate) mod api;
pub mod guard;
mod lookup;
mod problem;
mod redrive;
mod status;
mod submissions;
mod tails;

use crate::health::{Health, Verdict};
use axum::extract::State;
use axum::http::{HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use prometheus::{Registry, TextEncoder};
use serde_json::json;
use std::future::Future;
use std::sync::Arc;
use tokio::net::TcpListener;

/// Answers are about this very moment.
const NO_STORE: [(HeaderName, &str); 1] = [(header::CACHE_CONTROL, "no-store")];

#[derive(Clone)]
struct Shown {
    health: Arc<Health>,
    metrics: Registry,
}

/// The routes. Failing probes answer 503 with the reasons as JSON.
pub fn router(health: Arc<Health>, metrics: Registry) -> Router {
    Router::new()
        .route("/livez", get(livez))
        .route("/startupz", get(|State(shown): State<Shown>| async move { probe(&shown.health.started()) }))
        .route("/readyz", get(|State(shown): State<Shown>| async move { probe(&shown.health.ready()) }))
        .route("/metrics", get(metrics_text))
        .with_state(Shown { health, metrics })
}

/// Serves until `shutdown` is ready, then finishes the requests that were begun.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    axum::serve(listener, router).with_graceful_shutdown(shutdown).await
}

/// That this is answered at all is the whole proof: the runtime still turns. Nothing else belongs here, or a restart
/// would be asked for where waiting helps.
async fn livez() -> Response {
    (NO_STORE, Json(json!({ "ok": true }))).into_response()
}

fn probe(verdict: &Verdict) -> Response {
    let status = if verdict.ok { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, NO_STORE, Json(verdict)).into_response()
}

async fn metrics_text(State(shown): State<Shown>) -> Response {
    match TextEncoder::new().encode_to_string(&shown.metrics.gather()) {
        Ok(text) => ([(header::CONTENT_TYPE, prometheus::TEXT_FORMAT)], text).into_response(),
        Err(error) => {
            tracing::error!(%error, "metrics cannot be written");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::{Latch, Stage};
    use axum::body::{Body, to_bytes};
    use axum::http::Request;
    use prometheus::IntCounter;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::sync::oneshot;
    use tower::ServiceExt;

    fn service() -> (Router, Latch) {
        let mut health = Health::new();
        let latch = health.latch(Stage::Startup, "ledger", "the ledger is being read");
        health.latch(Stage::Ready, "drain", "").set();
        let metrics = Registry::new();
        let counter = IntCounter::new("argos_relay_example_total", "An example.").unwrap();
        counter.inc();
        metrics.register(Box::new(counter)).unwrap();
        (router(Arc::new(health), metrics), latch)
    }

    async fn get(router: &Router, path: &str) -> (StatusCode, String, String) {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let answer = router.clone().oneshot(request).await.unwrap();
        let status = answer.status();
        let kind = answer.headers().get(header::CONTENT_TYPE).map(|kind| kind.to_str().unwrap().to_owned());
        let body = to_bytes(answer.into_body(), usize::MAX).await.unwrap();
        (status, kind.unwrap_or_default(), String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn probes_answer_with_status_and_reasons() {
        let (router, ledger) = service();
        assert_eq!(get(&router, "/livez").await.0, StatusCode::OK);
        let (status, kind, body) = get(&router, "/startupz").await;
        assert_eq!((status, kind.as_str()), (StatusCode::SERVICE_UNAVAILABLE, "application/json"));
        assert_eq!(
            body,
            r#"{"ok":false,"conditions":[{"name":"ledger","ok":false,"reason":"the ledger is being read"}]}"#
        );
        assert_eq!(get(&router, "/readyz").await.0, StatusCode::SERVICE_UNAVAILABLE);
        ledger.set();
        assert_eq!(get(&router, "/startupz").await.0, StatusCode::OK);
        let (status, _, body) = get(&router, "/readyz").await;
        assert_eq!(status, StatusCode::OK);
        assert_eq!(body, r#"{"ok":true,"conditions":[{"name":"ledger","ok":true},{"name":"drain","ok":true}]}"#);
    }

    #[tokio::test]
    async fn metrics_are_prometheus_text_and_nothing_else_is_there() {
        let (router, _ledger) = service();
        let (status, kind, body) = get(&router, "/metrics").await;
        assert_eq!((status, kind.as_str()), (StatusCode::OK, "text/plain; version=0.0.4"));
        assert!(body.contains("\nargos_relay_example_total 1\n"), "{body}");
        for path in ["/", "/webhooks/acme", "/metrics/"] {
            assert_eq!(get(&router, path).await.0, StatusCode::NOT_FOUND, "{path}");
        }
        let request = Request::post("/readyz").body(Body::empty()).unwrap();
        assert_eq!(router.oneshot(request).await.unwrap().status(), StatusCode::METHOD_NOT_ALLOWED);
    }

    #[tokio::test]
    async fn the_server_ends_when_told() {
        let (router, _ledger) = service();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let server = tokio::spawn(serve(listener, router, async { drop(stopped.await) }));
        let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
        stream.write_all(b"GET /livez HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        stop.send(()).unwrap();
        server.await.unwrap().unwrap();
    }
}
