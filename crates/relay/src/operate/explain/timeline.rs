//! One line for each thing that happened to a submission: what topics tell, and what the owner's journal adds. Pure.

use super::document::{Happened, because};
use super::gather::{Gathered, HintSeen};
use crate::operate::tails::{DeadLetterView, EventView};
use models::{Key, Notification, Source, Time};
use reconciler::decision::Outcome;
use reconciler::journal::{Joined, Noted, What};
use serde_json::{Map, Value, json};

/// Oldest first.
pub(super) fn timeline(key: &Key, gathered: &Gathered, notes: &[Noted]) -> Vec<Happened> {
    let mut all: Vec<Happened> = gathered.hints.iter().map(hint).collect();
    all.extend(gathered.events.iter().map(event));
    all.extend(gathered.letters.iter().map(letter));
    all.extend(gathered.notices.iter().filter_map(|notice| told(key, notice)));
    let last = notes.len().saturating_sub(1);
    all.extend(notes.iter().enumerate().filter_map(|(index, noted)| note(noted, index == last)));
    // Stable: what has one time stays in the order of its source.
    all.sort_by_key(|one| one.at);
    all
}

fn happened(at: Time, source: &str, kind: &str, text: String, details: Value) -> Happened {
    let details = if let Value::Object(details) = details { details } else { Map::new() };
    Happened { at: at.into(), kind: kind.to_owned(), source: source.to_owned(), text, details }
}

fn hint(seen: &HintSeen) -> Happened {
    let HintSeen { lane, partition, offset, hint } = seen;
    let passed: Vec<&str> = hint.authentication.names().collect();
    let text = match hint.source {
        Source::Webhook => {
            let how = if passed.is_empty() { "nothing".to_owned() } else { passed.join(", ") };
            format!("webhook `{}` received; it passed {how}", hint.claim.trigger)
        }
        Source::Sweep => "a list walk showed it".to_owned(),
        Source::Backfill => "a backfill showed it".to_owned(),
        Source::Operator if hint.erase => "an operator asked to erase it".to_owned(),
        Source::Operator => "an operator asked for a look".to_owned(),
    };
    let details = json!({
        "hint_id": hint.id, "lane": lane.as_str(), "cause": hint.source, "trigger": hint.claim.trigger,
        "kyc_status": hint.claim.status, "authentication": passed, "partition": partition, "offset": offset,
    });
    happened(hint.received_at, "topic", "hint", text, details)
}

fn event(event: &EventView) -> Happened {
    let statuses = match (&event.kyc_status, &event.aml_status) {
        (Some(kyc), Some(aml)) => format!(" ({kyc}, {aml})"),
        _ => String::new(),
    };
    let cause = event.cause.as_deref().unwrap_or("unknown");
    let text = format!("event #{} {}{statuses}; found by: {cause}", event.sequence, event.kind);
    let details = json!({
        "type": event.kind, "sequence": event.sequence, "cause": event.cause, "agreement": event.agreement,
        "kyc_status": event.kyc_status, "aml_status": event.aml_status, "partition": event.partition,
        "offset": event.offset,
    });
    happened(event.at.0, "topic", "event", text, details)
}

fn letter(letter: &DeadLetterView) -> Happened {
    let text = format!("dead letter: {}, after {} attempts", letter.reason, letter.attempts);
    let details = json!({
        "reason": letter.reason, "attempts": letter.attempts, "partition": letter.partition, "offset": letter.offset,
    });
    happened(letter.at.0, "topic", "dead_letter", text, details)
}

/// What the control topic tells of the submission itself; its project's news are for the verdict.
fn told(key: &Key, notice: &Notification) -> Option<Happened> {
    match notice {
        Notification::HintUnconfirmed { key: of, trigger, hint_id, at } if of == key => {
            let text = format!("no look of the ladder showed what `{trigger}` claimed; the claim is dropped");
            Some(happened(*at, "topic", "hint_unconfirmed", text, json!({ "trigger": trigger, "hint_id": hint_id })))
        }
        Notification::GapRepaired { key: of, cause, sequence, at } if of == key => {
            let text = format!("no webhook told this change; found by: {cause}");
            Some(happened(*at, "topic", "gap_repaired", text, json!({ "cause": cause, "sequence": sequence })))
        }
        _ => None,
    }
}

