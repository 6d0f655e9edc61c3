//! The client of an encrypting project: same truth as plain, and what is not sealed, or stays shut, is no truth.

use super::servers::{Asked, answering};
use super::{APPROVED, client_of, key, project, word};
use argos::{Cipher, Client, Derivation, ListQuery, Mode};
use models::{LookError, ProjectId, TruthSource};
use std::sync::{Arc, Mutex};

const KEY: &str = "FAKEfakeFAKEfakeFAKEfakeFAKEfake01234567";
const OLD: &str = "OLDoldOLDoldOLDoldOLDoldOLDoldOLD9876543";
const MODES: [Mode; 2] = [Mode::Ecb, Mode::Gcm];
const DERIVATIONS: [Derivation; 4] =
    [Derivation::First32Bytes, Derivation::Sha256, Derivation::Sha256Hex32, Derivation::Last32Bytes];

fn cipher(mode: Mode, derivation: Derivation, keys: &[&str]) -> Arc<Cipher> {
    let keys: Vec<_> = keys.iter().map(|key| (*key).into()).collect();
    Arc::new(Cipher::new(mode, derivation, &keys).unwrap())
}

fn simple(mode: Mode) -> Arc<Cipher> {
    cipher(mode, Derivation::First32Bytes, &[KEY])
}

/// As ARGOS seals an answer.
fn envelope(cipher: &Cipher, inside: &str) -> String {
    serde_json::json!({"data": cipher.encrypt(inside.as_bytes(), &[1; 12]), "isEncrypted": true}).to_string()
}

/// A request: the sealed part of its query, opened, and its path and query as they came.
type Request = (Option<String>, String);

/// An ARGOS that encrypts with `argos`, and a client that encrypts with `ours`.
struct Pair {
    client: Client,
    /// What the next requests are answered.
    next: Arc<Mutex<(u16, String)>>,
    asked: Arc<Mutex<Vec<Request>>>,
}

impl Pair {
    async fn new(argos: Arc<Cipher>, ours: Arc<Cipher>) -> Pair {
        let next = Arc::new(Mutex::new((200, envelope(&argos, APPROVED))));
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (answers, log) = (Arc::clone(&next), Arc::clone(&asked));
        let address = answering(move |asked: Asked| {
            let sealed = asked.pairs.iter().find(|(name, _)| name == "data");
            let opened = sealed.and_then(|(_, text)| argos.decrypt(text).ok());
            let opened = opened.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
            log.lock().unwrap().push((opened, asked.target));
            answers.lock().unwrap().clone()
        })
        .await;
        let mut project = project(&format!("http://{address}/v3"));
        project.cipher = Some(ours);
        Pair { client: client_of(project), next, asked }
    }

    fn answer(&self, status: u16, body: &str) {
        *self.next.lock().unwrap() = (status, body.to_owned());
    }

    async fn look(&self) -> Result<models::Truth, LookError> {
        self.client.look(&key()).await
    }
}

