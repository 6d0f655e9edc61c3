//! `topics apply --print-acls`: what each role needs to be allowed, for Kafka's own tool or for a program.

use crate::cli::{Output, Topics};
use publisher::KafkaSettings;
use publisher::topics::access::{Resource, Right, Role, rights};
use serde_json::{Value, json};
use std::io::Write;

/// One role with who comes in it and what it may do.
struct Granted {
    role: Role,
    principal: String,
    rights: Vec<Right>,
}

/// Writes all roles; asks nobody.
pub(super) fn write(arguments: &Topics, settings: &KafkaSettings, out: &mut impl Write) -> std::io::Result<()> {
    let roles = Role::ALL.map(|role| {
        let given = arguments.principal.iter().rev().find(|(given, _)| *given == role);
        let principal = given.map_or(role.principal(), |(_, principal)| principal).to_owned();
        let rights = rights(settings, role, principal.trim_start_matches("User:"));
        Granted { role, principal, rights }
    });
    match arguments.output.output {
        Output::Text => {
            let mut lines = Vec::new();
            for granted in &roles {
                lines.push(format!("# {}", granted.role.runs()));
                lines.extend(commands(granted, &settings.bootstrap_servers));
            }
            writeln!(out, "{}", lines.join("\n"))
        }
        Output::Json => writeln!(out, "{:#}", json!({ "roles": roles.iter().map(as_json).collect::<Vec<_>>() })),
    }
}

/// One line for each set of operations: what may be done to several topics stands in one.
fn commands(granted: &Granted, bootstrap: &str) -> Vec<String> {
    let mut by_resource: Vec<(&Resource, Vec<&str>)> = Vec::new();
    for right in &granted.rights {
        match by_resource.last_mut().filter(|(resource, _)| **resource == right.resource) {
            Some((_, operations)) => operations.push(right.operation),
            None => by_resource.push((&right.resource, vec![right.operation])),
        }
    }
    let mut lines: Vec<(Vec<&str>, &'static str, String)> = Vec::new();
    for (resource, operations) in by_resource {
        let (kind, flag, name) = match resource {
            Resource::Topic(name) => ("topic", "--topic", name),
            Resource::Group(name) => ("group", "--group", name),
            Resource::TransactionalIds(prefix) => {
                ("transactional_id", "--resource-pattern-type prefixed --transactional-id", prefix)
            }
        };
        match lines.iter_mut().find(|(same, of, _)| *same == operations && *of == kind) {
            Some((_, _, flags)) => flags.extend([" ", flag, " '", name, "'"]),
            None => lines.push((operations, kind, format!("{flag} '{name}'"))),
        }
    }
    let line = |(operations, _, flags): (Vec<&str>, &str, String)| {
        let operations: Vec<String> = operations.iter().map(|name| format!("--operation {name}")).collect();
        let (principal, operations) = (&granted.principal, operations.join(" "));
        format!(
            "kafka-acls.sh --bootstrap-server {bootstrap} --add --allow-principal '{principal}' {operations} {flags}"
        )
    };
    lines.into_iter().map(line).collect()
}

fn as_json(granted: &Granted) -> Value {
    let acl = |right: &Right| {
        let (kind, name, pattern) = match &right.resource {
            Resource::Topic(name) => ("topic", name, "literal"),
            Resource::Group(name) => ("group", name, "literal"),
            Resource::TransactionalIds(prefix) => ("transactional_id", prefix, "prefixed"),
        };
        json!({ "resource_type": kind, "name": name, "pattern_type": pattern, "operation": right.operation })
    };
    json!({
        "role": granted.role.as_str(), "principal": granted.principal, "runs": granted.role.runs(),
        "acls": granted.rights.iter().map(acl).collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_with_the_same_rights_stand_in_one_line() {
        let settings = KafkaSettings { topic_prefix: "p.".to_owned(), ..KafkaSettings::default() };
        let granted =
            |role: Role| Granted { role, principal: "User:a b".to_owned(), rights: rights(&settings, role, "readers") };
        let lines = commands(&granted(Role::Ingest), "kafka:9092");
        assert_eq!(
            lines,
            [
                "kafka-acls.sh --bootstrap-server kafka:9092 --add --allow-principal 'User:a b' --operation Write --operation \
              DescribeConfigs --topic 'p.kyc.hints.v1' --topic 'p.kyc.hints.bulk.v1'"
            ]
        );
        let lines = commands(&granted(Role::Reconciler), "kafka:9092");
        assert_eq!(lines.len(), 4, "{lines:?}");
        assert!(
            lines[3].ends_with("--operation Write --resource-pattern-type prefixed --transactional-id 'argos-relay-'")
        );
        assert!(
            commands(&granted(Role::Consumer), "kafka:9092").iter().any(|line| line.ends_with("--group 'readers'"))
        );
    }
}
