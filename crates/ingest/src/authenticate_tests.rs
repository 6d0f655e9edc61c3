use super::*;
use crate::signature::{Encoding, Form};
use axum::http::{HeaderName, HeaderValue};
use hmac::{Hmac, KeyInit, Mac};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

fn project() -> ProjectId {
    ProjectId::new("acme").unwrap()
}

fn secrets(tokens: &[&str]) -> Vec<SecretString> {
    tokens.iter().map(|&token| token.into()).collect()
}

fn networks(list: &[&str]) -> Vec<IpNet> {
    list.iter().map(|network| network.parse().unwrap()).collect()
}

fn door(source_ip: Option<&[&str]>, tokens: Option<&[&str]>) -> ProjectDoor {
    let methods = Methods {
        source_ip: source_ip.map(networks),
        path_tokens: tokens.map(|tokens| PathTokens::new(&secrets(tokens)).unwrap()),
        unauthenticated: source_ip.is_none() && tokens.is_none(),
        ..Methods::default()
    };
    ProjectDoor::new(project(), methods).unwrap()
}

/// A caller with headers only, at so many milliseconds.
fn unnamed(headers: &HeaderMap, now: i64) -> Caller<'_> {
    Caller { token: None, address: None, headers, now: Time::from_millis(now) }
}

fn admitted(
    door: &ProjectDoor,
    token: Option<&str>,
    address: Option<IpAddr>,
    headers: &HeaderMap,
) -> Result<Authentication, Refused> {
    let admission = door.authenticate(Caller { token, address, headers, now: Time::from_millis(0) })?;
    admission.verify(BODY).map(|passed| passed.methods)
}

fn ask(door: &ProjectDoor, token: Option<&str>, address: Option<&str>) -> Result<Authentication, Refused> {
    admitted(door, token, address.map(|address| address.parse().unwrap()), &HeaderMap::new())
}

const BODY: &[u8] = b"{}";

/// The two methods that sign, under the key `k`, and the headers of a right [`BODY`] at the time 0.
fn signing() -> (SignedBody, StandardWebhooks, HeaderMap) {
    let mac = |before: &str| {
        let mac = Hmac::<Sha256>::new_from_slice(b"k").unwrap().chain_update(before).chain_update(BODY);
        mac.finalize().into_bytes()
    };
    let form = Form::Plain { encoding: Encoding::Hex, prefix: String::new() };
    let body = SignedBody::new(HeaderName::from_static("x-signature"), form, &secrets(&["k"])).unwrap();
    let standard = StandardWebhooks::new(&secrets(&["aw=="]), std::time::Duration::ZERO).unwrap();
    let in_base64 = base64::Engine::encode(&base64::prelude::BASE64_STANDARD, mac("m.0."));
    let headers = [
        ("x-signature", hex::encode(mac(""))),
        ("webhook-id", "m".to_owned()),
        ("webhook-timestamp", "0".to_owned()),
        ("webhook-signature", format!("v1,{in_base64}")),
    ];
    let header = |(name, value)| (HeaderName::from_static(name), HeaderValue::try_from(value).unwrap());
    (body, standard, headers.map(header).into_iter().collect())
}

#[test]
fn a_door_without_a_lock_must_be_said_aloud() {
    let new = |methods| ProjectDoor::new(project(), methods).err();
    assert_eq!(new(Methods::default()), Some(InvalidDoor::NoMethod));
    assert_eq!(new(Methods { unauthenticated: true, ..Methods::default() }), None);
    assert_eq!(new(Methods { source_ip: Some(vec![]), ..Methods::default() }), Some(InvalidDoor::NoNetworks));
    let both = Methods { source_ip: Some(networks(&["192.0.2.0/24"])), unauthenticated: true, ..Methods::default() };
    assert_eq!(new(both), Some(InvalidDoor::Contradictory));
    let (body, standard, _) = signing();
    for signed in [
        Methods { hmac: Some(body), ..Methods::default() },
        Methods { standard_webhooks: Some(standard), ..Methods::default() },
    ] {
        assert_eq!(new(signed.clone()), None);
        assert_eq!(new(Methods { unauthenticated: true, ..signed }), Some(InvalidDoor::Contradictory));
    }
}

