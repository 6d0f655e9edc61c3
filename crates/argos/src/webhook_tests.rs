use super::*;
use crate::cipher::{Derivation, Mode};
use crate::fixtures::{
    AML, AML_CLEAN, AML_MONITOR, APPROVED_NEW, APPROVED_OLD, CREATED, CREATED_PLAIN, DELETE, FACE_MIDDLE, FACE_NEWEST,
    FACE_OLDEST, INJECTION, INJECTION_FAIL, OTHER_AML, OTHER_PRODUCT, PERSONAL, REJECTED, REJECTED_LISTS, RETRY,
    SUBMIT, UPDATED,
};
use proptest::prelude::*;

const ALL: [&str; 20] = [
    AML,
    AML_CLEAN,
    AML_MONITOR,
    APPROVED_NEW,
    APPROVED_OLD,
    CREATED,
    CREATED_PLAIN,
    DELETE,
    FACE_MIDDLE,
    FACE_NEWEST,
    FACE_OLDEST,
    INJECTION,
    INJECTION_FAIL,
    OTHER_AML,
    OTHER_PRODUCT,
    REJECTED,
    REJECTED_LISTS,
    RETRY,
    SUBMIT,
    UPDATED,
];

fn described(body: &str) -> Described {
    match decode(body.as_bytes()) {
        Ok(Webhook::Submission(described)) => described,
        other => panic!("{body}: {other:?}"),
    }
}

fn at(text: &str) -> Time {
    text.parse().unwrap()
}

/// A claim of nothing.
fn nothing(trigger: &str) -> Claim {
    Claim { trigger: trigger.to_owned(), ..Claim::default() }
}

#[test]
fn statuses_are_claimed_by_the_triggers_that_carry_one() {
    let approved_at = Some(at("2026-03-02T05:31:10.511Z"));
    let rejected_at = Some(at("2026-03-03T05:28:00.120Z"));
    for (body, trigger, status, changed_at, attempts) in [
        (CREATED, "created", KycStatus::Incomplete, None, Some(1)),
        (CREATED_PLAIN, "created", KycStatus::Incomplete, None, None),
        (RETRY, "retry", KycStatus::Incomplete, None, Some(2)),
        (SUBMIT, "submit", KycStatus::Pending, None, None),
        (APPROVED_NEW, "approved", KycStatus::Approved, approved_at, None),
        (APPROVED_OLD, "approved", KycStatus::Approved, Some(at("2024-06-02T05:31:10.511Z")), None),
        (REJECTED, "rejected", KycStatus::Rejected, rejected_at, None),
        (REJECTED_LISTS, "rejected", KycStatus::Rejected, rejected_at, None),
        (UPDATED, "updated", KycStatus::Rejected, Some(at("2026-03-05T01:02:03.004Z")), None),
    ] {
        let found = described(body);
        let expected = Claim { status: Some(status), changed_at, attempts, ..nothing(trigger) };
        assert_eq!(found.claim, expected, "{body}");
        assert!(!found.aml_notice && !found.monitoring_notice, "{body}");
    }
    assert_eq!(described(APPROVED_OLD).submission.as_str(), "k3f9x1lwwzz0ab");
}

#[test]
fn a_trigger_implies_its_status_where_the_body_names_none() {
    for body in [
        r#"{"webhook_trigger":"approved","submission_id":"x"}"#,
        r#"{"webhook_trigger":"approved","submission_id":"x","kyc_result":[1]}"#,
        r#"{"webhook_trigger":"approved","submission_id":"x","kyc_result":{"status":"on hold"}}"#,
        r#"{"webhook_trigger":"approved","submission_id":"x","kyc_result":"approved"}"#,
    ] {
        assert_eq!(described(body).claim.status, Some(KycStatus::Approved), "{body}");
    }
}

