//! The shell of the loop: it reads the clock, runs looks and commits, and feeds [`State`]. It decides nothing.

use crate::clock::Clock;
use crate::inquiry::Ask;
use crate::journal::What;
use crate::metrics::failure_word;
use crate::state::{Run, State, Task};
use crate::sweep::PageRun;
use futures::StreamExt;
use futures::future::BoxFuture;
use models::{
    CommitError, Hint, HintSink, Key, Lane, Ledger, LedgerEvent, LookError, Page, Request, SinkError, Span, Step,
    TraceContext, Truth, TruthSource,
};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
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

/// Hints of one page that wait for their acknowledgement at one time.
const HINTS_AT_ONCE: usize = 256;
/// How often ages and remainders are measured for the metrics.
const OBSERVE: Duration = Duration::from_secs(5);
/// Between attempts to make a request durable.
const ASK_AGAIN: Duration = Duration::from_secs(5);

/// What a task did.
enum Done {
    /// A look: its answer, and how long it took.
    Looked(Result<Truth, LookError>, Duration),
    /// A page of the list.
    Listed(Result<Page, LookError>),
    /// The hints of a page: whether all are durable.
    Sent(Result<(), SinkError>),
    /// A request is durable.
    Asked,
}

/// What a task is for.
enum Under {
    Look(Run),
    Page(PageRun, bool, Option<TraceContext>),
    Hints(PageRun),
    Request,
}

struct Commit {
    outcome: BoxFuture<'static, Result<(), CommitError>>,
    started: tokio::time::Instant,
}

/// One process's reconciler.
pub struct Reconciler<L, T, S> {
    ledger: L,
    source: Arc<T>,
    sink: Arc<S>,
    clock: Arc<dyn Clock>,
    state: State,
    tasks: JoinSet<Done>,
    running: HashMap<Id, Under>,
    /// Looks and pages under way.
    asking: usize,
    commit: Option<Commit>,
    status: watch::Sender<Status>,
    asks: Option<mpsc::Receiver<Ask>>,
}

impl<L: Ledger, T: TruthSource, S: HintSink> Reconciler<L, T, S> {
    /// Ready to run.
    pub fn new(ledger: L, source: Arc<T>, sink: Arc<S>, clock: Arc<dyn Clock>, state: State) -> Reconciler<L, T, S> {
        Reconciler {
            ledger,
            source,
            sink,
            clock,
            state,
            tasks: JoinSet::new(),
            running: HashMap::new(),
            asking: 0,
            commit: None,
            status: watch::Sender::new(Status::default()),
            asks: None,
        }
    }

    /// Answers these questions between its turns.
    #[must_use]
    pub fn answering(mut self, asks: mpsc::Receiver<Ask>) -> Reconciler<L, T, S> {
        self.asks = Some(asks);
        self
    }

    /// Follows what the loop is doing.
    pub fn status(&self) -> watch::Receiver<Status> {
        self.status.subscribe()
    }

