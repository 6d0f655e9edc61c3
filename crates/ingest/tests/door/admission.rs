//! Bounds on all requests together: who comes over them is told so before memory grows, and a flood for one project
//! leaves the others their part.

use crate::harness::{APPROVED, Answer, Client, Mode, Server, TOKEN, head, post};
use ingest::{Bounds, DoorLimits, ServerLimits};

async fn server(requests: usize, bytes: usize, project_share: f64) -> Server {
    let bounds = Bounds { requests, bytes, project_share };
    Server::with(DoorLimits { bounds, ..DoorLimits::default() }, ServerLimits::default()).await
}

fn is_busy(answer: &Answer) -> bool {
    answer.status == 429 && answer.header("retry-after") == Some("1") && answer.body["error"] == "busy"
}

/// A webhook that waits for the broker.
async fn waiting(server: &Server, path: &str) -> Client {
    let mut client = server.connect().await;
    client.send(post(path, APPROVED)).await;
    server.sink_was_asked().await;
    client
}

#[tokio::test]
async fn requests_over_the_bound_are_told_to_wait() {
    let server = server(2, 1 << 20, 0.0).await;
    server.set(Mode::Slow);
    let mut first = waiting(&server, "/webhooks/open").await;
    let _second = waiting(&server, "/webhooks/here").await;
    assert!(is_busy(&server.ask(post("/webhooks/open", APPROVED)).await));
    assert_eq!(server.count("open", "busy"), 1);
    // Strangers are told what they always are.
    assert_eq!(server.ask(post("/webhooks/secret/guess", APPROVED)).await.status, 401);

    server.sink.release.add_permits(1);
    assert_eq!(first.answer().await.status, 200);
    let mut third = waiting(&server, "/webhooks/open").await;
    server.sink.release.add_permits(2);
    assert_eq!(third.answer().await.status, 200);
    assert_eq!(server.gauge("argos_relay_webhooks_in_flight", "open"), 0);
    assert_eq!(server.gauge("argos_relay_webhook_bytes_in_flight", "open"), 0);
}

#[tokio::test]
async fn bytes_over_the_bound_are_refused_before_they_come() {
    let server = server(10, 1000, 0.0).await;
    // Announced: no byte of it is waited for.
    let announced = head("POST", "/webhooks/open", "content-length: 1001\r\n");
    assert!(is_busy(&server.ask(announced).await));
    let mut holder = server.connect().await;
    holder.send(head("POST", "/webhooks/open", "content-length: 900\r\n")).await;
    while server.gauge("argos_relay_webhook_bytes_in_flight", "open") < 900 {
        tokio::task::yield_now().await;
    }
    // Not announced: the piece that does not fit is where it ends.
    let mut client = server.connect().await;
    client.send(head("POST", "/webhooks/open", "transfer-encoding: chunked\r\n")).await;
    client.send(format!("{:x}\r\n{}\r\n", 50, " ".repeat(50))).await;
    client.send(format!("{:x}\r\n{}\r\n", 51, " ".repeat(51))).await;
    assert!(is_busy(&client.answer().await));
    // A caller who leaves gives all back.
    drop((client, holder));
    while server.gauge("argos_relay_webhook_bytes_in_flight", "open") > 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(server.ask(post("/webhooks/open", APPROVED)).await.status, 200);
}

#[tokio::test]
async fn a_flood_for_one_project_leaves_the_others_their_part() {
    // Half of 60 places is set aside for all projects of the harness; none of the 61 can take all.
    let server = server(60, 1 << 20, 0.5).await;
    server.set(Mode::Slow);
    let mut flood = Vec::new();
    for _ in 0..61 {
        let mut client = server.connect().await;
        client.send(post("/webhooks/open", APPROVED)).await;
        flood.push(client);
    }
    let taken = || server.gauge("argos_relay_webhooks_in_flight", "open");
    while taken() + (server.count("open", "busy") as i64) < 61 {
        tokio::task::yield_now().await;
    }
    assert!((30..60).contains(&taken()), "its own part and the common one: {}", taken());
    let admitted = taken();
    let mut other = server.connect().await;
    other.send(post(&format!("/webhooks/secret/{TOKEN}"), APPROVED)).await;
    server.sink.release.add_permits(61);
    assert_eq!(other.answer().await.status, 200);
    let mut answers = Vec::new();
    for mut client in flood {
        answers.push(client.answer().await);
    }
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count() as i64, admitted);
    assert!(answers.iter().all(|answer| answer.status == 200 || is_busy(answer)));
}
