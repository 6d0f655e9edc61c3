//! Faults of Kafka, and of what stands on it.

use super::stage::{Scene, Stage, kafka_properties};
use rdkafka::admin::AdminOptions;
use rdkafka::config::ClientConfig;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::{Offset, TopicPartitionList};
use simulator::Trigger;
use std::time::Duration;
use tests::broker::OwnBroker;
use tests::topics;

const HINTS: &str = "kyc.hints.v1";
const LEDGER: &str = "kyc.ledger.v1";

/// The only replica is killed.
pub(super) async fn absent(stage: Stage) -> Scene {
    let mut scene = stage.open(|_| {}).await;
    scene.begin();
    scene.replica.kill();
    scene
}

/// The reconciler ends, and only a door comes back.
pub(super) async fn door_only(stage: Stage) -> Scene {
    let mut scene = stage.open(|_| {}).await;
    scene.confirmed(3).await;
    assert_eq!(scene.replica.terminate().await, Some(0), "{}", scene.replica.logs());
    scene.begin();
    scene.replica.start_as("ingest");
    scene.replica.ready(Duration::from_mins(1)).await;
    let ids = scene.approve(5);
    scene.tell(&ids, Trigger::Approved).await;
    scene
}

/// The broker is killed.
pub(super) async fn away(mut stage: Stage) -> Scene {
    let own = tokio::task::spawn_blocking(OwnBroker::start).await.expect("a broker");
    stage.bootstrap = own.bootstrap();
    let mut scene = stage.open(|_| {}).await;
    scene.begin();
    scene.broker = Some(
        tokio::task::spawn_blocking(move || {
            own.kill();
            own
        })
        .await
        .expect("killed"),
    );
    scene
}

/// The ledger's topic takes no record any more: hints are taken in, and no transaction goes through.
pub(super) async fn nothing_committed(stage: Stage) -> Scene {
    let mut scene = stage.open(|_| {}).await;
    scene.confirmed(3).await;
    scene.freeze(LEDGER).await;
    scene.begin();
    scene.load(5.0);
    scene
}

/// The same, with a lane that is full with five unsettled hints while more wait behind them.
pub(super) async fn stuck(stage: Stage) -> Scene {
    let change = |setup: &mut tests::service::Setup| {
        setup.partitions = 1;
        setup.over.push(("KAFKA__UNSETTLED_WINDOW", "5".into()));
    };
    let mut scene = stage.open(change).await;
    scene.freeze(LEDGER).await;
    scene.begin();
    scene.load(20.0);
    scene
}

/// Somebody's transaction on a partition of the ledger stays open.
pub(super) async fn restore_blocked(stage: Stage) -> Scene {
    let mut scene = stage.closed(|_| {}).await;
    let (bootstrap, topic) = (scene.setup.bootstrap.clone(), scene.topic(LEDGER));
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .set("transactional.id", format!("{topic}-stranger"))
        .set("transaction.timeout.ms", "600000")
        .create()
        .expect("a producer");
    let patience = Duration::from_secs(30);
    let producer = tokio::task::spawn_blocking(move || {
        producer.init_transactions(patience).expect("ready");
        producer.begin_transaction().expect("begun");
        producer.send(BaseRecord::<str, str>::to(&topic).partition(1).key("stranger").payload("x")).expect("sent");
        producer.flush(patience).expect("written");
        producer
    });
    let producer = producer.await.expect("an open transaction");
    scene.load.spawn(async move {
        let _open = producer;
        std::future::pending::<()>().await;
    });
    scene.begin();
    scene.replica.start();
    scene.replica.live(patience).await;
    stage.watch(&scene).await;
    scene
}

/// Only the door runs for a while, and retention removes what it took in.
pub(super) async fn expired(stage: Stage) -> Scene {
    let mut scene = stage.open(|_| {}).await;
    scene.confirmed(8).await;
    assert_eq!(scene.replica.terminate().await, Some(0), "{}", scene.replica.logs());
    scene.replica.start_as("ingest");
    scene.replica.ready(Duration::from_mins(1)).await;
    let ids = scene.approve(8);
    scene.tell(&ids, Trigger::Approved).await;
    scene.replica.terminate().await;
    let topic = scene.topic(HINTS);
    let (bootstrap, name) = (scene.setup.bootstrap.clone(), topic.clone());
    let ends = tokio::task::spawn_blocking(move || topics::ends(&bootstrap, &name)).await.expect("the ends");
    let mut before = TopicPartitionList::new();
    for (partition, (end, _)) in ends.iter().enumerate() {
        before.add_partition_offset(&topic, partition as i32, Offset::Offset(*end)).expect("a partition");
    }
    scene.admin().delete_records(&before, &AdminOptions::new()).await.expect("deleted");
    scene.begin();
    scene.replica.start_ready().await;
    scene
}

/// Records may have 1,000 bytes, which no event fits into.
pub(super) async fn too_large(stage: Stage) -> Scene {
    let mut scene = stage.open(|setup| setup.more = kafka_properties("\"message.max.bytes\" = \"1000\"")).await;
    scene.begin();
    let ids = scene.approve(2);
    scene.tell(&ids, Trigger::Approved).await;
    scene
}
