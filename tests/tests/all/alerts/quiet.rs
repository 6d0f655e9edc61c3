//! A quiet deployment: usual load, a replica that joins, one that is exchanged. Nothing may fire; and every query of the
//! dashboard shows something.

use super::{asked, rules, stage};
use crate::metrics::expressions;
use simulator::{Faults, Mix, Pace, Scenario, Simulator};
use std::time::{Duration, Instant};
use tests::prometheus::Prometheus;
use tests::service::{Replica, Setup};
use tests::{PROJECT, TOKEN, broker, check, simulator, tools};
use tokio::task::JoinHandle;

/// Gentler than for the faults: starting and stopping take as long as ever, and have to fit into what `for` allows.
const FACTOR: u32 = 10;
const JOB: &str = "quiet";
/// 5 min, 6 h, 7 d and 1 min by the factor.
const SWEEPS: &str = r#"sweeps = { recent = { every = "30s", created_within = "3d" }, month = { every = "36m" }, full = { every = "1008m" }, lag = "6s" }"#;

/// Queries that show nothing when all is well, by a part of them.
const EMPTY: [(&str, &str); 1] =
    [("argos_relay_kafka_errors_total", "only kinds that occurred are shown, and none did")];

/// Half a minute is five of the faster clock; `make alerts` takes three.
fn length() -> Duration {
    Duration::from_secs(if asked() == "all" { 180 } else { 32 })
}

fn load(sim: &Simulator) -> JoinHandle<()> {
    let (sim, seconds) = (sim.clone(), length().as_secs());
    tokio::spawn(async move {
        let faults = Faults { latency_ms: 20, jitter_ms: 60, ..Faults::default() };
        let pace = Pace { min_ms: 200, max_ms: 2_000 };
        // A deletion without a word is found by a re-look, hours later.
        let mix = Mix { silently_deleted: 0, ..Mix::default() };
        let submissions = seconds as usize * 4;
        let lives = Scenario {
            seed: 91,
            submissions,
            starts_per_second: 4.0,
            pace,
            mix,
            faults: Some(faults),
            ..Scenario::default()
        };
        lives.run(&sim).await.expect("webhooks are sent");
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_fires_in_a_quiet_deployment() {
    let Some(bootstrap) = broker::bootstrap() else { return };
    if !tools::there_is("prometheus") {
        return;
    }
    let prometheus = Prometheus::start(&rules(FACTOR), FACTOR).await;
    let sim = simulator(91).await;
    let secret = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(secret.path(), tests::API_KEY).expect("a key");
    let mut setup = Setup::new(&bootstrap, JOB, sim.base_url());
    setup.api_key = format!("api_key_file = {:?}", secret.path().display().to_string());
    r#"["6m", "144m"]"#.clone_into(&mut setup.relooks);
    SWEEPS.clone_into(&mut setup.project);
    setup.more = stage::kafka_properties("");
    let mut replicas = [Replica::new(&setup, "relay-0"), Replica::new(&setup, "relay-1")];
    replicas[0].apply_topics();
    replicas[0].start_ready().await;
    prometheus.scrape(JOB, &[replicas[0].admin_url()]);
    sim.set_targets(PROJECT, vec![replicas[0].target()], Some(TOKEN.to_owned()));
    let (began, load) = (Instant::now(), load(&sim));
    let part = length() / 4;

    tokio::time::sleep_until((began + part).into()).await;
    replicas[1].start_ready().await;
    prometheus.scrape(JOB, &replicas.each_ref().map(Replica::admin_url));
    tokio::time::sleep_until((began + 2 * part).into()).await;
    // As a load balancer does it: first no more traffic, then the end.
    sim.set_targets(PROJECT, vec![replicas[1].target()], Some(TOKEN.to_owned()));
    assert_eq!(replicas[0].terminate().await, Some(0), "{}", replicas[0].logs());
    replicas[0].start_ready().await;
    sim.set_targets(PROJECT, replicas.iter().map(Replica::target).collect(), Some(TOKEN.to_owned()));

    tokio::time::sleep_until((began + 4 * part).into()).await;
    dashboard(&prometheus).await;
    load.await.expect("it ran");
    check::converged(&setup, &sim, Duration::from_mins(1)).await;
    let fired = prometheus.fired(JOB).await;
    let left = prometheus.alerts(JOB).await;
    let sent = sim.sent();
    println!("{:?}: {} webhooks accepted, fired {fired:?}, pending {left:?}", began.elapsed(), sent.accepted);
    assert!(sent.accepted > 100 && sent.refused.is_empty(), "{sent:?}");
    assert!(fired.is_empty() && left.is_empty(), "fired {fired:?}, now {left:?}");
}

/// Every query of the dashboard, over all that this Prometheus has seen.
async fn dashboard(prometheus: &Prometheus) {
    let (all, mut silent) = (format!("[{}s]", length().as_secs()), Vec::new());
    for query in expressions() {
        let told = prometheus.query(&query.replace("[5m]", &all)).await;
        let is_known = EMPTY.iter().any(|(part, _)| query.contains(part));
        if !is_known && !told.iter().any(|(_, value)| value.is_finite()) {
            silent.push(query);
        }
    }
    assert!(silent.is_empty(), "the dashboard shows nothing for {silent:#?}");
}
