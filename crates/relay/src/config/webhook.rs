//! `[projects.webhook]`: who may send webhooks for a project. Every method that is configured must pass.

use super::durations;
use super::read::Section;
use super::secret::Secrets;
use ipnet::IpNet;
use secrecy::ExposeSecret;
use serde::Serialize;
use std::time::Duration;

/// The front door's checks.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Webhook {
    /// Networks that a webhook may come from. Default: not checked. ARGOS names one address, 52.78.194.237 (ARGOS
    /// protocol, section 1).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_ip: Option<Vec<IpNet>>,
    /// Secrets, one of which ends the path: `/webhooks/{project}/{token}`. Default: not checked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path_tokens: Option<Secrets>,
    /// A signature by a gateway in front, over the raw body. Default: not checked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hmac: Option<Hmac>,
    /// The Standard Webhooks headers, for a gateway in front. Default: not checked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub standard_webhooks: Option<StandardWebhooks>,
    /// States that no method is wanted. Default false.
    pub unauthenticated: bool,
}

/// HMAC-SHA256 over the raw body.
#[derive(Clone, Debug, Serialize)]
pub struct Hmac {
    /// The header that carries it. Default `x-signature`.
    pub header: String,
    /// Keys, all valid.
    pub secrets: Secrets,
}

/// Standard Webhooks: id, timestamp and body are signed.
#[derive(Clone, Debug, Serialize)]
pub struct StandardWebhooks {
    /// Keys, all valid.
    pub secrets: Secrets,
    /// How far the timestamp may be from our clock. Default 5 min.
    #[serde(serialize_with = "durations::duration")]
    pub tolerance: Duration,
}

/// A method that is configured but not checked would be a hole, so it is refused until it is built.
const NOT_YET: &str = "is not supported by this release";

impl Webhook {
    pub(super) fn read(parent: &mut Section<'_>) -> Webhook {
        let mut section = parent.section("webhook");
        let wants_any = ["source_ip", "path_tokens", "path_tokens_file", "hmac", "standard_webhooks"]
            .iter()
            .any(|method| section.has(method));
        let webhook = Webhook {
            source_ip: source_ip(&mut section),
            path_tokens: path_tokens(&mut section),
            hmac: hmac(&mut section),
            standard_webhooks: standard_webhooks(&mut section),
            unauthenticated: section.or("unauthenticated", false),
        };
        match (wants_any, webhook.unauthenticated) {
            (false, false) => parent.wrong(
                "webhook",
                "needs at least one of source_ip, path_tokens_file; or unauthenticated = true, which takes webhooks from anybody",
            ),
            (false, true) => section.warn(
                "unauthenticated",
                "anybody can wake this service for this project; no event can be forged so, but the request budget can be spent",
            ),
            (true, true) => section.wrong("unauthenticated", "contradicts the methods that are configured"),
            (true, false) => {}
        }
        webhook
    }
}

fn source_ip(section: &mut Section<'_>) -> Option<Vec<IpNet>> {
    let networks = section.optional::<Vec<IpNet>>("source_ip")?;
    section.check("source_ip", !networks.is_empty(), "must not be empty: nobody could send");
    if networks.iter().any(|network| network.prefix_len() == 0) {
        section.warn("source_ip", "contains every address, so it checks nothing");
    }
    Some(networks)
}

fn path_tokens(section: &mut Section<'_>) -> Option<Secrets> {
    let tokens = section.secrets("path_tokens")?;
    let texts = || tokens.wrapped().iter().map(ExposeSecret::expose_secret);
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
    section.check(
        "path_tokens",
        texts().all(|token| token.bytes().all(plain)),
        "must have the characters A-Z a-z 0-9 - . _ ~ only: they stand in a path",
    );
    if texts().any(|token| token.len() < 22) {
        section.warn(
            "path_tokens",
            "has a token under 22 characters (128 bits in base64url), which can be guessed more easily",
        );
    }
    Some(tokens)
}

fn hmac(parent: &mut Section<'_>) -> Option<Hmac> {
    let mut section = parent.optional_section("hmac")?;
    parent.wrong("hmac", NOT_YET);
    let header = section.or("header", "x-signature".to_owned());
    let secrets = signing_secrets(&mut section)?;
    Some(Hmac { header, secrets })
}

fn standard_webhooks(parent: &mut Section<'_>) -> Option<StandardWebhooks> {
    let mut section = parent.optional_section("standard_webhooks")?;
    parent.wrong("standard_webhooks", NOT_YET);
    let tolerance = section.or("tolerance", Duration::from_mins(5));
    let secrets = signing_secrets(&mut section)?;
    Some(StandardWebhooks { secrets, tolerance })
}

fn signing_secrets(section: &mut Section<'_>) -> Option<Secrets> {
    if !section.has("secrets") && !section.has("secrets_file") {
        section.wrong("secrets", "is required (or `secrets_file`)");
    }
    section.secrets("secrets")
}
