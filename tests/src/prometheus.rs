//! A real Prometheus: started with rules, told whom to scrape, and asked what fires.
//!
//! Owns: its process and files, and its HTTP interface as far as tests use it. Must not know: any rule.

use crate::{free_port, scale};
use serde::Deserialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How often it scrapes and evaluates, whatever the rules' times were divided by.
const EVERY: &str = "500ms";

/// Labels and their values.
pub type Labels = BTreeMap<String, String>;

/// An alert that is pending or fires.
#[derive(Clone, Debug, Deserialize)]
pub struct Alert {
    /// With `alertname`.
    pub labels: Labels,
    /// As rendered.
    pub annotations: Labels,
    /// `pending` or `firing`.
    pub state: String,
}

/// Ended with the value.
#[derive(Debug)]
pub struct Prometheus {
    dir: TempDir,
    port: u16,
    child: Child,
    client: reqwest::Client,
    targets: Mutex<BTreeMap<String, Vec<String>>>,
}

impl Prometheus {
    /// With these rules, whose times were divided by `factor`. Returns once it answers.
    pub async fn start(rules: &str, factor: u32) -> Prometheus {
        let (dir, port) = (TempDir::new().expect("a folder"), free_port());
        let config = format!(
            "global: {{scrape_interval: {EVERY}, scrape_timeout: {EVERY}, evaluation_interval: {EVERY}}}\n\
             rule_files: [rules.yaml]\n\
             scrape_configs: [{{job_name: none, file_sd_configs: [{{files: [targets.json], refresh_interval: 1s}}]}}]\n"
        );
        for (name, text) in [("prometheus.yaml", config.as_str()), ("rules.yaml", rules), ("targets.json", "[]")] {
            std::fs::write(dir.path().join(name), text).expect("its files");
        }
        let log = File::create(dir.path().join("log")).expect("a log");
        let lookback = scale::duration("5m", factor).expect("a factor of the five minutes that a sample counts");
        let child = Command::new("prometheus")
            .arg(format!("--config.file={}", dir.path().join("prometheus.yaml").display()))
            .arg(format!("--storage.tsdb.path={}", dir.path().join("data").display()))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .arg(format!("--query.lookback-delta={lookback}"))
            .arg("--log.level=warn")
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("the log twice"))
            .stderr(log)
            .spawn()
            .expect("prometheus starts");
        let prometheus = Prometheus { dir, port, child, client: client(), targets: Mutex::default() };
        let until = Instant::now() + Duration::from_mins(1);
        while prometheus.get("/-/ready").await.is_none() {
            assert!(Instant::now() < until, "{}", prometheus.log());
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        prometheus
    }

    /// Scrapes these addresses (`http://HOST:PORT`), and no others, as this job. Without any, the job is forgotten.
    pub fn scrape(&self, job: &str, addresses: &[String]) {
        let mut targets = self.targets.lock().unwrap_or_else(PoisonError::into_inner);
        targets.insert(job.to_owned(), addresses.iter().map(|one| one.replace("http://", "")).collect());
        let groups: Vec<Value> = (targets.iter().filter(|(_, addresses)| !addresses.is_empty()))
            .map(|(job, addresses)| serde_json::json!({"targets": addresses, "labels": {"job": job, "namespace": "kyc"}}))
            .collect();
        let written = self.dir.path().join("targets.tmp");
        std::fs::write(&written, Value::from(groups).to_string()).expect("the targets");
        std::fs::rename(written, self.dir.path().join("targets.json")).expect("the targets in place");
    }

    /// An instant query: labels and values.
    pub async fn query(&self, query: &str) -> Vec<(Labels, f64)> {
        let data = self.data("/api/v1/query", &[("query", query)]).await;
        let result = data["result"].as_array().cloned().unwrap_or_default();
        let sample = |sample: Value| {
            let labels: Labels = serde_json::from_value(sample["metric"].clone()).expect("labels");
            let value = sample["value"][1].as_str().and_then(|text| text.parse().ok()).expect("a number");
            (labels, value)
        };
        result.into_iter().map(sample).collect()
    }

    /// All alerts of a job that are pending or fire; with an empty name those of no job.
    pub async fn alerts(&self, job: &str) -> Vec<Alert> {
        let data = self.data("/api/v1/alerts", &[]).await;
        let alerts: Vec<Alert> = serde_json::from_value(data["alerts"].clone()).expect("alerts");
        alerts.into_iter().filter(|alert| alert.labels.get("job").map_or("", String::as_str) == job).collect()
    }

    /// The names of all alerts of a job that have fired so far.
    pub async fn fired(&self, job: &str) -> BTreeSet<String> {
        let query = format!(r#"count by (alertname) (last_over_time(ALERTS{{alertstate="firing",job="{job}"}}[1h]))"#);
        let told = self.query(&query).await;
        told.into_iter().map(|(labels, _)| labels["alertname"].clone()).collect()
    }

    /// The alerting rules as they were read, by name.
    pub async fn rules(&self) -> BTreeMap<String, Value> {
        let data = self.data("/api/v1/rules", &[("type", "alert")]).await;
        let groups = data["groups"].as_array().cloned().unwrap_or_default();
        let rules = groups.iter().flat_map(|group| group["rules"].as_array().cloned().unwrap_or_default());
        rules.map(|rule| (rule["name"].as_str().expect("a name").to_owned(), rule)).collect()
    }

    async fn data(&self, path: &str, parameters: &[(&str, &str)]) -> Value {
        let request = self.client.get(self.url(path)).query(parameters);
        let answer = request.send().await.expect("prometheus answers").text().await.expect("a body");
        let mut answer: Value = serde_json::from_str(&answer).expect("JSON");
        assert_eq!(answer["status"], "success", "{path} {parameters:?}: {answer}");
        answer["data"].take()
    }

    async fn get(&self, path: &str) -> Option<String> {
        let answer = self.client.get(self.url(path)).send().await.ok()?;
        if answer.status().is_success() { answer.text().await.ok() } else { None }
    }

    fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let ended = self.child.kill().and_then(|()| self.child.wait());
        if std::thread::panicking() {
            eprintln!("---- prometheus ({ended:?}) ----\n{}", self.log());
        }
    }
}

/// Plain HTTP needs no roots, and reqwest is built without a provider.
fn client() -> reqwest::Client {
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    reqwest::Client::builder().tls_backend_preconfigured(tls).no_proxy().build().expect("a client")
}
