//! Law 6: with a ledger made anew out of events and snapshots, sequences go on, and nothing is told that ARGOS did not do.

use super::*;
use crate::decision::rebuild::{LastEvent, rebuilt};

impl History {
    /// The ledger is lost, and made anew.
    fn rebuild(&mut self, now: Time) {
        let last = |event: &Event| LastEvent { sequence: event.sequence, deleted: event.kind == EventKind::Deleted };
        let mut rng = fastrand::Rng::with_seed(3);
        self.entry = rebuilt(self.snapshot.as_ref(), self.events.last().map(last), now, &mut rng);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn law_6_rebuilt(
        before in prop::collection::vec((answer(), wake()), 1..6),
        after in prop::collection::vec((answer(), wake()), 0..6),
        crashes in any::<bool>(),
    ) {
        let policy = Policy::default();
        let (mut history, mut now) = (History::default(), 0);
        let mut settle = |history: &mut History, answer: &Answer, wake: &Wake| {
            for wake in [wake, &Wake::recheck()] {
                for _ in 0..6 {
                    now += 400_000;
                    history.look(&policy, wake, answer.clone(), at(now), false);
                }
            }
            now
        };
        for (answer, wake) in &before {
            settle(&mut history, answer, wake);
        }
        let last = before[before.len() - 1].0.clone();
        let at_loss = settle(&mut history, &last, &Wake::recheck());
        let (told, sequence) = (history.events.len(), history.entry.as_ref().map_or(0, |entry| entry.sequence));
        history.rebuild(at(at_loss));
        if crashes {
            history.look(&policy, &Wake::recheck(), last.clone(), at(at_loss + 1), true);
        }
        settle(&mut history, &last, &Wake::recheck());
        prop_assert_eq!(history.events.len(), told, "nothing changed, so nothing is told");
        prop_assert_eq!(history.entry.as_ref().map_or(0, |entry| entry.sequence), sequence);
        for (answer, wake) in &after {
            settle(&mut history, answer, wake);
        }
        history.check_sequences();
    }
}

#[test]
fn what_was_erased_stays_erased_and_a_decision_after_the_loss_is_told() {
    let policy = Policy::default();
    let live = |updated| Answer::Present(Box::new(approved(updated)));
    let mut history = History::default();
    history.look(&policy, &Wake::recheck(), live(10), at(1_000), false);
    history.rebuild(at(2_000));
    let mut rejected = approved(20);
    rejected.kyc.status = KycStatus::Rejected;
    history.look(&policy, &Wake::recheck(), Answer::Present(Box::new(rejected)), at(3_000), false);
    let kinds: Vec<EventKind> = history.events.iter().map(|event| event.kind).collect();
    assert_eq!(kinds, [EventKind::Approved, EventKind::Rejected]);
    history.check_sequences();

    history.snapshot = None;
    history.rebuild(at(4_000));
    assert!(history.entry.as_ref().is_some_and(Entry::is_erased), "a tombstone without a last event of deletion");
    history.look(&policy, &Wake::recheck(), live(30), at(5_000), false);
    assert_eq!(history.events.len(), 2);
}
