//! `/api/v1`: what operators ask of one replica, and what they have it do.
//!
//! Owns: what the routes share (the loop's ear, Kafka's settings, the way of hints, the client for ARGOS), and the bounds on
//! what a caller may cost: the size of a body, one scan of topics at a time, and a time within which the loop answers.
//! Must not know: how anything is found out; that is [`crate::operate`].
//!
//! Path: `wiring` fills an [`Api`]; [`routes`] puts the subjects together behind the guard. `contracts/openapi/admin.yaml`
//! is the same for outsiders, held to this by tests.

use super::problem::Problem;
use super::{guard, lookup, redrive, status, submissions, tails};
use crate::config::Config;
use crate::health::Health;
use crate::operate::series::{self, Series};
use argos::Client;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use futures::future::BoxFuture;
use models::{Hint, Key, Lane, SinkError, Time};
use prometheus::Registry;
use publisher::members::Member;
use publisher::reading::ReadError;
use publisher::{KafkaSettings, LedgerWatch};
use reconciler::clock::Clock;
use reconciler::inquiry::Inquiry;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

/// The largest body that is read; those that are needed are far smaller.
const BODY: usize = 16 * 1024;
/// The loop answers between two turns, so this long only if it hangs.
const LOOP_ANSWERS: Duration = Duration::from_secs(3);
/// How long a scan waits for the one before it.
const SCAN_WAITS: Duration = Duration::from_secs(4);
/// For so long Kafka's word on the members is repeated.
const MEMBERS_KEPT: Duration = Duration::from_secs(5);

/// Makes a hint durable.
pub(crate) type Send =
    Arc<dyn Fn(Key, Lane, Hint) -> BoxFuture<'static, Result<(), SinkError>> + Sync + std::marker::Send>;

/// What the parts of this process contribute; a part that does not run contributes nothing.
#[derive(Clone, Default)]
pub(crate) struct Means {
    /// Asks the loop.
    pub(crate) inquiry: Option<Inquiry>,
    /// Looks at the ledger, once it is open.
    pub(crate) watch: Option<Arc<OnceLock<LedgerWatch>>>,
    /// Where the topics are.
    pub(crate) kafka: Option<KafkaSettings>,
    /// The way of hints.
    pub(crate) send: Option<Send>,
    /// Asks ARGOS.
    pub(crate) client: Option<Arc<Client>>,
}

/// What the routes share.
pub(crate) struct Api {
    pub(crate) config: Arc<Config>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) role: &'static str,
    pub(crate) started_at: Time,
    pub(crate) health: Arc<Health>,
    pub(crate) registry: Registry,
    pub(crate) means: Means,
    series: Mutex<Series>,
    scans: Arc<Semaphore>,
    members: tokio::sync::Mutex<Option<(Instant, Vec<Member>)>>,
}

impl Api {
    pub(crate) fn new(
        config: Arc<Config>,
        clock: Arc<dyn Clock>,
        role: &'static str,
        health: Arc<Health>,
        registry: Registry,
        means: Means,
    ) -> Api {
        let started_at = clock.now();
        Api {
            config,
            clock,
            role,
            started_at,
            health,
            registry,
            means,
            series: Mutex::default(),
            scans: Arc::new(Semaphore::new(1)),
            members: tokio::sync::Mutex::default(),
        }
    }

