//! Webhooks that were turned away though their senders might come in: they may never come again, so a full sweep is
//! asked for once Kafka acknowledges again.
//!
//! Owns which projects are owed one, and that each is asked for at most once in six hours. Kept in memory only: a
//! process that ends owing is repaired by the sweeps that come anyway. Must not know who walks, or how.

use models::{HintSink, ProjectId, Request, Time};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;

/// A project is swept early at most once in this time.
const ONCE_IN: Duration = Duration::from_hours(6);
/// Between attempts while Kafka does not acknowledge.
const AGAIN: Duration = Duration::from_secs(2);

#[derive(Clone, Copy, Debug, Default)]
struct Debt {
    owed: bool,
    asked_at: Option<Time>,
}

impl Debt {
    fn due(&self) -> Option<Time> {
        self.owed.then(|| self.asked_at.map_or(Time::MIN, |asked| asked + ONCE_IN))
    }
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Debts {
    projects: Mutex<BTreeMap<ProjectId, Debt>>,
    changed: Notify,
}

impl Debts {
    /// A webhook of this project was turned away.
    pub(crate) fn owe(&self, project: &ProjectId) {
        let mut projects = self.projects.lock().unwrap_or_else(PoisonError::into_inner);
        match projects.get_mut(project) {
            Some(debt) if debt.owed => return,
            Some(debt) => debt.owed = true,
            None => {
                projects.insert(project.clone(), Debt { owed: true, asked_at: None });
            }
        }
        drop(projects);
        self.changed.notify_one();
    }

    /// Asks for what is owed, for ever. Cancel-safe: a debt is cleared only once its request is durable.
    pub(crate) async fn pay<S: HintSink>(&self, sink: &S, now: impl Fn() -> Time) {
        loop {
            let mut pause = None;
            for (project, due) in self.due() {
                let at = now();
                let wait = if due > at {
                    due.since(at)
                } else if sink.is_available()
                    && sink.request(&Request::FullSweep { project: project.clone(), at }).await.is_ok()
                {
                    tracing::info!(%project, "webhooks were turned away: a full sweep is asked for");
                    self.paid(&project, at);
                    continue;
                } else {
                    AGAIN
                };
                pause = Some(pause.map_or(wait, |other: Duration| other.min(wait)));
            }
            match pause {
                Some(pause) => {
                    tokio::select! { () = self.changed.notified() => {}, () = tokio::time::sleep(pause) => {} }
                }
                None => self.changed.notified().await,
            }
        }
    }

    fn due(&self) -> Vec<(ProjectId, Time)> {
        let projects = self.projects.lock().unwrap_or_else(PoisonError::into_inner);
        projects.iter().filter_map(|(project, debt)| Some((project.clone(), debt.due()?))).collect()
    }

    fn paid(&self, project: &ProjectId, at: Time) {
        let mut projects = self.projects.lock().unwrap_or_else(PoisonError::into_inner);
        projects.insert(project.clone(), Debt { owed: false, asked_at: Some(at) });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use models::{Hint, Key, Lane, SinkError};
    use std::sync::atomic::{AtomicBool, Ordering};

    #[derive(Default)]
    struct Sink {
        there: AtomicBool,
        asked: Mutex<Vec<Request>>,
    }

    impl HintSink for Sink {
        async fn accept(&self, _key: &Key, _lane: Lane, _hint: &Hint) -> Result<(), SinkError> {
            Ok(())
        }

        async fn request(&self, request: &Request) -> Result<(), SinkError> {
            self.asked.lock().unwrap().push(request.clone());
            Ok(())
        }

        fn is_available(&self) -> bool {
            self.there.load(Ordering::Relaxed)
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_owed_is_asked_for_once_kafka_is_back_and_once_in_six_hours() {
        let (debts, sink) = (Debts::default(), Sink::default());
        let acme = ProjectId::new("acme").unwrap();
        let began = tokio::time::Instant::now();
        let now = || Time::from_millis(began.elapsed().as_millis() as i64);
        let story = async {
            for _ in 0..100 {
                debts.owe(&acme);
            }
            tokio::time::sleep(Duration::from_mins(1)).await;
            assert!(sink.asked.lock().unwrap().is_empty(), "Kafka is away");
            sink.there.store(true, Ordering::Relaxed);
            tokio::time::sleep(Duration::from_secs(3)).await;
            assert_eq!(sink.asked.lock().unwrap().len(), 1);
            for _ in 0..100 {
                debts.owe(&acme);
                tokio::time::sleep(Duration::from_mins(1)).await;
            }
            assert_eq!(sink.asked.lock().unwrap().len(), 1, "not twice in six hours");
            tokio::time::sleep(Duration::from_hours(5)).await;
            assert_eq!(sink.asked.lock().unwrap().len(), 2, "but not forgotten either");
        };
        tokio::select! { () = debts.pay(&sink, now) => {}, () = story => {} }
    }
}
