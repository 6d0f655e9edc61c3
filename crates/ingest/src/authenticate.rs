//! Who may knock at a project's door.
//!
//! Owns a project's list of methods and the rule over it: every configured method must pass, and those that did are
//! named on the hint. Must not know HTTP answers (see [`crate::rejection`]) or how the caller's address was found
//! (see [`crate::client_address`]). Pure, but for the lock behind which tokens are replaced.
//!
//! Path: [`ProjectDoor::new`] refuses a door that would let anyone in unasked; [`ProjectDoor::authenticate`] looks at
//! what is known before the body is read; [`Admission::verify`] at the body, for those methods that sign it
//! ([`crate::signature`]). Only the last gives an [`Authentication`], so that no step can be left out;
//! [`ProjectDoor::read`] asks for it, and adds what an encrypted body shows.

use crate::signature::{BadSignature, Presented, SignedBody, StandardWebhooks};
use argos::{Cipher, Mode, SealedError, Webhook, WebhookError, webhook};
use axum::http::HeaderMap;
use ipnet::{IpNet, Ipv4Net};
use models::{Authentication, ProjectId, Time};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, PoisonError, RwLock};
use subtle::{Choice, ConstantTimeEq};

/// Why a door cannot be built, or its tokens not be replaced. Never holds a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidDoor {
    /// No method, and `unauthenticated` was not said either.
    #[error("no method of authentication is configured, and unauthenticated = true is not set")]
    NoMethod,
    /// `unauthenticated` together with a method: one of the two is a mistake.
    #[error("unauthenticated = true is set beside a method of authentication")]
    Contradictory,
    /// An empty list of networks would let nobody in.
    #[error("the list of source networks is empty")]
    NoNetworks,
    /// An empty list of tokens would let nobody in.
    #[error("the list of path tokens is empty")]
    NoTokens,
    /// A token that is empty, or could not stand in a URL path as it is.
    #[error("path token number {number} is empty or has a character other than A-Z a-z 0-9 - . _ ~")]
    BadToken {
        /// Which of the list, counted from 1.
        number: usize,
    },
}

/// The secret last parts of a project's URL, all valid at once so that one can be replaced by another in peace.
///
/// Clones share the tokens: what [`PathTokens::replace`] sets holds for the next request. Only SHA-256 digests are
/// kept; they are of one length, so the comparison takes the same time whatever is presented.
#[derive(Clone)]
pub struct PathTokens(Arc<RwLock<Vec<[u8; 32]>>>);

impl PathTokens {
    /// Checks the tokens and keeps their digests.
    pub fn new(tokens: &[SecretString]) -> Result<PathTokens, InvalidDoor> {
        Ok(PathTokens(Arc::new(RwLock::new(digests(tokens)?))))
    }

    /// Replaces all tokens at once. On an error the old ones stay valid.
    pub fn replace(&self, tokens: &[SecretString]) -> Result<(), InvalidDoor> {
        let new = digests(tokens)?;
        // A poisoned lock still holds a whole list: the only write is this assignment.
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = new;
        Ok(())
    }

    /// Whether the text is one of the tokens. Looks at all of them, always; none means no.
    fn admit(&self, presented: &str) -> bool {
        let presented = digest(presented);
        let tokens = self.0.read().unwrap_or_else(PoisonError::into_inner);
        tokens.iter().fold(Choice::from(0), |found, token| found | token.ct_eq(&presented)).into()
    }
}

impl fmt::Debug for PathTokens {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("PathTokens([redacted])")
    }
}

fn digests(tokens: &[SecretString]) -> Result<Vec<[u8; 32]>, InvalidDoor> {
    if tokens.is_empty() {
        return Err(InvalidDoor::NoTokens);
    }
    let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
    tokens
        .iter()
        .enumerate()
        .map(|(index, token)| {
            let token = token.expose_secret();
            if token.is_empty() || !token.bytes().all(unreserved) {
                return Err(InvalidDoor::BadToken { number: index + 1 });
            }
            Ok(digest(token))
        })
        .collect()
}

fn digest(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}

/// A project's methods; `None` = not configured.
#[derive(Clone, Debug, Default)]
pub struct Methods {
    /// The networks from which callers may come.
    pub source_ip: Option<Vec<IpNet>>,
    /// The secret last part of the path.
    pub path_tokens: Option<PathTokens>,
    /// A signature over the body, in a header of the sender's choice.
    pub hmac: Option<SignedBody>,
    /// The headers of Standard Webhooks.
    pub standard_webhooks: Option<StandardWebhooks>,
    /// What opens the bodies of an encrypting project; plain ones are refused then. It is a method, and shows who
    /// sent a body, only under GCM.
    pub sealed: Option<Arc<Cipher>>,
    /// Said aloud that anyone may knock. Excludes the methods above.
    pub unauthenticated: bool,
}

impl Methods {
    /// Whether there is a method at all.
    fn any(&self) -> bool {
        self.source_ip.is_some()
            || self.path_tokens.is_some()
            || self.hmac.is_some()
            || self.standard_webhooks.is_some()
            || self.sealed.as_ref().is_some_and(|cipher| cipher.mode() == Mode::Gcm)
    }
}

/// What is known of a caller before the body is read.
#[derive(Clone, Copy)]
pub struct Caller<'a> {
    /// The last part of the path, if there is one; percent-decoded.
    pub token: Option<&'a str>,
    /// Where the caller is, if that can be told.
    pub address: Option<IpAddr>,
    /// The request's headers, for signatures.
    pub headers: &'a HeaderMap,
    /// When the request came.
    pub now: Time,
}

