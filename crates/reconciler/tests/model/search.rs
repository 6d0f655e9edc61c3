//! A search of its own, without the checker: counts, looks for cycles, and gathers what readers see.

use super::action::Action;
use super::protocol::Protocol;
use super::state::{Entry, KEYS, State};
use std::collections::{BTreeSet, HashMap};
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};

/// What can be seen from outside: the truth, and what is published of it.
type Visible = ([u8; KEYS], [(u8, u8); KEYS]);

/// What was found.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) states: usize,
    pub(crate) steps: usize,
    pub(crate) has_cycle: bool,
    pub(crate) visible: BTreeSet<Visible>,
}

/// Depth first; a step back into a state on the way is a cycle.
pub(crate) fn search(protocol: Protocol) -> Found {
    let hasher = BuildHasherDefault::<DefaultHasher>::default();
    let mut found = Found::default();
    // Whether a state is on the way still.
    let mut seen: HashMap<u64, bool> = HashMap::new();
    let mut way: Vec<(State, u64, Vec<Action>)> = Vec::new();
    let enter = |state: State, found: &mut Found, way: &mut Vec<_>, seen: &mut HashMap<u64, bool>| {
        let name = hasher.hash_one(&state);
        if let Some(on_the_way) = seen.get(&name) {
            found.has_cycle |= on_the_way;
            return;
        }
        seen.insert(name, true);
        let shown = |entry: Entry| (entry.sequence, entry.published);
        found.visible.insert((state.truth, state.stable.map(shown)));
        let mut actions = Vec::new();
        protocol.enabled(&state, &mut actions);
        found.states += 1;
        way.push((state, name, actions));
    };
    enter(protocol.first(), &mut found, &mut way, &mut seen);
    while let Some((state, name, actions)) = way.last_mut() {
        if let Some(action) = actions.pop() {
            let next = protocol.after(state, action);
            found.steps += 1;
            enter(next, &mut found, &mut way, &mut seen);
        } else {
            seen.insert(*name, false);
            way.pop();
        }
    }
    found
}
