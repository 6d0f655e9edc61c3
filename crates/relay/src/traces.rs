//! Traces by OTLP: the seam [`models::Traces`] over OpenTelemetry's SDK.
//!
//! Owns: which spans are sampled, their ids, and the bounded queue of those that ended. Must not know: what the rooms do
//! in a span. The environment variables of the OpenTelemetry standard are not read: the configuration is one file.
//!
//! Path: [`start`] makes the tracer that the rooms get, and the [`Exporter`] that runs as a part of the process; a span
//! that ends goes through `Queue` to it, or is dropped and counted.

mod export;

pub(crate) use export::FLUSH;
pub use export::{Exporter, Headers, TraceMetrics};

use crate::config::{self, Config};
use models::trace::{Recording, Span, Step, TraceContext, TraceValue, Tracer, Traces};
use opentelemetry::trace::{
    Link, Span as _, SpanContext, SpanId, SpanKind, Status, TraceContextExt, TraceFlags, TraceId, TraceState,
    Tracer as _, TracerProvider as _,
};
use opentelemetry::{Context, InstrumentationScope, KeyValue};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{Sampler, SdkTracer, SdkTracerProvider, SpanData, SpanLimits, SpanProcessor};
use prometheus::IntCounter;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

/// More of a span than the rooms set or link.
const LIMITS: SpanLimits = SpanLimits {
    max_events_per_span: 0,
    max_attributes_per_span: 32,
    max_links_per_span: 64,
    max_attributes_per_event: 0,
    max_attributes_per_link: 0,
};

/// What the rooms hold, and what runs beside them; neither where no collector is configured.
pub fn start(config: &Config, metrics: &TraceMetrics) -> anyhow::Result<(Traces, Option<Exporter>)> {
    let Some(endpoint) = &config.traces.otlp_endpoint else { return Ok((Traces::default(), None)) };
    let (queue, spans) = mpsc::channel(config.traces.queue);
    let tracer = Otlp::new(&config.traces, Queue { queue, dropped: metrics.dropped.clone() });
    let exporter = Exporter::new(config, endpoint, spans, metrics.clone())?;
    Ok((Traces::to(Arc::new(tracer)), Some(exporter)))
}

/// The tracer.
struct Otlp {
    tracer: SdkTracer,
}

impl Otlp {
    fn new(config: &config::Traces, queue: impl SpanProcessor + 'static) -> Otlp {
        let provider = SdkTracerProvider::builder()
            .with_sampler(Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(config.sample_ratio))))
            .with_span_limits(LIMITS)
            .with_span_processor(queue)
            .build();
        let scope = InstrumentationScope::builder(env!("CARGO_PKG_NAME")).with_version(env!("CARGO_PKG_VERSION"));
        Otlp { tracer: provider.tracer_with_scope(scope.build()) }
    }
}

impl Tracer for Otlp {
    fn begin(&self, step: Step, parent: Option<TraceContext>, links: &[TraceContext]) -> Span {
        let within = parent.map_or_else(Context::new, |parent| Context::new().with_remote_span_context(theirs(parent)));
        let mut builder = self.tracer.span_builder(step.as_str()).with_kind(kind(step));
        if !links.is_empty() {
            builder = builder.with_links(links.iter().map(|link| Link::new(theirs(*link), Vec::new(), 0)).collect());
        }
        let span = builder.start_with_context(&self.tracer, &within);
        let context = ours(span.span_context());
        let recording = span.is_recording().then(|| Box::new(Recorded(span)) as Box<dyn Recording>);
        Span::new(context, recording)
    }
}

/// A span of the SDK, which ends when it is dropped.
struct Recorded(opentelemetry_sdk::trace::Span);

impl Recording for Recorded {
    fn set(&mut self, name: &'static str, value: TraceValue) {
        self.0.set_attribute(match value {
            TraceValue::Text(text) => KeyValue::new(name, text),
            TraceValue::Number(number) => KeyValue::new(name, number),
        });
    }

    fn fail(&mut self) {
        // The outcome says why, in a word from a fixed set.
        self.0.set_status(Status::error(""));
    }
}

const fn kind(step: Step) -> SpanKind {
    match step {
        Step::Webhook => SpanKind::Server,
        Step::Reconcile => SpanKind::Consumer,
        Step::Fetch | Step::Page => SpanKind::Client,
        Step::Commit => SpanKind::Producer,
    }
}

fn theirs(context: TraceContext) -> SpanContext {
    let (trace, span) = (TraceId::from(context.trace), SpanId::from(context.span));
    SpanContext::new(trace, span, TraceFlags::new(context.flags), true, TraceState::NONE)
}

fn ours(context: &SpanContext) -> TraceContext {
    TraceContext {
        trace: u128::from_be_bytes(context.trace_id().to_bytes()),
        span: u64::from_be_bytes(context.span_id().to_bytes()),
        flags: context.trace_flags().to_u8(),
    }
}

/// Where spans wait for the exporter.
#[derive(Debug)]
struct Queue {
    queue: mpsc::Sender<SpanData>,
    dropped: IntCounter,
}

impl SpanProcessor for Queue {
    fn on_start(&self, _: &mut opentelemetry_sdk::trace::Span, _: &Context) {}

    fn on_end(&self, span: SpanData) {
        if self.queue.try_send(span).is_err() {
            self.dropped.inc();
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