/// A GET that began is told by its end, unless that is still to come.
fn note(noted: &Noted, is_last: bool) -> Option<Happened> {
    let one = |kind: &str, text: String, details: Value| Some(happened(noted.at, "journal", kind, text, details));
    match &noted.what {
        What::Hint { lane, offset, source, joined } => {
            let (kind, text) = match joined {
                Joined::Waits => ("read", "hint read; it asks for a look"),
                Joined::Coalesced => ("coalesced", "hint read; it shares a look with another"),
                Joined::Covered => ("covered", "hint read; it needs no look"),
            };
            one(kind, text.to_owned(), json!({ "lane": lane.as_str(), "offset": offset, "cause": source }))
        }
        What::Due(reason) => {
            let why = reason.map_or("its time has come", because);
            one("due", format!("a look is due: {why}"), json!({ "reason": reason.map(models::CheckReason::as_str) }))
        }
        What::Asked { probe } if is_last => {
            one("get", "GET under way".to_owned(), json!({ "outcome": null, "probe": probe }))
        }
        What::Asked { .. } => None,
        What::Answered { outcome, took, why } => {
            let why = why.as_deref().map(|why| format!(" ({why})")).unwrap_or_default();
            let seconds = took.as_secs_f64();
            let text = format!("GET ended after {seconds:.3} s: {outcome}{why}");
            one("get", text, json!({ "outcome": outcome, "seconds": seconds }))
        }
        What::Decided { outcome, events, sequence, due, reason } => {
            let kinds: Vec<&str> = events.iter().map(models::EventKind::as_str).collect();
            let publishes = if kinds.is_empty() { String::new() } else { format!("; publishes {}", kinds.join(", ")) };
            let next = match (due, reason) {
                (Some(due), Some(reason)) => format!("; next look {due}: {}", because(*reason)),
                _ => String::new(),
            };
            let kind = if *outcome == Outcome::Parked { "parked" } else { "decision" };
            let text = format!("decided: {}{publishes}{next}", outcome.as_str());
            let details = json!({
                "rule": outcome.as_str(), "events": kinds, "sequence": sequence, "next_look": due,
                "reason": reason.map(models::CheckReason::as_str),
            });
            one(kind, text, details)
        }
        What::Committed => one("committed", "committed".to_owned(), json!({})),
        What::Aborted => one("aborted", "the transaction was aborted; it is tried again".to_owned(), json!({})),
        What::Lost => one("lost", "the transaction's outcome is unknown; all is read again".to_owned(), json!({})),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use models::{Authentication, Claim, Hint, Lane};
    use reconciler::journal::Journal;
    use std::time::Duration;

    fn at(millis: i64) -> Time {
        Time::from_millis(millis)
    }

    #[test]
    fn topics_and_journal_make_one_timeline_in_order() {
        let key = Key::parse("acme/k3f9x1mes3ugzb").unwrap();
        let mut hint = Hint::of_operator(&key, at(1_000), 7);
        hint.source = Source::Webhook;
        hint.authentication = Authentication::PATH_TOKEN;
        hint.claim = Claim { trigger: "approved".into(), ..Claim::default() };
        let gathered = Gathered {
            hints: vec![HintSeen { lane: Lane::Live, partition: 2, offset: 9, hint }],
            notices: vec![
                Notification::BreakerClosed { project: models::ProjectId::new("acme").unwrap(), at: at(1) },
                Notification::GapRepaired { key: key.clone(), cause: models::Cause::Sweep, sequence: 1, at: at(1_500) },
            ],
            ..Gathered::default()
        };
        let mut journal = Journal::default();
        let read = What::Hint { lane: Lane::Live, offset: 9, source: Source::Webhook, joined: Joined::Waits };
        journal.note(&key, at(1_010), read);
        journal.note(&key, at(1_020), What::Asked { probe: false });
        journal.note(&key, at(1_120), What::answered("denied", Duration::from_millis(98), Some("status 403")));
        journal.note(&key, at(1_700), What::Asked { probe: false });
        let told = timeline(&key, &gathered, &journal.of(&key));
        let lines: Vec<(&str, &str)> = told.iter().map(|one| (one.kind.as_str(), one.text.as_str())).collect();
        assert_eq!(
            lines,
            [
                ("hint", "webhook `approved` received; it passed path_token"),
                ("read", "hint read; it asks for a look"),
                ("get", "GET ended after 0.098 s: denied (status 403)"),
                ("gap_repaired", "no webhook told this change; found by: sweep"),
                ("get", "GET under way"),
            ]
        );
        assert_eq!((&told[0].details["offset"], told[0].source.as_str()), (&json!(9), "topic"));
        assert_eq!((&told[2].details["seconds"], told[2].source.as_str()), (&json!(0.098), "journal"));
    }
}