#[test]
fn updated_without_a_status_claims_only_its_time() {
    let body = r#"{"webhook_trigger":"updated","submission_id":"x","data":{"update":["fullName"]},"update_time":"2026-03-05 01:02:03"}"#;
    let expected = Claim { changed_at: Some(at("2026-03-05T01:02:03Z")), ..nothing("updated") };
    assert_eq!(described(body).claim, expected);
    let values = r#"{"webhook_trigger":"updated","submission_id":"x","data":{"update":{"kycStatus":"approved"}}}"#;
    assert_eq!(described(values).claim.status, Some(KycStatus::Approved));
}

#[test]
fn a_deletion_is_claimed_with_its_time() {
    let expected = Claim { deleted: true, changed_at: Some(at("2026-04-01T00:00:05Z")), ..nothing("delete") };
    assert_eq!(described(DELETE).claim, expected);
}

#[test]
fn screening_and_monitoring_are_notices() {
    let found = described(AML);
    assert_eq!(found.claim, Claim { red_flag: Some(true), ..nothing("aml") });
    assert!(found.aml_notice && !found.monitoring_notice);
    let clean = described(AML_CLEAN);
    assert_eq!(clean.claim, Claim { red_flag: Some(false), ..nothing("aml") });
    assert!(clean.aml_notice);
    let monitor = described(AML_MONITOR);
    assert_eq!(monitor.claim, nothing("aml_monitor"));
    assert!(monitor.monitoring_notice && !monitor.aml_notice);
}

#[test]
fn an_approval_that_is_no_kyc_decision_claims_nothing() {
    for (body, trigger) in [
        (FACE_OLDEST, "faceAuth"),
        (FACE_MIDDLE, "faceAuth"),
        (FACE_NEWEST, "faceAuth"),
        (INJECTION, "injection"),
        (INJECTION_FAIL, "injectionFail"),
    ] {
        let found = described(body);
        assert_eq!(found.submission.as_str(), "k3f9x1mes3ugzb");
        assert_eq!(found.claim, nothing(trigger), "{body}");
    }
}

