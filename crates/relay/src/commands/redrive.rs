//! `redrive`: dead letters are reconciled again. Nothing is re-sent: a dead letter has no body, only a key.
//!
//! How far it came is kept as offsets of a group of its own, once all hints are acknowledged; so a redrive that breaks
//! off repeats some hints, which is harmless, and misses none.

use super::support::{self, Ended, Sender};
use crate::cli::{Exit, Redrive};
use crate::config::{Config, Environment};
use models::{Key, Lane};
use publisher::reading::{Received, Start, TopicReader};
use publisher::record::Topic;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
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

/// What was read.
#[derive(Default)]
struct Letters {
    /// Each submission once.
    keys: BTreeSet<Key>,
    read: u64,
    /// Left out by `--project` or `--reason`.
    other: u64,
    /// Without a submission that could be looked at.
    without_key: u64,
    by_reason: BTreeMap<String, u64>,
}

impl Letters {
    fn take(&mut self, letter: &Received, arguments: &Redrive, config: &Config) {
        self.read += 1;
        let reason = letter.header("argos_relay.reason").unwrap_or("unknown");
        let key = letter.key.as_deref().and_then(|text| Key::parse(text).ok());
        let of_project = |wanted: &models::ProjectId| key.as_ref().is_some_and(|key| key.project() == wanted.as_str());
        let wanted = arguments.project.as_ref().is_none_or(of_project)
            && arguments.reason.as_ref().is_none_or(|wanted| wanted == reason);
        if !wanted {
            self.other += 1;
            return;
        }
        // A hint for a project that is not configured would only be dead-lettered again.
        let Some(key) = key.filter(|key| support::project(config, key.project()).is_ok()) else {
            self.without_key += 1;
            return;
        };
        *self.by_reason.entry(reason.to_owned()).or_default() += 1;
        self.keys.insert(key);
    }
}

fn work(arguments: &Redrive, config: &Config, out: &mut impl Write) -> Result<Exit, Ended> {
    if let Some(project) = &arguments.project {
        support::project(config, project.as_str())?;
    }
    let settings = config.kafka.settings();
    let group = format!("{}-redrive", settings.group_id);
    let all = arguments.project.is_none() && arguments.reason.is_none();
    let keeps = all && !arguments.dry_run;
    let begin = if arguments.from_start { Start::Beginning } else { Start::Kept(group) };
    let mut reader = TopicReader::open(&settings, Topic::DeadLetters, &begin)?;
    let mut letters = Letters::default();
    let limit = arguments.limit.unwrap_or(u64::MAX);
    reader.read_to_end(|letter| {
        letters.take(&letter, arguments, config);
        (letters.keys.len() as u64) < limit
    })?;
    if !arguments.dry_run && !letters.keys.is_empty() {
        let sender = Sender::open(config)?;
        for key in &letters.keys {
            sender.hint(key, Lane::Bulk, &support::operators_hint(key))?;
        }
    }
    if keeps && !arguments.from_start {
        reader.keep()?;
    }
    let sent = if arguments.dry_run { 0 } else { letters.keys.len() };
    let text = as_text(&letters, sent, arguments.dry_run, all);
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
