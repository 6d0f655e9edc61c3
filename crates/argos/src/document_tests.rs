use super::*;
use crate::fixtures::{ATTEMPTS, FULL, KNOWLEDGE, PERSONAL};
use crate::personal::DigestKey;
use crate::reader::{NORMALIZER, Policy};
use models::{AmlStatus, KycStatus, Origin, Reading, Reason, Risk, Submission};
use proptest::prelude::*;

const ID: &str = "k3f9x1mes3ugzb";

fn reader(include: Policy) -> Reader {
    let digest_key = Some(DigestKey::new(b"0123456789abcdef").unwrap());
    Reader { include, digest_key, previous_digest_key: None }
}

fn everything() -> Reader {
    reader(Policy::USER_ID.with(Policy::REVIEWER).with(Policy::REASON_TEXT))
}

fn at(text: &str) -> Time {
    text.parse().unwrap()
}

fn decode(body: &str, id: &str, reader: &Reader) -> Result<Shown, LookError> {
    let asked_at = Time::from_millis(7);
    decode_single(body.as_bytes(), id, reader, asked_at).map(|truth| {
        assert_eq!(truth.asked_at, asked_at);
        truth.answer
    })
}

fn present(body: &str, id: &str, reader: &Reader) -> Submission {
    match decode(body, id, reader) {
        Ok(Shown::Present(submission)) => *submission,
        other => panic!("{body}: {other:?}"),
    }
}

fn reason(code: &str, category: &str, text: Option<&str>) -> Reason {
    Reason { code: code.to_owned(), category: category.to_owned(), text: text.map(str::to_owned) }
}

#[test]
fn the_full_answer_reads_as_documented() {
    let found = present(FULL, ID, &reader(Policy::USER_ID));
    assert_eq!(found.user_id.as_deref(), Some("u-1001"));
    assert_eq!(found.created_at, Some(at("2026-03-02T05:27:56.279Z")));
    // Not the note's time, which is later.
    assert_eq!(found.updated_at, Some(at("2026-03-02T05:31:10.511Z")));
    assert_eq!((found.kyc.status, found.kyc.vendor_status.as_str()), (KycStatus::Approved, "approved"));
    assert_eq!(found.kyc.decided_at, Some(at("2026-03-02T05:31:10.498Z")));
    assert_eq!((found.kyc.reviewer.as_deref(), found.kyc.origin), (Some("system"), Origin::Automatic));
    assert_eq!(found.kyc.retries, 1);
    assert_eq!(found.kyc.reasons, []);
    assert_eq!((found.aml_status, found.aml_vendor_status.as_str()), (AmlStatus::NotScreened, "Not Screened"));
    assert_eq!((found.risk, found.matches, found.aml_expected), (Risk::Unknown, 0, Some(true)));
    assert!(found.personal[0].is_some() && found.personal[1].is_none());
    assert_eq!(found.reading, Reading { normalizer: NORMALIZER, policy: 1 });
}

#[test]
fn the_knowledge_based_answer_follows_the_policy() {
    let shown = present(KNOWLEDGE, "19lwz38kczv2mnw", &everything());
    assert_eq!((shown.kyc.status, shown.kyc.origin), (KycStatus::Rejected, Origin::Manual));
    assert_eq!(shown.kyc.reviewer.as_deref(), Some("ops@example.com"));
    assert_eq!(shown.kyc.reasons, [reason("other", "other", Some("the caller was not the applicant"))]);
    assert_eq!((shown.aml_status, shown.risk, shown.matches), (AmlStatus::RedFlag, Risk::High, 2));
    assert_eq!(shown.created_at, Some(at("2026-03-02T05:27:56Z")));
    // The manual change is newer than `updated_at`.
    assert_eq!(shown.updated_at, Some(at("2026-03-05T01:02:03.004Z")));
    assert_eq!((shown.kyc.decided_at, shown.aml_expected), (None, None));

    let hidden = present(KNOWLEDGE, "19lwz38kczv2mnw", &reader(Policy::NONE));
    assert_eq!((hidden.user_id, hidden.kyc.reviewer, hidden.kyc.origin), (None, None, Origin::Manual));
    assert_eq!(hidden.kyc.reasons, [reason("other", "other", None)]);
    // The digest does not depend on the policy.
    assert_eq!(hidden.personal, shown.personal);
}

