//! How one replica is: the document of `/api/v1/status`, and the text of the command `status`.
//!
//! Owns: the document and how it comes of what the parts tell. Must not know: how the parts are asked.

use super::moment::Moment;
use super::series::Flow;
use crate::health::Verdict;
use models::Time;
use publisher::LedgerStatus;
use publisher::members::Member;
use reconciler::inquiry::{Overview, ProjectView, SweepView};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The answer to `/api/v1/status`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Status {
    /// This replica: `kafka.instance_id`.
    pub instance: String,
    /// Of the program.
    pub version: String,
    /// `all`, `ingest` or `reconciler`.
    pub role: String,
    /// When this was told.
    pub now: Moment,
    /// When the process started.
    pub started_at: Moment,
    /// As `/startupz` and `/readyz` tell it.
    pub health: HealthPair,
    /// The partitions.
    pub partitions: Partitions,
    /// Who holds which, as Kafka tells it: the same on every replica. Empty while Kafka is away or the group is divided anew.
    pub members: Vec<MemberView>,
    /// In order of their ids; empty on a replica that does not reconcile.
    pub projects: Vec<Project>,
    /// The last minute.
    pub flow: Flow,
    /// The counters behind it, since this process started.
    pub totals: Flow,
}

/// Both questions of health.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct HealthPair {
    /// Has it started?
    pub started: Health,
    /// Can it do its work right now?
    pub ready: Health,
}

/// The answer to one question of health.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Health {
    /// Whether every condition holds.
    pub ok: bool,
    /// Each of them.
    pub conditions: Vec<Condition>,
}

/// One condition.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Condition {
    /// Its name.
    pub name: String,
    /// Whether it holds.
    pub ok: bool,
    /// Why not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// The partitions of the hints.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Partitions {
    /// How many there are; 0 = not known yet.
    pub total: i32,
    /// Those that this replica holds.
    pub held: Vec<Held>,
}

/// A partition that this replica holds.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Held {
    /// Its number.
    pub partition: i32,
    /// `waiting` (for a producer), `restoring` or `ready`.
    pub state: String,
    /// Submissions in memory.
    pub entries: u64,
    /// How much of its ledger is read, 0 to 1.
    pub restored: f64,
    /// Hints of the live lane that wait in Kafka, as last told by the client (every ten seconds).
    pub live_lag: f64,
    /// The same of the bulk lane.
    pub bulk_lag: f64,
    /// What a restore waits for, if that takes long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// A member of the group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct MemberView {
    /// Its `kafka.instance_id`.
    pub instance: String,
    /// What it holds.
    pub partitions: Vec<i32>,
}

/// One project, as this replica sees it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Project {
    /// Its id.
    pub id: String,
    /// Whether ARGOS is asked.
    pub breaker: Breaker,
    /// What may be asked.
    pub budget: Budget,
    /// What waits.
    pub queue: Waiting,
    /// Deletions inferred from absence.
    pub deletions: Deletions,
    /// The list walks, as told by the owner of partition 0; empty elsewhere.
    pub sweeps: Vec<Walk>,
}

/// The circuit breaker.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Breaker {
    /// `closed`, `open`, or `half_open` while one probe is under way.
    pub state: String,
    /// Since when it is not closed.
    pub since: Option<Moment>,
    /// The failure that opened it.
    pub reason: Option<String>,
}

/// The request budget.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Budget {
    /// Requests a second over all replicas, as configured.
    pub per_second: f64,
    /// Requests a second that this replica makes at most just now.
    pub rate_now: f64,
    /// Requests a day over all replicas, as configured.
    pub per_day: u64,
    /// Spent of it today by this replica's partitions.
    pub spent_today: u64,
    /// The part of both that this replica has, 0 to 1.
    pub share: f64,
}

/// What waits on this replica.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Waiting {
    /// Keys that wait for their look in the live lane.
    pub live: usize,
    /// In the bulk lane.
    pub bulk: usize,
    /// Ids that nobody knew.
    pub unknown: usize,
    /// GETs under way.
    pub in_flight: usize,
    /// Rechecks that are due and not queued yet.
    pub due: usize,
    /// Entries set aside: no budget, or the breaker is open.
    pub parked: usize,
}

/// Deletions inferred from absence.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Deletions {
    /// In an hour over all replicas, as configured.
    pub max_per_hour: u32,
    /// In this hour of the clock, on this replica's partitions.
    pub this_hour: u32,
}

/// One list walk.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Walk {
    /// `recent`, `month`, `full` or `backfill`.
    pub name: String,
    /// `running`, `waiting` (due, and not begun) or `idle`.
    pub state: String,
    /// Rows of the walk under way, else of the last.
    pub rows: u64,
    /// How far the walk under way is, 0 to 1, by the rows of the last one; null if that cannot be told.
    pub estimate: Option<f64>,
    /// When the walk under way began, else the last.
    pub started_at: Option<Moment>,
    /// When the last one ended.
    pub finished_at: Option<Moment>,
    /// When the next is due.
    pub due_at: Option<Moment>,
    /// Whether the last one came to the end of the list; null if there was none.
    pub complete: Option<bool>,
}

