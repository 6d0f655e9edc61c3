//! Who may ask the admin API, and how: the bearer token, and what a browser may not do for another site.
//!
//! Owns: the tokens (their digests), and the refusals before any route is looked at. Must not know: the routes. Probes and
//! metrics stand outside of it: who scrapes them has no token.
//!
//! Path: `check` is a layer around all of `/api/v1`.

use super::problem::Problem;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use std::net::IpAddr;
use std::sync::{Arc, PoisonError, RwLock};
use subtle::{Choice, ConstantTimeEq};
use thiserror::Error;

/// Why tokens are of no use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum InvalidToken {
    /// None at all: everybody would be refused.
    #[error("there is no token")]
    None,
    /// Something that no header can carry as a bearer token.
    #[error("token {0} has characters other than A-Z a-z 0-9 - . _ ~ + / =, or fewer than 16")]
    Characters(usize),
}

/// The tokens that are valid now; several while one is exchanged. Clones share them.
#[derive(Clone)]
pub struct Tokens(Arc<RwLock<Vec<[u8; 32]>>>);

impl Tokens {
    /// Checks them and keeps their digests.
    pub fn new(tokens: &[SecretString]) -> Result<Tokens, InvalidToken> {
        Ok(Tokens(Arc::new(RwLock::new(digests(tokens)?))))
    }

    /// Replaces all at once. On an error the old ones stay valid.
    pub fn replace(&self, tokens: &[SecretString]) -> Result<(), InvalidToken> {
        let new = digests(tokens)?;
        // A poisoned lock still holds a whole list: the only write is this assignment.
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = new;
        Ok(())
    }

    /// Looks at all of them, always, and in constant time.
    fn admit(&self, presented: &str) -> bool {
        let presented = digest(presented);
        let tokens = self.0.read().unwrap_or_else(PoisonError::into_inner);
        tokens.iter().fold(Choice::from(0), |found, token| found | token.ct_eq(&presented)).into()
    }
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Tokens([redacted])")
    }
}

fn digests(tokens: &[SecretString]) -> Result<Vec<[u8; 32]>, InvalidToken> {
    /// Shorter ones can be guessed.
    const SHORTEST: usize = 16;
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
    let checked = tokens.iter().enumerate().map(|(index, token)| {
        let token = token.expose_secret();
        let fits = token.len() >= SHORTEST && token.bytes().all(legal);
        fits.then(|| digest(token)).ok_or(InvalidToken::Characters(index + 1))
    });
    let digests = checked.collect::<Result<Vec<_>, _>>()?;
    if digests.is_empty() { Err(InvalidToken::None) } else { Ok(digests) }
}

fn digest(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}

/// The layer: refuses, or lets through; no answer is kept by anybody.
pub(crate) async fn check(State(tokens): State<Option<Tokens>>, request: Request, next: Next) -> Response {
    let refused = judge(tokens.as_ref(), request.method(), request.headers());
    let mut response = match refused {
        Some(problem) => problem.into_response(),
        None => next.run(request).await,
    };
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// `None` = let through.
fn judge(tokens: Option<&Tokens>, method: &Method, headers: &HeaderMap) -> Option<Problem> {
    if let Some(tokens) = tokens
        && !bearer(headers).is_some_and(|presented| tokens.admit(presented))
    {
        let message = "give the token of admin.token as `Authorization: Bearer TOKEN`";
        return Some(Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", message));
    }
    if method == Method::GET || method == Method::HEAD {
        return None;
    }
    if is_of_another_site(headers) || (tokens.is_none() && is_of_a_name(headers)) {
        let message = "a browser asked for another site; open the console itself, or configure admin.token";
        return Some(Problem::new(StatusCode::FORBIDDEN, "foreign_site", message));
    }
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    // A form of another site can send three types without asking first, and this is none of them.
    if kind.split(';').next().map(str::trim).is_some_and(|kind| kind.eq_ignore_ascii_case("application/json")) {
        return None;
    }
    let message = "send a body of content-type application/json";
    Some(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "content_type", message))
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).map(|value| value.to_str().unwrap_or_default())
}

/// Whether a browser says that another site than this one had it ask. Who is no browser says nothing.
fn is_of_another_site(headers: &HeaderMap) -> bool {
    let fetched = text(headers, "sec-fetch-site").is_some_and(|site| !matches!(site, "same-origin" | "none"));
    let host = text(headers, "host").unwrap_or_default();
    let origin = text(headers, "origin").is_some_and(|origin| {
        let named = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
        named != Some(host)
    });
    fetched || origin
}

