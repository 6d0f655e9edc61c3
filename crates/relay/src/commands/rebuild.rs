//! `ledger rebuild`: a lost ledger is made anew out of the state topic and the events, so that sequences go on.
//!
//! Refuses while a replica is a member of the group, and on a ledger that has entries. Without `--yes` it only counts.

use super::support::{self, Ended};
use crate::cli::{Exit, Rebuild};
use crate::config::{Config, Environment};
use models::{Entry, EventKind, Key, Snapshot};
use publisher::reading::{Start, TopicReader};
use publisher::record::{META_PARTITIONS, Topic};
use publisher::{members, rebuild, topics};
use reconciler::decision::rebuild::{LastEvent, rebuilt};
use serde_json::json;
use std::collections::BTreeMap;
use std::io::Write;

/// Exit 0 once it is rebuilt, or counted; 1 if it must not be done; 69 if Kafka does not answer.
pub(super) fn run(
    arguments: &Rebuild,
    environment: &Environment,
    out: &mut impl Write,
    err: &mut impl Write,
) -> anyhow::Result<Exit> {
    support::with_config(&arguments.config, environment, err, |config, err| work(arguments, &config, out, err))
}

/// What the public topics still show of one submission.
#[derive(Default)]
struct Trace {
    snapshot: Option<Snapshot>,
    /// Whether the state topic still has its tombstone.
    tombstone: bool,
    last: Option<LastEvent>,
}

impl Trace {
    fn last(&self) -> Option<LastEvent> {
        // A baseline that was erased has a tombstone, and never had an event.
        self.last.or(self.tombstone.then_some(LastEvent { sequence: 0, deleted: false }))
    }
}

fn work(arguments: &Rebuild, config: &Config, out: &mut impl Write, err: &mut impl Write) -> Result<Exit, Ended> {
    let settings = config.kafka.settings();
    if let Some(why) = forbidden(config)? {
        writeln!(err, "error: {why}")?;
        return Ok(Exit::Failed);
    }
    let now = support::now();
    let mut rng = fastrand::Rng::new();
    let entries: Vec<(Key, Entry)> = traces(config)?
        .into_iter()
        .filter_map(|(key, trace)| Some((key, rebuilt(trace.snapshot.as_ref(), trace.last(), now, &mut rng)?)))
        .collect();
    let graves = entries.iter().filter(|(_, entry)| entry.grave.is_some()).count();
    let erased = entries.iter().filter(|(_, entry)| entry.is_erased()).count();
    let total = entries.len();
    let mut text = format!("{total} submissions, {graves} of them gone ({erased} of these erased)\n");
    if arguments.yes {
        // Another look, right before: reading may have taken long.
        if let Some(why) = forbidden(config)? {
            writeln!(err, "error: {why}")?;
            return Ok(Exit::Failed);
        }
        let partitions = TopicReader::open(&settings, Topic::Ledger, &Start::End)?.partitions();
        rebuild::write(&settings, partitions, entries.into_iter())?;
        text.push_str("the ledger is rebuilt\n");
    } else {
        text.push_str("nothing was written: say --yes to do it\n");
    }
    let document = json!({ "submissions": total, "gone": graves, "erased": erased, "written": arguments.yes });
    support::print(out, arguments.output.output, &text, &document)?;
    Ok(Exit::Done)
}

/// Why the ledger must not be written now.
fn forbidden(config: &Config) -> Result<Option<String>, Ended> {
    let settings = config.kafka.settings();
    let wrong = support::runtime()?.block_on(topics::verify_layout(&settings))?;
    if let Some(finding) = wrong.first() {
        return Ok(Some(format!("`topics apply` first: {finding}")));
    }
    let members: Vec<String> = members::members(&settings)?.into_iter().map(|member| member.instance).collect();
    if !members.is_empty() {
        return Ok(Some(format!(
            "replicas are members of the group {}: stop them, and wait for kafka.session_timeout: {}",
            settings.group_id,
            members.join(", ")
        )));
    }
    let mut found = None;
    TopicReader::open(&settings, Topic::Ledger, &Start::Beginning)?.read_to_end(|record| {
        if record.key.as_deref() != Some(META_PARTITIONS) {
            found = record.key;
        }
        found.is_none()
    })?;
    Ok(found.map(|key| format!("the ledger is not empty: it has a record of {key}; only a lost one is rebuilt")))
}

/// Every submission that has a snapshot or an event.
fn traces(config: &Config) -> Result<BTreeMap<Key, Trace>, Ended> {
    let settings = config.kafka.settings();
    let mut traces: BTreeMap<Key, Trace> = BTreeMap::new();
    let mut unreadable = None;
    TopicReader::open(&settings, Topic::State, &Start::Beginning)?.read_to_end(|record| {
        let Some(key) = record.key.as_deref().and_then(|key| Key::parse(key).ok()) else { return true };
        match record.json::<Snapshot>().transpose() {
            Ok(snapshot) => {
                let trace = traces.entry(key).or_default();
                (trace.tombstone, trace.snapshot) = (snapshot.is_none(), snapshot);
            }
            Err(error) => unreadable = Some(format!("the snapshot of {key} cannot be read: {error}")),
        }
        unreadable.is_none()
    })?;
    TopicReader::open(&settings, Topic::Events, &Start::Beginning)?.read_to_end(|record| {
        let Some(key) = record.key.as_deref().and_then(|key| Key::parse(key).ok()) else { return true };
        let Some(sequence) = record.header("ce_sequence").and_then(|text| text.parse().ok()) else {
            unreadable = Some(format!("an event of {key} has no sequence"));
            return false;
        };
        let deleted = record.header("ce_type") == Some(EventKind::Deleted.as_str());
        traces.entry(key).or_default().last = Some(LastEvent { sequence, deleted });
        true
    })?;
    unreadable.map_or(Ok(traces), |why| Err(anyhow::anyhow!(why).into()))
}