    /// Runs until `stop`, then finishes the looks and the commit under way and leaves the ledger in order. The
    /// caller bounds how long that may take.
    pub async fn run(mut self, stop: CancellationToken) -> Result<(), LoopError> {
        let mut stopping = false;
        let mut observed = tokio::time::interval(OBSERVE);
        loop {
            let now = self.clock.now();
            if !stopping {
                self.start_tasks();
            }
            if self.commit.is_none()
                && let Some(batch) = self.state.take_batch(now)
            {
                let outcome = Box::pin(self.ledger.commit(batch));
                self.commit = Some(Commit { outcome, started: tokio::time::Instant::now() });
            }
            if stopping && self.asking == 0 && !self.state.has_uncommitted() {
                break;
            }
            let may_look = !stopping && self.asking < self.state.max_in_flight();
            let pause = self.state.next_wake(now, may_look).map(|due| due.since(now).max(Duration::from_millis(1)));
            // Each arm is cancel-safe: a commit stays in `self`, a JoinSet keeps its tasks, `Ledger::next` says so.
            tokio::select! {
                biased;
                outcome = outcome_of(&mut self.commit) => self.committed(&outcome),
                Some(done) = self.tasks.join_next_with_id() => self.done(done),
                Some(ask) = next_of(&mut self.asks) => self.state.answer(ask, self.clock.now()),
                event = self.ledger.next() => match event {
                    None => return Err(LoopError::Ended),
                    Some(LedgerEvent::Failed(reason)) => return Err(LoopError::Ledger(reason)),
                    Some(event) => self.event(event).await,
                },
                () = sleep(pause) => {}
                _ = observed.tick() => self.state.observe(self.clock.now()),
                () = stop.cancelled(), if !stopping => {
                    tracing::info!(looks = self.asking, "reconciler stops: looks under way are finished, none is begun");
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

    fn start_tasks(&mut self) {
        self.state.prepare(self.clock.now());
        while self.asking < self.state.max_in_flight()
            && let Some(task) = self.state.next_task(self.clock.now())
        {
            let source = Arc::clone(&self.source);
            self.asking += 1;
            match task {
                Task::Look(run) => {
                    let key = run.key.clone();
                    let span = self.state.traces().begin(Step::Fetch, run.trace, &[]);
                    self.spawn(Under::Look(run), async move {
                        let started = tokio::time::Instant::now();
                        let result = source.look(&key).await;
                        end(span, outcome_word(&result), result.is_err());
                        Done::Looked(result, started.elapsed())
                    });
                }
                Task::Page(run, probe) => {
                    let query = run.query.clone();
                    let mut span = self.state.traces().begin(Step::Page, None, &[]);
                    span.set("project", run.project.as_str());
                    span.set("sweep", run.sweep.as_str());
                    self.spawn(Under::Page(run, probe, span.context()), async move {
                        let result = source.page(&query).await;
                        end(span, result.as_ref().map_or_else(failure_word, |_| "read"), result.is_err());
                        Done::Listed(result)
                    });
                }
            }
        }
        for request in self.state.take_requests() {
            let sink = Arc::clone(&self.sink);
            self.spawn(Under::Request, async move { ask(&*sink, &request).await });
        }
        self.state.metrics().looks_in_flight.set(self.asking as i64);
    }

    fn spawn(&mut self, under: Under, task: impl Future<Output = Done> + Send + 'static) {
        let handle = self.tasks.spawn(task);
        self.running.insert(handle.id(), under);
    }

    fn done(&mut self, done: Result<(Id, Done), tokio::task::JoinError>) {
        // A panic while reading one answer must not take the others down, nor leave its key hanging.
        let panicked = || LookError::Unreadable("reading it panicked".to_owned());
        let (id, done) = match done {
            Ok((id, done)) => (id, Some(done)),
            Err(error) => (error.id(), None),
        };
        let now = self.clock.now();
        match (self.running.remove(&id), done) {
            (Some(Under::Look(run)), done) => {
                self.asking -= 1;
                let (result, took) = match done {
                    Some(Done::Looked(result, took)) => (result, took),
                    _ => (Err(panicked()), Duration::ZERO),
                };
                self.looked(&run, &result, took);
            }
            (Some(Under::Page(run, probe, trace)), done) => {
                self.asking -= 1;
                let result = match done {
                    Some(Done::Listed(result)) => result,
                    _ => Err(panicked()),
                };
                if let Some(mut hints) = self.state.on_page((&run, probe), &result, now) {
                    // What the rows lead to belongs to the page's trace.
                    let traceparent = trace.map(|trace| trace.to_string());
                    for (_, hint) in &mut hints {
                        hint.traceparent.clone_from(&traceparent);
                    }
                    let sink = Arc::clone(&self.sink);
                    self.spawn(Under::Hints(run), async move { Done::Sent(send_all(&*sink, hints).await) });
                }
            }
            (Some(Under::Hints(run)), done) => {
                let sent = matches!(done, Some(Done::Sent(Ok(()))));
                if let Some(Done::Sent(Err(error))) = done {
                    tracing::warn!(project = %run.project, %error, "the hints of a page are not durable; it is read again");
                }
                self.state.on_page_sent(&run, sent, now);
            }
            (Some(Under::Request), _) => self.state.on_asked(),
            (None, _) => {}
        }
    }

    fn looked(&mut self, run: &Run, result: &Result<Truth, LookError>, took: Duration) {
        let outcome = outcome_word(result);
        let metrics = self.state.metrics();
        metrics.truth_requests.with_label_values(&[run.key.project(), outcome]).inc();
        metrics.truth_request_seconds.observe(took.as_secs_f64());
        if let Err(LookError::Denied(why)) = result {
            tracing::error!(project = run.key.project(), why, "ARGOS refuses the API key or our address");
        } else if let Err(error) = result {
            tracing::debug!(project = run.key.project(), submission = run.key.submission(), outcome, %error, "a look failed");
        }
        let (now, why) = (self.clock.now(), result.as_ref().err().map(ToString::to_string));
        self.state.note(&run.key, now, What::answered(outcome, took, why.as_deref()));
        self.state.finish(run, result, now);
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

/// Ends the span of a request to ARGOS.
fn end(mut span: Span, outcome: &'static str, failed: bool) {
    span.set("outcome", outcome);
    span.fail_if(failed);
}

/// The word of a look's outcome in metrics.
const fn outcome_word(result: &Result<Truth, LookError>) -> &'static str {
    match result {
        Ok(Truth { answer: models::Answer::Absent, .. }) => "absent",
        Ok(_) => "present",
        Err(error) => failure_word(error),
    }
}

/// Makes all hints of a page durable; the first failure tells for all. What is sent twice is harmless.
async fn send_all<S: HintSink>(sink: &S, hints: Vec<(Key, Hint)>) -> Result<(), SinkError> {
    let mut sent = futures::stream::iter(hints)
        .map(|(key, hint)| async move { sink.accept(&key, Lane::Bulk, &hint).await })
        .buffer_unordered(HINTS_AT_ONCE);
    while let Some(result) = sent.next().await {
        result?;
    }
    Ok(())
}

/// Asks until it is durable; ends with the process at the latest.
async fn ask<S: HintSink>(sink: &S, request: &Request) -> Done {
    while sink.request(request).await.is_err() {
        tokio::time::sleep(ASK_AGAIN).await;
    }
    Done::Asked
}

/// The outcome of the commit under way; never ready if there is none.
async fn outcome_of(commit: &mut Option<Commit>) -> Result<(), CommitError> {
    match commit {
        Some(commit) => commit.outcome.as_mut().await,
        None => std::future::pending().await,
    }
}

/// The next question; never ready if nobody can ask.
async fn next_of(asks: &mut Option<mpsc::Receiver<Ask>>) -> Option<Ask> {
    match asks {
        Some(asks) => asks.recv().await,
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