#[test]
fn tokens_that_could_never_match_or_always_match_are_refused() {
    let new = |tokens: &[&str]| PathTokens::new(&secrets(tokens)).err();
    assert_eq!(new(&[]), Some(InvalidDoor::NoTokens));
    assert_eq!(new(&["good", ""]), Some(InvalidDoor::BadToken { number: 2 }));
    for bad in ["a/b", "a b", "a%41", "é", "a\n"] {
        assert_eq!(new(&[bad]), Some(InvalidDoor::BadToken { number: 1 }), "{bad:?}");
    }
    assert_eq!(new(&["Az09-._~"]), None);
}

#[test]
fn tokens_are_replaced_at_once_and_a_bad_list_leaves_the_old_ones() {
    let tokens = PathTokens::new(&secrets(&["old"])).unwrap();
    let methods = Methods { path_tokens: Some(tokens.clone()), ..Methods::default() };
    let door = ProjectDoor::new(project(), methods).unwrap();
    let opens = |token| ask(&door, Some(token), None).is_ok();

    tokens.replace(&secrets(&["old", "new"])).unwrap();
    assert!(opens("old") && opens("new"));
    tokens.replace(&secrets(&["new"])).unwrap();
    assert!(!opens("old") && opens("new"));
    assert_eq!(tokens.replace(&[]), Err(InvalidDoor::NoTokens));
    assert!(opens("new") && !opens(""));
}

#[test]
fn an_open_door_has_no_secret_path() {
    let door = door(None, None);
    assert!(door.is_unauthenticated());
    assert_eq!(ask(&door, None, None), Ok(Authentication::NONE));
    assert_eq!(ask(&door, Some("x"), None), Err(Refused::WrongPath));
}

#[test]
fn a_source_list_lets_in_its_own_networks_only() {
    let inside = Some("192.0.2.7");
    // The second list is the first one, written as mapped into IPv6.
    for list in ["192.0.2.0/24", "::ffff:192.0.2.0/120"] {
        let door = door(Some(&["2001:db8::/32", list]), None);
        let ask = |token, address| ask(&door, token, address);
        let passed = Ok(Authentication::SOURCE_IP);
        assert_eq!(ask(None, inside), passed);
        assert_eq!(ask(None, Some("::ffff:192.0.2.7")), passed);
        assert_eq!(ask(None, Some("2001:db8::1")), passed);
        assert_eq!(ask(None, Some("198.51.100.1")), Err(Refused::ForeignSource));
        assert_eq!(ask(None, None), Err(Refused::ForeignSource));
        assert_eq!(ask(Some("x"), inside), Err(Refused::WrongPath));
    }
}

#[test]
fn every_method_must_pass_and_the_first_that_fails_is_told() {
    let door = door(Some(&["192.0.2.0/24"]), Some(&["t1", "t2"]));
    let ask = |token, address| ask(&door, token, address);
    let (inside, outside) = (Some("192.0.2.7"), Some("198.51.100.1"));
    let both = Authentication::PATH_TOKEN.with(Authentication::SOURCE_IP);
    assert_eq!(ask(Some("t1"), inside), Ok(both));
    assert_eq!(ask(Some("t2"), inside), Ok(both));
    assert_eq!(ask(Some("t1"), outside), Err(Refused::ForeignSource));
    assert_eq!(ask(Some("t3"), outside), Err(Refused::WrongToken));
    assert_eq!(ask(Some("t3"), inside), Err(Refused::WrongToken));
    assert_eq!(ask(None, inside), Err(Refused::WrongToken));
}

#[test]
fn a_signature_is_asked_for_before_the_body_and_checked_after_it() {
    let (body, standard, right) = signing();
    let methods = Methods { hmac: Some(body), standard_webhooks: Some(standard), ..Methods::default() };
    let door = ProjectDoor::new(project(), methods).unwrap();
    assert!(!door.is_unauthenticated());
    let passed = door.authenticate(unnamed(&right, 0)).unwrap().verify(BODY).unwrap();
    assert_eq!(passed.methods, Authentication::HMAC);

    let refused = |reason| Some(Refused::BadSignature(reason));
    assert_eq!(door.authenticate(unnamed(&right, 0)).unwrap().verify(b"{ }").err(), refused(BadSignature::Wrong));
    assert_eq!(door.authenticate(unnamed(&right, 1)).err(), refused(BadSignature::Stale));
    for name in right.keys() {
        let mut lacking = right.clone();
        lacking.remove(name);
        assert_eq!(door.authenticate(unnamed(&lacking, 0)).err(), refused(BadSignature::Malformed), "{name}");
    }
}

