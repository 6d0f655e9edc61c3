use super::*;
use proptest::prelude::*;

const OLD: &str = "2026-01:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const NEW: &str = "2026-07:ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=";

fn key() -> Key {
    Key::parse("acme/k3f9x1mes3ugzb").unwrap()
}

fn sealer(keys: &[&str], nonces: Nonces) -> Sealer {
    let fields = vec![Field::UserId, Field::Reviewer, Field::ReasonText];
    Sealer::new(fields, SealingKeys::read(keys.iter().copied()).unwrap(), nonces)
}

#[expect(clippy::unnecessary_wraps, reason = "the form of a source of nonces")]
fn fixed() -> Option<Nonce> {
    Some([7; NONCE])
}

#[test]
fn a_value_is_sealed_as_documented() {
    // Made with Python's `cryptography`; see examples/decode_protected.py, which opens it again.
    let known = "sealed:v1:2026-01:BwcHBwcHBwcHBwcHekeXbF8-ZEP4DIrXODtnAiP2qnL41A";
    assert_eq!(sealer(&[OLD], fixed).seal(&key(), Field::UserId, "u-1001").unwrap(), known);
    assert_eq!(sealer(&[OLD], fixed).open(&key(), Field::UserId, known).unwrap(), "u-1001");
}

#[test]
fn a_sealed_value_belongs_to_its_submission_and_field_and_cannot_be_altered() {
    let keys = sealer(&[OLD], fixed);
    let sealed = keys.seal(&key(), Field::UserId, "u-1001").unwrap();
    let other = Key::parse("acme/other").unwrap();
    assert_eq!(keys.open(&other, Field::UserId, &sealed), Err(OpenError::Tag));
    assert_eq!(keys.open(&key(), Field::Reviewer, &sealed), Err(OpenError::Tag));
    let altered = sealed.replacen("BwcH", "BwcI", 1);
    assert_eq!(keys.open(&key(), Field::UserId, &altered), Err(OpenError::Tag));
    for broken in
        ["u-1001", "sealed:v2:2026-01:AAAA", "sealed:v1:2026-01", "sealed:v1:2026-01:AAAA", "sealed:v1:2026-01:*"]
    {
        assert_eq!(keys.open(&key(), Field::UserId, broken), Err(OpenError::Form), "{broken}");
    }
}

#[test]
fn the_first_key_seals_and_all_open() {
    let before = sealer(&[OLD], fixed);
    let sealed_before = before.seal(&key(), Field::UserId, "u-1001").unwrap();
    // First every reader knows both, then the writer changes over.
    before.replace(SealingKeys::read([NEW, OLD]).unwrap());
    let sealed_after = before.seal(&key(), Field::UserId, "u-1001").unwrap();
    assert!(sealed_before.starts_with("sealed:v1:2026-01:") && sealed_after.starts_with("sealed:v1:2026-07:"));
    for sealed in [&sealed_before, &sealed_after] {
        assert_eq!(before.open(&key(), Field::UserId, sealed).unwrap(), "u-1001");
    }
    let after = sealer(&[NEW], fixed);
    assert_eq!(after.open(&key(), Field::UserId, &sealed_before), Err(OpenError::UnknownKey));
    assert_eq!(after.open(&key(), Field::UserId, &sealed_after).unwrap(), "u-1001");
}

#[test]
fn without_randomness_nothing_is_sealed() {
    assert_eq!(sealer(&[OLD], || None).seal(&key(), Field::UserId, "u-1001"), Err(SealError::NoNonce));
}

#[test]
fn keys_that_cannot_be_used_are_named_by_place_only() {
    let read = |keys: &[&str]| SealingKeys::read(keys.iter().copied()).err().map(|error| error.to_string());
    for (keys, place) in [
        (vec![], "no key"),
        (vec!["no-colon"], "key 1: must be"),
        (vec![OLD, "x:AAAA"], "key 2: must be"),
        (vec!["x:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gIQ=="], "key 1: must be"),
        (vec!["a b:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="], "key 1: an id"),
        (vec![OLD, OLD], "key 2: its id is there twice"),
    ] {
        let error = read(&keys).unwrap();
        assert!(error.starts_with(place), "{error}");
    }
    assert_eq!(read(&[NEW, OLD]), None);
    assert!(!format!("{:?}", sealer(&[OLD], fixed)).contains("AAEC"));
}

proptest! {
    #[test]
    fn whatever_is_sealed_opens_to_the_same(clear in ".{0,200}") {
        let keys = sealer(&[OLD], fixed);
        let sealed = keys.seal(&key(), Field::ReasonText, &clear).unwrap();
        // A few letters may stand in any Base64.
        prop_assert!(clear.len() < 12 || !sealed.contains(&clear));
        prop_assert_eq!(keys.open(&key(), Field::ReasonText, &sealed).unwrap(), clear);
    }

    #[test]
    fn opening_is_total(text in "(sealed:v1:2026-01:)?[A-Za-z0-9_=:-]{0,80}") {
        prop_assert!(sealer(&[OLD], fixed).open(&key(), Field::UserId, &text).is_err());
    }
}
