//! `contracts/openapi/admin.yaml`, held to the code: its schemas are those of the types, its paths those of the router, and
//! its statuses those that the code makes. `UPDATE=1` writes the schemas.

use super::super::{lookup, problem, redrive, submissions};
use super::ROUTES;
use crate::operate::{explain, person, series, status, tails};
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// What stands before the generated part.
const MARK: &str = "\n  schemas:\n";

fn path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../contracts/openapi/admin.yaml")
}

/// Every type of a body, by the name under which the paths refer to it.
fn schemas() -> Map<String, Value> {
    let mut generator = SchemaSettings::draft2020_12().into_generator();
    let mut named = Map::new();
    let mut add = |name: &str, schema: schemars::Schema| named.insert(name.to_owned(), schema.to_value());
    add("Status", generator.root_schema_for::<status::Status>());
    add("SeriesDocument", generator.root_schema_for::<series::SeriesDocument>());
    add("Events", generator.root_schema_for::<tails::Events>());
    add("DeadLetters", generator.root_schema_for::<tails::DeadLetters>());
    add("Explain", generator.root_schema_for::<explain::Explain>());
    add("Submissions", generator.root_schema_for::<person::Submissions>());
    add("RedriveAsked", generator.root_schema_for::<redrive::Asked>());
    add("Redriven", generator.root_schema_for::<redrive::Redriven>());
    add("Nothing", generator.root_schema_for::<submissions::Nothing>());
    add("Confirmed", generator.root_schema_for::<submissions::Confirmed>());
    add("HintSent", generator.root_schema_for::<submissions::Sent>());
    add("LookupAsked", generator.root_schema_for::<lookup::Asked>());
    add("Refusal", generator.root_schema_for::<problem::Refusal>());
    let mut parts = Map::new();
    for schema in named.values_mut() {
        let schema = schema.as_object_mut().unwrap();
        for extra in ["$schema", "title"] {
            schema.remove(extra);
        }
        let Some(Value::Object(inner)) = schema.remove("$defs") else { continue };
        parts.extend(inner);
    }
    for (name, part) in parts {
        assert!(named.insert(name.clone(), part).is_none(), "two schemas are called {name}");
    }
    let text = serde_json::to_string(&named).unwrap().replace("#/$defs/", "#/components/schemas/");
    serde_json::from_str(&text).unwrap()
}

fn indented(schemas: &Map<String, Value>) -> String {
    let text = serde_saphyr::to_string(&Value::Object(schemas.clone())).unwrap();
    text.lines().map(|line| if line.is_empty() { "\n".to_owned() } else { format!("    {line}\n") }).collect()
}

fn document() -> Value {
    serde_saphyr::from_str(&std::fs::read_to_string(path()).unwrap()).unwrap()
}

#[test]
fn the_schemas_of_the_openapi_document_are_those_of_the_types() {
    let schemas = schemas();
    if std::env::var_os("UPDATE").is_some() {
        let text = std::fs::read_to_string(path()).unwrap();
        let (before, _) = text.split_once(MARK).unwrap();
        std::fs::write(path(), format!("{before}{MARK}{}", indented(&schemas))).unwrap();
    }
    let written = &document()["components"]["schemas"];
    assert!(
        *written == Value::Object(schemas),
        "contracts/openapi/admin.yaml is not what the types say: UPDATE=1 writes it"
    );
}

#[test]
fn every_field_of_an_answer_is_described() {
    for (name, schema) in schemas() {
        for (field, part) in schema["properties"].as_object().into_iter().flatten() {
            assert!(part["description"].is_string(), "{name}.{field}");
        }
    }
}

#[test]
fn the_paths_of_the_openapi_document_are_the_routes() {
    let document = document();
    let mut documented = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys().filter(|key| *key != "parameters") {
            documented.insert((method.to_uppercase(), path.clone()));
        }
    }
    let routes: BTreeSet<_> =
        ROUTES.iter().map(|(method, path)| ((*method).to_owned(), format!("/api/v1{path}"))).collect();
    assert_eq!(documented, routes);
}

/// Every status that the document names is made by a [`problem::Problem`] or is a success, and is the refusal's schema.
#[test]
fn every_refusal_has_one_form() {
    let document = document();
    for (name, response) in document["components"]["responses"].as_object().unwrap() {
        let schema = &response["content"]["application/json"]["schema"]["$ref"];
        assert_eq!(schema, "#/components/schemas/Refusal", "{name}");
    }
    let mut statuses = BTreeSet::new();
    for item in document["paths"].as_object().unwrap().values() {
        for operation in item.as_object().unwrap().values().filter(|value| value.is_object()) {
            statuses.extend(operation["responses"].as_object().unwrap().keys().cloned());
        }
    }
    let expected = ["200", "202", "400", "401", "403", "404", "413", "415", "429", "500", "502", "503"];
    assert_eq!(statuses.iter().map(String::as_str).collect::<Vec<_>>(), expected);
}
