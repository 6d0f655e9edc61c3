//! A model of the protocol, checked exhaustively: hint, assign, replay, fetch, decide, commit, fence, crash, timer, for
//! two owners, two keys and three changes of the truth, with every order of steps and every choice of faults.
//!
//! Owns the model and nothing of the product: it is written from the design, and what it abstracts is said in
//! docs/proof.md. There is one partition, since partitions share nothing but transactions. A version stands for the
//! vendor's clock.
//!
//! Path: `action.rs` says which steps may be taken in a state (`state.rs`), `protocol.rs` and `kafka.rs` what they
//! change, `decision.rs` what a look makes of an entry; `reduce.rs` says why fewer states are enough; `bug.rs` has the
//! planted bugs, `search.rs` a second search, written without the checker. `make model` runs the largest instance too.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod action;
mod bug;
mod decision;
mod kafka;
mod protocol;
mod reduce;
mod search;
mod state;

use action::Action;
use bug::Bug;
use protocol::Protocol;
use state::{State, Violation};
use stateright::{Checker, HasDiscoveries, Model, Property};
use std::fmt::Write;
use std::sync::Mutex;
use std::time::Instant;

impl Model for Protocol {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![self.first()]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        self.enabled(state, actions);
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        Some(self.after(state, action))
    }

    fn properties(&self) -> Vec<Property<Protocol>> {
        fn free(state: &State, violation: Violation) -> bool {
            state.violation != Some(violation)
        }
        vec![
            Property::always("no gap", |_, state| free(state, Violation::Gap)),
            Property::always("no repeat", |_, state| free(state, Violation::Repeat)),
            Property::always("no regression", |_, state| free(state, Violation::Regression)),
            Property::always("no invention", |_, state| free(state, Violation::Invention)),
            Property::always("nothing forgotten", |_, state| free(state, Violation::Amnesia)),
            Property::always("no offset goes back", |_, state| free(state, Violation::OffsetBack)),
            Property::always("settled", |_, state: &State| state.is_settled()),
            Property::always("converges", |protocol: &Protocol, state: &State| {
                state.is_converged() || !protocol.is_at_rest(state)
            }),
            // The model is not about nothing: what is dangerous does happen in it.
            Property::sometimes("all changes published", |protocol: &Protocol, state: &State| {
                state.is_converged() && state.changes() == protocol.changes
            }),
            Property::sometimes("a restore waits", |_, state: &State| state.restore_waits()),
            Property::sometimes("committed behind an open transaction", |_, state: &State| state.is_past_an_open_one()),
        ]
    }
}

/// An instance that must hold, and what there is of it: states, and steps that lead to them.
struct Instance {
    protocol: Protocol,
    states: usize,
    steps: usize,
}

const fn sound(changes: u8, faults: u8, telling: bool, forgery: bool) -> Protocol {
    Protocol { changes, faults, telling, forgery, bug: None, reduced: true }
}

/// Checked with every run of the tests.
const EVERY_TIME: [Instance; 6] = [
    Instance { protocol: sound(3, 1, true, false), states: 221_003, steps: 632_990 },
    Instance { protocol: sound(3, 1, false, false), states: 219_886, steps: 631_372 },
    Instance { protocol: sound(2, 2, true, false), states: 122_888, steps: 382_945 },
    Instance { protocol: sound(2, 2, false, false), states: 121_183, steps: 382_195 },
    Instance { protocol: sound(2, 1, true, true), states: 26_585, steps: 66_189 },
    Instance { protocol: sound(2, 1, false, true), states: 16_346, steps: 39_176 },
];

/// Checked by `make model`.
const LARGE: [Instance; 4] = [
    Instance { protocol: sound(2, 3, true, false), states: 1_333_239, steps: 4_876_542 },
    Instance { protocol: sound(2, 3, false, false), states: 1_260_257, steps: 4_694_968 },
    Instance { protocol: sound(3, 2, true, false), states: 4_320_377, steps: 14_861_849 },
    Instance { protocol: sound(3, 2, false, false), states: 4_209_092, steps: 14_595_712 },
];

fn threads() -> usize {
    std::thread::available_parallelism().map_or(2, usize::from)
}

/// All states of an instance, and no property broken in any.
fn holds(instance: &Instance) {
    let began = Instant::now();
    let protocol = instance.protocol;
    let checker = protocol.checker().threads(threads()).finish_when(HasDiscoveries::AnyFailures).spawn_dfs().join();
    let (states, steps) = (checker.unique_state_count(), checker.state_count());
    println!("{protocol:?}: {states} states, {steps} steps in {:.1} s", began.elapsed().as_secs_f64());
    if let Some((name, path)) = checker.discoveries().into_iter().find(|(name, _)| !is_wanted(protocol, name)) {
        let actions: Vec<String> = path.into_actions().iter().map(|action| format!("{action:?}")).collect();
        panic!("{protocol:?}: \"{name}\" does not hold after\n  {}", actions.join("\n  "));
    }
    for name in ["all changes published", "a restore waits", "committed behind an open transaction"] {
        assert!(checker.discovery(name).is_some(), "{protocol:?}: {name}: never");
    }
    assert_eq!((states, steps), (instance.states, instance.steps), "{protocol:?}: states and steps");
}

fn is_wanted(protocol: Protocol, name: &str) -> bool {
    let property = protocol.properties().into_iter().find(|property| property.name == name).unwrap();
    !property.expectation.discovery_is_failure()
}

