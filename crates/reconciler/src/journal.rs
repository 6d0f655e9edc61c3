//! What lately happened to each submission on this replica, for whoever asks why one is where it is.
//!
//! Owns: a ring of notes over all keys, the oldest dropped first, and the memory that it may take. Nothing personal is
//! in it: a note has no word of a body, and why a look failed is told in our words. It is gone with the process. Pure.
//!
//! Path: [`Journal::note`] adds; [`Journal::of`] finds the notes of one key, oldest first. Finding needs no map that
//! would have to be tidied when notes go: each note points to the one before it of all keys with the same hash, as long
//! as that is still there.

use crate::decision::{Decision, Outcome};
use models::{CheckReason, EventKind, Key, Lane, Source, Time};
use std::collections::VecDeque;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::time::Duration;

/// The memory that a journal may take in all, in bytes.
pub const LIMIT: usize = 16 * 1024 * 1024;
/// Chains of notes; a power of two.
const CHAINS: usize = 32 * 1024;
/// At most so many notes: half of the memory, with room for the one that pushes the oldest out.
const MOST: usize = LIMIT / 2 / size_of::<Kept>() - 1;
/// What texts may take: the rest, less the heads of the chains.
const TEXTS: usize = LIMIT / 2 - CHAINS * size_of::<u64>();
/// What an allocator and a counter take beside a short text.
const AROUND: usize = 32;
/// The longest reason that is kept, in bytes.
const LONGEST: usize = 160;

/// What became of a hint that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Joined {
    /// It asked for a look.
    Waits,
    /// It shares a look with others.
    Coalesced,
    /// It needed none: it tells nothing new, or a look for the same is due.
    Covered,
}

/// The types of the events of one decision; a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Kinds(u16);

impl Kinds {
    fn of(kinds: impl Iterator<Item = EventKind>) -> Kinds {
        Kinds(kinds.fold(0, |set, kind| set | 1 << (kind as u16)))
    }

    /// In the order of [`EventKind::ALL`].
    pub fn iter(self) -> impl Iterator<Item = EventKind> {
        EventKind::ALL.iter().copied().filter(move |kind| self.0 & (1 << (*kind as u16)) != 0)
    }
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// A hint was read.
    Hint {
        /// From which lane.
        lane: Lane,
        /// At which offset.
        offset: i64,
        /// Where it came from.
        source: Source,
        /// What became of it.
        joined: Joined,
    },
    /// A time that the ledger held has come: a look is due.
    Due(Option<CheckReason>),
    /// A GET began; whether it is the breaker's probe.
    Asked {
        /// See above.
        probe: bool,
    },
    /// A GET ended.
    Answered {
        /// The word in metrics.
        outcome: &'static str,
        /// How long it took.
        took: Duration,
        /// Why it failed, in our words.
        why: Option<Box<str>>,
    },
    /// A decision, with or without a look; not committed yet.
    Decided {
        /// The row of the rule table, or how it was set aside.
        outcome: Outcome,
        /// What it publishes.
        events: Kinds,
        /// The sequence after it.
        sequence: u64,
        /// When to look again.
        due: Option<Time>,
        /// Why.
        reason: Option<CheckReason>,
    },
    /// The decision became durable.
    Committed,
    /// The transaction was aborted; the same decision goes into the next.
    Aborted,
    /// The outcome of the transaction is unknown: all is read again.
    Lost,
}

impl What {
    /// What a decision says.
    pub fn of(decision: &Decision) -> What {
        let check = decision.entry.as_ref().and_then(|entry| entry.check);
        What::Decided {
            outcome: decision.outcome,
            events: Kinds::of(decision.events.iter().map(|event| event.kind)),
            sequence: decision.entry.as_ref().map_or(0, |entry| entry.sequence),
            due: check.map(|check| check.due),
            reason: check.map(|check| check.reason),
        }
    }

    /// A GET's end. What is too long is cut.
    pub fn answered(outcome: &'static str, took: Duration, why: Option<&str>) -> What {
        let why = why.map(|why| why[..why.floor_char_boundary(LONGEST)].into());
        What::Answered { outcome, took, why }
    }

    fn text(&self) -> usize {
        match self {
            What::Answered { why: Some(why), .. } => why.len() + AROUND,
            _ => 0,
        }
    }
}

/// Something that happened to one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Noted {
    /// When (our clock).
    pub at: Time,
    /// What.
    pub what: What,
}

#[derive(Debug)]
struct Kept {
    key: Key,
    noted: Noted,
    /// One more than the number of the note before it on the same chain; 0 = none.
    before: u64,
}

impl Kept {
    /// Keys are counted with each note, also where notes share one: so the bound holds for sure.
    fn text(&self) -> usize {
        self.key.as_str().len() + AROUND + self.noted.what.text()
    }
}

/// See the module.
#[derive(Debug)]
pub struct Journal {
    ring: VecDeque<Kept>,
    /// The number of the ring's first note.
    first: u64,
    /// One more than the number of each chain's last note.
    heads: Vec<u64>,
    /// Bytes of the texts.
    texts: usize,
    hasher: BuildHasherDefault<DefaultHasher>,
}

impl Default for Journal {
    fn default() -> Journal {
        Journal {
            ring: VecDeque::new(),
            first: 0,
            heads: vec![0; CHAINS],
            texts: 0,
            hasher: BuildHasherDefault::default(),
        }
    }
}

