//! What a run tells of itself, and in whose trace.

use super::*;
use models::trace::{Recording, TraceValue, Tracer};
use models::{Span, Step, TraceContext, Traces};
use std::collections::BTreeMap;

/// One span as it was told.
#[derive(Clone, Debug)]
struct Told {
    step: Step,
    context: TraceContext,
    parent: Option<TraceContext>,
    links: Vec<TraceContext>,
    attributes: BTreeMap<&'static str, String>,
    failed: bool,
    ended: bool,
}

impl Told {
    fn word(&self, name: &str) -> &str {
        self.attributes.get(name).map_or("", String::as_str)
    }
}

/// Keeps every span; those without a parent are sampled.
#[derive(Clone, Default)]
struct Book(Arc<Mutex<Vec<Told>>>);

struct Entry(Book, usize);

impl Tracer for Book {
    fn begin(&self, step: Step, parent: Option<TraceContext>, links: &[TraceContext]) -> Span {
        let mut told = self.0.lock().unwrap();
        let number = told.len() + 1;
        let trace = parent.map_or(number as u128, |parent| parent.trace);
        let flags = parent.map_or(1, |parent| parent.flags);
        let context = TraceContext { trace, span: number as u64, flags };
        let (links, attributes) = (links.to_vec(), BTreeMap::new());
        told.push(Told { step, context, parent, links, attributes, failed: false, ended: false });
        let sampled = context.is_sampled();
        Span::new(context, sampled.then(|| Box::new(Entry(self.clone(), number - 1)) as Box<dyn Recording>))
    }
}

impl Recording for Entry {
    fn set(&mut self, name: &'static str, value: TraceValue) {
        let text = match value {
            TraceValue::Text(text) => text,
            TraceValue::Number(number) => number.to_string(),
        };
        let before = self.0.0.lock().unwrap()[self.1].attributes.insert(name, text);
        assert_eq!(before, None, "{name} is set once");
    }

    fn fail(&mut self) {
        self.0.0.lock().unwrap()[self.1].failed = true;
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.0.0.lock().unwrap()[self.1].ended = true;
    }
}

impl Book {
    fn of(&self, step: Step) -> Vec<Told> {
        self.0.lock().unwrap().iter().filter(|told| told.step == step).cloned().collect()
    }
}

fn traced(latency: Duration) -> (Lab, Book) {
    let (mut lab, book) = (Lab::new(latency), Book::default());
    lab.traces = Traces::to(Arc::new(book.clone()));
    (lab, book)
}

fn caller(trace: u128, flags: u8) -> TraceContext {
    TraceContext { trace: trace << 64, span: 0xca11, flags }
}

async fn hint(lab: &Lab, key: &Key, from: TraceContext) {
    lab.hint_with(key, Some(KycStatus::Approved), |hint| hint.traceparent = Some(from.to_string())).await;
}

#[tokio::test(start_paused = true)]
async fn a_run_goes_on_with_its_hints_trace_and_its_event_carries_it_on() {
    let (lab, book) = traced(Duration::from_millis(20));
    let (stop, task) = lab.start();
    lab.world.set(&key(1), KycStatus::Approved);
    // Past the first commits, which are the standings' alone.
    tokio::time::sleep(Duration::from_secs(5)).await;
    lab.broker.fail_commits([Fault::Abort]);
    hint(&lab, &key(1), caller(7, 1)).await;
    lab.settled().await;
    let runs = book.of(Step::Reconcile);
    let [run] = &runs[..] else { panic!("{runs:?}") };
    assert_eq!((run.parent, run.links.len()), (Some(caller(7, 1)), 0));
    assert_eq!((run.word("submission"), run.word("cause"), run.word("hints")), (key(1).submission(), "webhook", "1"));
    assert_eq!((run.word("outcome"), run.word("events"), run.word("sequence")), ("published", "1", "1"));
    let looks = book.of(Step::Fetch);
    assert_eq!((looks.len(), looks[0].parent, looks[0].word("outcome")), (1, Some(run.context), "present"));
    let commits = book.of(Step::Commit);
    assert!(commits.iter().all(|commit| commit.parent == Some(run.context) && commit.word("decisions") == "1"));
    let ends: Vec<_> = commits.iter().map(|commit| (commit.word("outcome"), commit.failed)).collect();
    assert_eq!(ends, [("aborted", true), ("committed", false)], "each attempt has its span");
    let event = &lab.broker.events_from(0)[0];
    assert_eq!(event.traceparent, Some(run.context.to_string()));
    assert_eq!(event.id, run.word("event_id"));
    stop.cancel();
    task.await.unwrap().unwrap();
    assert!(book.0.lock().unwrap().iter().all(|told| told.ended), "{:?}", book.0);
}

