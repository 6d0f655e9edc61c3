//! Why one submission is where it is: one document out of the topics, the ledger and the owner's journal.
//!
//! Owns: what is read where, and what comes of it. Any replica answers, and so does a command without one: what only the
//! owner knows (the look under way, the journal) is then missing, and the answer says who the owner is.
//!
//! Path: [`explain`] gathers from Kafka, then `timeline` and `verdict` say what it means; [`as_text`] is for a terminal.

mod document;
mod gather;
mod text;
mod timeline;
mod verdict;

pub use document::{Explain, JournalView, Owner, Verdict};
pub use text::as_text;

use document::{EntryView, LastLook, Reached};
use models::{Entry, Key, Time};
use publisher::KafkaSettings;
use publisher::members::Member;
use publisher::reading::ReadError;
use reconciler::inquiry::KeyView;
use reconciler::journal::{Noted, What};

/// What is asked from where.
pub struct Question<'a> {
    /// Of which submission.
    pub key: &'a Key,
    /// Now.
    pub now: Time,
    /// Who asks: a replica's name; `None` = a command.
    pub instance: Option<&'a str>,
    /// Who is in the group.
    pub members: &'a [Member],
    /// What this replica's loop knows; `None` = there is none, or it does not answer.
    pub view: Option<KeyView>,
}

/// The document. Blocks: it reads topics.
pub fn explain(settings: &KafkaSettings, question: Question<'_>) -> Result<Explain, ReadError> {
    let Question { key, now, instance, members, view } = question;
    let view = view.unwrap_or_default();
    let gathered = gather::gather(settings, key, !view.owned, now)?;
    let member = members.iter().find(|member| member.partitions.contains(&gathered.partition));
    let owner = member
        .map(|member| Owner { instance: member.instance.clone(), is_self: instance == Some(member.instance.as_str()) });
    let entry = if view.owned { view.entry.as_ref() } else { gathered.entry.as_ref() };
    let case = verdict::Case {
        key,
        now,
        gathered: &gathered,
        entry,
        work: view.work,
        notes: &view.notes,
        owner: owner.as_ref(),
    };
    let from = view.notes_from.filter(|_| view.owned);
    Ok(Explain {
        key: key.to_string(),
        now: now.into(),
        partition: gathered.partition,
        verdict: verdict::verdict(&case),
        entry: entry.map(|entry| entry_view(entry, &view.notes)),
        timeline: timeline::timeline(key, &gathered, &view.notes),
        topics: Reached {
            hints_from: gathered.hints_from.into(),
            events_from: gathered.events_from.map(Into::into),
            complete: gathered.complete,
        },
        journal: JournalView {
            available: view.owned,
            from: from.map(Into::into),
            owner: owner.as_ref().map(|owner| owner.instance.clone()),
        },
        owner,
    })
}

fn entry_view(entry: &Entry, notes: &[Noted]) -> EntryView {
    let look = notes.iter().rposition(|noted| matches!(noted.what, What::Answered { .. }));
    let last_look = look.and_then(|index| {
        let What::Answered { outcome, .. } = notes[index].what else { return None };
        let rule = notes[index..].iter().find_map(|noted| match noted.what {
            What::Decided { outcome, .. } => Some(outcome.as_str().to_owned()),
            _ => None,
        });
        Some(LastLook { at: notes[index].at.into(), outcome: outcome.to_owned(), rule })
    });
    EntryView { last_look, ..EntryView::of(entry) }
}
