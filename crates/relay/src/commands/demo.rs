//! `demo`: the whole service against a simulated ARGOS, with a ledger in memory instead of Kafka.
//!
//! Owns: the scene, the printing of events, and the closing summary. Everything between is the real service.

use crate::cli::{Demo, Exit, Output, Role};
use crate::config::{Config, Environment};
use crate::oracle;
use crate::telemetry::{self, Stream};
use crate::wiring::{OpenLedger, Wiring, listen};
use models::Event;
use prometheus::Registry;
use reconciler::clock::{Clock, SystemClock};
use reconciler::memory::{MemoryBroker, MemoryLedger};
use serde_json::json;
use simulator::{Faults, Pace, Report, Scenario, Simulator, WebhookFaults};
use std::collections::BTreeMap;
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

const TOKEN: &str = "demo-path-token-0001";
const PARTITIONS: usize = 4;
/// How long the last states may take to agree once the last webhook was sent.
const PATIENCE: Duration = Duration::from_secs(30);

/// Exit 0 if every submission's final state agrees with the simulator.
pub(super) fn run(demo: &Demo, out: &mut impl Write) -> anyhow::Result<Exit> {
    let config = Config::parse(&settings(), &Environment::default());
    let Ok(loaded) = config else { anyhow::bail!("the demo's own configuration cannot be used: {config:?}") };
    telemetry::init(&loaded.config.log, Stream::Stderr)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(play(demo, loaded.config, out))
}

/// Short pauses, so that everything that takes days in earnest happens within the demo.
fn settings() -> String {
    format!(
        r#"
        [log]
        filter = "warn"
        [kafka]
        bootstrap_servers = "127.0.0.1:1"   # never used: the ledger is in memory
        instance_id = "demo"
        [personal_data]
        digest_key = "demo-digest-key-demo-digest-key-demo"
        [[projects]]
        id = "acme"
        api_key = "demo-api-key"
        base_url = "http://127.0.0.1:1/v3"   # set to the simulator's once it listens
        requests_per_second = 500
        baseline = "events"
        [projects.webhook]
        path_tokens = ["{TOKEN}"]
        [projects.rechecks]
        ladder = ["100ms", "300ms", "1s", "2s"]
        pending = {{ first = "1s", cap = "2s" }}
        [projects.relooks]
        decided = ["2s", "4s"]
        [projects.deletions]
        confirm_after = "1s"
        "#
    )
}

struct InMemory(MemoryBroker);

impl OpenLedger for InMemory {
    type Ledger = MemoryLedger;

    fn open(self, _stop: CancellationToken) -> impl Future<Output = anyhow::Result<Option<MemoryLedger>>> + Send {
        std::future::ready(Ok(Some(self.0.join())))
    }
}

async fn play(demo: &Demo, mut config: Config, out: &mut impl Write) -> anyhow::Result<Exit> {
    let local = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let door = listen("demo", local).await?;
    let target = format!("http://{}", door.local_addr()?);
    let sim = scene(demo, target).await?;
    for project in &mut config.projects {
        project.base_url = sim.base_url().parse()?;
    }
    let broker = MemoryBroker::new(PARTITIONS);
    let mut wiring = Wiring::new(Arc::new(config), Arc::new(SystemClock), Registry::new(), Role::All);
    let sink = Arc::new(broker.clone());
    wiring.ingest(door, &sink)?;
    wiring.operators_hints(&sink);
    wiring.reconciler(InMemory(broker.clone()), &sink)?;
    let registry = wiring.registry().clone();
    let stop = CancellationToken::new();
    let told = stop.clone();
    let signal = async move {
        told.cancelled().await;
        "end of the demo"
    };
    let service = tokio::spawn(wiring.run(listen("demo", local).await?, signal, std::future::pending()));
    if demo.output.output == Output::Text {
        writeln!(
            out,
            "argos-relay demo: {} submissions, seed {}; the ledger is in memory, this is not Kafka",
            demo.submissions, demo.seed
        )?;
    }
    let (report, differences) = follow(demo, &sim, &broker, out).await?;
    stop.cancel();
    let errors = service.await??;
    summary(demo, &Summary { report, differences, events: broker.events_from(0), registry }, out)?;
    let agreed = errors.is_empty() && broker.events_from(0).len() >= demo.submissions.min(1);
    let exit =
        if agreed && oracle::differences(sim.world(), &broker.states()).is_empty() { Exit::Done } else { Exit::Failed };
    sim.stop().await;
    Ok(exit)
}

