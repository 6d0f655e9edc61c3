//! Asking the cluster about the topics, and making those that are missing.

use super::policy::{Actual, Finding, TopicPolicy, findings, layout_findings, policies};
use super::{TopicLine, TopicOutcome, TopicsReport};
use crate::asking::{self, Unanswered};
use crate::record::{self, META_PARTITIONS};
use crate::refusal::Refusal;
use crate::settings::{KafkaSettings, millis};
use rdkafka::admin::{
    AdminClient, AdminOptions, ConfigEntry, ConfigResourceResult, NewTopic, ResourceSpecifier, TopicReplication,
};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::Consumer;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Message, OwnedHeaders};
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::{Offset, TopicPartitionList};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// How long one question may take.
const QUESTION: Duration = Duration::from_secs(10);

/// Why the topics could not be looked at.
#[derive(Debug, thiserror::Error)]
pub enum TopicsError {
    /// The cluster cannot be reached, or does not answer.
    #[error("the cluster does not answer")]
    Unreachable(#[source] KafkaError),
    /// The cluster will not have us: a wrong password, a certificate, another protocol.
    #[error("the cluster refuses: {0}")]
    Refused(Refusal),
    /// We came in, and may not do what this needs.
    #[error("{0}")]
    Denied(Refusal),
    /// The cluster refused to make a topic.
    #[error("topic {topic} was not made: {code}")]
    NotMade {
        /// Its name.
        topic: String,
        /// Kafka's word.
        code: RDKafkaErrorCode,
    },
    /// The cluster refused to show a topic's configuration.
    #[error("the configuration of a topic was not shown: {0}")]
    NotShown(RDKafkaErrorCode),
    /// The task was cancelled by the runtime.
    #[error("interrupted")]
    Interrupted,
}

impl TopicsError {
    /// Whether it may be otherwise in a while, though nothing changes here: to be waited for.
    pub const fn is_away(&self) -> bool {
        matches!(self, TopicsError::Unreachable(_) | TopicsError::Refused(_))
    }

