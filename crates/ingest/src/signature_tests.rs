use super::*;
use axum::http::HeaderValue;
use proptest::collection::vec;
use proptest::prelude::*;
use serde::Deserialize;
use sha2::Digest;
use std::collections::HashMap;

const NOW: i64 = 1_772_429_276;
const SECRET: &str = "a-signing-secret-of-32-characters";
const BODY: &[u8] = br#"{"webhook_trigger":"approved","submission_id":"k3f9x1mes3ugzb"}"#;
const FIVE_MINUTES: Duration = Duration::from_mins(5);

fn now() -> Time {
    Time::from_millis(NOW * 1000)
}

fn secrets(texts: &[&str]) -> Vec<SecretString> {
    texts.iter().map(|&text| text.into()).collect()
}

fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
    let line = |&(name, value): &(&'static str, &str)| {
        (HeaderName::from_static(name), HeaderValue::from_bytes(value.as_bytes()).unwrap())
    };
    let mut all = HeaderMap::new();
    for (name, value) in lines.iter().map(line) {
        all.append(name, value);
    }
    all
}

/// HMAC-SHA256 as RFC 2104 words it, apart from the crate that is used.
fn by_hand(key: &[u8], message: &[u8]) -> Code {
    let mut block = [0; 64];
    if key.len() > 64 {
        block[..32].copy_from_slice(&Sha256::digest(key));
    } else {
        block[..key.len()].copy_from_slice(key);
    }
    let pad = |byte: u8| block.map(|part| part ^ byte);
    let inner = Sha256::new().chain_update(pad(0x36)).chain_update(message).finalize();
    Sha256::new().chain_update(pad(0x5c)).chain_update(inner).finalize().into()
}

fn method(form: Form, texts: &[&str]) -> SignedBody {
    SignedBody::new(HeaderName::from_static("x-signature"), form, &secrets(texts)).unwrap()
}

fn plain(encoding: Encoding, prefix: &str, texts: &[&str]) -> SignedBody {
    method(Form::Plain { encoding, prefix: prefix.to_owned() }, texts)
}

fn timestamped_method(texts: &[&str]) -> SignedBody {
    method(Form::Timestamped { tolerance: FIVE_MINUTES }, texts)
}

fn ask(method: &SignedBody, value: &str, body: &[u8]) -> Result<(), BadSignature> {
    settle(method.present(&headers(&[("x-signature", value)]), now()), body)
}

fn settle(presented: Result<Presented<'_>, BadSignature>, body: &[u8]) -> Result<(), BadSignature> {
    presented?.covering(body).map(|_| ()).ok_or(BadSignature::Wrong)
}

/// What the sender would write.
fn signed(secret: &str, before: &str, body: &[u8]) -> Code {
    by_hand(secret.as_bytes(), &[before.as_bytes(), body].concat())
}

fn stamped(time: i64, texts: &[&str]) -> String {
    let sign = |text: &&str| format!(",v1={}", hex::encode(signed(text, &format!("{time}."), BODY)));
    format!("t={time}{}", texts.iter().map(sign).collect::<String>())
}

