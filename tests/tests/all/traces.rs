//! One connected trace from a webhook to its event, over a real broker.

use simulator::{Change, Faults, Simulator, Trigger};
use std::time::{Duration, Instant};
use tests::otlp::{Collector, RealCollector, Seen};
use tests::service::{Replica, Setup, http_post};
use tests::{PROJECT, TOKEN, broker, check, simulator};

const SPAN: &str = "00f067aa0ba902b7";

/// A caller's trace: its id, and the header that it sends.
fn caller(number: u8, flags: &str) -> (String, String) {
    let trace = format!("4bf92f3577b34da6a3ce929d0e0e47{number:02x}");
    let header = format!("traceparent: 00-{trace}-{SPAN}-{flags}\r\n");
    (trace, header)
}

async fn replica(setup: &mut Setup, endpoint: &str, more: &str) -> Replica {
    setup.more = format!("[traces]\notlp_endpoint = \"{endpoint}\"\n{more}\n");
    let mut replica = Replica::new(setup, "relay-0");
    replica.apply_topics();
    replica.start_ready().await;
    replica
}

fn approved(sim: &Simulator) -> String {
    let id = sim.world().new_id();
    sim.world().create(PROJECT, &id).expect("made");
    sim.change(PROJECT, &id, &Change::Approve { by_hand: false }).expect("changed");
    id
}

async fn webhook(sim: &Simulator, replica: &Replica, id: &str, trigger: Trigger, header: &str) {
    let body = sim.body(PROJECT, id, trigger, 0).expect("a body").to_string();
    let url = format!("{}/webhooks/{PROJECT}/{TOKEN}", replica.target());
    let (status, answer) = http_post(&url, header, &body).await.expect("an answer");
    assert_eq!(status, 200, "{answer}");
}

/// The one span of that name in that trace.
fn one<'a>(spans: &'a [Seen], name: &str, trace: &str) -> &'a Seen {
    let found: Vec<_> = spans.iter().filter(|span| span.name == name && span.trace == trace).collect();
    let [span] = found[..] else { panic!("{} spans {name} in {trace}: {spans:#?}", found.len()) };
    span
}

