//! `[projects.webhook]`: who may send webhooks for a project. Every method that is configured must pass.

use super::durations;
use super::read::Section;
use super::secret::Secrets;
use super::values::choice;
use axum::http::HeaderName;
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

choice! {
    /// How the bytes of a signature are written.
    SignatureEncoding {
        /// Hexadecimal, in either case.
        Hex = "hex",
        /// Base64 of the ordinary alphabet.
        Base64 = "base64",
    }
}

/// HMAC-SHA256 over the raw body.
#[derive(Clone, Debug, Serialize)]
pub struct Hmac {
    /// The header that carries it. Default `x-signature`.
    pub header: String,
    /// Keys, all valid.
    pub secrets: Secrets,
    /// How it is written. Default `hex`; with `timestamped` nothing else.
    pub encoding: SignatureEncoding,
    /// What stands before it, such as `sha256=`. Default nothing; with `timestamped` nothing else.
    pub prefix: String,
    /// Whether the header is `t=SECONDS,v1=HEX` over `SECONDS.BODY`. Default false.
    pub timestamped: bool,
    /// How far `t` may be from our clock, either way. Default 5 min; without `timestamped` of no meaning.
    #[serde(serialize_with = "durations::duration")]
    pub tolerance: Duration,
}

/// Standard Webhooks: id, timestamp and body are signed.
#[derive(Clone, Debug, Serialize)]
pub struct StandardWebhooks {
    /// Keys in base64, with or without `whsec_` before them; all valid.
    pub secrets: Secrets,
    /// How far the timestamp may be from our clock, either way. Default 5 min.
    #[serde(serialize_with = "durations::duration")]
    pub tolerance: Duration,
}

/// The least length of a signing secret that draws no warning: 128 bits as hex.
const SHORT_SECRET: usize = 32;
/// The same for Standard Webhooks, which asks for 24 to 64 bytes: 24 bytes in base64.
const SHORT_STANDARD_SECRET: usize = 32;

impl Webhook {
    /// `sealed`: webhooks are encrypted in a way that shows who sent them, which is a method too.
    pub(super) fn read(parent: &mut Section<'_>, sealed: bool) -> Webhook {
        let mut section = parent.section("webhook");
        let methods = ["source_ip", "path_tokens", "path_tokens_file", "hmac", "standard_webhooks"];
        let wants_any = sealed || methods.iter().any(|method| section.has(method));
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
                "needs at least one of source_ip, path_tokens_file, hmac, standard_webhooks, or encryption.mode = \"aes-256-gcm\"; or unauthenticated = true, which takes webhooks from anybody",
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
    let timestamped = section.or("timestamped", false);
    for (key, for_timestamped) in [("encoding", false), ("prefix", false), ("tolerance", true)] {
        let fits = timestamped == for_timestamped || !section.has(key);
        let meaning = if timestamped { "has no meaning with timestamped = true" } else { "needs timestamped = true" };
        section.check(key, fits, meaning);
    }
    let header = section.or("header", "x-signature".to_owned());
    section.check("header", HeaderName::try_from(&header).is_ok(), "is not the name of a header");
    let encoding = section.or("encoding", SignatureEncoding::Hex);
    let prefix = section.or("prefix", String::new());
    let visible = prefix.bytes().all(|byte| byte.is_ascii_graphic());
    section.check("prefix", visible, "must have visible ASCII characters only");
    let tolerance = tolerance(&mut section);
    let secrets = signing_secrets(&mut section, "", SHORT_SECRET)?;
    Some(Hmac { header, secrets, encoding, prefix, timestamped, tolerance })
}

fn standard_webhooks(parent: &mut Section<'_>) -> Option<StandardWebhooks> {
    let mut section = parent.optional_section("standard_webhooks")?;
    let tolerance = tolerance(&mut section);
    let secrets = signing_secrets(&mut section, "whsec_", SHORT_STANDARD_SECRET)?;
    if let Err(error) = ingest::StandardWebhooks::new(secrets.wrapped(), tolerance) {
        section.wrong("secrets", error.to_string());
    }
    Some(StandardWebhooks { secrets, tolerance })
}

/// Wide enough for clocks that are not kept well, narrow enough that an old request is worth nothing.
fn tolerance(section: &mut Section<'_>) -> Duration {
    let tolerance = section.or("tolerance", Duration::from_mins(5));
    let bounds = Duration::from_secs(1)..=Duration::from_hours(1);
    section.check("tolerance", bounds.contains(&tolerance), "must be from 1s to 1h");
    tolerance
}

fn signing_secrets(section: &mut Section<'_>, prefix: &str, short: usize) -> Option<Secrets> {
    if !section.has("secrets") && !section.has("secrets_file") {
        section.wrong("secrets", "is required (or `secrets_file`)");
    }
    let secrets = section.secrets("secrets")?;
    let length = |text: &str| text.strip_prefix(prefix).unwrap_or(text).len();
    if secrets.wrapped().iter().any(|secret| length(secret.expose_secret()) < short) {
        section.warn("secrets", format!("has a secret under {short} characters, which can be guessed more easily"));
    }
    Some(secrets)
}
