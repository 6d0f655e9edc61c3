//! The listener of the simulated ARGOS.
//!
//! Owns connections, the key check and the performance of faults: delays, cut connections, spoilt bodies. Own accept
//! loop instead of `axum::serve`, because a fault must be able to close a connection without any answer.
//!
//! Path: connection -> request, opened (`seal`) -> verdict (`faults`) -> honest answer (`answers`), sealed -> spoilt or not.

use crate::answers::{Answer, Scene, answer, param};
use crate::config::{Config, Project};
use crate::counts::Counters;
use crate::faults::{FaultControl, Garbage, Strike};
use crate::seal::Seal;
use crate::sender::Sender;
use crate::world::World;
use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, Response, StatusCode, header};
use hyper_util::rt::TokioIo;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Connections at one time; more wait in the listener's backlog.
const CONNECTIONS: usize = 4_096;

/// What every request needs.
pub(crate) struct Backend {
    pub(crate) world: Arc<World>,
    pub(crate) config: Config,
    pub(crate) faults: FaultControl,
    pub(crate) counters: Counters,
    pub(crate) sender: Arc<Sender>,
    /// The keys of the projects that encrypt.
    pub(crate) seals: Arc<HashMap<String, Seal>>,
    pub(crate) pages: AtomicU64,
    /// Keys that are accepted instead of a project's configured one.
    pub(crate) exchanged: Mutex<HashMap<String, Vec<String>>>,
}

/// A connection that a fault closes.
#[derive(Debug, thiserror::Error)]
#[error("a fault closes this connection")]
struct Closed;

/// Accepts until told to stop; the connections end with it.
pub(crate) async fn serve(listener: TcpListener, backend: Arc<Backend>, stop: CancellationToken, tasks: TaskTracker) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        // Both arms are cancel-safe: no permit and no connection is lost when the other one wins.
        let accepted = tokio::select! {
            () = stop.cancelled() => return,
            accepted = accept(&listener, &places) => accepted,
        };
        let Some((stream, place)) = accepted else {
            continue;
        };
        if backend.faults.is_down() {
            backend.counters.add(|counts| counts.cut += 1);
            continue;
        }
        let (backend, stop) = (Arc::clone(&backend), stop.clone());
        tasks.spawn(async move {
            let _place = place;
            tokio::select! {
                () = stop.cancelled() => {}
                () = connection(stream, backend) => {}
            }
        });
    }
}

async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> Option<(TcpStream, tokio::sync::OwnedSemaphorePermit)> {
    let place = Arc::clone(places).acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, _)) => Some((stream, place)),
        Err(error) => {
            tracing::warn!(%error, "the simulated ARGOS cannot accept");
            tokio::time::sleep(Duration::from_millis(10)).await;
            None
        }
    }
}

async fn connection(stream: TcpStream, backend: Arc<Backend>) {
    let nodelay = stream.set_nodelay(true);
    let service = hyper::service::service_fn(move |request| {
        let backend = Arc::clone(&backend);
        async move { respond(&backend, &request).await }
    });
    let served = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
    // A closed connection is a fault that was asked for, or the client's own doing.
    tracing::trace!(?nodelay, ?served, "connection ended");
}

