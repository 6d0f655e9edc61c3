//! The seam to the ledger: partitions come and go, hints arrive, and decisions become durable together.
//!
//! The contract, which the Kafka ledger and the in-memory one both keep:
//!
//! 1. For each partition: `Assigned`, any number of `Entries` and `Memos`, `Ready`, then `Hint`/`Request`/`Skipped` in
//!    offset order for each lane, and `Expired` where there is a gap, until `Revoked`. Each assignment has a new `epoch`;
//!    an event of an older epoch is void.
//! 2. `Assigned { fresh: false }` means that `Entries` and `Memos` carry only what changed since this process last held the
//!    partition; the reconciler kept the rest.
//! 3. After `CommitError::Lost` the outcome is unknown: the ledger sends `Revoked` for every partition that it held and
//!    assigns those that are still its own anew. Nothing may be decided for them until `Ready`.
//! 4. A batch is all or nothing: events, snapshots, entries and offsets.
//! 5. `Revoked` comes only when no batch with that partition is half-way: the future of a commit that was under way
//!    has its outcome by then.

use crate::{Entry, Event, Hint, Key, Memo, MemoKey, Notification, Request, Snapshot, Time};
use serde::{Deserialize, Serialize};
use std::future::Future;

/// Which of the two streams of hints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lane {
    /// Webhooks, ladders, rechecks: what somebody waits for.
    Live,
    /// Sweeps, backfills, re-looks: what has time.
    Bulk,
}

impl Lane {
    /// The word in metric labels.
    pub const fn as_str(self) -> &'static str {
        match self {
            Lane::Live => "live",
            Lane::Bulk => "bulk",
        }
    }
}

/// What the ledger tells the reconciler.
#[derive(Debug)]
pub enum LedgerEvent {
    /// The partition is ours; its entries follow.
    Assigned {
        /// Which.
        partition: i32,
        /// Of this assignment.
        epoch: u64,
        /// Whether entries kept from an earlier assignment must be forgotten.
        fresh: bool,
    },
    /// Entries of a partition, in the ledger's order; `None` = forgotten.
    Entries {
        /// Which.
        partition: i32,
        /// Of this assignment.
        epoch: u64,
        /// Key and entry.
        entries: Vec<(Key, Option<Entry>)>,
    },
    /// Memos of a partition, in the ledger's order; `None` = forgotten.
    Memos {
        /// Which.
        partition: i32,
        /// Of this assignment.
        epoch: u64,
        /// Name and memo.
        memos: Vec<(MemoKey, Option<Memo>)>,
    },
    /// The ledger was read to its end; hints follow from these offsets.
    Ready {
        /// Which.
        partition: i32,
        /// Of this assignment.
        epoch: u64,
        /// The next offset of the live lane.
        live: i64,
        /// The next offset of the bulk lane.
        bulk: i64,
        /// How many partitions there are in all: the shares of a budget follow from it.
        of: i32,
    },
    /// Records of a lane are gone that nobody settled, or may not have: retention went past the committed offset, or the
    /// log ends before it (a topic made anew, a broker that lost its tail). Only a full sweep repairs that. Told after
    /// `Ready`, and again at each restore until progress was committed beyond the gap: so whoever acts on it makes its
    /// request durable before that progress, or with it.
    Expired {
        /// Its partition.
        partition: i32,
        /// Of this assignment.
        epoch: u64,
        /// Which lane.
        lane: Lane,
        /// How many offsets the gap has; of a log that ends too early, how many are missing at its end.
        lost: u64,
    },
    /// A hint.
    Hint {
        /// Its partition.
        partition: i32,
        /// Of this assignment.
        epoch: u64,
        /// Its lane.
        lane: Lane,
        /// Its offset.
        offset: i64,
        /// The submission.
        key: Key,
        /// The hint.
        hint: Box<Hint>,
    },
    /// Somebody asks for a walk. Its offset counts as unsettled until the memo that grants or refuses it is committed.
    Request {
        /// Its partition.
        partition: i32,
        /// Of this assignment.
        epoch: u64,
        /// Its lane.
        lane: Lane,
        /// Its offset.
        offset: i64,
        /// What is asked for.
        request: Request,
    },
    /// A record that is no hint for this partition: its offset counts as settled.
    Skipped {
        /// Its partition.
        partition: i32,
        /// Of this assignment.
        epoch: u64,
        /// Its lane.
        lane: Lane,
        /// Its offset.
        offset: i64,
        /// To be written with the next commit, if it could not be read.
        dead_letter: Option<Box<DeadLetter>>,
    },
    /// The partition is no longer ours. Entries may be kept in case it comes back.
    Revoked {
        /// Which.
        partition: i32,
    },
    /// The ledger cannot go on (an unknown record version, for example). The service stops with this message.
    Failed(String),
}

