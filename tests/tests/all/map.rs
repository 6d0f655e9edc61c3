//! The map of the crates, held: who may depend on whom, and what the pure files may not name.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Every arrow between the rooms. A new one needs a page in docs/decisions.
const ARROWS: [(&str, &[&str]); 10] = [
    ("models", &[]),
    ("argos", &["models"]),
    ("ingest", &["models", "argos"]),
    ("reconciler", &["models"]),
    ("publisher", &["models"]),
    ("simulator", &[]),
    ("argos-relay", &["models", "argos", "ingest", "reconciler", "publisher", "simulator"]),
    ("tests", &["argos-relay", "models", "simulator"]),
    // For who reads the topics: it knows the contract alone.
    ("example-consumer", &[]),
    ("bench", &["argos", "models", "publisher", "reconciler", "simulator", "tests"]),
];

#[test]
fn no_arrow_between_the_rooms_is_new() {
    let metadata = cargo_metadata::MetadataCommand::new().no_deps().exec().expect("cargo metadata");
    let rooms: BTreeSet<String> = metadata.packages.iter().map(|package| package.name.to_string()).collect();
    let found: BTreeMap<String, BTreeSet<String>> = metadata
        .packages
        .iter()
        .map(|package| {
            let arrows = package.dependencies.iter().map(|dependency| dependency.name.clone());
            (package.name.to_string(), arrows.filter(|name| rooms.contains(name)).collect())
        })
        .collect();
    let drawn: BTreeMap<String, BTreeSet<String>> = ARROWS
        .iter()
        .map(|(room, arrows)| ((*room).to_owned(), arrows.iter().map(|arrow| (*arrow).to_owned()).collect()))
        .collect();
    assert_eq!(found, drawn);
}

/// No async, no logs, no metrics, no clock, no chance of their own.
const PURE: [&str; 41] = [
    "crates/reconciler/src/decision",
    "crates/reconciler/src/queue.rs",
    "crates/reconciler/src/queue",
    "crates/reconciler/src/standing.rs",
    "crates/reconciler/src/breaker.rs",
    "crates/reconciler/src/budget.rs",
    "crates/reconciler/src/sweep.rs",
    "crates/reconciler/src/sweep",
    "crates/reconciler/src/window.rs",
    "crates/reconciler/src/journal.rs",
    "crates/relay/src/operate/explain/timeline.rs",
    "crates/relay/src/operate/explain/verdict.rs",
    "crates/reconciler/src/policy.rs",
    "crates/ingest/src/authenticate.rs",
    "crates/ingest/src/client_address.rs",
    "crates/ingest/src/signature.rs",
    "crates/ingest/src/rejection.rs",
    "crates/ingest/src/replay.rs",
    "crates/argos/src/cipher.rs",
    "crates/argos/src/cipher",
    "crates/argos/src/sealed.rs",
    "crates/argos/src/query.rs",
    "crates/argos/src/webhook.rs",
    "crates/argos/src/document.rs",
    "crates/argos/src/head.rs",
    "crates/argos/src/submission.rs",
    "crates/argos/src/timestamp.rs",
    "crates/argos/src/list.rs",
    "crates/argos/src/row.rs",
    "crates/argos/src/one_pass.rs",
    "crates/argos/src/scan.rs",
    "crates/argos/src/lookup.rs",
    "crates/argos/src/slices.rs",
    "crates/argos/src/reasons.rs",
    "crates/publisher/src/record.rs",
    "crates/publisher/src/schemas.rs",
    "crates/publisher/src/sealing.rs",
    "crates/publisher/src/partition.rs",
    "crates/publisher/src/refusal.rs",
    "crates/publisher/src/topics/access.rs",
    "crates/models/src",
];

const BANNED: [&str; 10] = [
    "async fn",
    ".await",
    "tracing::",
    "prometheus::",
    "tokio::",
    "SystemTime",
    "Instant::now",
    "Timestamp::now",
    "Rng::new()",
    "std::env",
];

#[test]
fn pure_files_stay_pure() {
    let mut files = 0;
    for place in PURE {
        let place = tests::broker::root().join(place);
        visit(&place, &mut |path, text| {
            files += 1;
            let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
            for word in BANNED {
                let line = code.lines().find(|line| line.contains(word) && !line.trim_start().starts_with("//"));
                assert!(line.is_none(), "{}: `{word}` in a pure file: {}", path.display(), line.unwrap_or_default());
            }
        });
    }
    assert!(files > 25, "{files} files were looked at");
}

fn visit(place: &Path, look: &mut impl FnMut(&Path, &str)) {
    assert!(place.exists(), "{} is gone", place.display());
    if place.is_dir() {
        for entry in std::fs::read_dir(place).expect("a folder").flatten() {
            visit(&entry.path(), look);
        }
    } else if place.extension().is_some_and(|extension| extension == "rs") {
        look(place, &std::fs::read_to_string(place).expect("a file"));
    }
}