#[tokio::test]
async fn the_truth_is_that_of_the_plain_answer() {
    let address = answering(|_| (200, APPROVED.to_owned())).await;
    let plain = client_of(project(&format!("http://{address}/v3"))).look(&key()).await.unwrap();
    for mode in MODES {
        for derivation in DERIVATIONS {
            // In the middle of a rotation: ARGOS answers under the key that is our second.
            let old = cipher(mode, derivation, &[OLD]);
            let pair = Pair::new(cipher(mode, derivation, &[KEY]), cipher(mode, derivation, &[KEY, OLD])).await;
            assert_eq!(pair.look().await.unwrap(), plain, "{mode:?} {derivation:?}");
            pair.answer(200, &envelope(&old, APPROVED));
            assert_eq!(pair.look().await.unwrap(), plain, "{mode:?} {derivation:?}");
            for (sealed, target) in pair.asked.lock().unwrap().iter() {
                assert_eq!(sealed.as_deref(), Some(r#"{"submission_id":"k3f9x1mes3ugzb"}"#));
                assert!(target.starts_with("/v3/submission?data=") && !target.contains("k3f9x1mes3ugzb"), "{target}");
            }
        }
    }
}

#[tokio::test]
async fn no_nonce_is_used_twice() {
    let pair = Pair::new(simple(Mode::Gcm), simple(Mode::Gcm)).await;
    for _ in 0..20 {
        pair.look().await.unwrap();
    }
    let targets: std::collections::HashSet<String> =
        pair.asked.lock().unwrap().iter().map(|(_, target)| target.clone()).collect();
    assert_eq!(targets.len(), 20, "the same query looks different each time");
}

#[tokio::test]
async fn a_page_is_read_sealed() {
    let page =
        r#"{"Items":[{"submission_id":"x","kyc":{"result":"approved"}}],"nextpageKey":{"id":"x","created_at":"y"}}"#;
    let id = ProjectId::new("acme").unwrap();
    let address = answering(move |_| (200, page.to_owned())).await;
    let mut query = ListQuery { count: 50, start_date: Some("2026-03-01".parse().unwrap()), ..ListQuery::default() };
    let plain = client_of(project(&format!("http://{address}/v3"))).list(&id, &query).await.unwrap();
    for mode in MODES {
        let pair = Pair::new(simple(mode), simple(mode)).await;
        pair.answer(200, &envelope(&simple(mode), page));
        query.cursor = None;
        let first = pair.client.list(&id, &query).await.unwrap();
        assert_eq!(first, plain);
        query.cursor = first.next;
        pair.client.list(&id, &query).await.unwrap();
        let asked = pair.asked.lock().unwrap().clone();
        assert!(asked.iter().all(|(sealed, _)| sealed.as_deref() == Some(r#"{"start_date":"2026-03-01"}"#)));
        assert!(asked[0].1.starts_with("/v3/submission?count=50&data="), "{}", asked[0].1);
        assert!(asked[1].1.ends_with("&nextpage_id=x&nextpage_date=y"), "{}", asked[1].1);
        pair.answer(200, page);
        assert!(matches!(pair.client.list(&id, &query).await, Err(LookError::Denied(_))));
    }
}

#[tokio::test]
async fn an_empty_answer_is_absent_only_if_it_was_sealed() {
    for mode in MODES {
        let pair = Pair::new(simple(mode), simple(mode)).await;
        for (status, body, before, after) in [
            (200, r#"{"Items":[]}"#, "denied", "unreadable"),
            (200, APPROVED, "denied", "denied"),
            (404, "", "retry", "absent"),
            (400, r#"{"errorCode":"invalid_submission_id"}"#, "retry", "absent"),
            (400, r#"{"errorCode":"invalid_payload"}"#, "denied", "unreadable"),
            (403, "", "denied", "denied"),
            (429, "", "throttled", "throttled"),
            (502, "<html>", "retry", "retry"),
        ] {
            let pair = Pair::new(simple(mode), simple(mode)).await;
            pair.answer(status, body);
            assert_eq!(word(&pair.look().await), before, "{status} {body}");
            pair.answer(200, &envelope(&simple(mode), APPROVED));
            assert_eq!(word(&pair.look().await), "present");
            pair.answer(status, body);
            assert_eq!(word(&pair.look().await), after, "{status} {body}, proven");
        }
        pair.answer(404, &envelope(&simple(mode), r#"{"message":"not found"}"#));
        assert_eq!(word(&pair.look().await), "absent");
        pair.answer(200, &envelope(&simple(mode), r#"{"Items":[]}"#));
        assert_eq!(word(&pair.look().await), "absent");
    }
}

#[tokio::test]
async fn a_wrong_derivation_mode_or_key_is_a_refusal_and_never_absence() {
    let mut wrong = vec![simple(Mode::Ecb), cipher(Mode::Gcm, Derivation::First32Bytes, &[OLD])];
    wrong.extend(DERIVATIONS[1..].iter().map(|derivation| cipher(Mode::Gcm, *derivation, &[KEY])));
    for ours in wrong {
        let pair = Pair::new(simple(Mode::Gcm), ours).await;
        let sealed = |inside: &str| envelope(&simple(Mode::Gcm), inside);
        for body in [sealed(APPROVED), sealed(r#"{"Items":[]}"#), r#"{"data":"?"}"#.to_owned()] {
            pair.answer(200, &body);
            let expected = "the answer cannot be decrypted: check encryption.mode and key_derivation";
            assert_eq!(pair.look().await, Err(LookError::Denied(expected.to_owned())));
        }
        for (status, body, expected) in [
            (404, sealed(r#"{"message":"not found"}"#), "retry"),
            (400, sealed(r#"{"errorCode":"invalid_payload"}"#), "denied"),
            (400, r#"{"errorCode":"invalid_payload"}"#.to_owned(), "denied"),
            (429, sealed("{}"), "throttled"),
        ] {
            pair.answer(status, &body);
            assert_eq!(word(&pair.look().await), expected, "{status} {body}");
        }
    }
}

#[tokio::test]
async fn no_error_shows_what_was_inside_or_a_key() {
    for inside in [
        r#"{"Items":[{"submission_id":"minji","email":"minji.kim@example.com"}]}"#,
        r#"{"Items":[{"submission_id":"k3f9x1mes3ugzb","email":"minji.kim@example.com"}]}"#,
        r#"{"errorCode":"minji.kim@example.com"}"#,
    ] {
        for (ours, status) in [(KEY, 200), (KEY, 400), (OLD, 200), (OLD, 400)] {
            let argos = simple(Mode::Gcm);
            let pair = Pair::new(Arc::clone(&argos), cipher(Mode::Gcm, Derivation::First32Bytes, &[ours])).await;
            pair.answer(status, &envelope(&argos, inside));
            let error = pair.look().await.unwrap_err();
            let shown = format!("{error:?} {error}").to_lowercase();
            assert!(!shown.contains("minji") && !shown.contains("fakefake"), "{shown}");
        }
    }
}

/// Both keys are ours all the time; ARGOS goes from one to the other, and tells in the clear or sealed that it does not
/// understand.
#[tokio::test]
async fn when_argos_goes_to_the_other_key_one_look_fails_and_the_next_succeeds() {
    for mode in MODES {
        for sealed_complaint in [true, false] {
            let at_argos = Arc::new(Mutex::new(cipher(mode, Derivation::First32Bytes, &[OLD])));
            let current = Arc::clone(&at_argos);
            let address = answering(move |asked: Asked| {
                let cipher = current.lock().unwrap();
                let data = asked.pairs.iter().find(|(name, _)| name == "data").unwrap();
                let opened = cipher.decrypt_if(&data.1, |plain| plain.starts_with(b"{"));
                let complaint = r#"{"errorCode":"invalid_payload"}"#;
                match opened {
                    Ok(_) => (200, envelope(&cipher, APPROVED)),
                    Err(_) if sealed_complaint => (400, envelope(&cipher, complaint)),
                    Err(_) => (400, complaint.to_owned()),
                }
            })
            .await;
            let mut project = project(&format!("http://{address}/v3"));
            project.cipher = Some(cipher(mode, Derivation::First32Bytes, &[KEY, OLD]));
            let client = client_of(project);
            let mut words = Vec::new();
            for turn in 0..6 {
                if turn == 3 {
                    *at_argos.lock().unwrap() = cipher(mode, Derivation::First32Bytes, &[KEY]);
                }
                words.push(word(&client.look(&key()).await));
            }
            let first = if sealed_complaint { "unreadable" } else { "denied" };
            assert_eq!(words, [first, "present", "present", "unreadable", "present", "present"], "{mode:?}");
        }
    }
}
