//! What operators are told on the control topic. No personal data, no body.

use crate::{Cause, Key, ProjectId, Sweep, Time, Totals};
use serde::{Deserialize, Serialize};

/// One notification.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub enum Notification {
    /// A hint's claim was not shown by any look of the ladder.
    HintUnconfirmed {
        /// The submission.
        key: Key,
        /// The vendor's trigger.
        trigger: String,
        /// The newest hint.
        hint_id: Option<String>,
        /// When the ladder ended.
        at: Time,
    },
    /// A change was published that no webhook had told.
    GapRepaired {
        /// The submission.
        key: Key,
        /// What found it.
        cause: Cause,
        /// The sequence of the last event that came of it.
        sequence: u64,
        /// When it was confirmed.
        at: Time,
    },
    /// A list walk has begun.
    SweepStarted {
        /// Of which project.
        project: ProjectId,
        /// Which walk.
        sweep: Sweep,
        /// When.
        at: Time,
    },
    /// A list walk is under way.
    SweepProgress {
        /// Of which project.
        project: ProjectId,
        /// Which walk.
        sweep: Sweep,
        /// So far.
        totals: Totals,
        /// Bulk looks that wait on this replica.
        waiting: u64,
        /// How long those take at the bulk lane's rate, in seconds.
        backlog_seconds: u64,
        /// When.
        at: Time,
    },
    /// A list walk has ended.
    SweepEnded {
        /// Of which project.
        project: ProjectId,
        /// Which walk.
        sweep: Sweep,
        /// When it began.
        started_at: Time,
        /// Whether it came to the end of the list.
        complete: bool,
        /// What it counted.
        totals: Totals,
        /// When.
        at: Time,
    },
    /// ARGOS is not asked for this project until then, but for a probe.
    BreakerOpened {
        /// Of which project.
        project: ProjectId,
        /// What the last failure was, in our words.
        why: String,
        /// When one probe may go.
        until: Time,
        /// When.
        at: Time,
    },
    /// ARGOS answers again.
    BreakerClosed {
        /// Of which project.
        project: ProjectId,
        /// When.
        at: Time,
    },
    /// Deletions inferred from absence have reached the hourly cap; more wait.
    DeletionsHeld {
        /// Of which project.
        project: ProjectId,
        /// Until when at least.
        until: Time,
        /// When.
        at: Time,
    },
    /// This replica's share of the daily quota is spent.
    QuotaSpent {
        /// Of which project.
        project: ProjectId,
        /// When the quota begins anew.
        until: Time,
        /// When.
        at: Time,
    },
}

impl Notification {
    /// The name of its schema.
    pub const fn record_type(&self) -> &'static str {
        match self {
            Notification::HintUnconfirmed { .. } => "kyc.control.hint_unconfirmed.v1",
            Notification::GapRepaired { .. } => "kyc.control.gap_repaired.v1",
            Notification::SweepStarted { .. } => "kyc.control.sweep_started.v1",
            Notification::SweepProgress { .. } => "kyc.control.sweep_progress.v1",
            Notification::SweepEnded { .. } => "kyc.control.sweep_ended.v1",
            Notification::BreakerOpened { .. } => "kyc.control.breaker_opened.v1",
            Notification::BreakerClosed { .. } => "kyc.control.breaker_closed.v1",
            Notification::DeletionsHeld { .. } => "kyc.control.deletions_held.v1",
            Notification::QuotaSpent { .. } => "kyc.control.quota_spent.v1",
        }
    }

    /// The key of its record: the submission's, or the project's name.
    pub fn key(&self) -> &str {
        match self {
            Notification::HintUnconfirmed { key, .. } | Notification::GapRepaired { key, .. } => key.as_str(),
            Notification::SweepStarted { project, .. }
            | Notification::SweepProgress { project, .. }
            | Notification::SweepEnded { project, .. }
            | Notification::BreakerOpened { project, .. }
            | Notification::BreakerClosed { project, .. }
            | Notification::DeletionsHeld { project, .. }
            | Notification::QuotaSpent { project, .. } => project.as_str(),
        }
    }
}
