//! Every pure function that reads bytes of somebody else, as a function over bytes, with a law that must hold.
//!
//! Owns the list. Must not know where the bytes come from: `one.rs` gives it those of libFuzzer, the test `fuzz` of
//! `crates/relay` those of its own mutation. Both include this file, so that neither can forget a target.
//!
//! A target panics where its law is broken, and says whether the bytes were accepted: a fuzzer whose mutants are all
//! refused by the first check tests little.

use argos::webhook::{self, SealedError, Webhook};
use argos::{Cipher, Derivation, DigestKey, Mode, Policy, Reader, document, list, status, timestamp};
use argos_relay::config::{Config, Environment};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use ingest::authenticate::Caller;
use ingest::signature::Form;
use ingest::{Methods, PathTokens, ProjectDoor, SignedBody, StandardWebhooks, TrustedProxies};
use models::{Entry, Hint, Key, Memo, ProjectId, SubmissionId, Time};
use std::net::IpAddr;
use std::sync::LazyLock;
use std::time::Duration;

/// One entry point.
pub(crate) struct Target {
    /// Also the name of its folder of seeds and of its libFuzzer binary.
    pub(crate) name: &'static str,
    /// Whether the bytes were accepted.
    pub(crate) run: fn(&[u8]) -> bool,
    /// Its share of the cases of a run over all targets; the slow ones have a small one.
    #[cfg_attr(not(test), expect(dead_code, reason = "libFuzzer runs one target at a time"))]
    pub(crate) share: u32,
}

/// All of them.
pub(crate) const ALL: [Target; 13] = [
    Target { name: "webhook", run: webhook, share: 24 },
    Target { name: "sealed_webhook", run: sealed_webhook, share: 6 },
    Target { name: "envelope", run: envelope, share: 6 },
    Target { name: "document", run: document, share: 10 },
    Target { name: "list_page", run: list_page, share: 10 },
    Target { name: "failure", run: failure, share: 6 },
    Target { name: "timestamp", run: timestamp, share: 6 },
    Target { name: "client_address", run: client_address, share: 10 },
    Target { name: "signature", run: signature, share: 8 },
    Target { name: "ledger_entry", run: ledger_entry, share: 6 },
    Target { name: "hint", run: hint, share: 4 },
    Target { name: "key", run: key, share: 2 },
    Target { name: "config", run: config, share: 2 },
];

const API_KEY: &str = "FAKEfakeFAKEfakeFAKEfakeFAKEfake01234567";
/// The submission of the seeds.
const SUBMISSION: &str = "k3f9x1mes3ugzb";
const NOW: Time = Time::from_millis(1_772_429_276_279);

fn text(bytes: &[u8]) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}

/// A plain body. What is taken from it is bounded, whatever the body says.
fn webhook(bytes: &[u8]) -> bool {
    match webhook::decode(bytes) {
        Ok(Webhook::Submission(described)) => {
            assert!(described.claim.trigger.chars().count() <= webhook::MAX_TRIGGER);
            true
        }
        Ok(Webhook::Ignored { trigger }) => {
            assert!(trigger.chars().count() <= webhook::MAX_TRIGGER);
            false
        }
        Err(_) => false,
    }
}

fn cipher(mode: Mode) -> Cipher {
    Cipher::new(mode, Derivation::First32Bytes, &[API_KEY.into()]).expect("the key is long enough")
}

static ECB: LazyLock<Cipher> = LazyLock::new(|| cipher(Mode::Ecb));
static GCM: LazyLock<Cipher> = LazyLock::new(|| cipher(Mode::Gcm));

/// A sealed body, as it comes.
fn envelope(bytes: &[u8]) -> bool {
    webhook::decode_sealed(bytes, &GCM).is_ok() || webhook::decode_sealed(bytes, &ECB).is_ok()
}

