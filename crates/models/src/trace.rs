//! The seam to whoever collects traces, and the W3C trace context by which a trace goes on in another process.
//!
//! Owns: [`TraceContext`] and its text, the [`Step`]s of the service that have a span, and the traits behind [`Traces`].
//! Must not know: OpenTelemetry, a clock, how spans are sampled or where they go. `tracing` alone will not do: a room has
//! to read its span's context, which travels in a record's header, and `tracing` has no way back from a span to it.
//!
//! Path: a room asks [`Traces::begin`] for a [`Span`], sets what is worth knowing, and drops it, which ends it. Where
//! nothing is traced a span is two empty options.

use crate::facts::words;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// W3C trace context, version 00: which trace, which span of it, and whether it is recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TraceContext {
    /// Not zero.
    pub trace: u128,
    /// Not zero.
    pub span: u64,
    /// The flags as they came; the lowest bit is "sampled".
    pub flags: u8,
}

impl TraceContext {
    /// Whether its spans are recorded.
    pub const fn is_sampled(self) -> bool {
        self.flags & 1 == 1
    }
}

/// Why a text is no trace context.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a traceparent of version 00")]
pub struct InvalidTraceContext;

impl FromStr for TraceContext {
    type Err = InvalidTraceContext;

    /// `00-<32 hex>-<16 hex>-<2 hex>`, lower case, neither id all zeros.
    fn from_str(text: &str) -> Result<TraceContext, InvalidTraceContext> {
        let parts: Vec<&str> = text.split('-').collect();
        let ["00", trace, span, flags] = parts[..] else { return Err(InvalidTraceContext) };
        let read = |text: &str, length: usize| {
            let fits = text.len() == length && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
            fits.then(|| u128::from_str_radix(text, 16).ok()).flatten().ok_or(InvalidTraceContext)
        };
        let (trace, span, flags) = (read(trace, 32)?, read(span, 16)? as u64, read(flags, 2)? as u8);
        if trace == 0 || span == 0 { Err(InvalidTraceContext) } else { Ok(TraceContext { trace, span, flags }) }
    }
}

impl fmt::Display for TraceContext {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "00-{:032x}-{:016x}-{:02x}", self.trace, self.span, self.flags)
    }
}

words! {
    /// What has a span.
    Step {
        /// A webhook of a caller that may come in, until its answer.
        Webhook = "webhook",
        /// The work on one key, until its decision is durable or void.
        Reconcile = "reconcile",
        /// One look at ARGOS.
        Fetch = "fetch",
        /// One attempt to make a decision durable, together with others.
        Commit = "commit",
        /// One page of a list walk.
        Page = "page",
    }
}

/// An attribute's value: ids, words from a fixed set, and numbers; never anything of a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TraceValue {
    /// An id or a word.
    Text(String),
    /// A number.
    Number(i64),
}

impl From<&str> for TraceValue {
    fn from(text: &str) -> TraceValue {
        TraceValue::Text(text.to_owned())
    }
}

impl From<i64> for TraceValue {
    fn from(number: i64) -> TraceValue {
        TraceValue::Number(number)
    }
}

impl From<usize> for TraceValue {
    fn from(number: usize) -> TraceValue {
        TraceValue::Number(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

/// A span that is recorded; its drop ends it.
pub trait Recording: Send + Sync {
    /// Notes an attribute, once for each name.
    fn set(&mut self, name: &'static str, value: TraceValue);

    /// Marks what the span stands for as failed.
    fn fail(&mut self);
}

/// One step under way. Dropped, it ends.
#[derive(Default)]
pub struct Span {
    context: Option<TraceContext>,
    recording: Option<Box<dyn Recording>>,
}

impl Span {
    /// A span with its place in a trace; without `recording`, one that is not sampled.
    pub fn new(context: TraceContext, recording: Option<Box<dyn Recording>>) -> Span {
        Span { context: Some(context), recording }
    }

    /// Its place in a trace; `None` where nothing is traced.
    pub const fn context(&self) -> Option<TraceContext> {
        self.context
    }

    /// Notes an attribute, once for each name.
    pub fn set(&mut self, name: &'static str, value: impl Into<TraceValue>) {
        if let Some(recording) = &mut self.recording {
            recording.set(name, value.into());
        }
    }

    /// Marks what the span stands for as failed.
    pub fn fail_if(&mut self, failed: bool) {
        if let Some(recording) = self.recording.as_mut().filter(|_| failed) {
            recording.fail();
        }
    }
}

impl fmt::Debug for Span {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_tuple("Span").field(&self.context).finish()
    }
}

/// Whoever collects spans.
pub trait Tracer: Send + Sync {
    /// A new span: a child of `parent`, or the first of a trace of its own. Whether it is sampled is the parent's, else
    /// the tracer's choice.
    fn begin(&self, step: Step, parent: Option<TraceContext>, links: &[TraceContext]) -> Span;
}

/// What a room holds; off by default.
#[derive(Clone, Default)]
pub struct Traces(Option<Arc<dyn Tracer>>);

impl Traces {
    /// Spans go to this tracer.
    pub fn to(tracer: Arc<dyn Tracer>) -> Traces {
        Traces(Some(tracer))
    }

    /// Whether anything is traced.
    pub const fn are_on(&self) -> bool {
        self.0.is_some()
    }

    /// As [`Tracer::begin`]; nothing where nothing is traced.
    pub fn begin(&self, step: Step, parent: Option<TraceContext>, links: &[TraceContext]) -> Span {
        self.0.as_ref().map_or_else(Span::default, |tracer| tracer.begin(step, parent, links))
    }
}

impl fmt::Debug for Traces {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Traces({})", if self.are_on() { "on" } else { "off" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_a_well_formed_text_is_a_trace_context() {
        let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let read: TraceContext = good.parse().unwrap();
        assert_eq!((read.to_string().as_str(), read.is_sampled()), (good, true));
        for bad in [
            "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-+bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "",
        ] {
            assert_eq!(bad.parse::<TraceContext>(), Err(InvalidTraceContext), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(trace in 1..=u128::MAX, span in 1..=u64::MAX, flags in any::<u8>()) {
            let context = TraceContext { trace, span, flags };
            prop_assert_eq!(context.to_string().parse::<TraceContext>(), Ok(context));
        }
    }

    #[test]
    fn what_is_not_traced_is_nothing() {
        let mut span = Traces::default().begin(Step::Webhook, None, &[]);
        span.set("project", "acme");
        span.fail_if(true);
        assert_eq!(span.context(), None);
    }
}
