//! The last hour of this replica in figures: what the metrics said every ten seconds, kept in a ring.
//!
//! Owns: which metrics are looked at, and how rates and quantiles come of two looks. Must not know: who sets a metric.
//! A counter that went back (nobody does that but a test) counts as no change. Pure but for [`sample`], which reads.

use super::moment::Moment;
use models::Time;
use prometheus::proto::MetricFamily;
use prometheus::{Registry, proto::Metric};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::time::Duration;

/// Between two looks.
pub const EVERY: Duration = Duration::from_secs(10);
/// An hour of them.
const POINTS: usize = 360;
/// The rates of `status` are over so many.
const MINUTE: usize = 6;

/// What the last minute was like, per second, on this replica.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Flow {
    /// Webhooks that were answered 200.
    pub webhooks: f64,
    /// Hints that were read.
    pub hints: f64,
    /// Hints that shared a look with another, or needed none.
    pub coalesced: f64,
    /// Single GETs to ARGOS.
    pub gets: f64,
    /// Events that were committed.
    pub events: f64,
    /// Transactions that were committed.
    pub commits: f64,
    /// Webhooks that were refused.
    pub refused: f64,
}

/// One look at the past ten seconds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Point {
    /// When they ended.
    pub at: Moment,
    /// Webhooks a second that were answered 200.
    pub webhooks: f64,
    /// Single GETs to ARGOS a second.
    pub gets: f64,
    /// Events a second.
    pub events: f64,
    /// Median of the time from a webhook to the commit of what a GET confirmed, in seconds; null if there was none.
    pub lag_p50: Option<f64>,
    /// Its 99th percentile.
    pub lag_p99: Option<f64>,
    /// Rechecks that are due and not queued yet.
    pub recheck_due: f64,
    /// GETs under way.
    pub in_flight: f64,
}

/// The answer to `/api/v1/series`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct SeriesDocument {
    /// Seconds between two points.
    pub every: u64,
    /// Oldest first, an hour at most.
    pub points: Vec<Point>,
}

/// What the metrics say at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sample {
    flow: Flow,
    recheck_due: f64,
    in_flight: f64,
    /// Upper bounds with the observations up to each; the last bound is infinite.
    lag: Vec<(f64, f64)>,
}

/// Looks at a registry.
pub fn sample(registry: &Registry) -> Sample {
    Sample::of(&registry.gather())
}

impl Sample {
    /// The counters themselves, since the process started.
    pub fn totals(&self) -> Flow {
        self.flow
    }

    fn of(families: &[MetricFamily]) -> Sample {
        let sum = |name: &str, counts: &dyn Fn(&Metric) -> bool| -> f64 {
            let family = families.iter().find(|family| family.name().strip_prefix("argos_relay_") == Some(name));
            let metrics = family.map(MetricFamily::get_metric).unwrap_or_default();
            let value = |one: &Metric| one.get_counter().get_value() + one.get_gauge().get_value();
            metrics.iter().filter(|one| counts(one)).map(value).sum()
        };
        let all = |name| sum(name, &|_| true);
        let taken = |one: &Metric| {
            one.get_label()
                .iter()
                .any(|pair| pair.name() == "outcome" && matches!(pair.value(), "accepted" | "ignored"))
        };
        let committed = |one: &Metric| one.get_label().iter().any(|pair| pair.value() == "committed");
        let webhooks = sum("webhooks_total", &taken);
        Sample {
            flow: Flow {
                webhooks,
                hints: all("hints_total"),
                coalesced: all("hints_coalesced_total"),
                gets: all("truth_requests_total"),
                events: all("events_published_total"),
                commits: sum("commits_total", &committed),
                refused: all("webhooks_total") - webhooks,
            },
            recheck_due: all("recheck_due"),
            in_flight: all("looks_in_flight"),
            lag: lag(families),
        }
    }
}