/// What is sealed in a body. Under GCM sealing changes nothing of what is read, and an altered text never opens.
fn sealed_webhook(bytes: &[u8]) -> bool {
    let envelope = |sealed: &str| format!(r#"{{"data":"{sealed}","isEncrypted":true}}"#);
    let sealed = GCM.encrypt(bytes, &[7; 12]);
    let opened = webhook::decode_sealed(envelope(&sealed).as_bytes(), &GCM);
    assert_eq!(opened, webhook::decode(bytes).map_err(SealedError::Body));
    // One letter before the last group of four: every bit of it counts.
    let at = bytes.iter().map(|byte| usize::from(*byte)).sum::<usize>() % (sealed.len() - 4);
    let other = if sealed.as_bytes()[at] == b'A' { "B" } else { "A" };
    let mut altered = sealed;
    altered.replace_range(at..=at, other);
    assert!(webhook::decode_sealed(envelope(&altered).as_bytes(), &GCM).is_err(), "an altered text was opened");
    // Under ECB the content alone tells whether the key was right.
    let sealed = ECB.encrypt(bytes, &[7; 12]);
    webhook::decode_sealed(envelope(&sealed).as_bytes(), &ECB).is_ok() && opened.is_ok()
}

fn reader() -> Reader {
    let key = |text: &str| DigestKey::new(text.as_bytes()).expect("the key is long enough");
    Reader {
        include: Policy::USER_ID.with(Policy::REVIEWER).with(Policy::REASON_TEXT),
        digest_key: Some(key("0123456789abcdef0123456789abcdef")),
        previous_digest_key: Some(key("fedcba9876543210fedcba9876543210")),
    }
}

/// The answer of GET by id. Reading it twice gives the same: digests and lists have one order.
fn document(bytes: &[u8]) -> bool {
    static READER: LazyLock<Reader> = LazyLock::new(reader);
    let read = || document::decode_single(bytes, SUBMISSION, &READER, NOW);
    let truth = read();
    assert_eq!(truth.as_ref().ok(), read().as_ref().ok());
    truth.is_ok()
}

/// A page of the list.
fn list_page(bytes: &[u8]) -> bool {
    list::decode_page(bytes).is_ok_and(|page| !page.rows.is_empty() || page.next.is_some())
}

/// A failure's body, and the header that goes with it: `RETRY-AFTER`, a line feed, the body.
fn failure(bytes: &[u8]) -> bool {
    let cut = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(0);
    let (header, body) = bytes.split_at(cut);
    let wait = status::retry_after(&text(header), NOW);
    assert!(wait.is_none_or(|wait| wait <= Duration::from_hours(24)), "a wait of {wait:?}");
    for code in [200, 301, 400, 401, 403, 404, 408, 418, 429, 500, 503, 999] {
        let failure = status::of_failure(code, wait, body);
        assert!(code != 403 || failure != status::Failure::Absent, "403 read as absent");
        assert!(code < 429 || failure != status::Failure::Absent, "{code} read as absent");
    }
    wait.is_some()
}

/// A timestamp in any of ARGOS's forms; shown and read again it is the same.
fn timestamp(bytes: &[u8]) -> bool {
    let time = timestamp::parse(&text(bytes));
    if let Some(time) = time {
        assert_eq!(timestamp::parse(&time.to_string()), Some(time));
    }
    time.is_some()
}

/// Header lines, `name: value`; what HTTP does not allow in them is made harmless, since hyper lets none of it pass.
fn headers(bytes: &[u8]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in bytes.split(|byte| *byte == b'\n').take(64) {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
        let value: Vec<u8> = line[colon + 1..]
            .trim_ascii()
            .iter()
            .map(|byte| if *byte < b' ' || *byte == 127 { b'~' } else { *byte })
            .collect();
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(&line[..colon]), HeaderValue::from_bytes(&value)) {
            headers.append(name, value);
        }
    }
    headers
}

