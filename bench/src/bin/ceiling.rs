//! The bare door: what it costs at least to answer a webhook after Kafka has acknowledged it. No parsing, no check, no
//! bound, no metric. `ceiling BOOTSTRAP TOPIC PORT`
//!
//! As durable as the service's door: acks=all, idempotent, linger 1 ms, 200 only after the delivery report. Each record has
//! a key of its own, as each webhook is of another submission: without keys a client fills one partition at a time, which
//! costs it less, and keeps no order of anything.
#![expect(clippy::expect_used, reason = "a benchmark fails by panicking")]

use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use rdkafka::config::ClientConfig;
use rdkafka::producer::{FutureProducer, FutureRecord, Producer as _};
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

#[derive(Clone)]
struct Door {
    producer: FutureProducer,
    topic: std::sync::Arc<str>,
    taken: std::sync::Arc<AtomicU64>,
}

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let mut next = || arguments.next().expect("BOOTSTRAP TOPIC PORT");
    let (bootstrap, topic, port) = (next(), next(), next());
    let producer: FutureProducer = ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .set("acks", "all")
        .set("enable.idempotence", "true")
        .set("linger.ms", "1")
        .create()
        .expect("a producer");
    // An un-warmed producer pays for its first record.
    producer.client().fetch_metadata(Some(&topic), Duration::from_secs(20)).expect("metadata");
    let door = Door { producer, topic: topic.into(), taken: std::sync::Arc::default() };
    let router = axum::Router::new().route("/webhooks/{project}/{token}", post(take)).with_state(door);
    let port = port.parse::<u16>().expect("a port");
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.expect("a free port");
    println!("ready");
    axum::serve(listener, router).await.expect("it serves");
}

async fn take(State(door): State<Door>, body: Bytes) -> (StatusCode, &'static str) {
    let key = format!("acme/k{:07}mes3ugzb", door.taken.fetch_add(1, Ordering::Relaxed));
    let record: FutureRecord<'_, String, [u8]> = FutureRecord::to(&door.topic).key(&key).payload(&body[..]);
    match door.producer.send(record, Duration::ZERO).await {
        Ok(_) => (StatusCode::OK, r#"{"accepted":true}"#),
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, r#"{"accepted":false}"#),
    }
}
