//! The hint sink: durable before `Ok`, quick to refuse.

use crate::support::{hint, key, metrics, rig};
use models::{HintSink, Lane, SinkError};
use publisher::{KafkaHintSink, KafkaSettings};
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};
use std::time::{Duration, Instant};

#[tokio::test(flavor = "multi_thread")]
async fn an_accepted_hint_is_there() {
    let Some(rig) = rig("sink", 2).await else {
        return;
    };
    let sink = rig.sink().await;
    for number in 0..5 {
        sink.accept(&key(number), Lane::Live, &hint(number)).await.unwrap();
    }
    sink.accept(&key(9), Lane::Bulk, &hint(9)).await.unwrap();
    assert!(sink.flush(Duration::from_secs(5)).await);
    let there = rig.read(&rig.names().hints).await;
    assert_eq!(there.len(), 5);
    assert!(
        there.iter().all(|(partition, key, _)| *partition == publisher::partition::partition_of(key.as_bytes(), 2))
    );
    assert_eq!(rig.read(&rig.names().bulk).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_number_in_flight_is_bounded() {
    let Some(rig) = rig("full", 1).await else {
        return;
    };
    let settings =
        KafkaSettings { hints_in_flight: 2, hint_linger: Duration::from_millis(300), ..rig.settings.clone() };
    let sink = KafkaHintSink::open(settings, metrics()).unwrap();
    let deadline = Instant::now() + crate::support::PATIENCE;
    while !sink.is_available() && Instant::now() < deadline {
        tokio::task::yield_now().await;
    }
    let (keys, hints): (Vec<_>, Vec<_>) = (0..3).map(|number| (key(number), hint(number))).unzip();
    let (first, second, third) = tokio::join!(
        sink.accept(&keys[0], Lane::Live, &hints[0]),
        sink.accept(&keys[1], Lane::Live, &hints[1]),
        sink.accept(&keys[2], Lane::Live, &hints[2]),
    );
    assert_eq!((first, second, third), (Ok(()), Ok(()), Err(SinkError::Full)));
}

/// Needs no broker: nothing listens there.
#[tokio::test(flavor = "multi_thread")]
async fn an_unreachable_broker_is_refused_at_once() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let settings = KafkaSettings { bootstrap_servers: free.to_string(), ..KafkaSettings::default() };
    let sink = KafkaHintSink::open(settings, metrics()).unwrap();
    let started = Instant::now();
    for number in 0..100 {
        let refused = sink.accept(&key(number), Lane::Live, &hint(number)).await;
        assert!(matches!(refused, Err(SinkError::Unavailable(_))));
    }
    assert!(started.elapsed() < Duration::from_millis(500), "{:?}", started.elapsed());
    assert!(!sink.is_available());
}

/// In-process brokers suffice: what counts is what the producer asks for. One that is idempotent could be told that a
/// hint is there when it is not (decision 0018), and could end for good.
#[tokio::test(flavor = "multi_thread")]
async fn no_hint_rests_on_sequence_numbers() {
    let cluster = rdkafka::mocking::MockCluster::new(1).unwrap();
    let settings = KafkaSettings { bootstrap_servers: cluster.bootstrap_servers(), ..KafkaSettings::default() };
    cluster.create_topic(&settings.names().hints, 1, 1).unwrap();
    // Whoever asked for a producer id would be refused for good, and acknowledge nothing.
    let denied = RDKafkaRespErr::RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED;
    cluster.request_errors(RDKafkaApiKey::InitProducerId, &[denied; 64]);
    let sink = KafkaHintSink::open(settings, metrics()).unwrap();
    until("hints can be made durable", || sink.is_available()).await;
    sink.accept(&key(1), Lane::Live, &hint(1)).await.unwrap();
    // The record may be there already: it is sent again, and that is all.
    let late = RDKafkaRespErr::RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND;
    cluster.request_errors(RDKafkaApiKey::Produce, &[late]);
    sink.accept(&key(2), Lane::Live, &hint(2)).await.unwrap();
    assert!(sink.flush(Duration::from_secs(5)).await, "every place was given back");
}

async fn until(what: &str, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + crate::support::PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
