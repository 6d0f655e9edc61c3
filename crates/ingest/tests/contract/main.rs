//! `contracts/openapi/ingest.yaml` against the table of refusals: every one is documented, and nothing else is.
//!
//! Compares the document with the responses that the code makes. Whether a running service answers so too is asked by
//! the whole-service test `openapi`.
#![expect(clippy::expect_used, clippy::unwrap_used, reason = "a test fails by panicking")]

use axum::body::to_bytes;
use axum::http::{HeaderMap, header};
use axum::response::IntoResponse;
use ingest::Rejection;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

fn document() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../contracts/openapi/ingest.yaml");
    serde_saphyr::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// What a status says: the words of its body, and its headers with their values and whether each is always there.
#[derive(Debug, Default, PartialEq, Eq)]
struct Told {
    words: BTreeSet<String>,
    headers: BTreeMap<String, (BTreeSet<String>, bool)>,
}

/// A number stands for any: how long to wait is not part of the contract, that it is a positive number is.
const NUMBER: &str = "a number";

fn strings(values: &[Value]) -> BTreeSet<String> {
    values.iter().map(|value| value.as_str().unwrap().to_owned()).collect()
}

/// Follows `$ref` within the document.
fn resolved<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    value.get("$ref").map_or(value, |reference| {
        let pointer = reference.as_str().unwrap().strip_prefix('#').expect("a reference within the document");
        document.pointer(pointer).unwrap_or_else(|| panic!("{pointer} is not there"))
    })
}

fn documented_header(document: &Value, header: &Value) -> (BTreeSet<String>, bool) {
    let header = resolved(document, header);
    let schema = &header["schema"];
    let values = match (schema.get("const"), schema.get("enum").and_then(Value::as_array)) {
        (Some(only), _) => strings(std::slice::from_ref(only)),
        (None, Some(several)) => strings(several),
        (None, None) => {
            assert_eq!((&schema["type"], schema["minimum"].as_u64()), (&Value::from("integer"), Some(1)));
            BTreeSet::from([NUMBER.to_owned()])
        }
    };
    (values, header["required"].as_bool().unwrap_or(false))
}

fn documented(document: &Value, operation: &Value) -> BTreeMap<u16, Told> {
    let refusals = operation["responses"].as_object().unwrap().iter().filter(|(status, _)| *status != "200");
    refusals
        .map(|(status, response)| {
            let response = resolved(document, response);
            let parts = response["content"]["application/json"]["schema"]["allOf"].as_array().unwrap();
            assert_eq!(parts[0]["$ref"], "#/components/schemas/Refused", "{status}");
            let words = strings(parts[1]["properties"]["error"]["enum"].as_array().unwrap());
            let headers = response.get("headers").and_then(Value::as_object).into_iter().flatten();
            let headers =
                headers.map(|(name, header)| (name.to_ascii_lowercase(), documented_header(document, header)));
            (status.parse().unwrap(), Told { words, headers: headers.collect() })
        })
        .collect()
}

/// The headers that say something about the refusal.
fn made_headers(headers: &HeaderMap) -> BTreeMap<String, String> {
    let own = headers.iter().filter(|(name, _)| **name != header::CONTENT_TYPE && **name != header::CONTENT_LENGTH);
    own.map(|(name, value)| {
        let value = value.to_str().unwrap();
        let value = if value.parse::<u64>().is_ok_and(|number| number >= 1) { NUMBER } else { value };
        (name.as_str().to_owned(), value.to_owned())
    })
    .collect()
}

/// One refusal: its word, and its headers.
type Row = (String, BTreeMap<String, String>);

async fn made() -> BTreeMap<u16, Told> {
    let mut table: BTreeMap<u16, Vec<Row>> = BTreeMap::new();
    for rejection in Rejection::ALL {
        let response = rejection.into_response();
        let status = response.status().as_u16();
        assert_eq!(response.headers()[header::CONTENT_TYPE], "application/json");
        let headers = made_headers(response.headers());
        let body: Value = serde_json::from_slice(&to_bytes(response.into_body(), 4096).await.unwrap()).unwrap();
        assert_eq!((body.as_object().unwrap().len(), &body["accepted"]), (2, &Value::Bool(false)));
        table.entry(status).or_default().push((body["error"].as_str().unwrap().to_owned(), headers));
    }
    table.into_iter().map(|(status, rows)| (status, told(&rows))).collect()
}

fn told(rows: &[Row]) -> Told {
    let names: BTreeSet<&String> = rows.iter().flat_map(|(_, headers)| headers.keys()).collect();
    let header = |name: &String| {
        let values: BTreeSet<String> = rows.iter().filter_map(|(_, headers)| headers.get(name).cloned()).collect();
        // HTTP/2 has no such header, so a caller cannot rely on it.
        let always = name != header::CONNECTION.as_str() && rows.iter().all(|(_, headers)| headers.contains_key(name));
        (name.clone(), (values, always))
    };
    Told {
        words: rows.iter().map(|(word, _)| word.clone()).collect(),
        headers: names.into_iter().map(header).collect(),
    }
}

#[tokio::test]
async fn every_refusal_is_in_the_openapi_document_and_nothing_else_is() {
    let document = document();
    let made = made().await;
    let paths = document["paths"].as_object().unwrap();
    let routes: Vec<_> = paths.keys().map(String::as_str).collect();
    assert_eq!(routes, ["/webhooks/{project}", "/webhooks/{project}/{token}"]);
    for (route, path) in paths {
        let methods: Vec<_> = path.as_object().unwrap().keys().filter(|name| *name != "parameters").collect();
        assert_eq!(methods, ["post"], "{route}");
        assert_eq!(documented(&document, &path["post"]), made, "{route}");
    }
}
