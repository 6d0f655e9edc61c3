//! The shell of the loop: it reads the clock, runs looks and commits, and feeds [`State`]. It decides nothing.

use crate::clock::Clock;
use crate::state::{Run, State};
use futures::future::BoxFuture;
use models::{CommitError, Ledger, LedgerEvent, LookError, Truth, TruthSource};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::{Id, JoinSet};
use tokio_util::sync::CancellationToken;

/// What the loop is doing, for health answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Status {
    /// Partitions assigned to this process.
    pub partitions: usize,
    /// Whether all of them have been restored.
    pub restored: bool,
}

/// Why the loop ended other than by being stopped.
#[derive(Debug, thiserror::Error)]
pub enum LoopError {
    /// The ledger cannot go on.
    #[error("the ledger cannot go on: {0}")]
    Ledger(String),
    /// The ledger ended without being asked to.
    #[error("the ledger ended by itself")]
    Ended,
}

/// A look's answer, and how long it took.
type Looked = (Result<Truth, LookError>, Duration);

struct Commit {
    outcome: BoxFuture<'static, Result<(), CommitError>>,
    started: tokio::time::Instant,
}

/// One process's reconciler.
pub struct Reconciler<L, T> {
    ledger: L,
    source: Arc<T>,
    clock: Arc<dyn Clock>,
    state: State,
    looks: JoinSet<Looked>,
    running: HashMap<Id, Run>,
    commit: Option<Commit>,
    status: watch::Sender<Status>,
}

impl<L: Ledger, T: TruthSource> Reconciler<L, T> {
    /// Ready to run.
    pub fn new(ledger: L, source: Arc<T>, clock: Arc<dyn Clock>, state: State) -> Reconciler<L, T> {
        Reconciler {
            ledger,
            source,
            clock,
            state,
            looks: JoinSet::new(),
            running: HashMap::new(),
            commit: None,
            status: watch::Sender::new(Status::default()),
        }
    }

    /// Follows what the loop is doing.
    pub fn status(&self) -> watch::Receiver<Status> {
        self.status.subscribe()
    }

    /// Runs until `stop`, then finishes the looks and the commit under way and leaves the ledger in order. The
    /// caller bounds how long that may take.
    pub async fn run(mut self, stop: CancellationToken) -> Result<(), LoopError> {
        let mut stopping = false;
        loop {
            let now = self.clock.now();
            if !stopping {
                self.start_looks();
            }
            if self.commit.is_none()
                && let Some(batch) = self.state.take_batch(now)
            {
                let outcome = Box::pin(self.ledger.commit(batch));
                self.commit = Some(Commit { outcome, started: tokio::time::Instant::now() });
            }
            if stopping && self.looks.is_empty() && !self.state.has_uncommitted() {
                break;
            }
            let may_look = !stopping && self.looks.len() < self.state.max_in_flight();
            let pause = self.state.next_wake(now, may_look).map(|due| due.since(now).max(Duration::from_millis(1)));
            // Each arm is cancel-safe: a commit stays in `self`, a JoinSet keeps its tasks, `Ledger::next` says so.
            tokio::select! {
                biased;
                outcome = outcome_of(&mut self.commit) => self.committed(&outcome),
                Some(done) = self.looks.join_next_with_id() => self.looked(done),
                event = self.ledger.next() => match event {
                    None => return Err(LoopError::Ended),
                    Some(LedgerEvent::Failed(reason)) => return Err(LoopError::Ledger(reason)),
                    Some(event) => self.event(event).await,
                },
                () = sleep(pause) => {}
                () = stop.cancelled(), if !stopping => {
                    tracing::info!(looks = self.looks.len(), "reconciler stops: looks under way are finished, none is begun");
                    stopping = true;
                }
            }
        }
        self.ledger.close();
        while let Some(event) = self.ledger.next().await {
            if let LedgerEvent::Failed(reason) = event {
                return Err(LoopError::Ledger(reason));
            }
        }
        Ok(())
    }

    fn start_looks(&mut self) {
        while self.looks.len() < self.state.max_in_flight()
            && let Some(run) = self.state.next_run(self.clock.now())
        {
            let source = Arc::clone(&self.source);
            let key = run.key.clone();
            let task = self.looks.spawn(async move {
                let started = tokio::time::Instant::now();
                let result = source.look(&key).await;
                (result, started.elapsed())
            });
            self.running.insert(task.id(), run);
        }
        self.state.metrics().looks_in_flight.set(self.looks.len() as i64);
    }

    fn looked(&mut self, done: Result<(Id, Looked), tokio::task::JoinError>) {
        let (id, result, took) = match done {
            Ok((id, (result, took))) => (id, result, took),
            // A panic while reading one answer must not take the others down, nor leave its key hanging.
            Err(error) => (error.id(), Err(LookError::Unreadable("reading it panicked".to_owned())), Duration::ZERO),
        };
        let Some(run) = self.running.remove(&id) else {
            return;
        };
        let outcome = match &result {
            Ok(truth) if truth.answer == models::Answer::Absent => "absent",
            Ok(_) => "present",
            Err(LookError::Retry(_)) => "retry",
            Err(LookError::Throttled { .. }) => "throttled",
            Err(LookError::Denied(_)) => "denied",
            Err(LookError::Unreadable(_)) => "unreadable",
            Err(LookError::UnknownProject) => "unknown_project",
        };
        let metrics = self.state.metrics();
        metrics.truth_requests.with_label_values(&[run.key.project(), outcome]).inc();
        metrics.truth_request_seconds.observe(took.as_secs_f64());
        if let Err(LookError::Denied(why)) = &result {
            tracing::error!(project = run.key.project(), why, "ARGOS refuses the API key or our address");
        } else if let Err(error) = &result {
            tracing::debug!(project = run.key.project(), submission = run.key.submission(), outcome, %error, "a look failed");
        }
        self.state.finish(&run, &result, self.clock.now());
    }

    async fn event(&mut self, event: LedgerEvent) {
        if let LedgerEvent::Revoked { partition } = &event {
            tracing::info!(partition, "partition revoked");
            // Contract, rule 5: the commit under way has its outcome; take it in first.
            if self.commit.is_some() {
                let outcome = outcome_of(&mut self.commit).await;
                self.committed(&outcome);
            }
        }
        if let LedgerEvent::Ready { partition, live, bulk, .. } = &event {
            tracing::info!(partition, live, bulk, "partition restored");
        }
        self.state.on_event(event, self.clock.now());
        let (restored, partitions) = self.state.restored();
        let status = Status { partitions, restored };
        self.status.send_if_modified(|old| std::mem::replace(old, status) != status);
    }

    fn committed(&mut self, outcome: &Result<(), CommitError>) {
        if let Some(commit) = self.commit.take() {
            self.state.metrics().commit_seconds.observe(commit.started.elapsed().as_secs_f64());
        }
        if let Err(error) = outcome {
            tracing::warn!(%error, "a batch was not committed");
        }
        self.state.on_commit(outcome, self.clock.now());
    }
}

/// The outcome of the commit under way; never ready if there is none.
async fn outcome_of(commit: &mut Option<Commit>) -> Result<(), CommitError> {
    match commit {
        Some(commit) => commit.outcome.as_mut().await,
        None => std::future::pending().await,
    }
}

async fn sleep(pause: Option<Duration>) {
    match pause {
        Some(pause) => tokio::time::sleep(pause).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests;
