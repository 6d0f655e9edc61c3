//! What a probe finds. No personal data. Pure.

use crate::cipher::{Derivation, Mode};
use crate::project::DateFormat;
use std::time::Duration;

/// Whether a setting holds.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(tag = "verdict", content = "why", rename_all = "snake_case")]
pub enum Verdict {
    /// It does.
    Holds,
    /// It does not; why.
    Fails(String),
    /// It cannot be told; why.
    Unknown(String),
}

/// How answers come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sealing {
    /// In clear.
    Plain,
    /// Sealed, and opened by one of the keys (counted from 0) with this mode and derivation.
    Opened(Mode, Derivation, usize),
    /// Sealed, and none of the keys opens it with any mode and derivation.
    Shut,
}

/// What list rows carry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Rows {
    /// So many were looked at.
    pub rows: usize,
    /// Of these, with a screening status.
    pub with_aml: usize,
    /// With the vendor's clock.
    pub with_updated_at: usize,
}

/// How long answers take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Latency {
    /// The middle one of five.
    pub p50: Duration,
    /// The longest.
    pub max: Duration,
}

/// What was found.
#[derive(Clone, Debug)]
pub struct Report {
    /// Whether the API key is accepted. If not, nothing else was asked.
    pub key: Verdict,
    /// How answers come; `None` if there was none to judge from.
    pub sealing: Option<Sealing>,
    /// Whether the answer for an id that does not exist is read as absence; its form.
    pub unknown_id: (Verdict, String),
    /// Whether pages of this size are given.
    pub page_sizes: Vec<(u32, Verdict)>,
    /// Whether days written so filter the list.
    pub dates: Vec<(DateFormat, Verdict)>,
    /// What rows carry.
    pub rows: Rows,
    /// Whether `request_type` gives only the part that it names.
    pub slices: Verdict,
    /// ARGOS's clock less ours, in milliseconds, to about half a second; `None` if no answer had a date.
    pub skew_ms: Option<i64>,
    /// How long answers take.
    pub latency: Option<Latency>,
}

impl Report {
    pub(super) fn unasked() -> Report {
        let unasked = || Verdict::Unknown("not asked".to_owned());
        Report {
            key: unasked(),
            sealing: None,
            unknown_id: (unasked(), String::new()),
            page_sizes: Vec::new(),
            dates: Vec::new(),
            rows: Rows::default(),
            slices: unasked(),
            skew_ms: None,
            latency: None,
        }
    }
}
