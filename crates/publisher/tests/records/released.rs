//! What releases wrote, read by this one: an upgrade meets records of the release before, a rollback those of the one
//! after.
//!
//! `tests/released/VERSION` has the golden files of a release as they were, and the bytes of its ledger's records. A
//! released file never changes; `SHA256SUMS` holds that. `make contracts RELEASE=1` keeps those of this version.

use super::ledger::{self, Told};
use super::{deleted, event, hint, key, name_of, notifications, opened, personal, requests, sealer, snapshot};
use models::entry::LedgerFormat;
use models::event::EventData;
use models::{Entry, Hint, Memo, Notification, Request, Snapshot};
use publisher::record;
use publisher::sealing::Field;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

fn here(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(name)
}

fn files(folder: &Path) -> BTreeMap<String, String> {
    let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    let named = files.map(|path| {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        (name, std::fs::read_to_string(&path).unwrap())
    });
    named.collect()
}

/// The files of each release, by version.
fn released() -> BTreeMap<String, BTreeMap<String, String>> {
    let folders = std::fs::read_dir(here("released")).unwrap().map(|entry| entry.unwrap().path());
    let folders = folders.filter(|path| path.is_dir());
    folders.map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), files(&path))).collect()
}

fn sum(text: &str) -> String {
    hex::encode(Sha256::digest(text.as_bytes()))
}

#[test]
fn the_bytes_of_the_ledger_are_those_of_the_golden_file() {
    let path = here("records/ledger.txt");
    let now = ledger::shown();
    let Ok(then) = std::fs::read_to_string(&path) else {
        std::fs::write(&path, now).unwrap();
        panic!("{} was missing and is written; look at it and run again", path.display());
    };
    assert_eq!(now, then, "a changed format needs a new LEDGER_VERSION or MEMO_VERSION");
}

/// As with the released schemas: the records of a version are kept when it is released, and never again.
#[test]
fn this_version_has_its_released_records() {
    let version = env!("CARGO_PKG_VERSION");
    let (folder, sums) = (here("released").join(version), here("released/SHA256SUMS"));
    if std::env::var_os("RELEASE").is_some_and(|value| !value.is_empty()) {
        assert!(!folder.exists(), "{version} is released; what it wrote never changes");
        std::fs::create_dir_all(&folder).unwrap();
        let mut listed = std::fs::read_to_string(&sums).unwrap_or_default();
        let ledger = ("ledger.txt".to_owned(), ledger::shown());
        for (name, text) in files(&here("golden")).into_iter().chain([ledger]) {
            listed += &[&sum(&text), "  ", version, "/", &name, "\n"].concat();
            std::fs::write(folder.join(name), text).unwrap();
        }
        std::fs::write(sums, listed).unwrap();
    }
    assert!(released().contains_key(version), "run `make contracts RELEASE=1`");
}

#[test]
fn what_was_released_never_changes() {
    let list = std::fs::read_to_string(here("released/SHA256SUMS")).unwrap();
    let mut listed: BTreeMap<&str, &str> = BTreeMap::new();
    for line in list.lines() {
        let (sum, name) = line.split_once("  ").unwrap();
        assert_eq!(listed.insert(name, sum), None, "{name} is listed twice");
    }
    for (version, files) in released() {
        for (name, text) in files {
            let name = format!("{version}/{name}");
            assert_eq!(listed.remove(name.as_str()), Some(sum(&text).as_str()), "{name} has changed, or is new");
        }
    }
    assert!(listed.is_empty(), "released, and gone: {listed:?}");
}

/// The value of a record in its text form.
fn payload(text: &str) -> &[u8] {
    text.split_once("\n\n").unwrap().1.trim_end().as_bytes()
}

fn json<T: serde::de::DeserializeOwned>(text: &str) -> T {
    serde_json::from_slice(payload(text)).unwrap()
}

#[test]
fn this_release_reads_what_every_release_wrote() {
    for (version, files) in released() {
        for (name, text) in &files {
            let read = read_back(name.strip_suffix(".txt").unwrap(), text);
            assert!(read, "{version}/{name}: this release does not know what it is");
        }
    }
}