async fn respond(backend: &Backend, request: &Request<hyper::body::Incoming>) -> Result<Response<Body>, Closed> {
    backend.counters.add(|counts| counts.requests += 1);
    let query = request.uri().query().unwrap_or_default();
    let params: Vec<(String, String)> = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    let project = project_of(backend, request.headers());
    let seal = project.and_then(|project| backend.seals.get(project));
    let opened = match seal {
        Some(seal) => seal.opened(&params),
        None => Some(params),
    };
    let params = opened.as_deref().unwrap_or_default();
    let id = param(params, "submission_id");
    match (project, id) {
        (None, _) => backend.counters.add(|counts| counts.wrong_key += 1),
        (Some(project), Some(id)) => backend.counters.single(project, id),
        (Some(_), None) => backend.counters.add(|counts| counts.lists += 1),
    }
    let verdict = backend.faults.judge(project, id);
    // The state is read in the middle of the latency: some of it passes before, some after.
    pause(verdict.delay / 2).await;
    if let Some(strike) = verdict.strike.filter(|strike| !matches!(strike, Strike::Garbage(_))) {
        return perform(backend, strike, verdict.delay / 2).await;
    }
    let Some(project) = project else {
        return Ok(forbidden());
    };
    if request.uri().path() != "/v3/submission" || request.method() != Method::GET {
        return Ok(json(StatusCode::NOT_FOUND, r#"{"message":"Not Found"}"#.to_owned()));
    }
    let every = backend.config.list.short_page_every;
    let page = if id.is_none() { backend.pages.fetch_add(1, Ordering::Relaxed) + 1 } else { 0 };
    let webhook_url = backend.sender.shown_url(project);
    let scene = Scene {
        world: &backend.world,
        config: &backend.config,
        project,
        webhook_url: webhook_url.as_deref(),
        at: backend.world.now() - verdict.age_ms,
        short: every > 0 && page > 0 && page.is_multiple_of(every),
    };
    let honest = if opened.is_some() { answer(&scene, params) } else { Answer::misunderstood() };
    let honest = match seal {
        Some(seal) => Answer { body: seal.envelope(&honest.body.to_string()), ..honest },
        None => honest,
    };
    pause(verdict.delay / 2).await;
    Ok(match verdict.strike {
        Some(Strike::Garbage(garbage)) => {
            backend.counters.add(|counts| counts.garbage += 1);
            spoilt(garbage, &honest)
        }
        _ => told(backend, &honest),
    })
}

fn project_of<'a>(backend: &'a Backend, headers: &HeaderMap) -> Option<&'a str> {
    let key = headers.get("x-api-key")?.to_str().ok()?;
    let exchanged = backend.exchanged.lock().unwrap_or_else(PoisonError::into_inner);
    let has_key = |project: &&Project| match exchanged.get(&project.id) {
        Some(keys) => keys.iter().any(|one| one == key),
        None => project.api_key == key,
    };
    backend.config.projects.iter().find(has_key).map(|project| project.id.as_str())
}

async fn pause(delay: Duration) {
    if !delay.is_zero() {
        tokio::time::sleep(delay).await;
    }
}

async fn perform(backend: &Backend, strike: Strike, rest: Duration) -> Result<Response<Body>, Closed> {
    let response = match strike {
        Strike::Cut | Strike::Garbage(_) => {
            backend.counters.add(|counts| counts.cut += 1);
            return Err(Closed);
        }
        Strike::Hang(time) => {
            backend.counters.add(|counts| counts.hung += 1);
            tokio::time::sleep(time).await;
            return Err(Closed);
        }
        Strike::Forbidden => {
            backend.counters.add(|counts| counts.forbidden += 1);
            forbidden()
        }
        Strike::Throttled { retry_after_s } => {
            backend.counters.add(|counts| counts.throttled += 1);
            let mut response = json(StatusCode::TOO_MANY_REQUESTS, r#"{"message":"Too Many Requests"}"#.to_owned());
            if retry_after_s > 0 {
                response.headers_mut().insert(header::RETRY_AFTER, retry_after_s.into());
            }
            response
        }
        Strike::Error(status) => {
            backend.counters.add(|counts| counts.errors += 1);
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            json(status, r#"{"message":"Internal server error"}"#.to_owned())
        }
    };
    pause(rest).await;
    Ok(response)
}

fn told(backend: &Backend, honest: &Answer) -> Response<Body> {
    backend.counters.add(|counts| {
        counts.stale += u64::from(honest.stale);
        counts.answered += u64::from(honest.status == 200);
        counts.refused += u64::from(honest.status != 200);
    });
    json(StatusCode::from_u16(honest.status).unwrap_or(StatusCode::OK), honest.body.to_string())
}

fn spoilt(garbage: Garbage, honest: &Answer) -> Response<Body> {
    match garbage {
        Garbage::Truncated => {
            let text = honest.body.to_string();
            let half: String = text.chars().take(text.chars().count() / 2).collect();
            json(StatusCode::OK, half)
        }
        Garbage::Html => {
            let mut response = json(StatusCode::OK, "<html><body><h1>Service</h1></body></html>".to_owned());
            response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static("text/html"));
            response
        }
        Garbage::WrongTypes => json(StatusCode::OK, r#"{"Items":{"submission_id":7,"kyc":"approved"}}"#.to_owned()),
        Garbage::Empty => json(StatusCode::OK, String::new()),
    }
}

fn forbidden() -> Response<Body> {
    json(StatusCode::FORBIDDEN, r#"{"message":"Forbidden"}"#.to_owned())
}

fn json(status: StatusCode, body: String) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
    response
}

#[cfg(test)]
mod tests;
