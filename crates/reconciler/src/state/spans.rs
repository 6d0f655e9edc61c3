//! What the loop tells of its runs to whoever collects traces.
//!
//! Owns: whose trace a run goes on with, its span, and the spans of its commits. Must not know: where spans go. Where
//! nothing is traced, nothing is gathered, begun or changed here: an event's `traceparent` is then the newest webhook's.
//!
//! Path: [`State::on_hint`] keeps where each hint stands in its trace; `begin` of a run calls [`Work::trace`]; `take_batch`
//! begins a span for each run in the batch, `on_commit` ends them; a run's own span ends with its [`Work`].

use super::partition::{Gathered, Work};
use super::{Staged, State};
use crate::decision::Outcome;
use models::{CommitError, Event, Hint, Key, Span, Step, TraceContext, Traces};

/// Hints of one run whose traces are kept: the first is the parent, the others are links.
const KEPT: usize = 33;

impl State {
    /// Tells of its runs.
    #[must_use]
    pub fn traced(self, traces: Traces) -> State {
        State { traces, ..self }
    }

    /// Where spans go.
    pub fn traces(&self) -> &Traces {
        &self.traces
    }

    /// Where a hint stands in its trace.
    pub(super) fn trace_of(&self, hint: &Hint) -> Vec<TraceContext> {
        let text = hint.traceparent.as_deref().filter(|_| self.traces.are_on());
        text.and_then(|text| text.parse().ok()).into_iter().collect()
    }

    /// A span for each sampled run in a batch: one transaction carries many runs, and each shows it in its own trace.
    pub(super) fn commit_spans(&self, decisions: &[Staged]) -> Vec<Span> {
        let sampled = decisions.iter().filter_map(|staged| staged.run.trace.filter(|trace| trace.is_sampled()));
        let begin = |trace| {
            let mut span = self.traces.begin(Step::Commit, Some(trace), &[]);
            span.set("decisions", decisions.len());
            span
        };
        sampled.map(begin).collect()
    }
}

impl Gathered {
    pub(super) fn merge_traces(&mut self, other: Vec<TraceContext>) {
        let room = KEPT.saturating_sub(self.traces.len());
        self.traces.extend(other.into_iter().take(room));
    }
}

impl Work {
    /// Begins the run's span. It goes on with the trace of the oldest hint that is sampled, else of the oldest, and links
    /// the others; without a hint it begins a trace. Its events carry its context on.
    pub(super) fn trace(&mut self, traces: &Traces, partition: i32, key: &Key) {
        if !traces.are_on() {
            return;
        }
        let (gathered, wake) = (&self.current.traces, &mut self.current.wake);
        let first = gathered.iter().position(|trace| trace.is_sampled()).unwrap_or(0);
        let links: Vec<_> = gathered.iter().skip(first + 1).filter(|trace| trace.is_sampled()).copied().collect();
        let mut span = traces.begin(Step::Reconcile, gathered.get(first).copied(), &links);
        span.set("project", key.project());
        span.set("submission", key.submission());
        span.set("partition", i64::from(partition));
        span.set("cause", wake.cause.as_str());
        span.set("hints", self.current.offsets.len());
        if let Some(hint) = &wake.hint_id {
            span.set("hint_id", hint.as_str());
        }
        wake.traceparent = span.context().map(|context| context.to_string());
        self.span = span;
    }
}

/// What a run came to, once that is durable.
pub(super) fn conclude(span: &mut Span, outcome: Outcome, events: &[Event]) {
    span.set("outcome", outcome.as_str());
    span.set("events", events.len());
    if let Some(last) = events.last() {
        span.set("event_id", last.id.as_str());
        span.set("sequence", i64::try_from(last.sequence).unwrap_or(i64::MAX));
    }
    span.fail_if(matches!(outcome, Outcome::Failed | Outcome::DeadLettered));
}

/// The end of a commit.
pub(super) fn committed(spans: Vec<Span>, word: &'static str, result: &Result<(), CommitError>) {
    for mut span in spans {
        span.set("outcome", word);
        span.fail_if(result.is_err());
    }
}
