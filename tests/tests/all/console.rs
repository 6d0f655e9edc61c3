//! The operators' page in a real browser (headless Chromium by playwright-core, pinned: `tests/console`), over a running
//! service with submissions, a dead letter and a token.

use super::commands::dead_letter;
use serde_json::json;
use simulator::{Change, Simulator, Traits, Trigger};
use std::process::Command;
use std::time::Duration;
use tests::broker::{bootstrap, root};
use tests::service::{Replica, Setup};
use tests::{PROJECT, TOKEN, check, simulator};

const ADMIN_TOKEN: &str = "operators-token-of-the-tests";
/// What the simulator names its second person.
const USER: &str = "u-1002";

/// A submission of a person, told by a webhook.
async fn created(sim: &Simulator, person: usize) -> String {
    let id = sim.world().new_id();
    sim.world().create_with(PROJECT, &id, Traits::FULL, person).expect("it is new");
    told(sim, &id, Trigger::Created).await;
    id
}

async fn told(sim: &Simulator, id: &str, trigger: Trigger) {
    let body = sim.body(PROJECT, id, trigger, 0).expect("a body");
    assert_eq!(sim.send_webhook(PROJECT, &body).await.status, Some(200));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_console_shows_explains_and_redrives_in_a_browser() {
    let Some(bootstrap) = bootstrap() else { return };
    let sim = simulator(8).await;
    let mut setup = Setup::new(&bootstrap, "console", sim.base_url());
    // What is found is found because somebody asked.
    setup.relooks = r#"["1h"]"#.to_owned();
    setup.admin = format!("token = {ADMIN_TOKEN:?}");
    let mut replica = Replica::new(&setup, "relay-0");
    replica.apply_topics();
    replica.start_ready().await;
    sim.set_targets(PROJECT, vec![replica.target()], Some(TOKEN.to_owned()));

    let mut ids = Vec::new();
    for number in 0..12 {
        ids.push(created(&sim, number % 3).await);
    }
    for (number, id) in ids.iter().enumerate() {
        let (change, trigger) = match number % 3 {
            1 => (Change::Approve { by_hand: false }, Trigger::Approved),
            2 => (Change::Reject { codes: &[], by_hand: false }, Trigger::Rejected),
            _ => continue,
        };
        sim.change(PROJECT, id, &change).expect("it changes");
        told(&sim, id, trigger).await;
    }
    check::converged(&setup, &sim, Duration::from_mins(1)).await;
    // Reversed without a word: only the look that the page asks for finds it.
    let letter = &ids[2];
    sim.change(PROJECT, letter, &Change::Reverse { approved: true, codes: &[] }).expect("it changes");
    dead_letter(&setup, letter).await;

    let facts = json!({ "token": ADMIN_TOKEN, "project": PROJECT, "id": ids[5], "user": USER, "letter": letter });
    let mut command = Command::new(root().join("tests/console/run.sh"));
    command.arg(replica.admin_url()).arg(facts.to_string());
    let output = tokio::task::spawn_blocking(move || command.output()).await.expect("it ran").expect("the script runs");
    let told = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    if output.status.code() == Some(69) && std::env::var_os("CI").is_none() {
        eprintln!("not run: Chromium or its driver cannot be had here\n{errors}");
        return;
    }
    println!("{told}");
    assert!(output.status.success(), "{told}{errors}");

    // What was redriven on the page is on the topic.
    check::converged(&setup, &sim, Duration::from_secs(20)).await;
    check::safe(&setup, &sim).await;
}
