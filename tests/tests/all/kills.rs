//! kill -9 of replicas under load: nothing accepted is lost, nothing is repeated or out of order.

use simulator::{Faults, Pace, Scenario, WebhookFaults};
use std::time::{Duration, Instant};
use tests::service::{Replica, Setup};
use tests::{PROJECT, TOKEN, broker, check, simulator};

/// How many kills; `KILLS=30` for the long form, which `make kills` runs.
fn kills() -> usize {
    std::env::var_os("KILLS").and_then(|value| value.to_str()?.parse().ok()).unwrap_or(8)
}

#[tokio::test(flavor = "multi_thread")]
async fn replicas_killed_at_random_moments_lose_and_repeat_nothing() {
    let Some(bootstrap) = broker::bootstrap() else { return };
    let kills = kills();
    let seed = 21;
    let mut rng = fastrand::Rng::with_seed(seed);
    let sim = simulator(seed).await;
    let setup = Setup::new(&bootstrap, "kills", sim.base_url());
    let mut replicas = [Replica::new(&setup, "relay-0"), Replica::new(&setup, "relay-1")];
    replicas[0].apply_topics();
    for replica in &mut replicas {
        replica.start_ready().await;
    }
    sim.set_targets(PROJECT, replicas.iter().map(Replica::target).collect(), Some(TOKEN.to_owned()));
    let scenario = Scenario {
        seed,
        submissions: 40 * kills,
        alive: 60,
        pace: Pace { min_ms: 100, max_ms: 1_500 },
        faults: Some(Faults { latency_ms: 10, jitter_ms: 40, stale_rate: 0.05, error_rate: 0.02, ..Faults::default() }),
        // A webhook that met a dead replica is sent again, as a gateway in front would; what still is lost, re-looks find.
        webhooks: WebhookFaults {
            repeat_rate: 0.2,
            delay_ms: 200,
            reorder_rate: 0.2,
            resend: true,
            ..WebhookFaults::default()
        },
        ..Scenario::default()
    };
    let world = sim.clone();
    let load = tokio::spawn(async move { scenario.run(&world).await });
    let began = Instant::now();
    for _ in 0..kills {
        let victim = rng.usize(0..replicas.len());
        tokio::time::sleep(Duration::from_millis(rng.u64(200..2_500))).await;
        replicas[victim].kill();
        tokio::time::sleep(Duration::from_millis(rng.u64(0..500))).await;
        replicas[victim].start();
    }
    let last_kill = Instant::now();
    println!("{kills} kills in {:?}, then the load goes on to its end", began.elapsed());
    load.await.unwrap().unwrap();
    let load_ended = Instant::now();
    check::converged(&setup, &sim, Duration::from_mins(1)).await;
    let events = check::safe(&setup, &sim).await;
    let accepted = sim.sent().accepted_ids;
    let hinted: std::collections::HashSet<String> =
        check::read(&setup, check::TOPICS[4]).await.into_iter().map(|hint| hint.key).collect();
    for (project, id) in &accepted {
        assert!(hinted.contains(&format!("{project}/{id}")), "{id} was answered 200 and is no hint");
    }
    println!(
        "{events} events of {} submissions; agreed {:?} after the last kill, {:?} after the load",
        accepted.len(),
        last_kill.elapsed(),
        load_ended.elapsed()
    );
    check::private(&setup, &replicas.iter().map(Replica::logs).collect::<Vec<_>>()).await;
}
