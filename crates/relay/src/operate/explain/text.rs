//! The document as a terminal shows it: the verdict first, then what is held, then one line for each thing that happened.

use super::document::Explain;
use std::fmt::Write as _;

/// See the module.
pub fn as_text(explain: &Explain) -> String {
    let mut text = format!("{}: {}\n\nverdict     {}\n", explain.key, explain.verdict.text, explain.verdict.code);
    // Writing to a String cannot fail.
    let _infallible = held(explain, &mut text);
    for one in &explain.timeline {
        let mark = if one.source == "topic" { ' ' } else { '.' };
        let _infallible = writeln!(text, "{} {mark} {:<16} {}", one.at, one.kind, one.text);
    }
    if explain.timeline.is_empty() {
        text.push_str("nothing has happened to it, as far as is known\n");
    }
    let _infallible = reached(explain, &mut text);
    text
}

fn held(explain: &Explain, text: &mut String) -> std::fmt::Result {
    let Some(entry) = &explain.entry else {
        return writeln!(text, "entry       none\nowner       {}\n", owner(explain));
    };
    let status = |status: &Option<String>| status.clone().unwrap_or_else(|| "-".to_owned());
    writeln!(
        text,
        "entry       sequence {}, {}, {}",
        entry.sequence,
        status(&entry.kyc_status),
        status(&entry.aml_status)
    )?;
    if let Some(grave) = &entry.grave {
        writeln!(text, "grave       {} at {}", grave.reason, grave.at)?;
    }
    if let Some(look) = &entry.last_look {
        let rule = look.rule.as_deref().unwrap_or("not decided");
        writeln!(text, "last look   {}: {}, {rule}", look.at, look.outcome)?;
    }
    if let Some(next) = &entry.next_look {
        writeln!(text, "next look   {}: {} ({})", next.due, next.text, next.reason)?;
    }
    for claim in &entry.claims {
        writeln!(text, "claimed     {} ({})", claim.trigger, status(&claim.kyc_status))?;
    }
    if entry.failures > 0 {
        writeln!(text, "failures    {} in a row", entry.failures)?;
    }
    writeln!(text, "owner       {}\n", owner(explain))
}

fn owner(explain: &Explain) -> String {
    match &explain.owner {
        Some(owner) => format!("{} (partition {})", owner.instance, explain.partition),
        None => format!("nobody at this moment (partition {})", explain.partition),
    }
}

fn reached(explain: &Explain, text: &mut String) -> std::fmt::Result {
    let events = explain.topics.events_from.map_or_else(|| "whole".to_owned(), |from| format!("since {from}"));
    writeln!(text, "\nhints were read since {}, the events topic {events}", explain.topics.hints_from)?;
    if !explain.topics.complete {
        writeln!(text, "not all of that was read: there is too much, or it took too long")?;
    }
    match (explain.journal.from, &explain.journal.owner) {
        (Some(from), _) => writeln!(text, "details (lines with a dot) exist since {from}"),
        (None, Some(owner)) => writeln!(text, "no details here: {owner} has them; ask its admin listener (--admin)"),
        (None, None) => writeln!(text, "no details: they are in the memory of the replica that holds the partition"),
    }
}
