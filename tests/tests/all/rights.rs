//! The rights that `topics apply --print-acls` prints, on a broker that denies by default: with them
//! everything works, and without any one of them something fails and says which.

use super::commands;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::message::Message;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use serde_json::Value;
use simulator::Simulator;
use std::collections::BTreeSet;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tests::acls::{self, Acl};
use tests::secure::{PASSWORD, SecureBroker};
use tests::service::{Replica, Setup, http_get, http_post};
use tests::{PROJECT, TOKEN, broker, check, simulator};
use tokio::sync::Semaphore;
use tokio::task::{JoinSet, spawn_blocking};

/// How many users there are; each right is left out for one of its own.
const USERS: usize = 100;
/// How many are tried at the same time.
const AT_ONCE: usize = 3;
const PATIENCE: Duration = Duration::from_mins(2);
/// What every word of a refusal names.
const ADVICE: &str = "--print-acls";

/// What all trials share.
struct Court {
    broker: SecureBroker,
    sim: Simulator,
    /// Known to ARGOS; a webhook tells of the first only, so the second is a sweep's to find.
    ids: [String; 2],
    users: AtomicUsize,
}

/// A user who has the rights of a role, but for one perhaps.
struct Trial {
    user: String,
    missing: Option<Acl>,
    setup: Setup,
}

impl Court {
    async fn open() -> Court {
        let users: Vec<String> = (0..USERS).map(|number| format!("user{number}")).collect();
        let broker = spawn_blocking(move || SecureBroker::start(&users)).await.expect("a broker");
        let sim = simulator(71).await;
        let ids = [sim.world().new_id(), sim.world().new_id()];
        for id in &ids {
            sim.world().create(PROJECT, id).expect("it is new");
        }
        Court { broker, sim, ids, users: AtomicUsize::new(0) }
    }

    /// A deployment, whose service may do everything.
    fn setup(&self) -> Setup {
        // The first walk takes what is as young as these two.
        let project = r#"sweeps = { lag = "10ms" }"#.to_owned();
        Setup { partitions: 1, project, ..Setup::new(&self.broker.bootstrap(), "rights", self.sim.base_url()) }
    }

    fn come_as(&self, setup: &mut Setup, user: &str) {
        let (address, properties) = self.broker.plain(user, PASSWORD);
        (setup.broker, setup.kafka) = (Some(address), format!("[kafka.properties]\n{properties}"));
    }

    /// Everybody of a role, each with a deployment of its own: one with all its rights, and for each right one without it.
    async fn trials(&self, role: &str) -> Vec<Trial> {
        self.trials_at(role, || self.setup()).await
    }

    /// The same, at a deployment of the caller's.
    async fn trials_at(&self, role: &str, setup: impl Fn() -> Setup) -> Vec<Trial> {
        let mut trials = Vec::new();
        let count = self.rights(&self.setup(), role, "nobody").await.len();
        for left_out in std::iter::once(None).chain((0..count).map(Some)) {
            let user = format!("user{}", self.users.fetch_add(1, Ordering::Relaxed));
            let mut setup = setup();
            let mut rights = self.rights(&setup, role, &user).await;
            let missing = left_out.map(|at: usize| rights.remove(at));
            self.come_as(&mut setup, &user);
            let bootstrap = self.broker.bootstrap();
            spawn_blocking(move || acls::allow(&bootstrap, &rights)).await.expect("allowed");
            trials.push(Trial { user, missing, setup });
        }
        trials
    }

    async fn rights(&self, setup: &Setup, role: &str, user: &str) -> Vec<Acl> {
        Acl::of_role(&printed(setup, &[&format!("--principal={role}=User:{user}")]).await, role, user)
    }

