//! A client of Confluent's protocol for schema registries, as thin as what is asked of it.
//!
//! Owns: finding out the id of every schema that is published, which registers those that are not there, before anything
//! is published; what is told of it. Must not know: records, Kafka. Once all ids are known, nothing here is called again,
//! so no registry can hold up, reorder or repeat an event.
//!
//! Path: `serve` makes a [`SchemaRegistry`] and waits in [`SchemaRegistry::all_ids`] before it opens the ledger;
//! `doctor` looks with [`SchemaRegistry::look_up`], which changes nothing.

use crate::config;
use crate::health::Latch;
use crate::telemetry::chain;
use crate::wiring::USER_AGENT;
use anyhow::Context;
use prometheus::{IntCounter, IntCounterVec, Opts, Registry};
use publisher::TopicNames;
use publisher::schemas::{PUBLISHED, Published, SchemaIds};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use url::Url;

/// Between two tries: at first, and at most.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(10));
/// The most of an answer that is read. The one to a lookup repeats the schema.
const ANSWER: usize = 1024 * 1024;
/// The most of a registry's own words that is told.
const WORDS: usize = 300;
/// "Subject not found" and "schema not found".
const NOT_FOUND: [i64; 2] = [40_401, 40_403];

/// What is told of a registry; clones share it.
#[derive(Clone, Debug)]
pub struct RegistryMetrics {
    found: IntCounter,
    registered: IntCounter,
    refused: IntCounter,
    away: IntCounter,
}

impl RegistryMetrics {
    /// Makes them known to a registry of metrics. Fails if their names are taken there.
    pub fn register(registry: &Registry) -> prometheus::Result<RegistryMetrics> {
        let answers = IntCounterVec::new(
            Opts::new(
                "argos_relay_schema_registry_answers_total",
                "Schemas that a schema registry was asked about at the start, by outcome: found, registered, refused, or away.",
            ),
            &["outcome"],
        )?;
        registry.register(Box::new(answers.clone()))?;
        let of = |outcome| answers.with_label_values(&[outcome]);
        Ok(RegistryMetrics {
            found: of("found"),
            registered: of("registered"),
            refused: of("refused"),
            away: of("away"),
        })
    }
}

/// Why an id is not known.
#[derive(Debug, thiserror::Error)]
pub enum Unknown {
    /// It does not answer.
    #[error("the schema registry does not answer: {0}")]
    Away(String),
    /// It answers, and not with an id.
    #[error("the schema registry refuses {subject}: {why}")]
    Refused {
        /// The subject in question.
        subject: String,
        /// In its own words, where it has some.
        why: String,
    },
    /// It does not have this schema, and we may not register it.
    #[error(
        "the schema registry does not have this release's schema of {0}, and `kafka.schema_registry.register` is off"
    )]
    Missing(String),
}

/// An answer with an id.
#[derive(Deserialize)]
struct WithId {
    id: u32,
}

/// An answer without.
#[derive(Default, Deserialize)]
struct Trouble {
    #[serde(default)]
    error_code: i64,
    #[serde(default)]
    message: String,
}

/// A secret that may change while the service runs; clones share it.
#[derive(Clone)]
pub struct Credentials(Arc<RwLock<Option<SecretString>>>);

impl Credentials {
    /// Takes another one.
    pub fn replace(&self, new: SecretString) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Some(new);
    }
}

/// One registry.
pub struct SchemaRegistry {
    http: reqwest::Client,
    url: Url,
    register: bool,
    username: Option<String>,
    credentials: Credentials,
}

impl SchemaRegistry {
    /// Asks nothing yet.
    pub fn new(given: &config::SchemaRegistry) -> anyhow::Result<SchemaRegistry> {
        let tls = argos::client::tls(given.url.scheme() == "https").context("kafka.schema_registry.url: TLS")?;
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .user_agent(USER_AGENT)
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .no_proxy()
            .timeout(given.timeout)
            .build()
            .context("kafka.schema_registry.url: the HTTP client")?;
        let secret = given.password.as_ref().or(given.token.as_ref()).map(|secret| secret.wrapped().clone());
        Ok(SchemaRegistry {
            http,
            url: given.url.clone(),
            register: given.register,
            username: given.username.clone(),
            credentials: Credentials(Arc::new(RwLock::new(secret))),
        })
    }

    /// Where the password or token is kept.
    pub fn credentials(&self) -> Credentials {
        self.credentials.clone()
    }

