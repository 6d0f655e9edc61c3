//! The steps, and when each may be taken.
//!
//! A fault is a step like any other, while there are faults left. Every step that changes nothing is left out.

use super::bug::Bug;
use super::protocol::Protocol;
use super::state::{Belief, KEYS, OWNERS, Phase, Running, Sending, State, Step, Transaction, bit};

/// A step. The first number is the process or the key; `Key` steps of a process have both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// The truth changes, and a webhook is sent.
    Change(usize),
    /// Fault: it changes, and the webhook is lost.
    ChangeUntold(usize),
    /// A webhook becomes a durable hint.
    Hint(usize, u8),
    /// Fault: it does, and will come again.
    HintRepeated(usize, u8),
    /// Fault: a webhook that somebody invented.
    HintForged(usize),
    /// Fault: the group gives the partition to a process, or anew to the same.
    Give(usize),
    /// A process learns what the group has given or taken.
    Learn(usize),
    /// Fault: kill -9.
    Crash(usize),
    /// A new producer under the same transactional id: whatever was open ends.
    NewProducer(usize),
    /// The stable offsets are read.
    ReadOffsets(usize),
    /// The end of the ledger is asked for.
    ReadEnd(usize),
    /// The ledger is read up to it.
    Replayed(usize),
    ReadHint(usize),
    /// A GET begins.
    Look(usize, usize),
    /// Fault: one that will be answered with a state that was over before it began.
    LookStale(usize, usize),
    /// What it shows is fixed. Until its decision is written it may as well be on its way.
    Answer(usize, usize),
    /// Fault: no answer.
    Fail(usize, usize),
    /// A time to look again has come.
    Timer(usize, usize),
    /// A transaction with what is decided, or has been answered, of these keys (one bit each).
    Write(usize, u8),
    /// Its offset, under the generation that the process believes in.
    SendOffset(usize),
    Commit(usize),
    /// Fault: the broker refuses, the process is told.
    Abort(usize),
    /// Fault: the commit is asked for, no answer comes.
    LoseTouch(usize),
    /// What was asked for is done after all.
    CommitLate(usize),
    /// The broker gives up a transaction that took too long.
    Expire(usize),
    MarkOffset(usize),
    MarkLedger(usize),
}

impl Action {
    pub(crate) const fn is_fault(self) -> bool {
        matches!(
            self,
            Action::ChangeUntold(_)
                | Action::HintRepeated(..)
                | Action::HintForged(_)
                | Action::Give(_)
                | Action::Crash(_)
                | Action::LookStale(..)
                | Action::Fail(..)
                | Action::Abort(_)
                | Action::LoseTouch(_)
        )
    }

    /// What happens without the world's doing.
    pub(crate) const fn is_own(self) -> bool {
        !self.is_fault() && !matches!(self, Action::Change(_))
    }
}

impl Protocol {
    pub(crate) fn enabled(self, state: &State, actions: &mut Vec<Action>) {
        if state.violation.is_some() {
            return;
        }
        self.enabled_world(state, actions);
        for owner in 0..OWNERS {
            enabled_group(self, state, owner, actions);
            if let Some(running) = state.running(owner) {
                self.enabled_work(state, owner, running, actions);
            }
        }
        if state.faults == 0 {
            actions.retain(|action| !action.is_fault());
        }
    }

    fn enabled_world(self, state: &State, actions: &mut Vec<Action>) {
        for key in 0..KEYS {
            // The keys are alike: let the first be the one that changes first.
            if state.changes() < self.changes && (key == 0 || state.truth[0] > 0) {
                actions.extend([Action::Change(key), Action::ChangeUntold(key)]);
            }
            actions.extend(self.forgery.then_some(Action::HintForged(key)));
            for version in 1..=self.changes {
                if state.on_the_way[key] & bit(version) != 0 {
                    actions.extend([Action::Hint(key, version), Action::HintRepeated(key, version)]);
                }
            }
        }
    }

