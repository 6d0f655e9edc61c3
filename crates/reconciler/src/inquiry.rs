//! What others may ask the loop, and what it answers: plain values of one moment.
//!
//! Owns: the questions, the answers, and the bounded way between. The loop answers between two of its turns, so nobody
//! ever holds it up with a lock. Must not know: who asks, and in what form the answer is shown.
//!
//! Path: [`channel`] makes both ends; [`Inquiry`] asks, the driver takes each [`Ask`] and has the state answer it.

use crate::journal::Noted;
use models::{Entry, Key, Sweep, Time};
use tokio::sync::{mpsc, oneshot};

/// Questions that may wait.
const WAITING: usize = 16;

/// Which partition a key goes to, of so many; the loop knows how many, and not how they are chosen.
pub type Partitioner = fn(&[u8], i32) -> i32;

/// One question, with the way back.
#[derive(Debug)]
pub enum Ask {
    /// How everything is.
    Overview(oneshot::Sender<Overview>),
    /// What is known of one submission.
    Key(Key, Partitioner, oneshot::Sender<KeyView>),
    /// Charges one request to a project's budget, or says when there is room.
    Spend(String, oneshot::Sender<Result<(), Time>>),
}

/// The asking end; cheap to clone.
#[derive(Clone, Debug)]
pub struct Inquiry(mpsc::Sender<Ask>);

/// Both ends.
pub fn channel() -> (Inquiry, mpsc::Receiver<Ask>) {
    let (sender, receiver) = mpsc::channel(WAITING);
    (Inquiry(sender), receiver)
}

impl Inquiry {
    /// `None` once the loop has ended. The caller bounds how long it waits.
    pub async fn overview(&self) -> Option<Overview> {
        self.ask(Ask::Overview).await
    }

    /// As [`Inquiry::overview`], of one submission.
    pub async fn key(&self, key: &Key, partitioner: Partitioner) -> Option<KeyView> {
        self.ask(|reply| Ask::Key(key.clone(), partitioner, reply)).await
    }

    /// Charges one request, or says when there is room again.
    pub async fn spend(&self, project: &str) -> Option<Result<(), Time>> {
        self.ask(|reply| Ask::Spend(project.to_owned(), reply)).await
    }

    async fn ask<T>(&self, question: impl FnOnce(oneshot::Sender<T>) -> Ask) -> Option<T> {
        let (reply, answer) = oneshot::channel();
        self.0.send(question(reply)).await.ok()?;
        answer.await.ok()
    }
}

/// How the loop is.
#[derive(Clone, Debug, Default)]
pub struct Overview {
    /// How many partitions there are in all; `None` before the first is held.
    pub total: Option<i32>,
    /// The partitions that are ours.
    pub partitions: Vec<PartitionView>,
    /// In order of their names.
    pub projects: Vec<ProjectView>,
}

/// One partition that is ours.
#[derive(Clone, Debug)]
pub struct PartitionView {
    /// Its number.
    pub partition: i32,
    /// Whether it was read to its end and is worked on.
    pub running: bool,
    /// Submissions in memory.
    pub entries: u64,
    /// Hints of the live lane that were read and are not settled.
    pub live: u64,
    /// The same of the bulk lane.
    pub bulk: u64,
}

/// One project on this replica.
#[derive(Clone, Debug)]
pub struct ProjectView {
    /// Its id.
    pub id: String,
    /// `closed`, `half_open` or `open`.
    pub breaker: &'static str,
    /// When it opened and the failure that did it, unless it is closed.
    pub opened: Option<(Time, String)>,
    /// Requests a second, over all replicas, as configured.
    pub per_second: f64,
    /// Requests a second that this replica makes at most just now.
    pub rate_now: f64,
    /// Requests a day, over all replicas, as configured.
    pub per_day: u64,
    /// What this replica's partitions have spent today.
    pub spent: u64,
    /// The part of the whole that is held here.
    pub share: f64,
    /// Keys that wait for their look: live, bulk, unknown.
    pub waiting: [usize; 3],
    /// Looks under way.
    pub in_flight: usize,
    /// Rechecks that are due and not queued yet.
    pub due: usize,
    /// Entries set aside without a look.
    pub parked: usize,
    /// Deletions inferred from absence in one hour at most, over all replicas.
    pub deletions_per_hour: u32,
    /// Deletions inferred in this hour, on this replica's partitions.
    pub deletions: u32,
    /// The list walks; empty unless partition 0 is worked on here.
    pub sweeps: Vec<SweepView>,
}

/// One list walk of a project.
#[derive(Clone, Debug)]
pub struct SweepView {
    /// Which.
    pub sweep: Sweep,
    /// `running`, `waiting` (due, and not begun) or `idle`.
    pub state: &'static str,
    /// Rows of the walk under way, else of the last.
    pub rows: u64,
    /// How far the walk under way is, 0 to 1, by the rows of the last complete one.
    pub part: Option<f64>,
    /// When the walk under way began, else the last.
    pub started_at: Option<Time>,
    /// When the last walk ended.
    pub finished_at: Option<Time>,
    /// When the next is due.
    pub due_at: Option<Time>,
    /// Whether the last walk came to the end of the list.
    pub complete: Option<bool>,
}

/// Where the work on a key stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It waits for its turn, or for budget.
    Queued,
    /// A GET is under way.
    Asked,
    /// Decided, not yet committed.
    Decided,
}

/// What this replica knows of one submission.
#[derive(Clone, Debug, Default)]
pub struct KeyView {
    /// Whether its partition is worked on here; else nothing below is known.
    pub owned: bool,
    /// Its entry, as committed.
    pub entry: Option<Entry>,
    /// The work on it, if there is any.
    pub work: Option<Standing>,
    /// What lately happened to it here, oldest first; also of a time before the partition moved.
    pub notes: Vec<Noted>,
    /// Since when notes are kept: the start of the loop, or what the oldest note left.
    pub notes_from: Option<Time>,
}
