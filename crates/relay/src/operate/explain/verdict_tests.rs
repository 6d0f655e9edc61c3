//! Each cause, its word, and that what to do is said.

use super::super::gather::HintSeen;
use super::*;
use crate::operate::tails::EventView;
use models::{
    AmlStatus, Authentication, Claim, Grave, Hint, Lane, Monitoring, Notices, Notification, Pending, ProjectId,
    Published, Reading, Risk,
};

const MINUTE: i64 = 60_000;

fn at(millis: i64) -> Time {
    Time::from_millis(millis)
}

fn key() -> Key {
    Key::parse("acme/k3f9x1mes3ugzb").unwrap()
}

/// Ten minutes past the beginning, hints known from it on.
fn told(gathered: &Gathered, entry: Option<&Entry>, work: Option<Standing>, notes: &[Noted]) -> (String, String) {
    let (key, now) = (key(), at(10 * MINUTE));
    let verdict = verdict(&Case { key: &key, now, gathered, entry, work, notes, owner: None });
    (verdict.code, verdict.text)
}

fn hint(millis: i64, trigger: &str) -> HintSeen {
    let mut hint = Hint::of_operator(&key(), at(millis), 1);
    hint.source = Source::Webhook;
    hint.authentication = Authentication::PATH_TOKEN;
    hint.claim = Claim { trigger: trigger.into(), ..Claim::default() };
    HintSeen { lane: Lane::Live, partition: 0, offset: 0, hint }
}

fn hinted(millis: i64) -> Gathered {
    Gathered { hints: vec![hint(millis, "approved")], ..Gathered::default() }
}

fn entry(status: KycStatus, sequence: u64, check: Option<(i64, CheckReason)>) -> Entry {
    Entry {
        sequence,
        published: Some(Published {
            kyc_status: status,
            aml_status: AmlStatus::NotScreened,
            risk: Risk::Unknown,
            monitoring: Monitoring::Unknown,
            retries: 0,
            updated_at: None,
            hashes: [0; 9],
            fingerprint: 0,
            personal: None,
            reading: Reading::default(),
            notices: Notices::default(),
        }),
        check: check.map(|(due, reason)| Check { due: at(due), reason }),
        ..Entry::default()
    }
}

fn event(millis: i64, cause: &str) -> EventView {
    EventView {
        at: at(millis).into(),
        kind: "kyc.submission.approved.v1".into(),
        project: "acme".into(),
        id: "k3f9x1mes3ugzb".into(),
        sequence: 1,
        cause: Some(cause.into()),
        agreement: None,
        kyc_status: Some("approved".into()),
        aml_status: Some("not_screened".into()),
        partition: 0,
        offset: 0,
    }
}

fn opened(why: &str) -> Notification {
    let project = ProjectId::new("acme").unwrap();
    Notification::BreakerOpened { project, why: why.into(), until: at(11 * MINUTE), at: at(9 * MINUTE) }
}

const REFUSED: &str = "ARGOS refuses the API key or our address: status 403";

#[test]
fn a_webhook_that_never_came_is_told_apart_from_one_that_led_nowhere() {
    let (code, text) = told(&Gathered::default(), None, None, &[]);
    assert_eq!(code, "webhook_never_came");
    assert!(
        text.contains("none came of any other submission") && text.contains("`reconcile acme/k3f9x1mes3ugzb`"),
        "{text}"
    );
    let others = Gathered { others_at: Some(at(5)), ..Gathered::default() };
    assert!(
        told(&others, None, None, &[])
            .1
            .contains("webhooks of other submissions do come (the last at 1970-01-01T00:00:00.005Z)")
    );
    assert_eq!(told(&hinted(MINUTE), None, None, &[]).0, "unknown_to_argos");
    // Young: its look may be under way.
    assert_eq!(told(&hinted(9 * MINUTE), None, None, &[]).0, "look_pending");
}

#[test]
fn a_refused_key_stops_what_waits_and_nothing_else() {
    let stopped = Gathered { notices: vec![opened(REFUSED)], ..hinted(9 * MINUTE) };
    let parked = Entry {
        check: Some(Check { due: at(11 * MINUTE), reason: CheckReason::Parked }),
        pending: Some(Box::default()),
        ..Entry::default()
    };
    let (code, text) = told(&stopped, Some(&parked), None, &[]);
    assert_eq!(code, "argos_refuses");
    assert!(
        text.contains("status 403") && text.contains("Check the API key") && text.contains("`doctor --project acme`"),
        "{text}"
    );
    let down = Gathered { notices: vec![opened("ARGOS did not answer: timeout")], ..hinted(9 * MINUTE) };
    assert_eq!(told(&down, Some(&parked), None, &[]).0, "argos_fails");
    let closed = Notification::BreakerClosed { project: ProjectId::new("acme").unwrap(), at: at(9 * MINUTE) };
    let over = Gathered { notices: vec![opened(REFUSED), closed], ..Gathered::default() };
    assert_eq!(told(&over, Some(&parked), None, &[]).0, "parked");
    let done =
        Gathered { notices: vec![opened(REFUSED)], events: vec![event(MINUTE, "webhook")], ..hinted(MINUTE / 2) };
    let approved = entry(KycStatus::Approved, 1, Some((60 * MINUTE, CheckReason::Relook)));
    assert_eq!(told(&done, Some(&approved), None, &[]).0, "published", "it waits for nothing");
}

