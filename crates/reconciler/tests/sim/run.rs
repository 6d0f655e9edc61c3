//! Plays a plan: starts replicas, takes the steps when their time has come, and lets the oracle judge at the end of each
//! calm. One thread, paused time, every chance from the seed.

use crate::bug::Bug;
use crate::member::{Member, Mortal, Shared};
use crate::plan::{CALM, Plan, Step};
use crate::source::{Sink, Source};
use crate::wire::Wire;
use models::{HintSink, Lane, ProjectId, Request};
use reconciler::clock::Clock;
use reconciler::driver::{LoopError, Reconciler};
use reconciler::metrics::Metrics;
use reconciler::policy::Policy;
use reconciler::queue::ProjectBudget;
use reconciler::state::{ProjectRules, Settings, State};
use reconciler::sweep::{Cadence, SweepRules};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// The pause before an absence is believed.
pub(crate) const CONFIRM_AFTER: Duration = Duration::from_secs(5);
/// The longest that a live submission is left alone.
pub(crate) const RELOOK: Duration = Duration::from_mins(1);

/// What came of a seed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) seed: u64,
    pub(crate) digest: u64,
    pub(crate) violations: Vec<String>,
    pub(crate) lines: Vec<String>,
    pub(crate) events: usize,
    pub(crate) requests: usize,
}

/// Runs one seed. `keeps`: the trace is kept as text.
pub(crate) fn run(seed: u64, bug: Option<Bug>, keeps: bool) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let shared = Arc::new(Shared::new(Plan::draw(seed), bug, keeps));
        Play { shared: Arc::clone(&shared), running: Vec::new(), started: 0 }.play().await;
        let (oracle, trace) = (shared.oracle(), shared.trace());
        Outcome {
            seed,
            digest: trace.digest(),
            violations: oracle.violations.clone(),
            lines: trace.lines().to_vec(),
            events: oracle.events(),
            requests: oracle.requests(),
        }
    })
}

struct Running {
    member: Arc<Member>,
    kafka: usize,
    stop: CancellationToken,
    task: JoinHandle<Option<Result<(), LoopError>>>,
}

struct Play {
    shared: Arc<Shared>,
    running: Vec<Running>,
    started: usize,
}

impl Play {
    async fn play(mut self) {
        let shared = Arc::clone(&self.shared);
        let mut steps = shared.plan.steps.iter().peekable();
        for round in 0..shared.plan.rounds {
            let calm_at = shared.plan.calm_at(round);
            while let Some((at, step)) = steps.next_if(|(at, _)| *at < calm_at) {
                self.until(*at).await;
                self.take(step).await;
            }
            self.until(calm_at).await;
            self.calm().await;
            while let Some((at, step)) = steps.next_if(|(at, _)| *at < calm_at + CALM) {
                // Of what comes late only the hints and the replicas still do.
                if matches!(step, Step::Hint(..) | Step::Join | Step::Sink(true)) {
                    self.until(*at).await;
                    self.take(step).await;
                }
            }
            self.until(calm_at + CALM).await;
            self.reap().await;
            shared.oracle().finish(&shared.broker, shared.at());
        }
        self.end().await;
    }

    async fn until(&self, at: i64) {
        let left = u64::try_from(at - self.shared.at()).unwrap_or(0);
        tokio::time::sleep(Duration::from_millis(left)).await;
    }

    async fn take(&mut self, step: &Step) {
        let shared = Arc::clone(&self.shared);
        let count = self.running.len().max(1);
        match step {
            Step::Hint(key, hint) => {
                let taken = shared.broker.accept(key, Lane::Live, hint).await.is_ok();
                shared.note(format_args!("hint {} of {key} {:?}: {taken}", hint.id, hint.claim.trigger));
                if taken {
                    shared.oracle().accepted(key, Lane::Live, hint, shared.at());
                }
            }
            Step::Ask(project) => {
                let project = ProjectId::new(project).unwrap();
                let _ = shared.broker.request(&Request::FullSweep { project, at: shared.plan.time(shared.at()) }).await;
            }
            Step::Join => self.join(),
            Step::Leave(which) => {
                if let Some(one) = self.running.get(which % count) {
                    shared.note(format_args!("m{} leaves", one.member.number));
                    one.stop.cancel();
                }
            }
            Step::Crash(which, polls) => {
                if let Some(one) = self.running.get(which % count) {
                    one.member.doom(*polls);
                }
            }
            Step::Zombie(which, millis) => {
                if let Some(one) = self.running.get(which % count) {
                    shared.note(format_args!("m{} is given up", one.member.number));
                    one.member.deafen(shared.at() + *millis as i64);
                    shared.broker.expel(one.kafka);
                }
            }
            Step::Jump(which, by) => {
                if let Some(one) = self.running.get(which % count) {
                    one.member.jump(*by);
                }
            }
            Step::Sink(available) => shared.broker.set_unavailable(!available),
        }
        self.reap().await;
    }

