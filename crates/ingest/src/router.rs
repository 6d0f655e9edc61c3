//! The public routes, and nothing else: `/webhooks/{project}` and `/webhooks/{project}/{token}`.
//!
//! Owns the paths. Must not know what happens behind them ([`crate::receive`]). Methods are not routed here: a wrong
//! method is told only to callers who passed authentication.

use crate::receive::Door;
use axum::Router;
use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::Request;
use axum::response::Response;
use axum::routing::any;
use models::HintSink;
use std::sync::Arc;

/// The routes over a door.
pub fn router<S: HintSink>(door: Arc<Door<S>>) -> Router {
    Router::new()
        .route("/webhooks/{project}", any(plain::<S>))
        .route("/webhooks/{project}/{token}", any(secret::<S>))
        .fallback(lost::<S>)
        .with_state(door)
}

async fn plain<S: HintSink>(
    State(door): State<Arc<Door<S>>>,
    project: Result<Path<String>, PathRejection>,
    request: Request<Body>,
) -> Response {
    match project {
        Ok(Path(project)) => door.receive(&project, None, request).await,
        // Percent-encoding that is not UTF-8: nobody's path.
        Err(_) => door.lost(),
    }
}

async fn secret<S: HintSink>(
    State(door): State<Arc<Door<S>>>,
    parts: Result<Path<(String, String)>, PathRejection>,
    request: Request<Body>,
) -> Response {
    match parts {
        Ok(Path((project, token))) => door.receive(&project, Some(&token), request).await,
        Err(_) => door.lost(),
    }
}

async fn lost<S: HintSink>(State(door): State<Arc<Door<S>>>) -> Response {
    door.lost()
}
