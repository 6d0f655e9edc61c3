//! The page docs/metrics.md, made of the metrics' declarations, and held to them: `UPDATE=1` writes it.
//!
//! Owns: the page's form. Must not know: any metric by its meaning; only how a series is made that needs a label.

use crate::secrets::SecretMetrics;
use models::Time;
use prometheus::proto::{Metric, MetricFamily, MetricType};
use prometheus::{Registry, Result};
use publisher::KafkaMetrics;
use reconciler::budget::ProjectBudget;
use reconciler::metrics::Metrics;
use reconciler::policy::Policy;
use reconciler::state::{ProjectRules, Settings, State};
use reconciler::sweep::SweepRules;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write as _;
use std::path::Path;

/// What the design asks for by name (section 10).
const PROMISED: [&str; 19] = [
    "webhooks_total",
    "webhook_ack_seconds",
    "hint_confirm_lag_seconds",
    "truth_requests_total",
    "truth_request_seconds",
    "hints_coalesced_total",
    "events_published_total",
    "commit_seconds",
    "hint_unconfirmed_total",
    "repaired_total",
    "sweep_age_seconds",
    "sweep_rows_total",
    "recheck_due",
    "ledger_entries",
    "ledger_restore_seconds",
    "breaker_state",
    "budget_remaining",
    "dead_letters_total",
    "secret_age_seconds",
];

/// Labels whose values come from the configuration or the cluster; those of all others are words of ours.
const OPEN: [(&str, &str); 4] = [
    ("project", "the ids of the configured projects"),
    ("secret", "keys of the configuration"),
    ("topic", "full names of our topics"),
    ("partition", "numbers of partitions"),
];

/// A part of the service, and what registers its metrics with at least one series each.
type Room = (&'static str, fn(&Registry) -> Result<()>);

const ROOMS: [Room; 6] = [
    ("The door", door),
    ("The loop", the_loop),
    ("Kafka", kafka),
    ("Schema registry", schema_registry),
    ("Secrets", secrets),
    ("Traces", traces),
];

fn door(registry: &Registry) -> Result<()> {
    ingest::Metrics::register(registry)?.declare("acme", false);
    Ok(())
}

fn the_loop(registry: &Registry) -> Result<()> {
    let metrics = Metrics::register(registry)?;
    let budget = ProjectBudget { per_second: 1.0, per_day: 1, deletions_per_hour: 1, cost: 1 };
    let rules = ProjectRules { policy: Policy::default(), budget, sweeps: SweepRules::default() };
    let projects = HashMap::from([("acme".to_owned(), rules)]);
    // Ages are told once a walk has ended, here of any.
    let ages = metrics.sweep_age_seconds.clone();
    let state = State::new(Settings::default(), projects, fastrand::Rng::with_seed(1), metrics, Time::MIN);
    state.observe(Time::MIN);
    for sweep in models::Sweep::ALL.iter().filter(|sweep| **sweep != models::Sweep::Backfill) {
        ages.with_label_values(&["acme", sweep.as_str()]).set(0.0);
    }
    Ok(())
}

fn kafka(registry: &Registry) -> Result<()> {
    let metrics = KafkaMetrics::register(registry)?;
    metrics.records_too_large.with_label_values(&["kyc.ledger.v1"]).inc_by(0);
    metrics.lag.with_label_values(&["kyc.hints.v1", "0"]).set(0.0);
    metrics.position.with_label_values(&["kyc.hints.v1", "0"]).set(0.0);
    // Only clients that live long tell of themselves.
    for client in ["hints", "ledger", "group"] {
        metrics.queue.with_label_values(&[client]).set(0.0);
    }
    Ok(())
}

fn schema_registry(registry: &Registry) -> Result<()> {
    crate::schema_registry::RegistryMetrics::register(registry).map(drop)
}

fn secrets(registry: &Registry) -> Result<()> {
    let metrics = SecretMetrics::register(registry)?;
    metrics.age.with_label_values(&["projects.acme.api_key"]).set(0.0);
    metrics.failures.with_label_values(&["projects.acme.api_key"]).inc_by(0);
    metrics.exchanges.with_label_values(&["projects.acme.api_key"]).inc_by(0);
    Ok(())
}

fn traces(registry: &Registry) -> Result<()> {
    crate::traces::TraceMetrics::register(registry).map(drop)
}

/// Every label of a family with its values.
fn labels(family: &MetricFamily) -> BTreeMap<String, BTreeSet<String>> {
    let mut labels: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for pair in family.get_metric().iter().flat_map(Metric::get_label) {
        labels.entry(pair.name().to_owned()).or_default().insert(pair.value().to_owned());
    }
    labels
}

fn kind(family: &MetricFamily) -> &'static str {
    match family.get_field_type() {
        MetricType::COUNTER => "counter",
        MetricType::GAUGE => "gauge",
        MetricType::HISTOGRAM => "histogram",
        _ => "other",
    }
}

