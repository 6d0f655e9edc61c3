//! The configuration: a TOML file, environment variables over it, secrets in files of their own.
//!
//! Owns: every key that an operator can set, its default, its bounds, and the text of what is wrong. One struct for each
//! room of the file, one module for each struct. `argos-relay.example.toml` shows every key; a test holds it to that.
//!
//! Must not know: what the rooms do with their settings, and the process's environment, which is an argument.
//!
//! Path: [`Config::load`] reads the file, lays the environment over it (`layers`), lets each room take its keys
//! (`read`), and returns either the whole configuration or the whole list of errors.

pub mod durations;
mod encryption;
mod estimate;
mod kafka;
mod layers;
mod list;
mod listeners;
mod log;
mod personal_data;
mod problem;
mod projects;
mod read;
mod reconciler;
mod schedules;
mod schema_registry;
mod secret;
mod traces;
mod values;
mod webhook;

#[cfg(test)]
mod tests;

pub use durations::ByteSize;
pub use encryption::{Encryption, EncryptionMode, KeyDerivation};
pub use kafka::{Kafka, Properties, Topics};
pub use list::{DateFormat, List};
pub use listeners::{Admin, Ingest, ListenerTls};
pub use log::{Log, LogFormat};
pub use personal_data::{PersonalData, PersonalField};
pub use problem::{ConfigError, ConfigWarning, Problem};
pub use projects::{Baseline, Fetch, Project};
pub use reconciler::Reconciler;
pub use schedules::{Aml, Deletions, Failures, NoticeAuthentication, Pending, Rechecks, Relooks, Sweep, Sweeps};
pub use schema_registry::SchemaRegistry;
pub use secret::{Secret, Secrets};
pub(crate) use secret::{lines as secret_lines, read_file as read_secret_file};
pub use traces::Traces;
pub(crate) use traces::headers as trace_headers;
pub use webhook::{Hmac, SignatureEncoding, StandardWebhooks, Webhook};

use read::{Report, Section};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;
use toml::Table;

/// All that an operator can set. Serialises to the effective configuration, secrets redacted.
#[derive(Clone, Debug, Serialize)]
pub struct Config {
    /// The bound on an orderly stop, from the signal to the exit. Default 25 s, under Kubernetes's 30 s.
    #[serde(serialize_with = "durations::duration")]
    pub drain_timeout: Duration,
    /// How often secret files are read again, to find out whether they changed. Default 5 s.
    #[serde(serialize_with = "durations::duration")]
    pub reread_secrets: Duration,
    /// What is logged.
    pub log: Log,
    /// What is traced.
    pub traces: Traces,
    /// Kafka.
    pub kafka: Kafka,
    /// The public listener.
    pub ingest: Ingest,
    /// The listener for operators.
    pub admin: Admin,
    /// The loop.
    pub reconciler: Reconciler,
    /// What may be published about a person.
    pub personal_data: PersonalData,
    /// ARGOS's projects; at least one.
    pub projects: Vec<Project>,
}

/// What the surroundings of the process contribute; tests bring their own.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    /// Environment variables.
    pub variables: BTreeMap<String, String>,
    /// The host's name.
    pub host_name: Option<String>,
}

impl Environment {
    /// That of this process.
    pub fn of_process() -> Environment {
        let text = |word: std::ffi::OsString| word.to_string_lossy().into_owned();
        let variables = std::env::vars_os().map(|(name, value)| (text(name), text(value))).collect();
        let host_name = std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
        let host_name = host_name.map(|name| name.trim().to_owned()).filter(|name| !name.is_empty());
        Environment { variables, host_name }
    }
}

/// A configuration that can be used.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// What its operator should know.
    pub warnings: Vec<ConfigWarning>,
}

impl Config {
    /// Reads the file, lays the environment over it, and checks everything. On failure the list has every error.
    pub fn load(path: &Path, environment: &Environment) -> Result<Loaded, Vec<ConfigError>> {
        let unreadable = |problem| vec![ConfigError { key: path.display().to_string(), variable: None, problem }];
        let text = std::fs::read_to_string(path).map_err(|error| {
            let path = path.display().to_string();
            unreadable(Problem::Unreadable { path, reason: error.kind().to_string() })
        })?;
        let table = parse(&text).map_err(unreadable)?;
        Config::assemble(table, path.parent().unwrap_or(Path::new("")), environment).0
    }

    /// As [`Config::load`], from text; files beside it are looked for in the working folder.
    pub fn parse(text: &str, environment: &Environment) -> Result<Loaded, Vec<ConfigError>> {
        let table = parse(text).map_err(|problem| vec![ConfigError { key: String::new(), variable: None, problem }])?;
        Config::assemble(table, Path::new(""), environment).0
    }

    /// All but the reading of the file. Beside the result, every key that a room asked for.
    fn assemble(
        mut table: Table,
        base: &Path,
        environment: &Environment,
    ) -> (Result<Loaded, Vec<ConfigError>>, BTreeSet<String>) {
        let mut report = Report::new(base);
        layers::apply(&mut table, &environment.variables, &mut report);
        let config = Config::read(Section::root(table, &report), environment);
        let (errors, warnings, known) = report.finish();
        let result = match config {
            Some(config) if errors.is_empty() => Ok(Loaded { config, warnings }),
            _ => Err(errors),
        };
        (result, known)
    }

    /// `None` only after an error.
    fn read(mut root: Section<'_>, environment: &Environment) -> Option<Config> {
        let drain_timeout = root.or("drain_timeout", Duration::from_secs(25));
        let fits = (Duration::from_secs(1)..=Duration::from_mins(10)).contains(&drain_timeout);
        root.check("drain_timeout", fits, "must be from 1s to 10m");
        let reread_secrets = root.or("reread_secrets", Duration::from_secs(5));
        let fits = (Duration::from_millis(100)..=Duration::from_hours(1)).contains(&reread_secrets);
        root.check("reread_secrets", fits, "must be from 100ms to 1h");
        let log = Log::read(root.section("log"));
        let traces = Traces::read(root.section("traces"));
        let kafka = Kafka::read(root.section("kafka"), environment.host_name.as_deref());
        let ingest = Ingest::read(root.section("ingest"));
        let admin = Admin::read(root.section("admin"), &ingest);
        let reconciler = Reconciler::read(root.section("reconciler"));
        let personal_data = PersonalData::read(root.section("personal_data"));
        let projects = Project::read_all(&mut root);
        root.check(
            "ingest.project_share",
            ingest.gives_room_to(projects.len()),
            "leaves a project no room for one body of body_limit: raise it, max_in_flight or max_bytes_in_flight",
        );
        Some(Config {
            drain_timeout,
            reread_secrets,
            log,
            traces,
            kafka,
            ingest,
            admin,
            reconciler,
            personal_data: personal_data?,
            projects,
        })
    }
}

/// Line and column of a syntax error, and what it is; never the line itself, which may hold a secret.
fn parse(text: &str) -> Result<Table, Problem> {
    text.parse().map_err(|error: toml::de::Error| {
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or("");
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().map_or(0, |part| part.chars().count()) + 1;
        Problem::Value(format!("not TOML: line {line}, column {column}: {}", error.message()))
    })
}
