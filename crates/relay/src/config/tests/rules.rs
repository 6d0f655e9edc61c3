//! Every rule of the configuration, one table row each.

use super::{load, minimal_with};

/// Path, value as TOML, and what the one error must contain.
const RULES: &str = include_str!("rules.txt");

#[test]
fn every_rule_refuses_with_its_key_path_and_nothing_else() {
    let mut broken = Vec::new();
    for rule in RULES.lines() {
        let [path, value, expected] = rule.split(" | ").collect::<Vec<_>>()[..] else { panic!("not a rule: {rule}") };
        match load(&minimal_with(path, value)) {
            Err(errors) if errors.len() == 1 && errors[0].contains(expected) => {}
            result => broken.push(format!("{rule}: {:?}", result.err())),
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}
