//! The sender of webhooks: posts bodies, badly on purpose.
//!
//! Owns targets, the dice of delivery (loss, repeats, delay, reordering), bounded concurrency and resending; the book
//! of what was sent is `sent`'s. Knows nothing of what a body says beyond its trigger and its submission id.
//!
//! Path: a body comes in ([`Sender::deliver`]), is sealed if its project encrypts, waits for a place in the backlog, is lost or copied, each copy is
//! delayed and posted, each POST is recorded.

use crate::seal::Seal;
use crate::sent::{Book, Posted, SendRecord, Sent, WebhookFaults};
use crate::webhooks::submission_id;
use crate::world::World;
use axum::body::Bytes;
use reqwest::header;
use serde_json::Value;
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Webhooks between being built and being settled; who builds more has to wait.
const BACKLOG: u32 = 4_096;

struct Target {
    bases: Vec<String>,
    token: Option<String>,
}

struct Settings {
    faults: WebhookFaults,
    slots: Arc<Semaphore>,
    rng: fastrand::Rng,
}

/// A body ready to go.
struct Parcel {
    project: Arc<str>,
    id: Arc<str>,
    trigger: Arc<str>,
    body: Bytes,
    due: Instant,
}

pub(crate) struct Sender {
    world: Arc<World>,
    seals: Arc<HashMap<String, Seal>>,
    client: reqwest::Client,
    targets: Mutex<HashMap<String, Target>>,
    settings: Mutex<Settings>,
    book: Mutex<Book>,
    backlog: Arc<Semaphore>,
    turn: AtomicUsize,
    keep: usize,
    anchor: (Instant, i64),
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Sender {
    pub(crate) fn new(
        config: &crate::Config,
        world: Arc<World>,
        seals: Arc<HashMap<String, Seal>>,
        stop: CancellationToken,
        tasks: TaskTracker,
    ) -> std::io::Result<Sender> {
        let targets = config.projects.iter().map(|project| {
            let target = Target { bases: project.targets.clone(), token: project.token.clone() };
            (project.id.clone(), target)
        });
        let faults = WebhookFaults::default();
        let slots = Arc::new(Semaphore::new(faults.concurrency));
        let anchor = (Instant::now(), world.now() * 1_000);
        Ok(Sender {
            client: client()?,
            targets: Mutex::new(targets.collect()),
            settings: Mutex::new(Settings { faults, slots, rng: fastrand::Rng::with_seed(config.seed) }),
            book: Mutex::default(),
            backlog: Arc::new(Semaphore::new(BACKLOG as usize)),
            turn: AtomicUsize::new(0),
            keep: config.keep_records,
            anchor,
            seals,
            world,
            stop,
            tasks,
        })
    }

    pub(crate) fn set_targets(&self, project: &str, bases: Vec<String>, token: Option<String>) {
        lock(&self.targets).insert(project.to_owned(), Target { bases, token });
    }

    pub(crate) fn configure(&self, faults: WebhookFaults, seed: u64) {
        let mut settings = lock(&self.settings);
        settings.slots = Arc::new(Semaphore::new(faults.concurrency.max(1)));
        settings.rng = fastrand::Rng::with_seed(seed);
        settings.faults = faults;
    }

    /// The URL as ARGOS knows it: the first target's, with the secret path.
    pub(crate) fn shown_url(&self, project: &str) -> Option<String> {
        let targets = lock(&self.targets);
        let target = targets.get(project)?;
        target.bases.first().map(|base| url(base, project, target.token.as_deref()))
    }

    pub(crate) fn sent(&self) -> Sent {
        lock(&self.book).sum()
    }

    pub(crate) fn take_records(&self) -> Vec<SendRecord> {
        std::mem::take(&mut lock(&self.book).records)
    }

    /// Waits until every webhook so far is settled: answered, given up or lost.
    pub(crate) async fn settled(&self) {
        // Taking every place at once means that nobody holds one. The semaphore is never closed.
        let all = self.backlog.acquire_many(BACKLOG).await;
        drop(all);
    }

    /// Sends one body at once: no loss, no delay, no copies, no resend.
    pub(crate) async fn post_now(&self, project: &str, body: &Value) -> Posted {
        lock(&self.book).sent.webhooks += 1;
        let timeout = Duration::from_millis(lock(&self.settings).faults.timeout_ms);
        self.post(&self.parcel(project, body, Instant::now()), timeout).await
    }

    /// As [`Sender::post_now`], but the body as it stands, also for a project that encrypts.
    pub(crate) async fn post_as_it_stands(&self, project: &str, body: String) -> Posted {
        lock(&self.book).sent.webhooks += 1;
        let timeout = Duration::from_millis(lock(&self.settings).faults.timeout_ms);
        let (id, trigger) = ("".into(), "".into());
        let parcel = Parcel { project: project.into(), id, trigger, body: body.into(), due: Instant::now() };
        self.post(&parcel, timeout).await
    }

    fn parcel(&self, project: &str, body: &Value, due: Instant) -> Parcel {
        let text = match self.seals.get(project) {
            Some(seal) => seal.envelope(&body.to_string()).to_string(),
            None => body.to_string(),
        };
        Parcel {
            project: project.into(),
            id: submission_id(body).unwrap_or_default().into(),
            trigger: body["webhook_trigger"].as_str().unwrap_or_default().into(),
            body: text.into(),
            due,
        }
    }

    /// Takes one body for delivery under the present faults; waits while the backlog is full.
    pub(crate) async fn deliver(self: &Arc<Self>, project: &str, body: &Value, due: Instant) {
        let Ok(place) = Arc::clone(&self.backlog).acquire_owned().await else {
            return;
        };
        let place = Arc::new(place);
        lock(&self.book).sent.webhooks += 1;
        let (waits, faults, slots) = self.roll();
        if waits.is_empty() {
            lock(&self.book).sent.lost_on_purpose += 1;
        }
        let parcel = Arc::new(self.parcel(project, body, due));
        for wait in waits {
            let (sender, place, parcel) = (Arc::clone(self), Arc::clone(&place), Arc::clone(&parcel));
            let (faults, slots, stop) = (faults.clone(), Arc::clone(&slots), self.stop.clone());
            self.tasks.spawn(async move {
                let _place = place;
                tokio::select! {
                    () = stop.cancelled() => {}
                    () = sender.carry(&parcel, wait, &faults, &slots) => {}
                }
            });
        }
    }

    /// How long each copy waits; none for a lost webhook.
    fn roll(&self) -> (Vec<Duration>, WebhookFaults, Arc<Semaphore>) {
        let mut settings = lock(&self.settings);
        let Settings { faults, slots, rng } = &mut *settings;
        let mut waits = Vec::new();
        if rng.f64() >= faults.loss_rate {
            let repeated = rng.f64() < faults.repeat_rate;
            let copies = if repeated { rng.u32(2..=faults.max_copies.max(2)) } else { 1 };
            for _ in 0..copies {
                let late = rng.f64() < faults.reorder_rate;
                let wait = rng.u64(..=faults.delay_ms) + if late { rng.u64(..=faults.reorder_ms) } else { 0 };
                waits.push(Duration::from_millis(wait));
            }
        }
        (waits, faults.clone(), Arc::clone(slots))
    }

    async fn carry(&self, parcel: &Parcel, wait: Duration, faults: &WebhookFaults, slots: &Semaphore) {
        const PAUSE_MAX: Duration = Duration::from_secs(30);
        let timeout = Duration::from_millis(faults.timeout_ms);
        let mut wait = wait;
        for attempt in 0..=faults.resend_max {
            if !wait.is_zero() {
                tokio::time::sleep(wait).await;
            }
            let Ok(slot) = slots.acquire().await else {
                return;
            };
            if attempt > 0 {
                lock(&self.book).sent.resends += 1;
            }
            let posted = self.post(parcel, timeout).await;
            drop(slot);
            if !faults.resend || posted.status.is_some_and(|status| (200..300).contains(&status)) {
                return;
            }
            let own = Duration::from_millis(200 << attempt.min(6));
            wait = posted.retry_after_s.map_or(own, Duration::from_secs).min(PAUSE_MAX);
        }
    }

    async fn post(&self, parcel: &Parcel, timeout: Duration) -> Posted {
        let Some(url) = self.next_url(&parcel.project) else {
            lock(&self.book).sent.without_target += 1;
            return Posted { status: None, retry_after_s: None, latency_us: 0 };
        };
        let is_aml = &*parcel.trigger == "aml";
        if is_aml {
            self.world.note_aml(&parcel.project, &parcel.id, false);
        }
        let start = Instant::now();
        let request = self.client.post(url).header(header::CONTENT_TYPE, "application/json");
        let answer = request.timeout(timeout).body(parcel.body.clone()).send().await;
        let end = Instant::now();
        let posted = Posted {
            status: answer.as_ref().ok().map(|answer| answer.status().as_u16()),
            retry_after_s: answer.as_ref().ok().and_then(retry_after),
            latency_us: end.duration_since(start).as_micros() as u64,
        };
        // Reading the short body lets the connection be used again; what it says does not matter.
        let drained = match answer {
            Ok(answer) => answer.bytes().await.is_ok(),
            Err(_) => false,
        };
        tracing::trace!(status = posted.status, drained, "webhook sent");
        if is_aml && posted.status == Some(200) {
            self.world.note_aml(&parcel.project, &parcel.id, true);
        }
        self.record(parcel, start, end, posted);
        posted
    }

    fn record(&self, parcel: &Parcel, start: Instant, end: Instant, posted: Posted) {
        let record = SendRecord {
            project: Arc::clone(&parcel.project),
            id: Arc::clone(&parcel.id),
            trigger: Arc::clone(&parcel.trigger),
            due_us: self.micros(parcel.due),
            sent_us: self.micros(start),
            answered_us: self.micros(end),
            posted,
        };
        lock(&self.book).enter(record, self.keep);
    }

    fn micros(&self, instant: Instant) -> i64 {
        let (anchor, base) = self.anchor;
        match instant.checked_duration_since(anchor) {
            Some(after) => base + after.as_micros() as i64,
            None => base - anchor.duration_since(instant).as_micros() as i64,
        }
    }

    fn next_url(&self, project: &str) -> Option<String> {
        let targets = lock(&self.targets);
        let target = targets.get(project).filter(|target| !target.bases.is_empty())?;
        let turn = self.turn.fetch_add(1, Ordering::Relaxed) % target.bases.len();
        Some(url(&target.bases[turn], project, target.token.as_deref()))
    }
}

fn url(base: &str, project: &str, token: Option<&str>) -> String {
    let base = base.trim_end_matches('/');
    match token {
        Some(token) => format!("{base}/webhooks/{project}/{token}"),
        None => format!("{base}/webhooks/{project}"),
    }
}

fn retry_after(answer: &reqwest::Response) -> Option<u64> {
    answer.headers().get(header::RETRY_AFTER)?.to_str().ok()?.parse().ok()
}

/// Plain HTTP to loopback only. The workspace builds reqwest without a crypto provider, and a client without one
/// cannot be made: so it gets a TLS configuration that trusts nobody and is never used.
pub(crate) fn client() -> std::io::Result<reqwest::Client> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(std::io::Error::other)?
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .build()
        .map_err(std::io::Error::other)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