    /// Where it is.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// The id of every schema. Asks until all are known, and tells meanwhile what is in the way; `None` if stopped before.
    pub async fn all_ids(
        &self,
        names: &TopicNames,
        metrics: &RegistryMetrics,
        told: &Latch,
        stop: &CancellationToken,
    ) -> Option<SchemaIds> {
        let (mut known, mut pause) = (BTreeMap::new(), PAUSES.0);
        loop {
            let asked = stop.run_until_cancelled(self.ask_for_all(names, metrics, &mut known)).await?;
            let Err(unknown) = asked else { break };
            let reason = chain(&unknown).to_string();
            tracing::warn!(registry = %self.url, reason, "the schemas' ids are not known; nothing is published yet");
            told.clear(reason);
            stop.run_until_cancelled(tokio::time::sleep(pause)).await?;
            pause = (pause * 2).min(PAUSES.1);
        }
        let ids = SchemaIds::new(known)?;
        tracing::info!(registry = %self.url, schemas = PUBLISHED.len(), "the schemas' ids are known");
        told.set();
        Some(ids)
    }

    /// One round; what was found out before is not asked again.
    async fn ask_for_all(
        &self,
        names: &TopicNames,
        metrics: &RegistryMetrics,
        known: &mut BTreeMap<&'static str, u32>,
    ) -> Result<(), Unknown> {
        for one in &PUBLISHED {
            if known.contains_key(one.record_type) {
                continue;
            }
            let (id, count) = match self.id_of(one, names).await {
                Ok((id, false)) => (Ok(id), &metrics.found),
                Ok((id, true)) => (Ok(id), &metrics.registered),
                Err(error @ Unknown::Away(_)) => (Err(error), &metrics.away),
                Err(error) => (Err(error), &metrics.refused),
            };
            count.inc();
            known.insert(one.record_type, id?);
        }
        Ok(())
    }

    /// Looks first, so that a restart writes nothing and needs no right to. Whether it was registered.
    async fn id_of(&self, one: &Published, names: &TopicNames) -> Result<(u32, bool), Unknown> {
        if let Some(id) = self.look_up(one, names).await? {
            return Ok((id, false));
        }
        let subject = one.subject(names);
        if !self.register {
            return Err(Unknown::Missing(subject));
        }
        match self.post(&["subjects", &subject, "versions"], one).await? {
            Ok(id) => Ok((id, true)),
            Err(trouble) => Err(Unknown::Refused { subject, why: trouble.message }),
        }
    }

    /// The id of a schema; `None` if the registry does not have it. Changes nothing.
    pub async fn look_up(&self, one: &Published, names: &TopicNames) -> Result<Option<u32>, Unknown> {
        let subject = one.subject(names);
        match self.post(&["subjects", &subject], one).await? {
            Ok(id) => Ok(Some(id)),
            Err(trouble) if NOT_FOUND.contains(&trouble.error_code) => Ok(None),
            Err(trouble) => Err(Unknown::Refused { subject, why: trouble.message }),
        }
    }

    /// Posts a schema. The outer error is a registry that does not answer.
    async fn post(&self, path: &[&str], one: &Published) -> Result<Result<u32, Trouble>, Unknown> {
        let away = |error: reqwest::Error| Unknown::Away(chain(&error.without_url()).to_string());
        let mut url = self.url.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        let body = serde_json::json!({ "schemaType": "JSON", "schema": one.schema }).to_string();
        let request = self.http.post(url).header("content-type", "application/vnd.schemaregistry.v1+json").body(body);
        let mut answer = self.authorized(request).send().await.map_err(away)?;
        let status = answer.status();
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(away)? {
            body.extend_from_slice(&chunk);
            if body.len() > ANSWER {
                return Err(Unknown::Away("its answer is too long".to_owned()));
            }
        }
        if status.is_success() {
            let with_id = serde_json::from_slice::<WithId>(&body);
            return Ok(with_id.map(|answer| answer.id).map_err(|_| Trouble::of("it answers without an id")));
        }
        let said = serde_json::from_slice::<Trouble>(&body).unwrap_or_default();
        if matches!(status.as_u16(), 408 | 429 | 502..=504) {
            return Err(Unknown::Away(format!("it answers {}", status.as_u16())));
        }
        Ok(Err(Trouble { message: words(status.as_u16(), &said.message), ..said }))
    }

    fn authorized(&self, request: reqwest::RequestBuilder) -> reqwest::RequestBuilder {
        let secret = self.credentials.0.read().unwrap_or_else(PoisonError::into_inner);
        match (&self.username, secret.as_ref().map(ExposeSecret::expose_secret)) {
            (Some(name), Some(password)) => request.basic_auth(name, Some(password)),
            (None, Some(token)) => request.bearer_auth(token),
            (_, None) => request,
        }
    }
}

impl Trouble {
    fn of(message: &str) -> Trouble {
        Trouble { message: message.to_owned(), ..Trouble::default() }
    }
}

/// A registry's refusal on one line, cut.
fn words(status: u16, message: &str) -> String {
    let plain: String = message.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
    let cut = &plain[..plain.floor_char_boundary(WORDS)];
    if cut.is_empty() { format!("it answers {status}") } else { format!("it answers {status}: {cut}") }
}

#[cfg(test)]
#[path = "schema_registry_tests.rs"]
mod tests;
