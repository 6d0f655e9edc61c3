//! Arguments of the commands that operators use on a running service.
//!
//! Owns: their names, defaults and the reading of days, durations and keys. Must not know what they do.

use super::{ConfigFile, OutputForm};
use crate::config::durations::parse_duration;
use clap::{Args, Subcommand};
use models::{Key, ProjectId, Time};
use secrecy::SecretString;
use std::path::PathBuf;
use std::time::Duration;

/// Arguments of `doctor`.
#[derive(Debug, Args)]
pub struct Doctor {
    /// The configuration.
    #[command(flatten)]
    pub config: ConfigFile,
    /// Only this project; else each one that is configured.
    #[arg(long, value_parser = project)]
    pub project: Option<ProjectId>,
    /// The form of the result.
    #[command(flatten)]
    pub output: OutputForm,
}

/// Where a replica answers operators.
#[derive(Debug, Args)]
pub struct AdminAt {
    /// Its admin listener, such as <http://127.0.0.1:9464>; else the one of the configuration.
    #[arg(long, value_name = "URL")]
    pub admin: Option<String>,
    /// A file with its bearer token in the first line; else what the configuration has.
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
}

/// Arguments of `status`.
#[derive(Debug, Args)]
pub struct Status {
    /// The configuration.
    #[command(flatten)]
    pub config: ConfigFile,
    /// Which replica.
    #[command(flatten)]
    pub at: AdminAt,
    /// The form of the result.
    #[command(flatten)]
    pub output: OutputForm,
}

/// Arguments of `explain`.
#[derive(Debug, Args)]
pub struct Explain {
    /// `<project>/<submission_id>`.
    #[arg(value_parser = key)]
    pub key: Key,
    /// The configuration.
    #[command(flatten)]
    pub config: ConfigFile,
    /// Which replica.
    #[command(flatten)]
    pub at: AdminAt,
    /// The form of the result.
    #[command(flatten)]
    pub output: OutputForm,
}

/// Arguments of `lookup`.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("person").required(true))]
pub struct Lookup {
    /// The configuration.
    #[command(flatten)]
    pub config: ConfigFile,
    /// At which project.
    #[arg(long, value_parser = project)]
    pub project: ProjectId,
    /// Your own id of the person. `-` reads it from standard input, where no list of processes shows it.
    #[arg(long, group = "person", value_parser = person)]
    pub user: Option<SecretString>,
    /// The person's e-mail address; `-` as above.
    #[arg(long, group = "person", value_parser = person)]
    pub email: Option<SecretString>,
    /// The form of the result.
    #[command(flatten)]
    pub output: OutputForm,
}

/// Arguments of `reconcile`.
#[derive(Debug, Args)]
pub struct Reconcile {
    /// `<project>/<submission_id>`.
    #[arg(value_parser = key)]
    pub key: Key,
    /// The configuration.
    #[command(flatten)]
    pub config: ConfigFile,
    /// End once the hint is acknowledged.
    #[arg(long)]
    pub no_wait: bool,
    /// How long its result is waited for.
    #[arg(long, value_name = "SPAN", default_value = "30s", value_parser = span)]
    pub timeout: Duration,
    /// The form of the result.
    #[command(flatten)]
    pub output: OutputForm,
}

/// Arguments of `erase`.
#[derive(Debug, Args)]
pub struct Erase {
    /// `<project>/<submission_id>`.
    #[arg(value_parser = key)]
    pub key: Key,
    /// The configuration.
    #[command(flatten)]
    pub config: ConfigFile,
    /// Do it. Without this, only what is held is told. It cannot be undone.
    #[arg(long)]
    pub yes: bool,
    /// How long its result is waited for.
    #[arg(long, value_name = "SPAN", default_value = "30s", value_parser = span)]
    pub timeout: Duration,
    /// The form of the result.
    #[command(flatten)]
    pub output: OutputForm,
}

/// What can be done with the ledger.
#[derive(Debug, Subcommand)]
pub enum LedgerCommand {
    /// Make a lost ledger anew out of the state topic and the events, so that sequences go on. No replica may run.
    Rebuild(Rebuild),
}

/// Arguments of `ledger rebuild`.
#[derive(Debug, Args)]
pub struct Rebuild {
    /// The configuration.
    #[command(flatten)]
    pub config: ConfigFile,
    /// Do it. Without this, only what would be written is counted.
    #[arg(long)]
    pub yes: bool,
    /// The form of the result.
    #[command(flatten)]
    pub output: OutputForm,
}

/// Arguments of `redrive`.
#[derive(Debug, Args)]
pub struct Redrive {
    /// The configuration.
    #[command(flatten)]
    pub config: ConfigFile,
    /// Only dead letters of this project. With this or `--reason`, how far it came is not kept.
    #[arg(long, value_parser = project)]
    pub project: Option<ProjectId>,
    /// Only dead letters of this reason class.
    #[arg(long)]
    pub reason: Option<String>,
    /// At most so many submissions.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    pub limit: Option<u64>,
    /// From the topic's start, instead of where the last one ended.
    #[arg(long)]
    pub from_start: bool,
    /// Count, and send nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// The form of the result.
    #[command(flatten)]
    pub output: OutputForm,
}

