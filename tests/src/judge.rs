//! The verdict on what was published, from the records and the simulated world alone.
//!
//! Owns: order, repeats, gaps, inventions, and what was accepted and left no trace. Each check gives the list of what
//! is wrong, one text each; empty = nothing. Pure: reads no topic and no clock.
//!
//! Must not know: the service's decision, its ledger, or which faults there were.

use crate::topics::Record;
use models::event::EventData;
use models::{AmlStatus, Hint, Key, Risk, Snapshot, Time};
use simulator::{SendRecord, TruthView, World};
use std::collections::{BTreeMap, HashMap, HashSet};

/// An event as a consumer sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct Told {
    /// Where it stands.
    pub place: (i32, i64),
    /// Whose.
    pub key: Key,
    /// `ce_sequence`.
    pub sequence: u64,
    /// `ce_id`.
    pub id: String,
    /// `ce_type`.
    pub kind: String,
    /// `ce_recordedtime`: after the look.
    pub recorded: Time,
    /// What it says.
    pub data: EventData,
}

impl Told {
    /// Reads a record of the events topic.
    pub fn of(record: &Record) -> Result<Told, String> {
        let place = (record.partition, record.offset);
        let header =
            |name: &str| record.headers.get(name).cloned().ok_or_else(|| format!("{place:?}: no header {name}"));
        let told = |error: &dyn std::fmt::Display| format!("{place:?}: {error}");
        Ok(Told {
            place,
            key: Key::parse(&record.key).map_err(|error| told(&error))?,
            sequence: header("ce_sequence")?.parse().map_err(|error| told(&error))?,
            id: header("ce_id")?,
            kind: header("ce_type")?,
            recorded: header("ce_recordedtime")?.parse().map_err(|error| told(&error))?,
            data: serde_json::from_slice(record.value.as_deref().unwrap_or_default()).map_err(|error| told(&error))?,
        })
    }
}

/// What a consumer that reads event by event holds against each one: the sequence, the id, the event before, and the
/// vendor's clock.
#[derive(Debug, Default)]
pub struct Order {
    last: HashMap<Key, Last>,
    ids: HashSet<String>,
}

#[derive(Debug)]
struct Last {
    sequence: u64,
    /// Starts anew after a deletion: a grave keeps no vendor's clock.
    clock: Option<Time>,
}

impl Order {
    /// Takes the next event; says what is wrong with it.
    pub fn take(&mut self, event: &Told) -> Vec<String> {
        let mut wrong = Vec::new();
        let Told { key, sequence, .. } = event;
        let (before, clock) = self.last.get(key).map_or((0, None), |last| (last.sequence, last.clock));
        if *sequence != before + 1 {
            wrong.push(format!("{key}: sequence {sequence} after {before}: gap, repeat or disorder"));
        }
        if !self.ids.insert(event.id.clone()) {
            wrong.push(format!("{key}: id {} twice", event.id));
        }
        // None for every event of the first confirmation.
        if event.data.previous.as_ref().is_some_and(|previous| previous.sequence + 1 != *sequence) {
            wrong.push(format!("{key}: event {sequence} names {:?} as the one before", event.data.previous));
        }
        let now = event.data.provenance.vendor_updated_at;
        if let (Some(clock), Some(now)) = (clock, now)
            && now < clock
        {
            wrong.push(format!("{key}: event {sequence} is of {now}, the one before of {clock}"));
        }
        let clock = if event.data.kyc.is_none() { None } else { now.or(clock) };
        self.last.insert(key.clone(), Last { sequence: *sequence, clock });
        wrong
    }
}

/// Everything about order, repeats and gaps.
pub fn disorder(events: &[Told]) -> Vec<String> {
    let mut order = Order::default();
    events.iter().flat_map(|event| order.take(event)).collect()
}

/// Events that tell no version of the simulated history that had begun when they were recorded.
pub fn inventions(events: &[Told], world: &World) -> Vec<String> {
    let invented = events.iter().filter(|event| {
        let versions = world.versions(event.key.project(), event.key.submission());
        !versions.iter().any(|(since, truth)| *since <= event.recorded.as_millis() && tells(event, truth))
    });
    invented
        .map(|event| {
            let versions = world.versions(event.key.project(), event.key.submission());
            format!("{}: event {} was never true: {:?}; true were {versions:?}", event.key, event.sequence, event.data)
        })
        .collect()
}

/// Whether an event tells this version. A clean screening is shown by no GET; it rests on a notice that was sent.
fn tells(event: &Told, truth: &TruthView) -> bool {
    let (Some(kyc), Some(aml)) = (&event.data.kyc, &event.data.aml) else {
        return truth.deleted;
    };
    let risk = match truth.risk.as_str() {
        "LOW" => Risk::Low,
        "MEDIUM" => Risk::Medium,
        "HIGH" => Risk::High,
        _ => Risk::Unknown,
    };
    let screening = match aml.status {
        AmlStatus::RedFlag => truth.aml_status == "Red Flag",
        AmlStatus::Clear => truth.aml_status == "Not Screened" && truth.aml_told,
        AmlStatus::NotScreened => truth.aml_status == "Not Screened",
        AmlStatus::Unknown => false,
    };
    // A document also counts the attempt that went through.
    let attempts = truth.retries + u32::from(truth.kyc_status != "incomplete");
    let codes = || kyc.reasons.iter().map(|reason| reason.code.as_str()).eq(truth.codes.iter().map(String::as_str));
    screening
        && aml.risk == risk
        && kyc.status.as_str() == truth.kyc_status
        && kyc.retries == attempts
        && (truth.kyc_status != "rejected" || codes())
        && event.data.submission.user_id == truth.user_id
        && event.data.provenance.vendor_updated_at.map(Time::as_millis) == Some(truth.updated_at)
}

