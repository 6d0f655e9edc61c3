//! The reconciler's metrics, each declared once.

use prometheus::{
    GaugeVec, Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
};

/// Seconds, from a fast local answer to a recovered outage.
const SECONDS: [f64; 15] = [0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 600.0];

/// See the help texts.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the help texts in `register` say what each one is")]
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
    pub deletions_held: IntCounterVec,
    pub ledger_entries: IntGauge,
    pub partitions_running: IntGauge,
    pub looks_in_flight: IntGauge,
    pub breaker_state: IntGaugeVec,
    pub list_requests: IntCounterVec,
    pub sweep_rows: IntCounterVec,
    pub sweep_age_seconds: GaugeVec,
    pub budget_remaining: GaugeVec,
    pub budget_rate: GaugeVec,
    pub waiting: GaugeVec,
    pub recheck_due: IntGauge,
}

/// Declares metrics in one registry, all under one prefix.
struct Declare<'a>(&'a Registry);

impl Declare<'_> {
    fn counters(&self, name: &str, help: &str, labels: &[&str]) -> Result<IntCounterVec, prometheus::Error> {
        let vec = IntCounterVec::new(Opts::new(format!("argos_relay_{name}"), help), labels)?;
        self.0.register(Box::new(vec.clone()))?;
        Ok(vec)
    }

    fn counter(&self, name: &str, help: &str) -> Result<IntCounter, prometheus::Error> {
        let counter = IntCounter::new(format!("argos_relay_{name}"), help)?;
        self.0.register(Box::new(counter.clone()))?;
        Ok(counter)
    }

    fn gauge(&self, name: &str, help: &str) -> Result<IntGauge, prometheus::Error> {
        let gauge = IntGauge::new(format!("argos_relay_{name}"), help)?;
        self.0.register(Box::new(gauge.clone()))?;
        Ok(gauge)
    }

    fn gauges(&self, name: &str, help: &str, labels: &[&str]) -> Result<IntGaugeVec, prometheus::Error> {
        let vec = IntGaugeVec::new(Opts::new(format!("argos_relay_{name}"), help), labels)?;
        self.0.register(Box::new(vec.clone()))?;
        Ok(vec)
    }

    fn figures(&self, name: &str, help: &str, labels: &[&str]) -> Result<GaugeVec, prometheus::Error> {
        let vec = GaugeVec::new(Opts::new(format!("argos_relay_{name}"), help), labels)?;
        self.0.register(Box::new(vec.clone()))?;
        Ok(vec)
    }

    fn seconds(&self, name: &str, help: &str) -> Result<Histogram, prometheus::Error> {
        let options = HistogramOpts::new(format!("argos_relay_{name}"), help).buckets(SECONDS.to_vec());
        let histogram = Histogram::with_opts(options)?;
        self.0.register(Box::new(histogram.clone()))?;
        Ok(histogram)
    }
}

impl Metrics {
    /// Declares all of them in `registry`; fails if one is there already.
    #[rustfmt::skip]
    pub fn register(registry: &Registry) -> Result<Metrics, prometheus::Error> {
        let declare = Declare(registry);
        Ok(Metrics {
            truth_requests: declare.counters("truth_requests_total", "Single GETs to ARGOS by outcome.", &["project", "outcome"])?,
            truth_request_seconds: declare.seconds("truth_request_seconds", "Time from the start of a single GET to its answer.")?,
            decisions: declare.counters("decisions_total", "Decisions by outcome.", &["outcome"])?,
            events_published: declare.counters("events_published_total", "Events committed by type.", &["type"])?,
            hints: declare.counters("hints_total", "Hints read by lane and source.", &["lane", "source"])?,
            hints_coalesced: declare.counter("hints_coalesced_total", "Hints that shared a look with another, or needed none.")?,
            hint_confirm_lag_seconds: declare.seconds("hint_confirm_lag_seconds", "Time from taking a webhook in to the commit of what a GET confirmed.")?,
            hint_unconfirmed: declare.counter("hint_unconfirmed_total", "Claims that no look of the ladder showed.")?,
            repaired: declare.counters("repaired_total", "Changes published that no webhook told, by what found them.", &["cause"])?,
            commit_seconds: declare.seconds("commit_seconds", "Time of one ledger transaction.")?,
            commits: declare.counters("commits_total", "Ledger transactions by outcome.", &["outcome"])?,
            dead_letters: declare.counters("dead_letters_total", "Dead letters by reason.", &["reason"])?,
            clock_regressed: declare.counter("vendor_clock_regressed_total", "Older vendor clocks accepted at the end of the ladder.")?,
            deletions_held: declare.counters("deletions_held_total", "Deletions inferred from absence that wait for the hourly cap.", &["project"])?,
            ledger_entries: declare.gauge("ledger_entries", "Submissions in memory.")?,
            partitions_running: declare.gauge("partitions_running", "Partitions that were restored and are worked on.")?,
            looks_in_flight: declare.gauge("looks_in_flight", "Single GETs under way.")?,
            breaker_state: declare.gauges("breaker_state", "Circuit breaker towards ARGOS: 0 closed, 1 probing, 2 open.", &["project"])?,
            list_requests: declare.counters("list_requests_total", "Pages of the list asked for, by outcome.", &["project", "outcome"])?,
            sweep_rows: declare.counters("sweep_rows_total", "List rows by how they compare with the ledger: equal (no GET), different, or unreadable.", &["result"])?,
            sweep_age_seconds: declare.figures("sweep_age_seconds", "Time since the last walk that came to its end began; on the replica that walks.", &["project", "sweep"])?,
            budget_remaining: declare.figures("budget_remaining", "Requests that this replica may still make today.", &["project"])?,
            budget_rate: declare.figures("budget_rate", "Requests a second that this replica makes at most just now.", &["project"])?,
            waiting: declare.figures("looks_waiting", "Keys that wait for their look, by class.", &["project", "class"])?,
            recheck_due: declare.gauge("recheck_due", "Rechecks that are due and not queued yet.")?,
        })
    }
}
