//! The `[traces]` room.

use super::durations;
use super::read::Section;
use super::secret::Secrets;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use std::time::Duration;
use url::Url;

/// Where spans go, and how many of them.
#[derive(Clone, Debug, Serialize)]
pub struct Traces {
    /// The collector's base address for OTLP over HTTP; spans are posted to `/v1/traces` below it. Default: none, and
    /// nothing is traced.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub otlp_endpoint: Option<Url>,
    /// Which part of the traces that begin here is sampled. One that a caller began is sampled if the caller's is.
    /// Default 0.1.
    pub sample_ratio: f64,
    /// Headers for the collector, `name: value`, such as its token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub headers: Option<Secrets>,
    /// How long the collector may take for one batch. Default 5 s.
    #[serde(serialize_with = "durations::duration")]
    pub timeout: Duration,
    /// Spans that may wait for the collector; what comes on top is dropped and counted. Default 4,096.
    pub queue: usize,
}

impl Traces {
    pub(super) fn read(mut section: Section<'_>) -> Traces {
        let traces = Traces {
            otlp_endpoint: section.optional("otlp_endpoint"),
            sample_ratio: section.or("sample_ratio", 0.1),
            headers: section.secrets("headers"),
            timeout: section.or("timeout", Duration::from_secs(5)),
            queue: section.or("queue", 4_096),
        };
        if let Some(endpoint) = &traces.otlp_endpoint {
            let plain = matches!(endpoint.scheme(), "http" | "https")
                && endpoint.username().is_empty()
                && endpoint.password().is_none()
                && endpoint.query().is_none()
                && endpoint.fragment().is_none();
            section.check("otlp_endpoint", plain, "must be http or https, without user, query or fragment");
        }
        if let Some(Err(why)) = traces.headers.as_ref().map(|lines| headers(lines.wrapped())) {
            section.wrong("headers", why);
        }
        section.check("sample_ratio", (0.0..=1.0).contains(&traces.sample_ratio), "must be from 0 to 1");
        let fits = (Duration::from_millis(100)..=Duration::from_mins(1)).contains(&traces.timeout);
        section.check("timeout", fits, "must be from 100ms to 1m");
        section.check("queue", (1..=1_000_000).contains(&traces.queue), "must be from 1 to 1000000");
        traces
    }
}

/// Lines of `name: value` as headers. The reason of a refusal shows none of them.
pub(crate) fn headers(lines: &[SecretString]) -> Result<HeaderMap, String> {
    let mut all = HeaderMap::new();
    for (number, line) in (1..).zip(lines) {
        let read = line.expose_secret().split_once(':').and_then(|(name, value)| {
            let mut value = HeaderValue::from_str(value.trim()).ok()?;
            value.set_sensitive(true);
            Some((HeaderName::try_from(name.trim()).ok()?, value))
        });
        let (name, value) = read.ok_or_else(|| format!("number {number} is not `name: value`"))?;
        all.append(name, value);
    }
    Ok(all)
}
