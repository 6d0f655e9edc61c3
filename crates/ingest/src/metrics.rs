//! What the front door counts.
//!
//! Owns the names, labels and buckets of its metrics, and the promise that every request that found the door ends in
//! exactly one outcome. Must not know who scrapes them.
//!
//! Path: [`Metrics::register`] once at the start; `Metrics::begin` with each request; `Visit::end` with its answer, or
//! the drop of the `Visit` if the caller left before.

use crate::rejection::Rejection;
use prometheus::{Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry};
use std::time::Duration;

/// Stands for every project that is not configured, so that callers cannot make up label values. No project can have
/// this id: it starts with an underscore.
pub const UNKNOWN_PROJECT: &str = "_unknown";

/// A request that is answered 200 because its hint is durable.
pub const ACCEPTED: &str = "accepted";
/// A request that is answered 200 because there is nothing to do.
pub const IGNORED: &str = "ignored";
/// A request whose caller went away before the answer.
pub const ABANDONED: &str = "abandoned";

/// From half a millisecond (a broker next door) to the longest that a caller waits.
const ACK_BUCKETS: [f64; 13] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0];

/// The door's metrics; clones share them.
#[derive(Clone, Debug)]
pub struct Metrics {
    webhooks: IntCounterVec,
    unknown: Outcomes,
    ack_seconds: Histogram,
    unauthenticated: IntGaugeVec,
    repeats: IntCounterVec,
    requests_in_flight: IntGaugeVec,
    bytes_in_flight: IntGaugeVec,
}

impl Metrics {
    /// Makes them known to a registry. Fails if their names are taken there.
    pub fn register(registry: &Registry) -> prometheus::Result<Metrics> {
        let webhooks = IntCounterVec::new(
            Opts::new("argos_relay_webhooks_total", "Webhook requests by project and outcome."),
            &["project", "outcome"],
        )?;
        let ack_seconds = Histogram::with_opts(
            HistogramOpts::new(
                "argos_relay_webhook_ack_seconds",
                "Seconds from the request's head to its answer, for accepted webhooks.",
            )
            .buckets(ACK_BUCKETS.to_vec()),
        )?;
        let unauthenticated = IntGaugeVec::new(
            Opts::new(
                "argos_relay_webhook_unauthenticated",
                "1 for each project whose webhooks are taken from anyone (unauthenticated = true).",
            ),
            &["project"],
        )?;
        let repeats = IntCounterVec::new(
            Opts::new(
                "argos_relay_webhook_repeats_total",
                "Accepted webhooks whose signature had led to a hint before: sent twice, or replayed.",
            ),
            &["project"],
        )?;
        let requests_in_flight = IntGaugeVec::new(
            Opts::new("argos_relay_webhooks_in_flight", "Webhook requests between admission and answer."),
            &["project"],
        )?;
        let bytes_in_flight = IntGaugeVec::new(
            Opts::new("argos_relay_webhook_bytes_in_flight", "Bytes of bodies set aside for webhooks in flight."),
            &["project"],
        )?;
        registry.register(Box::new(webhooks.clone()))?;
        registry.register(Box::new(repeats.clone()))?;
        registry.register(Box::new(ack_seconds.clone()))?;
        registry.register(Box::new(unauthenticated.clone()))?;
        registry.register(Box::new(requests_in_flight.clone()))?;
        registry.register(Box::new(bytes_in_flight.clone()))?;
        let unknown = Outcomes::of(&webhooks, UNKNOWN_PROJECT, &[Rejection::NotFound.outcome(), ABANDONED]);
        Ok(Metrics { webhooks, unknown, ack_seconds, unauthenticated, repeats, requests_in_flight, bytes_in_flight })
    }

    /// Makes a project's series exist from the start, so that the first refusal shows as an increase.
    /// Gives what its requests are counted by.
    pub fn declare(&self, project: &str, unauthenticated: bool) -> Outcomes {
        self.unauthenticated.with_label_values(&[project]).set(i64::from(unauthenticated));
        self.repeats.with_label_values(&[project]).inc_by(0);
        self.in_flight(project).iter().for_each(|gauge| gauge.set(0));
        let rejections = Rejection::ALL.iter().map(|rejection| rejection.outcome());
        let outcomes: Vec<_> = [ACCEPTED, IGNORED, ABANDONED].into_iter().chain(rejections).collect();
        Outcomes::of(&self.webhooks, project, &outcomes)
    }

    /// What a project has under way: requests and bytes.
    pub(crate) fn in_flight(&self, project: &str) -> [IntGauge; 2] {
        [&self.requests_in_flight, &self.bytes_in_flight].map(|gauges| gauges.with_label_values(&[project]))
    }

    /// Counts an accepted webhook whose signature had led to a hint before.
    pub(crate) fn repeated(&self, project: &str) {
        self.repeats.with_label_values(&[project]).inc();
    }

    /// Starts the count of one request.
    pub(crate) fn begin(&self) -> Visit<'_> {
        Visit { outcomes: &self.unknown, outcome: ABANDONED }
    }

    /// Notes how long an accepted webhook took.
    pub(crate) fn acknowledged(&self, took: Duration) {
        self.ack_seconds.observe(took.as_secs_f64());
    }
}

/// The counters of one project, one for each outcome: found by their labels once, not with each request.
#[derive(Clone, Debug)]
pub struct Outcomes(Vec<(&'static str, IntCounter)>);

impl Outcomes {
    fn of(webhooks: &IntCounterVec, project: &str, outcomes: &[&'static str]) -> Outcomes {
        let counter = |outcome: &&'static str| (*outcome, webhooks.with_label_values(&[project, *outcome]));
        Outcomes(outcomes.iter().map(counter).collect())
    }

    fn count(&self, outcome: &'static str) {
        let counter = self.0.iter().find(|(word, _)| *word == outcome);
        debug_assert!(counter.is_some(), "{outcome} is not declared");
        counter.inspect(|(_, counter)| counter.inc());
    }
}

/// One request, counted when it is dropped: under the outcome it ended with, else as [`ABANDONED`].
pub(crate) struct Visit<'a> {
    outcomes: &'a Outcomes,
    outcome: &'static str,
}

impl<'a> Visit<'a> {
    /// Sets the project.
    pub(crate) fn at(&mut self, outcomes: &'a Outcomes) {
        self.outcomes = outcomes;
    }

    /// Counts the request.
    pub(crate) fn end(mut self, outcome: &'static str) {
        self.outcome = outcome;
    }
}

impl Drop for Visit<'_> {
    fn drop(&mut self) {
        self.outcomes.count(self.outcome);
    }
}
