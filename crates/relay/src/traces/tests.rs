//! The tracer and the exporter against a small collector in the test.

use super::*;
use crate::config::{Config, Environment};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use bytes::Bytes;
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue as Pair, any_value::Value};
use opentelemetry_proto::tonic::trace::v1::{self as otlp, span, status::StatusCode as Code};
use prometheus::Registry;
use prost::Message;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Mutex;
use std::time::Instant;
use tokio_util::sync::CancellationToken;

const CALLER: TraceContext = TraceContext { trace: 0x4bf9_2f35, span: 0x00f0_67aa, flags: 1 };

fn config(endpoint: &str, more: &str) -> Config {
    let text = format!(
        "[kafka]\nbootstrap_servers = \"127.0.0.1:1\"\ninstance_id = \"relay-7\"\n\
         [personal_data]\ndigest_key = \"0123456789abcdef0123456789abcdef\"\n\
         [traces]\notlp_endpoint = \"{endpoint}\"\n{more}\n\
         [[projects]]\nid = \"acme\"\napi_key = \"key\"\nwebhook = {{ unauthenticated = true }}\n"
    );
    Config::parse(&text, &Environment::default()).unwrap().config
}

/// What it was asked, and what it answers next; 200 when there is nothing more.
#[derive(Clone, Default)]
struct Collector {
    asked: Arc<Mutex<Vec<(HeaderMap, ExportTraceServiceRequest)>>>,
    answers: Arc<Mutex<Vec<(StatusCode, i64)>>>,
}