#[tokio::test(start_paused = true)]
async fn hints_of_one_run_are_linked_and_the_oldest_sampled_one_is_the_parent() {
    let (lab, book) = traced(Duration::from_millis(500));
    let (stop, task) = lab.start();
    lab.world.set(&key(1), KycStatus::Approved);
    hint(&lab, &key(1), caller(1, 1)).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    for (trace, flags) in [(2, 0), (3, 1), (4, 0), (5, 1)] {
        hint(&lab, &key(1), caller(trace, flags)).await;
    }
    for trace in 100..200 {
        hint(&lab, &key(1), caller(trace, 1)).await;
    }
    lab.settled().await;
    let runs = book.of(Step::Reconcile);
    assert_eq!(runs.len(), 2);
    assert_eq!((runs[0].parent, runs[1].parent), (Some(caller(1, 1)), Some(caller(3, 1))));
    assert_eq!(runs[1].links[..2], [caller(5, 1), caller(100, 1)], "in their order, none that is not sampled");
    assert!(runs[1].links.len() < 33, "bounded: {}", runs[1].links.len());
    assert_eq!(runs[1].word("hints"), "104");
    stop.cancel();
    task.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_is_not_sampled_stays_so_to_the_event() {
    let (lab, book) = traced(Duration::from_millis(20));
    let (stop, task) = lab.start();
    lab.world.set(&key(1), KycStatus::Approved);
    hint(&lab, &key(1), caller(9, 0)).await;
    lab.settled().await;
    let run = &book.of(Step::Reconcile)[0];
    assert!(!run.context.is_sampled() && run.attributes.is_empty());
    assert_eq!(book.of(Step::Commit).len(), 0);
    assert_eq!(lab.broker.events_from(0)[0].traceparent, Some(run.context.to_string()));
    assert_eq!(run.context.trace, caller(9, 0).trace);
    stop.cancel();
    task.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_timer_and_a_walk_begin_traces_of_their_own() {
    let (lab, book) = traced(Duration::from_millis(20));
    let (stop, task) = lab.start_with(|rules| rules.sweeps.recent.every = Duration::from_mins(1));
    lab.world.set(&key(1), KycStatus::Pending);
    hint(&lab, &key(1), caller(7, 1)).await;
    lab.world.set(&key(2), KycStatus::Approved);
    tokio::time::sleep(Duration::from_mins(10)).await;
    let runs = book.of(Step::Reconcile);
    let timers: Vec<_> = runs.iter().filter(|run| run.word("cause") == "recheck").collect();
    assert!(!timers.is_empty() && timers.iter().all(|run| run.parent.is_none() && run.links.is_empty()), "{runs:?}");
    let pages = book.of(Step::Page);
    assert!(pages.iter().all(|page| page.parent.is_none() && page.word("outcome") == "read"), "{pages:?}");
    let found = runs.iter().find(|run| run.word("submission") == key(2).submission()).unwrap();
    let page = pages.iter().find(|page| found.parent == Some(page.context)).unwrap();
    assert_eq!((found.word("cause"), page.word("sweep")), ("sweep", "recent"));
    stop.cancel();
    task.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_cut_off_ends_without_an_outcome_and_a_failed_look_is_marked() {
    let (lab, book) = traced(Duration::from_secs(5));
    let (stop, task) = lab.start();
    lab.world.set(&key(1), KycStatus::Approved);
    hint(&lab, &key(1), caller(7, 1)).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(lab.broker.expel(0), "its partitions are taken away in the middle of a look");
    tokio::time::sleep(Duration::from_secs(10)).await;
    let runs = book.of(Step::Reconcile);
    assert!(runs[0].ended && runs[0].word("outcome").is_empty(), "{runs:?}");
    lab.broker.readmit(0);
    *lab.world.down.lock().unwrap() = Some(LookError::Retry("down".to_owned()));
    hint(&lab, &key(2), caller(8, 1)).await;
    lab.settled().await;
    let failed = book.of(Step::Fetch).into_iter().find(|look| look.context.trace == caller(8, 1).trace).unwrap();
    assert_eq!((failed.failed, failed.word("outcome")), (true, "retry"));
    let run = book.of(Step::Reconcile).into_iter().find(|run| run.context.trace == caller(8, 1).trace).unwrap();
    assert_eq!((run.failed, run.word("outcome"), run.word("events")), (true, "failed", "0"));
    stop.cancel();
    task.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn where_nothing_is_traced_an_event_carries_the_newest_webhooks_context() {
    let lab = Lab::new(Duration::from_millis(500));
    let (stop, task) = lab.start();
    lab.world.set(&key(2), KycStatus::Approved);
    hint(&lab, &key(2), caller(1, 1)).await;
    hint(&lab, &key(2), caller(2, 0)).await;
    lab.settled().await;
    assert_eq!(lab.broker.events_from(0)[0].traceparent, Some(caller(2, 0).to_string()));
    stop.cancel();
    task.await.unwrap().unwrap();
}