fn lag(families: &[MetricFamily]) -> Vec<(f64, f64)> {
    let family = families.iter().find(|family| family.name() == "argos_relay_hint_confirm_lag_seconds");
    let Some(metric) = family.and_then(|family| family.get_metric().first()) else { return Vec::new() };
    let histogram = metric.get_histogram();
    let told = |bucket: &prometheus::proto::Bucket| (bucket.upper_bound(), bucket.cumulative_count() as f64);
    let mut buckets: Vec<_> = histogram.get_bucket().iter().map(told).filter(|(bound, _)| bound.is_finite()).collect();
    buckets.push((f64::INFINITY, histogram.get_sample_count() as f64));
    buckets
}

/// The ring.
#[derive(Debug, Default)]
pub struct Series {
    points: VecDeque<Point>,
    /// The looks that the flow is made of, oldest first.
    samples: VecDeque<(Time, Sample)>,
}

impl Series {
    /// Takes a look. The first one says only where counting begins.
    pub fn take(&mut self, at: Time, sample: Sample) {
        if let Some((before, last)) = self.samples.back() {
            let rates = rates(&last.flow, &sample.flow, at.since(*before));
            self.points.push_back(Point {
                at: at.into(),
                webhooks: rates.webhooks,
                gets: rates.gets,
                events: rates.events,
                lag_p50: quantile(&last.lag, &sample.lag, 0.5),
                lag_p99: quantile(&last.lag, &sample.lag, 0.99),
                recheck_due: sample.recheck_due,
                in_flight: sample.in_flight,
            });
        }
        self.samples.push_back((at, sample));
        self.points.drain(..self.points.len().saturating_sub(POINTS));
        self.samples.drain(..self.samples.len().saturating_sub(MINUTE + 1));
    }

    /// The last hour.
    pub fn document(&self) -> SeriesDocument {
        SeriesDocument { every: EVERY.as_secs(), points: self.points.iter().cloned().collect() }
    }

    /// The last minute up to now.
    pub fn flow(&self, now: Time, sample: &Sample) -> Flow {
        let first = self.samples.iter().find(|(at, _)| now.since(*at) <= EVERY * MINUTE as u32);
        first.map(|(at, first)| rates(&first.flow, &sample.flow, now.since(*at))).unwrap_or_default()
    }
}

fn rates(before: &Flow, after: &Flow, span: Duration) -> Flow {
    let seconds = span.as_secs_f64();
    let rate =
        |before: f64, after: f64| if seconds > 0.0 { ((after - before).max(0.0) / seconds).max(0.0) } else { 0.0 };
    Flow {
        webhooks: rate(before.webhooks, after.webhooks),
        hints: rate(before.hints, after.hints),
        coalesced: rate(before.coalesced, after.coalesced),
        gets: rate(before.gets, after.gets),
        events: rate(before.events, after.events),
        commits: rate(before.commits, after.commits),
        refused: rate(before.refused, after.refused),
    }
}

/// A quantile of what was observed between two looks, interpolated within its bucket as Prometheus does it; what lies
/// over the last finite bound is told as that bound.
fn quantile(before: &[(f64, f64)], after: &[(f64, f64)], part: f64) -> Option<f64> {
    let earlier = |index: usize| before.get(index).map_or(0.0, |(_, count)| *count);
    let counts: Vec<(f64, f64)> =
        after.iter().enumerate().map(|(index, (bound, count))| (*bound, count - earlier(index))).collect();
    let total = counts.last().map(|(_, count)| *count).filter(|count| *count > 0.0)?;
    let rank = part * total;
    let index = counts.iter().position(|(_, count)| *count >= rank)?;
    let (low, below) = index.checked_sub(1).map_or((0.0, 0.0), |index| counts[index]);
    let (high, upto) = counts[index];
    if high.is_infinite() {
        return Some(low);
    }
    Some(if upto > below { low + (high - low) * (rank - below) / (upto - below) } else { high })
}

#[cfg(test)]
mod tests {
    use super::*;
    use prometheus::{Histogram, HistogramOpts, IntCounterVec, IntGauge, Opts};