/// The simulated ARGOS: some answers late, some stale, some failed; webhooks repeated and out of order.
async fn scene(demo: &Demo, target: String) -> anyhow::Result<Simulator> {
    let clock: simulator::Clock = Arc::new(|| SystemClock.now().as_millis());
    let config = simulator::Config {
        seed: demo.seed,
        projects: vec![simulator::Project::new("acme", "demo-api-key")],
        ..simulator::Config::default()
    };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let sim = Simulator::start(listener, config, clock)?;
    sim.set_targets("acme", vec![target], Some(TOKEN.to_owned()));
    sim.faults().set(Faults { latency_ms: 5, jitter_ms: 10, error_rate: 0.02, stale_rate: 0.05, ..Faults::default() });
    Ok(sim)
}

/// Plays the lives and prints events as they come, until all agree or patience ends.
async fn follow(
    demo: &Demo,
    sim: &Simulator,
    broker: &MemoryBroker,
    out: &mut impl Write,
) -> anyhow::Result<(Report, Vec<String>)> {
    let mut scenario = Scenario {
        seed: demo.seed,
        submissions: demo.submissions,
        pace: Pace { min_ms: 50, max_ms: 800 },
        webhooks: WebhookFaults { repeat_rate: 0.3, delay_ms: 200, reorder_rate: 0.2, ..WebhookFaults::default() },
        ..Scenario::default()
    };
    let mut printed = 0;
    loop {
        let round = scenario.clone();
        let world = sim.clone();
        let mut lives = tokio::spawn(async move { round.run(&world).await });
        let report = loop {
            tokio::select! {
                report = &mut lives => break report??,
                () = tokio::time::sleep(Duration::from_millis(20)) => printed += print(demo, &broker.events_from(printed), out)?,
            }
        };
        let until = Instant::now() + PATIENCE;
        let differences = loop {
            tokio::time::sleep(Duration::from_millis(100)).await;
            printed += print(demo, &broker.events_from(printed), out)?;
            let differences = oracle::differences(sim.world(), &broker.states());
            if differences.is_empty() || Instant::now() >= until {
                break differences;
            }
        };
        if !demo.forever || !differences.is_empty() {
            return Ok((report, differences));
        }
        scenario.seed += 1;
    }
}

fn print(demo: &Demo, events: &[Event], out: &mut impl Write) -> anyhow::Result<usize> {
    for event in events {
        let data = &event.data;
        let previous = data
            .previous
            .as_ref()
            .map_or("-".to_owned(), |previous| format!("{} {}", previous.kyc_status, previous.aml_status));
        match demo.output.output {
            Output::Text => writeln!(
                out,
                "{} {:<34} {:<22} #{} after {previous:<24} {} {}",
                event.time,
                event.kind,
                event.key.as_str(),
                event.sequence,
                data.provenance.cause,
                data.provenance.agreement,
            )?,
            Output::Json => writeln!(
                out,
                "{}",
                json!({ "id": event.id, "type": event.kind, "key": event.key, "sequence": event.sequence, "time": event.time, "data": data })
            )?,
        }
    }
    Ok(events.len())
}

struct Summary {
    report: Report,
    differences: Vec<String>,
    events: Vec<Event>,
    registry: Registry,
}

fn summary(demo: &Demo, summary: &Summary, out: &mut impl Write) -> anyhow::Result<()> {
    let mut types: BTreeMap<&str, usize> = BTreeMap::new();
    for event in &summary.events {
        *types.entry(event.kind.as_str()).or_default() += 1;
    }
    let coalesced = counter(&summary.registry, "argos_relay_hints_coalesced_total");
    let agreed = summary.differences.is_empty();
    let report = &summary.report;
    if demo.output.output == Output::Json {
        let document = json!({
            "submissions": report.ids.len(), "webhooks": report.sent.posts, "coalesced": coalesced, "gets": report.counts.singles,
            "events": types, "agreed": agreed, "differences": summary.differences,
        });
        writeln!(out, "{document}")?;
        return Ok(());
    }
    writeln!(out, "\nwebhooks received   {:>6}", report.sent.posts)?;
    writeln!(out, "hints coalesced     {coalesced:>6}")?;
    writeln!(out, "GETs made           {:>6}", report.counts.singles)?;
    for (kind, count) in types {
        writeln!(out, "{kind:<34} {count:>6}")?;
    }
    for difference in summary.differences.iter().take(20) {
        writeln!(out, "differs: {difference}")?;
    }
    writeln!(out, "every submission's final state agrees with the simulator: {}", if agreed { "yes" } else { "no" })?;
    Ok(())
}

fn counter(registry: &Registry, name: &str) -> u64 {
    let families = registry.gather();
    let family = families.iter().find(|family| family.name() == name);
    family.map_or(0.0, |family| family.get_metric().iter().map(|metric| metric.get_counter().get_value()).sum()) as u64
}
