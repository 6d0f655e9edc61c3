//! The orderly end: what was begun is answered, nothing new is taken.

use crate::harness::{APPROVED, Mode, Server, post};
use ingest::{DoorLimits, Drained, ServerLimits};
use std::time::Duration;
use tokio::net::TcpStream;

#[tokio::test]
async fn what_was_begun_is_answered_and_nothing_new_is_taken() {
    let mut server = Server::start().await;
    let mut resting = server.connect().await;
    resting.send(post("/webhooks/open", APPROVED)).await;
    assert_eq!(resting.answer().await.status, 200);
    server.sink_was_asked().await;

    server.set(Mode::Slow);
    let mut begun = server.connect().await;
    begun.send(post("/webhooks/open", APPROVED)).await;
    server.sink_was_asked().await;

    server.ask_to_end();
    // A connection that rests is closed at once; that shows that the drain has begun.
    assert!(resting.is_closed().await);
    assert!(!server.door.is_available());
    assert!(TcpStream::connect(server.address).await.is_err());

    server.sink.release.add_permits(1);
    assert_eq!(begun.answer().await.status, 200);
    assert!(begun.is_closed().await);
    assert_eq!(server.sink.accepted.lock().unwrap().len(), 2);
    assert_eq!(server.ended().await, Drained { cut_off: 0 });
}

#[tokio::test]
async fn the_budget_bounds_the_drain() {
    let limits = ServerLimits { drain: Duration::from_millis(100), ..ServerLimits::default() };
    let mut server = Server::with(DoorLimits::default(), limits).await;
    server.set(Mode::Slow);
    let mut begun = server.connect().await;
    begun.send(post("/webhooks/open", APPROVED)).await;
    server.sink_was_asked().await;

    server.ask_to_end();
    assert!(begun.try_answer().await.is_none(), "no answer, so nothing was promised");
    assert_eq!(server.ended().await, Drained { cut_off: 1 });
}

#[tokio::test]
async fn a_request_that_begins_after_the_drain_is_told_to_come_again() {
    let server = Server::start().await;
    server.door.drain();
    let answer = server.ask(post("/webhooks/open", APPROVED)).await;
    assert_eq!((answer.status, &answer.body["error"]), (503, &"draining".into()));
    assert_eq!((answer.header("retry-after"), answer.header("connection")), (Some("5"), Some("close")));
    // Strangers are still told nothing else than before.
    assert_eq!(server.ask(post("/webhooks/secret/guess", APPROVED)).await.status, 401);
    assert!(server.sink.accepted.lock().unwrap().is_empty());
}
