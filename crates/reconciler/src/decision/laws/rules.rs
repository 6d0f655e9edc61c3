//! Rules about notices and readings that one look alone does not show.

use super::*;
use models::PersonalDigest as Digest;

const fn digest(key: u32, digest: u64) -> Digest {
    Digest { key, digest }
}

#[test]
fn a_red_flag_that_is_not_shown_yet_is_never_told_as_clear() {
    let policy = Policy::default();
    let first = look(&policy, None, &Wake::recheck(), present(approved(1)), at(10)).entry;
    let claim = Claim { trigger: "aml".to_owned(), red_flag: Some(true), ..Claim::default() };
    let notice = Notice { at: at(20), authentication: Authentication::PATH_TOKEN };
    let wake = Wake { notices: Notices { aml: Some(notice), monitoring: None }, ..with_claim(claim) };
    let stale = look(&policy, first.as_ref(), &wake, present(approved(1)), at(30));
    assert_eq!((stale.outcome, stale.events.len()), (Outcome::Unchanged, 0));
    assert_eq!(stale.entry.as_ref().unwrap().check.unwrap().reason, CheckReason::Unconfirmed);
    let mut flagged = approved(1);
    flagged.aml_status = AmlStatus::RedFlag;
    flagged.risk = Risk::High;
    let told = look(&policy, stale.entry.as_ref(), &Wake::recheck(), present(flagged), at(2_000));
    assert_eq!(kinds(&told), [EventKind::AmlScreened]);
    let aml = told.events[0].data.aml.as_ref().unwrap();
    assert_eq!((aml.status, aml.notice_at), (AmlStatus::RedFlag, Some(at(20))));

    let mut entry = stale.entry;
    for _ in 0..=policy.ladder.len() {
        let due = entry.as_ref().and_then(|entry| entry.check).unwrap().due;
        let again = look(&policy, entry.as_ref(), &Wake::recheck(), present(approved(1)), due);
        assert!(again.events.is_empty(), "not even when the ladder ends");
        entry = again.entry;
    }
}

#[test]
fn while_two_digest_keys_are_valid_a_change_of_personal_data_is_told_under_the_old_one() {
    let policy = Policy::default();
    let shown = |digests| Submission { personal: digests, ..approved(1) };
    let first = look(&policy, None, &Wake::recheck(), present(shown([Some(digest(1, 5)), None])), at(10)).entry;
    let same = present(shown([Some(digest(2, 70)), Some(digest(1, 5))]));
    let rotated = look(&policy, first.as_ref(), &Wake::recheck(), same, at(20));
    assert_eq!((rotated.outcome, rotated.events.len()), (Outcome::Rebaselined, 0));
    assert_eq!(rotated.entry.unwrap().published.unwrap().personal, Some(digest(2, 70)));
    let other = present(shown([Some(digest(2, 71)), Some(digest(1, 6))]));
    let changed = look(&policy, first.as_ref(), &Wake::recheck(), other, at(20));
    assert_eq!(kinds(&changed), [EventKind::Updated]);
    assert_eq!(changed.events[0].data.changed, ["personal_data"]);
}

#[test]
fn a_new_normalizer_that_reads_the_personal_block_otherwise_is_no_event() {
    let policy = Policy::default();
    let mut shown = Submission { personal: [Some(digest(1, 5)), None], ..approved(1) };
    let first = look(&policy, None, &Wake::recheck(), present(shown.clone()), at(10)).entry;
    shown.reading.normalizer += 1;
    shown.personal = [Some(digest(1, 6)), None];
    let decision = look(&policy, first.as_ref(), &Wake::recheck(), present(shown), at(20));
    assert_eq!((decision.outcome, decision.events.len()), (Outcome::Rebaselined, 0));
}

#[test]
fn a_project_taken_out_of_the_configuration_loses_no_schedule_and_dead_letters_only_hints() {
    let policy = Policy::default();
    let key = key();
    let first = look(&policy, None, &Wake::recheck(), present(approved(1)), at(10)).entry;
    let tried = |entry: Option<&Entry>, wake: &Wake| {
        let case = Case { policy: &policy, key: &key, entry, wake, now: at(1_000), first_run: Time::MIN };
        fail(&case, &models::LookError::UnknownProject, &mut fastrand::Rng::with_seed(3))
    };
    let timer = tried(first.as_ref(), &Wake::recheck());
    assert!(timer.dead_letter.is_none());
    let kept = timer.entry.unwrap();
    assert_eq!(kept.published, first.as_ref().unwrap().published.clone());
    assert!(kept.check.unwrap().due >= at(1_000) + policy.dead_letter_pause);
    let claim = Claim { status: Some(KycStatus::Approved), ..Claim::default() };
    let hinted = tried(first.as_ref(), &with_claim(claim.clone()));
    assert!(hinted.dead_letter.is_some() && hinted.entry.unwrap().check.is_some());
    let stranger = tried(None, &with_claim(claim));
    assert!(stranger.dead_letter.is_some() && stranger.entry.is_none());
}

/// No list tells of a notice again, so it is never dropped without a look that began after it.
#[test]
fn an_unknown_id_is_not_forgotten_with_a_notice_that_waits_for_its_look() {
    let policy = Policy::default();
    let claim = Claim { trigger: "approved".to_owned(), status: Some(KycStatus::Approved), ..Claim::default() };
    let unknown = look(&policy, None, &with_claim(claim), Answer::Absent, at(10)).entry;
    assert!(unknown.as_ref().unwrap().is_unknown());
    let key = key();
    let park = |authentication| {
        let notices = Notices { aml: Some(Notice { at: at(20), authentication }), monitoring: None };
        let wake = Wake { notices, ..Wake::recheck() };
        let now = at(3_600_000);
        let case = Case { policy: &policy, key: &key, entry: unknown.as_ref(), wake: &wake, now, first_run: Time::MIN };
        crate::decision::park(&case, now, &mut fastrand::Rng::with_seed(1))
    };
    let kept = park(Authentication::PATH_TOKEN);
    assert_eq!(kept.outcome, Outcome::Parked);
    assert!(kept.entry.unwrap().pending.unwrap().notices.aml.is_some());
    assert_eq!(park(Authentication::NONE).outcome, Outcome::Forgotten, "one that nobody vouches for holds nothing");
}
