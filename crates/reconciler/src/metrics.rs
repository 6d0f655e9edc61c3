//! The reconciler's metrics, each declared once.
//!
//! Owns: names, help texts, and the words of their labels, which are few and fixed; a project is one of the configuration.
//! Every series exists from the start, so that the first failure shows as an increase. Must not know: who scrapes them.
//!
//! Path: [`Metrics::register`] once; `Metrics::declare` for each project; then the fields.

use crate::decision::Outcome;
use crate::state::ProjectRules;
use models::{Cause, EventKind, Lane, LookError, Source, Sweep};
use prometheus::{
    GaugeVec, Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
};

/// Seconds, from a fast local answer to a recovered outage.
const SECONDS: [f64; 15] = [0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 600.0];

/// As [`SECONDS`], for what may take minutes; with 70 = a minute and as long as one GET may take (10 s).
const LAG_SECONDS: [f64; 15] =
    [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 70.0, 300.0, 1800.0, 21600.0];

/// How transactions end.
const COMMITS: [&str; 4] = ["committed", "aborted", "too_large", "lost"];
/// Why something is dead-lettered.
const DEAD_LETTERS: [&str; 3] = ["unreadable", "unknown_project", "hint_undecodable"];
/// What rows of the list are.
const ROWS: [&str; 3] = ["equal", "different", "unreadable"];
/// Who waits for a look, in the order of the queue's classes.
pub(crate) const CLASSES: [&str; 3] = ["live", "bulk", "unknown"];
/// How a request to ARGOS fails; see [`failure_word`].
const FAILURES: [&str; 5] = ["retry", "throttled", "denied", "unreadable", "unknown_project"];

