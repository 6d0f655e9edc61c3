//! Types -> JSON Schemas (2020-12).
//!
//! What `schemars` derives is right for Rust and too narrow for a contract: its enums are closed. Here each becomes a
//! plain string with its known words beside it (`x-extensible-enum`), since a new word must not make an old schema
//! refuse a record. One schema for each event type and each notification: a reader knows which one it has.

use super::{Set, examples, golden};
use crate::event::EventData;
use crate::{EventKind, Key, Notification, ProjectId, Snapshot, Time};
use schemars::generate::SchemaSettings;
use schemars::transform::{Transform, transform_subschemas};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Map, Value, json};
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// The name of a schema, as in `ce_dataschema`.
pub(super) fn urn(name: &str) -> String {
    format!("urn:argos-relay:schema:{name}")
}

macro_rules! inline {
    ($($name:ident = $schema:tt),+ $(,)?) => {$(
        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }
            fn inline_schema() -> bool {
                true
            }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!($schema)
            }
        }
    )+};
}

inline! {
    Time = { "type": "string", "format": "date-time" },
    Key = { "type": "string" },
    ProjectId = { "type": "string" },
}

/// Every schema of the contract.
pub(super) fn schemas() -> Set {
    let mut set: Set = EventKind::ALL.iter().map(|kind| (kind.as_str().to_owned(), event(*kind))).collect();
    let state = finished("kyc.submission.state.v1", root::<Snapshot>(), &examples::snapshot());
    set.insert("kyc.submission.state.v1".to_owned(), state);
    set.extend(notifications());
    for (name, schema) in [
        ("kyc.submission.events.v1.headers", event_headers()),
        ("kyc.submission.dlq.v1.headers", dead_letter_headers()),
    ] {
        let example = golden::read(if name.contains("dlq") { "dead_letter" } else { "event" }).headers_as_json();
        set.insert(name.to_owned(), finished(name, schema, &example));
    }
    set
}

fn root<T: JsonSchema>() -> Value {
    // As it is read, not as it is written: what may be null may also be left out, so that a field of a later release
    // is optional without a word.
    let settings = SchemaSettings::draft2020_12().with_transform(Open);
    settings.into_generator().into_root_schema_for::<T>().to_value()
}

/// Name, dialect, example; and only the definitions that are in use.
fn finished(name: &str, mut schema: Value, example: &Value) -> Value {
    prune(&mut schema);
    let object = schema.as_object_mut().unwrap();
    object.insert("$schema".to_owned(), "https://json-schema.org/draft/2020-12/schema".into());
    object.insert("$id".to_owned(), urn(name).into());
    object.insert("title".to_owned(), name.into());
    object.insert("examples".to_owned(), json!([example]));
    schema
}

fn event(kind: EventKind) -> Value {
    let mut schema = root::<EventData>();
    schema["description"] = meaning_of(kind).into();
    if kind == EventKind::Deleted {
        let properties = schema["properties"].as_object_mut().unwrap();
        properties.remove("kyc");
        properties.remove("aml");
    } else {
        // Optional in the type for the sake of deletions only.
        for part in ["kyc", "aml"] {
            let field = schema["properties"][part].as_object_mut().unwrap();
            let choices = field.remove("anyOf").unwrap();
            field.insert("$ref".to_owned(), choices[0]["$ref"].clone());
            schema["required"].as_array_mut().unwrap().push(part.into());
        }
    }
    finished(kind.as_str(), schema, &examples::event(kind))
}

/// The doc comment of the event's type.
fn meaning_of(kind: EventKind) -> String {
    let schema = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<EventKind>().to_value();
    let words = schema["oneOf"].as_array().unwrap();
    let word = words.iter().find(|word| word["const"] == kind.as_str()).unwrap();
    word["description"].as_str().unwrap().to_owned()
}

fn notifications() -> Set {
    let mut schema = root::<Notification>();
    let parts = schema["$defs"].take();
    let Value::Array(kinds) = schema["oneOf"].take() else { panic!("one schema for each kind") };
    kinds
        .into_iter()
        .map(|mut kind| {
            kind["$defs"] = parts.clone();
            kind["properties"]["type"]["description"] = "What this notification tells.".into();
            let word = kind["properties"]["type"]["const"].as_str().unwrap().to_owned();
            let name = format!("kyc.control.{word}.v1");
            (name.clone(), finished(&name, kind, &golden::read(&format!("notification_{word}")).value))
        })
        .collect()
}

/// Header names, each with what it is, and whether it is always there.
type Header = (&'static str, &'static str, bool);

fn headers(description: &str, names: &[Header]) -> Value {
    let properties: Map<String, Value> = names
        .iter()
        .map(|(name, what, _)| ((*name).to_owned(), json!({ "type": "string", "description": what })))
        .collect();
    let required: Vec<&str> = names.iter().filter(|(_, _, always)| *always).map(|(name, _, _)| *name).collect();
    json!({ "type": "object", "description": description, "properties": properties, "required": required })
}

