//! The published contract: `contracts/schemas`, generated from the types of this crate and held to them.
//!
//! Owns: the JSON Schemas of all that others read, their examples, and the rule by which they may change. Compiled for
//! tests only, and beside `src` because it reads and writes files, which nothing in `src` may.
//! Must not know: how records are made. It takes the publisher's golden files as what stands on the topics.
//!
//! Path: `generate` derives, `examples` shows, `compatible` compares, `registry` says the same in the dialect that schema
//! registries can compare; the tests below tie them to the files.
//! `make contracts` writes the files anew; `make contracts RELEASE=1` also keeps them as the released ones of the
//! workspace's version.

mod compatible;
mod examples;
mod generate;
mod golden;
mod registry;

use boon::{Compiler, SchemaIndex, Schemas};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Schemas by the last part of their URN, which is also the file's name without `.json`.
type Set = BTreeMap<String, Value>;

fn contracts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../contracts")
}

#[expect(clippy::disallowed_methods, reason = "a test that writes files when it is told to")]
fn is_set(variable: &str) -> bool {
    std::env::var(variable).is_ok_and(|value| !value.is_empty())
}

fn load(folder: &Path) -> Set {
    let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    let json = files.filter(|path| path.extension().is_some_and(|extension| extension == "json"));
    json.map(|path| {
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        (name, serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap())
    })
    .collect()
}

fn save(folder: &Path, set: &Set) {
    std::fs::create_dir_all(folder).unwrap();
    for name in load(folder).keys().filter(|name| !set.contains_key(*name)) {
        std::fs::remove_file(folder.join(format!("{name}.json"))).unwrap();
    }
    for (name, schema) in set {
        let text = serde_json::to_string_pretty(schema).unwrap() + "\n";
        std::fs::write(folder.join(format!("{name}.json")), text).unwrap();
    }
}

/// The released sets, by version.
fn released() -> BTreeMap<String, Set> {
    let folders = std::fs::read_dir(contracts().join("released")).unwrap().map(|folder| folder.unwrap().path());
    folders.map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), load(&path))).collect()
}

/// A set of schemas that a real validator has read, formats asserted.
struct Judge {
    schemas: Schemas,
    compiled: BTreeMap<String, SchemaIndex>,
}

impl Judge {
    fn new(set: &Set) -> Judge {
        let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
        compiler.enable_format_assertions();
        for (name, schema) in set {
            compiler.add_resource(&generate::urn(name), schema.clone()).unwrap();
        }
        let indices = set.keys().map(|name| {
            let index = compiler.compile(&generate::urn(name), &mut schemas);
            (name.clone(), index.unwrap_or_else(|error| panic!("{name}: {error:#}")))
        });
        Judge { compiled: indices.collect(), schemas }
    }

    fn check(&self, name: &str, value: &Value) -> Result<(), String> {
        let index = self.compiled.get(name).ok_or_else(|| format!("no schema {name}"))?;
        self.schemas.validate(value, *index).map_err(|error| format!("{name}: {error:#}"))
    }
}

/// Drift fails. `UPDATE=1` writes.
#[test]
fn the_schemas_are_those_of_the_types() {
    let (folder, set) = (contracts().join("schemas"), generate::schemas());
    if is_set("UPDATE") {
        save(&folder, &set);
    }
    let kept = load(&folder);
    assert_eq!(set.keys().collect::<Vec<_>>(), kept.keys().collect::<Vec<_>>(), "run `make contracts`");
    for (name, schema) in &set {
        assert_eq!(schema, &kept[name], "{name} differs from the types; run `make contracts` and look at the change");
        assert_eq!(schema["$id"], generate::urn(name), "named as in ce_dataschema");
    }
}

#[test]
fn every_schema_has_one_example_and_it_is_valid() {
    let set = generate::schemas();
    let judge = Judge::new(&set);
    for (name, schema) in &set {
        let examples = schema["examples"].as_array().unwrap();
        assert_eq!(examples.len(), 1, "{name}");
        judge.check(name, &examples[0]).unwrap();
    }
}

