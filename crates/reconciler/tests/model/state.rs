//! What the model remembers: the truth, the topics, the group, and two processes.
//!
//! Owns the state and what may be read off it. Must not know which steps there are (`protocol.rs`), nor what Kafka does
//! with a transaction (`kafka.rs`).

pub(crate) const OWNERS: usize = 2;
pub(crate) const KEYS: usize = 2;

/// What is published of a key, and what is unsettled: the ledger's entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub(crate) struct Entry {
    pub(crate) sequence: u8,
    /// The version of the truth that was last published.
    pub(crate) published: u8,
    /// A claim that no look has shown yet; 0 = none.
    pub(crate) claim: u8,
    /// Looks that did not show it.
    pub(crate) tries: u8,
    /// A time to look again is set.
    pub(crate) check: bool,
}

/// What became of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Fate {
    /// Of the transaction that this owner has open.
    Open(usize),
    Committed,
    Aborted,
}

/// A record of the ledger. The event that comes with it stands at the same place: see `kafka.rs`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Record {
    pub(crate) key: usize,
    pub(crate) entry: Entry,
    pub(crate) event: bool,
    pub(crate) fate: Fate,
}

/// The transaction of an owner, as the coordinator has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Transaction {
    None,
    /// With the offset that rides in it, once it was sent.
    Open {
        offset: Option<u8>,
    },
    /// To be committed; its markers are on their way: to the offset, and to the ledger.
    Decided {
        offset: Option<u8>,
        ledger: bool,
    },
}

/// A hint on its topic; its offset is its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Hint {
    pub(crate) key: usize,
    /// The version that it tells of.
    pub(crate) version: u8,
    /// Nobody sent it who knew.
    pub(crate) forged: bool,
}

/// What a process believes of its assignment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Belief {
    None,
    /// Of the group's generation.
    Current,
    /// Of a former one, and it does not know yet: a zombie.
    Former,
}

/// The work on a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub(crate) enum Step {
    #[default]
    Idle,
    Queued,
    /// A GET is under way. What it will show is what is true when it is answered; or this version, which is past already.
    Looking(Option<u8>),
    /// Decided, not yet written.
    Staged(Entry),
    /// In the transaction under way.
    Writing(Entry),
}

/// The work on a key, and the offsets of the hints (one bit each) that it settles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub(crate) struct Work {
    pub(crate) step: Step,
    pub(crate) covers: u8,
    /// Hints that came after the look began: they ask for one more.
    pub(crate) later: u8,
}

/// How far the transaction under way is, as its process knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Sending {
    Nothing,
    /// The records are written; this offset is to ride along.
    Written(u8),
    /// The offset is in.
    Complete(u8),
}

/// A process that decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Running {
    pub(crate) entries: [Entry; KEYS],
    /// The next offset of the hints to read.
    pub(crate) next: u8,
    pub(crate) work: [Work; KEYS],
    pub(crate) sending: Sending,
}

/// Where a process is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Phase {
    Down,
    /// Its producer is worthless: a new one must be made before anything else.
    Lost,
    Idle,
    Assigned,
    /// The stable offsets are read.
    Offsets(u8),
    /// The ledger's end is known: so many records until it is reached.
    Replaying {
        from: u8,
        wait: u8,
    },
    Running(Running),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Process {
    pub(crate) belief: Belief,
    pub(crate) phase: Phase,
    /// Entries of an earlier assignment; only a bug keeps them without reading on.
    pub(crate) kept: Option<[Entry; KEYS]>,
}

/// What a reader of the committed records must never see.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Violation {
    /// A sequence is left out.
    Gap,
    /// A sequence comes twice.
    Repeat,
    /// A version comes after a newer one.
    Regression,
    /// A version that was not true yet.
    Invention,
    /// The ledger forgets what was published.
    Amnesia,
    /// The committed offset goes back.
    OffsetBack,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct State {
    /// The version that is true.
    pub(crate) truth: [u8; KEYS],
    /// Webhooks on their way: one bit for each version.
    pub(crate) on_the_way: [u8; KEYS],
    /// Up to this version a re-look by age is what finds it: its webhook was lost, or the answer to it was stale.
    pub(crate) by_age: [u8; KEYS],
    /// Faults that may still happen.
    pub(crate) faults: u8,
    pub(crate) hints: Vec<Hint>,
    /// Up to where hints are settled, as the group has it.
    pub(crate) committed: u8,
    /// Whom the group has given the partition.
    pub(crate) owner: usize,
    pub(crate) transactions: [Transaction; OWNERS],
    /// The ledger up to its last stable offset, compacted.
    pub(crate) stable: [Entry; KEYS],
    /// The ledger from the first open transaction on.
    pub(crate) tail: Vec<Record>,
    pub(crate) processes: [Process; OWNERS],
    pub(crate) violation: Option<Violation>,
}

