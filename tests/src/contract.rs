//! What others read, against the published schemas: every record that a test reads from a public topic.
//!
//! Judges with a validator of its own and the files of `contracts/schemas`, not with the service's types.

use crate::broker::root;
use crate::topics::Record;
use boon::{Compiler, SchemaIndex, Schemas};
use serde_json::Value;
use std::collections::HashMap;
use std::sync::LazyLock;

/// Read once: a test reads a topic many times.
static CONTRACT: LazyLock<Contract> = LazyLock::new(Contract::load);

struct Contract {
    schemas: Schemas,
    /// By name, as in `ce_dataschema`.
    compiled: HashMap<String, SchemaIndex>,
}

impl Contract {
    fn load() -> Contract {
        let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
        compiler.enable_format_assertions();
        let mut names = Vec::new();
        for file in std::fs::read_dir(root().join("contracts/schemas")).expect("the schemas") {
            let text = std::fs::read_to_string(file.expect("a file").path()).expect("a schema");
            let schema: Value = serde_json::from_str(&text).expect("JSON");
            let name = schema["$id"].as_str().expect("a name").to_owned();
            compiler.add_resource(&name, schema).expect("a resource");
            names.push(name);
        }
        let compile = |name: String| (name.clone(), compiler.compile(&name, &mut schemas).expect("a schema"));
        let indices = names.into_iter().map(compile).collect();
        Contract { schemas, compiled: indices }
    }

    fn check(&self, name: &str, value: &Value) -> Result<(), String> {
        let index = self.compiled.get(name).ok_or_else(|| format!("no schema {name}"))?;
        self.schemas.validate(value, *index).map_err(|error| format!("{name}: {error:#}"))
    }
}

/// Whether a record is as its schemas say: value and headers. Internal topics have none.
pub fn check(topic: &str, record: &Record) -> Result<(), String> {
    let urn = |name: &str| format!("urn:argos-relay:schema:{name}");
    let value: Value = match &record.value {
        Some(bytes) if is_public(topic) => serde_json::from_slice(bytes).map_err(|error| error.to_string())?,
        _ => Value::Null,
    };
    let headers = || record.headers.iter().map(|(name, value)| (name.clone(), Value::from(value.as_str()))).collect();
    let header = |name: &str| record.headers.get(name).cloned().unwrap_or_default();
    if topic.ends_with("kyc.submission.events.v1") {
        CONTRACT.check(&urn("kyc.submission.events.v1.headers"), &headers())?;
        if header("ce_dataschema") != urn(&header("ce_type")) {
            return Err(format!("ce_dataschema {} of {}", header("ce_dataschema"), header("ce_type")));
        }
        CONTRACT.check(&header("ce_dataschema"), &value)
    } else if topic.ends_with("kyc.submission.state.v1") && !value.is_null() {
        CONTRACT.check(&urn("kyc.submission.state.v1"), &value)
    } else if topic.ends_with("kyc.submission.dlq.v1") {
        CONTRACT.check(&urn("kyc.submission.dlq.v1.headers"), &headers())
    } else if topic.ends_with("kyc.control.notifications.v1") {
        let kind = value["type"].as_str().unwrap_or_default();
        CONTRACT.check(&urn(&format!("kyc.control.{kind}.v1")), &value)
    } else {
        Ok(())
    }
}

pub(crate) fn is_public(topic: &str) -> bool {
    !topic.contains("kyc.hints.") && !topic.ends_with("kyc.ledger.v1")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn record(value: &str) -> Record {
        let (partition, offset, timestamp, key) = (0, 0, 0, "acme/k3f9x1mes3ugzb".to_owned());
        let value = Some(value.as_bytes().to_vec());
        Record { partition, offset, timestamp, key, headers: BTreeMap::new(), value, schema_id: None }
    }

    #[test]
    fn a_record_that_breaks_the_contract_is_found() {
        let told = r#"{"type":"breaker_closed","project":"acme","at":"2026-03-02T05:36:47.000Z"}"#;
        let topic = "prefix.kyc.control.notifications.v1";
        check(topic, &record(told)).unwrap();
        assert!(check(topic, &record(&told.replace("project", "projekt"))).is_err());
        assert!(check(topic, &record(&told.replace("2026", "in 2026"))).is_err());
        assert!(check(topic, &record(&told.replace("closed", "ajar"))).is_err());
        assert!(check("kyc.submission.state.v1", &record("{}")).is_err());
        assert!(check("kyc.submission.events.v1", &record("{}")).is_err());
        check("kyc.ledger.v1", &record("no JSON")).unwrap();
    }
}
