//! What a caller may cost: size and time of bodies, silence, the number of connections.

use crate::harness::{APPROVED, Client, Mode, Server, head, post};
use ingest::{DoorLimits, ServerLimits};
use std::time::Duration;
use tokio::io::AsyncWriteExt;

const LIMIT: usize = 1024 * 1024;
/// A timeout that a test waits out.
const SHORT: Duration = Duration::from_millis(150);

/// A body of exactly this many bytes.
fn body_of(bytes: usize) -> String {
    let start = r#"{"webhook_trigger":"approved","submission_id":"k3f9x1mes3ugzb","padding":""#;
    format!("{start}{}\"}}", "x".repeat(bytes - start.len() - 2))
}

/// A chunked POST, without the closing chunk.
async fn send_chunked(client: &mut Client, body: &str, chunk: usize) {
    client.send(head("POST", "/webhooks/open", "transfer-encoding: chunked\r\n")).await;
    for part in body.as_bytes().chunks(chunk) {
        client.send(format!("{:x}\r\n", part.len())).await;
        client.send(part).await;
        client.send("\r\n").await;
    }
}

#[tokio::test]
async fn a_body_of_exactly_the_limit_is_taken_however_it_comes() {
    let server = Server::start().await;
    let body = body_of(LIMIT);
    assert_eq!(server.ask(post("/webhooks/open", &body)).await.status, 200);
    for chunk in [LIMIT, 40_000, 1000] {
        let mut client = server.connect().await;
        send_chunked(&mut client, &body, chunk).await;
        client.send("0\r\n\r\n").await;
        assert_eq!(client.answer().await.status, 200, "chunks of {chunk}");
    }
    assert_eq!(server.sink.accepted.lock().unwrap().len(), 4);
}

#[tokio::test]
async fn one_byte_more_is_refused_while_it_is_read() {
    let server = Server::start().await;
    let body = body_of(LIMIT + 1);
    for chunk in [LIMIT + 1, 40_000, 1000] {
        let mut client = server.connect().await;
        // The last chunk is never sent: the answer does not wait for the end.
        send_chunked(&mut client, &body, chunk).await;
        let answer = client.answer().await;
        assert_eq!((answer.status, &answer.body["error"]), (413, &"too_large".into()), "chunks of {chunk}");
    }
    assert!(server.sink.accepted.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_slow_body_is_cut_off() {
    let limits = DoorLimits { body_timeout: SHORT, ..DoorLimits::default() };
    let server = Server::with(limits, ServerLimits::default()).await;
    let mut client = server.connect().await;
    client.send(head("POST", "/webhooks/open", "content-length: 90\r\n")).await;
    client.send("{").await;
    let answer = client.answer().await;
    assert_eq!((answer.status, answer.header("connection")), (408, Some("close")));
    assert!(client.is_closed().await);
    assert_eq!(server.count("open", "body_timeout"), 1);
}

#[tokio::test]
async fn a_body_that_breaks_off_is_no_webhook() {
    let server = Server::start().await;
    let mut client = server.connect().await;
    client.send(head("POST", "/webhooks/open", "content-length: 9000\r\n") + APPROVED).await;
    client.0.shutdown().await.unwrap();
    let answer = client.try_answer().await;
    assert!(answer.is_none_or(|answer| answer.status == 400));
    assert!(server.sink.accepted.lock().unwrap().is_empty());
}

#[tokio::test]
async fn silence_is_cut_off_wherever_it_begins() {
    let limits = ServerLimits { header_timeout: SHORT, ..ServerLimits::default() };
    let server = Server::with(DoorLimits::default(), limits).await;
    let beginnings = [
        ("nothing", ""),
        ("half a line", "POST /webhooks/op"),
        ("half a head", "POST /webhooks/open HTTP/1.1\r\nhost: relay.example\r\n"),
        ("half an HTTP/2 preface", "PRI * HT"),
    ];
    for (name, beginning) in beginnings {
        let mut client = server.connect().await;
        client.send(beginning).await;
        assert!(client.is_closed().await, "{name}");
    }
    // After an answer too.
    let mut client = server.connect().await;
    client.send(post("/webhooks/open", APPROVED)).await;
    assert_eq!(client.answer().await.status, 200);
    assert!(client.is_closed().await);
}

#[tokio::test]
async fn a_request_that_waits_for_the_broker_is_no_silence() {
    let limits = ServerLimits { header_timeout: SHORT, ..ServerLimits::default() };
    let server = Server::with(DoorLimits::default(), limits).await;
    server.set(Mode::Slow);
    let mut waiting = server.connect().await;
    waiting.send(post("/webhooks/open", APPROVED)).await;
    server.sink_was_asked().await;
    // Several silent connections come and go in the meantime.
    for _ in 0..3 {
        assert!(server.connect().await.is_closed().await);
    }
    server.sink.release.add_permits(1);
    assert_eq!(waiting.answer().await.status, 200);
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused() {
    let server = Server::start().await;
    let lines = format!("x-padding: {}\r\n", "x".repeat(20 * 1024));
    let answer = server.ask(head("POST", "/webhooks/open", &lines)).await;
    assert_eq!(answer.status, 431);
}

#[tokio::test]
async fn connections_over_the_cap_wait_for_a_place() {
    let limits = ServerLimits { connections: 1, ..ServerLimits::default() };
    let server = Server::with(DoorLimits::default(), limits).await;
    server.set(Mode::Slow);
    let mut first = server.connect().await;
    first.send(post("/webhooks/open", APPROVED)).await;
    server.sink_was_asked().await;

    let mut second = server.connect().await;
    second.send(post("/webhooks/open", APPROVED)).await;
    server.sink.release.add_permits(1);
    assert_eq!(first.answer().await.status, 200);
    assert_eq!(server.sink.entered.available_permits(), 0, "the second is not served beside the first");
    drop(first);
    server.sink.release.add_permits(1);
    assert_eq!(second.answer().await.status, 200);
}
