//! The loop over the in-memory ledger, on paused time.

use super::*;
use crate::clock::RuntimeClock;
use crate::memory::{Fault, MemoryBroker, by_key};
use crate::metrics::Metrics;
use crate::policy::Policy;
use crate::queue::ProjectBudget;
use crate::state::{ProjectRules, Settings};
use crate::sweep::SweepRules;
use models::facts::{Kyc, KycStatus, Origin, Risk};
use models::hint::Source;
use models::{AmlStatus, Answer, Claim, Hint, HintSink, Key, Lane, Reading, Submission, Time};
use std::sync::Mutex;

const START: i64 = 1_772_000_000_000;

mod forged;
mod inquiry;
mod lanes;
mod poll;
mod review;
mod traces;

fn at(millis: i64) -> Time {
    Time::from_millis(START + millis)
}

fn key(id: usize) -> Key {
    Key::parse(&format!("acme/s{id}")).unwrap()
}

/// A world of submissions whose looks take a while; `looks` counts them.
struct World {
    truths: Mutex<HashMap<Key, Submission>>,
    looks: Mutex<HashMap<Key, usize>>,
    down: Mutex<Option<LookError>>,
    /// A project that refuses our key.
    refuses: Mutex<Option<String>>,
    /// What the list does not show.
    unlisted: Mutex<std::collections::HashSet<Key>>,
    pages: std::sync::atomic::AtomicUsize,
    clock: RuntimeClock,
    latency: Duration,
}

/// Rows of one page.
const PAGE: usize = 50;

impl TruthSource for World {
    async fn page(&self, query: &models::PageQuery) -> Result<models::Page, LookError> {
        self.pages.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        tokio::time::sleep(self.latency).await;
        self.refuse(&query.project)?;
        let after = query.cursor.as_ref().map(|cursor| cursor.id.clone()).unwrap_or_default();
        let truths = self.truths.lock().unwrap();
        let unlisted = self.unlisted.lock().unwrap();
        let mut listed: Vec<_> = truths
            .iter()
            .filter(|(key, _)| key.project() == query.project && key.submission() > after.as_str())
            .filter(|(key, truth)| {
                !unlisted.contains(*key) && query.from.is_none_or(|from| truth.created_at.is_none_or(|at| at >= from))
            })
            .collect();
        listed.sort_by_key(|(key, _)| (*key).clone());
        let more = listed.len() > PAGE;
        let rows: Vec<_> = listed.into_iter().take(PAGE).map(|(key, truth)| (listed_id(key), row(truth))).collect();
        let last = rows.last().map(|(id, _)| id.as_str().to_owned()).unwrap_or_default();
        let next = more.then(|| models::PageCursor { id: last, created_at: String::new() });
        Ok(models::Page { rows, next, unreadable: 0 })
    }

    async fn look(&self, key: &Key) -> Result<Truth, LookError> {
        let asked_at = self.clock.now();
        *self.looks.lock().unwrap().entry(key.clone()).or_default() += 1;
        tokio::time::sleep(self.latency).await;
        self.refuse(key.project())?;
        let truth = self.truths.lock().unwrap().get(key).cloned();
        Ok(Truth { asked_at, answer: truth.map_or(Answer::Absent, |truth| Answer::Present(Box::new(truth))) })
    }
}

fn listed_id(key: &Key) -> models::SubmissionId {
    models::SubmissionId::new(key.submission()).unwrap()
}

/// What the thin list shows of it.
fn row(truth: &Submission) -> models::Row {
    models::Row {
        kyc_status: Some(truth.kyc.status),
        aml_vendor_status: None,
        risk: None,
        updated_at: truth.updated_at,
        created_at: truth.created_at,
    }
}

impl World {
    fn refuse(&self, project: &str) -> Result<(), LookError> {
        if self.refuses.lock().unwrap().as_deref() == Some(project) {
            return Err(LookError::Denied("403".to_owned()));
        }
        self.down.lock().unwrap().clone().map_or(Ok(()), Err)
    }

