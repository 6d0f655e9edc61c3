//! The seven topics: how they must be, making them, checking them.
//!
//! Owns: the table of policies and which promise breaks when one is not kept. Existing topics are never altered: what
//! does not fit is reported, and an operator decides. Must not know: what the records say.
//!
//! Path: [`apply`] creates what is missing and records the layout; [`check`] compares; [`verify_layout`] is the quick
//! look that `serve` takes before it starts. [`access`] says what each role may do.

pub mod access;
mod admin;
mod policy;

pub use admin::{TopicsError, apply, apply_telling, check, check_hints, retention, verify_layout};
pub use policy::{Actual, Finding, TopicPolicy, findings, layout_findings, policies};

/// What became of one topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TopicOutcome {
    /// It was made just now.
    Created,
    /// It is as it must be.
    Fits,
    /// It does not exist.
    Missing,
    /// It breaks promises.
    Breaks(Vec<Finding>),
}

/// One line of the report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicLine {
    /// The topic's full name.
    pub topic: String,
    /// What became of it.
    pub outcome: TopicOutcome,
}

/// What `topics apply` or `topics check` found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicsReport {
    /// One line a topic.
    pub lines: Vec<TopicLine>,
    /// What is wrong with the topics together: partition counts.
    pub layout: Vec<Finding>,
}

impl TopicsReport {
    /// Whether `serve` may start on these topics.
    pub fn is_ok(&self) -> bool {
        let fits = |line: &TopicLine| matches!(line.outcome, TopicOutcome::Created | TopicOutcome::Fits);
        self.layout.is_empty() && self.lines.iter().all(fits)
    }
}
