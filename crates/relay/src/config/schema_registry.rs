//! The `[kafka.schema_registry]` room.

use super::durations;
use super::read::Section;
use super::secret::Secret;
use axum::http::HeaderValue;
use serde::Serialize;
use std::time::Duration;
use url::Url;

/// A schema registry that speaks Confluent's protocol. Where one is set, the values of the public topics begin with the id
/// of their schema.
#[derive(Clone, Debug, Serialize)]
pub struct SchemaRegistry {
    /// Its base address; `/subjects` is asked below it. Required in this table.
    pub url: Url,
    /// Whether a schema that the registry does not have is registered at the start. Default true. Otherwise somebody else
    /// registers those of `contracts/registry`, and the start waits for them.
    pub register: bool,
    /// Who we are there, with `password`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// The password of `username`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password: Option<Secret>,
    /// A bearer token, instead of a name and a password.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<Secret>,
    /// How long the registry may take for one answer. Default 5 s.
    #[serde(serialize_with = "durations::duration")]
    pub timeout: Duration,
}

impl SchemaRegistry {
    /// `None` without the table, or after an error.
    pub(super) fn read(parent: &mut Section<'_>) -> Option<SchemaRegistry> {
        let mut section = parent.optional_section("schema_registry")?;
        let url = section.required::<Url>("url");
        let register = section.or("register", true);
        let username = section.optional::<String>("username");
        let (password, token) = (section.secret("password"), section.secret("token"));
        let timeout = section.or("timeout", Duration::from_secs(5));
        if let Some(url) = &url {
            let plain = matches!(url.scheme(), "http" | "https")
                && url.username().is_empty()
                && url.password().is_none()
                && url.query().is_none()
                && url.fragment().is_none();
            section.check("url", plain, "must be http or https, without user, query or fragment");
        }
        let whole = username.is_some() == password.is_some();
        section.check("username", whole, "and `password` (or `password_file`) go together");
        section.check("username", !username.as_deref().is_some_and(|name| name.contains(':')), "must not have a colon");
        section.check("token", username.is_none() || token.is_none(), "give either this or `username`, not both");
        let sendable = token.as_ref().is_none_or(|token| HeaderValue::from_str(token.expose()).is_ok());
        section.check("token", sendable, "has characters that no header can carry");
        let fits = (Duration::from_millis(100)..=Duration::from_mins(1)).contains(&timeout);
        section.check("timeout", fits, "must be from 100ms to 1m");
        Some(SchemaRegistry { url: url?, register, username, password, token, timeout })
    }
}
