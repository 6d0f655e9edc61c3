//! The span of a webhook: whose it is, what it says, and that a stranger has none.

use crate::harness::{APPROVED, Mode, Server, TOKEN, head, post};
use models::trace::{Recording, Span, Step, TraceContext, TraceValue, Tracer, Traces};
use std::sync::{Arc, Mutex};

const CALLER: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// One span: its parent, what was set, and at last how it ended.
type Told = (Option<TraceContext>, Vec<(&'static str, String)>, Option<&'static str>);

#[derive(Clone, Default)]
struct Book(Arc<Mutex<Vec<Told>>>);

struct Entry(Book, usize, &'static str);

impl Tracer for Book {
    fn begin(&self, step: Step, parent: Option<TraceContext>, links: &[TraceContext]) -> Span {
        assert!(step == Step::Webhook && links.is_empty());
        let mut told = self.0.lock().unwrap();
        told.push((parent, Vec::new(), None));
        let context =
            TraceContext { trace: parent.map_or(77, |parent| parent.trace), span: told.len() as u64, flags: 1 };
        Span::new(context, Some(Box::new(Entry(self.clone(), told.len() - 1, "well"))))
    }
}

impl Recording for Entry {
    fn set(&mut self, name: &'static str, value: TraceValue) {
        let TraceValue::Text(text) = value else { panic!("{name}: {value:?}") };
        self.0.0.lock().unwrap()[self.1].1.push((name, text));
    }

    fn fail(&mut self) {
        self.2 = "failed";
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.0.0.lock().unwrap()[self.1].2 = Some(self.2);
    }
}

impl Book {
    /// The newest span's outcome, and how it ended.
    fn last(&self) -> (String, Option<&'static str>) {
        let told = self.0.lock().unwrap();
        let (_, attributes, end) = told.last().unwrap();
        let outcome = attributes.iter().find(|(name, _)| *name == "outcome").map(|(_, word)| word.clone());
        (outcome.unwrap_or_default(), *end)
    }
}

async fn traced() -> (Server, Book) {
    let book = Book::default();
    (Server::traced(Traces::to(Arc::new(book.clone()))).await, book)
}

fn from_caller(path: &str, body: &str) -> String {
    head("POST", path, &format!("traceparent: {CALLER}\r\ncontent-length: {}\r\n", body.len())) + body
}

#[tokio::test]
async fn a_webhook_goes_on_with_its_callers_trace_and_its_hint_carries_it_on() {
    let (server, book) = traced().await;
    let path = format!("/webhooks/secret/{TOKEN}");
    assert_eq!(server.ask(from_caller(&path, APPROVED)).await.status, 200);
    assert_eq!(server.ask(post(&path, APPROVED)).await.status, 200);
    let told = book.0.lock().unwrap().clone();
    assert_eq!((told[0].0, told[1].0), (CALLER.parse().ok(), None));
    let hints = server.sink.accepted.lock().unwrap().clone();
    let contexts: Vec<_> = hints.iter().filter_map(|(_, _, hint)| hint.traceparent.as_deref()).collect();
    let own = "00-0000000000000000000000000000004d-0000000000000002-01";
    assert_eq!(contexts, ["00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000001-01", own]);
    let said = [
        ("project", "secret"),
        ("submission", "k3f9x1mes3ugzb"),
        ("hint_id", hints[0].2.id.as_str()),
        ("outcome", "accepted"),
    ];
    assert_eq!(told[0].1, said.map(|(name, word)| (name, word.to_owned())));
    assert_eq!(told[0].2, Some("well"));
}

#[tokio::test]
async fn who_may_not_come_in_has_no_span() {
    let (server, book) = traced().await;
    for path in ["/webhooks/secret/wrong", "/webhooks/secret", "/webhooks/elsewhere", "/webhooks/nobody", "/x"] {
        assert_ne!(server.ask(from_caller(path, APPROVED)).await.status, 200);
    }
    assert!(book.0.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_span_says_how_its_webhook_ended() {
    let (server, book) = traced().await;
    let open = |body: &'static str| server.ask(post("/webhooks/open", body));
    open(r#"{"webhook_trigger":"argos_id_auth","data":{}}"#).await;
    assert_eq!(book.last(), ("ignored".to_owned(), Some("well")));
    open("no JSON").await;
    let (outcome, end) = book.last();
    assert!(!outcome.is_empty() && outcome != "accepted" && end == Some("well"), "{outcome}: its caller's mistake");
    server.set(Mode::Absent);
    open(APPROVED).await;
    assert_eq!(book.last(), ("unavailable".to_owned(), Some("failed")));
    server.set(Mode::Slow);
    let mut client = server.connect().await;
    client.send(post("/webhooks/open", APPROVED)).await;
    server.sink_was_asked().await;
    drop(client);
    let until = tokio::time::Instant::now() + crate::harness::PATIENCE;
    while book.last().1.is_none() {
        assert!(tokio::time::Instant::now() < until, "its span does not end");
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert_eq!(book.last(), (String::new(), Some("well")), "the caller went away");
}
