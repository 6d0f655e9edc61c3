//! How long it takes from an accepted webhook to its event being visible to a `read_committed` consumer, with ARGOS
//! answering at once. Prints a table; asserts nothing. `make bench` runs it.
#![expect(clippy::expect_used, reason = "a benchmark fails by panicking")]

use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Message;
use simulator::{Rate, Scenario};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tests::service::{Replica, Setup};
use tests::{PROJECT, TOKEN, broker, check, simulator};

const SECONDS: f64 = 20.0;

#[tokio::main]
async fn main() {
    let Some(bootstrap) = broker::bootstrap() else { return };
    println!("webhook accepted -> event visible to read_committed; ARGOS at 0 ms; milliseconds, after 5 s of warm-up");
    println!("{:>10} {:>8} {:>8} {:>8} {:>8} {:>8}", "webhooks/s", "events", "p50", "p99", "p99.9", "max");
    for per_second in [50.0, 200.0] {
        run(&bootstrap, per_second).await;
    }
}

async fn run(bootstrap: &str, per_second: f64) {
    let sim = simulator(41).await;
    let setup = Setup { relooks: r#"["1h"]"#.to_owned(), ..Setup::new(bootstrap, "latency", sim.base_url()) };
    let mut replica = Replica::new(&setup, "relay-0");
    replica.apply_topics();
    replica.start_ready().await;
    sim.set_targets(PROJECT, vec![replica.target()], Some(TOKEN.to_owned()));
    let (stop, joined) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let (topic, servers, told) =
        (format!("{}{}", setup.prefix, check::TOPICS[0]), bootstrap.to_owned(), Arc::clone(&stop));
    let (ready, clock) = (Arc::clone(&joined), Instant::now());
    let offset_us = (tests::wall_clock())() * 1000;
    let seen = std::thread::spawn(move || follow(&servers, &topic, (&told, &ready), clock, offset_us));
    // The consumer has joined its group before anything is measured.
    let until = Instant::now() + Duration::from_secs(20);
    while !joined.load(Ordering::Relaxed) && Instant::now() < until {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // A broker that has just started is slow for some seconds; that is not what is measured here.
    let warm_up = Rate { per_second, seconds: 5.0, pool: 0 };
    Scenario { seed: 7, rate: Some(warm_up), ..Scenario::default() }.run(&sim).await.expect("the warm-up");
    sim.take_records();
    let load = Scenario { rate: Some(Rate { per_second, seconds: SECONDS, pool: 0 }), ..Scenario::default() };
    load.run(&sim).await.expect("the load");
    tokio::time::sleep(Duration::from_secs(2)).await;
    stop.store(true, Ordering::Relaxed);
    let seen = seen.join().expect("the consumer");
    let sent = sim.take_records();
    // Measured from the answer: what comes before is the caller's connection and the broker's acknowledgement.
    let mut micros: Vec<i64> = sent.iter().filter_map(|one| Some(seen.get(&*one.id)? - one.answered_us)).collect();
    micros.sort_unstable();
    let at = |share: f64| {
        micros.get(((micros.len() as f64 * share) as usize).min(micros.len() - 1)).map_or(0.0, |us| *us as f64 / 1000.0)
    };
    println!(
        "{per_second:>10} {:>8} {:>8.1} {:>8.1} {:>8.1} {:>8.1}",
        micros.len(),
        at(0.5),
        at(0.99),
        at(0.999),
        at(1.0)
    );
}

/// When each submission's first event was seen, microseconds since the epoch.
fn follow(
    bootstrap: &str,
    topic: &str,
    (stop, joined): (&AtomicBool, &AtomicBool),
    clock: Instant,
    offset_us: i64,
) -> HashMap<String, i64> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .set("group.id", topic)
        .set("isolation.level", "read_committed")
        .set("auto.offset.reset", "earliest")
        .set("enable.auto.commit", "false")
        .set("fetch.wait.max.ms", "100")
        .create()
        .expect("a consumer");
    consumer.subscribe(&[topic]).expect("subscribed");
    let mut seen = HashMap::new();
    while !stop.load(Ordering::Relaxed) {
        if consumer.assignment().is_ok_and(|assigned| assigned.count() > 0) {
            joined.store(true, Ordering::Relaxed);
        }
        if let Some(Ok(message)) = consumer.poll(Duration::from_millis(100)) {
            let now = offset_us + clock.elapsed().as_micros() as i64;
            let key = String::from_utf8_lossy(message.key().unwrap_or_default()).into_owned();
            let id = key.split_once('/').map_or(String::new(), |(_, id)| id.to_owned());
            seen.entry(id).or_insert(now);
        }
    }
    seen
}
