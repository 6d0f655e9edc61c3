//! The reconciler's metrics, each declared once.

use prometheus::{
    Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
};

/// Seconds, from a fast local answer to a recovered outage.
const SECONDS: [f64; 15] = [
    0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 600.0,
];

/// See the help texts.
#[derive(Clone, Debug)]
#[expect(
    missing_docs,
    reason = "the help texts in `register` say what each one is"
)]
pub struct Metrics {
    pub truth_requests: IntCounterVec,
    pub truth_request_seconds: Histogram,
    pub decisions: IntCounterVec,
    pub events_published: IntCounterVec,
    pub hints: IntCounterVec,
    pub hints_coalesced: IntCounter,
    pub hint_confirm_lag_seconds: Histogram,
    pub hint_unconfirmed: IntCounter,
    pub repaired: IntCounterVec,
    pub commit_seconds: Histogram,
    pub commits: IntCounterVec,
    pub dead_letters: IntCounterVec,
    pub clock_regressed: IntCounter,
    pub ledger_entries: IntGauge,
    pub partitions_running: IntGauge,
    pub looks_in_flight: IntGauge,
    pub breaker_state: IntGaugeVec,
}

impl Metrics {
    /// Declares all of them in `registry`; fails if one is there already.
    pub fn register(registry: &Registry) -> Result<Metrics, prometheus::Error> {
        let counters = |name: &str, help: &str, labels: &[&str]| {
            let vec = IntCounterVec::new(Opts::new(format!("argos_relay_{name}"), help), labels)?;
            registry.register(Box::new(vec.clone()))?;
            Ok::<_, prometheus::Error>(vec)
        };
        let counter = |name: &str, help: &str| {
            let counter = IntCounter::new(format!("argos_relay_{name}"), help)?;
            registry.register(Box::new(counter.clone()))?;
            Ok::<_, prometheus::Error>(counter)
        };
        let gauge = |name: &str, help: &str| {
            let gauge = IntGauge::new(format!("argos_relay_{name}"), help)?;
            registry.register(Box::new(gauge.clone()))?;
            Ok::<_, prometheus::Error>(gauge)
        };
        let seconds = |name: &str, help: &str| {
            let options =
                HistogramOpts::new(format!("argos_relay_{name}"), help).buckets(SECONDS.to_vec());
            let histogram = Histogram::with_opts(options)?;
            registry.register(Box::new(histogram.clone()))?;
            Ok::<_, prometheus::Error>(histogram)
        };
        let breaker = IntGaugeVec::new(
            Opts::new(
                "argos_relay_breaker_state",
                "Circuit breaker towards ARGOS: 0 closed, 1 probing, 2 open.",
            ),
            &["project"],
        )?;
        registry.register(Box::new(breaker.clone()))?;
        Ok(Metrics {
            truth_requests: counters(
                "truth_requests_total",
                "Single GETs to ARGOS by outcome.",
                &["project", "outcome"],
            )?,
            truth_request_seconds: seconds(
                "truth_request_seconds",
                "Time from the start of a single GET to its answer.",
            )?,
            decisions: counters("decisions_total", "Decisions by outcome.", &["outcome"])?,
            events_published: counters(
                "events_published_total",
                "Events committed by type.",
                &["type"],
            )?,
            hints: counters(
                "hints_total",
                "Hints read by lane and source.",
                &["lane", "source"],
            )?,
            hints_coalesced: counter(
                "hints_coalesced_total",
                "Hints that shared a look with another.",
            )?,
            hint_confirm_lag_seconds: seconds(
                "hint_confirm_lag_seconds",
                "Time from taking a webhook in to the commit of what a GET confirmed.",
            )?,
            hint_unconfirmed: counter(
                "hint_unconfirmed_total",
                "Claims that no look of the ladder showed.",
            )?,
            repaired: counters(
                "repaired_total",
                "Events of changes that no webhook told, by what found them.",
                &["cause"],
            )?,
            commit_seconds: seconds("commit_seconds", "Time of one ledger transaction.")?,
            commits: counters(
                "commits_total",
                "Ledger transactions by outcome.",
                &["outcome"],
            )?,
            dead_letters: counters("dead_letters_total", "Dead letters by reason.", &["reason"])?,
            clock_regressed: counter(
                "vendor_clock_regressed_total",
                "Older vendor clocks accepted at the end of the ladder.",
            )?,
            ledger_entries: gauge("ledger_entries", "Submissions in memory.")?,
            partitions_running: gauge(
                "partitions_running",
                "Partitions that were restored and are worked on.",
            )?,
            looks_in_flight: gauge("looks_in_flight", "Single GETs under way.")?,
            breaker_state: breaker,
        })
    }
}
