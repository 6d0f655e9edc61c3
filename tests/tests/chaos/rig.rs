//! The whole set-up: cluster, proxies, simulated ARGOS, replicas, the live consumer; and the rounds on it.
//!
//! Owns what stands where and who reaches whom through which proxy:
//!
//! ```text
//! ARGOS's webhooks --door i--> replica i --proxy (i, broker)--> broker      replica i --proxy i--> ARGOS's answers
//! live consumer, verifier ------------------------------------> broker
//! ```

use crate::book::Book;
use crate::plan::{Row, Target};
use crate::strike;
use simulator::{Mix, Pace, Scenario, SendRecord, Simulator, Trigger, WebhookFaults};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tests::cluster::{Cluster, NODES};
use tests::live::Live;
use tests::proxy::Proxy;
use tests::service::{Replica, Setup};
use tests::{PROJECT, TOKEN, check, simulator, verdict};

const REPLICAS: usize = 3;
const PARTITIONS: u32 = 6;

/// After the last fault, on a machine that may be busy with other things.
const CONVERGE: Duration = Duration::from_mins(5);

/// Submissions for which a door is tried: with so many no partition is left out.
const PROBES: usize = 40;

/// What no webhook told is found by sweeps and re-looks, often enough that a round does not wait for them.
/// Every replica that dies takes to its grave what it had reserved of the day: 20 s of the rate.
const PROJECT_LINES: &str = r#"requests_per_day = 100000000
sweeps = { recent = { every = "15s", created_within = "3d" }, month = { every = "1h" }, full = { every = "1h" }, lag = "1s" }"#;
const RELOOKS: &str = r#"["10s", "30s", "60s", "10m"]"#;
const PENDING: &str = r#"{ first = "2s", cap = "30s" }"#;

/// How a round ended.
#[derive(Clone, Debug)]
pub(crate) struct Calm {
    /// From the end of the last fault and of the load until all agreed.
    pub(crate) agreed_after: Duration,
    /// The same, from the end of the last fault.
    pub(crate) since_fault: Duration,
    events: usize,
}

impl fmt::Display for Calm {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Calm { agreed_after, since_fault, events } = self;
        write!(
            out,
            "agreed {agreed_after:.1?} after load and faults, {since_fault:.1?} after the last fault; {events} events"
        )
    }
}

/// Everything that runs.
pub(crate) struct Rig {
    pub(crate) book: Book,
    seed: u64,
    folder: PathBuf,
    setup: Setup,
    sim: Simulator,
    live: Live,
    replicas: Vec<Replica>,
    /// By replica, by broker.
    kafka_links: Vec<Vec<Arc<Proxy>>>,
    argos_links: Vec<Arc<Proxy>>,
    doors: Vec<Arc<Proxy>>,
    posts: Vec<SendRecord>,
    submissions: usize,
    cluster: Arc<Cluster>,
}

async fn proxy(target: u16) -> Arc<Proxy> {
    Arc::new(Proxy::start(target).await.expect("a proxy"))
}

/// The port at the end of `http://127.0.0.1:PORT` or `http://127.0.0.1:PORT/v3`.
fn port_of(url: &str) -> u16 {
    let text = url.trim_start_matches("http://127.0.0.1:");
    text.split('/').next().and_then(|port| port.parse().ok()).expect("a port")
}

