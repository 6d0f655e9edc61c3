//! Whether what was published agrees with the simulated ARGOS: written without the decision, from the two ends only.
//!
//! Owns: the comparison of the state topic, and of an event's (kyc, aml) pair, with the world's truth and history.

use models::{AmlStatus, Key, Risk, Snapshot};
use simulator::{TruthView, World};
use std::collections::BTreeMap;

/// Every difference between the world and the state topic, one text each; empty = they agree.
pub fn differences(world: &World, states: &BTreeMap<Key, Snapshot>) -> Vec<String> {
    let mut found = Vec::new();
    let mut known = 0;
    for project in world.projects() {
        for truth in world.truth(&project) {
            let key = Key::parse(&format!("{project}/{}", truth.id));
            let snapshot = key.ok().and_then(|key| states.get(&key));
            known += usize::from(snapshot.is_some());
            if let Some(text) = difference(&truth, snapshot) {
                found.push(format!("{project}/{}: {text}", truth.id));
            }
        }
    }
    if known != states.len() {
        found.push(format!("{} states of submissions that never were", states.len() - known));
    }
    found
}

fn difference(truth: &TruthView, snapshot: Option<&Snapshot>) -> Option<String> {
    let gone = truth.deleted || truth.absent;
    let Some(snapshot) = snapshot else {
        return (!gone).then(|| format!("is {}, nothing is published", truth.kyc_status));
    };
    if gone {
        return Some(format!("is gone, published as {}", snapshot.facts.kyc.status));
    }
    let kyc = &snapshot.facts.kyc;
    let aml = &snapshot.facts.aml;
    let risk = match truth.risk.as_str() {
        "LOW" => Risk::Low,
        "MEDIUM" => Risk::Medium,
        "HIGH" => Risk::High,
        _ => Risk::Unknown,
    };
    let codes: Vec<&str> = kyc.reasons.iter().map(|reason| reason.code.as_str()).collect();
    let wrong = [
        ("kyc.status", kyc.status.as_str() != truth.kyc_status),
        ("aml.status", !aml_agrees(aml.status, truth)),
        ("aml.risk", aml.risk != risk),
        ("kyc.reasons", truth.kyc_status == "rejected" && codes != truth.codes),
    ];
    let names: Vec<&str> = wrong.into_iter().filter(|(_, wrong)| *wrong).map(|(name, _)| name).collect();
    let shown = format!("{} {} {}", kyc.status, aml.status, aml.risk);
    let real = format!("{} {} {}", truth.kyc_status, truth.aml_status, truth.risk);
    (!names.is_empty()).then(|| format!("published {shown}, true {real}: {}", names.join(", ")))
}

/// A GET cannot tell a clean screening from none; only a webhook that was taken in does.
fn aml_agrees(published: AmlStatus, truth: &TruthView) -> bool {
    match published {
        AmlStatus::RedFlag => truth.aml_status == "Red Flag",
        AmlStatus::Clear => truth.aml_status == "Not Screened" && truth.aml_told,
        AmlStatus::NotScreened => truth.aml_status == "Not Screened",
        AmlStatus::Unknown => false,
    }
}

/// Whether a published (kyc, aml) pair was ever true of a submission. `clear` stands on "Not Screened".
pub fn was_ever_true(world: &World, key: &Key, kyc: &str, aml: AmlStatus) -> bool {
    let shown = if aml == AmlStatus::RedFlag { "Red Flag" } else { "Not Screened" };
    world.history(key.project(), key.submission()).iter().any(|(was, aml)| was == kyc && aml == shown)
}
