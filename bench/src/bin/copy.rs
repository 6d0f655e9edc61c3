//! The bare confirmation: consume hints, one GET for each, write records of given sizes in transactions with the offsets.
//! Reads no answer, decides nothing, keeps nothing. `copy BOOTSTRAP PREFIX BASE_URL API_KEY COUNT BATCH IN_FLIGHT EVENT
//! STATE LEDGER`, the last three as `key,value,headers' bytes,headers`.
#![expect(clippy::expect_used, reason = "a benchmark fails by panicking")]

use bench::process::until_input_ends;
use futures::StreamExt;
use rdkafka::Offset;
use rdkafka::TopicPartitionList;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Header, Message, OwnedHeaders};
use rdkafka::producer::{FutureProducer, FutureRecord, Producer};
use std::time::{Duration, Instant};
use tokio::task::block_in_place;

const WAIT: Duration = Duration::from_secs(30);
/// How long a batch waits to be full.
const GATHER: Duration = Duration::from_millis(10);

struct Shape {
    topic: String,
    value: Vec<u8>,
    headers: OwnedHeaders,
}

impl Shape {
    fn read(topic: String, text: &str) -> Shape {
        let sizes: Vec<usize> = text.split(',').map(|size| size.parse().expect("a size")).collect();
        let (bytes, count) = (sizes[2], sizes[3]);
        let mut headers = OwnedHeaders::new_with_capacity(count);
        for number in 0..count {
            let key = format!("ce_header{number}");
            let value = "x".repeat((bytes / count).saturating_sub(key.len()));
            headers = headers.insert(Header { key: &key, value: Some(&value) });
        }
        Shape { topic, value: vec![b'x'; sizes[1]], headers }
    }
}

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [bootstrap, prefix, base, api_key, count, batch, in_flight, shapes @ ..] = &arguments[..] else {
        panic!("see the head of the file");
    };
    let number = |text: &String| text.parse::<usize>().expect("a number");
    let (count, batch, in_flight) = (number(count), number(batch).max(1), number(in_flight));
    let shapes: Vec<Shape> = ["events", "state", "ledger"]
        .iter()
        .zip(shapes)
        .map(|(name, sizes)| Shape::read(format!("{prefix}{name}"), sizes))
        .collect();
    let (consumer, producer) = (consumer(bootstrap, prefix), producer(bootstrap, prefix));
    let client = bench::process::client();
    block_in_place(|| producer.init_transactions(WAIT).expect("transactions"));
    println!("ready");
    let (mut done, until) = (0, Instant::now() + Duration::from_mins(10));
    while done < count {
        assert!(Instant::now() < until, "{done} of {count}");
        let (ids, offsets) = block_in_place(|| gather(&consumer, batch));
        if ids.is_empty() {
            continue;
        }
        let get = |id: String| {
            let (client, url) = (client.clone(), format!("{base}/submission?submission_id={id}"));
            async move {
                let answer = client.get(url).header("x-api-key", api_key).send().await.expect("an answer");
                assert!(answer.bytes().await.expect("a body").len() > 100, "a document");
                format!("acme/{id}")
            }
        };
        let keys: Vec<String> = futures::stream::iter(ids).map(get).buffer_unordered(in_flight).collect().await;
        commit(&consumer, &producer, &shapes, &keys, &offsets).await;
        done += keys.len();
    }
    println!("done");
    until_input_ends();
}

fn consumer(bootstrap: &str, prefix: &str) -> BaseConsumer {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .set("group.id", format!("{prefix}copy"))
        .set("enable.auto.commit", "false")
        .set("isolation.level", "read_committed")
        .set("auto.offset.reset", "earliest")
        .create()
        .expect("a consumer");
    consumer.subscribe(&[&format!("{prefix}hints")]).expect("subscribed");
    consumer
}

fn producer(bootstrap: &str, prefix: &str) -> FutureProducer {
    ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .set("transactional.id", format!("{prefix}copy"))
        .set("linger.ms", "0")
        .set("retry.backoff.ms", "5")
        .create()
        .expect("a producer")
}

/// The ids of up to so many hints, and the offsets behind them.
fn gather(consumer: &BaseConsumer, batch: usize) -> (Vec<String>, TopicPartitionList) {
    let (mut ids, mut offsets) = (Vec::with_capacity(batch), TopicPartitionList::new());
    let mut until: Option<Instant> = None;
    while ids.len() < batch {
        let left = until.map_or(Duration::from_millis(100), |until| until.saturating_duration_since(Instant::now()));
        let Some(message) = consumer.poll(left) else { break };
        let message = message.expect("a hint");
        until.get_or_insert_with(|| Instant::now() + GATHER);
        let key = std::str::from_utf8(message.key().expect("a key")).expect("text");
        ids.push(key.split_once('/').expect("an id").1.to_owned());
        let (topic, partition, next) = (message.topic(), message.partition(), Offset::Offset(message.offset() + 1));
        if offsets.set_partition_offset(topic, partition, next).is_err() {
            offsets.add_partition_offset(topic, partition, next).expect("a partition");
        }
    }
    (ids, offsets)
}

async fn commit(
    consumer: &BaseConsumer,
    producer: &FutureProducer,
    shapes: &[Shape],
    keys: &[String],
    offsets: &TopicPartitionList,
) {
    producer.begin_transaction().expect("begun");
    let mut sent = Vec::with_capacity(keys.len() * shapes.len());
    for key in keys {
        for shape in shapes {
            let record = FutureRecord::to(&shape.topic).key(key).payload(&shape.value).headers(shape.headers.clone());
            let Ok(delivery) = producer.send_result(record) else { panic!("the queue is full") };
            sent.push(delivery);
        }
    }
    for delivery in sent {
        delivery.await.expect("told").expect("delivered");
    }
    block_in_place(|| {
        let group = consumer.group_metadata().expect("a member");
        producer.send_offsets_to_transaction(offsets, &group, WAIT).expect("offsets");
        producer.commit_transaction(WAIT).expect("committed");
    });
}