/// The label `outcome` of a request to ARGOS that failed.
pub(crate) const fn failure_word(error: &LookError) -> &'static str {
    match error {
        LookError::Retry(_) => "retry",
        LookError::Throttled { .. } => "throttled",
        LookError::Denied(_) => "denied",
        LookError::Unreadable(_) => "unreadable",
        LookError::UnknownProject => "unknown_project",
    }
}

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
    pub hints_unsettled: IntGauge,
    pub list_requests: IntCounterVec,
    pub sweep_rows: IntCounterVec,
    pub sweep_age_seconds: GaugeVec,
    pub sweep_interval_seconds: GaugeVec,
    pub budget_remaining: GaugeVec,
    pub budget_daily: GaugeVec,
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

    fn seconds(&self, name: &str, help: &str, buckets: &[f64]) -> Result<Histogram, prometheus::Error> {
        let options = HistogramOpts::new(format!("argos_relay_{name}"), help).buckets(buckets.to_vec());
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
        let metrics = Metrics {
            truth_requests: declare.counters("truth_requests_total", "Single GETs to ARGOS by outcome.", &["project", "outcome"])?,
            truth_request_seconds: declare.seconds("truth_request_seconds", "Time from the start of a single GET to its answer.", &SECONDS)?,
            decisions: declare.counters("decisions_total", "Decisions by outcome.", &["outcome"])?,
            events_published: declare.counters("events_published_total", "Events committed by type.", &["type"])?,
            hints: declare.counters("hints_total", "Hints read by lane and source.", &["lane", "source"])?,
            hints_coalesced: declare.counter("hints_coalesced_total", "Hints that shared a look with another, or needed none.")?,
            hint_confirm_lag_seconds: declare.seconds("hint_confirm_lag_seconds", "Time from taking a webhook in to the commit of what a GET confirmed, by the oldest webhook of a look; the newest one if looks failed or waited before.", &LAG_SECONDS)?,
            hint_unconfirmed: declare.counter("hint_unconfirmed_total", "Claims that no look of the ladder showed.")?,
            repaired: declare.counters("repaired_total", "Changes published that no webhook told, by what found them.", &["cause"])?,
            commit_seconds: declare.seconds("commit_seconds", "Time of one ledger transaction.", &SECONDS)?,
            commits: declare.counters("commits_total", "Ledger transactions by outcome.", &["outcome"])?,
            dead_letters: declare.counters("dead_letters_total", "Dead letters by reason.", &["reason"])?,
            clock_regressed: declare.counter("vendor_clock_regressed_total", "Older vendor clocks accepted at the end of the ladder.")?,
            deletions_held: declare.counters("deletions_held_total", "Deletions inferred from absence that wait for the hourly cap.", &["project"])?,
            ledger_entries: declare.gauge("ledger_entries", "Submissions in memory.")?,
            partitions_running: declare.gauge("partitions_running", "Partitions that were restored and are worked on.")?,
            looks_in_flight: declare.gauge("looks_in_flight", "Single GETs under way.")?,
            breaker_state: declare.gauges("breaker_state", "Circuit breaker towards ARGOS: 0 closed, 1 probing, 2 open.", &["project"])?,
            hints_unsettled: declare.gauge("hints_unsettled", "Hints that were read, and whose outcome is not committed yet.")?,
            list_requests: declare.counters("list_requests_total", "Pages of the list asked for, by outcome.", &["project", "outcome"])?,
            sweep_rows: declare.counters("sweep_rows_total", "List rows by how they compare with the ledger: equal (no GET), different, or unreadable.", &["result"])?,
            sweep_age_seconds: declare.figures("sweep_age_seconds", "Time since the last walk that came to its end began; on the replica that walks.", &["project", "sweep"])?,
            sweep_interval_seconds: declare.figures("sweep_interval_seconds", "How often a walk is configured to begin.", &["project", "sweep"])?,
            budget_remaining: declare.figures("budget_remaining", "Requests that this replica may still make today (UTC).", &["project"])?,
            budget_daily: declare.figures("budget_daily", "Requests that all replicas together may make in a day, as configured.", &["project"])?,
            budget_rate: declare.figures("budget_rate", "Requests a second that this replica makes at most just now.", &["project"])?,
            waiting: declare.figures("looks_waiting", "Keys that wait for their look, by class.", &["project", "class"])?,
            recheck_due: declare.gauge("recheck_due", "Rechecks that are due and not queued yet.")?,
        };
        metrics.declare_fixed();
        Ok(metrics)
    }

    /// Makes the series exist whose labels need no project.
    fn declare_fixed(&self) {
        let all = |vec: &IntCounterVec, words: &[&str]| {
            for word in words {
                vec.with_label_values(&[*word]).inc_by(0);
            }
        };
        all(&self.commits, &COMMITS);
        all(&self.dead_letters, &DEAD_LETTERS);
        all(&self.sweep_rows, &ROWS);
        all(&self.decisions, &Outcome::ALL.map(Outcome::as_str));
        for kind in EventKind::ALL {
            self.events_published.with_label_values(&[kind.as_str()]).inc_by(0);
        }
        for cause in Cause::ALL {
            self.repaired.with_label_values(&[cause.as_str()]).inc_by(0);
        }
        for (lane, source) in
            [Lane::Live, Lane::Bulk].iter().flat_map(|lane| Source::ALL.iter().map(move |one| (lane, one)))
        {
            self.hints.with_label_values(&[lane.as_str(), source.as_str()]).inc_by(0);
        }
    }

    /// Makes a project's series exist, and tells what is configured for it.
    pub(crate) fn declare(&self, project: &str, rules: &ProjectRules) {
        for outcome in ["present", "absent"].iter().chain(&FAILURES) {
            self.truth_requests.with_label_values(&[project, *outcome]).inc_by(0);
        }
        for outcome in ["read"].iter().chain(&FAILURES) {
            self.list_requests.with_label_values(&[project, *outcome]).inc_by(0);
        }
        for class in CLASSES {
            self.waiting.with_label_values(&[project, class]).set(0.0);
        }
        self.deletions_held.with_label_values(&[project]).inc_by(0);
        self.breaker_state.with_label_values(&[project]).set(0);
        self.budget_daily.with_label_values(&[project]).set(rules.budget.per_day as f64);
        for sweep in Sweep::ALL {
            if let Some(cadence) = rules.sweeps.cadence(*sweep) {
                let interval = self.sweep_interval_seconds.with_label_values(&[project, sweep.as_str()]);
                interval.set(cadence.every.as_secs_f64());
            }
        }
    }
}