/// `X-Forwarded-For` and `Forwarded`, written by the caller. Whatever they say, a peer that is no proxy of ours is the
/// caller; and what our proxy adds on the right is the caller, or nobody is.
fn client_address(bytes: &[u8]) -> bool {
    let address = |text: &str| text.parse::<IpAddr>().expect("an address");
    let (stranger, proxy, seen) = (address("198.51.100.7"), address("10.0.0.1"), address("203.0.113.9"));
    let proxies = TrustedProxies::new(["10.0.0.0/8".parse().expect("a network")]);
    let mut headers = headers(bytes);
    assert_eq!(proxies.client(stranger, &headers), Some(stranger));
    let alone = proxies.client(proxy, &headers);
    for (name, hop) in [("x-forwarded-for", "203.0.113.9"), ("forwarded", "for=203.0.113.9")] {
        let written = headers.get_all(name).iter().next_back().cloned();
        let line = match &written {
            Some(line) => [line.as_bytes(), b", ", hop.as_bytes()].concat(),
            None => hop.into(),
        };
        headers.append(name, HeaderValue::from_bytes(&line).expect("a header's value"));
        let client = proxies.client(proxy, &headers);
        assert!(client.is_none_or(|client| client == seen), "{client:?} although the proxy saw {seen}");
    }
    alone.is_some_and(|client| client != proxy)
}

fn signed_door() -> ProjectDoor {
    let form = Form::Timestamped { tolerance: Duration::from_mins(5) };
    let hmac = SignedBody::new(HeaderName::from_static("x-signature"), form, &["a-signing-key".into()]);
    let standard = StandardWebhooks::new(&["whsec_aHVzaC1odXNoLXNpZ25pbmcta2V5".into()], Duration::from_mins(5));
    let methods = Methods {
        hmac: Some(hmac.expect("secrets")),
        standard_webhooks: Some(standard.expect("secrets")),
        path_tokens: Some(PathTokens::new(&["hush-hush-0001".into()]).expect("tokens")),
        ..Methods::default()
    };
    ProjectDoor::new(ProjectId::new("acme").expect("an id"), methods).expect("a door")
}

/// The headers of signatures, by somebody without the secrets: well-formed at best, never right.
fn signature(bytes: &[u8]) -> bool {
    static DOOR: LazyLock<ProjectDoor> = LazyLock::new(signed_door);
    let headers = headers(bytes);
    let with_token = |token| Caller { token: Some(token), address: None, headers: &headers, now: NOW };
    let guess = text(bytes);
    assert!(DOOR.authenticate(with_token(&guess)).is_err(), "a guessed token");
    match DOOR.authenticate(with_token("hush-hush-0001")) {
        Ok(admission) => {
            assert!(admission.verify(bytes).is_err(), "a forged signature");
            true
        }
        Err(_) => false,
    }
}

/// A record of the ledger: refused, or read and written back without a loss.
fn ledger_entry(bytes: &[u8]) -> bool {
    let layout = publisher::record::read_layout(bytes);
    let entry = Entry::decode(bytes);
    if let Ok(entry) = &entry {
        assert_eq!(Entry::decode(&entry.encode()).as_ref(), Ok(entry));
    }
    let memo = Memo::decode(bytes);
    if let Ok(memo) = &memo {
        assert_eq!(Memo::decode(&memo.encode()).as_ref(), Ok(memo));
    }
    layout.is_some() || entry.is_ok() || memo.is_ok()
}

/// A record of the hint topics, by a foreign producer.
fn hint(bytes: &[u8]) -> bool {
    let hint = serde_json::from_slice::<Hint>(bytes);
    if let Ok(hint) = &hint {
        let written = serde_json::to_vec(hint).expect("a hint can be written");
        assert_eq!(serde_json::from_slice::<Hint>(&written).ok().as_ref(), Some(hint));
    }
    hint.is_ok()
}

/// The key of a record.
fn key(bytes: &[u8]) -> bool {
    let text = text(bytes);
    let key = Key::parse(&text);
    if let Ok(key) = &key {
        assert_eq!(key.as_str(), text);
        assert!(ProjectId::new(key.project()).is_ok() && SubmissionId::new(key.submission()).is_ok());
    }
    key.is_ok()
}

/// The configuration file. No error ever shows the value of a secret.
fn config(bytes: &[u8]) -> bool {
    let environment = Environment { host_name: Some("relay-0".to_owned()), ..Environment::default() };
    match Config::parse(&text(bytes), &environment) {
        Ok(loaded) => {
            assert!(!format!("{:?}", loaded.config).contains(API_KEY), "the API key is shown");
            true
        }
        Err(errors) => {
            assert!(!errors.is_empty());
            false
        }
    }
}