#[test]
fn other_products_are_ignored() {
    let ignored = |trigger: &str| Ok(Webhook::Ignored { trigger: trigger.to_owned() });
    assert_eq!(decode(OTHER_PRODUCT.as_bytes()), ignored("argos_id_auth"));
    assert_eq!(decode(OTHER_AML.as_bytes()), ignored("aml"));
    assert_eq!(decode(b"{}"), ignored(""));
    assert_eq!(decode(br#"{"submission_id":null}"#), ignored(""));
    assert_eq!(decode(br#"{"submission_id":"N/A"}"#), ignored(""));
}

#[test]
fn unknown_triggers_are_hints_like_any_other() {
    for name in ["submission_id", "submissionId", "Submission_id", "sid"] {
        for body in [
            format!(r#"{{"webhook_trigger":"brand_new","{name}":"x"}}"#),
            format!(r#"{{"webhook_trigger":"brand_new","data":{{"{name}":"x"}}}}"#),
        ] {
            let found = described(&body);
            assert_eq!((found.submission.as_str(), &found.claim), ("x", &nothing(UNKNOWN)));
        }
    }
    // It could be anything: a person's name, for instance.
    assert_eq!(described(r#"{"webhook_trigger":"Kim Minji","submission_id":"x"}"#).claim, nothing(UNKNOWN));
    assert_eq!(described(r#"{"submission_id":"x"}"#).claim, nothing("webhook"));
    assert_eq!(described(r#"{"submission_id":12345}"#).submission.as_str(), "12345");
}

#[test]
fn sealed_bodies_are_told_by_their_data() {
    assert_eq!(decode(br#"{"data":"bm90IHJlYWwgY2lwaGVydGV4dA=="}"#), Err(WebhookError::Encrypted));
    assert_eq!(decode(br#"{"data":"x","isEncrypted":true,"submission_id":"y"}"#), Err(WebhookError::Encrypted));
    // With a trigger, or with an object, it is plain.
    assert!(decode(br#"{"data":"x","webhook_trigger":"approved","submission_id":"y"}"#).is_ok());
    assert!(decode(br#"{"data":{"submission_id":"y"}}"#).is_ok());
}

#[test]
fn what_is_no_object_is_refused() {
    for body in
        [&b""[..], b" ", b"null", b"[]", b"\"x\"", b"7", b"{", b"{}x", b"{\"a\":}", b"\xff\xfe{\0}\0", b"{'a':1}"]
    {
        assert_eq!(decode(body), Err(WebhookError::NotAnObject), "{body:?}");
    }
}

#[test]
fn ids_that_cannot_be_are_refused() {
    for (id, reason) in [
        (format!("\"{}\"", "x".repeat(129)), InvalidId::TooLong),
        (r#""a\u0000b""#.to_owned(), InvalidId::Character),
        (r#""\ud800""#.to_owned(), InvalidId::Character),
        ("{}".to_owned(), InvalidId::Character),
        ("true".to_owned(), InvalidId::Character),
    ] {
        let body = format!(r#"{{"webhook_trigger":"approved","submission_id":{id}}}"#);
        assert_eq!(decode(body.as_bytes()), Err(WebhookError::BadId(reason)), "{id}");
    }
}

#[test]
fn odd_but_readable_bodies_are_read() {
    let marked = [b"\xEF\xBB\xBF", APPROVED_NEW.as_bytes()].concat();
    assert!(matches!(decode(&marked), Ok(Webhook::Submission(_))));
    let broken = b"{\"submission_id\":\"x\",\"full_name\":\"\xb1\xe8\"}";
    assert!(matches!(decode(broken), Ok(Webhook::Submission(_))));
    assert_eq!(described(r#"{"submission_id":"x","submission_id":"y"}"#).submission.as_str(), "y");
    assert_eq!(described(r#"{"submission_id":"x","big":1e99999,"n":99999999999999999999}"#).submission.as_str(), "x");
    let deep = format!(r#"{{"submission_id":"x","deep":{}{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(described(&deep).submission.as_str(), "x");
    let wild = r#"{"webhook_trigger":"created","submission_id":"x","attempts":1e999,"kyc_result":{"status":[],"updated_at":{}}}"#;
    assert_eq!(described(wild).claim, Claim { status: Some(KycStatus::Incomplete), ..nothing("created") });
}

#[test]
fn nothing_personal_is_kept() {
    for body in ALL {
        let shown = format!("{:?}", decode(body.as_bytes()));
        for word in PERSONAL.iter().chain(&["u-1001", "ops@example.com"]) {
            assert!(!shown.contains(word), "{word} in {shown}");
        }
    }
}

/// Any JSON value, with the names that mean something strewn in.
/// Sealed as ARGOS does, with the cipher's own first key.
fn seal(cipher: &Cipher, inside: &str) -> Vec<u8> {
    format!(r#"{{"data":"{}","isEncrypted":true}}"#, cipher.encrypt(inside.as_bytes(), &[5; 12])).into_bytes()
}

fn ciphers(key: &str) -> [Cipher; 2] {
    [Mode::Ecb, Mode::Gcm].map(|mode| Cipher::new(mode, Derivation::Sha256, &[key.into()]).unwrap())
}

#[test]
fn a_sealed_body_says_what_the_plain_one_does() {
    for cipher in ciphers("key-0001") {
        for body in ALL {
            let sealed = seal(&cipher, body);
            assert_eq!(decode(&sealed), Err(WebhookError::Encrypted));
            assert_eq!(decode_sealed(&sealed, &cipher), Ok(decode(body.as_bytes()).unwrap()), "{body}");
        }
    }
}

#[test]
fn an_encrypting_project_takes_no_plain_body() {
    for cipher in ciphers("key-0001") {
        for body in ALL {
            assert_eq!(decode_sealed(body.as_bytes(), &cipher), Err(SealedError::Plain), "{body}");
        }
        // An envelope with a trigger beside it is plain, whatever is in it.
        let mixed = format!(r#"{{"webhook_trigger":"approved","data":"{}"}}"#, cipher.encrypt(b"{}", &[5; 12]));
        assert_eq!(decode_sealed(mixed.as_bytes(), &cipher), Err(SealedError::Plain));
        let bad_id = br#"{"webhook_trigger":"approved","submission_id":{}}"#;
        assert_eq!(decode_sealed(bad_id, &cipher), Err(SealedError::Plain));
        for body in ["", "[]", "<html>", r#""x""#] {
            let expected = Err(SealedError::Body(WebhookError::NotAnObject));
            assert_eq!(decode_sealed(body.as_bytes(), &cipher), expected, "{body}");
        }
    }
}

#[test]
fn a_wrong_key_is_told_from_a_corrupt_body() {
    let shut = |error| matches!(error, Err(SealedError::Undecryptable(error)) if !CipherError::is_corrupt(error));
    for (cipher, other) in ciphers("key-0001").iter().zip(&ciphers("key-0002")) {
        assert!(shut(decode_sealed(&seal(cipher, APPROVED_NEW), other)));
        for body in [&br#"{"data":"not base64!"}"#[..], br#"{"data":"AAAA"}"#, br#"{"data":""}"#] {
            let error = decode_sealed(body, cipher);
            assert!(matches!(error, Err(SealedError::Undecryptable(error)) if error.is_corrupt()), "{error:?}");
        }
        // Sealed twice, or with something in it that is no webhook.
        let twice = String::from_utf8(seal(cipher, APPROVED_NEW)).unwrap();
        let error = decode_sealed(&seal(cipher, &twice), cipher);
        assert_eq!(error, Err(SealedError::Body(WebhookError::Encrypted)));
        let bad_id = seal(cipher, r#"{"submission_id":{},"email":"minji.kim@example.com"}"#);
        let error = decode_sealed(&bad_id, cipher).unwrap_err();
        assert!(matches!(error, SealedError::Body(WebhookError::BadId(_))));
        assert!(!format!("{error:?} {error}").contains("minji"));
    }
}

fn any_json() -> impl Strategy<Value = serde_json::Value> {
    use serde_json::Value;
    let names = prop::sample::select(vec![
        "webhook_trigger",
        "submission_id",
        "submissionId",
        "sid",
        "data",
        "kyc_result",
        "status",
        "updated_at",
        "aml_result",
        "currentstatus",
        "attempts",
        "update",
        "update_time",
        "delete_time",
        "other",
    ]);
    let words = prop::sample::select(vec![
        "approved",
        "aml",
        "updated",
        "delete",
        "faceAuth",
        "rejected",
        "Red Flag",
        "k3f9x1mes3ugzb",
        "2026-03-02",
        "",
    ]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        words.prop_map(Value::from),
        ".{0,20}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::hash_map(names.clone().prop_map(str::to_owned), inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn any_bytes_have_an_outcome(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = decode(&bytes);
        for cipher in ciphers("key-0001") {
            prop_assert!(decode_sealed(&bytes, &cipher).is_err());
        }
    }

    #[test]
    fn any_json_has_an_outcome(value in any_json()) {
        let outcome = decode(value.to_string().as_bytes());
        prop_assert_eq!(outcome == Err(WebhookError::NotAnObject), !value.is_object());
        if let Ok(Webhook::Submission(found)) = outcome {
            prop_assert!(!found.claim.trigger.is_empty());
            prop_assert!(found.claim.trigger.chars().count() <= MAX_TRIGGER);
        }
    }

    #[test]
    fn a_damaged_body_never_panics(which in 0..ALL.len(), cut in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut body = ALL[which].as_bytes().to_vec();
        let place = cut.index(body.len());
        let _ = decode(&body[..place]);
        body[place] = byte;
        let _ = decode(&body);
    }
}