#[test]
fn what_failed_says_how() {
    let failed = |reason| Entry {
        pending: Some(Box::new(Pending { failures: 3, ..Pending::default() })),
        check: Some(Check { due: at(12 * MINUTE), reason }),
        ..Entry::default()
    };
    let note =
        |outcome, why: &str| Noted { at: at(1), what: What::answered(outcome, Duration::from_millis(5), Some(why)) };
    let told = |entry: &Entry, notes: &[Noted]| told(&hinted(MINUTE), Some(entry), None, notes);
    assert_eq!(told(&failed(CheckReason::Failed), &[note("denied", REFUSED)]).0, "argos_refuses");
    let (code, text) = told(&failed(CheckReason::Failed), &[note("retry", "ARGOS did not answer: timeout")]);
    assert!(code == "argos_fails" && text.contains("last 3 looks failed (ARGOS did not answer: timeout)"), "{text}");
    let (code, text) = told(&failed(CheckReason::DeadLettered), &[]);
    assert!(code == "dead_lettered" && text.contains("`redrive`"), "{text}");
}

#[test]
fn a_look_that_waits_says_what_for() {
    let pending = entry(KycStatus::Pending, 1, Some((20 * MINUTE, CheckReason::UnderReview)));
    for (work, word) in
        [(Standing::Queued, "budget"), (Standing::Asked, "GET is under way"), (Standing::Decided, "committed")]
    {
        let (code, text) = told(&hinted(9 * MINUTE), Some(&pending), Some(work), &[]);
        assert!(code == "look_pending" && text.contains(word), "{text}");
    }
    let spent =
        Notification::QuotaSpent { project: ProjectId::new("acme").unwrap(), until: at(99 * MINUTE), at: at(1) };
    let quota = Gathered { notices: vec![spent], ..hinted(MINUTE) };
    let parked = Entry { check: Some(Check { due: at(20 * MINUTE), reason: CheckReason::Parked }), ..Entry::default() };
    let (code, text) = told(&quota, Some(&parked), None, &[]);
    assert!(code == "parked" && text.contains("has spent its requests of today"), "{text}");
}

#[test]
fn what_argos_shows_is_told_with_what_is_missing() {
    let (code, text) = told(
        &Gathered::default(),
        Some(&entry(KycStatus::Pending, 1, Some((20 * MINUTE, CheckReason::UnderReview)))),
        None,
        &[],
    );
    assert_eq!(code, "pending_at_argos");
    assert!(text.contains("no webhook of it has come since") && text.contains("1970-01-01T00:20:00.000Z"), "{text}");
    assert_eq!(told(&hinted(1), Some(&entry(KycStatus::Incomplete, 1, None)), None, &[]).0, "incomplete");
    assert_eq!(told(&hinted(1), Some(&entry(KycStatus::Approved, 0, None)), None, &[]).0, "baseline");
    let repaired = Gathered { events: vec![event(MINUTE, "sweep")], ..Gathered::default() };
    let (code, text) = told(&repaired, Some(&entry(KycStatus::Approved, 1, None)), None, &[]);
    assert!(code == "published" && text.contains("No webhook told its last change"), "{text}");
    let claimed = Entry {
        pending: Some(Box::new(Pending {
            claims: vec![Claim { trigger: "approved".into(), ..Claim::default() }],
            ..Pending::default()
        })),
        ..entry(KycStatus::Pending, 1, Some((20 * MINUTE, CheckReason::Unconfirmed)))
    };
    let (code, text) = told(&hinted(MINUTE), Some(&claimed), None, &[]);
    assert!(
        code == "claim_unconfirmed" && text.contains("claims `approved`, and the GETs since show pending"),
        "{text}"
    );
}

#[test]
fn what_is_gone_is_gone() {
    for (reason, word) in [(GraveReason::Deleted, "deleted"), (GraveReason::Erased, "erased")] {
        let grave = Entry { grave: Some(Grave { at: at(7), reason }), sequence: 4, ..Entry::default() };
        let stopped = Gathered { notices: vec![opened(REFUSED)], ..Gathered::default() };
        assert_eq!(told(&stopped, Some(&grave), None, &[]).0, word);
    }
    let unknown = Entry {
        check: Some(Check { due: at(11 * MINUTE), reason: CheckReason::UnknownId }),
        pending: Some(Box::new(Pending { absent_since: Some(at(9 * MINUTE)), ..Pending::default() })),
        ..Entry::default()
    };
    assert_eq!(told(&hinted(MINUTE), Some(&unknown), None, &[]).0, "unknown_to_argos");
}
