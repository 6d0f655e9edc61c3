//! The laws of the decision, as properties over generated cases.

mod rebuilt;
mod rules;

use super::*;
use models::facts::{Kyc, Origin, Reason, Risk};
use models::{AmlStatus, Authentication, Cause, Claim, Notice, Notices, Reading};
use proptest::prelude::*;
use std::collections::HashSet;
use std::time::Duration;

fn key() -> Key {
    Key::parse("acme/k3f9x1mes3ugzb").unwrap()
}

fn at(millis: i64) -> Time {
    Time::from_millis(1_772_000_000_000 + millis)
}

fn submission() -> impl Strategy<Value = Submission> {
    let status = prop::sample::select(vec![
        KycStatus::Incomplete,
        KycStatus::Pending,
        KycStatus::Approved,
        KycStatus::Rejected,
        KycStatus::Unknown,
    ]);
    let aml = prop::sample::select(vec![AmlStatus::NotScreened, AmlStatus::RedFlag, AmlStatus::Unknown]);
    let risk = prop::sample::select(Risk::ALL.to_vec());
    (status, aml, risk, 0..3_u32, 0..3_u32, prop::option::of(0..50_i64), prop::option::of("[a-z]{1,6}"), 0..3_u64)
        .prop_map(|(status, aml_status, risk, retries, matches, updated, reason, digest)| Submission {
            user_id: Some("u-1001".to_owned()),
            created_at: Some(at(0)),
            updated_at: updated.map(at),
            kyc: Kyc {
                status,
                vendor_status: status.to_string(),
                decided_at: None,
                reviewer: None,
                origin: Origin::Unknown,
                retries,
                reasons: reason
                    .map(|code| Reason { code, category: "other".to_owned(), text: None })
                    .into_iter()
                    .collect(),
            },
            aml_status,
            aml_vendor_status: aml_status.to_string(),
            risk,
            matches,
            aml_expected: None,
            personal: [Some(models::PersonalDigest { key: 1, digest }), None],
            reading: Reading::default(),
        })
}

fn answer() -> impl Strategy<Value = Answer> {
    prop_oneof![
        8 => submission().prop_map(|submission| Answer::Present(Box::new(submission))),
        1 => Just(Answer::Absent),
        1 => submission().prop_map(|mut submission| {
            submission.kyc.status = KycStatus::Deleted;
            Answer::Present(Box::new(submission))
        }),
    ]
}

fn claim() -> impl Strategy<Value = Claim> {
    let status = prop::option::of(prop::sample::select(KycStatus::ALL.to_vec()));
    (status, prop::option::of(0..60_i64), prop::option::of(any::<bool>()), any::<bool>()).prop_map(
        |(status, changed, red_flag, deleted)| Claim {
            trigger: "approved".to_owned(),
            status,
            changed_at: changed.map(at),
            attempts: None,
            red_flag,
            deleted,
        },
    )
}

fn wake() -> impl Strategy<Value = Wake> {
    let cause = prop::sample::select(Cause::ALL.to_vec());
    (cause, prop::collection::vec(claim(), 0..3)).prop_map(|(cause, claims)| Wake {
        cause,
        claims,
        trigger: Some("approved".to_owned()),
        hint_id: Some("h1".to_owned()),
        hinted_at: Some(at(1)),
        ..Wake::recheck()
    })
}

/// What happened to a key so far: a few looks, some of them crashed before their commit.
fn past() -> impl Strategy<Value = Option<Entry>> {
    prop::collection::vec((answer(), wake(), 0..100_000_i64), 0..6).prop_map(|looks| {
        let mut entry: Option<Entry> = None;
        let mut now = 0;
        for (answer, wake, pause) in looks {
            now += pause;
            entry = look(&Policy::default(), entry.as_ref(), &wake, answer, at(now)).entry;
        }
        entry
    })
}

fn look(policy: &Policy, entry: Option<&Entry>, wake: &Wake, answer: Answer, now: Time) -> Decision {
    let key = key();
    let case = Case { policy, key: &key, entry, wake, now, first_run: Time::MIN };
    decide(&case, &Truth { asked_at: now, answer }, &mut fastrand::Rng::with_seed(7))
}

/// The events without what a hint may fill in.
type Told = (EventKind, u64, String, Option<Kyc>, Option<models::Aml>, Vec<String>);

