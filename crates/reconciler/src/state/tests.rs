//! Which hints need no look, and to which lane a look of ours belongs.

mod review;

use super::hints::is_equal;
use super::looks::class_of;
use super::packed::Glance;
use super::*;
use crate::decision::{self, Case, Wake, WordHashes};
use crate::policy::Policy;
use crate::queue::Class;

use models::{AmlStatus, Answer, Check, CheckReason, Grave, GraveReason, KycStatus, Pending, Risk, Row, Truth};

const UPDATED: Time = Time::from_millis(1_000);

fn published(aml: &str) -> Entry {
    let submission = models::Submission {
        user_id: None,
        created_at: Some(UPDATED),
        updated_at: Some(UPDATED),
        kyc: models::Kyc {
            status: KycStatus::Approved,
            vendor_status: "approved".to_owned(),
            decided_at: None,
            reviewer: None,
            origin: models::Origin::Unknown,
            retries: 0,
            reasons: Vec::new(),
        },
        aml_status: AmlStatus::NotScreened,
        aml_vendor_status: aml.to_owned(),
        risk: Risk::Unknown,
        matches: 0,
        aml_expected: None,
        personal: [None, None],
        reading: models::Reading::default(),
    };
    let truth = Truth { asked_at: UPDATED, answer: Answer::Present(Box::new(submission)) };
    let key = Key::parse("acme/k3f9x1mes3ugzb").unwrap();
    let case = Case {
        policy: &Policy::default(),
        key: &key,
        entry: None,
        wake: &Wake::recheck(),
        now: Time::from_millis(2_000),
        first_run: Time::MIN,
    };
    decision::decide(&case, &truth, &mut fastrand::Rng::with_seed(1)).entry.unwrap()
}

fn row(status: KycStatus, aml: Option<&str>) -> Row {
    Row {
        kyc_status: Some(status),
        aml_vendor_status: aml.map(str::to_owned),
        risk: None,
        updated_at: Some(UPDATED),
        created_at: Some(UPDATED),
    }
}

#[test]
fn a_list_row_is_dropped_only_if_all_that_it_shows_is_known() {
    let equal = |row: &Row| is_equal(&Glance::from(&published("Not Screened")), row, &WordHashes::default());
    assert!(equal(&row(KycStatus::Approved, Some("Not Screened"))));
    assert!(equal(&row(KycStatus::Approved, None)));
    assert!(!equal(&row(KycStatus::Rejected, None)));
    assert!(!equal(&row(KycStatus::Approved, Some("Red Flag"))), "the clock need not move with a screening");
}

#[test]
fn a_deleted_submission_that_stays_in_the_list_costs_no_look() {
    let grave = Some(Grave { at: UPDATED, reason: GraveReason::Deleted });
    let entry = Entry { sequence: 2, grave, ..Entry::default() };
    let equal = |row: &Row| is_equal(&Glance::from(&entry), row, &WordHashes::default());
    assert!(equal(&row(KycStatus::Deleted, None)));
    assert!(!equal(&row(KycStatus::Approved, None)), "it is back");
}

#[test]
fn bulk_work_set_aside_does_not_come_back_as_live() {
    let check = Some(Check { due: UPDATED, reason: CheckReason::Parked });
    let bulk = Entry { check, pending: Some(Box::default()), ..published("") };
    assert_eq!(class_of(&bulk), Class::Bulk);
    let claim = models::Claim { status: Some(KycStatus::Approved), ..models::Claim::default() };
    let hinted =
        Entry { pending: Some(Box::new(Pending { claims: vec![claim], ..Pending::default() })), ..bulk.clone() };
    assert_eq!(class_of(&hinted), Class::Live);
    let suspected = Pending { absent_since: Some(UPDATED), ..Pending::default() };
    assert_eq!(class_of(&Entry { pending: Some(Box::new(suspected)), ..bulk }), Class::Live);
}

