//! Every alert fires in its own fault scenario, on a running service with a real Prometheus and the shipped rules on a
//! faster clock; and none does in a quiet one.
//!
//! Owns: what is held against each scenario: the alert, its labels and annotations, and which others fire with it. `cases`
//! lists them, `stage` sets them up, `quiet` is the other half. `make test` plays the quick ones, `make alerts` all;
//! `ALERTS=a,b` those named.
//!
//! Path: [`every_alert_fires_in_its_own_fault_scenario`] starts each, [`fires`] waits and compares, [`shown`] reads the alert as
//! an operator would.

mod argos;
mod cases;
mod door;
mod kafka;
mod quiet;
mod stage;

use cases::{CASES, Case};
use stage::{FACTOR, Stage};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tests::broker::{self, root};
use tests::prometheus::{Alert, Prometheus};
use tests::service::Replica;
use tests::{scale, tools};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

pub(crate) const RULES: &str = "helm/argos-relay/rules/argos-relay.yaml";
const PAGE: &str = "docs/alerts.md";
/// The objective on the faster clock. A busy machine takes a second by itself, so it is not divided as far as the rest.
const OBJECTIVE: &str = "10";
/// Scenarios at one time.
const PLACES: usize = 6;
/// What a busy machine sets off by itself on the faster clock.
const STALLED: (&str, &str) = ("ArgosRelayNothingCommitted", "one of Kafka's commits took seconds on that machine");
/// After an alert fired: whatever else the fault sets off shows within this.
const AFTER: Duration = Duration::from_secs(3);

/// What came of one.
struct Outcome {
    case: &'static Case,
    after: Option<Duration>,
    companions: BTreeSet<String>,
    wrong: Vec<String>,
}

fn rules(factor: u32) -> String {
    let shipped = std::fs::read_to_string(root().join(RULES)).expect("the rules");
    let bound = if factor == 1 { "70" } else { OBJECTIVE };
    scale::scaled(&shipped, factor, &[("70", bound)]).unwrap_or_else(|wrong| panic!("{wrong:#?}"))
}

/// Which scenarios are asked for: none named, all, or some.
fn asked() -> String {
    std::env::var_os("ALERTS").and_then(|asked| asked.into_string().ok()).unwrap_or_default()
}

fn chosen() -> Vec<&'static Case> {
    let asked = asked();
    let is_chosen = |case: &&Case| match asked.as_str() {
        "" => case.quick,
        "all" => true,
        names => names.split(',').any(|name| case.alert.ends_with(name)),
    };
    CASES.iter().filter(is_chosen).collect()
}

#[test]
fn the_rules_by_one_are_the_shipped_ones() {
    assert_eq!(rules(1), std::fs::read_to_string(root().join(RULES)).expect("the rules"));
}

#[test]
fn every_alert_has_its_scenario_and_its_row() {
    let shipped = rules(1);
    let alerts: BTreeSet<&str> = shipped.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    let cases: BTreeSet<&str> = CASES.iter().map(|case| case.alert).collect();
    assert_eq!(cases.len(), CASES.len(), "one twice");
    assert_eq!(alerts, cases);
    let page = std::fs::read_to_string(root().join(PAGE)).expect("the page");
    for case in &CASES {
        assert!(page.contains(&format!("| [{0}](runbooks/{0}.md) | {1} |", case.alert, case.fault)), "{}", case.alert);
        assert!(case.companions.iter().all(|(other, _)| cases.contains(other)), "{}", case.alert);
    }
}

