//! One webhook, from the request's head to its answer.
//!
//! Owns the order of the steps and the bounds on one request, body size and body time; those on all together are
//! [`crate::admission`]'s, that on an acknowledgement is the sink's. Must not know sockets, Kafka, or what a hint leads to.
//!
//! Path: `Door::receive`: project, authentication, method, size, encoding, a sink that can accept at all, a free place,
//! body, signature over it, opening and decoding, hint, sink. The cheap and secret steps come first: who may not knock
//! learns nothing but that, and costs no reading; what is not signed as it must be is not decoded.

use crate::admission::{Bounds, Crowd, Place};
use crate::authenticate::{Admission, Caller, ProjectDoor};
use crate::client_address::TrustedProxies;
use crate::debts::Debts;
use crate::metrics::{ACCEPTED, IGNORED, Metrics, Outcomes};
use crate::rejection::Rejection;
use crate::replay::Recent;
use crate::trace_context::traceparent;
use argos::{Described, Webhook};
use axum::body::Body;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, Request, header};
use axum::response::{IntoResponse, Response};
use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use models::{
    Authentication, Hint, HintSink, Key, Lane, Notice, Notices, ProjectId, Source, Span, Step, Time, TraceContext,
    Traces,
};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::{Instant, timeout};

/// Reads the shell's clock.
pub type Clock = Arc<dyn Fn() -> Time + Send + Sync>;

/// What one request, and all together, may cost.
#[derive(Clone, Copy, Debug)]
pub struct DoorLimits {
    /// The largest body, in bytes.
    pub body_bytes: usize,
    /// How long a body may take to come.
    pub body_timeout: Duration,
    /// Requests and bytes under way at once.
    pub bounds: Bounds,
}

impl Default for DoorLimits {
    fn default() -> DoorLimits {
        DoorLimits { body_bytes: 1024 * 1024, body_timeout: Duration::from_secs(10), bounds: Bounds::default() }
    }
}

/// The peer of the connection that a request came on; set by [`crate::server`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer(pub(crate) IpAddr);

/// How a request ended well.
enum Answer {
    Accepted { hint_id: String },
    Ignored,
}

/// What there is of each project.
struct Room {
    door: ProjectDoor,
    /// Its number in the crowd.
    number: usize,
    outcomes: Outcomes,
    /// Signatures that led to a hint.
    recent: Mutex<Recent>,
}

/// A caller whose address and path are right, and what its head said.
struct Visitor<'a> {
    room: &'a Room,
    admission: Admission<'a>,
    received_at: Time,
    span: Span,
    trace: Option<TraceContext>,
    /// What its head is refused for, or the length of the body, if it was announced.
    head: Result<Option<u64>, Rejection>,
}

/// What a body told.
struct Taken {
    key: Key,
    hint: Hint,
    signature: Option<[u8; 32]>,
}

impl Visitor<'_> {
    /// Reads a body; `None` = it tells of no submission.
    fn tell(&mut self, body: &[u8]) -> Result<Option<Taken>, Rejection> {
        let door = &self.room.door;
        let passed = self.admission.verify(body)?;
        let (webhook, authentication) = door.read(body, passed.methods)?;
        let described = match webhook {
            Webhook::Submission(described) => described,
            Webhook::Ignored { .. } => return Ok(None),
        };
        let key = Key::new(door.id(), &described.submission);
        let hint = hint(door, described, body, self.received_at, authentication, self.trace);
        self.span.set("submission", key.submission());
        self.span.set("hint_id", hint.id.as_str());
        Ok(Some(Taken { key, hint, signature: passed.signature }))
    }
}

/// Everything behind the public routes.
pub struct Door<S> {
    projects: HashMap<String, Room>,
    crowd: Crowd,
    proxies: TrustedProxies,
    sink: Arc<S>,
    clock: Clock,
    limits: DoorLimits,
    metrics: Metrics,
    draining: AtomicBool,
    debts: Debts,
    traces: Traces,
}

impl<S: HintSink> Door<S> {
    /// Puts it together, and warns of projects that anyone may knock at. Of two doors with one id the later counts.
    pub fn new(
        projects: impl IntoIterator<Item = ProjectDoor>,
        proxies: TrustedProxies,
        sink: Arc<S>,
        clock: Clock,
        limits: DoorLimits,
        metrics: Metrics,
    ) -> Door<S> {
        let mut gauges = Vec::new();
        let room = |(number, door): (usize, ProjectDoor)| {
            gauges.push(metrics.in_flight(door.id().as_str()));
            let outcomes = metrics.declare(door.id().as_str(), door.is_unauthenticated());
            (door.id().as_str().to_owned(), Room { door, number, outcomes, recent: Mutex::default() })
        };
        let projects: HashMap<_, _> = projects.into_iter().enumerate().map(room).collect();
        let crowd = Crowd::new(limits.bounds, gauges);
        for (id, room) in &projects {
            if room.door.is_unauthenticated() {
                tracing::warn!(project = %id, "webhooks of this project are taken from anyone");
            }
        }
        Door {
            projects,
            crowd,
            proxies,
            sink,
            clock,
            limits,
            metrics,
            draining: AtomicBool::new(false),
            debts: Debts::default(),
            traces: Traces::default(),
        }
    }

