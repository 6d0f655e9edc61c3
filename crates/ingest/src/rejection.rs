//! The table of refusals.
//!
//! Owns, for each reason, the status, the word in metrics and in the answer, and the headers that go with it (design,
//! section 7). Must not know how a reason was found. Nothing of a body, a path or an address is told back.
//!
//! Path: [`crate::receive`] ends in an answer or in a [`Rejection`]; either becomes a response here or there.

use crate::authenticate::{Refused, Unread};
use crate::signature::BadSignature;
use argos::{SealedError, WebhookError};
use axum::Json;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use models::SinkError;
use std::time::Duration;

/// Why a request was not taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rejection {
    /// No such project, or no such path. Told alike, so that paths cannot be probed.
    NotFound,
    /// The path token is absent or wrong.
    WrongToken,
    /// The caller's address is unknown or not on the list.
    ForeignSource,
    /// A signature is absent, malformed or wrong.
    WrongSignature,
    /// A signature's timestamp is too far from our clock. Told apart because it is mostly a clock that is wrong; known
    /// before any secret is used, so it tells nothing of one.
    StaleSignature,
    /// Any method but POST.
    Method,
    /// The body is over the limit, announced or found while reading.
    TooLarge,
    /// The body is compressed.
    ContentEncoding,
    /// The body did not come in time.
    BodyTimeout,
    /// The body broke off.
    BodyBroken,
    /// Not a JSON object.
    NotAnObject,
    /// The submission id is not acceptable.
    BadId,
    /// The body is sealed, and the project has no key to open it with.
    Encrypted,
    /// The project encrypts, and the body is in clear: whoever could send that would go around the encryption.
    NotEncrypted,
    /// The project encrypts, and no key opens the body: key, derivation or mode are wrong, or the body was altered.
    WrongKey,
    /// The project encrypts, and the sealed text is broken, so that no key could open it.
    Corrupt,
    /// A key opened the body, and what was inside is no webhook.
    BadContent,
    /// Too many requests, or bytes of them, are under way.
    Busy,
    /// Too many hints wait for the broker.
    Full,
    /// The broker cannot acknowledge in time.
    Unavailable,
    /// We are about to end.
    Draining,
}

impl Rejection {
    /// Every reason.
    pub const ALL: &'static [Rejection] = &[
        Rejection::NotFound,
        Rejection::WrongToken,
        Rejection::ForeignSource,
        Rejection::WrongSignature,
        Rejection::StaleSignature,
        Rejection::Method,
        Rejection::TooLarge,
        Rejection::ContentEncoding,
        Rejection::BodyTimeout,
        Rejection::BodyBroken,
        Rejection::NotAnObject,
        Rejection::BadId,
        Rejection::Encrypted,
        Rejection::NotEncrypted,
        Rejection::WrongKey,
        Rejection::Corrupt,
        Rejection::BadContent,
        Rejection::Busy,
        Rejection::Full,
        Rejection::Unavailable,
        Rejection::Draining,
    ];

    /// The status, and the word for it: the metric label `outcome` and, but for [`Rejection::UNOPENED`], the member
    /// `error` of the answer.
    pub const fn row(self) -> (StatusCode, &'static str) {
        match self {
            Rejection::NotFound => (StatusCode::NOT_FOUND, "not_found"),
            Rejection::WrongToken => (StatusCode::UNAUTHORIZED, "wrong_token"),
            Rejection::ForeignSource => (StatusCode::FORBIDDEN, "foreign_source"),
            Rejection::WrongSignature => (StatusCode::UNAUTHORIZED, "wrong_signature"),
            Rejection::StaleSignature => (StatusCode::UNAUTHORIZED, "stale_signature"),
            Rejection::Method => (StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed"),
            Rejection::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "too_large"),
            Rejection::ContentEncoding => (StatusCode::UNSUPPORTED_MEDIA_TYPE, "content_encoding"),
            Rejection::BodyTimeout => (StatusCode::REQUEST_TIMEOUT, "body_timeout"),
            Rejection::BodyBroken => (StatusCode::BAD_REQUEST, "body_broken"),
            Rejection::NotAnObject => (StatusCode::BAD_REQUEST, "not_an_object"),
            Rejection::BadId => (StatusCode::BAD_REQUEST, "bad_id"),
            Rejection::Encrypted => (StatusCode::BAD_REQUEST, "encrypted"),
            Rejection::NotEncrypted => (StatusCode::BAD_REQUEST, "not_encrypted"),
            Rejection::WrongKey => (StatusCode::BAD_REQUEST, "wrong_key"),
            Rejection::Corrupt => (StatusCode::BAD_REQUEST, "corrupt"),
            Rejection::BadContent => (StatusCode::BAD_REQUEST, "bad_content"),
            Rejection::Busy => (StatusCode::TOO_MANY_REQUESTS, "busy"),
            Rejection::Full => (StatusCode::TOO_MANY_REQUESTS, "full"),
            Rejection::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, "unavailable"),
            Rejection::Draining => (StatusCode::SERVICE_UNAVAILABLE, "draining"),
        }
    }

    /// Whether a webhook of a caller that may come in is lost by it, unless it is sent again, which nobody promises.
    pub const fn loses_a_webhook(&self) -> bool {
        matches!(
            self,
            Rejection::Busy
                | Rejection::Full
                | Rejection::Unavailable
                | Rejection::Draining
                | Rejection::BodyTimeout
                | Rejection::BodyBroken
                | Rejection::WrongKey
                | Rejection::Corrupt
        )
    }

    /// The word alone.
    pub const fn outcome(self) -> &'static str {
        self.row().1
    }

    /// What an encrypting project's door cannot take. Answered alike: whoever tries keys, or blocks of ECB, learns
    /// nothing from the answer.
    pub const UNOPENED: &'static [Rejection] =
        &[Rejection::NotEncrypted, Rejection::WrongKey, Rejection::Corrupt, Rejection::BadContent];

    /// The word that is told to the caller.
    fn told(self) -> &'static str {
        if Rejection::UNOPENED.contains(&self) { "undecryptable" } else { self.outcome() }
    }

    /// How long a caller is asked to wait, where waiting helps: at least a second.
    pub const fn retry_after(self) -> Option<Duration> {
        match self {
            Rejection::Busy | Rejection::Full => Some(Duration::from_secs(1)),
            Rejection::Unavailable | Rejection::Draining => Some(Duration::from_secs(5)),
            _ => None,
        }
    }

    /// The header that the status must or should carry, besides `Retry-After`.
    const fn header(self) -> Option<(HeaderName, HeaderValue)> {
        match self {
            // RFC 9110 asks for a challenge with every 401; there is no registered scheme for a secret path or a
            // signature over the body.
            Rejection::WrongToken => Some((header::WWW_AUTHENTICATE, HeaderValue::from_static("Path-Token"))),
            Rejection::WrongSignature | Rejection::StaleSignature => {
                Some((header::WWW_AUTHENTICATE, HeaderValue::from_static("Webhook-Signature")))
            }
            Rejection::Method => Some((header::ALLOW, HeaderValue::from_static("POST"))),
            Rejection::ContentEncoding => Some((header::ACCEPT_ENCODING, HeaderValue::from_static("identity"))),
            // The connection is not fit for another request.
            Rejection::BodyTimeout | Rejection::BodyBroken | Rejection::Draining => {
                Some((header::CONNECTION, HeaderValue::from_static("close")))
            }
            _ => None,
        }
    }
}