fn told(decision: &Decision) -> Vec<Told> {
    let plain = |event: &Event| {
        let data = event.data.clone();
        (event.kind, event.sequence, event.id.clone(), data.kyc, data.aml, data.changed)
    };
    decision.events.iter().map(plain).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn law_1_hint_blind(entry in past(), answer in answer(), one in wake(), other in wake()) {
        let policy = Policy::default();
        let now = at(700_000);
        let a = look(&policy, entry.as_ref(), &one, answer.clone(), now);
        let b = look(&policy, entry.as_ref(), &other, answer, now);
        prop_assert_eq!(a.outcome, b.outcome);
        prop_assert_eq!(told(&a), told(&b));
        prop_assert_eq!(&a.state, &b.state);
        prop_assert_eq!(a.entry.as_ref().and_then(|e| e.published.clone()), b.entry.and_then(|e| e.published));
    }

    #[test]
    fn law_2_idempotent(entry in past(), answer in answer(), wake in wake(), again in wake()) {
        let policy = Policy::default();
        let first = look(&policy, entry.as_ref(), &wake, answer.clone(), at(700_000));
        let second = look(&policy, first.entry.as_ref(), &again, answer.clone(), at(700_001));
        // A suspicion or a stale read may ripen into a decision; what was published is never published again.
        if !first.events.is_empty() || first.outcome == Outcome::Unchanged {
            prop_assert!(second.events.is_empty(), "{:?} then {:?}", first.outcome, second.outcome);
        }
        let third = look(&policy, second.entry.as_ref(), &wake, answer, at(700_002));
        if !second.events.is_empty() {
            prop_assert!(third.events.is_empty());
        }
    }

    #[test]
    fn law_3_monotone(entry in past(), submission in submission(), wake in wake()) {
        let policy = Policy::default();
        let last = entry.as_ref().and_then(|entry| entry.published.clone());
        let decision = look(&policy, entry.as_ref(), &wake, Answer::Present(Box::new(submission.clone())), at(1_000_000));
        let older = agreement::is_older(submission.updated_at, last.as_ref().and_then(|last| last.updated_at));
        if older && !decision.clock_regressed {
            prop_assert_eq!(decision.outcome, Outcome::StaleRead);
            prop_assert!(decision.events.is_empty());
            prop_assert_eq!(&decision.state, &StateChange::Keep);
            let next = decision.entry.unwrap();
            prop_assert_eq!(next.published, last);
            prop_assert!(next.check.is_some(), "a stale read is looked at again");
        }
    }

    #[test]
    fn law_3_an_older_clock_is_accepted_when_the_ladder_ends(entry in past(), submission in submission()) {
        let policy = Policy::default();
        let mut now = at(1_000_000);
        let mut entry = entry;
        for _ in 0..10 {
            let decision = look(&policy, entry.as_ref(), &Wake::recheck(), Answer::Present(Box::new(submission.clone())), now);
            let stale = decision.outcome == Outcome::StaleRead;
            entry = decision.entry;
            if !stale {
                break;
            }
            now = entry.as_ref().and_then(|entry| entry.check).unwrap().due;
        }
        let published = entry.unwrap().published.unwrap();
        prop_assert_eq!(published.kyc_status, submission.kyc.status);
    }

    #[test]
    fn law_4_convergent(
        truths in prop::collection::vec(answer(), 1..8),
        looks in prop::collection::vec((0..8_usize, wake(), any::<bool>(), 0..40_000_i64), 0..30),
    ) {
        // The vendor's clock runs: truth number i was made at its own time.
        let truths: Vec<Answer> = truths.into_iter().enumerate().map(|(index, answer)| match answer {
            Answer::Present(mut submission) => {
                submission.updated_at = Some(at(index as i64 * 10));
                Answer::Present(submission)
            }
            Answer::Absent => Answer::Absent,
        }).collect();
        let policy = Policy::default();
        let mut history = History::default();
        let mut now = 0;
        for (index, wake, crash, pause) in looks {
            now += pause;
            history.look(&policy, &wake, truths[index % truths.len()].clone(), at(now), crash);
        }
        for _ in 0..12 {
            now += 400_000;
            history.look(&policy, &Wake::recheck(), truths[truths.len() - 1].clone(), at(now), false);
        }
        history.check_sequences();
        history.check_last(&truths[truths.len() - 1])?;
    }

    #[test]
    fn law_5_total(entry in past(), answer in answer(), wake in wake(), asked in any::<i64>(), now in any::<i64>(), policy in policy()) {
        let key = key();
        let case = Case { policy: &policy, key: &key, entry: entry.as_ref(), wake: &wake, now: Time::from_millis(now), first_run: Time::MIN };
        let truth = Truth { asked_at: Time::from_millis(asked), answer };
        let decision = decide(&case, &truth, &mut fastrand::Rng::with_seed(1));
        let publishes = matches!(decision.outcome, Outcome::Published | Outcome::Deleted);
        prop_assert_eq!(publishes, !decision.events.is_empty(), "{:?}", decision.outcome);
        let old = entry.map_or(0, |entry| entry.sequence);
        prop_assert_eq!(decision.entry.map_or(old, |entry| entry.sequence), old + decision.events.len() as u64);
    }

    #[test]
    fn a_failed_look_keeps_what_was_published_and_every_claim(entry in past(), wake in wake(), now in 0..1_000_000_i64) {
        let key = key();
        let policy = Policy::default();
        let case = Case { policy: &policy, key: &key, entry: entry.as_ref(), wake: &wake, now: at(now), first_run: Time::MIN };
        let decision = fail(&case, &LookErrorForTest::retry(), &mut fastrand::Rng::with_seed(1));
        prop_assert!(decision.events.is_empty());
        let next = decision.entry.unwrap();
        prop_assert_eq!(next.published.clone(), entry.and_then(|entry| entry.published));
        prop_assert!(next.check.unwrap().due > at(now));
        let kept = next.pending.unwrap().claims;
        prop_assert!(wake.claims.iter().all(|claim| kept.contains(claim)));
    }
}

