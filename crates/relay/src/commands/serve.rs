//! `serve`: the service against Kafka.
//!
//! Owns: what a role consists of, and waiting for Kafka and a schema registry at the start. A topic that would break a
//! promise ends it with the list of findings; who is away is waited for, visible in `/startupz`.

use crate::cli::{Exit, Role, Serve};
use crate::config::{Config, Environment};
use crate::health::{Latch, Stage};
use crate::schema_registry::{RegistryMetrics, SchemaRegistry};
use crate::telemetry::{self, Stream, chain};
use crate::wiring::{OpenLedger, Wiring, listen};
use anyhow::Context;
use models::Time;
use prometheus::Registry;
use publisher::topics::TopicsError;
use publisher::{KafkaHintSink, KafkaLedger, KafkaMetrics, KafkaSettings, LedgerWatch, topics};
use reconciler::clock::{Clock, SystemClock};
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Between looks at a cluster that is away.
const TRY_AGAIN: Duration = Duration::from_secs(1);

/// Runs until a signal. Exit 0 after an orderly stop.
pub(super) fn run(serve: &Serve, environment: &Environment, err: &mut impl Write) -> anyhow::Result<Exit> {
    let loaded = match Config::load(&serve.config.path, environment) {
        Ok(loaded) => loaded,
        Err(errors) => {
            super::config_check::write_errors(&errors, err)?;
            return Ok(Exit::Usage);
        }
    };
    telemetry::init(&loaded.config.log, Stream::Stdout)?;
    for warning in &loaded.warnings {
        tracing::warn!(%warning, "configuration");
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let ended = runtime.block_on(service(serve.role, Arc::new(loaded.config)));
    // Client threads that wait for a broker must not keep a stopped process.
    runtime.shutdown_timeout(TRY_AGAIN);
    ended
}

async fn service(role: Role, config: Arc<Config>) -> anyhow::Result<Exit> {
    let registry = Registry::new();
    let metrics = KafkaMetrics::register(&registry)?;
    let admin = listen("admin.listen", config.admin.listen).await?;
    let mut wiring = Wiring::new(Arc::clone(&config), Arc::new(SystemClock), registry, role);
    wiring.trace()?;
    let settings = KafkaSettings { sealer: wiring.sealer()?, ..config.kafka.settings() };
    let asked = settings.clone();
    // The door's hints and the sweeps' go the same way.
    let sink = Arc::new(KafkaHintSink::open(settings.clone(), metrics.clone()).context("the hint producer")?);
    let watch = Arc::default();
    wiring.operators(settings.clone(), Arc::clone(&watch));
    wiring.operators_hints(&sink);
    if role.takes_webhooks() {
        let listener = listen("ingest.listen", config.ingest.listen).await?;
        wiring.ingest(listener, &sink)?;
    }
    if role.reconciles() {
        let schemas = schemas(&mut wiring)?;
        let opener = OnKafka { settings, metrics, watch: Arc::clone(&watch), schemas };
        let started = AtomicBool::new(false);
        wiring.health().ask(Stage::Startup, "ledger", move || {
            let ready = || watch.get().is_some_and(|watch: &LedgerWatch| watch.status().is_ready());
            // Once restored, a later rebalance is no new start: webhooks can be taken in meanwhile.
            if started.load(Ordering::Relaxed) || ready() {
                started.store(true, Ordering::Relaxed);
                return Ok(());
            }
            Err(watch.get().map_or_else(|| "waits for Kafka and its topics".into(), restoring))
        });
        wiring.reconciler(opener, &sink)?;
    }
    let errors = tokio::select! {
        errors = wiring.run_until_signal(admin) => errors?,
        // The reconciler asks for itself, of all topics, before it starts.
        refused = hints_break_a_promise(&asked), if !role.reconciles() => return Err(refused),
    };
    for error in &errors {
        tracing::error!(error = %chain(error), "the service did not end in order");
    }
    Ok(if errors.is_empty() { Exit::Done } else { Exit::Failed })
}

/// What has to be found out of a schema registry, if there is one.
fn schemas(wiring: &mut Wiring) -> anyhow::Result<Option<Schemas>> {
    let Some(registry) = wiring.schema_registry()? else { return Ok(None) };
    let metrics = RegistryMetrics::register(wiring.registry())?;
    let told =
        wiring.health().latch(Stage::Startup, "schema_registry", "not asked yet; Kafka and its topics come first");
    Ok(Some(Schemas { registry, metrics, told }))
}

/// Ends with the reason once the topics of hints are known to break a promise; never if they hold. A cluster that is away
/// is asked again: webhooks are refused meanwhile.
async fn hints_break_a_promise(settings: &KafkaSettings) -> anyhow::Error {
    loop {
        match topics::check_hints(settings).await {
            Ok(report) if report.is_ok() => return std::future::pending().await,
            Ok(report) => return breaks_a_promise(&report),
            Err(error) if error.is_away() => {
                tracing::warn!(error = %chain(&error), "Kafka is away; the topics are not checked yet");
            }
            Err(error) => return error.into(),
        }
        tokio::time::sleep(TRY_AGAIN).await;
    }
}

fn breaks_a_promise(report: &topics::TopicsReport) -> anyhow::Error {
    let found = super::topics::as_text(report);
    anyhow::anyhow!("the topics would break a promise (`topics apply` makes what is missing):\n{found}")
}

/// What a restore waits for, for `/startupz`.
fn restoring(watch: &LedgerWatch) -> crate::health::Why {
    let status = watch.status();
    let waiting: Vec<String> = status
        .partitions
        .iter()
        .filter(|partition| partition.phase != "running")
        .map(|one| format!("partition {} {} {}", one.partition, one.phase, one.note.as_deref().unwrap_or("")))
        .collect();
    if waiting.is_empty() { "waits for a producer and an assignment".into() } else { waiting.join("; ").into() }
}

fn now() -> Time {
    SystemClock.now()
}

/// Why the ledger cannot be opened now.
enum NotYet {
    /// The cluster does not answer.
    Away(TopicsError),
    /// It would be wrong to go on.
    Never(anyhow::Error),
}

/// Checks the topics.
async fn check(settings: &KafkaSettings) -> Result<(), NotYet> {
    let sort = |error: TopicsError| match error {
        away if away.is_away() => NotYet::Away(away),
        other => NotYet::Never(other.into()),
    };
    let report = topics::check(settings).await.map_err(sort)?;
    if !report.is_ok() {
        return Err(NotYet::Never(breaks_a_promise(&report)));
    }
    Ok(())
}

/// A schema registry, and who is told of it.
struct Schemas {
    registry: SchemaRegistry,
    metrics: RegistryMetrics,
    told: Latch,
}

struct OnKafka {
    settings: KafkaSettings,
    metrics: KafkaMetrics,
    watch: Arc<OnceLock<LedgerWatch>>,
    schemas: Option<Schemas>,
}

impl OpenLedger for OnKafka {
    type Ledger = KafkaLedger;

    async fn open(mut self, stop: CancellationToken) -> anyhow::Result<Option<KafkaLedger>> {
        loop {
            match check(&self.settings).await {
                Ok(()) => break,
                Err(NotYet::Away(error)) => {
                    tracing::warn!(error = %chain(&error), "Kafka is away; trying again");
                }
                Err(NotYet::Never(error)) => return Err(error),
            }
            tokio::select! {
                () = stop.cancelled() => return Ok(None),
                () = tokio::time::sleep(TRY_AGAIN) => {}
            }
        }
        if let Some(Schemas { registry, metrics, told }) = &self.schemas {
            let ids = registry.all_ids(&self.settings.names(), metrics, told, &stop).await;
            let Some(ids) = ids else { return Ok(None) };
            self.settings.schema_ids = Some(Arc::new(ids));
        }
        let ledger = KafkaLedger::open(self.settings, self.metrics, now)?;
        // Set once: an opener opens one ledger.
        self.watch.get_or_init(|| ledger.watch());
        Ok(Some(ledger))
    }
}