#[test]
fn the_published_vectors_of_hmac_sha256_pass() {
    // RFC 4231, test cases 2 and 6.
    let (key, body) = ("Jefe", b"what do ya want for nothing?");
    let expected = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
    assert_eq!(ask(&plain(Encoding::Hex, "", &[key]), expected, body), Ok(()));
    assert_eq!(hex::encode(by_hand(key.as_bytes(), body)), expected);
    let long = by_hand(&[0xaa; 131], b"Test Using Larger Than Block-Size Key - Hash Key First");
    assert_eq!(hex::encode(long), "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

#[test]
fn a_plain_signature_has_one_form_only() {
    use BadSignature::{Malformed, Wrong};
    let right = hex::encode(signed(SECRET, "", BODY));
    let in_base64 = BASE64.encode(signed(SECRET, "", BODY));
    let other = hex::encode(signed("another", "", BODY));
    let with_prefix = format!("sha256={right}");
    let (hex, prefixed) = (plain(Encoding::Hex, "", &[SECRET]), plain(Encoding::Hex, "sha256=", &[SECRET]));
    let base64 = plain(Encoding::Base64, "", &[SECRET]);
    for (method, value, expected) in [
        (&hex, right.as_str(), Ok(())),
        (&hex, &right.to_uppercase(), Ok(())),
        (&hex, &other, Err(Wrong)),
        (&hex, "", Err(Malformed)),
        (&hex, &right[..62], Err(Malformed)),
        (&hex, &format!("{right}00"), Err(Malformed)),
        (&hex, &format!("{right},{right}"), Err(Malformed)),
        (&hex, &format!(" {right}"), Err(Malformed)),
        (&hex, &with_prefix, Err(Malformed)),
        (&hex, &in_base64, Err(Malformed)),
        (&hex, &format!("{}é", &right[..62]), Err(Malformed)),
        (&prefixed, &with_prefix, Ok(())),
        (&prefixed, &right, Err(Malformed)),
        (&prefixed, &with_prefix.to_uppercase(), Err(Malformed)),
        (&base64, &in_base64, Ok(())),
        (&base64, in_base64.trim_end_matches('='), Ok(())),
        (&base64, &right, Err(Malformed)),
    ] {
        assert_eq!(ask(method, value, BODY), expected, "{value}");
    }
}

#[test]
fn a_header_must_be_there_exactly_once() {
    let right = hex::encode(signed(SECRET, "", BODY));
    let method = plain(Encoding::Hex, "", &[SECRET]);
    for lines in [&[][..], &[("x-signature", right.as_str()); 2], &[("x-other", right.as_str())]] {
        assert_eq!(settle(method.present(&headers(lines), now()), BODY), Err(BadSignature::Malformed), "{lines:?}");
    }
}

#[test]
fn a_timestamped_signature_has_one_time_and_holds_within_the_tolerance() {
    use BadSignature::{Malformed, Stale, Wrong};
    let method = timestamped_method(&[SECRET]);
    let right = stamped(NOW, &[SECRET]);
    let code = right.split_once(',').unwrap().1;
    for (value, expected) in [
        (right.clone(), Ok(())),
        (format!("{code},t={NOW}"), Ok(())),
        (format!("{right},v0=abc"), Ok(())),
        (stamped(NOW, &["another", SECRET]), Ok(())),
        (stamped(NOW, &["another"]), Err(Wrong)),
        (stamped(NOW - 300, &[SECRET]), Ok(())),
        (stamped(NOW + 300, &[SECRET]), Ok(())),
        (stamped(NOW - 301, &[SECRET]), Err(Stale)),
        (stamped(NOW + 301, &[SECRET]), Err(Stale)),
        (stamped(999_999_999_999, &[SECRET]), Err(Stale)),
        (format!("t={},{code}", NOW + 1), Err(Wrong)),
        (format!("t={NOW},t={NOW},{code}"), Err(Malformed)),
        (format!("t=-{NOW},{code}"), Err(Malformed)),
        (format!("t={NOW}.5,{code}"), Err(Malformed)),
        (format!("t=,{code}"), Err(Malformed)),
        (format!("t=1000000000000,{code}"), Err(Malformed)),
        (format!("t={NOW}"), Err(Malformed)),
        (format!("t={NOW},v1="), Err(Malformed)),
        (format!("t={NOW},v1=00,{code}"), Err(Malformed)),
        (format!("{right},"), Err(Malformed)),
        (format!("t={NOW}, {code}"), Err(Malformed)),
        (code.to_owned(), Err(Malformed)),
        (stamped(NOW, &[SECRET; 16]), Ok(())),
        (stamped(NOW, &[SECRET; 17]), Err(Malformed)),
        (String::new(), Err(Malformed)),
    ] {
        assert_eq!(ask(&method, &value, BODY), expected, "{value}");
    }
}

#[derive(Deserialize)]
struct Vector {
    name: String,
    secrets: Vec<SecretString>,
    now: i64,
    headers: HashMap<String, String>,
    body: String,
    accepted: bool,
}

fn vectors() -> Vec<Vector> {
    serde_json::from_str(include_str!("../tests/fixtures/standard_webhooks.json")).unwrap()
}

fn judge(vector: &Vector, headers: &HeaderMap) -> Result<(), BadSignature> {
    let method = StandardWebhooks::new(&vector.secrets, FIVE_MINUTES).unwrap();
    settle(method.present(headers, Time::from_millis(vector.now)), vector.body.as_bytes())
}

fn map(lines: &HashMap<String, String>) -> HeaderMap {
    lines.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect::<HeaderMap>()
}

#[test]
fn standard_webhooks_are_judged_as_the_reference_library_judges_them() {
    let vectors = vectors();
    for vector in &vectors {
        let verdict = judge(vector, &map(&vector.headers));
        assert_eq!(verdict.is_ok(), vector.accepted, "{}: {verdict:?}", vector.name);
        assert_eq!(
            verdict == Err(BadSignature::Stale),
            vector.name.contains("over five") || vector.name.contains("hour")
        );
    }
    let accepted = vectors.iter().filter(|vector| vector.accepted).count();
    assert_eq!((vectors.len(), accepted), (30, 15));
}

#[test]
fn a_standard_header_that_is_missing_or_repeated_is_refused() {
    for vector in vectors().iter().filter(|vector| vector.accepted) {
        let right = map(&vector.headers);
        for name in [ID, TIMESTAMP, SIGNATURE] {
            let mut missing = right.clone();
            missing.remove(&name);
            let mut repeated = right.clone();
            repeated.append(&name, right[&name].clone());
            for headers in [missing, repeated] {
                assert_eq!(judge(vector, &headers), Err(BadSignature::Malformed), "{}: {name}", vector.name);
            }
        }
    }
}

#[test]
fn where_the_reference_library_is_lenient_this_is_not() {
    let vector = &vectors()[0];
    let with = |name: HeaderName, value: &str| {
        let mut headers = map(&vector.headers);
        headers.insert(name, value.parse().unwrap());
        judge(vector, &headers)
    };
    let (time, code) = (&vector.headers["webhook-timestamp"], &vector.headers["webhook-signature"]);
    assert_eq!(with(SIGNATURE, code), Ok(()));
    assert_eq!(with(SIGNATURE, &format!("{code} {code}")), Ok(()));
    for (name, value) in [
        (TIMESTAMP, format!("{time}.0")),
        (TIMESTAMP, format!("+{time}")),
        (SIGNATURE, format!("{code} v1,AAAA")),
        (SIGNATURE, format!("{code}  {code}")),
        (SIGNATURE, format!("{code}, {code}")),
        (SIGNATURE, vec![code.as_str(); 17].join(" ")),
        (ID, "m".repeat(257)),
        (ID, "two words".to_owned()),
    ] {
        assert_eq!(with(name.clone(), &value), Err(BadSignature::Malformed), "{name}: {value}");
    }
}

#[test]
fn secrets_that_could_never_or_always_match_are_refused() {
    let body = |texts: &[&str]| {
        let form = Form::Timestamped { tolerance: FIVE_MINUTES };
        SignedBody::new(ID, form, &secrets(texts)).err()
    };
    let standard = |texts: &[&str]| StandardWebhooks::new(&secrets(texts), FIVE_MINUTES).err();
    assert_eq!((body(&[]), standard(&[])), (Some(InvalidSecrets::None), Some(InvalidSecrets::None)));
    assert_eq!(body(&["a", ""]), Some(InvalidSecrets::Empty { number: 2 }));
    assert_eq!(standard(&["YQ==", "whsec_"]), Some(InvalidSecrets::Empty { number: 2 }));
    assert_eq!(standard(&["YQ", "no base64!"]), Some(InvalidSecrets::NotBase64 { number: 2 }));
}

#[test]
fn secrets_are_replaced_at_once_and_a_bad_list_leaves_the_old_ones() {
    let method = timestamped_method(&["old"]);
    let asked = method.clone();
    let opens = |secret: &str| ask(&asked, &stamped(NOW, &[secret]), BODY).is_ok();
    method.replace(&secrets(&["old", "new"])).unwrap();
    assert!(opens("old") && opens("new"));
    method.replace(&secrets(&["new"])).unwrap();
    assert!(!opens("old") && opens("new"));
    assert_eq!(method.replace(&[]), Err(InvalidSecrets::None));
    assert!(opens("new"));

    let vector = &vectors()[0];
    let standard = StandardWebhooks::new(&secrets(&["YQ=="]), FIVE_MINUTES).unwrap();
    let opens = |method: &StandardWebhooks| {
        let presented = method.present(&map(&vector.headers), Time::from_millis(vector.now));
        settle(presented, vector.body.as_bytes()).is_ok()
    };
    assert!(!opens(&standard));
    standard.clone().replace(&vector.secrets).unwrap();
    assert!(opens(&standard));
    assert_eq!(standard.replace(&secrets(&["!"])), Err(InvalidSecrets::NotBase64 { number: 1 }));
    assert!(opens(&standard));
}

#[test]
fn no_debug_output_shows_a_secret() {
    let shown = format!("{:?}", timestamped_method(&["hush-hush"]));
    assert!(shown.contains("redacted") && !shown.contains("hush"), "{shown}");
}

proptest! {
    /// In iff the code is that of one of the secrets over exactly this body; computed a second way.
    #[test]
    fn a_signature_opens_under_its_own_secret_and_body_only(
        known in vec("[a-c]{1,2}", 1..4),
        signer in "[a-c]{1,2}",
        body in vec(any::<u8>(), 0..200),
        sent in proptest::option::of(vec(any::<u8>(), 0..200)),
    ) {
        let known: Vec<&str> = known.iter().map(String::as_str).collect();
        let sent = sent.unwrap_or_else(|| body.clone());
        let expected = known.contains(&signer.as_str()) && sent == body;
        let code = signed(&signer, "", &body);
        prop_assert_eq!(ask(&plain(Encoding::Hex, "", &known), &hex::encode(code), &sent).is_ok(), expected);
        prop_assert_eq!(ask(&plain(Encoding::Base64, "v=", &known), &format!("v={}", BASE64.encode(code)), &sent).is_ok(), expected);
    }

    #[test]
    fn one_flipped_bit_anywhere_is_refused(bit in 0_usize..8 * (32 + BODY.len()), timed in any::<bool>()) {
        let time = format!("{NOW}.");
        let before = if timed { time.as_str() } else { "" };
        let mut bytes = [&signed(SECRET, before, BODY)[..], BODY].concat();
        bytes[bit / 8] ^= 1 << (bit % 8);
        let (code, body) = bytes.split_at(32);
        let (method, value) = if timed {
            (timestamped_method(&[SECRET]), format!("t={NOW},v1={}", hex::encode(code)))
        } else {
            (plain(Encoding::Hex, "", &[SECRET]), hex::encode(code))
        };
        prop_assert_eq!(ask(&method, &value, body), Err(BadSignature::Wrong));
    }

    #[test]
    fn the_tolerance_holds_either_way(away in -700_000_i64..700_000, tolerance in 0_u64..600_000) {
        let clock = Time::from_millis(NOW * 1000 + away);
        let verdict = check_time(&NOW.to_string(), Duration::from_millis(tolerance), clock);
        prop_assert_eq!(verdict.is_ok(), away.unsigned_abs() <= tolerance);
    }

    /// Neither a panic nor an open door, whatever stands in the headers.
    #[test]
    fn no_text_opens_a_door(
        value in prop_oneof!["[ -~]{0,90}", "(t=|v1=|v1,|,| |=|[0-9]{1,13}|[0-9a-f]{64}|[A-Za-z0-9+/]{43}=){0,8}"],
        id in "[ -~]{0,9}",
        time in prop_oneof![Just(NOW.to_string()), "[ -~]{0,14}".boxed()],
    ) {
        for method in [
            plain(Encoding::Hex, "", &[SECRET]),
            plain(Encoding::Base64, "v1,", &[SECRET]),
            timestamped_method(&[SECRET]),
        ] {
            prop_assert!(ask(&method, &value, BODY).is_err());
        }
        let lines = [("webhook-id", id.as_str()), ("webhook-timestamp", &time), ("webhook-signature", &value)];
        let standard = StandardWebhooks::new(&secrets(&["c2VjcmV0"]), FIVE_MINUTES).unwrap();
        prop_assert!(settle(standard.present(&headers(&lines), now()), BODY).is_err());
    }
}