    fn set(&self, key: &Key, status: KycStatus) {
        let submission = Submission {
            user_id: None,
            created_at: Some(at(0)),
            updated_at: Some(self.clock.now()),
            kyc: Kyc {
                status,
                vendor_status: status.to_string(),
                decided_at: None,
                reviewer: None,
                origin: Origin::Unknown,
                retries: 0,
                reasons: Vec::new(),
            },
            aml_status: AmlStatus::NotScreened,
            aml_vendor_status: "Not Screened".to_owned(),
            risk: Risk::Unknown,
            matches: 0,
            aml_expected: None,
            personal: [None, None],
            reading: Reading::default(),
        };
        self.truths.lock().unwrap().insert(key.clone(), submission);
    }

    fn looks(&self, key: &Key) -> usize {
        self.looks.lock().unwrap().get(key).copied().unwrap_or(0)
    }
}

struct Lab {
    world: Arc<World>,
    broker: MemoryBroker,
    /// Of each member, in order of their start.
    metrics: Mutex<Vec<Metrics>>,
    /// The same.
    inquiries: Mutex<Vec<crate::inquiry::Inquiry>>,
    traces: models::Traces,
}

impl Lab {
    fn new(latency: Duration) -> Lab {
        let clock = RuntimeClock::starting_at(at(0));
        let world = World {
            truths: Mutex::default(),
            looks: Mutex::default(),
            down: Mutex::default(),
            refuses: Mutex::default(),
            unlisted: Mutex::default(),
            pages: 0.into(),
            clock,
            latency,
        };
        Lab {
            world: Arc::new(world),
            broker: MemoryBroker::new(4),
            metrics: Mutex::default(),
            inquiries: Mutex::default(),
            traces: models::Traces::default(),
        }
    }

    fn start(&self) -> (CancellationToken, tokio::task::JoinHandle<Result<(), LoopError>>) {
        self.start_with(|_| {})
    }

    /// Starts a member with other rules for all its projects, `acme` and `beta`. Without a word, nothing is swept in the
    /// time of a test.
    fn start_with(
        &self,
        change: impl Fn(&mut ProjectRules),
    ) -> (CancellationToken, tokio::task::JoinHandle<Result<(), LoopError>>) {
        let mut rules = ProjectRules {
            policy: Policy::default(),
            budget: ProjectBudget { per_second: 1_000.0, per_day: u64::MAX, deletions_per_hour: 1_000, cost: 1 },
            sweeps: SweepRules::default(),
        };
        change(&mut rules);
        let projects = ["acme", "beta"].map(|project| (project.to_owned(), rules.clone()));
        let metrics = Metrics::register(&prometheus::Registry::new()).unwrap();
        let now = self.world.clock.now();
        let state =
            State::new(Settings::default(), HashMap::from(projects), fastrand::Rng::with_seed(5), metrics.clone(), now);
        let state = state.traced(self.traces.clone());
        self.metrics.lock().unwrap().push(metrics);
        let (source, sink) = (Arc::clone(&self.world), Arc::new(self.broker.clone()));
        let (inquiry, asks) = crate::inquiry::channel();
        self.inquiries.lock().unwrap().push(inquiry);
        let reconciler = Reconciler::new(self.broker.join(), source, sink, Arc::new(self.world.clock), state);
        let reconciler = reconciler.answering(asks);
        let stop = CancellationToken::new();
        (stop.clone(), tokio::spawn(reconciler.run(stop)))
    }

    async fn hint(&self, key: &Key, status: Option<KycStatus>) {
        self.hint_with(key, status, |_| {}).await;
    }

    async fn hint_with(&self, key: &Key, status: Option<KycStatus>, change: impl FnOnce(&mut Hint)) {
        self.hint_in(Lane::Live, key, status, change).await;
    }

    async fn hint_in(&self, lane: Lane, key: &Key, status: Option<KycStatus>, change: impl FnOnce(&mut Hint)) {
        let now = self.world.clock.now();
        let mut hint = Hint {
            id: format!("{}", now.as_millis()),
            source: Source::Webhook,
            received_at: now,
            authentication: models::Authentication::PATH_TOKEN,
            claim: Claim { trigger: "approved".to_owned(), status, ..Claim::default() },
            notices: models::Notices::default(),
            body_digest: String::new(),
            row: None,
            erase: false,
            traceparent: None,
        };
        change(&mut hint);
        self.broker.accept(key, lane, &hint).await.unwrap();
    }