/// Reads a record and holds it to what was written; false if nobody knows the name. A later release that adds a field
/// gives it here the value that it reads where the field is absent.
fn read_back(name: &str, text: &str) -> bool {
    match name {
        "event" => assert_eq!(json::<EventData>(text), event().data),
        "event_deleted" => assert_eq!(json::<EventData>(text), deleted().data),
        "event_sealed" => assert_eq!(opened(&json::<EventData>(text)), personal().data),
        "snapshot" => assert_eq!(json::<Snapshot>(text), snapshot()),
        "snapshot_deleted" => assert_eq!(payload(text), b"null"),
        "hint" => assert_eq!(json::<Hint>(text), hint()),
        "layout" => assert_eq!(record::read_layout(payload(text)), Some(12)),
        "dead_letter" => {
            // What `redrive` looks at, and operators.
            assert_eq!(payload(text), b"null");
            for line in ["key: Some(\"acme/k3f9x1mes3ugzb\")", "argos_relay.reason: unreadable_answer"] {
                assert!(text.lines().any(|found| found == line), "{line}");
            }
        }
        "ledger" => ledger_of(text),
        _ => {
            let notices = notifications();
            let notice = notices.iter().find(|notice| name.strip_prefix("notification_") == Some(name_of(notice)));
            let requests = requests();
            let request = requests.iter().find(|(request, _)| name.strip_prefix("request_") == Some(request));
            if let Some(notice) = notice {
                assert_eq!(&json::<Notification>(text), notice);
            }
            if let Some((_, request)) = request {
                assert_eq!(&json::<Request>(text), request);
            }
            return notice.is_some() || request.is_some();
        }
    }
    true
}

fn ledger_of(text: &str) {
    let known: BTreeMap<String, Told> = ledger::all().into_iter().collect();
    for (name, bytes) in ledger::lines(text) {
        let told = known.get(&name).unwrap_or_else(|| panic!("{name}: this release has no such record"));
        assert_eq!(&told.read_alike(&bytes), told, "{name}");
    }
}

/// What of the ledger stops the service, and of the other topics is passed over with a dead letter or a warning: that is
/// held by `kafka/restore.rs`, `kafka/memos.rs`, and `foreign_and_unreadable_hints_are_moved_or_dead_lettered`.
#[test]
fn an_unknown_version_of_each_is_refused_and_never_guessed_at() {
    for (name, told) in ledger::all() {
        for version in (0..=u8::MAX).filter(|version| *version != told.encode()[0]) {
            let mut bytes = told.encode();
            bytes[0] = version;
            let refused = match told {
                Told::Entry(_) => Entry::decode(&bytes).unwrap_err(),
                Told::Memo(_) => Memo::decode(&bytes).unwrap_err(),
            };
            assert_eq!(refused, LedgerFormat::UnknownVersion(version), "{name}");
        }
    }
    let golden = files(&here("golden"));
    let other = |file: &str, this: &str, that: &str| {
        let text = String::from_utf8(payload(&golden[file]).to_vec()).unwrap();
        assert!(text.contains(this), "{file}");
        text.replacen(this, that, 1)
    };
    let refused = |error: serde_json::Error, what: &str| {
        assert!(error.to_string().contains(what), "{error}");
    };
    let text = other("hint.txt", r#""source":"webhook""#, r#""source":"pigeon""#);
    refused(serde_json::from_str::<Hint>(&text).unwrap_err(), "unknown variant `pigeon`");
    let text = other("request_full_sweep.txt", "full_sweep", "half_sweep");
    refused(serde_json::from_str::<Request>(&text).unwrap_err(), "unknown variant `half_sweep`");
    let text = other("notification_quota_spent.txt", "quota_spent", "quota_kept");
    refused(serde_json::from_str::<Notification>(&text).unwrap_err(), "unknown variant `quota_kept`");
    let text = other("snapshot.txt", r#""sequence":3"#, r#""sequence_v2":3"#);
    refused(serde_json::from_str::<Snapshot>(&text).unwrap_err(), "missing field `sequence`");
    let text = other("layout.txt", "partitions", "partitions_v2");
    assert_eq!(record::read_layout(text.as_bytes()), None);
    let sealed = json::<EventData>(&golden["event_sealed.txt"]).submission.user_id.unwrap();
    let newer = sealed.replacen("sealed:v1:", "sealed:v2:", 1);
    assert!(sealer().open(&key(), Field::UserId, &sealed).is_ok());
    assert!(sealer().open(&key(), Field::UserId, &newer).is_err());
}
