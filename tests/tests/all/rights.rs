//! The rights that `topics apply --print-acls` prints, on a broker that denies by default: with them everything works, and
//! without any one of them something fails and says which.

use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
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
use tests::service::{Replica, Setup, http_post};
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
        ids.iter().for_each(|id| sim.world().create(PROJECT, id).expect("it is new"));
        Court { broker, sim, ids, users: AtomicUsize::new(0) }
    }

    /// A deployment of its own, whose service comes in as `user`; as somebody who may do everything if there is none.
    fn setup(&self, user: Option<&str>) -> Setup {
        let mut setup = Setup::new(&self.broker.bootstrap(), "rights", self.sim.base_url());
        setup.partitions = 1;
        if let Some(user) = user {
            self.come_as(&mut setup, user);
        }
        setup
    }

    fn come_as(&self, setup: &mut Setup, user: &str) {
        let (address, properties) = self.broker.plain(user, PASSWORD);
        (setup.broker, setup.kafka) = (Some(address), format!("[kafka.properties]\n{properties}"));
    }

    /// Everybody of a role: one with all its rights, and for each right one without it. `of` is the deployment, if they
    /// share one.
    async fn trials(&self, role: &str, of: Option<&Setup>) -> Vec<Trial> {
        let mut trials = Vec::new();
        let count = self.rights(&of.cloned().unwrap_or_else(|| self.setup(None)), role, "nobody").await.len();
        for left_out in std::iter::once(None).chain((0..count).map(Some)) {
            let user = format!("user{}", self.users.fetch_add(1, Ordering::Relaxed));
            let mut setup = of.cloned().unwrap_or_else(|| self.setup(None));
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
    all(&court, court.trials("topics", None).await, apply_topics).await;
    all(&court, court.trials("ingest", None).await, |court, trial| serve(court, trial, "ingest")).await;
    all(&court, court.trials("reconciler", None).await, |court, trial| serve(court, trial, "all")).await;

    // The rest looks at a deployment that runs.
    let setup = court.setup(None);
    let mut replica = Replica::new(&setup, "relay-0");
    replica.apply_topics();
    court.spoil(&setup).await;
    replica.start_ready().await;
    let until = Instant::now() + PATIENCE;
    while check::read(&setup, check::TOPICS[1]).await.len() < 2
        || check::read(&setup, check::TOPICS[2]).await.is_empty()
    {
        assert!(Instant::now() < until, "the sweep found too little: {}", replica.logs());
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    all(&court, court.trials("operator", Some(&setup)).await, operate).await;
    all(&court, court.trials("consumer", Some(&setup)).await, consume).await;
}

/// The lines as they are printed, run with Kafka's tool, make what the JSON says.
async fn kafkas_own_tool_takes_the_lines(court: &Court) {
    let setup = court.setup(None);
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

async fn operate(court: Arc<Court>, trial: Trial) {
    let key = format!("{PROJECT}/{}", court.ids[0]);
    let mut said = String::new();
    for arguments in [
        &["reconcile", &key][..],
        &["verify", "--project", PROJECT],
        &["redrive", "--dry-run"],
        &["redrive"],
        &["erase", &key],
        &["backfill", "--project", PROJECT, "--from", "2026-01-01", "--to", "2026-01-02"],
    ] {
        let (code, out, err) = run(&trial.setup, arguments).await;
        match &trial.missing {
            Some(missing) if tells_of(&err, missing) => return,
            Some(_) => said += &format!("{arguments:?}: {code:?} {out}{err}\n"),
            // Without --yes, `erase` only tells.
            None if arguments[0] == "erase" => assert_eq!(code, Some(64), "{arguments:?}: {out}{err}"),
            None => assert_eq!(code, Some(0), "{arguments:?}: {out}{err}"),
        }
    }
    if let Some(missing) = &trial.missing {
        panic!("without {} nothing failed:\n{said}", missing.text);
    }
}

async fn consume(court: Arc<Court>, trial: Trial) {
    let missing = trial.missing.as_ref().map(|missing| missing.text.clone());
    let read = spawn_blocking(move || read_downstream(&court.broker, &trial)).await.expect("read");
    match (missing, read) {
        (None, Ok(())) | (Some(_), Err(_)) => {}
        (missing, read) => panic!("without {missing:?}: {read:?}"),
    }
}

/// A consumer as any downstream team has one, until it has read both topics, or is denied one.
fn read_downstream(broker: &SecureBroker, trial: &Trial) -> Result<(), RDKafkaErrorCode> {
    let (address, _) = broker.plain(&trial.user, PASSWORD);
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", address)
        .set("security.protocol", "sasl_plaintext")
        .set("sasl.mechanisms", "PLAIN")
        .set("sasl.username", &trial.user)
        .set("sasl.password", PASSWORD)
        .set("group.id", &trial.user)
        .set("isolation.level", "read_committed")
        .set("auto.offset.reset", "earliest")
        .create()
        .expect("a consumer");
    let topics = [0, 1].map(|at| format!("{}{}", trial.setup.prefix, check::TOPICS[at]));
    consumer.subscribe(&topics.each_ref().map(String::as_str)).expect("subscribed");
    let (mut read, until) = (BTreeSet::new(), Instant::now() + PATIENCE);
    while read.len() < topics.len() {
        assert!(Instant::now() < until, "{}: read {read:?} only", trial.user);
        match consumer.poll(Duration::from_millis(200)) {
            Some(Ok(record)) => drop(read.insert(record.topic().to_owned())),
            Some(Err(KafkaError::MessageConsumption(
                code @ (RDKafkaErrorCode::TopicAuthorizationFailed | RDKafkaErrorCode::GroupAuthorizationFailed),
            ))) => return Err(code),
            _ => {}
        }
    }
    Ok(())
}