/// Arguments of `backfill`.
#[derive(Debug, Args)]
pub struct Backfill {
    /// The configuration.
    #[command(flatten)]
    pub config: ConfigFile,
    /// Of which project.
    #[arg(long, value_parser = project)]
    pub project: ProjectId,
    /// Created not before: a day (UTC) or an RFC 3339 time.
    #[arg(long, value_name = "DAY", value_parser = from)]
    pub from: Time,
    /// Created not after: a day (UTC, included) or an RFC 3339 time.
    #[arg(long, value_name = "DAY", value_parser = to)]
    pub to: Time,
    /// Walk the list here, count, estimate, and send nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Pages a second of the dry run.
    #[arg(long, default_value_t = 1.0, requires = "dry_run", value_parser = rate)]
    pub rate: f64,
    /// End once the request is acknowledged.
    #[arg(long, conflicts_with = "dry_run")]
    pub detach: bool,
    /// How long the walk's beginning is waited for.
    #[arg(long, value_name = "SPAN", default_value = "5m", value_parser = span)]
    pub begins_within: Duration,
    /// The form of the result.
    #[command(flatten)]
    pub output: OutputForm,
}

/// Arguments of `verify`.
#[derive(Debug, Args)]
pub struct Verify {
    /// The configuration.
    #[command(flatten)]
    pub config: ConfigFile,
    /// Of which project.
    #[arg(long, value_parser = project)]
    pub project: ProjectId,
    /// Created not before: a day (UTC) or an RFC 3339 time.
    #[arg(long, value_name = "DAY", value_parser = from)]
    pub from: Option<Time>,
    /// Created not after: a day (UTC, included) or an RFC 3339 time.
    #[arg(long, value_name = "DAY", value_parser = to)]
    pub to: Option<Time>,
    /// Pages, and GETs, a second.
    #[arg(long, default_value_t = 1.0, value_parser = rate)]
    pub rate: f64,
    /// What changed within this time is looked at again before it counts as a difference.
    #[arg(long, value_name = "SPAN", default_value = "2m", value_parser = span)]
    pub settle: Duration,
    /// The form of the result.
    #[command(flatten)]
    pub output: OutputForm,
}

fn project(text: &str) -> Result<ProjectId, models::InvalidId> {
    ProjectId::new(text)
}

/// Kept out of `Debug` from here on.
#[expect(clippy::unnecessary_wraps, reason = "the form that clap asks for")]
fn person(text: &str) -> Result<SecretString, std::convert::Infallible> {
    Ok(SecretString::from(text))
}

fn key(text: &str) -> Result<Key, models::InvalidId> {
    Key::parse(text)
}

fn span(text: &str) -> Result<Duration, &'static str> {
    parse_duration(text).ok_or("expected whole numbers with units of d, h, m, s or ms, for example 30s")
}

fn rate(text: &str) -> Result<f64, &'static str> {
    let number: f64 = text.parse().map_err(|_| "expected a number")?;
    if number > 0.0 && number <= 5_000.0 { Ok(number) } else { Err("must be over 0, and 5000 at most") }
}

const DAY: Duration = Duration::from_hours(24);

fn day(text: &str) -> Option<Time> {
    if text.len() == 10 { format!("{text}T00:00:00Z").parse().ok() } else { None }
}

fn from(text: &str) -> Result<Time, &'static str> {
    day(text).or_else(|| text.parse().ok()).ok_or("expected YYYY-MM-DD or an RFC 3339 time")
}

fn to(text: &str) -> Result<Time, &'static str> {
    let end = day(text).map(|start| start + DAY - Duration::from_millis(1));
    end.or_else(|| text.parse().ok()).ok_or("expected YYYY-MM-DD or an RFC 3339 time")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_whole_and_times_are_exact() {
        assert_eq!(from("2026-03-02").unwrap().to_string(), "2026-03-02T00:00:00.000Z");
        assert_eq!(to("2026-03-02").unwrap().to_string(), "2026-03-02T23:59:59.999Z");
        assert_eq!(from("2026-03-02T05:00:00+09:00"), to("2026-03-01T20:00:00Z"));
        for wrong in ["", "yesterday", "2026-13-01", "20260302", "02.03.2026"] {
            assert!(from(wrong).is_err() && to(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn rates_and_spans_have_bounds() {
        assert_eq!(span("1m30s"), Ok(Duration::from_secs(90)));
        assert!(span("soon").is_err());
        assert_eq!(rate("0.5"), Ok(0.5));
        for wrong in ["0", "-1", "NaN", "inf", "fast"] {
            assert!(rate(wrong).is_err(), "{wrong}");
        }
    }
}
