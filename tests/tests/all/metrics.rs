//! Alerts, runbooks and the dashboard, held to each other and to what a running service tells.

use crate::alerts::RULES;
use serde_json::Value;
use simulator::{Pace, Scenario};
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::process::{Command, Output, Stdio};
use std::time::Duration;
use tests::broker::root;
use tests::promql::{self, Selector};
use tests::service::{Replica, Setup, binary};
use tests::tools::there_is;
use tests::{API_KEY, PROJECT, TOKEN, broker, check, simulator};

const DASHBOARD: &str = "helm/argos-relay/dashboards/argos-relay.json";

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The texts of a folder's files by name without extension, of those with the extension.
fn folder(path: &str, extension: &str) -> BTreeMap<String, String> {
    let files = std::fs::read_dir(root().join(path)).expect("a folder").flatten().map(|entry| entry.path());
    files
        .filter(|file| file.extension().is_some_and(|found| found == extension))
        .map(|file| {
            let name = file.file_stem().expect("a name").to_string_lossy().into_owned();
            (name, std::fs::read_to_string(&file).expect("a text"))
        })
        .collect()
}

fn promtool(arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new("promtool")
        .args(arguments)
        .current_dir(root())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool runs");
    child.stdin.take().expect("its input").write_all(input.as_bytes()).expect("it reads");
    child.wait_with_output().expect("it ends")
}

fn told(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// The names after `- alert: `.
fn alerts() -> BTreeSet<String> {
    let rules = read(RULES);
    rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).map(str::to_owned).collect()
}

#[test]
fn the_alerts_pass_their_unit_tests() {
    if !there_is("promtool") {
        return;
    }
    let checked = promtool(&["check", "rules", RULES], "");
    assert!(checked.status.success(), "{}", told(&checked));
    let cases: Vec<String> =
        folder("tests/rules", "yaml").keys().map(|name| format!("tests/rules/{name}.yaml")).collect();
    assert!(cases.len() >= 4, "{cases:?}");
    let mut arguments = vec!["test", "rules"];
    arguments.extend(cases.iter().map(String::as_str));
    let tested = promtool(&arguments, "");
    assert!(tested.status.success(), "{}", told(&tested));
}

#[test]
fn every_alert_fires_in_one_case_and_keeps_quiet_in_another() {
    let cases = folder("tests/rules", "yaml").into_values().collect::<Vec<_>>().join("\n");
    let lines: Vec<&str> = cases.lines().map(str::trim).collect();
    for alert in alerts() {
        let name = format!("alertname: {alert}");
        let expected = lines.windows(2).filter(|pair| pair[0] == name).map(|pair| pair[1]);
        let expected: BTreeSet<&str> = expected.collect();
        assert_eq!(expected, BTreeSet::from(["exp_alerts: []", "exp_alerts:"]), "the cases of {alert}");
    }
}

#[test]
fn every_alert_has_its_runbook_and_every_runbook_its_alert() {
    let (alerts, pages) = (alerts(), folder("docs/runbooks", "md"));
    assert!(alerts.len() >= 20, "{alerts:?}");
    assert_eq!(alerts, pages.keys().cloned().collect());
    let rules = read(RULES);
    for (alert, page) in &pages {
        assert!(rules.contains(&format!("runbook_url: docs/runbooks/{alert}.md\n")), "{alert} does not name its page");
        let parts = [
            format!("# {alert}\n"),
            "**What it means.**".into(),
            "**What to look at.**".into(),
            "**What to do.**".into(),
        ];
        assert!(parts.iter().all(|part| page.contains(part.as_str())), "{alert}: {page}");
        for target in page.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            assert!(root().join("docs/runbooks").join(target).exists(), "{alert}: {target} does not exist");
        }
    }
}

