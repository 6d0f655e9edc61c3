//! The publisher's golden files, read: real records, headers and all.

use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::path::Path;

/// One record.
pub(super) struct Record {
    pub(super) topic: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) value: Value,
}

impl Record {
    /// The text form that the publisher's own test writes: three lines, the headers, an empty line, the value.
    fn parse(text: &str) -> Record {
        let (head, value) = text.split_once("\n\n").unwrap();
        let mut lines = head.lines().map(|line| {
            let (name, value) = line.split_once(": ").unwrap();
            (name.to_owned(), value.to_owned())
        });
        let topic = lines.next().unwrap().1;
        Record { topic, headers: lines.skip(2).collect(), value: serde_json::from_str(value).unwrap() }
    }

    pub(super) fn headers_as_json(&self) -> Value {
        let headers = self.headers.iter().map(|(name, value)| (name.clone(), Value::from(value.clone())));
        Value::Object(headers.collect::<Map<_, _>>())
    }
}

pub(super) fn all() -> BTreeMap<String, Record> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../publisher/tests/golden");
    let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    files
        .map(|path| {
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            (name, Record::parse(&std::fs::read_to_string(&path).unwrap()))
        })
        .collect()
}

/// One of them by its file's name.
pub(super) fn read(name: &str) -> Record {
    all().remove(name).unwrap_or_else(|| panic!("no golden file {name}.txt"))
}

/// The schemas of a record's value and of its headers; `None` for internal topics.
pub(super) fn schemas_of(record: &Record) -> Option<(Option<String>, Option<String>)> {
    let header = |name: &str| record.headers.iter().find(|(header, _)| header == name).map(|(_, value)| value.clone());
    match record.topic.as_str() {
        "Events" => Some((header("ce_type"), Some("kyc.submission.events.v1.headers".to_owned()))),
        "State" => Some(((!record.value.is_null()).then(|| "kyc.submission.state.v1".to_owned()), None)),
        "DeadLetters" => Some((None, Some("kyc.submission.dlq.v1.headers".to_owned()))),
        "Notifications" => {
            let kind = record.value["type"].as_str().unwrap();
            Some((Some(format!("kyc.control.{kind}.v1")), None))
        }
        _ => None,
    }
}
