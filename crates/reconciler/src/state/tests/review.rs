//! What a revocation leaves behind, and which offset a request settles.

use super::*;
use models::{Lane, ProjectId, Request, Sweep, SweepMemo, Walked};
use std::time::Duration;

struct Lab {
    state: State,
    registry: prometheus::Registry,
    now: Time,
}

impl Lab {
    /// Two partitions are held, of two, and nothing waits for a commit.
    fn new() -> Lab {
        let registry = prometheus::Registry::new();
        let metrics = Metrics::register(&registry).unwrap();
        let budget = ProjectBudget { per_second: 10.0, per_day: 1_000, deletions_per_hour: 1, cost: 1 };
        let rules = ProjectRules { policy: Policy::default(), budget, sweeps: SweepRules::default() };
        let projects = HashMap::from([("acme".to_owned(), rules)]);
        let now = Time::from_millis(1_772_000_000_000);
        let state = State::new(Settings::default(), projects, fastrand::Rng::with_seed(1), metrics, now);
        let mut lab = Lab { state, registry, now };
        for partition in [0, 1] {
            lab.state.on_event(LedgerEvent::Assigned { partition, epoch: 1, fresh: true }, now);
            let memos = if partition == 0 { vec![walked(now)] } else { Vec::new() };
            lab.state.on_event(LedgerEvent::Memos { partition, epoch: 1, memos }, now);
            lab.state.on_event(LedgerEvent::Ready { partition, epoch: 1, live: 0, bulk: 0, of: 2 }, now);
        }
        lab.commit();
        lab
    }

    fn commit(&mut self) {
        while self.state.take_batch(self.now).is_some() {
            self.state.on_commit(&Ok(()), self.now);
        }
    }

    fn ages(&self) -> usize {
        let families = self.registry.gather();
        let ages = families.iter().find(|family| family.name() == "argos_relay_sweep_age_seconds");
        ages.map_or(0, |family| family.get_metric().len())
    }
}

fn acme() -> ProjectId {
    ProjectId::new("acme").unwrap()
}

/// A full walk that ended at this time.
fn walked(at: Time) -> (MemoKey, Option<Memo>) {
    let last = Walked { started_at: at, ended_at: at, complete: true, totals: models::Totals::default() };
    let memo = SweepMemo { last: Some(last), completed: Some(at), ..SweepMemo::default() };
    (MemoKey::Sweep(acme(), Sweep::Full), Some(Memo::Sweep(Box::new(memo))))
}

/// The page that a walk wanted is nobody's once partition 0 is gone: it takes no request from the quota, and above all it
/// is not the probe that the breaker waits for.
#[test]
fn a_page_that_was_wanted_is_not_wanted_any_more_after_a_revocation() {
    let mut lab = Lab::new();
    lab.state.prepare(lab.now);
    assert_eq!(lab.state.next_task(lab.now), None, "the bucket is empty yet");
    lab.state.record("acme", false, Some(&models::LookError::Denied("403".to_owned())), lab.now);
    lab.commit();
    lab.state.on_event(LedgerEvent::Revoked { partition: 0 }, lab.now);
    lab.now = lab.now + Duration::from_mins(2);
    let before = lab.state.queue.budget_remaining("acme", lab.now);
    lab.state.prepare(lab.now);
    assert_eq!(lab.state.next_task(lab.now), None);
    assert_eq!(lab.state.queue.budget_remaining("acme", lab.now), before);
    let probe = lab.state.queue.push(
        Class::Live,
        crate::queue::Ticket { partition: 1, key: Key::parse("acme/x").unwrap(), queued_at: lab.now },
    );
    probe.unwrap();
    let next = lab.state.queue.next(lab.now, |_, _| true);
    assert!(matches!(next, crate::queue::Next::Look { probe: true, .. }), "{next:?}");
}

#[test]
fn only_who_walks_tells_the_ages_of_walks() {
    let mut lab = Lab::new();
    lab.state.observe(lab.now);
    assert_eq!(lab.ages(), 1);
    lab.state.on_event(LedgerEvent::Revoked { partition: 0 }, lab.now);
    lab.state.observe(lab.now + Duration::from_hours(1));
    assert_eq!(lab.ages(), 0, "the new owner tells it");
}

/// Nobody of ours writes a request to the live lane; a record there must not hold it, nor settle another lane's hint.
#[test]
fn a_request_settles_its_own_offset_whatever_its_lane() {
    let mut lab = Lab::new();
    let hint = models::Hint {
        id: String::new(),
        source: models::Source::Sweep,
        received_at: lab.now,
        authentication: models::Authentication::NONE,
        claim: models::Claim::default(),
        notices: models::Notices::default(),
        body_digest: String::new(),
        row: None,
        erase: false,
        traceparent: None,
    };
    let key = Key::parse("acme/k3f9x1mes3ugzb").unwrap();
    let event = LedgerEvent::Hint { partition: 0, epoch: 1, lane: Lane::Bulk, offset: 0, key, hint: Box::new(hint) };
    lab.state.on_event(event, lab.now);
    let request = Request::FullSweep { project: acme(), at: lab.now };
    let event = LedgerEvent::Request { partition: 0, epoch: 1, lane: Lane::Live, offset: 0, request };
    lab.state.on_event(event, lab.now);
    let batch = lab.state.take_batch(lab.now).expect("the request's memo");
    assert_eq!(batch.memos.len(), 1);
    let row = batch.progress.iter().find(|row| row.partition == 0).unwrap();
    assert_eq!((row.live, row.bulk), (1, 0));
}
