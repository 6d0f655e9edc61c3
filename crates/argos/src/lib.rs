//! Everything that knows ARGOS's wire.
//!
//! Owns: webhook bodies ([`webhook`]), submission documents ([`document`]) and list pages ([`list`]), their
//! timestamps ([`timestamp`]) and codes ([`reasons`]), the digest of personal data ([`personal`]), its encryption
//! ([`cipher`]), what a failure means ([`status`]), its keys
//! ([`api_key`]), and the HTTP client ([`client`]). No other room names a field of
//! ARGOS.
//!
//! Must not know: Kafka, the ledger, the decision, configuration files.
//!
//! Path: a webhook's bytes become a claim ([`webhook::decode`]), which is only a reason to ask. The client asks
//! ([`client::Client`]), and the answer becomes a [`models::Truth`] ([`document::decode_single`]).
//!
//! The wire is read leniently: what nobody needs is skipped unread, whatever its type, and personal data is never
//! built into values (the digest excepted, which forgets it at once). Where a project has a [`Cipher`], answers and
//! webhooks are opened first ([`webhook::decode_sealed`]) and plain ones are refused. Where it has none, a sealed
//! webhook is [`webhook::WebhookError::Encrypted`], a sealed answer is unreadable and says why.

mod answer;
pub mod api_key;
pub mod cipher;
pub mod client;
pub mod document;
#[cfg(test)]
mod fixtures;
mod head;
pub mod list;
pub mod lookup;
mod one_pass;
pub mod personal;
pub mod probe;
pub mod project;
pub mod query;
pub mod reader;
pub mod reasons;
mod row;
mod scan;
mod sealed;
mod slices;
pub mod status;
mod submission;
pub mod timestamp;
pub mod webhook;
mod wire;
mod words;

pub use api_key::{ApiKeys, InvalidKeys};
pub use cipher::{Cipher, CipherError, Derivation, KeyError, Mode};
pub use client::{Client, ClientError};
pub use lookup::{Found, MAX_PAGES, Person};
pub use personal::{DigestKey, WeakKey};
pub use project::{DateFormat, Fetch, ListSettings, Project, Timeouts};
pub use query::{ListQuery, Part};
pub use reader::{Policy, Reader};
pub use webhook::{Described, SealedError, Webhook, WebhookError};
