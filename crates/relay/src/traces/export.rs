//! From the queue of spans to the collector: OTLP over HTTP, protobuf.
//!
//! Owns: batches, their way to the collector, what is counted and logged of it. Must not know: how spans come about.
//!
//! Path: [`Exporter::run`] gathers spans for [`LINGER`] or up to [`BATCH`], and posts them. While the collector is away the
//! same batch is tried again, and the queue fills up: memory is bounded, the service never waits. At the stop what waits is
//! posted once, within [`FLUSH`].

use crate::config::{Config, trace_headers};
use crate::telemetry::chain;
use crate::wiring::USER_AGENT;
use anyhow::Context;
use axum::http::HeaderMap;
use bytes::Bytes;
use opentelemetry::KeyValue;
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use opentelemetry_proto::transform::common::tonic::ResourceAttributesWithSchema;
use opentelemetry_proto::transform::trace::tonic::group_spans_by_resource_and_scope;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SpanData;
use prometheus::{IntCounter, IntCounterVec, Opts, Registry};
use prost::Message;
use secrecy::SecretString;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use url::Url;

/// Spans in one request.
const BATCH: usize = 512;
/// How long spans are gathered.
const LINGER: Duration = Duration::from_secs(1);
/// Between two tries of the same batch.
const AGAIN: Duration = Duration::from_secs(1);
/// How long the end of the process waits for the collector.
pub(crate) const FLUSH: Duration = Duration::from_secs(2);
/// The most of an answer that is read.
const ANSWER: usize = 64 * 1024;

/// What is told of spans; clones share it.
#[derive(Clone, Debug)]
pub struct TraceMetrics {
    exported: IntCounter,
    pub(crate) dropped: IntCounter,
    refused: IntCounter,
}

impl TraceMetrics {
    /// Makes them known to a registry. Fails if their names are taken there.
    pub fn register(registry: &Registry) -> prometheus::Result<TraceMetrics> {
        let spans = IntCounterVec::new(
            Opts::new(
                "argos_relay_trace_spans_total",
                "Spans that ended, by what became of them: exported, refused by the collector, or dropped while it was away.",
            ),
            &["outcome"],
        )?;
        registry.register(Box::new(spans.clone()))?;
        let of = |outcome| spans.with_label_values(&[outcome]);
        Ok(TraceMetrics { exported: of("exported"), dropped: of("dropped"), refused: of("refused") })
    }
}

/// The headers for the collector, which may change while the service runs.
#[derive(Clone, Default)]
pub struct Headers(Arc<RwLock<HeaderMap>>);

impl Headers {
    /// Takes other ones.
    pub fn replace(&self, lines: &[SecretString]) -> Result<(), String> {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = trace_headers(lines)?;
        Ok(())
    }

    fn get(&self) -> HeaderMap {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Takes spans to the collector.
pub struct Exporter {
    spans: mpsc::Receiver<SpanData>,
    http: reqwest::Client,
    url: Url,
    headers: Headers,
    resource: ResourceAttributesWithSchema,
    timeout: Duration,
    metrics: TraceMetrics,
    /// The collector took the last batch.
    well: bool,
}

/// Some spans as they go over the wire.
struct Batch {
    body: Bytes,
    spans: u64,
}

/// Why a batch was not taken.
enum Failed {
    /// It may be, later.
    Away(String),
    /// Not this one, ever.
    Refused(String),
}

impl Exporter {
    pub(super) fn new(
        config: &Config,
        endpoint: &Url,
        spans: mpsc::Receiver<SpanData>,
        metrics: TraceMetrics,
    ) -> anyhow::Result<Exporter> {
        let tls = argos::client::tls(endpoint.scheme() == "https").context("traces.otlp_endpoint: TLS")?;
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .user_agent(USER_AGENT)
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .no_proxy()
            .build()
            .context("traces.otlp_endpoint: the HTTP client")?;
        let mut url = endpoint.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(["v1", "traces"]);
        }
        let headers = Headers::default();
        if let Some(given) = &config.traces.headers {
            headers.replace(given.wrapped()).map_err(anyhow::Error::msg).context("traces.headers")?;
        }
        let resource = Resource::builder_empty()
            .with_service_name(env!("CARGO_PKG_NAME"))
            .with_attributes([
                KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
                KeyValue::new("service.instance.id", config.kafka.instance_id.clone()),
            ])
            .build();
        let resource = ResourceAttributesWithSchema::from(&resource);
        Ok(Exporter { spans, http, url, headers, resource, timeout: config.traces.timeout, metrics, well: true })
    }

    /// The headers that go with each batch.
    pub fn headers(&self) -> Headers {
        self.headers.clone()
    }

    /// Exports until told to stop, then what is left. What no collector takes is counted, and is no failure.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut gathered = Vec::with_capacity(BATCH);
        let mut waits = None;
        stop.run_until_cancelled(async {
            loop {
                gather(&mut self.spans, &mut gathered).await;
                let batch = waits.insert(encode(&self.resource, std::mem::take(&mut gathered)));
                while let Err(Failed::Away(_)) = self.deliver(batch).await {
                    tokio::time::sleep(AGAIN).await;
                }
                waits = None;
            }
        })
        .await;
        self.flush(gathered, waits).await;
    }