struct LookErrorForTest;

impl LookErrorForTest {
    fn retry() -> models::LookError {
        models::LookError::Retry("connection refused".to_owned())
    }
}

fn policy() -> impl Strategy<Value = Policy> {
    (prop::collection::vec(0..u64::MAX, 1..4), any::<u64>(), any::<i64>()).prop_map(|(ladder, pause, live_since)| {
        Policy {
            ladder: ladder.into_iter().map(Duration::from_millis).collect(),
            settle_first: Duration::from_millis(pause),
            baseline: Baseline::Snapshots { live_since: Some(Time::from_millis(live_since)) },
            ..Policy::default()
        }
    })
}

/// What a consumer saw, and what the ledger holds.
#[derive(Default)]
struct History {
    entry: Option<Entry>,
    events: Vec<Event>,
    snapshot: Option<models::Snapshot>,
}

impl History {
    fn look(&mut self, policy: &Policy, wake: &Wake, answer: Answer, now: Time, crash: bool) {
        let decision = look(policy, self.entry.as_ref(), wake, answer, now);
        if crash {
            return; // neither events nor entry became durable
        }
        self.events.extend(decision.events);
        match decision.state {
            StateChange::Keep => {}
            StateChange::Put(snapshot) => self.snapshot = Some(*snapshot),
            StateChange::Tombstone => self.snapshot = None,
        }
        self.entry = decision.entry;
    }

    fn check_sequences(&self) {
        let ids: HashSet<&str> = self.events.iter().map(|event| event.id.as_str()).collect();
        assert_eq!(ids.len(), self.events.len(), "each published change has one id");
        for (expected, event) in (1..).zip(&self.events) {
            assert_eq!(event.sequence, expected, "gapless");
        }
    }

    fn check_last(&self, last: &Answer) -> Result<(), TestCaseError> {
        match last {
            Answer::Present(truth) if truth.kyc.status != KycStatus::Deleted => {
                let snapshot = self.snapshot.as_ref().expect("a live submission has a snapshot");
                prop_assert_eq!(&snapshot.facts.kyc, &truth.kyc);
                prop_assert_eq!(snapshot.facts.aml.risk, truth.risk);
                let newest = self.events.last().expect("a live submission has events");
                prop_assert_eq!(newest.data.kyc.as_ref(), Some(&truth.kyc));
                prop_assert_eq!(newest.sequence, snapshot.sequence);
            }
            _ => prop_assert!(self.snapshot.is_none()),
        }
        Ok(())
    }
}

// ---- single rows of the table, and the rules that properties are too blunt for ----

fn approved(updated: i64) -> Submission {
    Submission {
        user_id: None,
        created_at: Some(at(0)),
        updated_at: Some(at(updated)),
        kyc: Kyc {
            status: KycStatus::Approved,
            vendor_status: "approved".to_owned(),
            decided_at: None,
            reviewer: Some("system".to_owned()),
            origin: Origin::Automatic,
            retries: 0,
            reasons: Vec::new(),
        },
        aml_status: AmlStatus::NotScreened,
        aml_vendor_status: "Not Screened".to_owned(),
        risk: Risk::Unknown,
        matches: 0,
        aml_expected: None,
        personal: [None, None],
        reading: Reading::default(),
    }
}

fn present(submission: Submission) -> Answer {
    Answer::Present(Box::new(submission))
}

fn kinds(decision: &Decision) -> Vec<EventKind> {
    decision.events.iter().map(|event| event.kind).collect()
}