/// Whoever is woken at night copies them as they stand.
#[test]
fn runbooks_name_commands_that_exist() {
    let mut named = BTreeSet::new();
    for page in folder("docs/runbooks", "md").into_values() {
        for rest in page.split("`argos-relay ").skip(1) {
            let words: Vec<&str> = rest.split('`').next().unwrap_or_default().split_whitespace().collect();
            let is_word = |word: &&&str| word.chars().all(|letter| letter.is_ascii_lowercase());
            named.insert(words.iter().take_while(is_word).map(|word| (*word).to_owned()).collect::<Vec<_>>());
        }
    }
    assert!(named.len() >= 5, "{named:?}");
    let readme = read("README.md");
    let (_, not_yet) = readme.split_once("## Not yet").unwrap_or_default();
    for words in named {
        if not_yet.contains(&format!("`{}`", words.join(" "))) {
            continue;
        }
        let help = Command::new(binary()).args(&words).arg("--help").output().expect("the binary runs");
        assert!(help.status.success(), "argos-relay {}: {}", words.join(" "), told(&help));
    }
}

fn dashboard() -> Value {
    serde_json::from_str(&read(DASHBOARD)).expect("JSON")
}

fn panels(dashboard: &Value) -> Vec<Value> {
    let all = dashboard["panels"].as_array().expect("panels").iter();
    all.filter(|panel| panel["type"] != "row").cloned().collect()
}

/// Every expression of the dashboard, its variables replaced as Grafana does it.
pub(crate) fn expressions() -> Vec<String> {
    let of = |panel: Value| panel["targets"].as_array().cloned().unwrap_or_default();
    let expressions = panels(&dashboard()).into_iter().flat_map(of).map(|target| {
        let text = target["expr"].as_str().expect("a query").to_owned();
        text.replace("$__rate_interval", "5m").replace("$job", ".*").replace("$project", ".*")
    });
    expressions.collect()
}

#[test]
fn the_dashboard_is_whole() {
    let dashboard = dashboard();
    let all = dashboard["panels"].as_array().expect("panels");
    let ids: BTreeSet<i64> = all.iter().filter_map(|panel| panel["id"].as_i64()).collect();
    assert_eq!(ids.len(), all.len(), "an id twice");
    let mut places = BTreeSet::new();
    let panels = panels(&dashboard);
    assert!(panels.len() >= 30, "{}", panels.len());
    for panel in &panels {
        let says = |text: &Value| text.as_str().is_some_and(|text| !text.trim().is_empty());
        assert!(says(&panel["title"]) && says(&panel["description"]), "{panel}");
        assert!(says(&panel["fieldConfig"]["defaults"]["unit"]), "no unit: {}", panel["title"]);
        let targets = panel["targets"].as_array().expect("targets");
        assert!(
            !targets.is_empty() && targets.iter().all(|target| says(&target["legendFormat"])),
            "{}",
            panel["title"]
        );
        let place = [&panel["gridPos"]["x"], &panel["gridPos"]["y"]].map(|value| value.as_i64().expect("a place"));
        assert!(places.insert(place), "two panels in one place: {}", panel["title"]);
    }
    if there_is("python3") {
        let script = root().join("tests/dashboard/generate.py");
        let output = Command::new("python3").arg(script).arg("--check").output().expect("python runs");
        assert!(output.status.success(), "{}", told(&output));
    }
}

/// What Prometheus itself reads of the dashboard: each query as the rule of a file.
#[test]
fn every_query_of_the_dashboard_is_promql() {
    if !there_is("promtool") {
        return;
    }
    let mut file = tempfile::Builder::new().suffix(".yaml").tempfile().expect("a file");
    let rules: Vec<Value> = (expressions().iter().enumerate())
        .map(|(number, query)| serde_json::json!({"record": format!("dashboard:query_{number}"), "expr": query}))
        .collect();
    // JSON is YAML.
    let text = serde_json::json!({"groups": [{"name": "dashboard", "rules": rules}]}).to_string();
    file.write_all(text.as_bytes()).expect("written");
    let checked = promtool(&["check", "rules", file.path().to_str().expect("a path")], "");
    assert!(checked.status.success(), "{}", told(&checked));
}

const SWEEPS: &str = r#"sweeps = { recent = { every = "1s", created_within = "3d" }, month = { every = "1s" }, full = { every = "1s" }, lag = "100ms" }"#;