impl Rig {
    /// Starts all of it; returns once every replica is ready.
    pub(crate) async fn start(seed: u64, folder: &Path) -> Rig {
        let cluster = Arc::new(Cluster::new(REPLICAS));
        let mut kafka_links = Vec::new();
        for replica in 0..REPLICAS {
            let mut links = Vec::new();
            for node in 0..NODES {
                links.push(proxy(cluster.behind(node, replica)).await);
            }
            kafka_links.push(links);
        }
        let advertised: Vec<Vec<u16>> =
            kafka_links.iter().map(|links| links.iter().map(|link| link.port()).collect()).collect();
        let starting = Arc::clone(&cluster);
        tokio::task::spawn_blocking(move || starting.start_all(&advertised)).await.expect("the cluster starts");

        let sim = simulator(seed).await;
        let mut setup = Setup::new(&cluster.bootstrap(), "chaos", sim.base_url());
        (setup.partitions, setup.replication) = (PARTITIONS, NODES as u32);
        setup.requests_per_second = 300;
        PROJECT_LINES.clone_into(&mut setup.project);
        RELOOKS.clone_into(&mut setup.relooks);
        PENDING.clone_into(&mut setup.pending);
        // Where each acknowledged hint lies, should one not be found.
        setup.over.push(("LOG__FILTER", "info,publisher::hint_sink=debug".to_owned()));
        let (mut replicas, mut argos_links, mut doors) = (Vec::new(), Vec::new(), Vec::new());
        for (number, links) in kafka_links.iter().enumerate() {
            let argos = proxy(port_of(sim.base_url())).await;
            let brokers: Vec<String> = links.iter().map(|link| format!("127.0.0.1:{}", link.port())).collect();
            let base_url = format!("http://127.0.0.1:{}/v3", argos.port());
            let own = Setup { bootstrap: brokers.join(","), base_url, ..setup.clone() };
            let replica = Replica::new(&own, &format!("relay-{number}"));
            doors.push(proxy(port_of(&replica.target())).await);
            argos_links.push(argos);
            replicas.push(replica);
        }
        replicas[0].apply_topics();
        for replica in &mut replicas {
            replica.start();
        }
        for replica in &mut replicas {
            replica.ready(Duration::from_mins(2)).await;
        }
        let topic = |at: usize| format!("{}{}", setup.prefix, check::TOPICS[at]);
        let live = Live::start(&setup.bootstrap, &topic(0), &topic(1), PARTITIONS as i32);
        let (book, folder) = (Book::open(&folder.join("faults.log")), folder.to_owned());
        let (posts, submissions) = (Vec::new(), 0);
        let rig = Rig {
            book,
            seed,
            folder,
            setup,
            sim,
            live,
            replicas,
            kafka_links,
            argos_links,
            doors,
            posts,
            submissions,
            cluster,
        };
        rig.open_doors();
        rig
    }

    /// Load and faults for a while, then calm: returns once what is published agrees with what is true.
    pub(crate) async fn round(&mut self, round: u64, length: Duration) -> Calm {
        let until = Instant::now() + length;
        let scenario = load(self.seed.wrapping_add(round), length);
        self.submissions += scenario.submissions;
        let world = self.sim.clone();
        let load = tokio::spawn(async move { scenario.run(&world).await });
        self.strike(round, until).await;
        let last_fault = Instant::now();
        load.await.expect("the load").expect("the load");
        let calm = Instant::now();
        self.converge(round).await;
        let (agreed_after, since_fault) = (calm.elapsed(), last_fault.elapsed());
        self.doors_are_open().await;
        self.posts.extend(self.sim.take_records());
        Calm { agreed_after, since_fault, events: self.live.with(|seen| seen.events.values().map(Vec::len).sum()) }
    }

    /// All faults of a round; returns once the last is over.
    async fn strike(&mut self, round: u64, until: Instant) {
        let row = |target| Row::new(self.seed, round, target);
        let mut links = tokio::task::JoinSet::new();
        for (number, own) in self.kafka_links.iter().enumerate() {
            links.spawn(strike::links(own.clone(), row(Target::KafkaLink(number)), until, self.book.clone()));
            let argos = vec![Arc::clone(&self.argos_links[number])];
            links.spawn(strike::links(argos, row(Target::ArgosLink(number)), until, self.book.clone()));
        }
        links.spawn(strike::links(self.doors.clone(), row(Target::Doors), until, self.book.clone()));
        links.spawn(strike::argos(self.sim.clone(), row(Target::Argos), until, self.book.clone()));
        links.spawn(strike::brokers(Arc::clone(&self.cluster), row(Target::Brokers), until, self.book.clone()));
        let struck: Vec<_> = std::mem::take(&mut self.replicas)
            .into_iter()
            .enumerate()
            .map(|(number, replica)| {
                let row = row(Target::Replica(number));
                tokio::spawn(strike::replica(replica, row, until, self.book.clone()))
            })
            .collect();
        for replica in struck {
            self.replicas.push(replica.await.expect("a replica comes back"));
        }
        while let Some(ended) = links.join_next().await {
            ended.expect("a fault is taken back");
        }
    }

