//! The one line by which consumers are compared: docs/contract.md, "How to test a consumer".

use crate::handled::Handled;
use crate::states::States;
use sha2::{Digest, Sha256};
use std::collections::HashMap;

const KYC: [&str; 5] = ["incomplete", "pending", "approved", "rejected", "deleted"];
const AML: [&str; 3] = ["not_screened", "clear", "red_flag"];

/// Enums are open: a word of a later release is `unknown`, never an error.
fn word<'a>(value: &'a str, known: &[&str]) -> &'a str {
    if known.contains(&value) { value } else { "unknown" }
}

pub(crate) fn report(states: &States, handled: &[Handled], taken: u64) -> String {
    let last: HashMap<&str, i64> =
        handled.iter().flat_map(|one| &one.last).map(|(key, sequence)| (key.as_str(), *sequence)).collect();
    let mut unknown = 0;
    let mut lines = Vec::new();
    for (key, (_, row)) in &states.rows {
        let (kyc, aml) = (word(&row.kyc.status, &KYC), word(&row.aml.status, &AML));
        let sequence = last.get(key.as_str()).copied().unwrap_or(row.sequence);
        lines.push(format!("{key} {sequence} {kyc} {aml}\n"));
        unknown += u64::from(kyc == "unknown" || aml == "unknown");
    }
    let mut users: Vec<String> =
        states.latest_approved().map(|(user, submission)| format!("{user} {submission}\n")).collect();
    lines.sort_unstable();
    users.sort_unstable();
    let digest = hex::encode(Sha256::digest(lines.concat() + &users.concat()));
    let count = |name: &str| handled.iter().filter_map(|one| one.count.get(name)).sum::<u64>();
    let counts = ["events", "approvals", "duplicates", "older", "gaps"].map(|name| format!("{name}={}", count(name)));
    format!(
        "digest={digest} submissions={} users={} {} unknown={unknown} taken={taken}",
        lines.len(),
        users.len(),
        counts.join(" ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    /// The example of the schema, changed.
    fn snapshot(id: &str, change: impl FnOnce(&mut Value)) -> (String, Vec<u8>) {
        let schema: Value =
            serde_json::from_str(include_str!("../../../contracts/schemas/kyc.submission.state.v1.json")).unwrap();
        let mut shown = schema["examples"][0].clone();
        shown["submission"]["id"] = json!(id);
        change(&mut shown);
        (format!("acme/{id}"), serde_json::to_vec(&shown).unwrap())
    }

    #[test]
    fn the_line_is_as_the_contract_defines_it() {
        let mut states = States::default();
        let mut apply = |(key, value): (String, Vec<u8>)| states.apply(key, 0, Some(&value)).unwrap();
        apply(snapshot("b", |_| {}));
        apply(snapshot("a", |shown| shown["kyc"]["decided_at"] = json!("2026-03-03T00:00:00.000Z")));
        apply(snapshot("c", |shown| {
            (shown["kyc"]["status"], shown["aml"]["status"]) = (json!("escalated"), json!("red_flag"));
        }));
        apply(snapshot("d", |_| {}));
        states.apply("acme/d".to_owned(), 0, None).unwrap();
        let handled = Handled { last: HashMap::from([("acme/b".to_owned(), 4)]), ..Handled::default() };
        // The definition of docs/contract.md, by hand.
        let text = "acme/a 3 approved not_screened\nacme/b 4 approved not_screened\nacme/c 3 unknown red_flag\nacme/u-1001 a\n";
        let digest = hex::encode(Sha256::digest(text));
        let line = report(&states, &[handled], 0);
        assert_eq!(
            line,
            format!(
                "digest={digest} submissions=3 users=1 events=0 approvals=0 duplicates=0 older=0 gaps=0 unknown=1 taken=0"
            )
        );
        states.apply("acme/a".to_owned(), 0, None).unwrap();
        assert_eq!(states.latest_approved().collect::<Vec<_>>(), [("acme/u-1001", "b")]);
    }
}
