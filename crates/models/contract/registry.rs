//! The same schemas as schema registries take them: `contracts/registry`, one for each record type with a value.
//!
//! Their compatibility checks know draft-07 at most, with a schema's own parts in `definitions` and no name but the
//! subject's (docs/decisions/0017). Only the dialect changes: the tests below judge the same records with both forms.

use super::{Judge, Set, contracts, generate, golden, is_set, load, save};
use serde_json::Value;

const DIALECT: &str = "http://json-schema.org/draft-07/schema#";

/// All but the schemas of headers, which no registry keeps.
fn schemas() -> Set {
    let records = generate::schemas().into_iter().filter(|(name, _)| !name.ends_with(".headers"));
    records.map(|(name, schema)| (name, older(schema))).collect()
}

fn older(mut schema: Value) -> Value {
    let object = schema.as_object_mut().unwrap();
    object.remove("$id");
    object.insert("$schema".to_owned(), DIALECT.into());
    if let Some(parts) = object.remove("$defs") {
        object.insert("definitions".to_owned(), parts);
    }
    repoint(&mut schema);
    schema
}

fn repoint(value: &mut Value) {
    match value {
        Value::Object(object) => {
            if let Some(Value::String(target)) = object.get_mut("$ref") {
                *target = target.replace("#/$defs/", "#/definitions/");
            }
            object.values_mut().for_each(repoint);
        }
        Value::Array(list) => list.iter_mut().for_each(repoint),
        _ => {}
    }
}

/// Drift fails. `UPDATE=1` writes.
#[test]
fn the_registrys_schemas_are_those_of_the_contract() {
    let (folder, set) = (contracts().join("registry"), schemas());
    if is_set("UPDATE") {
        save(&folder, &set);
    }
    let kept = load(&folder);
    assert_eq!(set.keys().collect::<Vec<_>>(), kept.keys().collect::<Vec<_>>(), "run `make contracts`");
    for (name, schema) in &set {
        assert_eq!(schema, &kept[name], "{name} differs from the types; run `make contracts` and look at the change");
        assert_eq!(schema["title"], name.as_str(), "the record type of the subject");
    }
}

/// A word that draft-07 does not have would be passed over there in silence, and so would what stands beside a `$ref`.
#[test]
fn the_older_dialect_has_every_word_that_is_used() {
    const SAID: [&str; 15] = [
        "$ref",
        "$schema",
        "anyOf",
        "const",
        "definitions",
        "description",
        "examples",
        "format",
        "items",
        "minimum",
        "properties",
        "required",
        "title",
        "type",
        "x-extensible-enum",
    ];
    fn look(name: &str, schema: &Value) {
        let Value::Object(object) = schema else { return };
        for (word, inner) in object {
            assert!(SAID.contains(&word.as_str()), "{name}: {word}");
            match (word.as_str(), inner) {
                ("properties" | "definitions", Value::Object(named)) => named.values().for_each(|one| look(name, one)),
                ("anyOf", Value::Array(choices)) => choices.iter().for_each(|one| look(name, one)),
                ("items", one) => look(name, one),
                _ => {}
            }
        }
        let beside = object.keys().filter(|word| !["$ref", "description"].contains(&word.as_str())).count();
        assert!(!object.contains_key("$ref") || beside == 0, "{name}: beside a $ref only what it is for");
    }
    for (name, schema) in schemas() {
        look(&name, &schema);
    }
}

/// Real records, and each with one part left out or turned into what it never is: both forms say the same of all.
#[test]
fn both_dialects_judge_alike() {
    let (ours, theirs) = (Judge::new(&generate::schemas()), Judge::new(&schemas()));
    let (mut fine, mut wrong) = (0, 0);
    for (file, record) in golden::all() {
        let Some((Some(name), _)) = golden::schemas_of(&record) else { continue };
        for value in std::iter::once(record.value.clone()).chain(spoiled(&record.value)) {
            let (one, other) = (ours.check(&name, &value), theirs.check(&name, &value));
            assert_eq!(one.is_ok(), other.is_ok(), "{file}: {one:?}, {other:?}");
            *if one.is_ok() { &mut fine } else { &mut wrong } += 1;
        }
    }
    assert!(fine >= 20 && wrong >= 100, "{fine} records were fine, {wrong} wrong");
}

/// Every way to leave one field out, or to turn it into a number or a list.
fn spoiled(value: &Value) -> Vec<Value> {
    let Value::Object(object) = value else { return Vec::new() };
    let mut all = Vec::new();
    for (name, field) in object {
        let with = |field: Option<Value>| {
            let mut changed = object.clone();
            drop(changed.remove(name));
            changed.extend(field.map(|field| (name.clone(), field)));
            Value::Object(changed)
        };
        all.extend([with(None), with(Some((-1).into())), with(Some(Value::Array(vec![0.into()])))]);
        all.extend(spoiled(field).into_iter().map(|inner| with(Some(inner))));
    }
    all
}