    fn enabled_work(self, state: &State, owner: usize, running: &Running, actions: &mut Vec<Action>) {
        if usize::from(running.next) < state.hints.len() {
            actions.push(Action::ReadHint(owner));
        }
        for (key, work) in running.work.iter().enumerate() {
            match work.step {
                // Of a zombie no more than its writing is kept.
                Step::Idle if running.is_emptied() => {}
                Step::Idle => {
                    let entry = running.entries[key];
                    if entry.check || entry.published < state.by_age[key] {
                        actions.push(Action::Timer(owner, key));
                    }
                }
                Step::Queued => {
                    actions.push(Action::Look(owner, key));
                    actions.extend((state.truth[key] > 0).then_some(Action::LookStale(owner, key)));
                }
                Step::Looking(_) => actions.extend([Action::Answer(owner, key), Action::Fail(owner, key)]),
                Step::Staged(_) | Step::Writing(_) => {}
            }
        }
        match running.sending {
            Sending::Nothing if state.transactions[owner] == Transaction::None => {
                let staged = running.staged();
                let batches = (1..1 << KEYS).filter(|batch| batch & !staged == 0);
                actions.extend(batches.map(|batch| Action::Write(owner, batch)));
                let current = state.processes[owner].belief == Belief::Current;
                if staged == 0 && current && self.low(running) > state.committed {
                    actions.push(Action::Write(owner, 0));
                }
            }
            Sending::Nothing => {}
            Sending::Written(_) => actions.push(Action::SendOffset(owner)),
            Sending::Complete(_) => actions.push(Action::Commit(owner)),
        }
        // Of a zombie's transaction nothing worse can become than that it expires.
        if state.processes[owner].belief == Belief::Current {
            let faults = [Action::Abort(owner), Action::LoseTouch(owner)];
            actions.extend(faults.into_iter().take(match running.sending {
                Sending::Nothing => 0,
                Sending::Written(_) => 1,
                Sending::Complete(_) => 2,
            }));
        }
    }
}

/// The group, the assignment, and the transactions of one process.
fn enabled_group(protocol: Protocol, state: &State, owner: usize, actions: &mut Vec<Action>) {
    let process = &state.processes[owner];
    let busy = state.running(owner).is_some_and(|running| running.sending != Sending::Nothing);
    if process.phase != Phase::Down {
        // To whom has it already it matters only if somebody knows of it.
        if state.owner != owner || process.belief == Belief::Current {
            actions.push(Action::Give(owner));
        }
        if process.phase != Phase::Idle {
            actions.push(Action::Crash(owner));
        }
    }
    let learns = match process.belief {
        Belief::None => process.phase == Phase::Idle && state.owner == owner,
        Belief::Current => false,
        // What is half-way is ended first.
        Belief::Former => process.phase != Phase::Lost && !busy,
    };
    if learns {
        actions.push(Action::Learn(owner));
    }
    match process.phase {
        Phase::Down | Phase::Lost if !matches!(state.transactions[owner], Transaction::Decided { .. }) => {
            actions.push(Action::NewProducer(owner));
        }
        Phase::Assigned if protocol.bug == Some(Bug::UnstableOffsets) || !state.has_pending_offset() => {
            actions.push(Action::ReadOffsets(owner));
        }
        Phase::Offsets(_) => actions.push(Action::ReadEnd(owner)),
        Phase::Replaying { wait: 0, .. } => actions.push(Action::Replayed(owner)),
        _ => {}
    }
    match state.transactions[owner] {
        Transaction::None => {}
        Transaction::Open { offset } => {
            if !busy && offset.is_some() {
                actions.push(Action::CommitLate(owner));
            }
            if !busy || process.belief == Belief::Former {
                actions.push(Action::Expire(owner));
            }
        }
        Transaction::Decided { offset, ledger } => {
            actions.extend(offset.map(|_| Action::MarkOffset(owner)));
            actions.extend(ledger.then_some(Action::MarkLedger(owner)));
        }
    }
}
