//! The probe against small servers that behave in each of the ways that ARGOS's pages leave open.

use super::project;
use super::servers::{Asked, answering, server};
use argos::probe::{Probe, Report, Sealing, Verdict};
use argos::{Cipher, DateFormat, Derivation, Mode};
use models::LookError;
use secrecy::SecretString;
use std::sync::Arc;
use std::time::Duration;

const KEY: &str = "FAKEfakeFAKEfakeFAKEfakeFAKEfake01234567";
const MADE: [&str; 2] = ["2026-03-02T05:27:56Z", "2026-03-01T05:27:56Z"];

/// How the server behaves.
#[derive(Clone, Default)]
struct Ways {
    seal: Option<(Mode, Derivation)>,
    /// The largest page.
    most: Option<usize>,
    /// Days in this form only; the other is ignored.
    only: Option<DateFormat>,
    whole_parts: bool,
    unknown: Option<(u16, &'static str)>,
    empty: bool,
}

fn rows(ways: &Ways, get: &dyn Fn(&str) -> Option<String>) -> (u16, String) {
    let count: usize = get("count").and_then(|count| count.parse().ok()).unwrap_or(2_000);
    if ways.most.is_some_and(|most| count > most) {
        return (400, r#"{"errorCode":"invalid_parameter","message":"count"}"#.to_owned());
    }
    let from = get("start_date").filter(|day| match ways.only {
        None => true,
        Some(DateFormat::Dashed) => day.contains('-'),
        Some(DateFormat::Compact) => !day.contains('-'),
    });
    let day = |text: &str| text.chars().filter(char::is_ascii_digit).take(8).collect::<String>();
    let inside = |made: &&str| !ways.empty && from.as_ref().is_none_or(|from| day(made) >= day(from));
    let item = |made: &str| {
        format!(
            r#"{{"submission_id":"x{}","email":"minji.kim@example.com","created_at":"{made}","kyc":{{"result":"approved"}}}}"#,
            day(made)
        )
    };
    let items: Vec<String> = MADE.into_iter().filter(inside).map(item).collect();
    (200, format!(r#"{{"Items":[{}]}}"#, items.join(",")))
}

fn single(ways: &Ways, id: &str, part: Option<&str>) -> (u16, String) {
    if !id.starts_with("x2026") {
        let (status, body) = ways.unknown.unwrap_or((200, r#"{"Items":[]}"#));
        return (status, body.to_owned());
    }
    let kyc = r#""kyc":{"result":"approved"}"#;
    let aml = r#""aml":{"currentstatus":"Not Screened"}"#;
    let shown = match part.filter(|_| !ways.whole_parts) {
        Some("kyc") => kyc.to_owned(),
        Some("aml") => aml.to_owned(),
        _ => format!(r#"{kyc},{aml},"data":{{"full_name":"Kim Minji"}}"#),
    };
    (200, format!(r#"{{"Items":[{{"submission_id":"{id}",{shown}}}]}}"#))
}

async fn examine(ways: Ways, size: u32, expected: Option<(Mode, Derivation)>) -> Report {
    let cipher = |seal: (Mode, Derivation)| Cipher::new(seal.0, seal.1, &[KEY.into()]).unwrap();
    let sealer = ways.seal.map(cipher);
    let address = answering(move |asked: Asked| {
        let opened = asked
            .pairs
            .iter()
            .find(|(name, _)| name == "data")
            .map(|(_, text)| serde_json::from_slice(&sealer.as_ref().unwrap().decrypt(text).unwrap()).unwrap());
        let opened: serde_json::Value = opened.unwrap_or_default();
        let get = |name: &str| {
            let plain = asked.pairs.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
            plain.or_else(|| opened[name].as_str().map(str::to_owned))
        };
        let (status, body) = match get("submission_id") {
            Some(id) => single(&ways, &id, get("request_type").as_deref()),
            None => rows(&ways, &get),
        };
        let answer = sealer.as_ref().map(|cipher| {
            serde_json::json!({"data": cipher.encrypt(body.as_bytes(), &[1; 12]), "isEncrypted": true}).to_string()
        });
        (status, answer.unwrap_or(body))
    })
    .await;
    let keys: [SecretString; 2] = ["OLDoldOLDoldOLDoldOLDoldOLDoldOLD9876543".into(), KEY.into()];
    let mut probe = probe(&format!("http://{address}/v3"), size);
    probe.examine(&keys, expected).await.unwrap()
}

fn probe(address: &str, size: u32) -> Probe {
    let mut project = project(address);
    project.list.page_size = size;
    let clock = Arc::new(|| super::NOW.parse().unwrap());
    Probe::new(project, clock, Duration::ZERO, "argos-relay/test").unwrap()
}

fn holds(found: &[(u32, Verdict)]) -> Vec<bool> {
    found.iter().map(|(_, verdict)| *verdict == Verdict::Holds).collect()
}

fn dates(report: &Report) -> Vec<bool> {
    report.dates.iter().map(|(_, verdict)| *verdict == Verdict::Holds).collect()
}

#[tokio::test]
async fn a_project_as_we_assume_it() {
    let report = examine(Ways::default(), 50, None).await;
    assert_eq!((report.key, report.sealing), (Verdict::Holds, Some(Sealing::Plain)));
    assert_eq!(holds(&report.page_sizes), [true]);
    assert_eq!(report.dates.iter().map(|(_, found)| found).collect::<Vec<_>>(), [&Verdict::Holds, &Verdict::Holds]);
    assert_eq!(report.slices, Verdict::Holds);
    assert_eq!(report.unknown_id, (Verdict::Holds, "status 200 without items".to_owned()));
    assert_eq!((report.rows.rows, report.rows.with_aml, report.rows.with_updated_at), (2, 0, 0));
    let latency = report.latency.unwrap();
    assert!(latency.p50 <= latency.max && latency.max > Duration::ZERO);
}

#[tokio::test]
async fn every_mode_and_derivation_is_found_whatever_was_expected() {
    let derivations = [Derivation::First32Bytes, Derivation::Sha256, Derivation::Sha256Hex32, Derivation::Last32Bytes];
    for mode in [Mode::Ecb, Mode::Gcm] {
        for derivation in derivations {
            for expected in [None, Some((mode, Derivation::Sha256)), Some((Mode::Ecb, Derivation::First32Bytes))] {
                let ways = Ways { seal: Some((mode, derivation)), ..Ways::default() };
                let report = examine(ways, 50, expected).await;
                assert_eq!(report.sealing, Some(Sealing::Opened(mode, derivation, 1)), "{expected:?}");
                // All other questions were asked and answered sealed.
                assert_eq!((report.slices, dates_hold(&report.dates)), (Verdict::Holds, true));
                assert_eq!(report.unknown_id.0, Verdict::Holds);
            }
        }
    }
}

fn dates_hold(found: &[(DateFormat, Verdict)]) -> bool {
    found.len() == 2 && found.iter().all(|(_, verdict)| *verdict == Verdict::Holds)
}

#[tokio::test]
async fn what_does_not_hold_is_told() {
    let report = examine(Ways { most: Some(100), ..Ways::default() }, 500, None).await;
    assert_eq!(holds(&report.page_sizes), [true, false]);
    for (only, expected) in [(DateFormat::Dashed, [true, false]), (DateFormat::Compact, [false, true])] {
        let report = examine(Ways { only: Some(only), ..Ways::default() }, 50, None).await;
        assert_eq!(dates(&report), expected, "{only:?}: {:?}", report.dates);
    }
    let report = examine(Ways { whole_parts: true, ..Ways::default() }, 50, None).await;
    assert_eq!(report.slices, Verdict::Fails("more than the part came".to_owned()));
    for (status, body, absent) in [
        (404, "", true),
        (400, r#"{"errorCode":"not_found"}"#, true),
        (400, r#"{"errorCode":"missing_data"}"#, false),
        (500, "", false),
    ] {
        let report = examine(Ways { unknown: Some((status, body)), ..Ways::default() }, 50, None).await;
        assert_eq!(report.unknown_id.0 == Verdict::Holds, absent, "{status} {body}: {:?}", report.unknown_id);
    }
}

#[tokio::test]
async fn what_cannot_be_told_is_not_guessed() {
    let report = examine(Ways { empty: true, ..Ways::default() }, 50, None).await;
    assert!(report.dates.iter().all(|(_, found)| matches!(found, Verdict::Unknown(_))), "{:?}", report.dates);
    assert!(matches!(report.slices, Verdict::Unknown(_)));
    assert_eq!(report.key, Verdict::Holds);
}

#[tokio::test]
async fn keys_that_open_nothing_and_a_refusal_end_the_questions() {
    let other = Cipher::new(Mode::Gcm, Derivation::Sha256, &["another key".into()]).unwrap();
    let text = serde_json::json!({"data": other.encrypt(b"{}", &[1; 12]), "isEncrypted": true}).to_string();
    let (address, seen) = server(200, &[], Box::leak(text.into_boxed_str())).await;
    let report = probe(&format!("http://{address}/v3"), 50).examine(&[KEY.into()], None).await.unwrap();
    assert_eq!(report.sealing, Some(Sealing::Shut));
    assert_eq!(seen.lock().unwrap().len(), 1);

    let (address, seen) = server(403, &[("date", "Mon, 02 Mar 2026 05:00:00 GMT")], r#"{"message":"Forbidden"}"#).await;
    let report = probe(&format!("http://{address}/v3"), 50).examine(&[KEY.into()], None).await.unwrap();
    assert!(matches!(report.key, Verdict::Fails(_)), "{:?}", report.key);
    assert_eq!(seen.lock().unwrap().len(), 1, "a wrong key is never hammered");

    for (status, body) in [(502, "<html>"), (429, "")] {
        let (address, _) = server(status, &[], body).await;
        let result = probe(&format!("http://{address}/v3"), 50).examine(&[KEY.into()], None).await;
        assert!(matches!(result, Err(LookError::Retry(_) | LookError::Throttled { .. })), "{status}");
    }
}

#[tokio::test]
async fn the_clocks_are_compared() {
    // Ours stands at 05:00:00.
    let (address, _) = server(200, &[("date", "Mon, 02 Mar 2026 05:01:00 GMT")], r#"{"Items":[]}"#).await;
    let report = probe(&format!("http://{address}/v3"), 50).examine(&[KEY.into()], None).await.unwrap();
    let skew = report.skew_ms.unwrap();
    assert!((59_000..=60_500).contains(&skew), "{skew}");
}