/// The unit, which the name ends with. Without one it counts what the help says.
fn unit(name: &str) -> &'static str {
    let words: Vec<&str> = name.trim_end_matches("_total").split('_').collect();
    if words.contains(&"seconds") {
        "seconds"
    } else if words.contains(&"bytes") {
        "bytes"
    } else {
        ""
    }
}

fn row(page: &mut String, family: &MetricFamily) -> std::fmt::Result {
    let labels: Vec<String> = labels(family)
        .into_iter()
        .map(|(name, values)| {
            if OPEN.iter().any(|(open, _)| *open == name) {
                return format!("`{name}`");
            }
            format!("`{name}`: {}", values.into_iter().collect::<Vec<_>>().join(", "))
        })
        .collect();
    let (name, kind, unit) = (family.name(), kind(family), unit(family.name()));
    writeln!(page, "| `{name}` | {kind} | {unit} | {} | {} |", labels.join("; "), family.help())
}

fn page() -> std::result::Result<String, Box<dyn std::error::Error>> {
    let mut page = String::from(
        "# Metrics\n\n\
         Made of the declarations in the code by `UPDATE=1 cargo test -p argos-relay --features argos-relay/dev metrics_page`; a test\n\
         fails when they differ. All are on `/metrics` of the admin listener. A series exists from the start wherever its labels are\n\
         known, so that a first failure shows as an increase. A part that a replica does not run (`--role`) tells nothing.\n\n\
         The values of these labels come from elsewhere; those of all others are in the tables:\n\n",
    );
    for (label, values) in OPEN {
        writeln!(page, "- `{label}`: {values}")?;
    }
    for (title, register) in ROOMS {
        let registry = Registry::new();
        register(&registry)?;
        write!(page, "\n## {title}\n\n| name | type | unit | labels | what it says |\n|---|---|---|---|---|\n")?;
        for family in registry.gather() {
            row(&mut page, &family)?;
        }
    }
    Ok(page)
}

/// Every family of the whole process, in one registry as in a running one.
fn all() -> Vec<MetricFamily> {
    let registry = Registry::new();
    for (_, register) in ROOMS {
        register(&registry).unwrap();
    }
    registry.gather()
}

#[test]
fn the_page_of_the_metrics_is_what_the_code_declares() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/metrics.md");
    let page = page().unwrap();
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(written == page, "docs/metrics.md is not what the code declares: UPDATE=1 writes it\n{page}");
}

#[test]
fn every_metric_that_the_design_promises_is_there() {
    let names: BTreeSet<_> = all().iter().map(|family| family.name().to_owned()).collect();
    let missing: Vec<_> = PROMISED.iter().filter(|name| !names.contains(&format!("argos_relay_{name}"))).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

/// Help is a sentence, units are in names, counters end in `_total` and nothing else does.
#[test]
fn names_and_helps_keep_their_form() {
    let families = all();
    assert!(families.len() > 40, "{}", families.len());
    for family in families {
        let (name, help) = (family.name(), family.help());
        assert!(name.starts_with("argos_relay_"), "{name}");
        assert!(help.len() > 10 && help.ends_with('.'), "{name}: {help}");
        assert_eq!(kind(&family) == "counter", name.ends_with("_total"), "{name}");
        assert!(kind(&family) != "histogram" || !unit(name).is_empty(), "{name} has no unit");
        assert!(!help.contains('|'), "{name}: it would break the table");
    }
}
