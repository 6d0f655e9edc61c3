//! `contracts/asyncapi.yaml` is valid for the reference parser and names every schema of `contracts/schemas`, each for the
//! message of its name. The parser comes from npm in pinned versions: `tests/asyncapi`.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn parse(document: &Path) -> Output {
    Command::new(root().join("tests/asyncapi/run.sh")).arg(document).output().unwrap()
}

fn told(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// The names of `contracts/schemas`.
fn schemas() -> BTreeSet<String> {
    let files = std::fs::read_dir(root().join("contracts/schemas")).unwrap().map(|file| file.unwrap().path());
    files.map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned()).collect()
}

#[test]
fn the_asyncapi_document_is_valid_and_whole() {
    let document = root().join("contracts/asyncapi.yaml");
    let output = parse(&document);
    if output.status.code() == Some(69) && std::env::var_os("CI").is_none() {
        eprintln!("NOT RUN: the AsyncAPI parser cannot be had here\n{}", told(&output));
        return;
    }
    assert!(output.status.success(), "{}", told(&output));

    let mut named = BTreeSet::new();
    for line in String::from_utf8(output.stdout).unwrap().lines() {
        let [action, topic, message, payload, headers] = line.split(' ').collect::<Vec<_>>()[..] else {
            panic!("{line}")
        };
        assert_eq!(action, "send", "{line}");
        for id in [payload, headers] {
            named.extend(id.strip_prefix("urn:argos-relay:schema:").map(str::to_owned));
        }
        assert!(payload == "-" || payload == format!("urn:argos-relay:schema:{message}"), "{line}");
        assert!(headers == "-" || headers == format!("urn:argos-relay:schema:{topic}.headers"), "{line}");
    }
    assert_eq!(named, schemas(), "in asyncapi.yaml, in contracts/schemas");

    // What is wrong is found: a document that points nowhere, and one with a word that AsyncAPI does not know.
    let text = std::fs::read_to_string(&document).unwrap();
    for (right, wrong) in
        [("./schemas/kyc.submission.state.v1.json", "./schemas/none.json"), ("action: send", "action: shout")]
    {
        // The same folder, so that the other references still lead somewhere.
        let path = root().join(format!("contracts/.wrong-{}.yaml", std::process::id()));
        std::fs::write(&path, text.replace(right, wrong)).unwrap();
        let output = parse(&path);
        std::fs::remove_file(&path).unwrap();
        assert_eq!(output.status.code(), Some(1), "{wrong}: {}", told(&output));
    }
}
