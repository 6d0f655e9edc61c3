//! No input makes the reader panic, and a failure always says why.

use super::*;
use proptest::prelude::*;
use toml::Value;

/// Keys that the reader knows, and some that it does not.
fn any_key() -> impl Strategy<Value = String> {
    let mut known: Vec<String> = Vec::new();
    for line in EXAMPLE.lines() {
        let line = line.trim_start_matches(['#', '[']);
        let key: String = line.chars().take_while(|letter| letter.is_ascii_lowercase() || *letter == '_').collect();
        if !key.is_empty() && !known.contains(&key) {
            known.push(key);
        }
    }
    prop_oneof![9 => proptest::sample::select(known), 1 => "\\PC{0,8}"]
}

/// Texts that get past a first check.
const WORDS: &[&str] =
    &["1s", "0s", "[]", "{}", "a,b", "127.0.0.1:0", "::/0", "https://[::1]/", "off", "-1", "2026-01-01T00:00:00Z"];

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<i64>().prop_map(Value::Integer),
        any::<f64>().prop_map(Value::Float),
        any::<bool>().prop_map(Value::Boolean),
        "\\PC{0,12}".prop_map(Value::String),
        proptest::sample::select(WORDS).prop_map(|word| Value::String(word.to_owned())),
        Just(Value::Datetime("2026-11-24T00:00:00Z".parse().unwrap())),
    ];
    leaf.prop_recursive(5, 64, 8, |inner| {
        prop_oneof![
            1 => proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            3 => proptest::collection::btree_map(any_key(), inner, 0..8)
                .prop_map(|map| Value::Table(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn no_document_makes_the_reader_panic(
        rooms in proptest::collection::btree_map(any_key(), any_value(), 0..8),
        projects in proptest::collection::vec(proptest::collection::btree_map(any_key(), any_value(), 0..12), 0..3),
        variables in proptest::collection::btree_map("(ARGOS_RELAY__)?([A-Z]{1,6}|KAFKA|PROJECTS|0|1|99|__|_){0,6}", "\\PC{0,10}", 0..4),
    ) {
        let mut table: Table = rooms.into_iter().collect();
        let projects = projects.into_iter().map(|project| Value::Table(project.into_iter().collect())).collect();
        table.insert("projects".to_owned(), Value::Array(projects));
        let environment = Environment { variables, host_name: None };
        let (result, _) = Config::assemble(table, Path::new("/nowhere"), &environment);
        if let Err(errors) = result {
            prop_assert!(!errors.is_empty());
        }
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in "\\PC*") {
        let _ = parse(&text);
    }
}
