//! `redrive`: dead letters are reconciled again. Nothing is re-sent: a dead letter has no body, only a key.
//!
//! How far it came is kept as offsets of a group of its own, once all hints are acknowledged; so a redrive that breaks
//! off repeats some hints, which is harmless, and misses none.

use super::support::{self, Ended, Sender};
use crate::cli::{Exit, Redrive};
use crate::config::{Config, Environment};
use crate::operate::hints;
use crate::operate::letters::{self, Letters, Wanted};
use models::Lane;
use serde_json::json;
use std::io::Write;

/// Exit 0 once all hints are acknowledged, 69 if Kafka does not answer.
pub(super) fn run(
    arguments: &Redrive,
    environment: &Environment,
    out: &mut impl Write,
    err: &mut impl Write,
) -> anyhow::Result<Exit> {
    support::with_config(&arguments.config, environment, err, |config, _| work(arguments, &config, out))
}

fn work(arguments: &Redrive, config: &Config, out: &mut impl Write) -> Result<Exit, Ended> {
    if let Some(project) = &arguments.project {
        support::project(config, project.as_str())?;
    }
    let wanted = Wanted {
        project: arguments.project.clone(),
        key: None,
        reason: arguments.reason.clone(),
        limit: arguments.limit,
        from_start: arguments.from_start,
    };
    let letters = letters::letters(config, &wanted)?;
    if !arguments.dry_run && !letters.keys.is_empty() {
        let sender = Sender::open(config)?;
        for key in &letters.keys {
            sender.hint(key, Lane::Bulk, &hints::look(key, support::now()))?;
        }
    }
    if !arguments.dry_run {
        letters.keep(&wanted)?;
    }
    let sent = if arguments.dry_run { 0 } else { letters.keys.len() };
    let text = as_text(&letters, sent, arguments.dry_run, wanted.all());
    let document = json!({
        "dead_letters": letters.read, "submissions": letters.keys.len(), "sent": sent, "left_out": letters.other,
        "without_submission": letters.without_key, "by_reason": letters.by_reason,
    });
    support::print(out, arguments.output.output, &text, &document)?;
    Ok(Exit::Done)
}

fn as_text(letters: &Letters, sent: usize, dry_run: bool, all: bool) -> String {
    let mut lines = vec![format!("{} dead letters read, {} submissions", letters.read, letters.keys.len())];
    lines.extend(letters.by_reason.iter().map(|(reason, count)| format!("  {reason:<24} {count}")));
    if letters.other > 0 {
        lines.push(format!("{} left out by --project or --reason", letters.other));
    }
    if letters.without_key > 0 {
        lines.push(format!("{} name no submission of a configured project", letters.without_key));
    }
    if dry_run {
        lines.push("nothing was sent".to_owned());
    } else {
        lines.push(format!("{sent} hints sent"));
        if !all {
            lines.push("how far this came is not kept: it was not over all dead letters".to_owned());
        }
    }
    lines.join("\n") + "\n"
}
