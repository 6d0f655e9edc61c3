//! `topics apply` and `topics check`: the topics that the promises rest on.

use super::progress::Progress;
use crate::cli::{Exit, Output, Topics};
use crate::config::{Config, Environment};
use crate::telemetry::chain;
use publisher::topics::{self, TopicOutcome, TopicsReport};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::io::Write;

/// Whether the topics are only looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// Create what is missing.
    Apply,
    /// Look.
    Check,
}

/// Exit 0 if all is well, 1 if a promise would break, 69 if the cluster does not answer.
pub(super) fn run(
    mode: Mode,
    arguments: &Topics,
    environment: &Environment,
    out: &mut impl Write,
    err: &mut impl Write,
) -> anyhow::Result<Exit> {
    let loaded = match Config::load(&arguments.config.path, environment) {
        Ok(loaded) => loaded,
        Err(errors) => {
            super::config_check::write_errors(&errors, err)?;
            return Ok(Exit::Usage);
        }
    };
    let settings = loaded.config.kafka.settings();
    if arguments.print_acls {
        super::acls::write(arguments, &settings, out)?;
        return Ok(Exit::Done);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let result = runtime.block_on(async {
        match mode {
            Mode::Apply => {
                let tell = Progress::new(arguments.output.output == Output::Text).only_on_a_terminal();
                let so_far = |made, of| tell.say(&format!("{made} of {of} partitions are there"));
                let report = topics::apply_telling(&settings, so_far).await;
                tell.end();
                report
            }
            Mode::Check => topics::check(&settings).await,
        }
    });
    match result {
        Ok(report) => {
            match arguments.output.output {
                Output::Text => write!(out, "{}", as_text(&report))?,
                Output::Json => writeln!(out, "{:#}", as_json(&report))?,
            }
            Ok(if report.is_ok() { Exit::Done } else { Exit::Failed })
        }
        Err(error) if error.is_away() => {
            writeln!(err, "error: {}", chain(&error))?;
            Ok(Exit::Unreachable)
        }
        Err(error) => Err(error.into()),
    }
}

/// One line a topic, then what breaks and which promise with it.
pub(super) fn as_text(report: &TopicsReport) -> String {
    let mut text = String::new();
    for line in &report.lines {
        // Writing to a String cannot fail.
        let _infallible = writeln!(text, "{:<10} {}", word(&line.outcome), line.topic);
        if let TopicOutcome::Breaks(findings) = &line.outcome {
            for finding in findings {
                let _infallible = writeln!(
                    text,
                    "           {} is {}, must be {}: {}",
                    finding.what, finding.is, finding.must_be, finding.promise
                );
            }
        }
    }
    for finding in &report.layout {
        let _infallible = writeln!(
            text,
            "layout     {} is {}, must be {}: {}",
            finding.what, finding.is, finding.must_be, finding.promise
        );
    }
    text
}

fn as_json(report: &TopicsReport) -> Value {
    let findings = |list: &[topics::Finding]| -> Vec<Value> {
        let one = |finding: &topics::Finding| json!({ "what": finding.what, "is": finding.is, "must_be": finding.must_be, "promise": finding.promise });
        list.iter().map(one).collect()
    };
    let lines: Vec<Value> = report
        .lines
        .iter()
        .map(|line| {
            let found = if let TopicOutcome::Breaks(list) = &line.outcome { findings(list) } else { Vec::new() };
            json!({ "topic": line.topic, "outcome": word(&line.outcome), "findings": found })
        })
        .collect();
    json!({ "ok": report.is_ok(), "topics": lines, "layout": findings(&report.layout) })
}

const fn word(outcome: &TopicOutcome) -> &'static str {
    match outcome {
        TopicOutcome::Created => "created",
        TopicOutcome::Fits => "fits",
        TopicOutcome::Missing => "missing",
        TopicOutcome::Breaks(_) => "breaks",
    }
}