#[test]
fn a_timer_that_cannot_be_served_yet_does_not_spin_the_loop() {
    let metrics = Metrics::register(&prometheus::Registry::new()).unwrap();
    let budget = ProjectBudget { per_second: 1.0, per_day: u64::MAX, deletions_per_hour: 1, cost: 1 };
    let rules = ProjectRules { policy: Policy::default(), budget, sweeps: SweepRules::default() };
    let projects = HashMap::from([("acme".to_owned(), rules)]);
    let mut state = State::new(Settings::default(), projects, fastrand::Rng::with_seed(1), metrics, UPDATED);
    let entry = published("");
    let due = entry.check.unwrap().due;
    let key = Key::parse("acme/k3f9x1mes3ugzb").unwrap();
    state.on_event(LedgerEvent::Assigned { partition: 0, epoch: 1, fresh: true }, UPDATED);
    state.on_event(LedgerEvent::Entries { partition: 0, epoch: 1, entries: vec![(key, Some(entry))] }, UPDATED);
    state.on_event(LedgerEvent::Ready { partition: 0, epoch: 1, live: 0, bulk: 0, of: 1 }, UPDATED);
    // The partition's first record and the first page of its walk are out of the way.
    assert!(state.take_batch(UPDATED).is_some());
    state.on_commit(&Ok(()), UPDATED);
    state.prepare(UPDATED);
    let asked_at = UPDATED + std::time::Duration::from_secs(2);
    assert!(matches!(state.next_task(asked_at), Some(Task::Page(..))));
    let overdue = due + std::time::Duration::from_secs(1);
    assert!(state.next_wake(overdue, true).is_some_and(|wake| wake <= due), "a due timer wakes the loop");
    let without_room = state.next_wake(overdue, false);
    assert!(without_room.is_none_or(|wake| wake > overdue), "the end of a look wakes the loop: {without_room:?}");
    state.prepare(overdue);
    assert!(matches!(state.next_task(overdue), Some(Task::Look(_))));
}

#[test]
fn what_kafka_cannot_take_is_set_aside_and_the_rest_is_tried_again() {
    let metrics = Metrics::register(&prometheus::Registry::new()).unwrap();
    let budget = ProjectBudget { per_second: 100.0, per_day: u64::MAX, deletions_per_hour: 1, cost: 1 };
    let rules = ProjectRules { policy: Policy::default(), budget, sweeps: SweepRules::default() };
    let projects = HashMap::from([("acme".to_owned(), rules)]);
    let mut state = State::new(Settings::default(), projects, fastrand::Rng::with_seed(1), metrics, UPDATED);
    let keys = ["acme/large", "acme/small"].map(|key| Key::parse(key).unwrap());
    let now = published("").check.unwrap().due + std::time::Duration::from_mins(1);
    let entries = keys.iter().map(|key| (key.clone(), Some(published("")))).collect();
    state.on_event(LedgerEvent::Assigned { partition: 1, epoch: 1, fresh: true }, now);
    state.on_event(LedgerEvent::Entries { partition: 1, epoch: 1, entries }, now);
    state.on_event(LedgerEvent::Ready { partition: 1, epoch: 1, live: 0, bulk: 0, of: 2 }, now);
    // The partition's first record is out of the way.
    assert!(state.take_batch(now).is_some());
    state.on_commit(&Ok(()), now);
    let now = now + std::time::Duration::from_secs(2);
    state.prepare(now);
    while let Some(task) = state.next_task(now) {
        let Task::Look(run) = task else { continue };
        state.finish(&run, &Err(models::LookError::Retry("away".to_owned())), now);
    }
    let soon = now + std::time::Duration::from_secs(1);
    let first = state.take_batch(soon).unwrap();
    assert_eq!(first.writes.len(), 2);
    state.on_commit(&Err(models::CommitError::TooLarge(vec![(keys[0].clone(), 2_000_000)])), soon);

    let again = state.take_batch(soon + std::time::Duration::from_secs(1)).expect("at once, without a pause");
    let pending = |batch: &models::Batch, key: &Key| {
        let write = batch.writes.iter().find(|write| write.key == *key).unwrap();
        (write.events.len(), *write.entry.clone().unwrap().pending.unwrap())
    };
    let (events, aside) = pending(&again, &keys[0]);
    assert_eq!((events, aside.failures, aside.unreadable), (0, 1, 1), "as an answer that cannot be read");
    assert_eq!(pending(&again, &keys[1]), pending(&first, &keys[1]), "the other decision stands");
    assert_eq!(again.writes.len(), 2);
}