/// How far a partition's lanes are settled: the offsets that ride in the transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Which partition.
    pub partition: i32,
    /// Of this assignment.
    pub epoch: u64,
    /// The lowest unsettled offset of the live lane.
    pub live: i64,
    /// The lowest unsettled offset of the bulk lane.
    pub bulk: i64,
}

/// What happens to the state topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StateChange {
    /// Nothing.
    Keep,
    /// The snapshot is replaced.
    Put(Box<Snapshot>),
    /// The snapshot is deleted.
    Tombstone,
}

/// What could not be reconciled. Never a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// The submission, if it is known.
    pub key: Option<Key>,
    /// The reason class, a word for metrics.
    pub reason: &'static str,
    /// The message, without any content.
    pub message: String,
    /// How often it was tried.
    pub attempts: u32,
    /// When it first failed.
    pub first_seen: Time,
    /// Topic, partition and offset of the record, if one is to blame.
    pub origin: Option<(String, i32, i64)>,
}

/// What one decision changes.
#[derive(Clone, Debug)]
pub struct Write {
    /// The partition whose offsets must ride along.
    pub partition: i32,
    /// The submission.
    pub key: Key,
    /// In order of sequence.
    pub events: Vec<Event>,
    /// The state topic.
    pub state: StateChange,
    /// The new entry; `None` = a tombstone, only for entries without history.
    pub entry: Option<Entry>,
    /// A dead letter that comes with it.
    pub dead_letter: Option<DeadLetter>,
    /// For operators.
    pub notifications: Vec<Notification>,
}

/// What becomes durable together. Every partition that a write or a memo names must be in
/// `progress`.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// Offsets, one row for each partition touched.
    pub progress: Vec<Progress>,
    /// Decisions.
    pub writes: Vec<Write>,
    /// Dead letters of records that could not be read at all.
    pub dead_letters: Vec<DeadLetter>,
    /// Memos with the partition that they are written to.
    pub memos: Vec<(i32, MemoKey, Memo)>,
    /// For operators, besides those of the writes.
    pub notifications: Vec<Notification>,
}

/// What became of a batch that was not committed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommitError {
    /// Nothing of it is visible. While the assignment stands, the same decisions may be submitted again.
    #[error("the transaction was aborted: {0}")]
    Aborted(String),
    /// Nothing was written: a record of each of these submissions is larger than Kafka takes, with its size in bytes.
    /// The other decisions of the batch may be submitted again, these never as they are.
    #[error("larger than Kafka takes: {} of the submissions", .0.len())]
    TooLarge(Vec<(Key, usize)>),
    /// Unknown, or this producer was fenced. See rule 3 of the contract.
    #[error("the outcome of the transaction is unknown: {0}")]
    Lost(String),
}

/// The seam itself.
pub trait Ledger: Send + 'static {
    /// The next event; `None` once the ledger is closed. Cancel-safe.
    fn next(&mut self) -> impl Future<Output = Option<LedgerEvent>> + Send;

    /// Makes a batch durable. The future does not borrow the ledger, so that events go on meanwhile; at most one is
    /// run at a time.
    fn commit(&self, batch: Batch) -> impl Future<Output = Result<(), CommitError>> + Send + 'static;

    /// Leaves the group in order; `next` then ends.
    fn close(&self);
}
