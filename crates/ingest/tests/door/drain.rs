//! The orderly end: what was begun is answered, nothing new is taken.

use crate::harness::{APPROVED, Client, Mode, Server, post};
use ingest::{DoorLimits, Drained, ServerLimits};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

#[tokio::test]
async fn what_was_begun_is_answered_and_nothing_new_is_taken() {
    let limits = ServerLimits { linger: Duration::from_millis(100), ..ServerLimits::default() };
    let mut server = Server::with(DoorLimits::default(), limits).await;
    let mut resting = server.connect().await;
    resting.send(post("/webhooks/open", APPROVED)).await;
    assert_eq!(resting.answer().await.status, 200);
    server.sink_was_asked().await;

    server.set(Mode::Slow);
    let mut begun = server.connect().await;
    begun.send(post("/webhooks/open", APPROVED)).await;
    server.sink_was_asked().await;

    server.ask_to_end();
    // A connection that rests is closed once no request came on it for a while; that shows that the drain has begun.
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

#[tokio::test]
async fn a_standing_connection_gets_one_more_answer_which_says_that_it_is_the_last() {
    let mut server = Server::start().await;
    let mut standing = server.connect().await;
    standing.send(post("/webhooks/open", APPROVED)).await;
    assert_eq!(standing.answer().await.header("connection"), None);
    server.ask_to_end();
    while TcpStream::connect(server.address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    standing.send(post("/webhooks/open", APPROVED)).await;
    let answer = standing.answer().await;
    assert_eq!((answer.status, answer.header("connection")), (200, Some("close")));
    assert!(standing.is_closed().await);
    assert_eq!(server.ended().await, Drained { cut_off: 0 });
}

/// Callers on connections that they keep, and callers with one for each webhook: when the end comes, each either gets an
/// answer or is not let in.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_mid_load_nobody_is_left_without_an_answer() {
    let limits = ServerLimits { linger: Duration::from_millis(500), ..ServerLimits::default() };
    let mut server = Server::with(DoorLimits::default(), limits).await;
    let address = server.address;
    let mut callers = JoinSet::new();
    for number in 0..40 {
        let keeps = number % 2 == 0;
        callers.spawn(async move {
            let mut answers = 0;
            let mut kept = None;
            loop {
                let mut client = match kept.take() {
                    Some(client) => client,
                    // Not let in: the only failure there may be.
                    None => match TcpStream::connect(address).await {
                        Ok(stream) => Client(stream),
                        Err(_) => return answers,
                    },
                };
                client.send(post("/webhooks/open", APPROVED)).await;
                let answer = client.try_answer().await.expect("an answer to each request");
                assert!(matches!(answer.status, 200 | 503), "{answer:?}");
                answers += 1;
                kept = (keeps && answer.header("connection") != Some("close")).then_some(client);
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        });
    }
    while server.sink.accepted.lock().unwrap().len() < 1000 {
        tokio::task::yield_now().await;
    }
    server.ask_to_end();
    let answers = callers.join_all().await;
    assert!(answers.iter().all(|answers| *answers > 0));
    assert_eq!(server.ended().await, Drained { cut_off: 0 });
}