impl Journal {
    /// Adds a note, and drops the oldest if there is no room.
    pub fn note(&mut self, key: &Key, at: Time, what: What) {
        self.grow();
        let chain = self.chain(key);
        let kept = Kept { key: key.clone(), noted: Noted { at, what }, before: self.heads[chain] };
        self.texts += kept.text();
        self.ring.push_back(kept);
        self.heads[chain] = self.first + self.ring.len() as u64;
        while self.texts > TEXTS || self.ring.len() > MOST {
            let Some(oldest) = self.ring.pop_front() else { break };
            self.texts -= oldest.text();
            self.first += 1;
        }
    }

    /// The notes of one key, oldest first.
    pub fn of(&self, key: &Key) -> Vec<Noted> {
        let mut found = Vec::new();
        let mut number = self.heads[self.chain(key)];
        while number > self.first
            && let Some(kept) = self.ring.get((number - 1 - self.first) as usize)
        {
            if kept.key == *key {
                found.push(kept.noted.clone());
            }
            number = kept.before;
        }
        found.reverse();
        found
    }

    /// Once notes were dropped, when the oldest was made that is left; `None` = none was.
    pub fn from(&self) -> Option<Time> {
        self.ring.front().filter(|_| self.first > 0).map(|kept| kept.noted.at)
    }

    /// The memory that it takes, in bytes.
    pub fn size(&self) -> usize {
        self.ring.capacity() * size_of::<Kept>() + self.heads.capacity() * size_of::<u64>() + self.texts
    }

    /// Room for one more than may stay, and never more than that.
    fn grow(&mut self) {
        let length = self.ring.len();
        if length == self.ring.capacity() && length <= MOST {
            self.ring.reserve_exact(length.max(64).min(MOST + 1 - length));
        }
    }

    fn chain(&self, key: &Key) -> usize {
        self.hasher.hash_one(key) as usize & (CHAINS - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;
    use std::time::Instant;

    fn key(number: u32) -> Key {
        Key::parse(&format!("acme/k{number:08}")).unwrap()
    }

    fn at(millis: i64) -> Time {
        Time::from_millis(millis)
    }

    #[test]
    fn the_oldest_goes_first_and_memory_is_bounded() {
        let mut journal = Journal::default();
        let long = "x".repeat(120);
        let notes = 400_000_i64;
        for number in 0..notes {
            let key = Key::parse(&format!("acme/{number}{long}")).unwrap();
            let what = What::answered("retry", Duration::from_millis(7), Some(&long.repeat(3)));
            journal.note(&key, at(number), what);
            if number % 1000 == 0 {
                assert!(journal.size() <= LIMIT, "{} after {number}", journal.size());
            }
        }
        let from = journal.from().unwrap().as_millis();
        assert!(journal.size() <= LIMIT && from > 0, "{} from {from}", journal.size());
        let key = |number: i64| Key::parse(&format!("acme/{number}{long}")).unwrap();
        assert_eq!(journal.of(&key(from - 1)), []);
        for number in [from, notes - 1] {
            let [kept] = &journal.of(&key(number))[..] else { panic!("{number}") };
            assert_eq!(kept.at, at(number));
            let What::Answered { why: Some(why), .. } = &kept.what else { panic!("{kept:?}") };
            assert_eq!(why.len(), LONGEST);
        }
    }

    #[test]
    fn short_notes_are_bounded_by_their_number() {
        let mut journal = Journal::default();
        for number in 0..300_000 {
            journal.note(&key(number % 1000), at(i64::from(number)), What::Committed);
        }
        assert!(journal.size() <= LIMIT && journal.size() > LIMIT / 2, "{}", journal.size());
        let kept = journal.of(&key(7));
        assert!(kept.len() > 50 && kept.is_sorted_by_key(|noted| noted.at), "{}", kept.len());
    }

    /// Not a bound, only a figure for whoever looks: `cargo test -p reconciler journal -- --nocapture`.
    #[test]
    fn a_note_costs_little() {
        let keys: Vec<Key> = (0..20_000).map(key).collect();
        let mut journal = Journal::default();
        let (began, notes) = (Instant::now(), 1_000_000);
        for number in 0..notes {
            journal.note(&keys[number % keys.len()], at(number as i64), What::Asked { probe: false });
        }
        let each = began.elapsed().as_nanos() / notes as u128;
        println!("{each} ns a note, {} bytes each, {} kept", size_of::<Kept>(), journal.ring.len());
        assert!(each < 20_000, "{each} ns");
    }

    proptest! {
        /// Against a plain list of each key.
        #[test]
        fn each_key_finds_its_own_notes(order in proptest::collection::vec(0..40_u32, 0..300)) {
            let (mut journal, mut plain) = (Journal::default(), BTreeMap::<u32, Vec<Time>>::new());
            for (millis, number) in order.into_iter().enumerate() {
                journal.note(&key(number), at(millis as i64), What::Lost);
                plain.entry(number).or_default().push(at(millis as i64));
            }
            for number in 0..41 {
                let found: Vec<Time> = journal.of(&key(number)).iter().map(|noted| noted.at).collect();
                prop_assert_eq!(found, plain.get(&number).cloned().unwrap_or_default());
            }
        }
    }
}