/// Nothing is scraped: the one alert that needs no series.
#[tokio::test(flavor = "multi_thread")]
async fn without_any_deployment_the_absence_is_told() {
    if !tools::there_is("prometheus") {
        return;
    }
    let prometheus = Prometheus::start(&rules(FACTOR), FACTOR).await;
    let began = Instant::now();
    let fires = |alert: &Alert| alert.state == "firing";
    while !prometheus.alerts("").await.iter().any(fires) {
        assert!(began.elapsed() < Duration::from_mins(1), "{:?}", prometheus.alerts("").await);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let alerts = prometheus.alerts("").await;
    assert_eq!(alerts.len(), 1, "{alerts:?}");
    assert_eq!(alerts[0].labels["alertname"], "ArgosRelayAbsent");
    assert_eq!(alerts[0].annotations["summary"], "No replica is there");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_alert_fires_in_its_own_fault_scenario() {
    let Some(bootstrap) = broker::bootstrap() else { return };
    if !tools::there_is("prometheus") {
        return;
    }
    let prometheus = Arc::new(Prometheus::start(&rules(FACTOR), FACTOR).await);
    let (places, mut running) = (Arc::new(Semaphore::new(PLACES)), JoinSet::new());
    for case in chosen() {
        let stage = Stage { job: case.alert, bootstrap: bootstrap.clone(), prometheus: prometheus.clone() };
        // Taken here, so that they begin in the order of the list.
        let place = places.clone().acquire_owned().await.expect("a place");
        running.spawn(async move {
            let outcome = tokio::spawn(fires(case, stage)).await;
            drop(place);
            outcome.unwrap_or_else(|error| broken(case, &error.to_string()))
        });
    }
    let mut outcomes = Vec::new();
    while let Some(outcome) = running.join_next().await {
        let outcome = outcome.expect("it ran");
        println!("{}: {:?} {:?} {:?}", outcome.case.alert, outcome.after, outcome.companions, outcome.wrong);
        outcomes.push(outcome);
    }
    outcomes.sort_by_key(|outcome| outcome.case.alert);
    let table = table(&outcomes);
    println!("{table}");
    let wrong: Vec<&String> = outcomes.iter().flat_map(|outcome| &outcome.wrong).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    if std::env::var_os("WRITE_ALERTS").is_some() && outcomes.len() == CASES.len() {
        write(&table);
    }
}

fn broken(case: &'static Case, why: &str) -> Outcome {
    Outcome { case, after: None, companions: BTreeSet::new(), wrong: vec![format!("{}: {why}", case.alert)] }
}

/// Plays a scenario, and holds what fires against what should.
async fn fires(case: &'static Case, stage: Stage) -> Outcome {
    let scene = (case.play)(stage.clone()).await;
    let until = scene.began + Duration::from_secs(case.within);
    let is_it = |alert: &Alert| alert.labels["alertname"] == case.alert && alert.state == "firing";
    let alert = loop {
        if let Some(alert) = stage.prometheus.alerts(stage.job).await.into_iter().find(is_it) {
            break Some(alert);
        }
        if Instant::now() >= until {
            break None;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    let after = scene.began.elapsed();
    tokio::time::sleep(AFTER).await;
    let mut seen = stage.prometheus.fired(stage.job).await;
    seen.remove(case.alert);
    let mut wrong = match &alert {
        Some(alert) => shown(case, &stage.prometheus, alert).await,
        None => vec![format!("did not fire within {} s\n{}", case.within, scene.replica.metrics().await)],
    };
    let stalled = is_stalled(&scene.replica).await;
    let expected = |name: &str| why(case, name).is_some() || (stalled && name == STALLED.0);
    wrong.extend(seen.iter().filter(|name| !expected(name.as_str())).map(|name| format!("{name} fired too")));
    if !wrong.is_empty() {
        let logs = scene.replica.logs();
        let tail: Vec<&str> = logs.lines().rev().take(25).collect();
        eprintln!("---- {} ----\n{}", case.alert, tail.into_iter().rev().collect::<Vec<_>>().join("\n"));
    }
    stage.prometheus.scrape(stage.job, &[]);
    drop(scene);
    let wrong = wrong.into_iter().map(|why| format!("{}: {why}", case.alert)).collect();
    Outcome { case, after: alert.map(|_| after), companions: seen, wrong }
}

/// What is wrong with the alert as an operator sees it.
async fn shown(case: &Case, prometheus: &Prometheus, alert: &Alert) -> Vec<String> {
    let mut wrong = Vec::new();
    let has = |label: &str| alert.labels.get(label).is_some_and(|value| !value.is_empty());
    let fixed = [("job", case.alert), ("namespace", "kyc")];
    for (label, value) in fixed.iter().chain(case.labels) {
        if alert.labels.get(*label).map(String::as_str) != Some(value) {
            wrong.push(format!("{label} is not {value}: {:?}", alert.labels));
        }
    }
    let rule = &prometheus.rules().await[case.alert];
    for (name, template) in rule["annotations"].as_object().into_iter().flatten() {
        let template = template.as_str().unwrap_or_default();
        for rest in template.split("$labels.").skip(1) {
            let label = &rest
                [..rest.find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_').unwrap_or(rest.len())];
            if !has(label) {
                wrong.push(format!("{name} shows the label {label}, which is empty: {:?}", alert.labels));
            }
        }
        let text = alert.annotations.get(name).map_or("", String::as_str);
        if text.is_empty()
            || ["{{", "<no value>", "<nil>", "NaN", "error expanding"].iter().any(|slip| text.contains(slip))
        {
            wrong.push(format!("{name} is {text:?}"));
        }
    }
    let runbook = alert.annotations.get("runbook_url").map_or("", String::as_str);
    if !root().join(runbook).is_file() {
        wrong.push(format!("{runbook:?} is no page"));
    }
    wrong
}

/// Why an alert may fire in the scenario of another.
fn why(case: &Case, alert: &str) -> Option<&'static str> {
    case.companions.iter().find(|(name, _)| *name == alert).map(|(_, why)| *why)
}

/// Whether a commit took seconds, which are minutes of the faster clock.
async fn is_stalled(replica: &Replica) -> bool {
    let name = "argos_relay_commit_seconds";
    let quick = replica.metric_of(&format!("{name}_bucket"), r#"le="2.5""#).await;
    replica.metric(&format!("{name}_count")).await > quick
}

fn table(outcomes: &[Outcome]) -> String {
    let mut table = String::from("| alert | fault | fired after | with it |\n|---|---|---|---|\n");
    for Outcome { case, after, companions, .. } in outcomes {
        let after = after.map_or("never".to_owned(), |after| format!("{:.0} s", after.as_secs_f64()));
        let told = companions.iter().map(|name| format!("{name}: {}", why(case, name).unwrap_or(STALLED.1)));
        let told: Vec<String> = told.collect();
        let told = told.join("; ");
        writeln!(table, "| [{0}](runbooks/{0}.md) | {1} | {after} | {told} |", case.alert, case.fault)
            .expect("written");
    }
    table
}

/// Puts the table into its page, below the line that announces it.
fn write(table: &str) {
    const MARK: &str = "<!-- written by WRITE_ALERTS=1 make alerts -->\n";
    let page = std::fs::read_to_string(root().join(PAGE)).expect("the page");
    let (head, _) = page.split_once(MARK).expect("the page has its mark");
    std::fs::write(root().join(PAGE), format!("{head}{MARK}{table}")).expect("written");
}