/// Why a caller may not come in. Named after the first method that failed, in the order of the variants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// A token was given to a project that has none: no such path.
    #[error("the project has no secret path")]
    WrongPath,
    /// The token is absent or wrong.
    #[error("the path token is absent or wrong")]
    WrongToken,
    /// The address is unknown or not on the list.
    #[error("the source address is not on the list")]
    ForeignSource,
    /// A signature is absent, malformed, stale or wrong.
    #[error("the signature does not hold")]
    BadSignature(#[from] BadSignature),
}

/// Why a body is none of a project's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unread {
    /// Of a project that does not encrypt.
    #[error("the body cannot be taken")]
    Plain(#[from] WebhookError),
    /// Of one that does.
    #[error("the body of an encrypting project cannot be taken")]
    Sealed(#[from] SealedError),
}

/// One project's door. There is none without a lock, unless that was said aloud.
#[derive(Clone, Debug)]
pub struct ProjectDoor {
    id: ProjectId,
    methods: Methods,
}

impl ProjectDoor {
    /// Builds a door, unless it would stand open or shut by mistake.
    pub fn new(id: ProjectId, mut methods: Methods) -> Result<ProjectDoor, InvalidDoor> {
        match (methods.any(), methods.unauthenticated) {
            (false, false) => return Err(InvalidDoor::NoMethod),
            (true, true) => return Err(InvalidDoor::Contradictory),
            _ => {}
        }
        if methods.source_ip.as_ref().is_some_and(Vec::is_empty) {
            return Err(InvalidDoor::NoNetworks);
        }
        methods.source_ip = methods.source_ip.map(|networks| networks.into_iter().map(canonical).collect());
        Ok(ProjectDoor { id, methods })
    }

    /// Whose door.
    pub fn id(&self) -> &ProjectId {
        &self.id
    }

    /// Whether anyone may knock.
    pub fn is_unauthenticated(&self) -> bool {
        !self.methods.any()
    }

    /// Reads a body whose signatures hold. What was sealed under GCM adds to the methods that passed.
    pub fn read(&self, body: &[u8], passed: Authentication) -> Result<(Webhook, Authentication), Unread> {
        let Some(cipher) = &self.methods.sealed else { return Ok((webhook::decode(body)?, passed)) };
        let webhook = webhook::decode_sealed(body, cipher)?;
        let shown = if cipher.mode() == Mode::Gcm { Authentication::ENCRYPTED } else { Authentication::NONE };
        Ok((webhook, passed.with(shown)))
    }

    /// Checks all that can be checked without the body.
    pub fn authenticate(&self, caller: Caller<'_>) -> Result<Admission<'_>, Refused> {
        let Methods { source_ip, path_tokens, hmac, standard_webhooks, sealed: _, unauthenticated: _ } = &self.methods;
        let mut passed = Authentication::NONE;
        match (path_tokens, caller.token) {
            (Some(tokens), Some(token)) if tokens.admit(token) => {
                passed = passed.with(Authentication::PATH_TOKEN);
            }
            (Some(_), _) => return Err(Refused::WrongToken),
            (None, Some(_)) => return Err(Refused::WrongPath),
            (None, None) => {}
        }
        if let Some(networks) = source_ip {
            let address = caller.address.ok_or(Refused::ForeignSource)?;
            if !contains(networks, address) {
                return Err(Refused::ForeignSource);
            }
            passed = passed.with(Authentication::SOURCE_IP);
        }
        let hmac = hmac.as_ref().map(|method| method.present(caller.headers, caller.now)).transpose()?;
        let standard =
            standard_webhooks.as_ref().map(|method| method.present(caller.headers, caller.now)).transpose()?;
        Ok(Admission { passed, presented: [hmac, standard] })
    }
}

/// What a caller passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Passed {
    /// The methods.
    pub methods: Authentication,
    /// The last signature that held, by which a repeat of the same request is known.
    pub signature: Option<[u8; 32]>,
}

/// A caller whose head is in order. Whether the body is too, [`Admission::verify`] tells.
#[derive(Debug)]
#[must_use]
pub struct Admission<'a> {
    passed: Authentication,
    presented: [Option<Presented<'a>>; 2],
}

impl Admission<'_> {
    /// Checks the methods that sign the body, over its raw bytes, and names all methods that passed.
    pub fn verify(&self, body: &[u8]) -> Result<Passed, Refused> {
        let mut passed = Passed { methods: self.passed, signature: None };
        for presented in self.presented.iter().flatten() {
            passed.signature = Some(presented.covering(body).ok_or(BadSignature::Wrong)?);
            passed.methods = passed.methods.with(Authentication::HMAC);
        }
        Ok(passed)
    }
}

/// Whether an address lies in one of the networks, which must be [`canonical`].
pub(crate) fn contains(networks: &[IpNet], address: IpAddr) -> bool {
    let address = address.to_canonical();
    networks.iter().any(|network| network.contains(&address))
}

/// The IPv4 form of a network that is written as mapped into IPv6 (`::ffff:192.0.2.0/120`); any other as it is.
pub(crate) fn canonical(network: IpNet) -> IpNet {
    const MAPPED_BITS: u8 = 96;
    let IpNet::V6(v6) = network else {
        return network;
    };
    let mapped = Ipv6Addr::to_ipv4_mapped(&v6.network());
    match (mapped, v6.prefix_len().checked_sub(MAPPED_BITS)) {
        (Some(address), Some(prefix)) => Ipv4Net::new(address, prefix).map_or(network, IpNet::V4),
        _ => network,
    }
}

#[cfg(test)]
#[path = "authenticate_tests.rs"]
mod tests;
