//! Where a scenario plays: a deployment of its own, scraped as a job of the shared Prometheus.
//!
//! Owns: how a deployment is set up on the faster clock, and what scenarios do to it. Must not know: any alert.

use rdkafka::admin::{AdminClient, AdminOptions, AlterConfig, ResourceSpecifier};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use simulator::{Change, Rate, Scenario, Simulator, Traits, Trigger};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tests::broker::OwnBroker;
use tests::prometheus::Prometheus;
use tests::service::{Replica, Setup};
use tests::{API_KEY, PROJECT, TOKEN, simulator};
use tokio::task::JoinSet;

/// What the rules' times are divided by in the fault scenarios. The service's own settings follow, where an alert rests on
/// one.
pub(super) const FACTOR: u32 = 60;

/// The sweeps' intervals by the same factor: 5 min, 6 h, 7 d.
const SWEEPS: &str = r#"sweeps = { recent = { every = "5s", created_within = "3d" }, month = { every = "6m" }, full = { every = "168m" }, lag = "1s" }"#;

const EVENTS: &str = "argos_relay_events_published_total";

/// How long a scenario waits for what it prepares.
const PATIENCE: Duration = Duration::from_secs(90);

/// The ground of one scenario.
#[derive(Clone)]
pub(super) struct Stage {
    /// The alert's name.
    pub(super) job: &'static str,
    /// The shared broker.
    pub(super) bootstrap: String,
    pub(super) prometheus: Arc<Prometheus>,
}

/// A deployment with a fault.
pub(super) struct Scene {
    pub(super) sim: Simulator,
    pub(super) setup: Setup,
    pub(super) replica: Replica,
    /// Secret files: `key` and `tokens`.
    pub(super) secrets: TempDir,
    /// When the fault began.
    pub(super) began: Instant,
    /// What goes on until the end: load, a client with an open transaction.
    pub(super) load: JoinSet<()>,
    pub(super) broker: Option<OwnBroker>,
}

impl Stage {
    /// One healthy replica, ready and scraped; `change` sets what the fault needs.
    pub(super) async fn open(&self, change: impl FnOnce(&mut Setup)) -> Scene {
        let mut scene = self.closed(change).await;
        scene.replica.start_ready().await;
        self.watch(&scene).await;
        scene
    }

    /// The same, not started yet: topics and the simulated ARGOS are there.
    pub(super) async fn closed(&self, change: impl FnOnce(&mut Setup)) -> Scene {
        let sim = simulator(9).await;
        let secrets = TempDir::new().expect("a folder");
        for (name, content) in [("key", API_KEY), ("tokens", TOKEN)] {
            std::fs::write(secrets.path().join(name), content).expect("a secret");
        }
        let mut setup = Setup::new(&self.bootstrap, &self.job.to_lowercase(), sim.base_url());
        setup.api_key = format!("api_key_file = {:?}", secrets.path().join("key").display().to_string());
        setup.tokens = format!("path_tokens_file = {:?}", secrets.path().join("tokens").display().to_string());
        r#"["1m", "24m"]"#.clone_into(&mut setup.relooks);
        SWEEPS.clone_into(&mut setup.project);
        setup.more = kafka_properties("");
        change(&mut setup);
        let replica = Replica::new(&setup, "relay-0");
        replica.apply_topics();
        sim.set_targets(PROJECT, vec![replica.target()], Some(TOKEN.to_owned()));
        Scene { sim, setup, replica, secrets, began: Instant::now(), load: JoinSet::new(), broker: None }
    }

    /// Has it scraped once it works, and waits for the first sample: counters are known before anything happens.
    pub(super) async fn watch(&self, scene: &Scene) {
        scene.until("argos_relay_partitions_running", "", 1.0).await;
        self.prometheus.scrape(self.job, &[scene.replica.admin_url()]);
        let query = format!("count(up{{job={:?}}} == 1)", self.job);
        let until = Instant::now() + PATIENCE;
        while self.prometheus.query(&query).await.is_empty() {
            assert!(Instant::now() < until, "{} is not scraped", self.job);
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

/// The table of librdkafka's properties, with its figures as often as the faster clock asks for.
pub(super) fn kafka_properties(more: &str) -> String {
    format!("[kafka.properties]\n\"statistics.interval.ms\" = \"200\"\n{more}\n")
}

impl Scene {
    /// The fault begins now.
    pub(super) fn begin(&mut self) {
        self.began = Instant::now();
    }

    /// Approves new submissions; nobody is told. They are not screened, so that nobody looks again for that.
    pub(super) fn approve(&self, count: usize) -> Vec<String> {
        let world = self.sim.world();
        let ids: Vec<String> = (0..count).map(|_| world.new_id()).collect();
        for id in &ids {
            world.create_with(PROJECT, id, Traits { aml: false, ..Traits::FULL }, 0).expect("it is new");
            self.sim.change(PROJECT, id, &Change::Approve { by_hand: false }).expect("a change");
        }
        ids
    }

    /// Tells of them, and waits until the door has answered.
    pub(super) async fn tell(&self, ids: &[String], trigger: Trigger) {
        for id in ids {
            let body = self.sim.body(PROJECT, id, trigger, 0).expect("a body");
            self.sim.deliver(PROJECT, &body).await;
        }
        self.sim.settled().await;
    }

    /// New approved submissions, told and confirmed, before the next are told.
    pub(super) async fn confirmed(&self, count: usize) -> Vec<String> {
        let before = self.replica.metric_of(EVENTS, "approved").await;
        let ids = self.approve(count);
        self.tell(&ids, Trigger::Approved).await;
        self.until(EVENTS, "approved", before + count as f64).await;
        ids
    }

    /// Waits until a metric, of the series whose labels hold a text, has reached a value.
    pub(super) async fn until(&self, name: &str, labels: &str, value: f64) {
        let until = Instant::now() + PATIENCE;
        while self.replica.metric_of(name, labels).await < value {
            assert!(
                Instant::now() < until,
                "{name}{{{labels}}} does not reach {value}\n{}",
                self.replica.metrics().await
            );
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Webhooks of new approvals at a steady rate, until the scenario is over.
    pub(super) fn load(&mut self, per_second: f64) {
        let sim = self.sim.clone();
        self.load.spawn(async move {
            let rate = Some(Rate { per_second, seconds: 3600.0, pool: 0 });
            Scenario { rate, ..Scenario::default() }.run(&sim).await.expect("webhooks are sent");
        });
    }

    /// The full name of a topic.
    pub(super) fn topic(&self, name: &str) -> String {
        format!("{}{name}", self.setup.prefix)
    }

    pub(super) fn admin(&self) -> AdminClient<DefaultClientContext> {
        ClientConfig::new().set("bootstrap.servers", &self.setup.bootstrap).create().expect("an admin client")
    }

    /// The topic takes the markers of transactions, and no record: none goes through any more.
    pub(super) async fn freeze(&self, topic: &str) {
        let topic = self.topic(topic);
        let wanted = AlterConfig::new(ResourceSpecifier::Topic(&topic)).set("max.message.bytes", "100");
        let done = self.admin().alter_configs(&[wanted], &AdminOptions::new()).await.expect("an answer");
        assert!(done.iter().all(Result::is_ok), "{done:?}");
    }
}
