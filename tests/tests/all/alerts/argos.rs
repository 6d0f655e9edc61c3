//! Faults on ARGOS's side, and what webhooks claim.

use super::stage::{Scene, Stage};
use simulator::{Change, Faults, Trigger};
use tests::PROJECT;
use tests::service::Setup;

/// Every request is answered 500 or 502.
pub(super) async fn breaker(stage: Stage) -> Scene {
    let mut scene = stage.open(|_| {}).await;
    scene.sim.faults().set(Faults { error_rate: 1.0, ..Faults::default() });
    scene.begin();
    scene.load(5.0);
    scene
}

/// ARGOS answers 403 to everything.
pub(super) async fn denied(stage: Stage) -> Scene {
    let mut scene = stage.open(|_| {}).await;
    scene.sim.faults().set(Faults { forbidden: true, ..Faults::default() });
    scene.begin();
    scene.load(1.0);
    scene
}

/// The day has 300 requests; 250 go into looks, and pages take of the rest.
pub(super) async fn budget(stage: Stage) -> Scene {
    let change = |setup: &mut Setup| {
        setup.over.push(("PROJECTS__0__REQUESTS_PER_DAY", "300".into()));
        setup.project.push_str("\nlist = { page_size = 100 }");
    };
    let mut scene = stage.open(change).await;
    scene.begin();
    for _ in 0..25 {
        scene.confirmed(10).await;
    }
    scene
}

/// A list of rows that costs more requests than the budget has between two walks.
fn long_list(setup: &mut Setup) {
    setup.requests_per_second = 4;
    setup.baseline = "snapshots";
    setup.project.push_str("\nlive_since = \"2100-01-01T00:00:00Z\"\nlist = { page_size = 1 }");
}

/// The list has grown so long that a walk takes minutes instead of seconds.
pub(super) async fn sweep_late(stage: Stage) -> Scene {
    let mut scene = stage.open(long_list).await;
    scene.until("argos_relay_sweep_interval_seconds", r#"sweep="recent""#, 5.0).await;
    scene.until("argos_relay_sweep_age_seconds", r#"sweep="recent""#, 0.001).await;
    scene.begin();
    scene.approve(400);
    scene
}

/// The list was so long from the start.
pub(super) async fn sweep_never(stage: Stage) -> Scene {
    let mut scene = stage.closed(long_list).await;
    scene.approve(400);
    scene.begin();
    scene.replica.start_ready().await;
    stage.watch(&scene).await;
    scene
}

/// Four webhooks a second, and a budget of one request a second.
pub(super) async fn backlog(stage: Stage) -> Scene {
    let mut scene = stage.open(|setup| setup.requests_per_second = 1).await;
    scene.begin();
    scene.load(4.0);
    scene
}

/// A GET takes longer than the objective allows.
pub(super) async fn lag_fast(stage: Stage) -> Scene {
    let mut scene = stage.open(patient).await;
    scene.sim.faults().set(slow());
    scene.begin();
    scene.confirmed(20).await;
    scene
}

/// Three of a hundred webhooks are late, and it is over again.
pub(super) async fn lag_slow(stage: Stage) -> Scene {
    let mut scene = stage.open(patient).await;
    for _ in 0..15 {
        scene.confirmed(10).await;
    }
    scene.sim.faults().set(slow());
    scene.begin();
    scene.confirmed(4).await;
    scene
}

/// Answers come, if late.
fn patient(setup: &mut Setup) {
    setup.over.push(("PROJECTS__0__REQUEST_TIMEOUT", "20s".into()));
}

fn slow() -> Faults {
    Faults { latency_ms: 11_000, ..Faults::default() }
}

/// Forged webhooks say deleted of what is there.
pub(super) async fn unconfirmed(stage: Stage) -> Scene {
    let mut scene = stage.open(|_| {}).await;
    let ids = scene.confirmed(10).await;
    scene.begin();
    for id in &ids {
        let posted = scene.sim.forge(PROJECT, id, Trigger::Delete).await;
        assert_eq!(posted.status, Some(200));
    }
    scene
}

/// Twenty changes that no webhook tells.
pub(super) async fn gaps(stage: Stage) -> Scene {
    let mut scene = stage.open(|_| {}).await;
    scene.confirmed(5).await;
    scene.begin();
    scene.approve(20);
    scene
}

/// Garbage for one submission, while others are answered well.
pub(super) async fn dead_letters(stage: Stage) -> Scene {
    let failures = "\nfailures = { first = \"50ms\", cap = \"100ms\" }";
    let mut scene = stage.open(|setup| setup.project.push_str(failures)).await;
    let poisoned = scene.approve(1);
    scene.sim.faults().poison(PROJECT, &poisoned[0]);
    scene.begin();
    scene.tell(&poisoned, Trigger::Approved).await;
    scene.load(5.0);
    scene
}

/// Six submissions vanish, where the cap lets two through in an hour.
pub(super) async fn deletions(stage: Stage) -> Scene {
    let mut scene = stage.open(|setup| setup.over.push(("PROJECTS__0__DELETIONS__MAX_PER_HOUR", "2".into()))).await;
    let ids = scene.confirmed(6).await;
    scene.begin();
    for id in &ids {
        scene.sim.change(PROJECT, id, &Change::Delete { hard: true }).expect("deleted");
        assert_eq!(scene.sim.forge(PROJECT, id, Trigger::Delete).await.status, Some(200));
    }
    scene
}