#[test]
fn attempts_with_codes_are_counted() {
    let found = present(ATTEMPTS, "6xx28lo115832", &reader(Policy::NONE));
    assert_eq!(found.kyc.retries, 3);
    assert_eq!(found.kyc.reasons, [reason("too_many_retry", "too_many_attempts", None)]);
    assert_eq!((found.updated_at, found.kyc.origin), (None, Origin::Unknown));
    let open = present(
        &ATTEMPTS.replace("rejected", "incomplete").replace("commentCode", "x").replace("\"comment\"", "\"y\""),
        "6xx28lo115832",
        &everything(),
    );
    let codes: Vec<_> = open.kyc.reasons.iter().map(|reason| reason.code.as_str()).collect();
    assert_eq!(codes, ["liveness_error", "face_compare_underscore"]);
}

#[test]
fn no_items_are_absence() {
    for body in [r#"{"Items":[]}"#, "{}", r#"{"Items":null}"#, r#"{"message":"Submission not found"}"#] {
        assert_eq!(decode(body, ID, &everything()), Ok(Shown::Absent), "{body}");
    }
}

#[test]
fn what_cannot_be_relied_on_is_unreadable() {
    for (body, says) in [
        ("", "not JSON"),
        ("<html>", "not JSON"),
        (r#"{"Items":[{"submission_id":"k3f9x1mes3ugzb","kyc""#, "not JSON"),
        ("[]", "not an object"),
        (r#"{"Items":"none"}"#, "Items is a string"),
        (r#"{"Items":{}}"#, "Items is an object"),
        (r#"{"Items":[{"submission_id":"other","kyc":{"result":"approved"}}]}"#, "another submission"),
        (r#"{"Items":[{"kyc":{"result":"approved"}}]}"#, "another submission"),
        (r#"{"Items":[7]}"#, "another submission"),
        (r#"{"data":"bm90IHJlYWw=","isEncrypted":true}"#, "encrypted"),
        (r#"{"data":"bm90IHJlYWw="}"#, "encrypted"),
        (r#"{"errorCode":"processing_error","message":"Kim Minji"}"#, "processing_error"),
        (r#"{"Items":[{"submission_id":"k3f9x1mes3ugzb","kyc":{"result":{}}}]}"#, "kyc.result is an object"),
        (r#"{"Items":[{"submission_id":"k3f9x1mes3ugzb"}]}"#, "kyc.result is missing"),
        (r#"{"Items":[{"submission_id":"k3f9x1mes3ugzb","kyc":{"result":"N/A"}}]}"#, "kyc.result is missing"),
    ] {
        match decode(body, ID, &everything()) {
            Err(LookError::Unreadable(text)) => assert!(text.contains(says), "{body}: {text}"),
            other => panic!("{body}: {other:?}"),
        }
    }
    let denied = decode(r#"{"errorCode":"invalid_project"}"#, ID, &everything());
    assert!(matches!(denied, Err(LookError::Denied(_))), "{denied:?}");
}

#[test]
fn among_several_items_the_one_asked_for_is_taken() {
    let body = r#"{"Items":[{"submission_id":"a","kyc":{"result":"rejected"}},{"submission_id":"b","kyc":{"result":"approved"}}]}"#;
    assert_eq!(present(body, "b", &everything()).kyc.status, KycStatus::Approved);
    let bare = r#"{"submission_id":"b","kyc":{"result":"approved"}}"#;
    assert_eq!(present(bare, "b", &everything()).kyc.status, KycStatus::Approved);
}

#[test]
fn a_change_of_personal_data_changes_the_digest_and_nothing_else() {
    let before = present(FULL, ID, &everything());
    let mut after = present(&FULL.replace("Haeundae", "Jeju"), ID, &everything());
    assert_ne!(after.personal, before.personal);
    after.personal = before.personal;
    assert_eq!(after, before);
    let moved = FULL.replace("img-ref", "other-ref").replace("0.98", "0.97");
    assert_eq!(present(&moved, ID, &everything()), before);
}

#[test]
fn nothing_personal_is_kept() {
    for (body, id) in [(FULL, ID), (KNOWLEDGE, "19lwz38kczv2mnw"), (ATTEMPTS, "6xx28lo115832"), (FULL, "another")] {
        for reader in [everything(), reader(Policy::NONE)] {
            let shown = format!("{:?}", decode(body, id, &reader));
            for word in PERSONAL {
                assert!(!shown.contains(word), "{word} in {shown}");
            }
            assert!(!shown.contains("secret"), "{shown}");
        }
        let hidden = format!("{:?}", decode(body, id, &reader(Policy::NONE)));
        for word in ["u-1001", "ops@example.com", "applicant", "Multiple"] {
            assert!(!hidden.contains(word), "{word} in {hidden}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn any_bytes_have_an_outcome(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = decode_single(&bytes, ID, &everything(), Time::from_millis(0));
    }

    #[test]
    fn a_damaged_answer_never_panics(cut in any::<prop::sample::Index>(), with in ".{0,3}") {
        let places: Vec<usize> = FULL.char_indices().map(|(place, _)| place).collect();
        let place = places[cut.index(places.len())];
        let body = format!("{}{with}{}", &FULL[..place], &FULL[place + 1..]);
        let _ = decode_single(body.as_bytes(), ID, &everything(), Time::from_millis(0));
        let _ = decode_single(&FULL.as_bytes()[..place], ID, &everything(), Time::from_millis(0));
    }

    /// The short way says nothing else than the long one.
    #[test]
    fn one_pass_reads_as_the_steps_do(
        cut in any::<prop::sample::Index>(),
        with in prop::sample::select(vec!["", "\"", "{}", "[]", ",", "null", "\\u00e9", "\"Items\":[],", "\"data\":\"x\","]),
    ) {
        let shown = |items: Vec<Object<'_>>| -> Vec<Vec<(String, String)>> {
            let members = |item: &Object<'_>| {
                item.members().map(|(name, value)| (name.to_string(), value.source().to_owned())).collect()
            };
            items.iter().map(members).collect()
        };
        prop_assert_eq!(read_in_one_pass(FULL).map(shown), read_in_steps(FULL).ok().map(shown));
        let places: Vec<usize> = FULL.char_indices().map(|(place, _)| place).collect();
        let place = places[cut.index(places.len())];
        for body in [format!("{}{with}{}", &FULL[..place], &FULL[place + 1..]), format!("{}{with}{}", &FULL[..place], &FULL[place..])] {
            if let Some(items) = read_in_one_pass(&body) {
                prop_assert_eq!(Some(shown(items)), read_in_steps(&body).ok().map(shown), "{}", body);
            }
        }
    }

    #[test]
    fn any_value_in_any_place_is_survived(
        name in prop::sample::select(vec!["data", "kyc", "aml", "userid", "updateHistory", "project_options", "reviewer"]),
        value in prop::sample::select(vec!["null", "1e999", "-0", "[[[{}]]]", "{\"\":{}}", "\"\\ud800\"", "\"\"", "true"]),
    ) {
        let body = format!(r#"{{"Items":[{{"submission_id":"x","kycStatus":"approved","{name}":{value}}}]}}"#);
        prop_assert_eq!(present(&body, "x", &everything()).kyc.status, KycStatus::Approved);
    }
}