    /// One try for everything that is left.
    async fn flush(&mut self, mut gathered: Vec<SpanData>, waits: Option<Batch>) {
        self.spans.close();
        while let Ok(span) = self.spans.try_recv() {
            gathered.push(span);
        }
        let mut left: Vec<Batch> = waits.into_iter().collect();
        while !gathered.is_empty() {
            let rest = gathered.split_off(gathered.len().min(BATCH));
            left.push(encode(&self.resource, std::mem::replace(&mut gathered, rest)));
        }
        let mut left = left.into_iter().peekable();
        let all = async {
            while let Some(batch) = left.peek() {
                if let Err(Failed::Away(_)) = self.deliver(batch).await {
                    break;
                }
                left.next();
            }
        };
        // Late or away: what is left is lost.
        let _late = tokio::time::timeout(FLUSH, all).await;
        self.metrics.dropped.inc_by(left.map(|batch| batch.spans).sum());
    }

    /// Posts a batch; counts and logs what came of it.
    async fn deliver(&mut self, batch: &Batch) -> Result<(), Failed> {
        let result = match tokio::time::timeout(self.timeout, self.post(batch)).await {
            Ok(result) => result,
            Err(_) => Err(Failed::Away("timed out".to_owned())),
        };
        match &result {
            Ok(refused) => {
                let refused = (*refused).min(batch.spans);
                self.metrics.exported.inc_by(batch.spans - refused);
                self.metrics.refused.inc_by(refused);
                if !std::mem::replace(&mut self.well, true) {
                    tracing::info!("the collector takes traces again");
                }
            }
            Err(failed) => {
                let error = match failed {
                    Failed::Away(why) => why,
                    Failed::Refused(why) => {
                        self.metrics.refused.inc_by(batch.spans);
                        why
                    }
                };
                if std::mem::replace(&mut self.well, false) {
                    tracing::warn!(error, "the collector does not take traces; the service goes on");
                }
            }
        }
        result.map(drop)
    }

    /// How many spans of it the collector refused.
    async fn post(&self, batch: &Batch) -> Result<u64, Failed> {
        let away = |error: reqwest::Error| Failed::Away(chain(&error.without_url()).to_string());
        let request = self.http.post(self.url.clone()).headers(self.headers.get());
        let request = request.header("content-type", "application/x-protobuf").body(batch.body.clone());
        let mut answer = request.send().await.map_err(away)?;
        let status = answer.status();
        if matches!(status.as_u16(), 408 | 429 | 502..=504) {
            return Err(Failed::Away(format!("it answers {}", status.as_u16())));
        }
        if !status.is_success() {
            return Err(Failed::Refused(format!("it answers {}", status.as_u16())));
        }
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(away)? {
            body.extend_from_slice(&chunk);
            if body.len() > ANSWER {
                return Ok(0); // no such answer is known; the batch was taken
            }
        }
        // What cannot be read says nothing of a refusal.
        let partial = ExportTraceServiceResponse::decode(&*body).ok().and_then(|answer| answer.partial_success);
        Ok(partial.map_or(0, |partial| u64::try_from(partial.rejected_spans).unwrap_or(0)))
    }
}

/// Waits for a span and gathers what comes with it. Cancel-safe: what was taken is in `into`.
async fn gather(spans: &mut mpsc::Receiver<SpanData>, into: &mut Vec<SpanData>) {
    if spans.recv_many(into, BATCH).await == 0 {
        return std::future::pending().await; // every room is gone; the stop comes next
    }
    let more = async {
        while into.len() < BATCH {
            let room = BATCH - into.len();
            if spans.recv_many(into, room).await == 0 {
                return;
            }
        }
    };
    // The time being up is one of the two good ends.
    let _full = tokio::time::timeout(LINGER, more).await;
}

fn encode(resource: &ResourceAttributesWithSchema, spans: Vec<SpanData>) -> Batch {
    let count = spans.len() as u64;
    let resource_spans = group_spans_by_resource_and_scope(spans, resource);
    Batch { body: ExportTraceServiceRequest { resource_spans }.encode_to_vec().into(), spans: count }
}