    fn join(&mut self) {
        self.started += 1;
        let member = Arc::new(Member::new(self.started, Arc::clone(&self.shared)));
        let inner = self.shared.broker.join();
        let kafka = inner.member();
        self.shared.note(format_args!("m{} joins", member.number));
        let metrics = Metrics::register(&prometheus::Registry::new()).unwrap();
        let projects = ["acme", "beta"].map(|project| (project.to_owned(), rules(&self.shared.plan)));
        let rng = fastrand::Rng::with_seed(self.shared.plan.seed ^ self.started as u64);
        let state = State::new(settings(), HashMap::from(projects), rng, metrics, member.now());
        let wire = Wire::new(inner, Arc::clone(&member));
        let (source, sink) = (Arc::new(Source::new(Arc::clone(&member))), Arc::new(Sink(Arc::clone(&member))));
        let reconciler = Reconciler::new(wire, source, sink, Arc::clone(&member) as Arc<dyn Clock>, state);
        let stop = CancellationToken::new();
        let task = tokio::spawn(Mortal::new(reconciler.run(stop.clone()), Arc::clone(&member)));
        self.running.push(Running { member, kafka, stop, task });
    }

    /// Whoever has ended must have been told to, or have died.
    async fn reap(&mut self) {
        for one in self.running.extract_if(.., |one| one.task.is_finished()).collect::<Vec<_>>() {
            let fine = match one.task.await {
                Ok(None) => true,
                Ok(Some(result)) => result.is_ok() && one.stop.is_cancelled(),
                Err(error) => !error.is_panic(),
            };
            if !fine {
                self.shared.oracle().wrong(self.shared.at(), &format!("m{} ended by itself", one.member.number));
            }
        }
    }

    /// The storm is over.
    async fn calm(&mut self) {
        self.reap().await;
        self.shared.broker.set_unavailable(false);
        for one in &self.running {
            one.member.heal();
        }
        if self.running.iter().all(|one| one.stop.is_cancelled()) {
            self.join();
        }
        self.shared.note(format_args!("calm"));
    }

    /// Everybody leaves in order, in bounded time.
    async fn end(&mut self) {
        for one in &self.running {
            one.stop.cancel();
        }
        tokio::time::sleep(Duration::from_mins(1)).await;
        self.reap().await;
        if !self.running.is_empty() {
            self.shared.oracle().wrong(self.shared.at(), "a replica does not stop");
        }
    }
}

fn settings() -> Settings {
    Settings { max_in_flight: 8, commit_max: 8, patience: Duration::from_secs(10), ..Settings::default() }
}

/// The rules of the simulated projects: the real ones, made shorter so that all of them happen within minutes.
fn rules(plan: &Plan) -> ProjectRules {
    let seconds = Duration::from_secs;
    ProjectRules {
        policy: Policy {
            ladder: vec![seconds(1), seconds(4), seconds(10)],
            settle_first: seconds(10),
            settle_cap: seconds(40),
            settle_for: seconds(600),
            relooks: vec![seconds(30), RELOOK],
            deletion_confirm_after: CONFIRM_AFTER,
            failure_cap: seconds(10),
            dead_letter_after: 4,
            dead_letter_pause: seconds(30),
            ..Policy::default()
        },
        budget: ProjectBudget {
            per_second: plan.per_second,
            per_day: plan.per_day,
            deletions_per_hour: plan.deletions_per_hour,
            cost: 1,
        },
        sweeps: SweepRules {
            recent: Cadence { every: seconds(20), created_within: Some(seconds(300)) },
            month: Cadence { every: seconds(60), created_within: Some(seconds(600)) },
            full: Cadence { every: seconds(120), created_within: None },
            lag: seconds(3),
            early_every: seconds(60),
            stalled_after: 5,
            progress_every: seconds(10),
            first_walk_share: 0.5,
            requests_per_second: plan.per_second,
        },
    }
}
