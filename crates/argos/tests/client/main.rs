//! The client against small servers on the loopback address: what it sends, what each answer means, and its bounds.

#![expect(clippy::unwrap_used, reason = "helpers of tests may fail the test")]

mod asking;
mod encrypted;
mod keys;
mod probe;
mod servers;

use argos::{ApiKeys, Client, ListQuery, Policy, Project, Reader, Timeouts};
use models::{Answer, Key, KycStatus, LookError, ProjectId, Time, Truth, TruthSource};
use servers::{raw_server, server};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

const APPROVED: &str = r#"{"Items":[{"submission_id":"k3f9x1mes3ugzb","email":"minji.kim@example.com","data":{"full_name":"Kim Minji"},"kyc":{"result":"approved"}}]}"#;
const NOW: &str = "2026-03-02T05:00:00Z";
const SHORT: Duration = Duration::from_millis(150);

fn project(address: &str) -> Project {
    let reader = Reader { include: Policy::USER_ID, ..Reader::default() };
    let keys = ApiKeys::new(&["key-0001".into()]).unwrap();
    let mut project = Project::new(ProjectId::new("acme").unwrap(), address.parse().unwrap(), keys, reader);
    project.timeouts = Timeouts { connect: SHORT, headers: Duration::from_secs(5), body: Duration::from_secs(5) };
    project
}

fn client_of(project: Project) -> Client {
    Client::new(vec![project], Arc::new(|| NOW.parse().unwrap()), "argos-relay/test").unwrap()
}

fn client(address: SocketAddr) -> Client {
    client_of(project(&format!("http://{address}/v3")))
}

fn key() -> Key {
    Key::parse("acme/k3f9x1mes3ugzb").unwrap()
}

async fn look(address: SocketAddr) -> Result<Truth, LookError> {
    client(address).look(&key()).await
}

/// The error's variant as a word.
fn word(result: &Result<Truth, LookError>) -> &'static str {
    match result {
        Ok(Truth { answer: Answer::Absent, .. }) => "absent",
        Ok(Truth { answer: Answer::Present(_), .. }) => "present",
        Err(LookError::Retry(_)) => "retry",
        Err(LookError::Throttled { .. }) => "throttled",
        Err(LookError::Denied(_)) => "denied",
        Err(LookError::Unreadable(_)) => "unreadable",
        Err(LookError::UnknownProject) => "unknown project",
    }
}

