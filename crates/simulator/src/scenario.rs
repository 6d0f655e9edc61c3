//! Scenarios: many lives, or a steady rate, from one seed.
//!
//! Owns the running of lives against a [`Simulator`] and the closing report. Decides nothing about a life: it is
//! planned whole before it starts.

use crate::change::Change;
use crate::counts::Counts;
use crate::faults::Faults;
use crate::life::{Life, Mix, Pace, Plot};
use crate::sent::{Sent, WebhookFaults};
use crate::simulator::Simulator;
use crate::view::user_of;
use crate::webhooks::Trigger;
use crate::world::WorldError;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;
use tokio::task::{JoinError, JoinSet};

/// What to run. Everything has a default, so a file or flags need to name only what differs.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Scenario {
    /// Seed of lives and of deliveries.
    pub seed: u64,
    /// How many submissions live.
    pub submissions: usize,
    /// Lives at one time.
    pub alive: usize,
    /// New lives per second; 0 for as fast as `alive` allows.
    pub starts_per_second: f64,
    /// Time between the steps of a life.
    pub pace: Pace,
    /// Which lives.
    pub mix: Mix,
    /// Projects that take turns; empty for all.
    pub projects: Vec<String>,
    /// What goes wrong with GETs, from the start on; stays so afterwards. `None` leaves them as they are.
    pub faults: Option<Faults>,
    /// How webhooks are delivered, from the start on; stays so afterwards.
    pub webhooks: WebhookFaults,
    /// Base addresses of the receiver's replicas for these projects; empty to leave the targets as they are.
    pub targets: Vec<String>,
    /// A steady rate of single webhooks instead of lives.
    pub rate: Option<Rate>,
}

impl Default for Scenario {
    fn default() -> Scenario {
        Scenario {
            seed: 1,
            submissions: 100,
            alive: 256,
            starts_per_second: 0.0,
            pace: Pace::default(),
            mix: Mix::default(),
            projects: Vec::new(),
            faults: None,
            webhooks: WebhookFaults::default(),
            targets: Vec::new(),
            rate: None,
        }
    }
}

/// Webhooks at a steady rate, sent when they are due however slow the answers are (as far as
/// `webhooks.concurrency` allows; the records show what came later than due).
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rate {
    /// Webhooks per second.
    pub per_second: f64,
    /// For how long, seconds.
    pub seconds: f64,
    /// 0: each webhook approves a new submission. Otherwise so many submissions are reversed in turn, each webhook
    /// telling of one reversal.
    pub pool: usize,
}

impl Default for Rate {
    fn default() -> Rate {
        Rate { per_second: 50.0, seconds: 10.0, pool: 0 }
    }
}

/// Why a scenario could not be run to its end.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    /// Correct the scenario, or the world: a project that does not exist, an id made elsewhere.
    #[error("a step could not be played")]
    World(#[from] WorldError),
    /// A bug: the task of a life panicked.
    #[error("a life broke off")]
    Life(#[from] JoinError),
}

/// What a scenario did.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The seed that repeats it.
    pub seed: u64,
    /// Submissions by plot; empty for a rate.
    pub plots: BTreeMap<Plot, u64>,
    /// (project, id) of every submission made here, in order of their start.
    pub ids: Vec<(String, String)>,
    /// From the start to the last settled webhook, milliseconds.
    pub elapsed_ms: u64,
    /// All POSTs of the simulator so far.
    pub sent: Sent,
    /// All requests of the simulator so far.
    pub counts: Counts,
}

impl Scenario {
    /// Plays the scenario; returns when all lives have ended and all webhooks are settled. Dropping the future ends
    /// the lives that still run.
    pub async fn run(&self, sim: &Simulator) -> Result<Report, ScenarioError> {
        let start = Instant::now();
        let projects = if self.projects.is_empty() { sim.world().projects() } else { self.projects.clone() };
        self.prepare(sim, &projects);
        let mut report = Report {
            seed: self.seed,
            plots: BTreeMap::new(),
            ids: Vec::new(),
            elapsed_ms: 0,
            sent: Sent::default(),
            counts: Counts::default(),
        };
        match self.rate {
            Some(rate) => self.keep_rate(sim, &projects, rate, &mut report).await?,
            None => self.live(sim, &projects, &mut report).await?,
        }
        sim.settled().await;
        report.elapsed_ms = start.elapsed().as_millis() as u64;
        (report.sent, report.counts) = (sim.sent(), sim.counts());
        Ok(report)
    }

