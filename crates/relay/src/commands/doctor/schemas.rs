//! What `doctor` finds of the schema registry: which of this release's schemas it has. Registers nothing.

use crate::config::{self, Config};
use crate::schema_registry::{SchemaRegistry, Unknown};
use publisher::schemas::PUBLISHED;
use serde_json::{Value, json};
use std::fmt::Write as _;
use url::Url;

pub(super) struct Found {
    url: Url,
    register: bool,
    /// How many schemas it has.
    known: usize,
    /// The subjects of those that it does not have.
    missing: Vec<String>,
    /// What ended the looking.
    trouble: Option<Unknown>,
}

pub(super) async fn look(config: &Config, given: &config::SchemaRegistry) -> anyhow::Result<Found> {
    let registry = SchemaRegistry::new(given)?;
    let names = config.kafka.settings().names();
    let (url, register) = (given.url.clone(), given.register);
    let mut found = Found { url, register, known: 0, missing: Vec::new(), trouble: None };
    for one in &PUBLISHED {
        match registry.look_up(one, &names).await {
            Ok(Some(_)) => found.known += 1,
            Ok(None) => found.missing.push(one.subject(&names)),
            Err(trouble) => {
                found.trouble = Some(trouble);
                break;
            }
        }
    }
    Ok(found)
}

impl Found {
    pub(super) fn is_away(&self) -> bool {
        matches!(self.trouble, Some(Unknown::Away(_)))
    }

    /// Whether the service could start with it; what it does not have is registered then, if that is allowed.
    pub(super) fn is_well(&self) -> bool {
        self.trouble.is_none() && (self.register || self.missing.is_empty())
    }

    pub(super) fn as_text(&self) -> String {
        let mut text = format!("schema registry at {}\n", self.url);
        let _infallible = writeln!(text, "  {:<22} {} of {}", "schemas there", self.known, PUBLISHED.len());
        if let Some(trouble) = &self.trouble {
            let _infallible = writeln!(text, "  WRONG  {trouble}");
        } else if !self.missing.is_empty() && self.register {
            let _infallible = writeln!(text, "  the next start registers the others");
        }
        for subject in self.missing.iter().filter(|_| !self.register) {
            let _infallible = writeln!(text, "  WRONG  {subject}: not there, and `register` is off");
        }
        text
    }

    pub(super) fn as_json(&self) -> Value {
        json!({
            "url": self.url.as_str(), "ok": self.is_well(), "known": self.known, "of": PUBLISHED.len(),
            "missing": self.missing, "trouble": self.trouble.as_ref().map(ToString::to_string),
        })
    }
}