    /// Of something that was asked of `what`.
    fn about(what: &str, error: KafkaError) -> TopicsError {
        let denied = error.rdkafka_error_code().and_then(|code| Refusal::denied(code, what));
        denied.map_or(TopicsError::Unreachable(error), TopicsError::Denied)
    }
}

impl From<KafkaError> for TopicsError {
    fn from(error: KafkaError) -> TopicsError {
        TopicsError::Unreachable(error)
    }
}

impl From<Unanswered> for TopicsError {
    fn from(unanswered: Unanswered) -> TopicsError {
        match unanswered {
            Unanswered::Refused(refusal) => TopicsError::Refused(refusal),
            Unanswered::Away(error) => TopicsError::Unreachable(error),
        }
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, TopicsError> + Send + 'static,
) -> Result<T, TopicsError> {
    tokio::task::spawn_blocking(work).await.map_err(|_| TopicsError::Interrupted)?
}

/// Creates the topics that are missing, records the ledger's layout if it is not recorded, and reports on all.
pub async fn apply(settings: &KafkaSettings) -> Result<TopicsReport, TopicsError> {
    apply_telling(settings, |_, _| {}).await
}

/// As [`apply`]; `tell` hears how many partitions are there, and of how many.
pub async fn apply_telling(settings: &KafkaSettings, tell: impl Fn(i32, i32)) -> Result<TopicsReport, TopicsError> {
    let policies = policies(settings);
    let client: AdminClient<DefaultClientContext> = settings.client("topics").create()?;
    let there = partition_counts(settings, &policies).await?;
    let missing: Vec<&TopicPolicy> = policies.iter().filter(|policy| !there.contains_key(&policy.name)).collect();
    let configs: Vec<_> = missing.iter().map(|policy| policy.config()).collect();
    let new = missing.iter().zip(&configs).map(|(policy, config)| {
        let topic = NewTopic::new(&policy.name, policy.partitions, TopicReplication::Fixed(policy.replication));
        config.iter().fold(topic, |topic, (key, value)| topic.set(key, value))
    });
    let new: Vec<NewTopic<'_>> = new.collect();
    let mut created = Vec::new();
    if !new.is_empty() {
        let of = policies.iter().map(|policy| policy.partitions).sum();
        tell(there.values().sum::<i32>().min(of), of);
        let options = AdminOptions::new().operation_timeout(Some(QUESTION)).request_timeout(Some(QUESTION));
        for result in client.create_topics(&new, &options).await? {
            match result {
                Ok(topic) => created.push(topic),
                Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
                Err((topic, code)) => {
                    let denied = Refusal::denied(code, &format!("making the topic {topic}"));
                    return Err(denied.map_or(TopicsError::NotMade { topic, code }, TopicsError::Denied));
                }
            }
        }
        wait_for(settings, &policies, &tell).await?;
    }
    if recorded(settings).await?.is_none() {
        let ledger = settings.names().ledger;
        let count = partition_counts(settings, &policies).await?.get(&ledger).copied().unwrap_or_default();
        record_layout(settings, count).await?;
    }
    let mut report = check(settings).await?;
    for line in &mut report.lines {
        if line.outcome == TopicOutcome::Fits && created.contains(&line.topic) {
            line.outcome = TopicOutcome::Created;
        }
    }
    Ok(report)
}

/// Compares the topics with their policies.
pub async fn check(settings: &KafkaSettings) -> Result<TopicsReport, TopicsError> {
    let policies = policies(settings);
    let mut actual = describe(settings, &policies).await?;
    let lines = policies.iter().map(|policy| line_of(policy, actual.get(&policy.name))).collect();
    let names = settings.names();
    let mut count = |name: &str| actual.remove(name).map_or(0, |one| one.partitions);
    let (hints, bulk, ledger) = (count(&names.hints), count(&names.bulk), count(&names.ledger));
    let recorded = if ledger > 0 { recorded(settings).await? } else { None };
    Ok(TopicsReport { lines, layout: layout_findings(hints, bulk, ledger, recorded) })
}

/// As [`check`], but of the two topics of hints only: what the front door alone needs, with no right to any other topic.
pub async fn check_hints(settings: &KafkaSettings) -> Result<TopicsReport, TopicsError> {
    let names = settings.names();
    let mut policies = policies(settings).to_vec();
    policies.retain(|policy| [&names.hints, &names.bulk].contains(&&policy.name));
    let actual = describe(settings, &policies).await?;
    let lines = policies.iter().map(|policy| line_of(policy, actual.get(&policy.name))).collect();
    let count = |name: &str| actual.get(name).map_or(0, |one| one.partitions);
    let (hints, bulk) = (count(&names.hints), count(&names.bulk));
    // The ledger is not ours to look at here; as if it fitted.
    Ok(TopicsReport { lines, layout: layout_findings(hints, bulk, hints, Some(hints)) })
}

fn line_of(policy: &TopicPolicy, actual: Option<&Actual>) -> TopicLine {
    let outcome = match actual.map(|actual| findings(policy, actual)) {
        None => TopicOutcome::Missing,
        Some(found) if found.is_empty() => TopicOutcome::Fits,
        Some(found) => TopicOutcome::Breaks(found),
    };
    TopicLine { topic: policy.name.clone(), outcome }
}

/// Whether hints, bulk hints and ledger fit together and are as the ledger was made: what `serve` asks before it
/// starts. Empty if all is well.
pub async fn verify_layout(settings: &KafkaSettings) -> Result<Vec<Finding>, TopicsError> {
    let names = settings.names();
    let counts = partition_counts(settings, &policies(settings)).await?;
    let count = |name: &String| counts.get(name).copied().unwrap_or_default();
    let recorded = if count(&names.ledger) > 0 { recorded(settings).await? } else { None };
    Ok(layout_findings(count(&names.hints), count(&names.bulk), count(&names.ledger), recorded))
}

/// Partitions and replicas of the topics that exist.
async fn shapes(
    settings: &KafkaSettings,
    policies: &[TopicPolicy],
) -> Result<BTreeMap<String, (i32, i32)>, TopicsError> {
    let config = settings.client("topics");
    let names: Vec<String> = policies.iter().map(|policy| policy.name.clone()).collect();
    blocking(move || {
        let client = asking::client(&config)?;
        let metadata = asking::metadata(&client, None, QUESTION)?;
        let shape = |topic: &rdkafka::metadata::MetadataTopic| {
            let replicas = topic.partitions().iter().map(|partition| partition.replicas().len()).min();
            (topic.name().to_owned(), (topic.partitions().len() as i32, replicas.unwrap_or_default() as i32))
        };
        let there = metadata.topics().iter().filter(|topic| topic.error().is_none());
        let there: BTreeMap<String, (i32, i32)> = there.map(shape).collect();
        // Of all topics, a cluster shows those that we may see; asked for one, it says whether there is none.
        for name in names.iter().filter(|name| !there.contains_key(*name)) {
            let metadata = asking::metadata(&client, Some(name), QUESTION)?;
            let hidden = metadata.topics().iter().find_map(rdkafka::metadata::MetadataTopic::error);
            if let Some(refusal) = hidden.and_then(|code| Refusal::denied(code.into(), &format!("seeing {name}"))) {
                return Err(TopicsError::Denied(refusal));
            }
        }
        Ok(there)
    })
    .await
}

async fn partition_counts(
    settings: &KafkaSettings,
    policies: &[TopicPolicy],
) -> Result<BTreeMap<String, i32>, TopicsError> {
    Ok(shapes(settings, policies).await?.into_iter().map(|(name, (partitions, _))| (name, partitions)).collect())
}

async fn describe(settings: &KafkaSettings, policies: &[TopicPolicy]) -> Result<BTreeMap<String, Actual>, TopicsError> {
    let shapes = shapes(settings, policies).await?;
    let client: AdminClient<DefaultClientContext> = settings.client("topics").create()?;
    let names: Vec<&str> = policies.iter().map(|policy| policy.name.as_str()).collect();
    let known: Vec<&str> = names.into_iter().filter(|name| shapes.contains_key(*name)).collect();
    let options = AdminOptions::new().request_timeout(Some(QUESTION));
    let wanted: Vec<_> = known.iter().map(|name| ResourceSpecifier::Topic(name)).collect();
    let mut all = BTreeMap::new();
    if wanted.is_empty() {
        return Ok(all);
    }
    // Answers come in the order of the questions.
    for (name, answer) in known.iter().zip(client.describe_configs(&wanted, &options).await?) {
        let config = shown(name, answer)?.into_iter().filter_map(|entry| Some((entry.name, entry.value?))).collect();
        let (partitions, replication) = shapes.get(*name).copied().unwrap_or_default();
        all.insert((*name).to_owned(), Actual { partitions, replication, config });
    }
    Ok(all)
}

/// A topic's settings. Every topic has some: none at all are what the client library makes of a denial.
fn shown(topic: &str, answer: ConfigResourceResult) -> Result<Vec<ConfigEntry>, TopicsError> {
    let code = match answer {
        Ok(resource) if !resource.entries.is_empty() => return Ok(resource.entries),
        Ok(_) => RDKafkaErrorCode::TopicAuthorizationFailed,
        Err(code) => code,
    };
    let denied = Refusal::denied(code, &format!("seeing the configuration of {topic}"));
    Err(denied.map_or(TopicsError::NotShown(code), TopicsError::Denied))
}

/// How long a topic keeps its records; `None` = for ever, or as long as its size allows.
pub async fn retention(settings: &KafkaSettings, topic: &str) -> Result<Option<Duration>, TopicsError> {
    // Hears of a refusal, which the client below does not.
    shapes(settings, &[]).await?;
    let client: AdminClient<DefaultClientContext> = settings.client("topics").create()?;
    let options = AdminOptions::new().request_timeout(Some(QUESTION));
    let answers = client.describe_configs([&ResourceSpecifier::Topic(topic)], &options).await?;
    let Some(answer) = answers.into_iter().next() else { return Ok(None) };
    let retention = shown(topic, answer)?.into_iter().find(|entry| entry.name == "retention.ms");
    // -1 is Kafka's word for ever.
    Ok(retention.and_then(|entry| entry.value?.parse().ok()).map(Duration::from_millis))
}

/// Until every broker asked knows all topics.
async fn wait_for(
    settings: &KafkaSettings,
    policies: &[TopicPolicy],
    tell: &impl Fn(i32, i32),
) -> Result<(), TopicsError> {
    let deadline = Instant::now() + QUESTION;
    loop {
        let counts = partition_counts(settings, policies).await?;
        let all = policies.iter().all(|policy| counts.get(&policy.name).is_some_and(|count| *count > 0));
        let made = policies.iter().filter_map(|policy| counts.get(&policy.name)).sum();
        tell(made, policies.iter().map(|policy| policy.partitions).sum());
        if all || Instant::now() >= deadline {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn record_layout(settings: &KafkaSettings, partitions: i32) -> Result<(), TopicsError> {
    let mut config = settings.client("topics");
    // Written twice it says the same, so nothing needs idempotence.
    config.set("acks", "all").set("message.timeout.ms", millis(QUESTION));
    let producer: FutureProducer = config.create()?;
    let (layout, topic) = (record::layout(partitions), settings.names().ledger);
    let mut next: FutureRecord<'_, String, Vec<u8>> = FutureRecord::to(&topic).headers(OwnedHeaders::new());
    next.key = layout.key.as_ref();
    next.payload = layout.payload.as_ref();
    next.partition = layout.partition;
    let sent = producer.send(next, QUESTION).await;
    // Dropping a producer waits for its thread.
    blocking(move || {
        drop(producer);
        Ok(())
    })
    .await?;
    sent.map(|_| ()).map_err(|(error, _)| TopicsError::about(&format!("writing to {topic}"), error))
}

/// What the ledger's partition 0 says of the layout. `topics apply` writes it first, so it is found near the start.
async fn recorded(settings: &KafkaSettings) -> Result<Option<i32>, TopicsError> {
    let mut config = settings.client("topics");
    config
        .set("group.id", &settings.group_id)
        .set("isolation.level", "read_uncommitted")
        .set("enable.auto.commit", "false")
        .set("auto.offset.reset", "earliest")
        .set("enable.partition.eof", "true")
        .set("fetch.wait.max.ms", "10");
    let ledger = settings.names().ledger;
    blocking(move || {
        let consumer = asking::client(&config)?;
        let mut from_start = TopicPartitionList::new();
        from_start.add_partition_offset(&ledger, 0, Offset::Beginning)?;
        consumer.assign(&from_start)?;
        let mut quiet_until = Instant::now() + QUESTION;
        while Instant::now() < quiet_until {
            match consumer.poll(Duration::from_millis(200)) {
                Some(Ok(message)) => {
                    quiet_until = Instant::now() + QUESTION;
                    if message.key() == Some(META_PARTITIONS.as_bytes()) {
                        return Ok(message.payload().and_then(record::read_layout));
                    }
                }
                Some(Err(KafkaError::PartitionEOF(_))) => return Ok(None),
                Some(Err(error)) if crate::errors::ends_consumer(&error) || crate::errors::denies_topic(&error) => {
                    return Err(TopicsError::about(&format!("reading {ledger}"), error));
                }
                Some(Err(_)) | None => {}
            }
        }
        Err(TopicsError::Unreachable(KafkaError::NoMessageReceived))
    })
    .await
}