    /// Waits until the states, as the live consumer sees them, agree with the world.
    async fn converge(&mut self, round: u64) {
        let began = Instant::now();
        loop {
            for (number, replica) in self.replicas.iter_mut().enumerate() {
                strike::supervise(replica, &format!("relay-{number}"), &self.book);
            }
            let differences = self.live.with(|seen| argos_relay::oracle::differences(self.sim.world(), &seen.states));
            if differences.is_empty() {
                return;
            }
            if began.elapsed() > CONVERGE {
                self.keep_logs();
                let some = &differences[..differences.len().min(5)];
                panic!(
                    "SEED={}, round {round}: not converged {CONVERGE:?} after the last fault: {} differences, for instance {some:#?}",
                    self.seed,
                    differences.len()
                );
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }

    /// Every replica takes webhooks again, of submissions of every partition.
    async fn doors_are_open(&self) {
        let living: Vec<String> =
            self.sim.world().truth(PROJECT).into_iter().filter(|truth| !truth.deleted).map(|truth| truth.id).collect();
        let until = Instant::now() + CONVERGE;
        for (number, replica) in self.replicas.iter().enumerate() {
            self.sim.set_targets(PROJECT, vec![replica.target()], Some(TOKEN.to_owned()));
            for id in living.iter().rev().step_by(living.len().div_ceil(PROBES).max(1)) {
                let body = self.sim.body(PROJECT, id, Trigger::Updated, 0).expect("a body");
                while self.sim.send_webhook(PROJECT, &body).await.status != Some(200) {
                    if Instant::now() > until {
                        self.keep_logs();
                        panic!("SEED={}: relay-{number} does not take a webhook of {id}", self.seed);
                    }
                    tokio::time::sleep(Duration::from_millis(250)).await;
                }
            }
        }
        self.open_doors();
    }

    /// Webhooks go through the doors' proxies, to the replicas in turn.
    fn open_doors(&self) {
        let targets = self.doors.iter().map(|door| format!("http://127.0.0.1:{}", door.port())).collect();
        self.sim.set_targets(PROJECT, targets, Some(TOKEN.to_owned()));
    }

    /// Fails at once with what the live consumer held against an event.
    pub(crate) fn nothing_wrong_so_far(&self) {
        let wrong = self.live.with(|seen| seen.wrong.clone());
        if !wrong.is_empty() {
            self.keep_logs();
            panic!("SEED={}: {} wrong, for instance {:#?}", self.seed, wrong.len(), &wrong[..wrong.len().min(5)]);
        }
    }

    /// Everything once more, from the topics as they are after an orderly end; and the figures of the run.
    pub(crate) async fn verdict(mut self) -> (Vec<String>, serde_json::Value) {
        let mut wrong = Vec::new();
        for (number, replica) in self.replicas.iter_mut().enumerate() {
            let code = replica.terminate().await;
            if code != Some(0) {
                wrong.push(format!("relay-{number} ended with {code:?} instead of 0"));
            }
        }
        let published = verdict::at_rest(&self.setup, &self.sim, &self.live, &self.posts).await;
        wrong.extend(published.wrong);
        let (sent, counts) = (self.sim.sent(), self.sim.counts());
        self.keep_logs();
        let figures = serde_json::json!({
            "submissions": self.submissions,
            "events": published.events,
            "hints": published.hints,
            "webhooks_answered_200": sent.accepted,
            "webhooks_answered_otherwise": sent.refused,
            "webhooks_without_an_answer": sent.failed,
            "webhooks_lost_on_purpose": sent.lost_on_purpose,
            "argos_requests": counts.requests,
        });
        (wrong, figures)
    }

    fn keep_logs(&self) {
        self.cluster.keep_logs(&self.folder);
        for (number, replica) in self.replicas.iter().enumerate() {
            let file = self.folder.join(format!("relay-{number}.log"));
            std::fs::write(file, replica.logs()).expect("the replica's log");
        }
    }
}

/// Lives that begin all the time and end soon after the faults do; webhooks lost, repeated, late, out of order.
fn load(seed: u64, length: Duration) -> Scenario {
    const STARTS_PER_SECOND: f64 = 4.0;
    Scenario {
        seed,
        submissions: (STARTS_PER_SECOND * length.as_secs_f64()) as usize,
        starts_per_second: STARTS_PER_SECOND,
        alive: 400,
        pace: Pace { min_ms: 100, max_ms: 4_000 },
        mix: Mix { abandoned: 1, ..Mix::default() },
        faults: Some(strike::usual()),
        webhooks: WebhookFaults {
            loss_rate: 0.05,
            repeat_rate: 0.15,
            delay_ms: 300,
            reorder_rate: 0.15,
            reorder_ms: 3_000,
            concurrency: 512,
            timeout_ms: 6_000,
            resend: true,
            resend_max: 2,
            ..WebhookFaults::default()
        },
        ..Scenario::default()
    }
}
