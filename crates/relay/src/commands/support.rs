//! What the operators' commands share: reading the configuration, ending early, asking ARGOS, sending hints.
//!
//! Owns: which failure is which exit code. Must not know what a single command does.
//!
//! Path: [`with_config`] reads the file and runs a command; whatever ends that early is an [`Ended`], told once here.

use crate::cli::{ConfigFile, Exit, Output};
use crate::config::{Config, Environment, Project};
use crate::secrets::SecretFiles;
use crate::telemetry::chain;
use argos::Client;
use models::{Hint, HintSink, Key, Lane, LookError, ProjectId, Request, SinkError, Time};
use prometheus::Registry;
use publisher::reading::ReadError;
use publisher::topics::TopicsError;
use publisher::{KafkaHintSink, KafkaMetrics};
use reconciler::clock::{Clock, SystemClock};
use serde_json::Value;
use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;

/// How long the first contact with Kafka may take.
const CONTACT: Duration = Duration::from_secs(15);

/// Why a command ends early.
#[derive(Debug)]
pub(super) enum Ended {
    /// The arguments do not fit the configuration.
    Usage(String),
    /// Kafka or ARGOS does not answer.
    Unreachable(anyhow::Error),
    /// Anything else.
    Failed(anyhow::Error),
}

impl From<ReadError> for Ended {
    fn from(error: ReadError) -> Ended {
        match error {
            ReadError::Unreachable(_) | ReadError::Refused(_) => Ended::Unreachable(error.into()),
            ReadError::NoTopic(_) | ReadError::Denied(_) => Ended::Failed(error.into()),
        }
    }
}

impl From<TopicsError> for Ended {
    fn from(error: TopicsError) -> Ended {
        if error.is_away() { Ended::Unreachable(error.into()) } else { Ended::Failed(error.into()) }
    }
}

impl From<SinkError> for Ended {
    fn from(error: SinkError) -> Ended {
        match error {
            SinkError::Full | SinkError::Unavailable(_) => Ended::Unreachable(error.into()),
            SinkError::Denied(_) => Ended::Failed(error.into()),
        }
    }
}

impl From<LookError> for Ended {
    fn from(error: LookError) -> Ended {
        match error {
            LookError::Retry(_) | LookError::Throttled { .. } => Ended::Unreachable(error.into()),
            LookError::Denied(_) | LookError::Unreadable(_) | LookError::UnknownProject => Ended::Failed(error.into()),
        }
    }
}

impl From<std::io::Error> for Ended {
    fn from(error: std::io::Error) -> Ended {
        Ended::Failed(error.into())
    }
}

impl From<anyhow::Error> for Ended {
    fn from(error: anyhow::Error) -> Ended {
        Ended::Failed(error)
    }
}

/// Reads the configuration, runs `work` and tells what ended it.
pub(super) fn with_config<W: Write>(
    file: &ConfigFile,
    environment: &Environment,
    err: &mut W,
    work: impl FnOnce(Config, &mut W) -> Result<Exit, Ended>,
) -> anyhow::Result<Exit> {
    let config = match Config::load(&file.path, environment) {
        Ok(loaded) => loaded.config,
        Err(errors) => {
            super::config_check::write_errors(&errors, err)?;
            return Ok(Exit::Usage);
        }
    };
    match work(config, err) {
        Ok(exit) => Ok(exit),
        Err(Ended::Usage(why)) => {
            writeln!(err, "error: {why}")?;
            Ok(Exit::Usage)
        }
        Err(Ended::Unreachable(error)) => {
            writeln!(err, "error: {}", chain(&*error))?;
            Ok(Exit::Unreachable)
        }
        Err(Ended::Failed(error)) => Err(error),
    }
}

/// The wall clock.
pub(super) fn now() -> Time {
    SystemClock.now()
}

/// The runtime of a command: one thread runs its tasks, so that what blocks may do so on the caller's.
pub(super) fn runtime() -> std::io::Result<Runtime> {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()
}