    /// The life of the n-th submission: depends on the seed and the number alone.
    pub fn life(&self, number: usize) -> Life {
        let mut rng = fastrand::Rng::with_seed(self.seed ^ (number as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        Life::plan(&mut rng, &self.mix, self.pace)
    }

    fn prepare(&self, sim: &Simulator, projects: &[String]) {
        if let Some(faults) = &self.faults {
            sim.faults().set(faults.clone());
        }
        sim.set_webhook_faults(self.webhooks.clone(), self.seed);
        if self.targets.is_empty() {
            return;
        }
        for project in projects {
            let known = sim.config().projects.iter().find(|known| known.id == *project);
            sim.set_targets(project, self.targets.clone(), known.and_then(|known| known.token.clone()));
        }
    }

    async fn live(&self, sim: &Simulator, projects: &[String], report: &mut Report) -> Result<(), ScenarioError> {
        let places = Arc::new(Semaphore::new(self.alive.max(1)));
        let start = Instant::now();
        let mut lives: JoinSet<Result<(), WorldError>> = JoinSet::new();
        for number in 0..self.submissions {
            due(start, number, self.starts_per_second).await;
            let Ok(place) = Arc::clone(&places).acquire_owned().await else {
                break;
            };
            while let Some(ended) = lives.try_join_next() {
                ended??;
            }
            let life = self.life(number);
            let (project, id) = (turn(projects, number)?, sim.world().new_id());
            *report.plots.entry(life.plot).or_default() += 1;
            report.ids.push((project.clone(), id.clone()));
            let sim = sim.clone();
            lives.spawn(async move {
                let _place = place;
                play(&sim, &project, &id, number, &life).await
            });
        }
        while let Some(ended) = lives.join_next().await {
            ended??;
        }
        Ok(())
    }

    async fn keep_rate(
        &self,
        sim: &Simulator,
        projects: &[String],
        rate: Rate,
        report: &mut Report,
    ) -> Result<(), ScenarioError> {
        let approve = Change::Approve { by_hand: false };
        for number in 0..rate.pool {
            let (project, id) = (turn(projects, number)?, sim.world().new_id());
            sim.change(&project, &id, &Change::Create)?;
            sim.change(&project, &id, &approve)?;
            report.ids.push((project, id));
        }
        let start = Instant::now();
        for number in 0..(rate.per_second * rate.seconds) as usize {
            let due = due(start, number, rate.per_second).await;
            let (project, id, trigger) = if rate.pool == 0 {
                let (project, id) = (turn(projects, number)?, sim.world().new_id());
                sim.change(&project, &id, &Change::Create)?;
                sim.change(&project, &id, &approve)?;
                report.ids.push((project.clone(), id.clone()));
                (project, id, Trigger::Approved)
            } else {
                let (project, id) = report.ids[number % rate.pool].clone();
                let approved = (number / rate.pool) % 2 == 1;
                let codes: &[&str] = if approved { &[] } else { &["other"] };
                sim.change(&project, &id, &Change::Reverse { approved, codes })?;
                (project, id, Trigger::Updated)
            };
            let body = sim.body(&project, &id, trigger, (number % 3) as u8)?;
            sim.deliver_due(&project, &body, due).await;
        }
        Ok(())
    }
}

fn turn(projects: &[String], number: usize) -> Result<String, WorldError> {
    let index = number.checked_rem(projects.len()).ok_or_else(|| WorldError::NoProject("(none)".to_owned()))?;
    Ok(projects[index].clone())
}

/// Waits until the n-th thing of a rate is due, and says when that was.
async fn due(start: Instant, number: usize, per_second: f64) -> Instant {
    if per_second <= 0.0 {
        return Instant::now();
    }
    let due = start + Duration::from_secs_f64(number as f64 / per_second);
    if due > Instant::now() {
        tokio::time::sleep_until(due.into()).await;
    }
    due
}

async fn play(sim: &Simulator, project: &str, id: &str, number: usize, life: &Life) -> Result<(), WorldError> {
    for step in &life.steps {
        tokio::time::sleep(Duration::from_millis(step.after_ms)).await;
        if step.change == Change::Create {
            sim.world().create_with(project, id, life.traits, user_of(number))?;
        } else {
            sim.change(project, id, &step.change)?;
        }
        if let Some((trigger, shape)) = step.tell {
            let body = sim.body(project, id, trigger, shape)?;
            sim.deliver(project, &body).await;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
