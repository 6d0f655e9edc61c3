//! What is wrong with a configuration, and what is merely unwise about it.
//!
//! Owns the wording. A text never repeats a value: a secret may stand under the wrong key.

use serde::{Serialize, Serializer};
use std::fmt;

/// One thing wrong with the configuration. The service does not start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ConfigError {
    /// The path of the key, for example `projects[0].webhook.source_ip[1]`; for an unreadable file its name.
    pub key: String,
    /// The environment variable that gave the value, if one did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub variable: Option<String>,
    /// What is wrong.
    #[serde(rename = "message", serialize_with = "as_text")]
    pub problem: Problem,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.variable {
            Some(variable) => write!(out, "{} (from {variable}): {}", self.key, self.problem),
            None => write!(out, "{}: {}", self.key, self.problem),
        }
    }
}

impl std::error::Error for ConfigError {}

/// The kinds of mistakes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// A key without a default is not there.
    #[error("is required")]
    Missing,
    /// No room of the configuration knows this key.
    #[error("unknown key{}", suggest(.suggestion.as_deref()))]
    Unknown {
        /// The known key that looks most like it.
        suggestion: Option<String>,
    },
    /// A value of another type.
    #[error("expected {expected}, found {found}")]
    Type {
        /// What the key takes.
        expected: &'static str,
        /// The TOML type that stands there.
        found: &'static str,
    },
    /// The right type, but not a value that can be used.
    #[error("{0}")]
    Value(String),
    /// The file that holds the value, or the configuration itself, cannot be read.
    #[error("cannot read {path}: {reason}")]
    Unreadable {
        /// Which file.
        path: String,
        /// Why, without any of its content.
        reason: String,
    },
}

fn suggest(known: Option<&str>) -> String {
    known.map(|known| format!("; did you mean `{known}`?")).unwrap_or_default()
}

fn as_text<S: Serializer>(problem: &Problem, out: S) -> Result<S::Ok, S::Error> {
    out.collect_str(problem)
}

/// Something that is allowed, but that an operator should know about. Logged at each start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ConfigWarning {
    /// The path of the key.
    pub key: String,
    /// What to know.
    pub message: String,
}

impl fmt::Display for ConfigWarning {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: {}", self.key, self.message)
    }
}
