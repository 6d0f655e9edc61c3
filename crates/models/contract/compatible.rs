//! Whether one set of schemas may follow another. Pure.
//!
//! Full compatibility: who knows the new schema can read old records, and who knows the old one can read new records.
//! So a schema may grow by optional fields and by known words, and all else that decides about validity stays as it
//! is. That is stricter than needed, and simple enough to be sure of; equality makes it transitive.

use super::Set;
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// What decides nothing about validity.
const ANNOTATIONS: [&str; 4] = ["title", "description", "examples", "$defs"];
/// What has a rule of its own below.
const GROWING: [&str; 3] = ["properties", "required", "x-extensible-enum"];

/// What in `new` breaks a promise of `old`; empty = it may follow.
pub(super) fn breaks_of_set(old: &Set, new: &Set) -> Vec<String> {
    let mut found = Vec::new();
    for (name, before) in old {
        match new.get(name) {
            None => found.push(format!("{name}: is gone")),
            Some(after) => Pair { before, after, found: &mut found }.compare(name, before, after),
        }
    }
    found
}

struct Pair<'a> {
    before: &'a Value,
    after: &'a Value,
    found: &'a mut Vec<String>,
}

impl Pair<'_> {
    fn compare(&mut self, path: &str, before: &Value, after: &Value) {
        let (before, after) = (resolved(self.before, before), resolved(self.after, after));
        let (Value::Object(before), Value::Object(after)) = (&before, &after) else {
            self.unless(before == after, path, "is another");
            return;
        };
        self.fields(path, before, after);
        let known = |schema: &Map<String, Value>| words(schema, "x-extensible-enum");
        for lost in known(before).difference(&known(after)) {
            self.found.push(format!("{path}: lost the word {lost}"));
        }
        let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
        for name in names {
            if ANNOTATIONS.contains(&name.as_str()) || GROWING.contains(&name.as_str()) {
                continue;
            }
            match (before.get(name), after.get(name)) {
                (Some(before), Some(after)) if name == "items" => self.compare(&format!("{path}[]"), before, after),
                (Some(Value::Array(before)), Some(Value::Array(after)))
                    if name == "anyOf" && before.len() == after.len() =>
                {
                    for (before, after) in before.iter().zip(after) {
                        self.compare(path, before, after);
                    }
                }
                (before, after) => self.unless(before == after, path, &format!("`{name}` is another")),
            }
        }
    }

    fn fields(&mut self, path: &str, before: &Map<String, Value>, after: &Map<String, Value>) {
        let none = Map::new();
        let fields = |schema: &Map<String, Value>| schema.get("properties").and_then(Value::as_object).cloned();
        let (had, has) = (fields(before).unwrap_or_default(), fields(after).unwrap_or(none));
        let (due, is_due) = (words(before, "required"), words(after, "required"));
        for (name, field) in &had {
            let path = format!("{path}.{name}");
            match has.get(name) {
                None => self.found.push(format!("{path}: is gone")),
                Some(now) => self.compare(&path, field, now),
            }
            self.unless(
                due.contains(name) == is_due.contains(name),
                &path,
                "required before, optional after or reverse",
            );
        }
        for name in is_due.iter().filter(|name| !had.contains_key(*name)) {
            self.found.push(format!("{path}.{name}: is new and required"));
        }
    }

    fn unless(&mut self, fine: bool, path: &str, what: &str) {
        if !fine {
            self.found.push(format!("{path}: {what}"));
        }
    }
}

/// With its `$ref` followed; what stands beside it counts too.
fn resolved(root: &Value, schema: &Value) -> Value {
    let Some(target) = schema.get("$ref").and_then(Value::as_str) else { return schema.clone() };
    let found = root.pointer(target.trim_start_matches('#')).unwrap_or_else(|| panic!("{target} leads nowhere"));
    let mut whole = found.as_object().unwrap().clone();
    let beside = schema.as_object().unwrap().iter().filter(|(name, _)| *name != "$ref");
    whole.extend(beside.map(|(name, value)| (name.clone(), value.clone())));
    Value::Object(whole)
}