fn with_claim(claim: Claim) -> Wake {
    Wake {
        cause: Cause::Webhook,
        claims: vec![claim],
        hint_id: Some("h1".to_owned()),
        hinted_at: Some(at(1)),
        ..Wake::recheck()
    }
}

#[test]
fn a_forged_approval_publishes_what_the_get_says_and_walks_the_ladder_once() {
    let policy = Policy { settle_first: Duration::from_mins(30), ..Policy::default() };
    let claim = Claim {
        trigger: "approved".to_owned(),
        status: Some(KycStatus::Approved),
        changed_at: Some(at(9_999)),
        ..Claim::default()
    };
    let mut pending = approved(10);
    pending.kyc.status = KycStatus::Pending;
    let mut decision = look(&policy, None, &with_claim(claim), present(pending.clone()), at(20));
    assert_eq!(kinds(&decision), [EventKind::Pending]);
    assert_eq!(decision.events[0].data.provenance.agreement, Agreement::Behind);
    let mut looks = 1;
    let mut told = 0;
    while told == 0 {
        let check = decision.entry.as_ref().and_then(|entry| entry.check).unwrap();
        assert_eq!(check.reason, CheckReason::Unconfirmed);
        decision = look(&policy, decision.entry.as_ref(), &Wake::recheck(), present(pending.clone()), check.due);
        assert_eq!(decision.outcome, Outcome::Unchanged);
        looks += 1;
        told = decision.notifications.len();
    }
    assert_eq!(looks, 1 + policy.ladder.len());
    assert_eq!(decision.entry.unwrap().check.unwrap().reason, CheckReason::UnderReview);
}

#[test]
fn an_unknown_id_costs_the_ladder_and_is_forgotten() {
    let policy = Policy::default();
    let claim = Claim { trigger: "approved".to_owned(), status: Some(KycStatus::Approved), ..Claim::default() };
    let mut decision = look(&policy, None, &with_claim(claim), Answer::Absent, at(20));
    let mut looks = 1;
    while let Some(entry) = decision.entry.clone() {
        assert_eq!(decision.outcome, Outcome::UnknownId);
        decision = look(&policy, Some(&entry), &Wake::recheck(), Answer::Absent, entry.check.unwrap().due);
        looks += 1;
    }
    assert_eq!((decision.outcome, looks), (Outcome::Forgotten, 1 + policy.ladder.len()));
    assert_eq!(decision.notifications.len(), 1);
}

#[test]
fn absence_needs_a_second_look_after_the_pause_and_a_return_continues_the_sequence() {
    let policy = Policy::default();
    let first = look(&policy, None, &Wake::recheck(), present(approved(1)), at(10)).entry;
    let suspected = look(&policy, first.as_ref(), &Wake::recheck(), Answer::Absent, at(1_000));
    assert_eq!(suspected.outcome, Outcome::SuspectedDeletion);
    let soon = look(&policy, suspected.entry.as_ref(), &Wake::recheck(), Answer::Absent, at(2_000));
    assert_eq!(soon.outcome, Outcome::SuspectedDeletion);
    let gone = look(&policy, soon.entry.as_ref(), &Wake::recheck(), Answer::Absent, at(40_000));
    assert_eq!((gone.outcome, kinds(&gone)), (Outcome::Deleted, vec![EventKind::Deleted]));
    assert_eq!(gone.state, StateChange::Tombstone);
    assert!(gone.events[0].data.kyc.is_none());
    let still = look(&policy, gone.entry.as_ref(), &Wake::recheck(), Answer::Absent, at(90_000));
    assert_eq!(still.outcome, Outcome::StillGone);
    let back = look(&policy, still.entry.as_ref(), &Wake::recheck(), present(approved(5)), at(95_000));
    assert_eq!(back.events[0].sequence, 3);
    assert_eq!(back.events[0].data.previous.as_ref().unwrap().kyc_status, KycStatus::Deleted);
}

