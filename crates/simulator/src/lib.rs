//! A simulated ARGOS: the only test double of the project. Tests, the demo, chaos runs and benchmarks all drive it.
//!
//! Owns: invented people ([`people`]), submissions with their history ([`World`]), planned lives ([`Life`]), webhook
//! bodies ([`Trigger`]), their encryption ([`Encryption`]), `GET /v3/submission` with faults ([`Faults`]), the bad delivery of webhooks
//! ([`WebhookFaults`]), and scenarios ([`Scenario`]).
//!
//! Must not know: the service's crates. It is written from the vendor's public pages alone and speaks JSON over HTTP,
//! so that it and the service's reader check one another. It reads no clock: the caller brings one ([`Clock`]).
//!
//! Path: a scenario plans lives; each step changes the world and builds a body; the sender posts it, or loses it, or
//! posts it thrice; the service asks the server, which shows the world as it is or was.

mod answers;
mod change;
mod clock;
mod config;
mod counts;
mod documents;
mod faults;
mod life;
pub mod people;
mod scenario;
mod seal;
mod sender;
mod sent;
mod server;
mod simulator;
mod state;
mod view;
mod webhooks;
mod world;

pub use change::Change;
pub use clock::{Clock, ManualClock, ticking};
pub use config::{Config, DeletedForm, Derivation, Encryption, ListAml, ListShape, Mode, Project, UnknownId};
pub use counts::Counts;
pub use faults::{FaultControl, Faults};
pub use life::{Life, Mix, Pace, Plot, Step};
pub use scenario::{Rate, Report, Scenario, ScenarioError};
pub use sent::{Posted, SendRecord, Sent, WebhookFaults};
pub use simulator::Simulator;
pub use state::{Deletion, DeletionKind, FaceAuth, Injection, Kyc, Reason, Risk, State, Text, Update};
pub use view::{Traits, TruthView};
pub use webhooks::Trigger;
pub use world::{World, WorldError};