fn words(schema: &Map<String, Value>, list: &str) -> BTreeSet<String> {
    let words = schema.get(list).and_then(Value::as_array).into_iter().flatten();
    words.filter_map(Value::as_str).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::super::generate;
    use super::*;
    use serde_json::json;

    const APPROVED: &str = "kyc.submission.approved.v1";

    fn breaks(change: impl Fn(&mut Set)) -> Vec<String> {
        let old = generate::schemas();
        let mut new = old.clone();
        change(&mut new);
        assert_ne!(old, new, "the change changed nothing");
        breaks_of_set(&old, &new)
    }

    fn without(list: &mut Value, word: &str) {
        list.as_array_mut().unwrap().retain(|known| known != word);
    }

    #[test]
    fn what_breaks_a_promise_is_refused() {
        type Change = fn(&mut Set);
        let cases: [(&str, Change); 14] = [
            ("a schema is gone", |set| drop(set.remove(APPROVED))),
            ("another name", |set| set.get_mut(APPROVED).unwrap()["$id"] = "urn:argos-relay:schema:other".into()),
            ("a field is gone", |set| {
                drop(set.get_mut(APPROVED).unwrap()["properties"].as_object_mut().unwrap().remove("changed"));
            }),
            ("a field of a part is gone", |set| {
                let part = &mut set.get_mut(APPROVED).unwrap()["$defs"]["Kyc"];
                drop(part["properties"].as_object_mut().unwrap().remove("reviewer"));
            }),
            ("a new field that must be there", |set| {
                let part = &mut set.get_mut(APPROVED).unwrap()["$defs"]["Kyc"];
                part["properties"]["score"] = json!({ "type": "integer" });
                part["required"].as_array_mut().unwrap().push("score".into());
            }),
            ("optional becomes required", |set| {
                let part = &mut set.get_mut(APPROVED).unwrap()["$defs"]["Kyc"];
                part["required"].as_array_mut().unwrap().push("reviewer".into());
            }),
            ("required becomes optional", |set| without(&mut set.get_mut(APPROVED).unwrap()["required"], "kyc")),
            ("another type", |set| {
                set.get_mut(APPROVED).unwrap()["$defs"]["Kyc"]["properties"]["retries"]["type"] = "string".into();
            }),
            ("null where none was", |set| {
                let field = &mut set.get_mut(APPROVED).unwrap()["$defs"]["Kyc"]["properties"]["vendor_status"];
                field["type"] = json!(["string", "null"]);
            }),
            ("another type in a list", |set| {
                set.get_mut(APPROVED).unwrap()["properties"]["changed"]["items"] = json!({ "type": "integer" });
            }),
            ("another format", |set| {
                drop(
                    set.get_mut("kyc.submission.state.v1").unwrap()["properties"]["confirmed_at"]
                        .as_object_mut()
                        .unwrap()
                        .remove("format"),
                );
            }),
            ("a word is lost", |set| {
                without(&mut set.get_mut(APPROVED).unwrap()["$defs"]["KycStatus"]["x-extensible-enum"], "pending");
            }),
            ("the words are closed", |set| {
                set.get_mut(APPROVED).unwrap()["$defs"]["KycStatus"]["enum"] = json!(["approved", "rejected"]);
            }),
            ("nothing else may come", |set| {
                set.get_mut(APPROVED).unwrap()["additionalProperties"] = false.into();
            }),
        ];
        for (what, change) in cases {
            assert!(!breaks(change).is_empty(), "{what} was let through");
        }
        // It is said where and what.
        let told = breaks(|set| without(&mut set.get_mut(APPROVED).unwrap()["required"], "kyc"));
        assert_eq!(told, ["kyc.submission.approved.v1.kyc: required before, optional after or reverse"]);
    }

    #[test]
    fn what_only_adds_may_follow() {
        type Change = fn(&mut Set);
        let cases: [(&str, Change); 4] = [
            ("an optional field", |set| {
                set.get_mut(APPROVED).unwrap()["$defs"]["Kyc"]["properties"]["score"] = json!({ "type": "integer" });
            }),
            ("a word", |set| {
                let words = &mut set.get_mut(APPROVED).unwrap()["$defs"]["KycStatus"]["x-extensible-enum"];
                words.as_array_mut().unwrap().push("suspended".into());
            }),
            ("a better description", |set| set.get_mut(APPROVED).unwrap()["description"] = "Accepted.".into()),
            ("a new type", |set| {
                let other = set[APPROVED].clone();
                set.insert("kyc.submission.suspended.v1".to_owned(), other);
            }),
        ];
        for (what, change) in cases {
            let found = breaks(change);
            assert!(found.is_empty(), "{what} was refused: {found:?}");
        }
    }
}
