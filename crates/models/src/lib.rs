//! The words of the domain and the seams between the rooms.
//!
//! Owns: identifiers, [`Hint`], [`Truth`], [`Entry`], [`Event`], [`Snapshot`], and the traits [`HintSink`],
//! [`TruthSource`] and [`Ledger`] through which the rooms meet, and [`Traces`], to whom they tell their spans.
//!
//! Must not know: a runtime, a clock, chance, the network, Kafka, or any field name of ARGOS.
//!
//! Path: a hint ([`hint`]) leads to a look at ARGOS ([`truth`]); a decision compares it with what was last
//! published ([`entry`]) and yields events ([`event`]); [`ledger`] is how they become durable together.

#[cfg(test)]
#[path = "../contract/mod.rs"]
mod contract;
pub mod entry;
pub mod event;
pub mod facts;
pub mod hint;
pub mod ids;
pub mod ledger;
pub mod list;
pub mod memo;
pub mod notification;
pub mod sink;
pub mod time;
pub mod trace;
pub mod truth;

pub use entry::{Check, CheckReason, Entry, Grave, GraveReason, Pending, Published};
pub use event::{Agreement, Cause, Event, EventKind, Previous, Provenance, Snapshot};
pub use facts::{Aml, AmlStatus, Facts, Kyc, KycStatus, Monitoring, Origin, Reason, Risk, SubmissionFacts};
pub use hint::{Authentication, Claim, Hint, Notice, Notices, Row, Source};
pub use ids::{InvalidId, Key, ProjectId, SubmissionId};
pub use ledger::{Batch, CommitError, DeadLetter, Lane, Ledger, LedgerEvent, Progress, StateChange, Write};
pub use list::{Page, PageCursor, PageQuery};
pub use memo::{Memo, MemoKey, Request, Standing, Sweep, SweepMemo, Totals, Walk, Walked};
pub use notification::Notification;
pub use sink::{HintSink, SinkError};
pub use time::Time;
pub use trace::{Span, Step, TraceContext, Traces};
pub use truth::{Answer, LookError, PersonalDigest, Reading, Submission, Truth, TruthSource};