#[expect(clippy::disallowed_methods, reason = "the switch of a test")]
fn is_full() -> bool {
    std::env::var("MODEL").is_ok_and(|word| word == "full")
}

#[test]
fn the_protocol_keeps_its_promises_in_every_state() {
    EVERY_TIME.iter().for_each(holds);
    if is_full() {
        LARGE.iter().for_each(holds);
    }
}

/// With it, "at rest" says that every way on ends, and that each ends in the truth.
#[test]
fn no_way_through_the_protocol_goes_in_circles() {
    for instance in EVERY_TIME.iter().filter(|instance| instance.protocol.changes == 2) {
        let found = search::search(instance.protocol);
        assert!(!found.has_cycle, "{:?}", instance.protocol);
        assert_eq!((found.states, found.steps + 1), (instance.states, instance.steps), "the checker saw others");
    }
}

#[test]
fn with_fewer_states_nothing_that_readers_see_is_lost() {
    for telling in [true, false] {
        let reduced = sound(2, 1, telling, false);
        let (few, all) = (search::search(reduced), search::search(Protocol { reduced: false, ..reduced }));
        assert!(all.states > few.states, "{} and {} states", all.states, few.states);
        assert_eq!(few.visible, all.visible, "telling: {telling}");
    }
}

/// Each with the property that is seen to break first, and the instance in which it does.
const PLANTED: [(Bug, Protocol, &str); 14] = [
    (Bug::NoFencing, sound(1, 1, true, false), "no repeat"),
    (Bug::OffsetsOutside, sound(1, 1, true, false), "no repeat"),
    (Bug::ReplayToLastStable, sound(2, 2, true, false), "no repeat"),
    (Bug::UnstableOffsets, sound(2, 2, true, false), "no offset goes back"),
    (Bug::NoCatchUp, sound(2, 2, true, false), "no repeat"),
    (Bug::EntryBeforeCommit, sound(2, 1, true, false), "no gap"),
    (Bug::UnknownTakenAsAbort, sound(1, 1, true, false), "no repeat"),
    (Bug::UnknownTakenAsCommitted, sound(2, 1, true, false), "no gap"),
    (Bug::OffsetOfTheLastRead, sound(2, 0, true, false), "settled"),
    (Bug::EarlierGetCovers, sound(2, 0, false, false), "settled"),
    (Bug::HintDuringLookDropped, sound(2, 0, true, false), "settled"),
    (Bug::StaleAccepted, sound(2, 1, true, false), "no regression"),
    (Bug::ParkedWithoutTimer, sound(1, 1, true, false), "settled"),
    (Bug::WebhookBelieved, sound(1, 1, true, true), "no invention"),
];

#[test]
fn every_planted_bug_is_found() {
    let (mut missed, mut table) =
        (Vec::new(), String::from("| planted | what breaks | after steps |\n|---|---|---|\n"));
    for bug in Bug::ALL {
        let (_, protocol, breaks) = PLANTED.iter().find(|(planted, ..)| planted == bug).unwrap();
        let protocol = Protocol { bug: Some(*bug), ..*protocol };
        let wanted = HasDiscoveries::AnyOf([*breaks].into());
        let checker = protocol.checker().finish_when(wanted).spawn_bfs().join();
        match checker.discovery(breaks) {
            Some(path) => {
                writeln!(table, "|{} | {breaks} | {} |", bug.says(), path.into_actions().len()).unwrap();
            }
            None => missed.push(bug),
        }
    }
    println!("{table}");
    assert!(missed.is_empty(), "not found: {missed:?}");
    in_proof("planted in the model", &table);
}

#[test]
fn the_proof_tells_how_many_states_there_are() {
    let mut table =
        String::from("| changes | faults | webhooks | states | steps | run by |\n|---|---|---|---|---|---|\n");
    let all = EVERY_TIME.iter().map(|instance| (instance, "`make test`"));
    for (instance, run_by) in all.chain(LARGE.iter().map(|instance| (instance, "`make model`"))) {
        let Instance { protocol: Protocol { changes, faults, telling, forgery, .. }, states, steps } = instance;
        let words = match (telling, forgery) {
            (true, false) => "claim a state",
            (false, false) => "only wake",
            (true, true) => "claim a state, may be forged",
            (false, true) => "only wake, may be forged",
        };
        writeln!(table, "| {changes} | {faults} | {words} | {states} | {steps} | {run_by} |").unwrap();
    }
    in_proof("states of the model", &table);
}

/// The table stands between its marks in docs/proof.md; `WRITE_PROOF=1` puts it there.
fn in_proof(mark: &str, table: &str) {
    static PAGE: Mutex<()> = Mutex::new(());
    let _alone = PAGE.lock().unwrap();
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/proof.md");
    let page = std::fs::read_to_string(path).unwrap();
    let (begin, end) = (format!("<!-- {mark} -->\n"), format!("<!-- end of {mark} -->"));
    let (head, rest) = page.split_once(&begin).unwrap();
    let (found, tail) = rest.split_once(&end).unwrap();
    if std::env::var_os("WRITE_PROOF").is_some() {
        std::fs::write(path, format!("{head}{begin}{table}{end}{tail}")).unwrap();
    } else {
        assert_eq!(found, table, "docs/proof.md tells other figures: WRITE_PROOF=1 writes these");
    }
}
