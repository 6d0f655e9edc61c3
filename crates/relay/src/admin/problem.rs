//! What goes wrong with a question, as an answer: a status, a word, and what to do.

use axum::Json;
use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use models::{LookError, SinkError};
use publisher::reading::ReadError;
use serde::Serialize;
use std::time::Duration;

/// The body of every refusal.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Refusal {
    /// What is wrong.
    error: Words,
}

/// See [`Refusal`].
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Words {
    /// A word for programs.
    code: &'static str,
    /// What to do, for people.
    message: String,
}

/// A refusal.
#[derive(Clone, Debug)]
pub(crate) struct Problem {
    status: StatusCode,
    code: &'static str,
    message: String,
    retry_after: Option<Duration>,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Problem {
        Problem { status, code, message: message.into(), retry_after: None }
    }

    /// 400.
    pub(crate) fn bad(message: impl Into<String>) -> Problem {
        Problem::new(StatusCode::BAD_REQUEST, "bad_request", message)
    }

    /// 404.
    pub(crate) fn not_found(message: impl Into<String>) -> Problem {
        Problem::new(StatusCode::NOT_FOUND, "not_found", message)
    }

    /// 429 with the time to wait.
    pub(crate) fn later(code: &'static str, message: impl Into<String>, wait: Duration) -> Problem {
        let retry_after = Some(wait.max(Duration::from_secs(1)));
        Problem { retry_after, ..Problem::new(StatusCode::TOO_MANY_REQUESTS, code, message) }
    }

    /// 503: something that this needs does not answer.
    pub(crate) fn away(code: &'static str, message: impl Into<String>) -> Problem {
        let retry_after = Some(Duration::from_secs(5));
        Problem { retry_after, ..Problem::new(StatusCode::SERVICE_UNAVAILABLE, code, message) }
    }

    /// 500; the cause is logged, not told.
    pub(crate) fn internal(error: &dyn std::fmt::Display) -> Problem {
        tracing::error!(%error, "an operator's question failed");
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "see the log of this replica")
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = Refusal { error: Words { code: self.code, message: self.message } };
        let mut response = (self.status, Json(body)).into_response();
        if let Some(wait) = self.retry_after {
            let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

/// What was sent is not told back: it may name a person.
impl From<JsonRejection> for Problem {
    fn from(rejection: JsonRejection) -> Problem {
        if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
            return Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", "the body is over 16 KiB");
        }
        Problem::bad("the body is not what this path takes: see contracts/openapi/admin.yaml")
    }
}

impl From<QueryRejection> for Problem {
    fn from(_: QueryRejection) -> Problem {
        Problem::bad("the query is not what this path takes: see contracts/openapi/admin.yaml")
    }
}

impl From<PathRejection> for Problem {
    fn from(_: PathRejection) -> Problem {
        Problem::bad("the path is not well-formed")
    }
}

impl From<ReadError> for Problem {
    fn from(error: ReadError) -> Problem {
        match error {
            ReadError::Unreachable(_) => Problem::away("kafka_away", "Kafka does not answer; try again"),
            ReadError::Refused(_) => Problem::away("kafka_refuses", error.to_string()),
            ReadError::Denied(_) => Problem::new(StatusCode::BAD_GATEWAY, "kafka_denies", error.to_string()),
            ReadError::NoTopic(_) => Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "no_topic", error.to_string()),
        }
    }
}

impl From<SinkError> for Problem {
    fn from(error: SinkError) -> Problem {
        Problem::away("kafka_away", format!("{error}; nothing is promised, try again"))
    }
}

impl From<LookError> for Problem {
    fn from(error: LookError) -> Problem {
        match error {
            LookError::Throttled { retry_after } => {
                Problem::later("argos_slows_down", "ARGOS asks us to slow down", retry_after.unwrap_or_default())
            }
            LookError::Retry(_) => Problem::away("argos_away", error.to_string()),
            LookError::Denied(_) | LookError::Unreadable(_) | LookError::UnknownProject => {
                Problem::new(StatusCode::BAD_GATEWAY, "argos_refuses", error.to_string())
            }
        }
    }
}