    /// Tells of its webhooks.
    #[must_use]
    pub fn traced(self, traces: Traces) -> Door<S> {
        Door { traces, ..self }
    }

    /// From now on new requests are answered 503; those that were begun are finished.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Release);
    }

    /// Asks for the sweeps that webhooks turned away are owed; ends only when dropped.
    pub(crate) async fn pay_debts(&self) {
        self.debts.pay(&*self.sink, || (self.clock)()).await;
    }

    /// Whether a webhook that came now could be accepted, as far as is known.
    pub fn is_available(&self) -> bool {
        !self.is_draining() && self.sink.is_available()
    }

    fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Acquire)
    }

    /// Answers one request to `/webhooks/{project}[/{token}]`. The head is dealt with at once, and gone before the first
    /// wait, as thousands of requests may wait.
    pub(crate) fn receive(
        &self,
        project: &str,
        token: Option<&str>,
        request: Request<Body>,
    ) -> impl Future<Output = Response> + Send + use<'_, S> {
        let started = Instant::now();
        let mut visit = self.metrics.begin();
        let (head, body) = request.into_parts();
        let room = self.projects.get(project);
        let visitor = match room {
            Some(room) => {
                visit.at(&room.outcomes);
                self.admit(room, token, &head)
            }
            None => Err(Rejection::NotFound),
        };
        async move {
            let result = match visitor {
                Ok(visitor) => self.take_in(visitor, body).await,
                Err(rejection) => Err(rejection),
            };
            visit.end(outcome(&result));
            self.answer(result, room.map(|room| room.door.id()), started)
        }
    }

    /// Tells the caller, and the log.
    fn answer(&self, result: Result<Answer, Rejection>, project: Option<&ProjectId>, started: Instant) -> Response {
        let project = project.map(ProjectId::as_str);
        match result {
            Ok(Answer::Accepted { hint_id }) => {
                self.metrics.acknowledged(started.elapsed());
                tracing::debug!(project, hint_id, "webhook accepted");
                // The id is made of hexadecimal digits.
                json(format!(r#"{{"accepted":true,"hint_id":"{hint_id}"}}"#))
            }
            Ok(Answer::Ignored) => {
                tracing::debug!(project, "webhook without a submission ignored");
                json(r#"{"accepted":false,"ignored":true}"#)
            }
            Err(rejection) => {
                // Counted, not warned of: a stranger must not be able to fill the log.
                tracing::debug!(project, outcome = rejection.outcome(), "webhook refused");
                rejection.into_response()
            }
        }
    }

    /// A request that no route takes.
    pub(crate) fn lost(&self) -> Response {
        self.metrics.begin().end(Rejection::NotFound.outcome());
        Rejection::NotFound.into_response()
    }

    /// All that follows once the caller's address and path are known to be right.
    async fn take_in(&self, mut visitor: Visitor<'_>, body: Body) -> Result<Answer, Rejection> {
        let result = self.accept(&mut visitor, body).await;
        let is_lost = result.as_ref().is_err_and(Rejection::loses_a_webhook);
        visitor.span.set("outcome", outcome(&result));
        visitor.span.fail_if(is_lost);
        if is_lost {
            self.debts.owe(visitor.room.door.id());
        }
        result
    }

    /// Whether the caller's address and path are right, and the rest of the head.
    fn admit<'a>(&self, room: &'a Room, token: Option<&str>, head: &Parts) -> Result<Visitor<'a>, Rejection> {
        let door = &room.door;
        let peer = head.extensions.get::<Peer>();
        let address = peer.and_then(|peer| self.proxies.client(peer.0, &head.headers));
        let received_at = (self.clock)();
        let admission = door.authenticate(Caller { token, address, headers: &head.headers, now: received_at })?;
        // Only from here on: a stranger must be able neither to fill the queue of spans nor to have any sampled.
        let caller = traceparent(&head.headers);
        let mut span = self.traces.begin(Step::Webhook, caller, &[]);
        span.set("project", door.id().as_str());
        let trace = span.context().or(caller);
        let head = self.check_head(head);
        Ok(Visitor { room, admission, received_at, span, trace, head })
    }

    /// All that costs something; a head that is refused is refused here, where its span is known.
    async fn accept(&self, visitor: &mut Visitor<'_>, body: Body) -> Result<Answer, Rejection> {
        let announced = visitor.head?;
        if self.is_draining() {
            return Err(Rejection::Draining);
        }
        if !self.sink.is_available() {
            return Err(Rejection::Unavailable);
        }

        // Held until the answer: what the sink keeps of it is as large.
        let mut place = self.crowd.enter(visitor.room.number).ok_or(Rejection::Busy)?;
        let told = {
            let bytes = self.read(body, announced, &mut place).await?;
            visitor.tell(&bytes)?
        };
        let Some(taken) = told else { return Ok(Answer::Ignored) };
        // What the sink still holds when its time is up may yet arrive; a repeated hint is harmless.
        self.sink.accept(&taken.key, Lane::Live, &taken.hint).await?;
        if let Some(signature) = &taken.signature {
            self.note(visitor.room, signature);
        }
        Ok(Answer::Accepted { hint_id: taken.hint.id })
    }

    /// What can be refused before the body is read; its length, if it was announced.
    fn check_head(&self, head: &Parts) -> Result<Option<u64>, Rejection> {
        if head.method != Method::POST {
            return Err(Rejection::Method);
        }
        let announced = announced_length(&head.headers);
        if announced.is_some_and(|length| length > self.limits.body_bytes as u64) {
            return Err(Rejection::TooLarge);
        }
        if is_encoded(&head.headers) {
            return Err(Rejection::ContentEncoding);
        }
        Ok(announced)
    }

    /// Counts a signature that led to a hint before. One whose webhook was refused meanwhile is no repeat.
    fn note(&self, room: &Room, signature: &[u8; 32]) {
        let mut recent = room.recent.lock().unwrap_or_else(PoisonError::into_inner);
        if recent.knows(signature) {
            self.metrics.repeated(room.door.id().as_str());
        }
        recent.remember(signature);
    }

    /// Reads the body within its bounds, whether its length was announced or not. Room for it is taken before any of it
    /// is kept: all at once if the length is known, else with each piece.
    async fn read(&self, body: Body, announced: Option<u64>, place: &mut Place) -> Result<Bytes, Rejection> {
        let limit = self.limits.body_bytes;
        if !place.hold(announced.map_or(0, |length| length as usize)) {
            return Err(Rejection::Busy);
        }
        let all = async {
            let mut stream = body.into_data_stream();
            // Mostly there is one piece: it is taken as it lies in the connection's buffer.
            let (mut first, mut joined) = (Bytes::new(), BytesMut::new());
            while let Some(chunk) = stream.next().await {
                let chunk = chunk.map_err(|_| Rejection::BodyBroken)?;
                let so_far = first.len().max(joined.len());
                if chunk.len() > limit - so_far {
                    return Err(Rejection::TooLarge);
                }
                if !place.hold(so_far + chunk.len()) {
                    return Err(Rejection::Busy);
                }
                if so_far == 0 {
                    first = chunk;
                    continue;
                }
                if joined.is_empty() {
                    joined.extend_from_slice(&first);
                }
                joined.extend_from_slice(&chunk);
            }
            Ok(if joined.is_empty() { first } else { joined.freeze() })
        };
        timeout(self.limits.body_timeout, all).await.map_err(|_| Rejection::BodyTimeout)?
    }
}

