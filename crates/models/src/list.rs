//! A page of ARGOS's list, as a walk sees it. A row is thin: it only ever yields a hint, never a truth.

use crate::{Row, SubmissionId, Time};
use serde::{Deserialize, Serialize};

/// Where the next page starts: both parts go back to ARGOS as they came.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PageCursor {
    /// An id, opaque.
    pub id: String,
    /// A time, verbatim: its format is not documented.
    pub created_at: String,
}

/// Which page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageQuery {
    /// Of which project.
    pub project: String,
    /// Created not before this time; the vendor's days are wider.
    pub from: Option<Time>,
    /// Created not after this time; the vendor's days are wider.
    pub to: Option<Time>,
    /// `None` = the first page.
    pub cursor: Option<PageCursor>,
}

/// One page.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Page {
    /// What its rows show, in ARGOS's order; may repeat, and may be fewer than asked for.
    pub rows: Vec<(SubmissionId, Row)>,
    /// The next page; `None` = this was the last, however many rows it has.
    pub next: Option<PageCursor>,
    /// Items without a usable id. They are lost to the walk, so they are counted.
    pub unreadable: usize,
}
