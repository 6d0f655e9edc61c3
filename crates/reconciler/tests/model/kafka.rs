//! What the model takes Kafka to do: transactions with markers that come later, fencing of offsets by generation, and
//! readers that see committed records only.
//!
//! Simplified: the records of a transaction are appended together, and an event stands at the place of its ledger record.
//! The tail holds what is not stable; what is stable is compacted at once, and judged as a reader of the events would.

use super::state::{Belief, Fate, State, Transaction, Violation};

impl State {
    /// A transaction ends without a trace.
    pub(crate) fn abort(&mut self, owner: usize) {
        self.transactions[owner] = Transaction::None;
        self.mark(owner, Fate::Aborted);
    }

    /// The coordinator has noted that the transaction is to be committed.
    pub(crate) fn decide(&mut self, owner: usize) {
        if let Transaction::Open { offset } = self.transactions[owner] {
            let ledger = self.tail.iter().any(|record| record.fate == Fate::Open(owner));
            self.transactions[owner] = Transaction::Decided { offset, ledger };
        }
        self.close(owner);
    }

    /// The marker reaches the group's offsets.
    pub(crate) fn mark_offset(&mut self, owner: usize) {
        if let Transaction::Decided { offset, .. } = &mut self.transactions[owner]
            && let Some(offset) = offset.take()
        {
            self.commit_offset(offset);
        }
        self.close(owner);
    }

    /// The marker reaches the ledger and the events.
    pub(crate) fn mark_ledger(&mut self, owner: usize) {
        if let Transaction::Decided { ledger, .. } = &mut self.transactions[owner] {
            *ledger = false;
        }
        self.mark(owner, Fate::Committed);
        self.close(owner);
    }

    /// All markers are written: the next transaction may begin.
    fn close(&mut self, owner: usize) {
        if self.transactions[owner] == (Transaction::Decided { offset: None, ledger: false }) {
            self.transactions[owner] = Transaction::None;
        }
    }

    pub(crate) fn commit_offset(&mut self, offset: u8) {
        if offset < self.committed {
            self.blame(Violation::OffsetBack);
        }
        self.committed = offset;
    }

    fn mark(&mut self, owner: usize, fate: Fate) {
        for record in self.tail.iter_mut().filter(|record| record.fate == Fate::Open(owner)) {
            record.fate = fate;
        }
        let open = self.tail.iter().position(|record| matches!(record.fate, Fate::Open(_)));
        let stable = open.unwrap_or(self.tail.len());
        for record in self.tail.drain(..stable).collect::<Vec<_>>() {
            if record.fate == Fate::Committed {
                self.judge(record.key, record.entry, record.event);
                self.stable[record.key] = record.entry;
                if record.entry.published >= self.by_age[record.key] {
                    self.by_age[record.key] = 0;
                }
            }
        }
        for process in &mut self.processes {
            process.read(stable);
        }
    }

    /// What a reader sees, against what it saw before.
    fn judge(&mut self, key: usize, entry: super::state::Entry, event: bool) {
        let before = self.stable[key];
        if !event {
            if (entry.sequence, entry.published) != (before.sequence, before.published) {
                self.blame(Violation::Amnesia);
            }
            return;
        }
        if entry.published > self.truth[key] {
            self.blame(Violation::Invention);
        } else if entry.sequence <= before.sequence {
            self.blame(Violation::Repeat);
        } else if entry.sequence > before.sequence + 1 {
            self.blame(Violation::Gap);
        } else if entry.published <= before.published {
            self.blame(Violation::Regression);
        }
    }

    /// Whether an offset waits for its transaction to end: a reader of stable offsets gets no answer until then.
    pub(crate) fn has_pending_offset(&self) -> bool {
        let pending = |transaction: &Transaction| match transaction {
            Transaction::Open { offset } | Transaction::Decided { offset, .. } => offset.is_some(),
            Transaction::None => false,
        };
        self.transactions.iter().any(pending)
    }

    /// The group begins a new generation; who was in the old one learns of it when it next asks.
    pub(crate) fn give(&mut self, owner: usize) {
        self.owner = owner;
        for process in &mut self.processes {
            if process.belief == Belief::Current {
                process.belief = Belief::Former;
            }
        }
    }
}

impl super::state::Process {
    /// So many records more have become stable.
    fn read(&mut self, records: usize) {
        if let super::state::Phase::Replaying { wait, .. } = &mut self.phase {
            *wait = wait.saturating_sub(records as u8);
        }
    }
}