/// Snapshots that are not what the last event of their submission says.
pub fn unlike_last_event(events: &[Told], states: &BTreeMap<Key, Snapshot>) -> Vec<String> {
    let last: BTreeMap<&Key, &Told> = events.iter().map(|event| (&event.key, event)).collect();
    let mut wrong: Vec<String> = states
        .keys()
        .filter(|key| !last.contains_key(key))
        .map(|key| format!("{key}: a state without an event"))
        .collect();
    for (key, event) in last {
        let agrees = match (&event.data.kyc, &event.data.aml, states.get(key)) {
            (None, None, None) => true,
            (Some(kyc), Some(aml), Some(state)) => {
                (kyc, aml, event.sequence) == (&state.facts.kyc, &state.facts.aml, state.sequence)
            }
            _ => false,
        };
        if !agrees {
            let state = states.get(key);
            wrong.push(format!("{key}: the last event is {} {:?}, the state {state:?}", event.sequence, event.data));
        }
    }
    wrong
}

/// Webhooks that were answered 200 and are no hints: for each submission and trigger at least as many hints as 200s.
pub fn unkept(posts: &[SendRecord], hints: &[Record]) -> Vec<String> {
    let mut kept: HashMap<(String, String), usize> = HashMap::new();
    for record in hints {
        let hint: Result<Hint, _> = serde_json::from_slice(record.value.as_deref().unwrap_or_default());
        let trigger = hint.map_or_else(|error| error.to_string(), |hint| hint.claim.trigger);
        *kept.entry((record.key.clone(), trigger)).or_default() += 1;
    }
    let mut accepted: BTreeMap<(String, String), usize> = BTreeMap::new();
    for post in posts.iter().filter(|post| post.posted.status == Some(200)) {
        *accepted.entry((format!("{}/{}", post.project, post.id), post.trigger.to_string())).or_default() += 1;
    }
    let missing = accepted.iter().filter(|(what, count)| kept.get(what).copied().unwrap_or(0) < **count);
    missing
        .map(|((key, trigger), count)| {
            let kept = kept.get(&(key.clone(), trigger.clone())).copied().unwrap_or(0);
            let posted: Vec<String> = posts
                .iter()
                .filter(|post| *post.trigger == **trigger && key.ends_with(&*post.id) && !post.id.is_empty())
                .map(|post| format!("{:?} at {} us", post.posted.status, post.answered_us))
                .collect();
            format!("{key}: {count} webhooks `{trigger}` were answered 200, {kept} are hints: {posted:?}")
        })
        .collect()
}

/// Webhooks that were never answered 200, however often they were sent.
pub fn undelivered(posts: &[SendRecord]) -> Vec<String> {
    // Copies and resends of one webhook share the moment when it was due.
    let mut webhooks: BTreeMap<_, Vec<Option<u16>>> = BTreeMap::new();
    for post in posts {
        let webhook = (post.due_us, &*post.project, &*post.id, &*post.trigger);
        webhooks.entry(webhook).or_default().push(post.posted.status);
    }
    let missing = webhooks.into_iter().filter(|(_, answers)| !answers.contains(&Some(200)));
    missing
        .map(|((_, project, id, trigger), answers)| {
            format!("{project}/{id}: a webhook `{trigger}` never came in, answered {answers:?}")
        })
        .collect()
}

/// Where what a consumer saw while it happened differs from what the log holds in the end.
pub fn unlike_live(live: &BTreeMap<i32, Vec<(i64, String)>>, events: &[Told]) -> Vec<String> {
    let mut log: BTreeMap<i32, Vec<(i64, String)>> = BTreeMap::new();
    for event in events {
        log.entry(event.place.0).or_default().push((event.place.1, event.id.clone()));
    }
    let partitions: std::collections::BTreeSet<&i32> = live.keys().chain(log.keys()).collect();
    let differs = partitions.into_iter().filter(|partition| live.get(partition) != log.get(partition));
    differs
        .map(|partition| {
            let (live, log) = (live.get(partition).cloned(), log.get(partition).cloned());
            let (live, log) = (live.unwrap_or_default(), log.unwrap_or_default());
            let at = live.iter().zip(&log).take_while(|(live, log)| live == log).count();
            let lengths = (live.len(), log.len());
            format!("partition {partition}, record {at} of {lengths:?}: live {:?}, now {:?}", live.get(at), log.get(at))
        })
        .collect()
}

#[cfg(test)]
mod tests;
