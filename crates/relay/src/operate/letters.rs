//! Dead letters, looked at again. Nothing is re-sent: a dead letter has no body, only a key.
//!
//! Owns: which letters are meant, and where reading begins. Who asks sends the hints, and keeps how far it came only once
//! all are acknowledged: what breaks off repeats some hints, which is harmless, and misses none. Blocks.

use crate::config::Config;
use models::{Key, ProjectId};
use publisher::reading::{ReadError, Received, Start, TopicReader};
use publisher::record::Topic;
use std::collections::{BTreeMap, BTreeSet};

/// Which letters are meant.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Only of this project.
    pub project: Option<ProjectId>,
    /// Only of this submission.
    pub key: Option<Key>,
    /// Only of this reason class.
    pub reason: Option<String>,
    /// At most so many submissions.
    pub limit: Option<u64>,
    /// From the topic's start, instead of where the last redrive over all letters ended.
    pub from_start: bool,
}

impl Wanted {
    /// Whether no letter is left out: only then it is kept how far reading came.
    pub fn all(&self) -> bool {
        self.project.is_none() && self.key.is_none() && self.reason.is_none()
    }
}

/// What was read.
#[derive(Default)]
pub struct Letters {
    /// Each submission once.
    pub keys: BTreeSet<Key>,
    /// All that were read.
    pub read: u64,
    /// Of another project, submission or reason than is wanted.
    pub other: u64,
    /// Without a submission that could be looked at.
    pub without_key: u64,
    /// Those that are meant, by reason class.
    pub by_reason: BTreeMap<String, u64>,
    /// Keeps how far it came.
    reader: Option<TopicReader>,
}

/// Reads the letters.
pub fn letters(config: &Config, wanted: &Wanted) -> Result<Letters, ReadError> {
    let settings = config.kafka.settings();
    let group = format!("{}-redrive", settings.group_id);
    let begin = if wanted.from_start { Start::Beginning } else { Start::Kept(group) };
    let mut reader = match &wanted.key {
        Some(key) => TopicReader::open_for(&settings, Topic::DeadLetters, &begin, key.as_str())?,
        None => TopicReader::open(&settings, Topic::DeadLetters, &begin)?,
    };
    let mut letters = Letters::default();
    let limit = wanted.limit.unwrap_or(u64::MAX);
    reader.read_to_end(|letter| {
        letters.take(&letter, wanted, config);
        (letters.keys.len() as u64) < limit
    })?;
    letters.reader = Some(reader);
    Ok(letters)
}

impl Letters {
    /// Keeps how far it came, if that was over all letters from where the last one ended.
    pub fn keep(&self, wanted: &Wanted) -> Result<(), ReadError> {
        match &self.reader {
            Some(reader) if wanted.all() && !wanted.from_start => reader.keep(),
            _ => Ok(()),
        }
    }

    fn take(&mut self, letter: &Received, wanted: &Wanted, config: &Config) {
        self.read += 1;
        let reason = letter.header("argos_relay.reason").unwrap_or("unknown");
        let key = letter.key.as_deref().and_then(|text| Key::parse(text).ok());
        let of_project = |project: &ProjectId| key.as_ref().is_some_and(|key| key.project() == project.as_str());
        let meant = wanted.project.as_ref().is_none_or(of_project)
            && wanted.key.as_ref().is_none_or(|wanted| key.as_ref() == Some(wanted))
            && wanted.reason.as_ref().is_none_or(|wanted| wanted == reason);
        if !meant {
            self.other += 1;
            return;
        }
        // A hint for a project that is not configured would only be dead-lettered again.
        let is_configured = |key: &Key| config.projects.iter().any(|project| project.id.as_str() == key.project());
        let Some(key) = key.filter(is_configured) else {
            self.without_key += 1;
            return;
        };
        *self.by_reason.entry(reason.to_owned()).or_default() += 1;
        self.keys.insert(key);
    }
}