#[test]
fn every_field_is_described() {
    fn look(path: &str, schema: &Value) {
        for (name, field) in schema["properties"].as_object().into_iter().flatten() {
            assert!(field["description"].is_string(), "{path}.{name} has no description");
        }
        for (name, part) in schema["$defs"].as_object().into_iter().flatten() {
            look(&format!("{path}#{name}"), part);
        }
    }
    for (name, schema) in generate::schemas() {
        assert!(schema["description"].is_string() && schema["title"].is_string(), "{name}");
        look(&name, &schema);
    }
}

/// The golden files are what the publisher writes: bytes and headers.
#[test]
fn what_the_publisher_writes_is_valid() {
    let judge = Judge::new(&generate::schemas());
    let mut seen = 0;
    for (file, record) in golden::all() {
        let Some((value, headers)) = golden::schemas_of(&record) else { continue };
        seen += 1;
        if let Some(name) = headers {
            judge.check(&name, &record.headers_as_json()).unwrap_or_else(|error| panic!("{file}: {error}"));
        }
        if let Some(name) = value {
            judge.check(&name, &record.value).unwrap_or_else(|error| panic!("{file}: {error}"));
        }
    }
    assert!(seen >= 14, "{seen} records were looked at");
}

type Change = fn(&mut Value);

#[test]
fn what_is_not_of_the_contract_is_invalid_and_what_may_come_is_valid() {
    let judge = Judge::new(&generate::schemas());
    let approved = || generate::schemas()["kyc.submission.approved.v1"]["examples"][0].clone();
    let name = "kyc.submission.approved.v1";
    let wrong: [(&str, Change); 5] = [
        ("a field that is always there", |data| drop(data.as_object_mut().unwrap().remove("kyc"))),
        ("a number as text", |data| data["kyc"]["retries"] = "1".into()),
        ("less than nothing", |data| data["kyc"]["retries"] = (-1).into()),
        ("no time", |data| data["provenance"]["confirmed_at"] = "yesterday".into()),
        ("null where a word is due", |data| data["kyc"]["status"] = Value::Null),
    ];
    for (what, change) in wrong {
        let mut data = approved();
        change(&mut data);
        assert!(judge.check(name, &data).is_err(), "{what}");
    }
    let fine: [(&str, Change); 4] = [
        ("a word of a later release", |data| data["kyc"]["status"] = "suspended".into()),
        ("a field of a later release", |data| data["kyc"]["score"] = 7.into()),
        ("null", |data| data["kyc"]["decided_at"] = Value::Null),
        ("left out", |data| drop(data["kyc"].as_object_mut().unwrap().remove("decided_at"))),
    ];
    for (what, change) in fine {
        let mut data = approved();
        change(&mut data);
        judge.check(name, &data).unwrap_or_else(|error| panic!("{what}: {error}"));
    }
}

/// Each version of the workspace keeps its schemas, so that a change of the version is a release of the contract.
#[test]
fn this_version_has_its_released_schemas() {
    let version = env!("CARGO_PKG_VERSION");
    if is_set("RELEASE") {
        let folder = contracts().join("released").join(version);
        assert!(!folder.exists(), "{version} is released; released schemas never change");
        save(&folder, &generate::schemas());
    }
    assert!(released().contains_key(version), "run `make contracts RELEASE=1`");
}

/// `FULL_TRANSITIVE`: every released set against every other, and all of them against what the types say now.
#[test]
fn the_schemas_are_fully_compatible_with_all_that_were_released() {
    let now = generate::schemas();
    let released = released();
    for (version, set) in &released {
        let breaks = compatible::breaks_of_set(set, &now);
        assert!(breaks.is_empty(), "breaks what {version} promised; see docs/contract.md:\n{}", breaks.join("\n"));
        for (later, other) in released.iter().filter(|(other, _)| *other != version) {
            let (old, new) = if is_before(version, later) { (set, other) } else { (other, set) };
            let breaks = compatible::breaks_of_set(old, new);
            assert!(breaks.is_empty(), "{version} and {later}:\n{}", breaks.join("\n"));
        }
    }
}

/// By number, not by text: 0.10.0 comes after 0.9.0.
fn is_before(one: &str, other: &str) -> bool {
    let numbers = |version: &str| version.split('.').map(|part| part.parse::<u64>().unwrap()).collect::<Vec<_>>();
    numbers(one) < numbers(other)
}