/// What the document is made of.
pub struct Told<'a> {
    /// This replica.
    pub instance: &'a str,
    /// Its role.
    pub role: &'a str,
    /// Now, and when it started.
    pub now: Time,
    /// See above.
    pub started_at: Time,
    /// The conditions of both questions.
    pub health: [Verdict; 2],
    /// What the loop says; `None` = there is none, or it does not answer.
    pub overview: Option<Overview>,
    /// What the ledger says.
    pub ledger: Option<LedgerStatus>,
    /// What waits in Kafka, by lane (0 = live) and partition.
    pub lags: &'a BTreeMap<(usize, i32), f64>,
    /// What Kafka says.
    pub members: Vec<Member>,
    /// The last minute.
    pub flow: Flow,
    /// Since this process started.
    pub totals: Flow,
}

impl Status {
    /// Puts all of it together.
    pub fn of(told: Told<'_>) -> Status {
        let overview = told.overview.unwrap_or_default();
        let of_members = told.members.iter().map(|member| member.partitions.len() as i32).sum();
        let [started, ready] = told.health.map(Health::from);
        Status {
            instance: told.instance.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            role: told.role.to_owned(),
            now: told.now.into(),
            started_at: told.started_at.into(),
            health: HealthPair { started, ready },
            partitions: Partitions {
                total: overview.total.unwrap_or(of_members),
                held: held(&overview, told.ledger.as_ref(), told.lags),
            },
            members: told.members.into_iter().map(MemberView::from).collect(),
            projects: overview.projects.into_iter().map(Project::from).collect(),
            flow: told.flow,
            totals: told.totals,
        }
    }
}

/// As the loop tells them; of a partition that it was not told of yet, as the ledger does.
fn held(overview: &Overview, ledger: Option<&LedgerStatus>, lags: &BTreeMap<(usize, i32), f64>) -> Vec<Held> {
    let lag = |lane: usize, partition: i32| lags.get(&(lane, partition)).copied().unwrap_or_default();
    let mut all: BTreeMap<i32, Held> = BTreeMap::new();
    for one in &overview.partitions {
        let state = if one.running { "ready" } else { "restoring" };
        let (live_lag, bulk_lag) = (lag(0, one.partition), lag(1, one.partition));
        let restored = if one.running { 1.0 } else { 0.0 };
        let entries = one.entries;
        let (partition, state, note) = (one.partition, state.to_owned(), None);
        all.insert(partition, Held { partition, state, entries, restored, live_lag, bulk_lag, note });
    }
    for one in ledger.map(|ledger| ledger.partitions.as_slice()).unwrap_or_default() {
        let waiting = Held {
            partition: one.partition,
            state: "waiting".to_owned(),
            entries: 0,
            restored: 0.0,
            live_lag: 0.0,
            bulk_lag: 0.0,
            note: None,
        };
        let held = all.entry(one.partition).or_insert(waiting);
        held.note.clone_from(&one.note);
        if one.phase == "restoring" {
            "restoring".clone_into(&mut held.state);
            held.restored = one.restored.unwrap_or_default();
        }
    }
    all.into_values().collect()
}

impl From<Verdict> for Health {
    fn from(verdict: Verdict) -> Health {
        let conditions = verdict.conditions.into_iter().map(|one| Condition {
            name: one.name.to_owned(),
            ok: one.ok,
            reason: one.reason.map(std::borrow::Cow::into_owned),
        });
        Health { ok: verdict.ok, conditions: conditions.collect() }
    }
}

impl From<Member> for MemberView {
    fn from(member: Member) -> MemberView {
        MemberView { instance: member.instance, partitions: member.partitions }
    }
}

impl From<ProjectView> for Project {
    fn from(view: ProjectView) -> Project {
        let [live, bulk, unknown] = view.waiting;
        let (in_flight, due, parked) = (view.in_flight, view.due, view.parked);
        let (since, reason) = view.opened.map(|(since, why)| (since.into(), why)).unzip();
        Project {
            id: view.id,
            breaker: Breaker { state: view.breaker.to_owned(), since, reason },
            budget: Budget {
                per_second: view.per_second,
                rate_now: view.rate_now,
                per_day: view.per_day,
                spent_today: view.spent,
                share: view.share,
            },
            queue: Waiting { live, bulk, unknown, in_flight, due, parked },
            deletions: Deletions { max_per_hour: view.deletions_per_hour, this_hour: view.deletions },
            sweeps: view.sweeps.into_iter().map(Walk::from).collect(),
        }
    }
}

impl From<SweepView> for Walk {
    fn from(view: SweepView) -> Walk {
        Walk {
            name: view.sweep.to_string(),
            state: view.state.to_owned(),
            rows: view.rows,
            estimate: view.part,
            started_at: view.started_at.map(Moment),
            finished_at: view.finished_at.map(Moment),
            due_at: view.due_at.map(Moment),
            complete: view.complete,
        }
    }
}
