//! The cases, each a call that can be repeated.

use crate::bodies;
use argos::reader::Reader;
use argos::{DigestKey, Policy as Shown};
use models::{Batch, CheckReason, Entry, Hint, Key, LedgerEvent, ProjectId, Time, Truth, Write};
use publisher::partition::partition_of;
use publisher::record::{self, Topic};
use reconciler::budget::ProjectBudget;
use reconciler::decision::{self, Case, Decision, Wake};
use reconciler::metrics::Metrics;
use reconciler::policy::{Baseline, Policy};
use reconciler::state::{ProjectRules, Settings, State, Task};
use reconciler::sweep::{PageRun, SweepRules};
use std::collections::HashMap;
use std::hint::black_box;
use std::time::Duration;

const NOW: Time = Time::from_millis(1_772_429_500_000);
const PROJECT: &str = "acme";
/// Rows of a page.
pub const PAGE: usize = 500;

/// A name, and one call of it.
pub type Named = (&'static str, Box<dyn FnMut()>);

/// All of them.
pub fn all() -> Vec<Named> {
    vec![
        ("webhook: decode", webhook()),
        ("webhook: hint record", hint_record()),
        ("document: decode", document()),
        ("decide: first event", decide_first()),
        ("decide: unchanged", decide_unchanged()),
        ("records of one event", records()),
        ("ledger entry: encode", encode()),
        ("ledger entry: decode", decode()),
        ("list: page of 500 rows", page()),
        ("sweep: 500 rows that are equal", equal_rows()),
    ]
}

fn reader() -> Reader {
    let key = DigestKey::new(b"0123456789abcdef0123456789abcdef").expect("a key");
    Reader { include: Shown::NONE.with(Shown::USER_ID), digest_key: Some(key), previous_digest_key: None }
}

fn key() -> Key {
    Key::parse("acme/k3f9x1mes3ugzb").expect("a key")
}

fn truth() -> Truth {
    argos::document::decode_single(bodies::DOCUMENT.as_bytes(), key().submission(), &reader(), NOW).expect("a truth")
}

fn policy() -> Policy {
    Policy { baseline: Baseline::Events, ..Policy::default() }
}

fn decided(entry: Option<&Entry>, truth: &Truth) -> Decision {
    let (policy, key, wake) = (policy(), key(), Wake::recheck());
    let case = Case { policy: &policy, key: &key, entry, wake: &wake, now: NOW, first_run: Time::MIN };
    decision::decide(&case, truth, &mut fastrand::Rng::with_seed(1))
}

fn entry() -> Entry {
    decided(None, &truth()).entry.expect("an entry")
}

/// The hint of the webhook, as the door makes it.
fn hint() -> Hint {
    let webhook = argos::webhook::decode(bodies::WEBHOOK.as_bytes()).expect("a webhook");
    let argos::Webhook::Submission(described) = webhook else { panic!("a claim") };
    Hint {
        id: "0123456789abcdef0123456789abcdef".to_owned(),
        source: models::Source::Webhook,
        received_at: NOW,
        authentication: models::Authentication::PATH_TOKEN,
        claim: described.claim,
        notices: models::Notices::default(),
        body_digest: "0123456789abcdef0123456789abcdef".to_owned(),
        row: None,
        erase: false,
        traceparent: None,
    }
}

fn webhook() -> Box<dyn FnMut()> {
    Box::new(|| drop(black_box(argos::webhook::decode(black_box(bodies::WEBHOOK.as_bytes())))))
}

fn hint_record() -> Box<dyn FnMut()> {
    let (key, hint) = (key(), hint());
    Box::new(move || drop(black_box(record::hint(Topic::Hints, &key, black_box(&hint)))))
}

fn document() -> Box<dyn FnMut()> {
    let (reader, key) = (reader(), key());
    Box::new(move || {
        let body = black_box(bodies::DOCUMENT.as_bytes());
        drop(black_box(argos::document::decode_single(body, key.submission(), &reader, NOW)));
    })
}

fn decide_first() -> Box<dyn FnMut()> {
    let truth = truth();
    Box::new(move || drop(black_box(decided(None, black_box(&truth)))))
}

fn decide_unchanged() -> Box<dyn FnMut()> {
    let (truth, entry) = (truth(), entry());
    Box::new(move || drop(black_box(decided(Some(&entry), black_box(&truth)))))
}

fn records() -> Box<dyn FnMut()> {
    let decision = decided(None, &truth());
    assert_eq!(decision.events.len(), 1, "one event");
    let write = Write {
        partition: 0,
        key: key(),
        events: decision.events,
        state: decision.state,
        entry: decision.entry,
        dead_letter: None,
        notifications: Vec::new(),
    };
    let batch = Batch { writes: vec![write], ..Batch::default() };
    Box::new(move || drop(black_box(record::batch(black_box(&batch), record::Form::default()))))
}

fn encode() -> Box<dyn FnMut()> {
    let entry = entry();
    Box::new(move || drop(black_box(black_box(&entry).encode())))
}

fn decode() -> Box<dyn FnMut()> {
    let bytes = entry().encode();
    Box::new(move || drop(black_box(Entry::decode(black_box(&bytes)))))
}

fn page() -> Box<dyn FnMut()> {
    let text = bodies::page(0..PAGE);
    Box::new(move || {
        let page = argos::list::decode_page(black_box(text.as_bytes())).expect("a page");
        assert_eq!(black_box(page).rows.len(), PAGE, "all rows");
    })
}

/// A state that holds `count` entries, each as its row shows it and on the partition of its key.
pub fn filled(partitions: i32, count: usize) -> State {
    let budget = ProjectBudget { per_second: 1e9, per_day: u64::MAX, deletions_per_hour: 1, cost: 1 };
    let rules = ProjectRules { policy: policy(), budget, sweeps: SweepRules::default() };
    let metrics = Metrics::register(&prometheus::Registry::new()).expect("metrics");
    let projects = HashMap::from([(PROJECT.to_owned(), rules)]);
    let settings = Settings { partitioner: Some(partition_of), ..Settings::default() };
    let mut state = State::new(settings, projects, fastrand::Rng::with_seed(1), metrics, NOW);
    let project = ProjectId::new(PROJECT).expect("a project");
    let mut rng = fastrand::Rng::with_seed(2);
    let key = |number: &usize| {
        let id = models::SubmissionId::new(&bodies::id(*number)).expect("an id");
        Key::new(&project, &id)
    };
    let mut spread: Vec<Vec<usize>> = vec![Vec::new(); partitions as usize];
    for number in 0..count {
        spread[partition_of(key(&number).as_str().as_bytes(), partitions) as usize].push(number);
    }
    for (partition, numbers) in (0..partitions).zip(spread) {
        state.on_event(LedgerEvent::Assigned { partition, epoch: 1, fresh: true }, NOW);
        for chunk in numbers.chunks(PAGE) {
            let entries = chunk.iter().map(|number| (key(number), Some(distinct(&mut rng)))).collect();
            state.on_event(LedgerEvent::Entries { partition, epoch: 1, entries }, NOW);
        }
        state.on_event(LedgerEvent::Ready { partition, epoch: 1, live: 0, bulk: 0, of: partitions }, NOW);
    }
    state
}

/// An entry with hashes of its own, as a real one has them.
pub fn distinct(rng: &mut fastrand::Rng) -> Entry {
    thread_local!(static ENTRY: Entry = entry());
    let mut entry = ENTRY.with(Clone::clone);
    if let Some(published) = &mut entry.published {
        published.fingerprint = rng.u128(..);
        let word = published.hashes[7];
        published.hashes = std::array::from_fn(|_| rng.u32(..));
        published.hashes[7] = word;
        if let Some(personal) = &mut published.personal {
            personal.digest = rng.u64(..);
        }
    }
    let thirty_days = 30 * 86_400_000;
    if let Some(check) = &mut entry.check {
        check.due = Time::from_millis(NOW.as_millis() + rng.i64(thirty_days / 10..thirty_days));
        check.reason = CheckReason::Relook;
    }
    entry
}

/// A page of a walk, read again and again.
fn equal_rows() -> Box<dyn FnMut()> {
    const PARTITIONS: i32 = 12;
    let mut state = filled(PARTITIONS, 1_200);
    let page = argos::list::decode_page(bodies::page(0..PAGE).as_bytes()).expect("a page");
    let (result, mut now) = (Ok(page), NOW);
    Box::new(move || {
        let run = next_page(&mut state, &mut now);
        let hints = state.on_page((&run, false), black_box(&result), now);
        assert_eq!(hints.map(|hints| hints.len()), Some(0), "all are equal");
        // So that the same page is read again, after a pause.
        state.on_page_sent(&run, false, now);
    })
}

/// The next page that is wanted, whenever that is.
fn next_page(state: &mut State, now: &mut Time) -> PageRun {
    for _ in 0..1_000 {
        *now = *now + Duration::from_secs(10);
        if state.take_batch(*now).is_some() {
            state.on_commit(&Ok(()), *now);
        }
        state.prepare(*now);
        if let Some(Task::Page(run, _)) = state.next_task(*now) {
            return run;
        }
    }
    panic!("no page is wanted")
}