#[test]
fn no_debug_output_shows_a_token() {
    let shown = format!("{:?}", door(None, Some(&["hush-hush"])));
    assert!(shown.contains("redacted") && !shown.contains("hush"), "{shown}");
}

proptest! {
    /// In iff every configured method passes, computed a second way; and exactly the configured ones are named.
    #[test]
    fn every_configured_method_must_pass(
        nets in option::of(vec((any::<[u8; 4]>(), 0_u8..=32), 1..4)),
        tokens in option::of(vec("[a-c]{1,2}", 1..4)),
        token in option::of("[a-c]{1,2}"),
        address in option::of(any::<[u8; 4]>()),
        inside in any::<bool>(),
        signed in any::<(bool, bool)>(),
        sent in any::<(bool, bool)>(),
    ) {
        // Half of the time the address is one that is on the list.
        let address = match (&nets, inside) {
            (Some(nets), true) => Some(nets[0].0),
            _ => address,
        };
        let (body, standard, mut headers) = signing();
        let methods = Methods {
            source_ip: nets.as_ref().map(|nets| {
                nets.iter().map(|(bytes, prefix)| IpNet::new(IpAddr::from(*bytes), *prefix).unwrap()).collect()
            }),
            path_tokens: tokens.as_ref().map(|tokens| {
                PathTokens::new(&tokens.iter().map(|token| token.as_str().into()).collect::<Vec<_>>()).unwrap()
            }),
            hmac: signed.0.then_some(body),
            standard_webhooks: signed.1.then_some(standard),
            sealed: None,
            unauthenticated: nets.is_none() && tokens.is_none() && signed == (false, false),
        };
        let door = ProjectDoor::new(project(), methods).unwrap();
        for (name, sent) in [("x-signature", sent.0), ("webhook-signature", sent.1)] {
            if !sent {
                headers.remove(name);
            }
        }
        let result = admitted(&door, token.as_deref(), address.map(IpAddr::from), &headers);

        let token_passes = match (&tokens, &token) {
            (Some(tokens), Some(token)) => tokens.contains(token),
            (Some(_), None) | (None, Some(_)) => false,
            (None, None) => true,
        };
        let same_prefix = |one: [u8; 4], other: [u8; 4], prefix: u8| {
            let difference = u64::from(u32::from_be_bytes(one) ^ u32::from_be_bytes(other));
            difference >> (32 - prefix) == 0
        };
        let source_passes = nets.as_ref().is_none_or(|nets| {
            address.is_some_and(|address| nets.iter().any(|(net, prefix)| same_prefix(*net, address, *prefix)))
        });
        let signature_passes = (sent.0 || !signed.0) && (sent.1 || !signed.1);
        prop_assert_eq!(result.is_ok(), token_passes && source_passes && signature_passes);
        if let Ok(passed) = result {
            prop_assert_eq!(passed.any_of(Authentication::PATH_TOKEN), tokens.is_some());
            prop_assert_eq!(passed.any_of(Authentication::SOURCE_IP), nets.is_some());
            prop_assert_eq!(passed.any_of(Authentication::HMAC), signed != (false, false));
        }
    }

    #[test]
    fn no_presented_text_opens_a_door_but_the_token_itself(presented in any::<String>()) {
        let door = door(None, Some(&["right-token"]));
        let result = ask(&door, Some(&presented), None);
        prop_assert_eq!(result.is_ok(), presented == "right-token");
    }
}

#[test]
fn gcm_is_a_lock_and_ecb_is_none() {
    let sealed = |mode| {
        let cipher = argos::Cipher::new(mode, argos::Derivation::Sha256, &["key".into()]).unwrap();
        Methods { sealed: Some(Arc::new(cipher)), ..Methods::default() }
    };
    let error = |methods| ProjectDoor::new(project(), methods).err();
    assert_eq!(error(sealed(Mode::Gcm)), None);
    assert_eq!(error(sealed(Mode::Ecb)), Some(InvalidDoor::NoMethod));
    assert_eq!(error(Methods { unauthenticated: true, ..sealed(Mode::Ecb) }), None);
    assert_eq!(error(Methods { unauthenticated: true, ..sealed(Mode::Gcm) }), Some(InvalidDoor::Contradictory));
}