    /// A record that is no hint, so that a dead letter has to be written.
    async fn spoil(&self, setup: &Setup) {
        let (bootstrap, topic) = (self.broker.bootstrap(), format!("{}{}", setup.prefix, check::TOPICS[4]));
        spawn_blocking(move || {
            let producer: BaseProducer =
                ClientConfig::new().set("bootstrap.servers", bootstrap).create().expect("a producer");
            producer.send(BaseRecord::<str, str>::to(&topic).key("no key").payload("no hint")).expect("sent");
            producer.flush(PATIENCE).expect("delivered");
        })
        .await
        .expect("spoilt");
    }
}

/// What is printed as JSON.
async fn printed(setup: &Setup, more: &[&str]) -> Value {
    let arguments = [&["topics", "apply", "--print-acls", "--output", "json"], more].concat();
    let (code, out, err) = run(setup, &arguments).await;
    assert_eq!(code, Some(0), "{err}");
    serde_json::from_str(&out).expect("JSON")
}

async fn run(setup: &Setup, arguments: &[&str]) -> (Option<i32>, String, String) {
    let replica = Replica::new(setup, "relay-0");
    let mut command = replica.prepared(arguments);
    let output = spawn_blocking(move || command.output()).await.expect("it ran").expect("it runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    (output.status.code(), text(output.stdout), text(output.stderr))
}

/// Whether a text tells of the denied right. Of a group librdkafka gives no name.
fn tells_of(text: &str, missing: &Acl) -> bool {
    let named = text.contains(missing.name.trim_end_matches('-'));
    text.contains(ADVICE) && (named || (missing.is_of_group() && text.contains("Group authorization failed")))
}

/// Runs all trials, a few at a time.
async fn all<F: Future<Output = ()> + Send + 'static>(
    court: &Arc<Court>,
    trials: Vec<Trial>,
    each: fn(Arc<Court>, Trial) -> F,
) {
    let places = Arc::new(Semaphore::new(AT_ONCE));
    let mut running = JoinSet::new();
    for trial in trials {
        let (court, places) = (Arc::clone(court), Arc::clone(&places));
        running.spawn(async move {
            let _place = places.acquire_owned().await.expect("a place");
            each(court, trial).await;
        });
    }
    while let Some(ended) = running.join_next().await {
        ended.expect("a trial");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn with_the_printed_rights_all_works_and_without_any_one_something_says_so() {
    if broker::bootstrap().is_none() {
        return;
    }
    let court = Arc::new(Court::open().await);
    kafkas_own_tool_takes_the_lines(&court).await;
    all(&court, court.trials("topics").await, apply_topics).await;
    all(&court, court.trials("ingest").await, |court, trial| serve(court, trial, "ingest")).await;
    all(&court, court.trials("reconciler").await, |court, trial| serve(court, trial, "all")).await;
}

/// Operators, consumers and whoever looks at the console come to a deployment that works.
#[tokio::test(flavor = "multi_thread")]
async fn with_the_printed_rights_operators_consumers_and_the_console_work_and_without_any_one_they_are_told() {
    if broker::bootstrap().is_none() {
        return;
    }
    let court = Arc::new(Court::open().await);
    let setup = court.setup();
    let mut replica = Replica::new(&setup, "relay-0");
    replica.apply_topics();
    replica.start_ready().await;
    court.sim.set_targets(PROJECT, vec![replica.target()], Some(TOKEN.to_owned()));
    check::converged(&setup, &court.sim, PATIENCE).await;
    commands::dead_letter(&setup, &court.ids[0]).await;
    all(&court, court.trials_at("operator", || setup.clone()).await, operate).await;
    all(&court, court.trials_at("consumer", || setup.clone()).await, consume).await;
    all(&court, court.trials("console").await, watch).await;
}

/// What the admin API shows of topics, of a service that has its own rights besides.
async fn watch(court: Arc<Court>, trial: Trial) {
    let own = court.rights(&trial.setup, "reconciler", &trial.user).await;
    let bootstrap = court.broker.bootstrap();
    spawn_blocking(move || acls::allow(&bootstrap, &own)).await.expect("allowed");
    let open = Setup { broker: None, kafka: String::new(), ..trial.setup.clone() };
    spawn_blocking(move || Replica::new(&open, "relay-0").apply_topics()).await.expect("topics");
    let mut replica = Replica::new(&trial.setup, "relay-0");
    replica.start_ready().await;
    check::converged(&trial.setup, &court.sim, PATIENCE).await;
    let mut told = Vec::new();
    for path in ["events", "dead-letters", &format!("submissions/{PROJECT}/{}", court.ids[0])] {
        let url = format!("{}/api/v1/{path}", replica.admin_url());
        let (status, body) = http_get(&url).await.expect("an answer");
        match &trial.missing {
            None => assert_eq!(status, 200, "{path}: {body}"),
            Some(missing) if tells_of(&body, missing) => return assert_eq!(status, 502, "{path}: {body}"),
            Some(_) => told.push(format!("{path} {status}: {body}")),
        }
    }
    if let Some(missing) = trial.missing {
        panic!("nothing needs {}: {told:#?}", missing.text);
    }
}

/// Every command of an operator, to its end.
async fn operate(court: Arc<Court>, trial: Trial) {
    let keys = court.ids.each_ref().map(|id| format!("{PROJECT}/{id}"));
    let commands: [&[&str]; 6] = [
        &["explain", &keys[0]],
        &["reconcile", &keys[0]],
        &["backfill", "--project", PROJECT, "--from", "2020-01-01", "--to", "2099-12-31"],
        &["verify", "--project", PROJECT, "--rate", "100"],
        &["redrive"],
        &["erase", &keys[1], "--yes"],
    ];
    let mut told = Vec::new();
    for command in commands {
        let (code, out, err) = run(&trial.setup, command).await;
        match &trial.missing {
            None => assert!(code == Some(0) && !err.contains(ADVICE), "{command:?}: {code:?} {out}{err}"),
            Some(missing) if tells_of(&err, missing) => return assert_eq!(code, Some(1), "{command:?}: {out}{err}"),
            Some(_) => told.push(format!("{command:?} {code:?}: {err}")),
        }
    }
    if let Some(missing) = trial.missing {
        panic!("nothing needs {}: {told:#?}", missing.text);
    }
}

/// A team downstream: both topics, in a group of its own.
async fn consume(court: Arc<Court>, trial: Trial) {
    let address = trial.setup.broker.clone().expect("where users with passwords come in");
    let topics = [0, 1].map(|at| format!("{}{}", trial.setup.prefix, check::TOPICS[at]));
    let (user, wanted) = (trial.user.clone(), topics.clone());
    let seen = spawn_blocking(move || read_as(&address, &user, &wanted)).await.expect("read");
    let missing = trial.missing.map(|missing| (missing.is_of_group(), missing.name));
    match missing {
        None => assert_eq!(seen, Ok(BTreeSet::from(topics))),
        Some((true, _)) => assert_eq!(seen, Err(RDKafkaErrorCode::GroupAuthorizationFailed)),
        Some((false, _)) => assert_eq!(seen, Err(RDKafkaErrorCode::TopicAuthorizationFailed)),
    }
    drop(court);
}

/// The topics of which a user's group was handed a record, or what it may not.
fn read_as(address: &str, user: &str, topics: &[String; 2]) -> Result<BTreeSet<String>, RDKafkaErrorCode> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", address)
        .set("security.protocol", "sasl_plaintext")
        .set("sasl.mechanisms", "PLAIN")
        .set("sasl.username", user)
        .set("sasl.password", PASSWORD)
        .set("group.id", user)
        .set("isolation.level", "read_committed")
        .set("auto.offset.reset", "earliest")
        .create()
        .expect("a consumer");
    consumer.subscribe(&topics.each_ref().map(String::as_str)).expect("subscribed");
    let denials = [RDKafkaErrorCode::GroupAuthorizationFailed, RDKafkaErrorCode::TopicAuthorizationFailed];
    let (until, mut seen) = (Instant::now() + PATIENCE, BTreeSet::new());
    while seen.len() < topics.len() && Instant::now() < until {
        match consumer.poll(Duration::from_millis(200)) {
            None => {}
            Some(Ok(message)) => drop(seen.insert(message.topic().to_owned())),
            Some(Err(error)) => {
                let code = error.rdkafka_error_code();
                if let Some(code) = code.filter(|code| denials.contains(code)) {
                    return Err(code);
                }
            }
        }
    }
    Ok(seen)
}

/// The lines as they are printed, run with Kafka's tool, make what the JSON says.
async fn kafkas_own_tool_takes_the_lines(court: &Court) {
    let setup = court.setup();
    let (code, lines, err) = run(&setup, &["topics", "apply", "--print-acls"]).await;
    assert_eq!(code, Some(0), "{err}");
    let wanted = acls::as_told(&Acl::all(&printed(&setup, &[]).await));
    let libs = broker::root().join("tests/kafka/get.sh");
    let script = format!(
        "set -e\nlibs=$('{}')\nkafka-acls.sh() {{ java -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -cp \"$libs/*\" \
         org.apache.kafka.tools.AclCommand \"$@\"; }}\n{lines}",
        libs.display()
    );
    let output = spawn_blocking(move || Command::new("bash").args(["-c", &script]).output()).await.expect("it ran");
    let output = output.expect("it runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let bootstrap = court.broker.bootstrap();
    let until = Instant::now() + PATIENCE;
    let mut made = BTreeSet::new();
    while made != wanted && Instant::now() < until {
        let bootstrap = bootstrap.clone();
        made = spawn_blocking(move || acls::allowed(&bootstrap)).await.expect("told");
    }
    assert_eq!(made, wanted);
}

async fn apply_topics(_court: Arc<Court>, trial: Trial) {
    let (code, out, err) = run(&trial.setup, &["topics", "apply"]).await;
    match &trial.missing {
        None => assert_eq!(code, Some(0), "{out}{err}"),
        Some(missing) => {
            assert_eq!(code, Some(1), "without {}: {out}{err}", missing.text);
            assert!(tells_of(&err, missing), "without {}: {err}", missing.text);
        }
    }
}

async fn serve(court: Arc<Court>, trial: Trial, role: &'static str) {
    let open = Setup { broker: None, kafka: String::new(), ..trial.setup.clone() };
    spawn_blocking(move || Replica::new(&open, "relay-0").apply_topics()).await.expect("topics");
    court.spoil(&trial.setup).await;
    let mut replica = Replica::new(&trial.setup, "relay-0");
    replica.start_as(role);
    let url = format!("{}/webhooks/{PROJECT}/{TOKEN}", replica.target());
    let body = format!(r#"{{"webhook_trigger":"created","submission_id":"{}"}}"#, court.ids[0]);
    let until = Instant::now() + PATIENCE;
    loop {
        let logs = replica.logs();
        let accepted = http_post(&url, "content-type: application/json\r\n", &body).await;
        let done = accepted.is_some_and(|(status, _)| status == 200)
            && (role == "ingest" || everything_is_written(&trial.setup).await);
        match &trial.missing {
            None => assert!(!logs.contains(ADVICE), "all rights are there: {logs}"),
            Some(missing) if tells_of(&logs, missing) => return,
            Some(_) => {}
        }
        if done && trial.missing.is_none() {
            return;
        }
        let missing = trial.missing.as_ref().map_or("nothing", |missing| missing.text.as_str());
        assert!(Instant::now() < until, "{role} without {missing}, done: {done}: {logs}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// Whether each topic has what the two submissions and the spoilt hint lead to.
async fn everything_is_written(setup: &Setup) -> bool {
    for (topic, least) in [(0, 2), (1, 2), (2, 1), (3, 1), (5, 1)] {
        if check::read(setup, check::TOPICS[topic]).await.len() < least {
            return false;
        }
    }
    true
}
