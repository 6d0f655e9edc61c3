//! Why fewer states are enough: steps that nobody can tell apart are taken at once, and what can no longer matter is
//! forgotten.
//!
//! 1. *At once:* a process that is told of its assignment, asks for the ledger's end after the offsets, or begins to run
//!    when it has read that far, could as well wait: no step of anybody else changes what it finds. A process that has
//!    read all hints reads a new one when it becomes durable: that it stays unread for a while is the same as that its
//!    webhook is on its way for a while.
//! 2. *Zombies:* what a process of a former generation decides is of no consequence, since its offset is refused. What
//!    is left of it: it may write at any moment, and so hold up whoever reads behind it; and what it had sent already may
//!    still be committed. Not used where a planted bug takes the fence away.
//! 3. *Hints* that are settled for good and that nobody reads again are forgotten.
//!
//! `main.rs` compares a small instance with and without.

use super::action::Action;
use super::bug::Bug;
use super::protocol::Protocol;
use super::state::{
    Belief, Entry, Fate, KEYS, OWNERS, Phase, Process, Running, Sending, State, Step, Transaction, Work,
};

impl Protocol {
    pub(crate) fn reduce(self, state: &mut State, action: Action) {
        for owner in 0..OWNERS {
            self.hurry(state, owner, action);
            if !matches!(self.bug, Some(Bug::NoFencing | Bug::OffsetsOutside)) {
                empty_zombie(state, owner);
            }
        }
        if self.bug.is_none() {
            trim_hints(state);
        }
    }

    fn hurry(self, state: &mut State, owner: usize, action: Action) {
        let is_given = state.owner == owner;
        let process = &state.processes[owner];
        if process.belief == Belief::None && process.phase == Phase::Idle && is_given {
            self.step(state, Action::Learn(owner));
        }
        if matches!(state.processes[owner].phase, Phase::Offsets(_)) {
            self.step(state, Action::ReadEnd(owner));
        }
        if matches!(state.processes[owner].phase, Phase::Replaying { wait: 0, .. }) {
            self.step(state, Action::Replayed(owner));
        }
        let is_hint = matches!(action, Action::Hint(..) | Action::HintRepeated(..) | Action::HintForged(_));
        let last = state.running(owner).is_some_and(|running| usize::from(running.next) + 1 == state.hints.len());
        if is_hint && last {
            self.step(state, Action::ReadHint(owner));
        }
    }
}

/// See the module, 2.
fn empty_zombie(state: &mut State, owner: usize) {
    let Process { belief: Belief::Former, phase, .. } = &mut state.processes[owner] else { return };
    let sending = match phase {
        Phase::Running(Running { sending: Sending::Complete(_), .. }) => Sending::Complete(0),
        Phase::Running(Running { sending: Sending::Written(_), .. }) => Sending::Written(0),
        Phase::Running(_) | Phase::Assigned | Phase::Offsets(_) | Phase::Replaying { .. } => Sending::Nothing,
        Phase::Down | Phase::Lost | Phase::Idle => return,
    };
    let entry = Entry::default();
    let step = if sending == Sending::Nothing { Step::Staged(entry) } else { Step::Writing(entry) };
    let work = [Work { step, ..Work::default() }, Work::default()];
    *phase = Phase::Running(Running { entries: [entry; KEYS], next: NOTHING_READ, work, sending });
    if state.transactions[owner] == (Transaction::Open { offset: None }) {
        for record in state.tail.iter_mut().filter(|record| record.fate == Fate::Open(owner)) {
            (record.key, record.entry, record.event) = (0, entry, false);
        }
    }
}

/// See the module, 3.
fn trim_hints(state: &mut State) {
    let needed = |process: &Process| match &process.phase {
        Phase::Offsets(from) | Phase::Replaying { from, .. } => *from,
        Phase::Running(running) if process.belief == Belief::Current => {
            let open = running.work.iter().fold(0, |open, work| open | work.covers | work.later);
            running.next.min(open.trailing_zeros() as u8)
        }
        _ => u8::MAX,
    };
    let reach = state.processes.iter().map(needed).min().unwrap_or(0).min(state.committed);
    let settled = |hint: &&super::state::Hint| hint.forged || state.durable(hint.key).published >= hint.version;
    let gone = state.hints.iter().take(usize::from(reach)).take_while(settled).count();
    if gone > 0 {
        state.hints.drain(..gone);
        state.shift(gone as u8);
    }
}

impl State {
    /// So many hints at the front are forgotten.
    fn shift(&mut self, by: u8) {
        self.committed -= by;
        for transaction in &mut self.transactions {
            if let Transaction::Open { offset: Some(offset) } | Transaction::Decided { offset: Some(offset), .. } =
                transaction
            {
                *offset -= by;
            }
        }
        for process in &mut self.processes {
            match &mut process.phase {
                Phase::Offsets(from) | Phase::Replaying { from, .. } => *from -= by,
                Phase::Running(running) if process.belief == Belief::Current => running.shift(by),
                _ => {}
            }
        }
    }
}

/// The next offset of an emptied zombie.
const NOTHING_READ: u8 = u8::MAX;

impl Running {
    /// See the module, 2.
    pub(crate) const fn is_emptied(&self) -> bool {
        self.next == NOTHING_READ
    }

    fn shift(&mut self, by: u8) {
        self.next -= by;
        for work in &mut self.work {
            (work.covers, work.later) = (work.covers >> by, work.later >> by);
        }
        if let Sending::Written(low) | Sending::Complete(low) = &mut self.sending {
            *low -= by;
        }
    }
}