/// Whether a browser asks under a host's name other than `localhost`: a name can be made to point here by whoever owns it,
/// and then his page is of the same site. Only a token tells him from an operator.
fn is_of_a_name(headers: &HeaderMap) -> bool {
    let browser = headers.contains_key("origin") || headers.contains_key("sec-fetch-site");
    let host = text(headers, "host").unwrap_or_default();
    let name = host.rsplit_once(':').filter(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit()));
    let name = name.map_or(host, |(name, _)| name).trim_start_matches('[').trim_end_matches(']');
    browser && name != "localhost" && name.parse::<IpAddr>().is_err()
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderName;

    const TOKEN: &str = "a-token-of-the-tests-0001";

    fn judged(tokens: Option<&[&str]>, method: &Method, lines: &[(&str, &str)]) -> Option<u16> {
        let tokens = tokens.map(|all| {
            let all: Vec<SecretString> = all.iter().map(|text| (*text).into()).collect();
            Tokens::new(&all).unwrap()
        });
        let line = |(name, value): &(&str, &str)| (HeaderName::try_from(*name).unwrap(), value.parse().unwrap());
        let headers: HeaderMap = lines.iter().map(line).collect();
        judge(tokens.as_ref(), method, &headers).map(|problem| problem.into_response().status().as_u16())
    }

    #[test]
    fn only_a_valid_token_opens_and_several_may_be_valid() {
        let valid: &[&str] = &["another-token-000000", TOKEN];
        let bearer = format!("Bearer {TOKEN}");
        assert_eq!(judged(Some(valid), &Method::GET, &[("authorization", &bearer)]), None);
        assert_eq!(judged(Some(valid), &Method::GET, &[("authorization", "bearer another-token-000000")]), None);
        for wrong in [&bearer[..bearer.len() - 1], &format!("Basic {TOKEN}"), TOKEN, "Bearer ", "Bearer", ""] {
            assert_eq!(judged(Some(valid), &Method::GET, &[("authorization", wrong)]), Some(401), "{wrong}");
        }
        assert_eq!(judged(Some(valid), &Method::GET, &[]), Some(401));
        assert_eq!(judged(None, &Method::GET, &[]), None, "none configured, none asked for");
    }

    #[test]
    fn tokens_are_exchanged_and_useless_ones_are_refused() {
        let tokens = Tokens::new(&[TOKEN.into()]).unwrap();
        assert_eq!(tokens.replace(&[]), Err(InvalidToken::None));
        assert_eq!(tokens.replace(&[TOKEN.into(), "too-short".into()]), Err(InvalidToken::Characters(2)));
        assert_eq!(tokens.replace(&["with a space in it, long".into()]), Err(InvalidToken::Characters(1)));
        assert!(tokens.admit(TOKEN));
        tokens.replace(&["the-next-token-00000".into()]).unwrap();
        assert!(!tokens.admit(TOKEN) && tokens.admit("the-next-token-00000"));
        assert_eq!(format!("{tokens:?}"), "Tokens([redacted])");
    }

    #[test]
    fn a_browser_may_not_post_for_another_site() {
        let json = ("content-type", "application/json; charset=utf-8");
        let host = ("host", "127.0.0.1:9464");
        for (lines, expected) in [
            (vec![json], None),
            (vec![json, host, ("origin", "http://127.0.0.1:9464"), ("sec-fetch-site", "same-origin")], None),
            (vec![json, ("host", "[::1]:9464"), ("origin", "http://[::1]:9464")], None),
            (vec![json, ("host", "localhost:9464"), ("origin", "http://localhost:9464")], None),
            (vec![json, host, ("origin", "http://evil.example")], Some(403)),
            (vec![json, host, ("origin", "null")], Some(403)),
            (vec![json, host, ("sec-fetch-site", "cross-site")], Some(403)),
            (vec![json, host, ("sec-fetch-site", "same-site")], Some(403)),
            // A name that its owner made to point here.
            (vec![json, ("host", "evil.example:9464"), ("origin", "http://evil.example:9464")], Some(403)),
            (vec![json, ("host", "relay-admin:9464")], None),
            (vec![host], Some(415)),
            (vec![host, ("content-type", "text/plain")], Some(415)),
            (vec![host, ("content-type", "application/x-www-form-urlencoded")], Some(415)),
        ] {
            assert_eq!(judged(None, &Method::POST, &lines), expected, "{lines:?}");
        }
        // A token tells an operator under any name, but not another site's page.
        let bearer = format!("Bearer {TOKEN}");
        let named = [json, ("host", "relay.example"), ("origin", "https://relay.example"), ("authorization", &bearer)];
        assert_eq!(judged(Some(&[TOKEN]), &Method::POST, &named), None);
        let foreign = [json, ("host", "relay.example"), ("origin", "https://evil.example"), ("authorization", &bearer)];
        assert_eq!(judged(Some(&[TOKEN]), &Method::POST, &foreign), Some(403));
    }
}