/// Four webhooks of one submission, three of them while the first is looked at; one of another that is not sampled.
async fn one_connected_trace(prefix: &str, endpoint: &str, collector: &Collector) {
    let Some(bootstrap) = broker::bootstrap() else { return };
    let sim = simulator(61).await;
    let mut setup = Setup::new(&bootstrap, prefix, sim.base_url());
    let mut replica = replica(&mut setup, endpoint, "sample_ratio = 1.0").await;
    let id = approved(&sim);
    let [first, second, third, fourth] = [1, 2, 3, 4].map(|number| caller(number, "01"));
    sim.faults().set(Faults { latency_ms: 3_000, ..Faults::default() });
    webhook(&sim, &replica, &id, Trigger::Approved, &first.1).await;
    let until = Instant::now() + Duration::from_secs(30);
    while sim.gets(PROJECT, &id) == 0 {
        assert!(Instant::now() < until, "no look was begun");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    for (_, header) in [&second, &third, &fourth] {
        webhook(&sim, &replica, &id, Trigger::Approved, header).await;
    }
    let (quiet, unsampled) = (approved(&sim), caller(5, "00"));
    webhook(&sim, &replica, &quiet, Trigger::Approved, &unsampled.1).await;
    check::converged(&setup, &sim, Duration::from_mins(1)).await;
    sim.faults().set(Faults::default());
    // The second run of the key has nothing to publish: its commit is the last of it.
    let is_done = |spans: &[Seen]| {
        let ended = |trace: &str| spans.iter().any(|span| span.name == "reconcile" && span.trace == trace);
        ended(&first.0) && ended(&second.0)
    };
    collector.until("both runs", Duration::from_mins(1), is_done).await;
    assert_eq!(replica.terminate().await, Some(0), "{}", replica.logs());
    let spans = collector.spans();

    connected(&spans, &id, &first.0);
    let (later, theirs) = (one(&spans, "reconcile", &second.0), [&third.0, &fourth.0]);
    assert_eq!(later.parent, one(&spans, "webhook", &second.0).id);
    let linked: Vec<_> = later.links.iter().map(|(trace, span)| (trace, span)).collect();
    let doors: Vec<_> = theirs.iter().map(|trace| (*trace, &one(&spans, "webhook", trace).id)).collect();
    assert_eq!((linked, later.word("hints")), (doors, "3"), "the coalesced hints are links");
    assert!(spans.iter().all(|span| span.trace != unsampled.0), "what is not sampled stays so");
    assert!(spans.iter().any(|span| span.name == "page" && span.parent.is_empty()), "a walk begins a trace");

    let header = |records: &[tests::topics::Record], id: &str| {
        let of = records.iter().find(|record| record.key == format!("{PROJECT}/{id}")).expect("a record");
        of.headers["traceparent"].clone()
    };
    let events = check::read(&setup, check::TOPICS[0]).await;
    let run = one(&spans, "reconcile", &first.0);
    assert_eq!(header(&events, &id), format!("00-{}-{}-01", first.0, run.id));
    let quietly = header(&events, &quiet);
    assert!(quietly.starts_with(&format!("00-{}-", unsampled.0)) && quietly.ends_with("-00"), "{quietly}");
    let hints = check::read(&setup, check::TOPICS[4]).await;
    let door = one(&spans, "webhook", &first.0);
    assert_eq!(header(&hints, &id), format!("00-{}-{}-01", first.0, door.id));
    check::private(&setup, &[collector.text()]).await;
    println!(
        "{} spans of {} traces",
        spans.len(),
        spans.iter().map(|span| &span.trace).collect::<std::collections::BTreeSet<_>>().len()
    );
}

/// Caller, webhook, reconcile, and within it fetch and commit.
fn connected(spans: &[Seen], id: &str, trace: &str) {
    let of = |name| one(spans, name, trace);
    let (door, run, look, commit) = (of("webhook"), of("reconcile"), of("fetch"), of("commit"));
    assert_eq!(door.parent, SPAN);
    assert_eq!(run.parent, door.id);
    assert_eq!((&look.parent, &commit.parent), (&run.id, &run.id));
    for span in [door, run] {
        assert_eq!((span.word("project"), span.word("submission")), (PROJECT, id));
    }
    assert_eq!(door.word("hint_id"), run.word("hint_id"));
    assert_eq!((door.word("outcome"), look.word("outcome")), ("accepted", "present"));
    assert_eq!((run.word("outcome"), commit.word("outcome")), ("published", "committed"));
    assert!([door, run, look, commit].iter().all(|span| !span.failed && span.word("service.instance.id") == "relay-0"));
    assert_eq!(door.word("service.name"), "argos-relay");
    // The hint is read once it is durable; the door may be a moment later to answer.
    let order = [door.time.0, run.time.0, look.time.0, look.time.1, commit.time.0, commit.time.1, run.time.1];
    assert!(order.is_sorted(), "{order:?}");
    assert!(look.time.1 - look.time.0 >= 3_000_000_000, "the look took as long as ARGOS did");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_trace_leads_from_the_webhook_to_its_event() {
    let collector = Collector::start().await;
    one_connected_trace("traces", &collector.endpoint(), &collector).await;
}

/// The same through a collector that others made, which reads every span and writes it anew.
#[tokio::test(flavor = "multi_thread")]
async fn a_real_collector_reads_the_same_trace() {
    if broker::bootstrap().is_none() {
        return;
    }
    let collector = Collector::start().await;
    let Some(real) = RealCollector::start(&collector).await else { return };
    one_connected_trace("collector", &real.endpoint(), &collector).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_collector_the_service_goes_on() {
    let Some(bootstrap) = broker::bootstrap() else { return };
    let sim = simulator(62).await;
    let mut setup = Setup::new(&bootstrap, "untraced", sim.base_url());
    let endpoint = format!("http://127.0.0.1:{}", tests::free_port());
    let mut replica = replica(&mut setup, &endpoint, "sample_ratio = 1.0\nqueue = 8").await;
    for _ in 0..20 {
        let id = approved(&sim);
        webhook(&sim, &replica, &id, Trigger::Approved, "").await;
    }
    check::converged(&setup, &sim, Duration::from_mins(1)).await;
    assert_eq!(check::safe(&setup, &sim).await, 20);
    let spans = |outcome: &'static str| replica.metric_of("argos_relay_trace_spans_total", outcome);
    let until = Instant::now() + Duration::from_secs(30);
    while spans("dropped").await < 40.0 {
        assert!(Instant::now() < until, "dropped {}, exported {}", spans("dropped").await, spans("exported").await);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(spans("exported").await < 1.0);
    assert_eq!(replica.terminate().await, Some(0), "{}", replica.logs());
    let told = replica.logs().lines().filter(|line| line.contains("collector does not take traces")).count();
    assert_eq!(told, 1, "{}", replica.logs());
}
