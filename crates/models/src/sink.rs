//! The seam through which the front door makes a hint durable.

use crate::{Hint, Key, Request};
use std::future::Future;

use crate::ledger::Lane;

/// Why a hint was not made durable. The caller must be told; nothing was promised.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SinkError {
    /// Too many hints wait for their acknowledgement.
    #[error("too many hints wait for an acknowledgement")]
    Full,
    /// The broker is gone, or did not acknowledge in time. The hint may still arrive; it is harmless when repeated.
    #[error("not acknowledged: {0}")]
    Unavailable(String),
    /// The cluster answers, and does not take it from us: a right is missing.
    #[error("not acknowledged: {0}")]
    Denied(String),
}

/// Where hints go.
pub trait HintSink: Send + Sync + 'static {
    /// Returns `Ok` only once the hint is durable (acknowledged by all in-sync replicas). Ends within a bound of the
    /// sink's own: who waits here for a caller has no other.
    fn accept(&self, key: &Key, lane: Lane, hint: &Hint) -> impl Future<Output = Result<(), SinkError>> + Send;

    /// Makes a request durable, for the owner of partition 0.
    fn request(&self, request: &Request) -> impl Future<Output = Result<(), SinkError>> + Send;

    /// Whether a hint could be made durable right now, as far as is known.
    fn is_available(&self) -> bool;
}