/// The text for people, or the document for programs.
pub(super) fn print(out: &mut impl Write, form: Output, text: &str, document: &Value) -> std::io::Result<()> {
    match form {
        Output::Text => write!(out, "{text}"),
        Output::Json => writeln!(out, "{document:#}"),
    }
}

/// A configured project.
pub(super) fn project<'a>(config: &'a Config, id: &str) -> Result<&'a Project, Ended> {
    config.projects.iter().find(|project| project.id.as_str() == id).ok_or_else(|| {
        let all: Vec<&str> = config.projects.iter().map(|project| project.id.as_str()).collect();
        Ended::Usage(format!("no project {id:?} is configured; there are: {}", all.join(", ")))
    })
}

/// The client for ARGOS, as the service has it. Its requests are not counted in the service's budget.
pub(super) fn client(config: &Config) -> anyhow::Result<Client> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    crate::wiring::source(config, &clock, &mut SecretFiles::default())
}

/// The way of hints into Kafka.
pub(super) struct Sender {
    runtime: Runtime,
    sink: KafkaHintSink,
}

impl Sender {
    /// Waits until Kafka can acknowledge.
    pub(super) fn open(config: &Config) -> Result<Sender, Ended> {
        let runtime = runtime()?;
        let metrics = KafkaMetrics::register(&Registry::new()).map_err(anyhow::Error::from)?;
        let sink = KafkaHintSink::open(config.kafka.settings(), metrics).map_err(anyhow::Error::from)?;
        let until = Instant::now() + CONTACT;
        while !sink.is_available() {
            if let Some(refusal) = sink.refusal() {
                return Err(SinkError::Unavailable(format!("the cluster refuses: {refusal}")).into());
            }
            if Instant::now() >= until {
                return Err(
                    SinkError::Unavailable(format!("{} is not reachable", config.kafka.bootstrap_servers)).into()
                );
            }
            // Made inside: a timer wants its runtime.
            runtime.block_on(async { tokio::time::sleep(Duration::from_millis(50)).await });
        }
        Ok(Sender { runtime, sink })
    }

    /// Returns once the hint is acknowledged by all in-sync replicas.
    pub(super) fn hint(&self, key: &Key, lane: Lane, hint: &Hint) -> Result<(), Ended> {
        Ok(self.runtime.block_on(self.sink.accept(key, lane, hint))?)
    }

    /// Returns once the request is acknowledged.
    pub(super) fn request(&self, request: &Request) -> Result<(), Ended> {
        Ok(self.runtime.block_on(self.sink.request(request))?)
    }
}

/// How many requests a second a command may make: what was asked for, and never more than the service itself may.
pub(super) fn rate(asked: f64, project: &Project) -> f64 {
    asked.min(project.requests_per_second)
}

/// A pause that keeps a walk at its rate.
pub(super) async fn pace(rate: f64) {
    tokio::time::sleep(Duration::from_secs_f64(1.0 / rate)).await;
}

/// Walks a project's list page by page; `each` takes a page. Ends early where the list does not move on.
pub(super) async fn walk(
    client: &Client,
    project: &ProjectId,
    (from, to): (Option<Time>, Option<Time>),
    rate: f64,
    mut each: impl FnMut(models::Page),
) -> Result<bool, LookError> {
    use models::{PageQuery, TruthSource};
    let mut query = PageQuery { project: project.to_string(), from, to, cursor: None };
    let mut seen = std::collections::HashSet::new();
    loop {
        let mut page = client.page(&query).await?;
        let next = page.next.take();
        each(page);
        let Some(cursor) = next else { return Ok(true) };
        // A cursor that comes twice would lead in a circle.
        if !seen.insert(cursor.clone()) {
            return Ok(false);
        }
        query.cursor = Some(cursor);
        pace(rate).await;
    }
}
