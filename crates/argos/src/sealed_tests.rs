use super::*;
use crate::cipher::{Derivation, Mode};
use proptest::prelude::*;

fn cipher(mode: Mode, key: &str) -> Cipher {
    Cipher::new(mode, Derivation::Sha256, &[key.into()]).unwrap()
}

/// Sealed in the envelope.
fn seal(cipher: &Cipher, inside: &str) -> String {
    format!(r#"{{"data":"{}","isEncrypted":true}}"#, cipher.encrypt(inside.as_bytes(), &[3; 12]))
}

/// The outcome as a word.
fn word(error: &LookError) -> &'static str {
    match error {
        LookError::Retry(_) => "retry",
        LookError::Throttled { .. } => "throttled",
        LookError::Denied(_) => "denied",
        LookError::Unreadable(_) => "unreadable",
        LookError::UnknownProject => "unknown project",
    }
}

#[test]
fn sealed_is_a_string_in_data_without_a_trigger() {
    for (body, sealed) in [
        (r#"{"data":"x"}"#, Some("x")),
        (r#"{"data":"","isEncrypted":false}"#, Some("")),
        (r#"{"data":"\ud800"}"#, Some("")),
        (r#"{"data":"a\/b","Items":[]}"#, Some("a/b")),
        (r#"{"data":"x","webhook_trigger":null}"#, Some("x")),
        (r#"{"data":"x","webhook_trigger":"updated"}"#, None),
        (r#"{"data":{"update":[]},"isEncrypted":true}"#, None),
        (r#"{"data":null}"#, None),
        (r#"{"Items":[]}"#, None),
        ("[]", None),
        (r#""x""#, None),
    ] {
        assert_eq!(envelope(Raw::parse(body).unwrap()).as_deref(), sealed, "{body}");
    }
}

#[test]
fn only_an_object_counts_as_content() {
    for mode in [Mode::Ecb, Mode::Gcm] {
        let cipher = cipher(mode, "key");
        assert!(matches!(open(&cipher, seal(&cipher, "{}").as_bytes()), Opened::Sealed(inside) if inside == b"{}"));
        // Under GCM the tag says that the key is right, whatever is inside; what it is, is for the reader to say.
        for inside in ["", "[]", "garbage"] {
            let opened = open(&cipher, seal(&cipher, inside).as_bytes());
            match mode {
                Mode::Ecb => assert!(matches!(opened, Opened::Shut(CipherError::Content)), "{inside}"),
                Mode::Gcm => assert!(matches!(opened, Opened::Sealed(found) if found == inside.as_bytes())),
            }
        }
        assert!(matches!(open(&cipher, b"<html>"), Opened::Plain));
        assert!(matches!(open(&cipher, br#"{"data":"?"}"#), Opened::Shut(CipherError::Encoding)));
    }
}

#[test]
fn what_is_plain_is_never_absent() {
    for (body, unproven, proven) in [
        (r#"{"Items":[{"submission_id":"x"}]}"#, "denied", "denied"),
        (r#"{"submission_id":"x","kyc":{"result":"approved"}}"#, "denied", "denied"),
        (r#"{"errorCode":"invalid_project"}"#, "denied", "denied"),
        (r#"{"Items":[]}"#, "denied", "unreadable"),
        ("{}", "denied", "unreadable"),
        (r#"{"errorCode":"not_found"}"#, "denied", "unreadable"),
        (r#"{"errorCode":"invalid_payload"}"#, "denied", "unreadable"),
        ("<html>", "denied", "unreadable"),
    ] {
        assert_eq!(word(&plain_success(body.as_bytes(), false)), unproven, "{body}");
        assert_eq!(word(&plain_success(body.as_bytes(), true)), proven, "{body}");
    }
}

#[test]
fn a_failure_is_believed_once_the_cipher_is_proven() {
    let of = |error: LookError, proven| match untrusted_failure(Failure::Error(error), proven) {
        Failure::Error(error) => word(&error),
        Failure::Absent => "absent",
    };
    assert_eq!(untrusted_failure(Failure::Absent, true), Failure::Absent);
    assert!(matches!(untrusted_failure(Failure::Absent, false), Failure::Error(LookError::Retry(_))));
    assert_eq!(of(LookError::Unreadable(String::new()), false), "denied");
    assert_eq!(of(LookError::Unreadable(String::new()), true), "unreadable");
    for proven in [false, true] {
        assert_eq!(of(LookError::Retry(String::new()), proven), "retry");
        assert_eq!(of(LookError::Throttled { retry_after: None }, proven), "throttled");
        assert_eq!(of(LookError::Denied(String::new()), proven), "denied");
    }
}

proptest! {
    #[test]
    fn a_wrong_key_opens_nothing(mode in prop_oneof![Just(Mode::Ecb), Just(Mode::Gcm)], key in "[a-z]{1,40}") {
        let sealed = seal(&cipher(mode, &key), r#"{"submission_id":"k3f9x1mes3ugzb"}"#);
        let opened = open(&cipher(mode, "ANOTHER"), sealed.as_bytes());
        prop_assert!(matches!(opened, Opened::Shut(error) if !error.is_corrupt()));
    }

    #[test]
    fn any_bytes_have_an_outcome(bytes in prop::collection::vec(any::<u8>(), 0..300), text in ".{0,60}") {
        let cipher = cipher(Mode::Ecb, "key");
        let _ = open(&cipher, &bytes);
        let _ = open(&cipher, format!(r#"{{"data":{}}}"#, serde_json::Value::from(text)).as_bytes());
    }
}
