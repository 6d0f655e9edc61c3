//! The verdict when nothing moves any more: everything that was published, read once more, against the world and against what
//! was answered and seen meanwhile.
//!
//! Owns the reading; what is wrong with it is [`judge`]'s. Must not know which faults there were.

use crate::check::{self, TOPICS};
use crate::judge::{self, Told};
use crate::live::Live;
use crate::service::Setup;
use crate::topics;
use argos_relay::oracle;
use simulator::{SendRecord, Simulator};
use std::time::{Duration, Instant};

/// What was found.
#[derive(Debug)]
pub struct Verdict {
    /// What is wrong, one text each; empty = nothing.
    pub wrong: Vec<String>,
    /// Events that stand on the topic.
    pub events: usize,
    /// Hints that stand on the topic.
    pub hints: usize,
}

/// Reads the topics and judges them. `posts`: every webhook that was sent.
pub async fn at_rest(setup: &Setup, sim: &Simulator, live: &Live, posts: &[SendRecord]) -> Verdict {
    let mut wrong = Vec::new();
    let records = check::read(setup, TOPICS[0]).await;
    let events: Vec<Told> =
        records.iter().filter_map(|record| Told::of(record).map_err(|why| wrong.push(why)).ok()).collect();
    let states = topics::states(&check::read(setup, TOPICS[1]).await);
    let hints = check::read(setup, TOPICS[4]).await;
    let dead = check::read(setup, TOPICS[2]).await;
    wrong.extend(oracle::differences(sim.world(), &states));
    wrong.extend(judge::disorder(&events));
    wrong.extend(judge::inventions(&events, sim.world()));
    wrong.extend(judge::unlike_last_event(&events, &states));
    wrong.extend(judge::unkept(posts, &hints));
    wrong.extend(dead.iter().map(|letter| format!("a dead letter of {}: {:?}", letter.key, letter.headers)));
    has_read(live, events.len()).await;
    let (seen, held) = live.with(|seen| (seen.events.clone(), seen.wrong.clone()));
    wrong.extend(held);
    wrong.extend(judge::unlike_live(&seen, &events));
    let unrecorded = sim.sent().unrecorded;
    if unrecorded > 0 {
        wrong.push(format!("{unrecorded} webhooks are not on record"));
    }
    Verdict { wrong, events: events.len(), hints: hints.len() }
}

/// The live consumer may be a moment behind.
async fn has_read(live: &Live, events: usize) {
    let until = Instant::now() + Duration::from_mins(1);
    while Instant::now() < until && live.with(|seen| seen.events.values().map(Vec::len).sum::<usize>()) < events {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