impl From<Refused> for Rejection {
    fn from(refused: Refused) -> Rejection {
        match refused {
            Refused::WrongPath => Rejection::NotFound,
            Refused::WrongToken => Rejection::WrongToken,
            Refused::ForeignSource => Rejection::ForeignSource,
            Refused::BadSignature(BadSignature::Stale) => Rejection::StaleSignature,
            Refused::BadSignature(BadSignature::Malformed | BadSignature::Wrong) => Rejection::WrongSignature,
        }
    }
}

impl From<WebhookError> for Rejection {
    fn from(error: WebhookError) -> Rejection {
        match error {
            WebhookError::NotAnObject => Rejection::NotAnObject,
            WebhookError::BadId(_) => Rejection::BadId,
            WebhookError::Encrypted => Rejection::Encrypted,
        }
    }
}

impl From<SealedError> for Rejection {
    fn from(error: SealedError) -> Rejection {
        match error {
            SealedError::Plain => Rejection::NotEncrypted,
            SealedError::Undecryptable(error) if error.is_corrupt() => Rejection::Corrupt,
            SealedError::Undecryptable(_) => Rejection::WrongKey,
            // An opened body is always an object: this one was none before.
            SealedError::Body(WebhookError::NotAnObject) => Rejection::NotAnObject,
            SealedError::Body(WebhookError::BadId(_) | WebhookError::Encrypted) => Rejection::BadContent,
        }
    }
}

impl From<Unread> for Rejection {
    fn from(error: Unread) -> Rejection {
        match error {
            Unread::Plain(error) => error.into(),
            Unread::Sealed(error) => error.into(),
        }
    }
}

impl From<SinkError> for Rejection {
    fn from(error: SinkError) -> Rejection {
        match error {
            SinkError::Full => Rejection::Full,
            SinkError::Unavailable(_) | SinkError::Denied(_) => Rejection::Unavailable,
        }
    }
}

impl IntoResponse for Rejection {
    fn into_response(self) -> Response {
        let body = serde_json::json!({ "accepted": false, "error": self.told() });
        let mut response = (self.row().0, Json(body)).into_response();
        let headers = response.headers_mut();
        if let Some(wait) = self.retry_after() {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(wait.as_secs()));
        }
        if let Some((name, value)) = self.header() {
            headers.insert(name, value);
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_refusal_has_a_word_of_its_own_and_a_status_that_is_no_success() {
        let words: HashSet<_> = Rejection::ALL.iter().map(|rejection| rejection.outcome()).collect();
        assert_eq!(words.len(), Rejection::ALL.len());
        for rejection in Rejection::ALL {
            let status = rejection.row().0;
            assert!(status.is_client_error() || status.is_server_error(), "{rejection:?}");
        }
    }

    #[test]
    fn waiting_is_asked_for_exactly_with_429_and_503() {
        for &rejection in Rejection::ALL {
            let response = rejection.into_response();
            let waits = matches!(response.status().as_u16(), 429 | 503);
            let seconds = response.headers().get(header::RETRY_AFTER).map(|value| value.to_str().unwrap().to_owned());
            assert_eq!(seconds.is_some(), waits, "{rejection:?}");
            assert!(seconds.is_none_or(|seconds| seconds.parse::<u64>().unwrap() >= 1), "{rejection:?}");
        }
    }
}