fn event_headers() -> Value {
    let mut schema = headers(
        "The Kafka headers of an event: CloudEvents 1.0 in binary mode. Each value is UTF-8 text.",
        &[
            (
                "content-type",
                "`application/json`; `application/octet-stream` for a value with the frame of a schema registry.",
                true,
            ),
            ("ce_specversion", "`1.0`.", true),
            ("ce_id", "32 hex characters; the same for every repeat of this event. Dedupe by it.", true),
            ("ce_source", "`/argos/projects/` and the project.", true),
            ("ce_type", "The type of the event, which names the schema of its data.", true),
            ("ce_subject", "The submission's id.", true),
            ("ce_time", "When it changed by the vendor's clock, else when the confirming GET started.", true),
            ("ce_dataschema", "`urn:argos-relay:schema:` and the type: the `$id` of the data's schema.", true),
            ("ce_sequence", "20 digits; 1 for a submission's first event, then one more each.", true),
            ("ce_partitionkey", "The record's key.", true),
            ("ce_recordedtime", "When it was decided, by our clock.", true),
            (
                "traceparent",
                "W3C trace context: of the look that confirmed this, where the service is traced; else of the newest webhook, where one came with it.",
                false,
            ),
        ],
    );
    for name in ["ce_time", "ce_recordedtime"] {
        schema["properties"][name]["format"] = "date-time".into();
    }
    schema["properties"]["ce_type"]["x-extensible-enum"] = EventKind::ALL.iter().map(|kind| kind.as_str()).collect();
    schema
}

fn dead_letter_headers() -> Value {
    let mut schema = headers(
        "The Kafka headers of a dead letter, under Kafka Connect's names where it has one. A dead letter has no value: \
         what could not be read is never kept.",
        &[
            ("__connect.errors.connector.name", "`argos-relay`.", true),
            ("__connect.errors.topic", "The topic of the record to blame, if there is one.", false),
            ("__connect.errors.partition", "Its partition.", false),
            ("__connect.errors.offset", "Its offset.", false),
            ("__connect.errors.exception.class.name", "The reason, as in `argos_relay.reason`.", true),
            ("__connect.errors.exception.message", "What is wrong, without any content of it.", true),
            ("argos_relay.reason", "Why: a word.", true),
            ("argos_relay.attempts", "How often it was tried, in decimal digits.", true),
            ("argos_relay.first_seen", "When it first failed.", true),
        ],
    );
    schema["properties"]["argos_relay.first_seen"]["format"] = "date-time".into();
    schema["properties"]["argos_relay.reason"]["x-extensible-enum"] =
        json!(["unreadable", "unknown_project", "hint_undecodable"]);
    schema
}

/// Opens enums, and gives numbers a format that generators of other languages know.
#[derive(Clone)]
struct Open;

impl Transform for Open {
    fn transform(&mut self, schema: &mut Schema) {
        transform_subschemas(self, schema);
        let Some(object) = schema.as_object_mut() else { return };
        let unsigned = |format: &Value| format.as_str().is_some_and(|format| format.starts_with("uint"));
        if object.get("format").is_some_and(unsigned) {
            object.insert("format".to_owned(), "int64".into());
        }
        let is_word = |choice: &Value| choice["const"].is_string();
        let Some(Value::Array(words)) = object.get("oneOf") else { return };
        if !words.iter().all(is_word) {
            return;
        }
        let mut text = object.get("description").and_then(Value::as_str).unwrap_or_default().to_owned();
        text.push_str("\n\nKnown words; more may come:\n");
        for word in words {
            let (name, meaning) = (word["const"].as_str().unwrap(), word["description"].as_str().unwrap());
            write!(text, "\n- `{name}`: {meaning}").unwrap();
        }
        let known: Value = words.iter().map(|word| word["const"].clone()).collect();
        object.remove("oneOf");
        object.insert("type".to_owned(), "string".into());
        object.insert("description".to_owned(), text.into());
        object.insert("x-extensible-enum".to_owned(), known);
    }
}

/// Drops the definitions that nothing refers to.
fn prune(schema: &mut Value) {
    fn references(value: &Value, found: &mut BTreeSet<String>) {
        match value {
            Value::Object(object) => {
                let name = object.get("$ref").and_then(Value::as_str).and_then(|text| text.strip_prefix("#/$defs/"));
                found.extend(name.map(str::to_owned));
                object.values().for_each(|value| references(value, found));
            }
            Value::Array(list) => list.iter().for_each(|value| references(value, found)),
            _ => {}
        }
    }
    let Some(mut parts) = schema.as_object_mut().unwrap().remove("$defs").filter(Value::is_object) else { return };
    let mut used = BTreeSet::new();
    references(schema, &mut used);
    loop {
        let before = used.len();
        for name in used.clone() {
            references(&parts[name], &mut used);
        }
        if used.len() == before {
            break;
        }
    }
    parts.as_object_mut().unwrap().retain(|name, _| used.contains(name));
    if !used.is_empty() {
        schema["$defs"] = parts;
    }
}