    /// Fills the series until told to stop.
    pub(crate) async fn watch(self: Arc<Self>, stop: CancellationToken) -> anyhow::Result<()> {
        let mut interval = tokio::time::interval(series::EVERY);
        interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                _ = interval.tick() => {}
            }
            let sample = series::sample(&self.registry);
            self.series(|series| series.take(self.clock.now(), sample));
        }
    }

    /// Looks at the series for an instant.
    pub(crate) fn series<T>(&self, look: impl FnOnce(&mut Series) -> T) -> T {
        look(&mut self.series.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Asks the loop; `None` if there is none, or it does not answer.
    pub(crate) async fn ask<'a, T, F>(&'a self, question: impl FnOnce(&'a Inquiry) -> F) -> Option<T>
    where
        F: Future<Output = Option<T>>,
    {
        timeout(LOOP_ANSWERS, question(self.means.inquiry.as_ref()?)).await.ok()?
    }

    /// Where the topics are.
    pub(crate) fn kafka(&self) -> Result<&KafkaSettings, Problem> {
        let message = "this process has no Kafka (a demo): topics cannot be read";
        self.means.kafka.as_ref().ok_or_else(|| Problem::away("no_kafka", message))
    }

    /// Reads topics off the runtime, one scan at a time.
    pub(crate) async fn scan<T: std::marker::Send + 'static>(
        &self,
        read: impl FnOnce(&KafkaSettings) -> Result<T, ReadError> + std::marker::Send + 'static,
    ) -> Result<T, Problem> {
        let settings = self.kafka()?.clone();
        let busy = || Problem::later("busy", "another scan of the topics is under way", SCAN_WAITS);
        let permit = timeout(SCAN_WAITS, Arc::clone(&self.scans).acquire_owned()).await.map_err(|_| busy())?;
        let scanned = tokio::task::spawn_blocking(move || {
            // Held to the end of the reading, also when the caller has gone.
            let _permit = permit;
            read(&settings)
        });
        Ok(scanned.await.map_err(|error| Problem::internal(&error))??)
    }

    /// Who is in the group; empty if Kafka does not answer.
    pub(crate) async fn members(&self) -> Vec<Member> {
        let Ok(settings) = self.kafka() else { return Vec::new() };
        let mut kept = self.members.lock().await;
        if let Some((at, members)) = &*kept
            && at.elapsed() < MEMBERS_KEPT
        {
            return members.clone();
        }
        let settings = settings.clone();
        let asked = tokio::task::spawn_blocking(move || publisher::members::members(&settings)).await;
        let members = match asked {
            Ok(Ok(members)) => members,
            Ok(Err(error)) => {
                tracing::debug!(error = %crate::telemetry::chain(&error), "the group is not told");
                Vec::new()
            }
            Err(error) => {
                tracing::error!(%error, "asking for the group failed");
                Vec::new()
            }
        };
        *kept = Some((Instant::now(), members.clone()));
        members
    }

    /// Makes a hint durable.
    pub(crate) async fn send(&self, key: &Key, lane: Lane, hint: Hint) -> Result<(), Problem> {
        let send = self.means.send.as_ref().ok_or_else(|| Problem::away("no_sink", "no hint can be sent from here"))?;
        Ok(send(key.clone(), lane, hint).await?)
    }

    /// Whether a project is configured here.
    pub(crate) fn project(&self, id: &str) -> Result<&crate::config::Project, Problem> {
        let found = self.config.projects.iter().find(|project| project.id.as_str() == id);
        found.ok_or_else(|| Problem::not_found("no such project is configured"))
    }
}

/// Every route below `/api/v1`, as the `OpenAPI` document has to have it.
#[cfg(test)]
pub(super) const ROUTES: [(&str, &str); 9] = [
    ("GET", "/status"),
    ("GET", "/series"),
    ("GET", "/events"),
    ("GET", "/dead-letters"),
    ("POST", "/dead-letters/redrive"),
    ("GET", "/submissions/{project}/{id}"),
    ("POST", "/submissions/{project}/{id}/reconcile"),
    ("POST", "/submissions/{project}/{id}/erase"),
    ("POST", "/lookup"),
];

/// All routes of `/api/v1`, behind the guard.
pub(crate) fn routes(api: Arc<Api>, tokens: Option<guard::Tokens>) -> Router {
    let routes = Router::new()
        .route("/status", get(status::status))
        .route("/series", get(status::series))
        .route("/events", get(tails::events))
        .route("/dead-letters", get(tails::dead_letters))
        .route("/dead-letters/redrive", post(redrive::redrive))
        .route("/submissions/{project}/{id}", get(submissions::explain))
        .route("/submissions/{project}/{id}/reconcile", post(submissions::reconcile))
        .route("/submissions/{project}/{id}/erase", post(submissions::erase))
        .route("/lookup", post(lookup::lookup))
        .fallback(|| async { Problem::not_found("no such question; see contracts/openapi/admin.yaml") })
        .method_not_allowed_fallback(not_allowed)
        .layer(DefaultBodyLimit::max(BODY))
        .with_state(api);
    Router::new().nest("/api/v1", routes).layer(axum::middleware::from_fn_with_state(tokens, guard::check))
}

async fn not_allowed() -> Response {
    let message = "this path takes another method";
    Problem::new(axum::http::StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", message).into_response()
}

#[cfg(test)]
#[path = "api_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "openapi_tests.rs"]
mod openapi_tests;
