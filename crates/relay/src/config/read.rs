//! A small typed reader over a TOML document that goes on after a mistake.
//!
//! Owns: taking a key, converting it, remembering every error with its key path, and finding keys that nobody took.
//! serde would do the first two, but stops at the first error; an operator wants the whole list.
//!
//! Must not know any key by name.
//!
//! Path: a room takes its keys from a [`Section`]; each value is converted by [`FromValue`] at a [`Spot`], which knows
//! the path and where the value came from; when the section is dropped, what is left in it is unknown.

use super::problem::{ConfigError, ConfigWarning, Problem};
use super::values::closest;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use toml::{Table, Value};

/// What is found out while the rooms read.
#[derive(Debug, Default)]
pub(super) struct Report {
    /// The folder of the configuration file; relative `*_file` paths start here.
    pub(super) base: PathBuf,
    /// Key paths that the environment set, with the variable's name.
    pub(super) overrides: BTreeMap<String, String>,
    errors: RefCell<Vec<ConfigError>>,
    warnings: RefCell<Vec<ConfigWarning>>,
    known: RefCell<BTreeSet<String>>,
}

impl Report {
    /// An empty report on a file in this folder.
    pub(super) fn new(base: &Path) -> Report {
        Report { base: base.to_owned(), ..Report::default() }
    }

    pub(super) fn error(&self, key: &str, problem: Problem) {
        let variable = self.variable(key).cloned();
        self.errors.borrow_mut().push(ConfigError { key: key.to_owned(), variable, problem });
    }

    fn warning(&self, key: String, message: String) {
        self.warnings.borrow_mut().push(ConfigWarning { key, message });
    }

    /// The variable that set this key, or the list or table around it.
    fn variable(&self, key: &str) -> Option<&String> {
        let mut path = key;
        loop {
            if let Some(variable) = self.overrides.get(path) {
                return Some(variable);
            }
            path = &path[..path.rfind(['.', '['])?];
        }
    }

    /// Errors, warnings, and every key that a room asked for (list indices written as `[]`).
    pub(super) fn finish(self) -> (Vec<ConfigError>, Vec<ConfigWarning>, BTreeSet<String>) {
        (self.errors.into_inner(), self.warnings.into_inner(), self.known.into_inner())
    }
}

/// A value that the configuration can hold.
pub(super) trait FromValue: Sized {
    /// Converts; on a mistake tells the spot and returns `None`.
    fn from_value(value: Value, spot: &Spot<'_>) -> Option<Self>;
}

/// Where a value stands.
pub(super) struct Spot<'a> {
    path: String,
    report: &'a Report,
}

impl Spot<'_> {
    /// Records a mistake.
    pub(super) fn wrong(&self, message: impl Into<String>) {
        self.report.error(&self.path, Problem::Value(message.into()));
    }

    /// Records a value of the wrong type.
    pub(super) fn mismatch<T>(&self, expected: &'static str, found: &Value) -> Option<T> {
        self.report.error(&self.path, Problem::Type { expected, found: type_name(found) });
        None
    }

    /// Whether the environment set exactly this value, which is then text whatever the key takes.
    pub(super) fn is_from_environment(&self) -> bool {
        self.report.overrides.contains_key(&self.path)
    }

    /// The value itself; text from the environment is read as TOML first, for keys that do not take text.
    pub(super) fn typed(&self, value: Value) -> Value {
        match &value {
            Value::String(text) if self.is_from_environment() => text.trim().parse().unwrap_or(value),
            _ => value,
        }
    }

    /// The spot of a list's element.
    pub(super) fn element(&self, index: usize) -> Spot<'_> {
        Spot { path: format!("{}[{index}]", self.path), report: self.report }
    }
}

fn type_name(value: &Value) -> &'static str {
    match value {
        Value::String(_) => "text",
        Value::Integer(_) => "a whole number",
        Value::Float(_) => "a number",
        Value::Boolean(_) => "true or false",
        Value::Datetime(_) => "a date",
        Value::Array(_) => "a list",
        Value::Table(_) => "a table",
    }
}

/// One table of the document. Each key is taken once; when the section is dropped, what is left is reported as unknown.
pub(super) struct Section<'a> {
    path: String,
    table: Table,
    known: Vec<String>,
    report: &'a Report,
}

