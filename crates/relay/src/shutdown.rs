//! The end of the process: ordered, bounded, visible.
//!
//! Owns: the running parts in the order in which they stop, the budget for that, and the rule that a part which ends
//! before it is told to is a failure. Must not know: what the parts do.
//!
//! Path: wiring adds each part ([`Parts::add`]) in stopping order; [`Parts::run`] waits for a signal or for a part that
//! ends early, then tells one part after the other to stop and waits for it, within its own bound and the whole budget.
//! A second signal ends the waiting.

use crate::telemetry::chain;
use anyhow::Context as _;
use futures::future::select_all;
use std::future::Future;
use std::pin::pin;
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;
use tokio::task::{JoinError, JoinHandle};
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

/// One running part.
struct Part {
    name: &'static str,
    bound: Duration,
    stop: CancellationToken,
    task: JoinHandle<anyhow::Result<()>>,
}

/// All running parts, first to stop first.
#[derive(Default)]
pub struct Parts {
    list: Vec<Part>,
}

/// What went wrong between start and end.
#[derive(Debug, thiserror::Error)]
pub enum PartError {
    /// It ended though nobody had told it to.
    #[error("{0} ended by itself")]
    EndedEarly(&'static str),
    /// It ended with an error.
    #[error("{name} failed")]
    Failed {
        /// Which part.
        name: &'static str,
        /// Why.
        #[source]
        source: anyhow::Error,
    },
    /// It did not stop within its bound and was cut off.
    #[error("{name} did not stop within {} ms and was cut off", waited.as_millis())]
    CutOff {
        /// Which part.
        name: &'static str,
        /// How long it was waited for.
        waited: Duration,
    },
}

impl Parts {
    /// Without parts.
    pub fn new() -> Parts {
        Parts::default()
    }

    /// Starts a part that stops after those added before it. It gets the token that tells it to stop, and `bound` to do so.
    pub fn add<F>(&mut self, name: &'static str, bound: Duration, part: impl FnOnce(CancellationToken) -> F)
    where
        F: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        let stop = CancellationToken::new();
        let task = tokio::spawn(part(stop.clone()));
        self.list.push(Part { name, bound, stop, task });
    }

    /// As [`Parts::add`], on a thread that runs nothing else: what the part reads and keeps stays in the caches of one
    /// processor, and no other part waits for it.
    pub fn add_apart<F>(&mut self, name: &'static str, bound: Duration, part: impl FnOnce(CancellationToken) -> F)
    where
        F: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        self.add(name, bound, |stop| on_own_thread(name, part(stop)));
    }

    /// Runs until `signal` names a signal, or a part ends early; then stops all parts in order, within `budget`.
    /// `hurry` is a second signal: what has not stopped by then is cut off. Returns everything that went wrong.
    pub async fn run(
        mut self,
        budget: Duration,
        signal: impl Future<Output = &'static str>,
        hurry: impl Future<Output = &'static str>,
    ) -> Vec<PartError> {
        let mut errors = Vec::new();
        tokio::select! {
            name = signal => tracing::info!(signal = name, budget_ms = budget.as_millis() as u64, "stopping"),
            error = self.first_end() => {
                tracing::error!(error = %chain(&error), "a part ended early; stopping");
                errors.push(error);
            }
        }
        let deadline = Instant::now() + budget;
        let mut hurry = pin!(hurry);
        let mut hurried = false;
        for part in self.list {
            let name = part.name;
            let began = Instant::now();
            let until = if hurried { began } else { deadline.min(began + part.bound) };
            // Dropping the first branch only stops the waiting, so the second one cuts the task off itself.
            let abort = part.task.abort_handle();
            let outcome = tokio::select! {
                biased;
                outcome = part.stop(until) => outcome,
                signal = &mut hurry, if !hurried => {
                    tracing::warn!(signal, part = name, "told again to stop; cutting off what still runs");
                    hurried = true;
                    abort.abort();
                    Err(PartError::CutOff { name, waited: began.elapsed() })
                }
            };
            let took_ms = began.elapsed().as_millis() as u64;
            match outcome {
                Ok(()) => tracing::info!(part = name, took_ms, "stopped"),
                Err(error) => {
                    tracing::error!(part = name, took_ms, error = %chain(&error), "not stopped in order");
                    errors.push(error);
                }
            }
        }
        errors
    }

