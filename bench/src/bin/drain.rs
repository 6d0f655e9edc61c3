//! The bare restore: reads a topic from its beginning to its end and keeps nothing. `drain BOOTSTRAP TOPIC`
#![expect(clippy::expect_used, reason = "a benchmark fails by panicking")]

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use std::time::{Duration, Instant};

fn main() {
    let mut arguments = std::env::args().skip(1);
    let mut next = || arguments.next().expect("BOOTSTRAP TOPIC");
    let (bootstrap, topic) = (next(), next());
    let consumer: BaseConsumer = bench::kafka::reader(&bootstrap).create().expect("a consumer");
    let assignment = bench::kafka::whole(&consumer, &topic);
    let mut open = assignment.count();
    consumer.assign(&assignment).expect("assigned");
    let (mut records, mut bytes) = (0_u64, 0_usize);
    let until = Instant::now() + Duration::from_mins(10);
    while open > 0 {
        assert!(Instant::now() < until, "no end");
        match consumer.poll(Duration::from_millis(200)) {
            None => {}
            Some(Err(KafkaError::PartitionEOF(_))) => open -= 1,
            Some(Err(error)) => panic!("{error}"),
            Some(Ok(message)) => {
                records += 1;
                bytes += message.key_len() + message.payload_len();
            }
        }
    }
    assert!(std::hint::black_box(bytes) > 0, "nothing was read");
    println!("done {records}");
    bench::process::until_input_ends();
}