impl<'a> Section<'a> {
    /// The whole document.
    pub(super) fn root(table: Table, report: &'a Report) -> Section<'a> {
        Section { path: String::new(), table, known: Vec::new(), report }
    }

    /// The path of one of its keys.
    pub(super) fn at(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    /// The folder that relative files start from.
    pub(super) fn base(&self) -> &'a Path {
        &self.report.base
    }

    /// Whether the key is there and was not taken yet.
    pub(super) fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// Records a mistake about one of its keys.
    pub(super) fn error(&self, key: &str, problem: Problem) {
        self.report.error(&self.at(key), problem);
    }

    /// Records a mistake about one of its keys, in words.
    pub(super) fn wrong(&self, key: &str, message: impl Into<String>) {
        self.error(key, Problem::Value(message.into()));
    }

    /// Whether a mistake about this key was recorded already.
    pub(super) fn is_wrong(&self, key: &str) -> bool {
        let path = self.at(key);
        self.report.errors.borrow().iter().any(|error| error.key == path)
    }

    /// Records the mistake unless the rule holds.
    pub(super) fn check(&self, key: &str, holds: bool, message: &str) {
        if !holds {
            self.wrong(key, message);
        }
    }

    /// Records something to know.
    pub(super) fn warn(&self, key: &str, message: impl Into<String>) {
        self.report.warning(self.at(key), message.into());
    }

    fn take(&mut self, key: &str) -> Option<Value> {
        self.known.push(key.to_owned());
        self.report.known.borrow_mut().insert(without_indices(&self.at(key)));
        self.table.remove(key)
    }

    fn spot(&self, key: &str) -> Spot<'a> {
        Spot { path: self.at(key), report: self.report }
    }

    /// A key that may be left out.
    pub(super) fn optional<T: FromValue>(&mut self, key: &str) -> Option<T> {
        let value = self.take(key)?;
        T::from_value(value, &self.spot(key))
    }

    /// A key with a default.
    pub(super) fn or<T: FromValue>(&mut self, key: &str, default: T) -> T {
        self.optional(key).unwrap_or(default)
    }

    /// A key that must be there.
    pub(super) fn required<T: FromValue>(&mut self, key: &str) -> Option<T> {
        if !self.has(key) {
            self.error(key, Problem::Missing);
        }
        self.optional(key)
    }

    /// A table; an absent one reads like an empty one.
    pub(super) fn section(&mut self, key: &str) -> Section<'a> {
        self.optional_section(key).unwrap_or_else(|| self.inner(self.at(key), Table::new()))
    }

    /// A table whose absence means something.
    pub(super) fn optional_section(&mut self, key: &str) -> Option<Section<'a>> {
        let value = self.take(key)?;
        let spot = self.spot(key);
        self.as_section(spot, value)
    }

    /// A list of tables; `None` stands for one with an error.
    pub(super) fn sections(&mut self, key: &str) -> Vec<Option<Section<'a>>> {
        let spot = self.spot(key);
        match self.take(key).map(|value| spot.typed(value)) {
            None => Vec::new(),
            Some(Value::Array(list)) => list
                .into_iter()
                .enumerate()
                .map(|(index, value)| {
                    let element = Spot { path: format!("{}[{index}]", spot.path), report: self.report };
                    self.as_section(element, value)
                })
                .collect(),
            Some(other) => vec![spot.mismatch("a list of tables", &other)],
        }
    }

    /// All that is left: for tables whose keys are not ours.
    pub(super) fn rest(&mut self) -> Table {
        std::mem::take(&mut self.table)
    }

    fn as_section(&self, spot: Spot<'_>, value: Value) -> Option<Section<'a>> {
        match spot.typed(value) {
            Value::Table(table) => Some(self.inner(spot.path, table)),
            other => spot.mismatch("a table", &other),
        }
    }

    fn inner(&self, path: String, table: Table) -> Section<'a> {
        Section { path, table, known: Vec::new(), report: self.report }
    }
}

impl Drop for Section<'_> {
    fn drop(&mut self) {
        for key in self.table.keys() {
            let suggestion = closest(key, self.known.iter().map(String::as_str));
            self.error(key, Problem::Unknown { suggestion });
        }
    }
}

/// `projects[3].id` -> `projects[].id`.
fn without_indices(path: &str) -> String {
    let mut plain = String::with_capacity(path.len());
    let mut inside = false;
    for letter in path.chars() {
        inside = (inside || letter == '[') && letter != ']';
        if !inside || letter == '[' {
            plain.push(letter);
        }
    }
    plain
}
