//! The protocol as steps: hint, assign, replay, fetch, decide, commit, fence, crash, timer.
//!
//! Owns what a step changes. Which may be taken is in `action.rs`, Kafka's own part in `kafka.rs`.

use super::action::Action;
use super::bug::Bug;
use super::decision::{Look, decide};
use super::state::{Belief, Entry, Fate, Phase, Record, Running, Sending, State, Step, Transaction, bit};

/// An instance of the model.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Protocol {
    /// Changes of the truth, over all keys.
    pub(crate) changes: u8,
    /// Faults, of any kinds.
    pub(crate) faults: u8,
    /// Whether webhooks claim something that an answer can be held against; else they only wake.
    pub(crate) telling: bool,
    /// Whether one of the faults may be a webhook that somebody invented.
    pub(crate) forgery: bool,
    pub(crate) bug: Option<Bug>,
    /// Whether `reduce.rs` is used.
    pub(crate) reduced: bool,
}

impl Protocol {
    /// Where everything begins.
    pub(crate) fn first(self) -> State {
        let mut state = State::initial(self.faults);
        if self.reduced {
            self.reduce(&mut state, Action::Learn(0));
        }
        state
    }

    /// The state after a step.
    pub(crate) fn after(self, state: &State, action: Action) -> State {
        let mut next = state.clone();
        self.step(&mut next, action);
        if self.reduced {
            self.reduce(&mut next, action);
        }
        next
    }

    /// Nothing will happen any more unless the world changes or something fails.
    pub(crate) fn is_at_rest(self, state: &State) -> bool {
        let mut actions = Vec::new();
        self.enabled(state, &mut actions);
        state.violation.is_none() && !actions.iter().any(|action| action.is_own())
    }

    pub(crate) fn low(self, running: &Running) -> u8 {
        if self.bug == Some(Bug::OffsetOfTheLastRead) { running.next } else { running.low() }
    }

    pub(crate) fn step(self, state: &mut State, action: Action) {
        if action.is_fault() {
            state.faults -= 1;
        }
        match action {
            Action::Change(key) => {
                state.truth[key] += 1;
                state.on_the_way[key] |= bit(state.truth[key]);
            }
            Action::ChangeUntold(key) => {
                state.truth[key] += 1;
                state.by_age[key] = state.truth[key];
            }
            Action::Hint(key, version) => {
                state.on_the_way[key] &= !bit(version);
                state.tell(key, version, false);
            }
            Action::HintRepeated(key, version) => state.tell(key, version, false),
            Action::HintForged(key) => state.tell(key, state.truth[key] + 1, true),
            Action::Give(owner) => state.give(owner),
            Action::Learn(owner) => self.learn(state, owner),
            Action::Crash(owner) => {
                let process = &mut state.processes[owner];
                (process.belief, process.phase, process.kept) = (Belief::None, Phase::Down, None);
            }
            Action::NewProducer(owner) => Self::new_producer(state, owner),
            Action::ReadOffsets(owner) => state.processes[owner].phase = Phase::Offsets(state.committed),
            Action::ReadEnd(owner) => self.read_end(state, owner),
            Action::Replayed(owner) => replayed(state, owner),
            Action::ReadHint(owner) => self.read_hint(state, owner),
            Action::Look(owner, key) => state.work(owner, key).step = Step::Looking(None),
            Action::LookStale(owner, key) => {
                state.work(owner, key).step = Step::Looking(Some(state.truth[key] - 1));
            }
            Action::Answer(owner, key) => {
                if let Step::Looking(past) = state.work(owner, key).step {
                    self.answer(state, owner, key, Look::Shows(past.unwrap_or(state.truth[key])));
                }
            }
            Action::Fail(owner, key) => self.answer(state, owner, key, Look::Fails),
            Action::Timer(owner, key) => state.work(owner, key).step = Step::Queued,
            Action::Write(owner, batch) => self.write(state, owner, batch),
            Action::SendOffset(owner) => self.send_offset(state, owner),
            Action::Commit(owner) => self.commit(state, owner),
            Action::Abort(owner) => {
                state.abort(owner);
                state.at_work(owner).restage();
            }
            Action::LoseTouch(owner) => self.lose_touch(state, owner),
            Action::CommitLate(owner) => state.decide(owner),
            Action::Expire(owner) => {
                state.abort(owner);
                if state.running(owner).is_some_and(|running| running.sending != Sending::Nothing) {
                    self.revoke(state, owner);
                }
            }
            Action::MarkOffset(owner) => state.mark_offset(owner),
            Action::MarkLedger(owner) => state.mark_ledger(owner),
        }
    }

    /// The partition is no longer this process's.
    fn revoke(self, state: &mut State, owner: usize) {
        self.forget(state, owner);
        let process = &mut state.processes[owner];
        process.belief = Belief::None;
        if process.phase != Phase::Lost {
            process.phase = Phase::Idle;
        }
    }

    /// What a process knew is read again before it is used.
    fn forget(self, state: &mut State, owner: usize) {
        let entries = state.running(owner).map(|running| running.entries);
        if self.bug == Some(Bug::NoCatchUp) && entries.is_some() {
            state.processes[owner].kept = entries;
        }
    }