    /// Waits for the first part that ends, and takes it off the list. Cancel-safe: it only polls.
    async fn first_end(&mut self) -> PartError {
        if self.list.is_empty() {
            return std::future::pending().await;
        }
        let (result, index, _) = select_all(self.list.iter_mut().map(|part| &mut part.task)).await;
        let name = self.list.remove(index).name;
        match flatten(name, result) {
            Ok(()) => PartError::EndedEarly(name),
            Err(error) => error,
        }
    }
}

impl Part {
    /// Tells it to stop, waits, and cuts it off when the time is over.
    async fn stop(mut self, until: Instant) -> Result<(), PartError> {
        let began = Instant::now();
        self.stop.cancel();
        if let Ok(result) = timeout_at(until, &mut self.task).await {
            return flatten(self.name, result);
        }
        self.task.abort();
        Err(PartError::CutOff { name: self.name, waited: began.elapsed() })
    }
}

/// Runs it to its end on a new thread; dropped, it is cut off there.
async fn on_own_thread(
    name: &str,
    part: impl Future<Output = anyhow::Result<()>> + Send + 'static,
) -> anyhow::Result<()> {
    let (tell, outcome) = oneshot::channel();
    let cut = CancellationToken::new();
    let _cuts_when_dropped = cut.clone().drop_guard();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    std::thread::Builder::new().name(name.to_owned()).spawn(move || {
        if let Some(outcome) = runtime.block_on(cut.run_until_cancelled_owned(part)) {
            // Nobody waits for it any more if it was cut off just now.
            drop(tell.send(outcome));
        }
        // A look under way in the name service would keep the thread.
        runtime.shutdown_background();
    })?;
    outcome.await.context("its thread panicked")?
}

/// A panic is a failure like any other; its message went to standard error when it happened.
fn flatten(name: &'static str, result: Result<anyhow::Result<()>, JoinError>) -> Result<(), PartError> {
    result.map_err(anyhow::Error::from).flatten().map_err(|source| PartError::Failed { name, source })
}

/// The signals that ask for an orderly stop.
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Listens from now on, so that none is missed between two waits.
    pub fn listen() -> std::io::Result<Signals> {
        Ok(Signals { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// Waits for the next one. Cancel-safe.
    pub async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::{pending, ready};
    use std::sync::{Arc, Mutex};

    const SECOND: Duration = Duration::from_secs(1);

    /// A part that takes its time to stop, and says when it has.
    fn slow(
        log: &Arc<Mutex<Vec<&'static str>>>,
        name: &'static str,
        takes: Duration,
    ) -> impl FnOnce(CancellationToken) -> Work {
        let log = Arc::clone(log);
        move |stop| {
            Box::pin(async move {
                stop.cancelled().await;
                tokio::time::sleep(takes).await;
                log.lock().unwrap().push(name);
                Ok(())
            })
        }
    }

    type Work = std::pin::Pin<Box<dyn Future<Output = anyhow::Result<()>> + Send>>;

    fn told(errors: &[PartError]) -> Vec<String> {
        errors.iter().map(|error| chain(error).to_string()).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn parts_stop_one_after_the_other() {
        let log = Arc::default();
        let mut parts = Parts::new();
        parts.add("door", 5 * SECOND, slow(&log, "door", 3 * SECOND));
        parts.add("loop", 5 * SECOND, slow(&log, "loop", SECOND));
        let began = Instant::now();
        let errors = parts.run(10 * SECOND, ready("SIGTERM"), pending()).await;
        assert!(errors.is_empty(), "{errors:?}");
        assert_eq!(*log.lock().unwrap(), ["door", "loop"]);
        assert_eq!(began.elapsed().as_secs(), 4);
    }

    #[tokio::test(start_paused = true)]
    async fn bound_and_budget_cut_off() {
        let log = Arc::default();
        let mut parts = Parts::new();
        parts.add("first", 2 * SECOND, slow(&log, "first", 60 * SECOND));
        parts.add("second", 60 * SECOND, slow(&log, "second", 60 * SECOND));
        parts.add("third", 60 * SECOND, slow(&log, "third", Duration::ZERO));
        let began = Instant::now();
        let errors = parts.run(5 * SECOND, ready("SIGTERM"), pending()).await;
        assert_eq!(began.elapsed().as_secs(), 5);
        assert_eq!(
            told(&errors)[..2],
            ["first did not stop within 2000 ms and was cut off", "second did not stop within 3000 ms and was cut off"]
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_part_that_ends_early_stops_the_others_and_is_a_failure() {
        for (end, text) in [
            (Ok(()), "door ended by itself"),
            (
                Err(anyhow::anyhow!("no broker").context("the port is taken")),
                "door failed: the port is taken: no broker",
            ),
        ] {
            let log = Arc::default();
            let mut parts = Parts::new();
            parts.add("door", SECOND, |_stop| ready(end));
            parts.add("loop", SECOND, slow(&log, "loop", Duration::ZERO));
            let errors = parts.run(10 * SECOND, pending(), pending()).await;
            assert_eq!(told(&errors), [text]);
            assert_eq!(*log.lock().unwrap(), ["loop"]);
        }
    }

    #[tokio::test]
    async fn a_part_on_its_own_thread_ends_panics_and_is_cut_off_like_any_other() {
        let thread = || std::thread::current().name().map(str::to_owned);
        let mut parts = Parts::new();
        parts.add_apart("apart", SECOND, move |stop| async move {
            stop.cancelled().await;
            anyhow::bail!("on {:?}", thread())
        });
        let errors = parts.run(SECOND, ready("SIGTERM"), pending()).await;
        assert_eq!(told(&errors), ["apart failed: on Some(\"apart\")"]);

        let mut parts = Parts::new();
        parts.add_apart("apart", SECOND, |_stop| async { panic!("as a test wants it") });
        let errors = parts.run(SECOND, pending(), pending()).await;
        assert!(told(&errors)[0].starts_with("apart failed: its thread panicked"), "{errors:?}");

        let (alive, mut dead) = oneshot::channel::<()>();
        let mut parts = Parts::new();
        parts.add_apart("apart", Duration::ZERO, |_stop| async move {
            let _alive = alive;
            pending().await
        });
        let errors = parts.run(SECOND, ready("SIGTERM"), pending()).await;
        assert!(matches!(errors[..], [PartError::CutOff { .. }]), "{errors:?}");
        assert!(tokio::time::timeout(10 * SECOND, &mut dead).await.is_ok(), "it still runs");
    }

    #[tokio::test(start_paused = true)]
    async fn a_failure_while_stopping_is_told() {
        let mut parts = Parts::new();
        parts.add("door", SECOND, |stop| async move {
            stop.cancelled().await;
            anyhow::bail!("two hints were not acknowledged")
        });
        let errors = parts.run(10 * SECOND, ready("SIGINT"), pending()).await;
        assert_eq!(told(&errors), ["door failed: two hints were not acknowledged"]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_second_signal_ends_the_waiting() {
        let log = Arc::default();
        let mut parts = Parts::new();
        parts.add("door", 60 * SECOND, slow(&log, "door", 30 * SECOND));
        parts.add("loop", 60 * SECOND, slow(&log, "loop", 30 * SECOND));
        let began = Instant::now();
        let hurry = async {
            tokio::time::sleep(2 * SECOND).await;
            "SIGINT"
        };
        let errors = parts.run(60 * SECOND, ready("SIGTERM"), hurry).await;
        assert_eq!(errors.len(), 2, "{errors:?}");
        assert_eq!(began.elapsed().as_secs(), 2);
    }
}