#[tokio::test]
async fn a_look_sends_the_key_and_the_encoded_id() {
    let (address, seen) =
        server(200, &[], r#"{"Items":[{"submission_id":"a b/é&c+","kyc":{"result":"pending"}}]}"#).await;
    for base in ["v3", "v3/"] {
        let client = client_of(project(&format!("http://{address}/{base}")));
        let truth = client.look(&Key::parse("acme/a b/é&c+").unwrap()).await.unwrap();
        assert_eq!(truth.asked_at, NOW.parse::<Time>().unwrap());
        let Answer::Present(submission) = truth.answer else { panic!("absent") };
        assert_eq!(submission.kyc.status, KycStatus::Pending);
    }
    for request in seen.lock().unwrap().iter() {
        assert_eq!(request.target, "/v3/submission?submission_id=a+b%2F%C3%A9%26c%2B");
        assert_eq!((request.api_key.as_str(), request.user_agent.as_str()), ("key-0001", "argos-relay/test"));
    }
    assert_eq!(seen.lock().unwrap().len(), 2);
}

#[tokio::test]
async fn every_status_has_its_meaning() {
    for (status, body, expected) in [
        (200, APPROVED, "present"),
        (200, r#"{"Items":[]}"#, "absent"),
        (200, "<html>", "unreadable"),
        (200, "", "unreadable"),
        (204, "", "unreadable"),
        (302, "", "retry"),
        (400, r#"{"errorCode":"invalid_submission_id"}"#, "absent"),
        (400, r#"{"errorCode":"invalid_project"}"#, "denied"),
        (400, r#"{"errorCode":"invalid_format"}"#, "unreadable"),
        (401, "", "denied"),
        (403, r#"{"message":"Forbidden"}"#, "denied"),
        (403, r#"{"message":"Limit Exceeded"}"#, "throttled"),
        (404, "", "absent"),
        (404, "<html>", "unreadable"),
        (413, "", "unreadable"),
        (418, APPROVED, "unreadable"),
        (429, "", "throttled"),
        (500, APPROVED, "retry"),
        (502, "", "retry"),
        (503, "", "retry"),
        (504, "", "retry"),
    ] {
        let (address, seen) = server(status, &[], body).await;
        let result = look(address).await;
        assert_eq!(word(&result), expected, "{status} {body}: {result:?}");
        // No retry of our own.
        assert_eq!(seen.lock().unwrap().len(), 1, "{status}");
    }
}

#[tokio::test]
async fn retry_after_is_seconds_or_a_date() {
    for (value, wait) in [("7", Some(7)), ("Mon, 02 Mar 2026 05:00:30 GMT", Some(30)), ("soon", None)] {
        for status in [429, 403] {
            let (address, _) = server(status, &[("retry-after", value)], r#"{"message":"Too Many Requests"}"#).await;
            let expected = LookError::Throttled { retry_after: wait.map(Duration::from_secs) };
            assert_eq!(look(address).await, Err(expected), "{value}");
        }
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let (elsewhere, seen) = server(200, &[], APPROVED).await;
    let target = format!("http://{elsewhere}/v3/submission");
    let (address, _) = server(307, &[("location", &target)], "").await;
    assert_eq!(word(&look(address).await), "retry");
    assert!(seen.lock().unwrap().is_empty(), "the key went to another host");
}

#[tokio::test]
async fn a_body_over_the_bound_is_not_read() {
    let announced = b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n{".to_vec();
    let mut chunked = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
    for _ in 0..64 {
        chunked.extend_from_slice(b"400\r\n");
        chunked.extend_from_slice(&[b' '; 0x400]);
        chunked.extend_from_slice(b"\r\n");
    }
    for answer in [announced, chunked] {
        let mut project = project(&format!("http://{}", raw_server(answer, true).await));
        project.max_body = 16 * 1024;
        let expected = LookError::Unreadable("the answer is larger than 16384 bytes".to_owned());
        assert_eq!(client_of(project).look(&key()).await, Err(expected));
    }
    // Exactly at the bound is fine.
    let (address, _) = server(200, &[], APPROVED).await;
    let mut project = project(&format!("http://{address}"));
    project.max_body = APPROVED.len();
    assert_eq!(word(&client_of(project).look(&key()).await), "present");
}

#[tokio::test]
async fn what_never_ends_is_cut_off() {
    let endless_error = b"HTTP/1.1 403 Forbidden\r\ncontent-length: 100\r\n\r\n{".to_vec();
    for (answer, expected) in [
        (Vec::new(), "retry"),
        (b"HTTP/1.1 200 OK\r\n".to_vec(), "retry"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{".to_vec(), "retry"),
        // The status is known, and is enough.
        (endless_error, "denied"),
    ] {
        let mut project = project(&format!("http://{}", raw_server(answer.clone(), true).await));
        project.timeouts = Timeouts { connect: SHORT, headers: SHORT, body: SHORT };
        let start = Instant::now();
        let result = client_of(project).look(&key()).await;
        assert_eq!(word(&result), expected, "{result:?}");
        assert!(start.elapsed() < Duration::from_secs(5));
    }
}

#[tokio::test]
async fn a_cut_body_or_connection_is_tried_again() {
    for answer in [
        &b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"Items\":[]}"[..],
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{\"Ite",
        b"HTTP/1.1 200",
        b"",
        b"minji.kim@example.com is no HTTP at all\r\n\r\n",
    ] {
        let result = look(raw_server(answer.to_vec(), false).await).await;
        assert_eq!(word(&result), "retry", "{result:?}");
        assert!(!format!("{result:?}").contains("minji"), "{result:?}");
    }
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let result = look(gone).await;
    assert_eq!(word(&result), "retry");
    assert!(!format!("{result:?}").contains("k3f9x1mes3ugzb"), "the URL stays out: {result:?}");
}

#[tokio::test]
async fn tls_works_without_a_process_wide_provider() {
    // The server speaks no TLS: the handshake must fail as a lost connection, not as a panic.
    let (address, seen) = server(200, &[], APPROVED).await;
    let client = client_of(project(&format!("https://{address}/v3")));
    let result = client.look(&key()).await;
    assert_eq!(word(&result), "retry", "{result:?}");
    assert!(seen.lock().unwrap().is_empty());
}

#[tokio::test]
async fn connections_are_kept() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let connections = Arc::new(Mutex::new(0));
    let counted = Arc::clone(&connections);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            *counted.lock().unwrap() += 1;
            tokio::spawn(async move {
                let mut request = [0; 4096];
                while stream.read(&mut request).await.is_ok_and(|read| read > 0) {
                    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{APPROVED}", APPROVED.len());
                    let _ = stream.write_all(head.as_bytes()).await;
                }
            });
        }
    });
    let client = client(address);
    for _ in 0..5 {
        assert_eq!(word(&client.look(&key()).await), "present");
    }
    assert_eq!(*connections.lock().unwrap(), 1);
}

#[tokio::test]
async fn only_configured_projects_are_asked() {
    let (address, _) = server(200, &[], APPROVED).await;
    let client = client(address);
    let other = Key::parse("other/k3f9x1mes3ugzb").unwrap();
    assert_eq!(client.look(&other).await, Err(LookError::UnknownProject));
}

#[tokio::test]
async fn a_list_is_asked_with_count_days_and_cursor() {
    let page = r#"{"Items":[{"submission_id":"x","kyc":{"result":"approved"}}],"nextpageKey":{"id":"x","created_at":"2026-03-02T05:27:56.279+00:00"}}"#;
    let (address, seen) = server(200, &[], page).await;
    let id = ProjectId::new("acme").unwrap();
    let mut query = ListQuery {
        count: 50,
        start_date: Some("2026-03-01".parse().unwrap()),
        end_date: Some("2026-03-02".parse().unwrap()),
        cursor: None,
        ..ListQuery::default()
    };
    let first = client(address).list(&id, &query).await.unwrap();
    assert_eq!((first.rows.len(), first.unreadable), (1, 0));
    query.cursor.clone_from(&first.next);
    let mut compact = project(&format!("http://{address}/v3"));
    compact.list.date_format = argos::DateFormat::Compact;
    client_of(compact).list(&id, &query).await.unwrap();
    assert_eq!(
        first.next,
        Some(models::PageCursor { id: "x".into(), created_at: "2026-03-02T05:27:56.279+00:00".into() })
    );
    let targets: Vec<String> = seen.lock().unwrap().iter().map(|seen| seen.target.clone()).collect();
    assert_eq!(
        targets,
        [
            "/v3/submission?count=50&start_date=2026-03-01&end_date=2026-03-02",
            "/v3/submission?count=50&start_date=20260301&end_date=20260302&nextpage_id=x\
             &nextpage_date=2026-03-02T05%3A27%3A56.279%2B00%3A00",
        ]
    );
    let (missing, _) = server(404, &[], "").await;
    assert!(matches!(client(missing).list(&id, &query).await, Err(LookError::Unreadable(_))));
}

#[test]
fn mistakes_of_configuration_are_told_with_the_project() {
    let clock: Arc<dyn Fn() -> Time + Send + Sync> = Arc::new(|| Time::from_millis(0));
    let build = |projects| Client::new(projects, Arc::clone(&clock), "x").err().unwrap().to_string();
    assert!(build(vec![project("mailto:x")]).contains("acme"));
    assert!(build(vec![project("http://127.0.0.1:1"), project("http://127.0.0.1:2")]).contains("twice"));
    assert!(!format!("{:?}", project("http://127.0.0.1:1")).contains("0001"));
}

#[tokio::test]
async fn no_error_repeats_a_body() {
    for (status, body) in [
        (200, r#"{"Items":[{"submission_id":"k3f9x1mes3ugzb","email":"minji.kim@example.com"}]}"#),
        (200, r#"{"Items":[{"submission_id":"minji","email":"minji.kim@example.com"}]}"#),
        (200, r#"{"Items":[{"email":"minji.kim@example.com"#),
        (400, r#"{"errorCode":"minji.kim@example.com","message":"Kim Minji"}"#),
        (403, r#"{"message":"minji.kim@example.com may not"}"#),
        (422, "minji.kim@example.com"),
        (500, r#"{"message":"minji.kim@example.com"}"#),
    ] {
        let (address, _) = server(status, &[], body).await;
        let error = look(address).await.unwrap_err();
        let shown = format!("{error:?} {error}").to_lowercase();
        assert!(!shown.contains("minji") && !shown.contains("key-0001"), "{shown}");
    }
}