    fn learn(self, state: &mut State, owner: usize) {
        if state.processes[owner].belief == Belief::Former {
            self.revoke(state, owner);
        } else {
            let process = &mut state.processes[owner];
            (process.belief, process.phase) = (Belief::Current, Phase::Assigned);
        }
    }

    fn new_producer(state: &mut State, owner: usize) {
        if state.transactions[owner] != Transaction::None {
            state.abort(owner);
        }
        let process = &mut state.processes[owner];
        process.phase = if process.belief == Belief::Current { Phase::Assigned } else { Phase::Idle };
        if process.belief == Belief::Former {
            process.belief = Belief::None;
        }
    }

    fn read_end(self, state: &mut State, owner: usize) {
        if let Phase::Offsets(from) = state.processes[owner].phase {
            let end = if self.bug == Some(Bug::ReplayToLastStable) { 0 } else { state.tail.len() };
            state.processes[owner].phase = Phase::Replaying { from, wait: end as u8 };
        }
    }

    fn read_hint(self, state: &mut State, owner: usize) {
        let offset = state.at_work(owner).next;
        let hint = state.hints[usize::from(offset)];
        let running = state.at_work(owner);
        running.next += 1;
        let (entry, work) = (running.entries[hint.key], &mut running.work[hint.key]);
        if self.telling && work.step == Step::Idle && entry.check && entry.claim == hint.version {
            return; // the ledger holds the same claim already, and will look for it
        }
        match (work.step, self.bug) {
            (Step::Idle, Some(Bug::WebhookBelieved)) if hint.version > entry.published => {
                let sequence = entry.sequence + 1;
                work.step = Step::Staged(Entry { sequence, published: hint.version, ..entry });
                work.covers = bit(offset);
            }
            (Step::Idle | Step::Queued, _) | (Step::Looking(_) | Step::Staged(_), Some(Bug::EarlierGetCovers)) => {
                if work.step == Step::Idle {
                    work.step = Step::Queued;
                }
                work.covers |= bit(offset);
            }
            (Step::Looking(_) | Step::Staged(_), Some(Bug::HintDuringLookDropped)) => {}
            _ => work.later |= bit(offset),
        }
    }

    fn answer(self, state: &mut State, owner: usize, key: usize, look: Look) {
        let covers = state.work(owner, key).covers;
        let covered = state.hints.iter().enumerate().filter(|(offset, _)| covers & bit(*offset as u8) != 0);
        let claim = covered.map(|(_, hint)| hint.version).max().filter(|_| self.telling);
        let entry = decide(state.at_work(owner).entries[key], look, claim.unwrap_or(0), self.bug);
        if matches!(state.work(owner, key).step, Step::Looking(Some(_))) && !entry.check {
            state.by_age[key] = state.truth[key];
        }
        state.work(owner, key).step = Step::Staged(entry);
    }

    fn write(self, state: &mut State, owner: usize, batch: u8) {
        let running = state.at_work(owner);
        let mut records = Vec::new();
        for (key, work) in running.work.iter_mut().enumerate() {
            if let Step::Staged(entry) = work.step
                && batch & bit(key as u8) != 0
            {
                work.step = Step::Writing(entry);
                let event = entry.published != running.entries[key].published;
                records.push(Record { key, entry, event, fate: Fate::Open(owner) });
            }
        }
        let low = self.low(running);
        if self.bug == Some(Bug::EntryBeforeCommit) {
            running.settle();
        }
        running.sending = Sending::Written(low);
        state.tail.extend(records);
        state.transactions[owner] = Transaction::Open { offset: None };
    }

    /// The fence: the broker takes the offset from the group's generation only.
    fn send_offset(self, state: &mut State, owner: usize) {
        let Sending::Written(low) = state.at_work(owner).sending else { return };
        let outside = self.bug == Some(Bug::OffsetsOutside);
        let unfenced = outside || self.bug == Some(Bug::NoFencing);
        if state.processes[owner].belief == Belief::Current || unfenced {
            state.at_work(owner).sending = Sending::Complete(low);
            state.transactions[owner] = Transaction::Open { offset: Some(low).filter(|_| !outside) };
        } else {
            state.abort(owner);
            self.revoke(state, owner);
        }
    }

    fn commit(self, state: &mut State, owner: usize) {
        let Sending::Complete(low) = state.at_work(owner).sending else { return };
        state.decide(owner);
        if self.bug == Some(Bug::OffsetsOutside) && state.processes[owner].belief == Belief::Current {
            state.commit_offset(low);
        }
        state.at_work(owner).settle();
    }

    fn lose_touch(self, state: &mut State, owner: usize) {
        match self.bug {
            Some(Bug::UnknownTakenAsAbort) => state.at_work(owner).restage(),
            Some(Bug::UnknownTakenAsCommitted) => state.at_work(owner).settle(),
            _ => {
                self.forget(state, owner);
                state.processes[owner].phase = Phase::Lost;
            }
        }
    }
}

/// Decisions may be made, on the ledger as it was read.
fn replayed(state: &mut State, owner: usize) {
    let stable = state.stable;
    let process = &mut state.processes[owner];
    if let Phase::Replaying { from, .. } = process.phase {
        let entries = process.kept.take().unwrap_or(stable);
        let work = Default::default();
        process.phase = Phase::Running(Running { entries, next: from, work, sending: Sending::Nothing });
    }
}
