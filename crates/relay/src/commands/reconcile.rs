//! `reconcile <project>/<id>`: an operator's hint, and what came of it.
//!
//! The hint goes the way of all hints; the service decides. What is told is read from the topics.

use super::follow::{Came, Follow, Seen};
use super::support::{self, Ended, Sender};
use crate::cli::{Exit, Reconcile};
use crate::config::{Config, Environment};
use crate::operate::hints;
use models::{CheckReason, Entry, GraveReason, Lane};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::io::Write;

/// Exit 0 once the look's result is committed, 1 if it was not in time, 69 if Kafka does not answer.
pub(super) fn run(
    arguments: &Reconcile,
    environment: &Environment,
    out: &mut impl Write,
    err: &mut impl Write,
) -> anyhow::Result<Exit> {
    support::with_config(&arguments.config, environment, err, |config, _| work(arguments, &config, out))
}

fn work(arguments: &Reconcile, config: &Config, out: &mut impl Write) -> Result<Exit, Ended> {
    let key = &arguments.key;
    support::project(config, key.project())?;
    let sender = Sender::open(config)?;
    let follow = if arguments.no_wait { None } else { Some(Follow::open(config, key)?) };
    if follow.as_ref().is_some_and(|follow| follow.entry.as_ref().is_some_and(|entry| entry.is_erased())) {
        return Err(Ended::Usage(format!("{key} is erased: it is never looked at again")));
    }
    let hint = hints::look(key, support::now());
    sender.hint(key, Lane::Live, &hint)?;
    let came = follow.map(|mut follow| follow.wait(arguments.timeout)).transpose()?;
    let mut text = format!("{key}: hint {} is acknowledged\n", hint.id);
    let mut document = json!({ "key": key, "hint_id": hint.id, "acknowledged": true });
    let exit = match came {
        None => Exit::Done,
        Some(Came::Nothing) => {
            document["result"] = "nothing_in_time".into();
            let _infallible = writeln!(
                text,
                "nothing came of it within {:?}; the hint is kept, and a replica that reconciles takes it up",
                arguments.timeout
            );
            Exit::Failed
        }
        Some(Came::Entry(entry, events)) => {
            told(entry.as_deref(), &events, &mut text, &mut document);
            Exit::Done
        }
    };
    support::print(out, arguments.output.output, &text, &document)?;
    Ok(exit)
}

/// What an entry and its events say.
fn told(entry: Option<&Entry>, events: &[Seen], text: &mut String, document: &mut Value) {
    for event in events {
        let _infallible = writeln!(text, "#{} {}", event.sequence, event.kind);
    }
    let (result, words) = result(entry, !events.is_empty());
    document["result"] = result.into();
    document["events"] = json!(events);
    text.push_str(words);
    if let Some(published) = entry.and_then(|entry| entry.published.as_ref()) {
        let (kyc, aml) = (published.kyc_status, published.aml_status);
        document["state"] =
            json!({ "kyc_status": kyc, "aml_status": aml, "sequence": entry.map(|entry| entry.sequence) });
        let _infallible = write!(text, ": {kyc}, {aml}, sequence {}", entry.map_or(0, |entry| entry.sequence));
    }
    if let Some(check) = entry.and_then(|entry| entry.check) {
        document["next_look"] = json!({ "due": check.due, "reason": check.reason.as_str() });
        let _infallible = write!(text, "; next look {} ({})", check.due, check.reason.as_str());
    }
    text.push('\n');
}

fn result(entry: Option<&Entry>, published: bool) -> (&'static str, &'static str) {
    let Some(entry) = entry else { return ("unknown", "ARGOS knows no such submission") };
    let reason = entry.check.map(|check| check.reason);
    match (entry.grave.map(|grave| grave.reason), reason) {
        (Some(GraveReason::Erased), _) => ("erased", "it is erased"),
        (Some(GraveReason::Deleted), _) => ("deleted", "it is deleted"),
        (None, Some(CheckReason::UnknownId)) => ("unknown", "ARGOS shows no such submission"),
        (None, Some(CheckReason::SuspectedDeletion)) => ("absent", "ARGOS does not show it; a second look decides"),
        (None, Some(CheckReason::StaleRead)) => ("stale", "ARGOS showed an older state than is published"),
        (None, Some(CheckReason::Failed | CheckReason::DeadLettered)) => ("failed", "the look failed"),
        (None, Some(CheckReason::Parked)) => ("parked", "it is set aside: no budget, or the breaker is open"),
        (None, _) if published => ("published", "published"),
        (None, _) => ("unchanged", "nothing has changed"),
    }
}