    /// Until every hint is settled, or an hour has passed.
    async fn settled(&self) {
        let settled = async {
            loop {
                let changed = self.broker.changed();
                if self.broker.unsettled() == 0 {
                    return;
                }
                tokio::select! { () = changed => {}, () = tokio::time::sleep(Duration::from_millis(100)) => {} }
            }
        };
        tokio::time::timeout(Duration::from_hours(1), settled).await.expect("every hint is settled in the end");
    }

    fn check_sequences(&self) {
        for events in by_key(&self.broker.events_from(0)).values() {
            let sequences: Vec<u64> = events.iter().map(|event| event.sequence).collect();
            assert_eq!(sequences, (1..=events.len() as u64).collect::<Vec<_>>());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_hint_becomes_one_confirmed_event() {
    let lab = Lab::new(Duration::from_millis(20));
    let (stop, task) = lab.start();
    lab.world.set(&key(1), KycStatus::Approved);
    lab.hint(&key(1), Some(KycStatus::Approved)).await;
    lab.settled().await;
    let events = lab.broker.events_from(0);
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].data.provenance.agreement, models::Agreement::Agrees);
    stop.cancel();
    task.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn hints_during_a_look_ask_for_exactly_one_more() {
    let lab = Lab::new(Duration::from_millis(500));
    let (stop, task) = lab.start();
    lab.world.set(&key(1), KycStatus::Pending);
    lab.hint(&key(1), Some(KycStatus::Pending)).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(lab.world.looks(&key(1)), 1);
    lab.world.set(&key(1), KycStatus::Approved);
    for _ in 0..20 {
        lab.hint(&key(1), Some(KycStatus::Approved)).await;
    }
    lab.settled().await;
    assert_eq!(lab.world.looks(&key(1)), 2, "a look that began earlier covers none of the later hints");
    lab.check_sequences();
    stop.cancel();
    task.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn aborted_and_lost_commits_neither_lose_nor_repeat() {
    for seed in 0..20 {
        let mut rng = fastrand::Rng::with_seed(seed);
        let lab = Lab::new(Duration::from_millis(15));
        let (stop, task) = lab.start();
        for round in 0..30 {
            for id in 0..5 {
                lab.world.set(&key(id), if round % 2 == 0 { KycStatus::Approved } else { KycStatus::Rejected });
                lab.hint(&key(id), None).await;
            }
            let faults = [Fault::Abort, Fault::LostAfterCommit, Fault::LostBeforeCommit];
            lab.broker.fail_commits((0..rng.usize(0..3)).map(|_| faults[rng.usize(0..3)]));
            tokio::time::sleep(Duration::from_millis(rng.u64(1..60))).await;
        }
        lab.settled().await;
        // A key that no commit got through for was set aside; its time comes.
        tokio::time::sleep(Duration::from_mins(2)).await;
        lab.check_sequences();
        let states = lab.broker.states();
        assert!((0..5).all(|id| states[&key(id)].facts.kyc.status == KycStatus::Rejected), "seed {seed}");
        stop.cancel();
        task.await.unwrap().unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn members_that_crash_and_join_neither_lose_nor_repeat() {
    for seed in 0..20 {
        let mut rng = fastrand::Rng::with_seed(seed);
        let lab = Lab::new(Duration::from_millis(40));
        let mut members = vec![lab.start(), lab.start()];
        for round in 0..40 {
            for id in 0..8 {
                lab.world.set(&key(id), if round % 2 == 0 { KycStatus::Pending } else { KycStatus::Approved });
                lab.hint(&key(id), None).await;
            }
            let (_, crashed) = members.swap_remove(rng.usize(0..members.len()));
            crashed.abort();
            members.push(lab.start());
            tokio::time::sleep(Duration::from_millis(rng.u64(1..120))).await;
        }
        lab.settled().await;
        lab.check_sequences();
        let states = lab.broker.states();
        assert!((0..8).all(|id| states[&key(id)].facts.kyc.status == KycStatus::Approved), "seed {seed}");
        for (stop, task) in members {
            stop.cancel();
            task.await.unwrap().unwrap();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_outage_parks_keys_in_the_ledger_and_dead_letters_nothing() {
    let lab = Lab::new(Duration::from_millis(5));
    let (stop, task) = lab.start();
    *lab.world.down.lock().unwrap() = Some(LookError::Retry("connection refused".to_owned()));
    for id in 0..50 {
        lab.world.set(&key(id), KycStatus::Approved);
        lab.hint(&key(id), Some(KycStatus::Approved)).await;
    }
    tokio::time::timeout(Duration::from_secs(10), lab.settled()).await.expect("an outage holds no offset");
    assert!(lab.broker.events_from(0).is_empty());
    tokio::time::sleep(Duration::from_mins(1)).await;
    *lab.world.down.lock().unwrap() = None;
    tokio::time::sleep(Duration::from_secs(400)).await;
    assert_eq!(lab.broker.states().len(), 50);
    let lag = lab.metrics.lock().unwrap()[0].hint_confirm_lag_seconds.clone();
    assert_eq!(lag.get_sample_count(), 50, "what had to wait is confirmed late, and that is told");
    assert!(lag.get_sample_sum() > 50.0 * 60.0, "{}", lag.get_sample_sum());
    assert!(lab.broker.dead_letters().is_empty());
    lab.check_sequences();
    stop.cancel();
    task.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn hints_do_not_hurry_a_key_that_backs_off() {
    let lab = Lab::new(Duration::from_millis(5));
    let (stop, task) = lab.start();
    lab.world.set(&key(1), KycStatus::Approved);
    *lab.world.down.lock().unwrap() = Some(LookError::Unreadable("kyc is a number".to_owned()));
    for _ in 0..60 {
        lab.hint(&key(1), None).await;
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    lab.settled().await;
    // 30 s of hints: looks at 0, 1, 3, 7 and 15 s or a little later.
    assert!(lab.world.looks(&key(1)) <= 5, "{} looks", lab.world.looks(&key(1)));
    assert!(lab.broker.dead_letters().is_empty(), "few attempts, however many hints");
    *lab.world.down.lock().unwrap() = None;
    tokio::time::sleep(Duration::from_mins(2)).await;
    assert_eq!(lab.broker.states().len(), 1, "the look that was due came");
    stop.cancel();
    task.await.unwrap().unwrap();
}

/// An outage that answers 200 with nothing in it looks like a thousand deletions.
#[tokio::test(start_paused = true)]
async fn deletions_beyond_the_cap_wait_and_come_back_to_life_unharmed() {
    let lab = Lab::new(Duration::from_millis(5));
    let (stop, task) = lab.start_with(|rules| rules.budget.deletions_per_hour = 5);
    for id in 0..40 {
        lab.world.set(&key(id), KycStatus::Approved);
        lab.world.unlisted.lock().unwrap().insert(key(id));
        lab.hint(&key(id), None).await;
    }
    lab.settled().await;
    let kept = std::mem::take(&mut *lab.world.truths.lock().unwrap());
    for id in 0..40 {
        lab.hint(&key(id), None).await;
    }
    tokio::time::sleep(Duration::from_mins(20)).await;
    let deleted =
        |lab: &Lab| lab.broker.events_from(0).iter().filter(|event| event.kind == models::EventKind::Deleted).count();
    assert_eq!(deleted(&lab), 5, "no more than the cap, however many are absent");
    assert_eq!(lab.broker.states().len(), 35);
    *lab.world.truths.lock().unwrap() = kept;
    tokio::time::sleep(Duration::from_hours(30)).await;
    assert_eq!(deleted(&lab), 5, "the others were there again before their turn");
    assert_eq!(lab.broker.states().len(), 35);
    lab.check_sequences();
    stop.cancel();
    task.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn schedules_survive_a_kill() {
    let lab = Lab::new(Duration::from_millis(5));
    let (_, task) = lab.start();
    lab.world.set(&key(1), KycStatus::Pending);
    lab.hint(&key(1), Some(KycStatus::Approved)).await;
    lab.settled().await;
    task.abort();
    lab.world.set(&key(1), KycStatus::Approved);
    let (stop, task) = lab.start();
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert_eq!(lab.broker.states()[&key(1)].facts.kyc.status, KycStatus::Approved, "the ladder went on after the kill");
    stop.cancel();
    task.await.unwrap().unwrap();
}
