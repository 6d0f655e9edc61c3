//! The second layer of the configuration: environment variables over the file.
//!
//! Owns the mapping `ARGOS_RELAY__SECTION__KEY` -> `section.key`; numbers are list indices
//! (`ARGOS_RELAY__PROJECTS__0__API_KEY` -> `projects[0].api_key`). `*_FILE` forms need no rule of their own: they are
//! keys. Must not know which keys exist: the reader refuses those that it does not know.

use super::problem::Problem;
use super::read::Report;
use std::collections::BTreeMap;
use toml::{Table, Value};

/// What every override starts with.
pub(super) const PREFIX: &str = "ARGOS_RELAY__";

/// Where names of librdkafka properties stand. They have dots and no underscores, and a variable has it the other way.
const DOTTED: &str = "kafka.properties";

/// Puts the environment's values over the file's, as text; the reader converts. Remembers which variable set what.
pub(super) fn apply(table: &mut Table, variables: &BTreeMap<String, String>, report: &mut Report) {
    for (variable, text) in variables {
        let Some(name) = variable.strip_prefix(PREFIX) else {
            continue;
        };
        let mut path = String::new();
        match place(table, &name.to_ascii_lowercase(), text, &mut path) {
            Ok(()) => {
                report.overrides.insert(path, variable.clone());
            }
            Err(why) => report.error(variable, Problem::Value(why.to_owned())),
        }
    }
}

/// Walks down the tables and lists, makes those that are missing, and sets the value. `path` is the key path so far.
fn place(table: &mut Table, name: &str, text: &str, path: &mut String) -> Result<(), &'static str> {
    let (segment, rest) = match name.split_once("__") {
        Some((segment, rest)) => (segment, Some(rest)),
        None => (name, None),
    };
    if segment.is_empty() {
        return Err("names no key between its double underscores");
    }
    let key = if path == DOTTED { dotted(segment) } else { segment.to_owned() };
    if !path.is_empty() {
        path.push('.');
    }
    path.push_str(&key);
    match rest {
        None => {
            table.insert(key, Value::String(text.to_owned()));
            Ok(())
        }
        Some(rest) => {
            let list_follows = first_index(rest).is_some();
            let empty = || {
                if list_follows { Value::Array(Vec::new()) } else { Value::Table(Table::new()) }
            };
            descend(table.entry(key).or_insert_with(empty), rest, text, path)
        }
    }
}

/// Goes on below a table or a list.
fn descend(value: &mut Value, name: &str, text: &str, path: &mut String) -> Result<(), &'static str> {
    match value {
        Value::Table(table) => place(table, name, text, path),
        Value::Array(list) => {
            let (index, rest) = first_index(name).ok_or("needs a number after the list's name")?;
            if index > list.len() {
                return Err("leaves a gap in the list: indices start at 0 and follow each other");
            }
            *path = format!("{path}[{index}]");
            if index == list.len() {
                list.push(Value::Table(Table::new()));
            }
            match (list.get_mut(index), rest) {
                (Some(element), Some(rest)) => descend(element, rest, text, path),
                (Some(element), None) => {
                    *element = Value::String(text.to_owned());
                    Ok(())
                }
                (None, _) => Err("leaves a gap in the list: indices start at 0 and follow each other"),
            }
        }
        _ => Err("goes on below a key that holds a plain value"),
    }
}

/// A list index at the start of a name, and what follows it.
fn first_index(name: &str) -> Option<(usize, Option<&str>)> {
    let (segment, rest) = match name.split_once("__") {
        Some((segment, rest)) => (segment, Some(rest)),
        None => (name, None),
    };
    segment.parse().ok().map(|index| (index, rest))
}

/// `sasl_password_file` -> `sasl.password_file`.
fn dotted(segment: &str) -> String {
    match segment.strip_suffix("_file") {
        Some(property) => format!("{}_file", property.replace('_', ".")),
        None => segment.replace('_', "."),
    }
}