/// A replica with its secret in a file, and sweeps that end within seconds.
fn setup(bootstrap: &str, base_url: &str, secret: &std::path::Path) -> Setup {
    let mut setup = Setup::new(bootstrap, "metrics", base_url);
    setup.api_key = format!("api_key_file = {:?}", secret.display().to_string());
    SWEEPS.clone_into(&mut setup.project);
    setup
}

/// Scrapes until everything was told that comes only with time: the age of every walk, and librdkafka's figures.
async fn scraped(replica: &Replica) -> String {
    let late = [
        r#"sweep_age_seconds{project="acme",sweep="recent"}"#,
        r#"sweep_age_seconds{project="acme",sweep="month"}"#,
        r#"sweep_age_seconds{project="acme",sweep="full"}"#,
        "secret_age_seconds{",
        "kafka_consumer_lag{",
        r#"kafka_queue_messages{client="ledger"}"#,
        r#"kafka_queue_messages{client="hints"}"#,
    ];
    for _ in 0..300 {
        let text = replica.metrics().await;
        if late.iter().all(|series| text.contains(&format!("\nargos_relay_{series}"))) {
            return text;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("one of {late:?} is not told\n{}", replica.metrics().await);
}

fn held(place: &str, selectors: &[Selector], told: &promql::Told) {
    assert!(!selectors.is_empty(), "{place} asks for nothing");
    let wrong: Vec<String> = selectors.iter().filter_map(|selector| told.lacks(selector)).collect();
    assert!(wrong.is_empty(), "{place} asks for what no service tells: {wrong:#?}");
}

/// Alerts, dashboard and runbooks ask only for series that a running service has, with words of its labels; and the page
/// of the metrics names all that it tells.
#[tokio::test(flavor = "multi_thread")]
async fn every_query_asks_for_what_a_running_service_tells() {
    let Some(bootstrap) = broker::bootstrap() else { return };
    let sim = simulator(81).await;
    let mut secret = tempfile::NamedTempFile::new().expect("a file");
    writeln!(secret, "{API_KEY}").expect("written");
    let setup = setup(&bootstrap, sim.base_url(), secret.path());
    let mut replica = Replica::new(&setup, "relay-0");
    replica.apply_topics();
    replica.start_ready().await;
    sim.set_targets(PROJECT, vec![replica.target()], Some(TOKEN.to_owned()));
    let pace = Pace { min_ms: 20, max_ms: 100 };
    Scenario { seed: 81, submissions: 20, pace, ..Scenario::default() }.run(&sim).await.expect("webhooks are sent");
    check::converged(&setup, &sim, Duration::from_secs(30)).await;
    let text = scraped(&replica).await;
    let told = promql::Told::of(&text);

    held("the rules", &promql::selectors(&read(RULES)), &told);
    held("the dashboard", &promql::selectors(&expressions().join("\n")), &told);
    let runbooks = folder("docs/runbooks", "md").into_values().collect::<Vec<_>>().join("\n");
    held("the runbooks", &promql::selectors(&runbooks), &told);
    for text in [read(RULES), expressions().join("\n")] {
        let strange: Vec<_> = promql::grouped(&text).into_iter().filter(|label| !told.has_label(label)).collect();
        assert!(strange.is_empty(), "labels that no series has: {strange:?}");
    }
    let named = read("docs/metrics.md");
    let unnamed: Vec<_> = told.families().filter(|name| !named.contains(&format!("| `{name}` |"))).collect();
    assert!(unnamed.is_empty(), "not in docs/metrics.md: {unnamed:?}");

    // What is read is told, and nothing waits any more.
    assert!(replica.metric("argos_relay_kafka_consumer_position").await > 0.0, "{text}");
    assert!(replica.metric("argos_relay_hint_confirm_lag_seconds_count").await > 0.0);
    if there_is("promtool") {
        let checked = promtool(&["check", "metrics"], &text);
        assert!(checked.status.success() && checked.stderr.is_empty(), "{}", self::told(&checked));
    }
}