impl State {
    /// Both keys published as they are, nobody at work, the partition given to the first process.
    pub(crate) fn initial(faults: u8) -> State {
        State {
            truth: [0; KEYS],
            on_the_way: [0; KEYS],
            by_age: [0; KEYS],
            faults,
            hints: Vec::new(),
            committed: 0,
            owner: 0,
            transactions: [Transaction::None; OWNERS],
            stable: [Entry::default(); KEYS],
            tail: Vec::new(),
            processes: [Process { belief: Belief::None, phase: Phase::Idle, kept: None }; OWNERS],
            violation: None,
        }
    }

    pub(crate) fn running(&self, owner: usize) -> Option<&Running> {
        match &self.processes[owner].phase {
            Phase::Running(running) => Some(running),
            _ => None,
        }
    }

    pub(crate) fn running_mut(&mut self, owner: usize) -> Option<&mut Running> {
        match &mut self.processes[owner].phase {
            Phase::Running(running) => Some(running),
            _ => None,
        }
    }

    /// As the steps of a running process have it.
    pub(crate) fn at_work(&mut self, owner: usize) -> &mut Running {
        self.running_mut(owner).unwrap()
    }

    pub(crate) fn work(&mut self, owner: usize, key: usize) -> &mut Work {
        &mut self.at_work(owner).work[key]
    }

    /// A hint is durable.
    pub(crate) fn tell(&mut self, key: usize, version: u8, forged: bool) {
        self.hints.push(Hint { key, version, forged });
    }

    /// The first of what is wrong counts.
    pub(crate) fn blame(&mut self, violation: Violation) {
        self.violation.get_or_insert(violation);
    }

    /// Changes of the truth so far.
    pub(crate) fn changes(&self) -> u8 {
        self.truth.iter().sum()
    }

    /// The entry of a key with all that is committed, markers or not.
    pub(crate) fn durable(&self, key: usize) -> Entry {
        let decided = |fate| match fate {
            Fate::Committed => true,
            Fate::Aborted => false,
            Fate::Open(owner) => matches!(self.transactions[owner], Transaction::Decided { .. }),
        };
        let last = self.tail.iter().rev().find(|record| record.key == key && decided(record.fate));
        last.map_or(self.stable[key], |record| record.entry)
    }

    /// Every hint below the committed offset has its effect: what it tells of is published, or a time to look again is
    /// set, or it is one for a re-look by age.
    pub(crate) fn is_settled(&self) -> bool {
        let below = self.hints.iter().take(usize::from(self.committed)).filter(|hint| !hint.forged);
        below.into_iter().all(|hint| {
            let entry = self.durable(hint.key);
            entry.published >= hint.version || entry.check || self.by_age[hint.key] >= hint.version
        })
    }

    /// A restore waits behind an open transaction.
    pub(crate) fn restore_waits(&self) -> bool {
        self.processes.iter().any(|process| matches!(process.phase, Phase::Replaying { wait: 1.., .. }))
    }

    /// Something is committed above the last stable offset.
    pub(crate) fn is_past_an_open_one(&self) -> bool {
        self.tail.iter().any(|record| record.fate == Fate::Committed)
    }

    /// The published state is the truth, and nothing is open.
    pub(crate) fn is_converged(&self) -> bool {
        (0..KEYS).all(|key| self.stable[key].published == self.truth[key] && !self.stable[key].check)
            && self.tail.is_empty()
            && usize::from(self.committed) == self.hints.len()
    }
}

impl Running {
    /// The lowest offset that the work in the transaction does not settle.
    pub(crate) fn low(&self) -> u8 {
        let open = self.work.iter().fold(0, |open: u8, work| {
            let staged = matches!(work.step, Step::Writing(_));
            open | work.later | if staged { 0 } else { work.covers }
        });
        if open == 0 { self.next } else { self.next.min(open.trailing_zeros() as u8) }
    }

    /// What is decided and not written; one bit for each key.
    pub(crate) fn staged(&self) -> u8 {
        let staged = |(key, work): (usize, &Work)| matches!(work.step, Step::Staged(_)).then_some(bit(key as u8));
        self.work.iter().enumerate().filter_map(staged).fold(0, |keys, key| keys | key)
    }

    /// The transaction is durable: entries and work move on.
    pub(crate) fn settle(&mut self) {
        for (work, entry) in self.work.iter_mut().zip(&mut self.entries) {
            if let Step::Writing(written) = work.step {
                *entry = written;
                work.go_on();
            }
        }
        self.sending = Sending::Nothing;
    }

    /// Nothing of the transaction is visible: the same decisions are written again.
    pub(crate) fn restage(&mut self) {
        for work in &mut self.work {
            if let Step::Writing(entry) = work.step {
                work.step = Step::Staged(entry);
            }
        }
        self.sending = Sending::Nothing;
    }
}

impl Work {
    /// What came during the look is the next.
    pub(crate) fn go_on(&mut self) {
        let step = if self.later == 0 { Step::Idle } else { Step::Queued };
        *self = Work { step, covers: self.later, later: 0 };
    }
}

/// The bit of a version or an offset.
pub(crate) const fn bit(number: u8) -> u8 {
    1 << number
}
