//! Every rule of the configuration, one table row each.

use super::{load, minimal_with};

/// Path, value as TOML, and what the one error must contain.
const RULES: &str = include_str!("rules.txt");

#[test]
fn every_rule_refuses_with_its_key_path_and_nothing_else() {
    for rule in RULES.lines() {
        let [path, value, expected] = rule.split(" | ").collect::<Vec<_>>()[..] else { panic!("not a rule: {rule}") };
        let errors = load(&minimal_with(path, value)).expect_err(rule);
        assert_eq!(errors.len(), 1, "{rule}: {errors:?}");
        assert!(errors[0].contains(expected), "{rule}: {errors:?}");
    }
}