fn json(text: impl Into<Body>) -> Response {
    let mut response = Response::new(text.into());
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// The word for how a request ended.
fn outcome(result: &Result<Answer, Rejection>) -> &'static str {
    match result {
        Ok(Answer::Accepted { .. }) => ACCEPTED,
        Ok(Answer::Ignored) => IGNORED,
        Err(rejection) => rejection.outcome(),
    }
}

fn announced_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn is_encoded(headers: &HeaderMap) -> bool {
    headers.get_all(header::CONTENT_ENCODING).iter().any(|value| {
        let value = value.as_bytes().trim_ascii();
        !value.is_empty() && !value.eq_ignore_ascii_case(b"identity")
    })
}

fn hint(
    door: &ProjectDoor,
    described: Described,
    body: &[u8],
    received_at: Time,
    authentication: Authentication,
    trace: Option<TraceContext>,
) -> Hint {
    let notice = |given: bool| given.then_some(Notice { at: received_at, authentication });
    let body_digest = hexadecimal(&Sha256::digest(body));
    Hint {
        id: hint_id(door.id().as_str(), received_at, &body_digest),
        source: Source::Webhook,
        received_at,
        authentication,
        notices: Notices { aml: notice(described.aml_notice), monitoring: notice(described.monitoring_notice) },
        claim: described.claim,
        body_digest,
        row: None,
        erase: false,
        traceparent: trace.map(|trace| trace.to_string()),
    }
}

fn hexadecimal(digest: &[u8]) -> String {
    let mut text = vec![b'0'; 2 * digest.len()];
    // It has the length that is asked for, and holds digits.
    let _infallible = hex::encode_to_slice(digest, &mut text);
    String::from_utf8(text).unwrap_or_default()
}

/// The first 32 hex characters of SHA-256 over project, receive time (milliseconds) and body digest, each ended by a
/// zero byte.
fn hint_id(project: &str, received_at: Time, body_digest: &str) -> String {
    let mut hash = Sha256::new();
    for part in [project, &received_at.as_millis().to_string(), body_digest] {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    hexadecimal(&hash.finalize()[..16])
}
