//! What was handled of one partition: its offset, each submission's last sequence, the ids, the counts.

use crate::contract::approved::{KycSubmissionApprovedV1, Previous};
use rdkafka::message::{BorrowedMessage, Headers, Message};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::error::Error;
use std::io::ErrorKind;
use std::path::PathBuf;

/// As it is saved.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Handled {
    pub(crate) offset: i64,
    pub(crate) last: HashMap<String, i64>,
    pub(crate) ids: HashSet<String>,
    pub(crate) count: BTreeMap<String, u64>,
}

/// What of an event is read before its type is known.
#[derive(Deserialize)]
struct Beginning {
    previous: Option<Previous>,
}

impl Handled {
    pub(crate) fn take(&mut self, message: &BorrowedMessage<'_>) -> Result<(), Box<dyn Error>> {
        let key = String::from_utf8(message.key().unwrap_or_default().to_vec())?;
        let headers = message.headers().ok_or("an event without headers")?;
        let header = |name: &str| {
            let found = headers.iter().find(|header| header.key == name).and_then(|header| header.value);
            found.and_then(|value| std::str::from_utf8(value).ok()).ok_or_else(|| format!("no header {name}"))
        };
        let value = message.payload().unwrap_or_default();
        self.event(&key, header("ce_id")?, header("ce_sequence")?.parse()?, header("ce_type")?, value)
    }

    fn event(&mut self, key: &str, id: &str, sequence: i64, kind: &str, value: &[u8]) -> Result<(), Box<dyn Error>> {
        if !self.ids.insert(id.to_owned()) {
            self.count("duplicates");
            return Ok(());
        }
        let last = match self.last.get(key) {
            Some(last) => *last,
            // New to us: its first event, unless it was deleted before we began and has come back.
            None => match serde_json::from_slice::<Beginning>(value)?.previous {
                Some(previous) if *previous.kyc_status == *"deleted" => sequence - 1,
                _ => 0,
            },
        };
        if sequence <= last {
            self.count("older"); // the state that we began with has it already
            return Ok(());
        }
        if sequence > last + 1 {
            self.count("gaps");
        }
        self.last.insert(key.to_owned(), sequence);
        self.count("events");
        if kind == "kyc.submission.approved.v1" {
            // Here an application would act; it ignores other types.
            let whose = serde_json::from_slice::<KycSubmissionApprovedV1>(value)?.submission;
            if format!("{}/{}", whose.project, whose.id) == key {
                self.count("approvals");
            }
        }
        Ok(())
    }

    fn count(&mut self, name: &str) {
        *self.count.entry(name.to_owned()).or_default() += 1;
    }
}

/// The folder that all members of a group share. In earnest, this is your database.
pub(crate) struct Store {
    folder: PathBuf,
    history: bool,
}

impl Store {
    pub(crate) fn new(folder: PathBuf, history: bool) -> std::io::Result<Store> {
        std::fs::create_dir_all(&folder)?;
        Ok(Store { folder, history })
    }

    /// As it was saved; an offset below 0 if it never was.
    pub(crate) fn read(&self, partition: i32) -> std::io::Result<Handled> {
        match std::fs::read(self.folder.join(format!("{partition}.json"))) {
            Ok(text) => Ok(serde_json::from_slice(&text)?),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Handled { offset: -1, ..Handled::default() }),
            Err(error) => Err(error),
        }
    }

    /// As it was saved; else from the noted end on, or with history from the beginning, when nothing was known.
    pub(crate) fn open(&self, partition: i32, known: HashMap<String, i64>, end: i64) -> std::io::Result<Handled> {
        let saved = self.read(partition)?;
        if saved.offset >= 0 {
            return Ok(saved);
        }
        let (offset, last) = if self.history { (0, HashMap::new()) } else { (end, known) };
        let handled = Handled { offset, last, ..Handled::default() };
        self.save(partition, &handled)?;
        Ok(handled)
    }

    /// All or nothing: the new file replaces the old one.
    pub(crate) fn save(&self, partition: i32, handled: &Handled) -> std::io::Result<()> {
        let next = self.folder.join(format!("{partition}.{}", std::process::id()));
        std::fs::write(&next, serde_json::to_vec(handled)?)?;
        std::fs::rename(next, self.folder.join(format!("{partition}.json")))
    }

    /// Whether everything up to these offsets is handled, by whichever member.
    pub(crate) fn is_at(&self, ends: &BTreeMap<i32, i64>) -> std::io::Result<bool> {
        for (partition, end) in ends {
            if self.read(*partition)?.offset < *end {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RETURNED: &[u8] = br#"{"previous":{"sequence":6,"kyc_status":"deleted","aml_status":"unknown"}}"#;

    fn counts(handled: &Handled) -> Vec<(&str, u64)> {
        handled.count.iter().map(|(name, count)| (name.as_str(), *count)).collect()
    }

    #[test]
    fn a_repeat_a_gap_and_what_the_state_has_already_are_told_apart() {
        let mut handled = Handled { last: HashMap::from([("acme/known".to_owned(), 4)]), ..Handled::default() };
        let mut event =
            |key: &str, id: &str, sequence| handled.event(key, id, sequence, "of.a.later.release.v1", b"{}").unwrap();
        event("acme/new", "a", 1);
        event("acme/new", "a", 1);
        event("acme/new", "b", 2);
        event("acme/new", "d", 4);
        event("acme/known", "e", 4);
        event("acme/known", "f", 5);
        assert_eq!(counts(&handled), [("duplicates", 1), ("events", 4), ("gaps", 1), ("older", 1)]);
    }

    #[test]
    fn what_comes_back_after_its_deletion_is_no_gap_and_what_begins_late_is() {
        let mut handled = Handled::default();
        handled.event("acme/returned", "a", 7, "kyc.submission.pending.v1", RETURNED).unwrap();
        assert_eq!(counts(&handled), [("events", 1)]);
        handled.event("acme/late", "b", 7, "kyc.submission.pending.v1", b"{}").unwrap();
        assert_eq!(counts(&handled), [("events", 2), ("gaps", 1)]);
    }

    #[test]
    fn what_is_saved_is_read_again_and_a_new_partition_begins_as_it_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let store = |history| Store::new(folder.path().to_owned(), history).unwrap();
        let known = HashMap::from([("acme/known".to_owned(), 4)]);
        let from_state = store(false).open(0, known.clone(), 9).unwrap();
        assert_eq!((from_state.offset, &from_state.last), (9, &known));
        let from_beginning = store(true).open(1, known, 9).unwrap();
        assert_eq!((from_beginning.offset, from_beginning.last.len()), (0, 0));
        assert_eq!(store(true).open(0, HashMap::new(), 0).unwrap(), from_state);
        assert!(store(true).is_at(&BTreeMap::from([(0, 9), (1, 0)])).unwrap());
        assert!(!store(true).is_at(&BTreeMap::from([(0, 9), (2, 0)])).unwrap());
    }
}