    fn at(seconds: i64) -> Time {
        Time::from_millis(seconds * 1000)
    }

    fn counted(webhooks: f64) -> Sample {
        Sample { flow: Flow { webhooks, ..Flow::default() }, ..Sample::default() }
    }

    #[test]
    fn an_hour_is_kept_and_rates_are_those_of_ten_seconds() {
        let mut series = Series::default();
        for step in 0..400_i64 {
            series.take(at(step * 10), counted((step * step) as f64));
        }
        let points = series.document().points;
        assert_eq!((points.len(), points[0].at, points[359].at), (360, at(400).into(), at(3990).into()));
        assert!((points[359].webhooks - 79.7).abs() < 1e-9, "{:?}", points[359]);
        // The last minute: from the look a minute ago to now.
        let flow = series.flow(at(3990), &counted(399.0 * 399.0));
        assert!((flow.webhooks - (399.0 * 399.0 - 393.0 * 393.0) / 60.0).abs() < 1e-9, "{flow:?}");
        assert_eq!(Series::default().flow(at(5), &counted(7.0)), Flow::default());
    }

    #[test]
    fn a_counter_that_went_back_counts_as_no_change() {
        let mut series = Series::default();
        series.take(at(0), counted(100.0));
        series.take(at(10), counted(3.0));
        assert!(series.document().points[0].webhooks.abs() < f64::EPSILON);
    }

    #[test]
    fn quantiles_are_of_what_came_between_two_looks() {
        let before = [(0.1, 100.0), (1.0, 100.0), (10.0, 100.0), (f64::INFINITY, 100.0)];
        let after = [(0.1, 100.0), (1.0, 150.0), (10.0, 200.0), (f64::INFINITY, 200.0)];
        assert_eq!(quantile(&before, &after, 0.5), Some(1.0));
        assert!((quantile(&before, &after, 0.75).unwrap() - 5.5).abs() < 1e-9);
        assert_eq!(quantile(&before, &before, 0.5), None, "nothing came");
        let late = [(0.1, 100.0), (1.0, 100.0), (10.0, 100.0), (f64::INFINITY, 101.0)];
        assert_eq!(quantile(&before, &late, 0.99), Some(10.0));
        assert_eq!(quantile(&[], &[], 0.5), None);
    }

    #[test]
    fn a_look_reads_the_metrics_that_a_service_tells() {
        let registry = Registry::new();
        let counters = |name: &str, labels: &[&str]| {
            let counters = IntCounterVec::new(Opts::new(format!("argos_relay_{name}"), "x"), labels).unwrap();
            registry.register(Box::new(counters.clone())).unwrap();
            counters
        };
        let webhooks = counters("webhooks_total", &["project", "outcome"]);
        for (outcome, count) in [("accepted", 5), ("ignored", 2), ("wrong_token", 3), ("full", 4)] {
            webhooks.with_label_values(&["acme", outcome]).inc_by(count);
        }
        let commits = counters("commits_total", &["outcome"]);
        commits.with_label_values(&["committed"]).inc_by(9);
        commits.with_label_values(&["aborted"]).inc_by(1);
        let due = IntGauge::new("argos_relay_recheck_due", "x").unwrap();
        registry.register(Box::new(due.clone())).unwrap();
        due.set(6);
        let options = HistogramOpts::new("argos_relay_hint_confirm_lag_seconds", "x").buckets(vec![1.0, 2.0]);
        let lag = Histogram::with_opts(options).unwrap();
        registry.register(Box::new(lag.clone())).unwrap();
        lag.observe(1.5);
        let seen = sample(&registry);
        assert_eq!((seen.flow.webhooks, seen.flow.refused, seen.flow.commits), (7.0, 7.0, 9.0));
        assert_eq!((seen.recheck_due, seen.lag.as_slice()), (6.0, &[(1.0, 0.0), (2.0, 1.0), (f64::INFINITY, 1.0)][..]));
    }
}