impl Collector {
    async fn start(&self, address: SocketAddr) -> SocketAddr {
        let (asked, answers) = (Arc::clone(&self.asked), Arc::clone(&self.answers));
        let router = axum::Router::new().route(
            "/base/v1/traces",
            post(move |headers: HeaderMap, body: Bytes| async move {
                asked.lock().unwrap().push((headers, ExportTraceServiceRequest::decode(body).unwrap()));
                let (status, rejected_spans) = answers.lock().unwrap().pop().unwrap_or((StatusCode::OK, 0));
                let partial = ExportTracePartialSuccess { rejected_spans, error_message: String::new() };
                (status, ExportTraceServiceResponse { partial_success: Some(partial) }.encode_to_vec())
            }),
        );
        let listener = tokio::net::TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, router).await });
        address
    }

    fn spans(&self) -> Vec<otlp::Span> {
        let asked = self.asked.lock().unwrap();
        let resources = asked.iter().flat_map(|(_, request)| request.resource_spans.clone());
        resources.flat_map(|one| one.scope_spans).flat_map(|one| one.spans).collect()
    }

    async fn until(&self, asked: usize) {
        let until = Instant::now() + Duration::from_secs(30);
        while self.asked.lock().unwrap().len() < asked {
            assert!(Instant::now() < until, "not asked {asked} times");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

struct Running {
    traces: Traces,
    headers: Headers,
    registry: Registry,
    stop: CancellationToken,
    task: tokio::task::JoinHandle<()>,
}

impl Running {
    fn start(config: &Config) -> Running {
        let registry = Registry::new();
        let (traces, exporter) = start(config, &TraceMetrics::register(&registry).unwrap()).unwrap();
        let (exporter, stop) = (exporter.unwrap(), CancellationToken::new());
        let headers = exporter.headers();
        let task = tokio::spawn(exporter.run(stop.clone()));
        Running { traces, headers, registry, stop, task }
    }

    /// Exported, refused and dropped so far.
    fn counts(&self) -> [u64; 3] {
        let families = self.registry.gather();
        ["exported", "refused", "dropped"].map(|outcome| {
            let of = |metric: &&prometheus::proto::Metric| metric.get_label()[0].value() == outcome;
            families[0].get_metric().iter().find(of).map_or(0, |metric| metric.get_counter().get_value() as u64)
        })
    }

    /// Tells it to stop and waits for its end.
    async fn stop(&mut self) {
        self.stop.cancel();
        (&mut self.task).await.unwrap();
    }

    async fn until(&self, counts: [u64; 3]) {
        let until = Instant::now() + Duration::from_secs(30);
        while self.counts() != counts {
            assert!(Instant::now() < until, "{:?}, not {counts:?}", self.counts());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

fn local() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, 0).into()
}

fn text(pairs: &[Pair], name: &str) -> Option<String> {
    let value = pairs.iter().find(|pair| pair.key == name)?.value.clone()?;
    match value {
        AnyValue { value: Some(Value::StringValue(text)) } => Some(text),
        AnyValue { value: Some(Value::IntValue(number)) } => Some(number.to_string()),
        _ => None,
    }
}

#[tokio::test]
async fn a_span_arrives_with_its_place_its_links_and_what_was_set() {
    let collector = Collector::default();
    let address = collector.start(local()).await;
    let config = config(&format!("http://{address}/base"), "sample_ratio = 0.0\nheaders = [\"x-token: one\"]");
    let mut running = Running::start(&config);
    let linked = TraceContext { trace: 7, span: 8, flags: 1 };
    let mut webhook = running.traces.begin(Step::Webhook, Some(CALLER), &[]);
    let mut reconcile = running.traces.begin(Step::Reconcile, webhook.context(), &[linked]);
    webhook.set("outcome", "accepted");
    reconcile.set("hints", 2_usize);
    reconcile.fail_if(true);
    let (first, second) = (webhook.context().unwrap(), reconcile.context().unwrap());
    drop((webhook, reconcile));
    collector.until(1).await;
    running.stop().await;
    assert_eq!(running.counts(), [2, 0, 0]);
    let spans = collector.spans();
    let [one, two] = &spans[..] else { panic!("{spans:?}") };
    assert_eq!((one.name.as_str(), one.kind()), ("webhook", span::SpanKind::Server));
    assert_eq!((two.name.as_str(), two.kind()), ("reconcile", span::SpanKind::Consumer));
    for (span, place, parent) in [(one, first, CALLER.span), (two, second, first.span)] {
        assert_eq!(span.trace_id, CALLER.trace.to_be_bytes());
        assert_eq!(span.span_id, place.span.to_be_bytes());
        assert_eq!(span.parent_span_id, parent.to_be_bytes());
        assert!(span.end_time_unix_nano >= span.start_time_unix_nano && span.start_time_unix_nano > 0);
    }
    assert_eq!(text(&one.attributes, "outcome").as_deref(), Some("accepted"));
    assert_eq!(text(&two.attributes, "hints").as_deref(), Some("2"));
    assert_eq!(two.status.as_ref().map(otlp::Status::code), Some(Code::Error));
    assert_eq!(one.status.as_ref().map_or(Code::Unset, otlp::Status::code), Code::Unset);
    assert_eq!(two.links.iter().map(|link| link.trace_id.clone()).collect::<Vec<_>>(), [linked.trace.to_be_bytes()]);
    let asked = collector.asked.lock().unwrap();
    let (headers, request) = &asked[0];
    assert_eq!(
        (&headers["content-type"], &headers["x-token"]),
        (&"application/x-protobuf".parse().unwrap(), &"one".parse().unwrap())
    );
    let resource = request.resource_spans[0].resource.as_ref().unwrap();
    assert_eq!(text(&resource.attributes, "service.name").as_deref(), Some("argos-relay"));
    assert_eq!(text(&resource.attributes, "service.version").as_deref(), Some(env!("CARGO_PKG_VERSION")));
    assert_eq!(text(&resource.attributes, "service.instance.id").as_deref(), Some("relay-7"));
}

#[tokio::test]
async fn the_parent_decides_and_without_one_the_ratio() {
    let begun = |ratio: f64, parent: Option<TraceContext>| {
        let config = config("http://127.0.0.1:1", &format!("sample_ratio = {ratio:?}"));
        let traces = start(&config, &TraceMetrics::register(&Registry::new()).unwrap()).unwrap().0;
        let span = traces.begin(Step::Webhook, parent, &[]);
        span.context().unwrap()
    };
    let unsampled = TraceContext { flags: 0, ..CALLER };
    assert!(begun(0.0, Some(CALLER)).is_sampled());
    assert_eq!(begun(0.0, Some(CALLER)).trace, CALLER.trace);
    let child = begun(1.0, Some(unsampled));
    assert!(!child.is_sampled() && child.trace == unsampled.trace && child.span != unsampled.span, "{child}");
    assert!(begun(1.0, None).is_sampled());
    assert!(!begun(0.0, None).is_sampled());
    assert_ne!(begun(1.0, None).trace, begun(1.0, None).trace);
    let config = config("http://127.0.0.1:1", "sample_ratio = 0.25");
    let traces = start(&config, &TraceMetrics::register(&Registry::new()).unwrap()).unwrap().0;
    let sampled = |_: &u32| traces.begin(Step::Webhook, None, &[]).context().unwrap().is_sampled();
    let part = (0..4000).filter(sampled).count();
    assert!((800..1200).contains(&part), "{part} of 4000");
}

#[test]
fn without_a_collector_nothing_is_traced() {
    let config = Config {
        traces: config::Traces { otlp_endpoint: None, ..config("http://x", "").traces },
        ..config("http://x", "")
    };
    let (traces, exporter) = start(&config, &TraceMetrics::register(&Registry::new()).unwrap()).unwrap();
    assert!(!traces.are_on() && exporter.is_none());
}

#[tokio::test]
async fn while_the_collector_is_away_spans_wait_up_to_the_bound_and_then_arrive() {
    let reserved = std::net::TcpListener::bind(local()).unwrap();
    let address = reserved.local_addr().unwrap();
    drop(reserved);
    let mut running = Running::start(&config(&format!("http://{address}/base"), "sample_ratio = 1.0\nqueue = 10"));
    let begin = || drop(running.traces.begin(Step::Webhook, None, &[]));
    begin();
    // The first batch is on its way, and is not taken.
    let until = Instant::now() + Duration::from_secs(30);
    while running.counts()[2] == 0 && Instant::now() < until {
        (0..11).for_each(|_| begin());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let dropped = running.counts()[2];
    assert!(dropped > 0 && running.counts()[0] == 0);
    let collector = Collector::default();
    collector.answers.lock().unwrap().push((StatusCode::SERVICE_UNAVAILABLE, 0));
    collector.start(address).await;
    collector.until(2).await;
    running.stop().await;
    let [exported, refused, dropped] = running.counts();
    assert!(exported >= 10 && refused == 0 && dropped > 0, "{exported} {refused} {dropped}");
    let asked = collector.asked.lock().unwrap();
    assert_eq!(asked[0].1, asked[1].1, "a batch that was not taken is sent again");
    drop(asked);
    let mut ids: Vec<_> = collector.spans().into_iter().map(|span| span.span_id).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len() as u64, exported, "each was exported once");
}

#[tokio::test]
async fn what_the_collector_refuses_is_counted_and_not_sent_again() {
    let collector = Collector::default();
    *collector.answers.lock().unwrap() = vec![(StatusCode::OK, 1), (StatusCode::UNAUTHORIZED, 0)];
    let address = collector.start(local()).await;
    let mut running = Running::start(&config(&format!("http://{address}/base"), "sample_ratio = 1.0"));
    drop(running.traces.begin(Step::Webhook, None, &[]));
    running.until([0, 1, 0]).await;
    running.headers.replace(&["x-token: two".into()]).unwrap();
    drop([running.traces.begin(Step::Webhook, None, &[]), running.traces.begin(Step::Webhook, None, &[])]);
    running.until([1, 2, 0]).await;
    running.stop().await;
    let asked = collector.asked.lock().unwrap();
    assert_eq!((asked.len(), &asked[1].0["x-token"]), (2, &"two".parse().unwrap()));
    assert!(!asked[0].0.contains_key("x-token"));
}

#[tokio::test]
async fn the_stop_takes_what_waits_along_and_waits_for_nobody() {
    let collector = Collector::default();
    let address = collector.start(local()).await;
    let mut running = Running::start(&config(&format!("http://{address}/base"), "sample_ratio = 1.0"));
    (0..1300).for_each(|_| drop(running.traces.begin(Step::Webhook, None, &[])));
    running.stop().await;
    assert_eq!((running.counts(), collector.spans().len()), ([1300, 0, 0], 1300));
    // A collector that takes the connection and never answers.
    let silent = tokio::net::TcpListener::bind(local()).await.unwrap();
    let mut running =
        Running::start(&config(&format!("http://{}", silent.local_addr().unwrap()), "sample_ratio = 1.0"));
    (0..1300).for_each(|_| drop(running.traces.begin(Step::Webhook, None, &[])));
    let began = Instant::now();
    running.stop().await;
    assert!(began.elapsed() >= export::FLUSH && running.counts() == [0, 0, 1300], "{:?}", running.counts());
}
