//! What the ledger remembers beside submissions, under reserved keys: how far each sweep is, and what each partition
//! has spent of a project's budget.
//!
//! Owns the format of these records. As with entries, a version that is not known is refused, never guessed at. A
//! memo lives on the partition that it is written to, not on the one that its key would hash to: what belongs to a
//! partition moves with it.

use crate::entry::LedgerFormat;
use crate::facts::words;
use crate::{PageCursor, ProjectId, Time};
use serde::{Deserialize, Serialize};
use std::fmt;

words! {
    /// One of the list walks.
    Sweep {
        /// What is young.
        Recent = "recent",
        /// What is a month old at most.
        Month = "month",
        /// All of it.
        Full = "full",
        /// What an operator asked for, once.
        Backfill = "backfill",
    }
}

/// The name of a memo. Its text form starts with `_`, which no project id does.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MemoKey {
    /// How far a sweep is; on partition 0.
    Sweep(ProjectId, Sweep),
    /// What a partition has spent for a project; on every partition.
    Standing(ProjectId),
}

impl MemoKey {
    /// Reads the text form; `None` if this release knows no such memo.
    pub fn parse(text: &str) -> Option<MemoKey> {
        let mut parts = text.split('/');
        let key = match (parts.next()?, ProjectId::new(parts.next()?).ok()?) {
            ("_sweep", project) => {
                let word = parts.next()?;
                let sweep = Sweep::ALL.iter().find(|sweep| sweep.as_str() == word)?;
                MemoKey::Sweep(project, *sweep)
            }
            ("_standing", project) => MemoKey::Standing(project),
            _ => return None,
        };
        parts.next().is_none().then_some(key)
    }
}

impl fmt::Display for MemoKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MemoKey::Sweep(project, sweep) => write!(out, "_sweep/{project}/{}", sweep.as_str()),
            MemoKey::Standing(project) => write!(out, "_standing/{project}"),
        }
    }
}

/// What a walk counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Totals {
    /// Pages read.
    pub pages: u64,
    /// Rows read.
    pub rows: u64,
    /// Rows that showed what the ledger held, compared where the walk ran: no hint was needed.
    pub equal: u64,
    /// Rows that became hints.
    pub hinted: u64,
    /// Items without a usable id.
    pub unreadable: u64,
}

/// A walk under way: what is needed to go on at the page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Walk {
    /// When it began (our clock).
    pub started_at: Time,
    /// Only what was created since; `None` = whatever its age.
    pub from: Option<Time>,
    /// Only what was created until; fixed at the start, so that a list that grows comes to an end.
    pub to: Time,
    /// The page to read next; `None` = the first.
    pub cursor: Option<PageCursor>,
    /// Pages in a row that brought nothing new.
    pub stalled: u32,
    /// So far.
    pub totals: Totals,
}

/// How a walk ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Walked {
    /// When it began.
    pub started_at: Time,
    /// When it ended.
    pub ended_at: Time,
    /// Whether it came to the end of the list; else it was given up for want of progress.
    pub complete: bool,
    /// What it counted.
    pub totals: Totals,
}

/// One sweep of one project.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SweepMemo {
    /// The walk under way.
    pub walk: Option<Walk>,
    /// The last walk that ended.
    pub last: Option<Walked>,
    /// An early walk was asked for and has not begun.
    pub asked_at: Option<Time>,
    /// When an early walk was last granted.
    pub granted_at: Option<Time>,
    /// What a backfill was asked to walk, and has not begun to.
    pub range: Option<(Time, Time)>,
    /// When the last walk that came to the end of the list began; what the age of a sweep is measured from.
    pub completed: Option<Time>,
}

/// What one partition has spent for one project, and since when it has known the project.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Standing {
    /// When the partition first ran with this project: the default of `live_since`.
    pub first_run: Time,
    /// The day of `spent`: days since 1970-01-01, UTC.
    pub day: i64,
    /// Requests charged on that day.
    pub spent: u64,
    /// When the hour of `deletions` began.
    pub hour: Time,
    /// Deletions inferred from absence in that hour.
    pub deletions: u32,
}

/// A memo's content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Memo {
    /// Under [`MemoKey::Sweep`].
    Sweep(Box<SweepMemo>),
    /// Under [`MemoKey::Standing`].
    Standing(Standing),
}

/// The version byte of the memos written by this release.
pub const MEMO_VERSION: u8 = 1;

impl Memo {
    /// The ledger's bytes: one version byte, then postcard.
    pub fn encode(&self) -> Vec<u8> {
        // Serialising into a Vec cannot fail: every type here has a fixed shape and no map.
        postcard::to_extend(self, vec![MEMO_VERSION]).unwrap_or_default()
    }

    /// Reads the ledger's bytes.
    pub fn decode(bytes: &[u8]) -> Result<Memo, LedgerFormat> {
        match bytes.split_first() {
            Some((&MEMO_VERSION, rest)) => {
                postcard::from_bytes(rest).map_err(|error| LedgerFormat::Damaged(error.to_string()))
            }
            Some((&version, _)) => Err(LedgerFormat::UnknownVersion(version)),
            None => Err(LedgerFormat::Damaged("empty".to_owned())),
        }
    }
}

/// What somebody asks of the owner of partition 0, as a record of `kyc.hints.bulk.v1` on that partition under the key
/// `_request/<project>`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "snake_case")]
pub enum Request {
    /// A full sweep before its time: a webhook was refused, or hints have expired.
    FullSweep {
        /// Of which project.
        project: ProjectId,
        /// When it was asked for.
        at: Time,
    },
    /// One walk over what was created in a period.
    Backfill {
        /// Of which project.
        project: ProjectId,
        /// When it was asked for.
        at: Time,
        /// Created not before.
        from: Time,
        /// Created not after.
        to: Time,
    },
}

impl Request {
    /// Of which project.
    pub const fn project(&self) -> &ProjectId {
        match self {
            Request::FullSweep { project, .. } | Request::Backfill { project, .. } => project,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_read_back_and_never_look_like_a_submission() {
        let project = ProjectId::new("acme").unwrap();
        for key in [MemoKey::Sweep(project.clone(), Sweep::Recent), MemoKey::Standing(project)] {
            let text = key.to_string();
            assert_eq!(MemoKey::parse(&text), Some(key));
            assert!(crate::Key::parse(&text).is_err(), "{text}");
        }
        for other in ["_meta/partitions", "_sweep/acme", "_sweep/acme/never", "_standing/acme/x", "acme/x"] {
            assert_eq!(MemoKey::parse(other), None, "{other}");
        }
    }

    #[test]
    fn memos_read_back_and_an_unknown_version_is_refused() {
        let memo = Memo::Sweep(Box::new(SweepMemo { asked_at: Some(Time::from_millis(7)), ..SweepMemo::default() }));
        let mut bytes = memo.encode();
        assert_eq!(Memo::decode(&bytes), Ok(memo));
        bytes[0] = 9;
        assert_eq!(Memo::decode(&bytes), Err(LedgerFormat::UnknownVersion(9)));
        assert!(matches!(Memo::decode(&[]), Err(LedgerFormat::Damaged(_))));
    }
}