#[test]
fn a_clean_screening_is_told_by_a_notice_once_and_only_with_enough_authentication() {
    let policy = Policy { notice_authentication: Authentication::PATH_TOKEN, ..Policy::default() };
    let notice = |at_millis, authentication| Wake {
        cause: Cause::Webhook,
        notices: Notices { aml: Some(Notice { at: at(at_millis), authentication }), monitoring: None },
        ..Wake::recheck()
    };
    let first = look(&policy, None, &Wake::recheck(), present(approved(1)), at(10)).entry;
    let forged = look(&policy, first.as_ref(), &notice(20, Authentication::SOURCE_IP), present(approved(1)), at(30));
    assert_eq!(forged.outcome, Outcome::Unchanged);
    let told =
        look(&policy, forged.entry.as_ref(), &notice(40, Authentication::PATH_TOKEN), present(approved(1)), at(50));
    assert_eq!(kinds(&told), [EventKind::AmlScreened]);
    assert_eq!(told.events[0].data.provenance.notice_authentication, ["path_token"]);
    assert_eq!(told.events[0].data.aml.as_ref().unwrap().status, AmlStatus::Clear);
    let ahead = notice(99_999, Authentication::PATH_TOKEN);
    let skewed = look(&policy, first.as_ref(), &ahead, present(approved(1)), at(50));
    assert_eq!(kinds(&skewed), [EventKind::AmlScreened], "a door whose clock is ahead loses no notice");
    let repeated =
        look(&policy, told.entry.as_ref(), &notice(60, Authentication::PATH_TOKEN), present(approved(1)), at(70));
    assert_eq!(repeated.outcome, Outcome::Unchanged);
    let mut flagged = approved(2);
    flagged.aml_status = AmlStatus::RedFlag;
    flagged.risk = Risk::High;
    let risk = look(&policy, repeated.entry.as_ref(), &Wake::recheck(), present(flagged), at(80));
    assert_eq!(kinds(&risk), [EventKind::AmlRiskChanged]);
}

#[test]
fn old_submissions_are_a_baseline_and_their_next_change_is_event_one() {
    let policy = Policy { baseline: Baseline::Snapshots { live_since: Some(at(1_000)) }, ..Policy::default() };
    let first = look(&policy, None, &Wake::recheck(), present(approved(1)), at(2_000));
    assert_eq!((first.outcome, first.events.len()), (Outcome::Baselined, 0));
    assert!(matches!(first.state, StateChange::Put(ref snapshot) if snapshot.sequence == 0));
    let mut reversed = approved(2_500);
    reversed.kyc.status = KycStatus::Rejected;
    let next = look(&policy, first.entry.as_ref(), &Wake::recheck(), present(reversed), at(3_000));
    assert_eq!((kinds(&next), next.events[0].sequence), (vec![EventKind::Rejected], 1));
    assert_eq!(next.events[0].data.previous.as_ref().unwrap().sequence, 0);
}

#[test]
fn our_own_changes_of_reading_are_no_events() {
    let policy = Policy::default();
    let first = look(&policy, None, &Wake::recheck(), present(approved(1)), at(10)).entry;
    let mut shown = approved(1);
    shown.user_id = Some("u-1001".to_owned());
    shown.reading.policy = 1;
    shown.personal = [Some(models::PersonalDigest { key: 2, digest: 5 }), None];
    let decision = look(&policy, first.as_ref(), &Wake::recheck(), present(shown.clone()), at(20));
    assert_eq!((decision.outcome, decision.events.len()), (Outcome::Rebaselined, 0));
    shown.kyc.status = KycStatus::Rejected;
    shown.updated_at = Some(at(9));
    let decision = look(&policy, decision.entry.as_ref(), &Wake::recheck(), present(shown), at(30));
    assert_eq!(kinds(&decision), [EventKind::Rejected]);
}

#[test]
fn a_change_of_personal_data_is_told_without_its_values() {
    let policy = Policy::default();
    let mut one = approved(1);
    one.personal = [Some(models::PersonalDigest { key: 1, digest: 5 }), None];
    let first = look(&policy, None, &Wake::recheck(), present(one.clone()), at(10)).entry;
    one.personal = [Some(models::PersonalDigest { key: 1, digest: 6 }), None];
    let decision = look(&policy, first.as_ref(), &Wake::recheck(), present(one), at(20));
    assert_eq!(kinds(&decision), [EventKind::Updated]);
    assert_eq!(decision.events[0].data.changed, ["personal_data"]);
}

#[test]
fn unreadable_answers_end_in_one_dead_letter_and_a_daily_look() {
    let policy = Policy::default();
    let key = key();
    let error = models::LookError::Unreadable("kyc is a number".to_owned());
    let mut entry: Option<Entry> = None;
    let mut letters = 0;
    for round in 0..15 {
        let wake = Wake::recheck();
        let case = Case {
            policy: &policy,
            key: &key,
            entry: entry.as_ref(),
            wake: &wake,
            now: at(round),
            first_run: Time::MIN,
        };
        let decision = fail(&case, &error, &mut fastrand::Rng::with_seed(3));
        letters += usize::from(decision.dead_letter.is_some());
        entry = decision.entry;
    }
    assert_eq!(letters, 1);
    assert_eq!(entry.unwrap().check.unwrap().reason, CheckReason::DeadLettered);
}
