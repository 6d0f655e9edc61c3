//! From one build to another and back, replica by replica, under load: nothing accepted is lost, nothing is repeated or
//! out of order. `make upgrade` builds the other one; without it, both are this one, and only the way is exercised.

use simulator::{Faults, Pace, Scenario, Simulator, WebhookFaults};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tests::service::{self, Replica, Setup};
use tests::{PROJECT, TOKEN, broker, check, simulator};

/// The build before this one.
fn other_build() -> PathBuf {
    std::env::var_os("UPGRADE_FROM").map_or_else(service::binary, PathBuf::from)
}

/// Lives and their webhooks, one scenario after the other until told to stop; how many submissions lived.
async fn load(sim: Simulator, stop: Arc<AtomicBool>) -> usize {
    let mut lived = 0;
    for seed in 41.. {
        let scenario = Scenario {
            seed,
            submissions: 40,
            alive: 40,
            pace: Pace { min_ms: 100, max_ms: 1_000 },
            faults: Some(Faults { latency_ms: 10, jitter_ms: 40, stale_rate: 0.05, ..Faults::default() }),
            // A webhook that met a replica on its way out is sent again.
            webhooks: WebhookFaults {
                repeat_rate: 0.2,
                delay_ms: 200,
                reorder_rate: 0.2,
                resend: true,
                ..WebhookFaults::default()
            },
            ..Scenario::default()
        };
        scenario.run(&sim).await.expect("the scenario plays");
        lived += scenario.submissions;
        if stop.load(Ordering::Relaxed) {
            break;
        }
    }
    lived
}

/// Ends each replica in order and starts it with a build, one after the other. How many events stood there before.
async fn roll(setup: &Setup, replicas: &mut [Replica; 2], build: &Path) -> usize {
    for replica in &mut *replicas {
        assert_eq!(replica.terminate().await, Some(0), "it ends in order");
        replica.set_build(build);
        replica.start_ready().await;
    }
    let events = check::read(setup, check::TOPICS[0]).await.len();
    let began = Instant::now();
    // This build alone goes on now.
    while check::read(setup, check::TOPICS[0]).await.len() < events + 20 {
        assert!(began.elapsed() < Duration::from_mins(1), "nothing new is published after the roll");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    events
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rolling_restart_between_two_builds_and_back_loses_and_repeats_nothing() {
    let Some(bootstrap) = broker::bootstrap() else { return };
    let (old, new) = (other_build(), service::binary());
    let sim = simulator(41).await;
    let setup = Setup::new(&bootstrap, "upgrade", sim.base_url());
    let mut replicas = [Replica::new(&setup, "relay-0"), Replica::new(&setup, "relay-1")];
    for replica in &mut replicas {
        replica.set_build(&old);
    }
    replicas[0].apply_topics();
    for replica in &mut replicas {
        replica.start_ready().await;
    }
    sim.set_targets(PROJECT, replicas.iter().map(Replica::target).collect(), Some(TOKEN.to_owned()));
    let stop = Arc::new(AtomicBool::new(false));
    let lives = tokio::spawn(load(sim.clone(), stop.clone()));
    let began = Instant::now();
    let upgraded = roll(&setup, &mut replicas, &new).await;
    let rolled_back = roll(&setup, &mut replicas, &old).await;
    let rolling = began.elapsed();
    assert!(!lives.is_finished(), "the load went on throughout");
    stop.store(true, Ordering::Relaxed);
    let submissions = lives.await.expect("the load ends");
    let converged = check::converged(&setup, &sim, Duration::from_mins(1)).await;
    let events = check::safe(&setup, &sim).await;
    let hints = check::read(&setup, check::TOPICS[4]).await;
    let hinted: std::collections::HashSet<&str> = hints.iter().map(|hint| hint.key.as_str()).collect();
    for (project, id) in &sim.sent().accepted_ids {
        assert!(hinted.contains(format!("{project}/{id}").as_str()), "{id} was answered 200 and is no hint");
    }
    println!(
        "from {} to {} and back in {rolling:.1?}: {upgraded} events at the upgrade, {rolled_back} at the rollback, \
         {events} in the end of {submissions} submissions; agreed {converged:.1?} after the load",
        old.display(),
        new.display(),
    );
    check::private(&setup, &replicas.iter().map(Replica::logs).collect::<Vec<_>>()).await;
}
