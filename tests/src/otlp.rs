//! Collectors of traces: a small one that remembers what it is sent, and a real one that hands everything on to it.
//!
//! Owns: OTLP over HTTP from the collector's side, and spans as the assertions need them.

use crate::broker::root;
use crate::free_port;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::trace::v1::{Span, status::StatusCode};
use prost::Message;
use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::net::Ipv4Addr;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// One span. Ids are hex, the parent's empty where there is none.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Its name.
    pub name: String,
    /// Its trace.
    pub trace: String,
    /// Its id.
    pub id: String,
    /// Its parent's id.
    pub parent: String,
    /// Trace and span of each link.
    pub links: Vec<(String, String)>,
    /// What was set, and of whose process it is.
    pub attributes: BTreeMap<String, String>,
    /// Marked as failed.
    pub failed: bool,
    /// From when to when, in nanoseconds since 1970.
    pub time: (u64, u64),
}

impl Seen {
    /// One attribute; empty if it was not set.
    pub fn word(&self, name: &str) -> &str {
        self.attributes.get(name).map_or("", String::as_str)
    }
}

/// Takes spans and remembers them.
#[derive(Debug)]
pub struct Collector {
    port: u16,
    bodies: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Collector {
    /// On a free port.
    pub async fn start() -> Collector {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port is free");
        let port = listener.local_addr().expect("it has an address").port();
        let bodies: Arc<Mutex<Vec<Vec<u8>>>> = Arc::default();
        let kept = Arc::clone(&bodies);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let kept = Arc::clone(&kept);
                // A connection that breaks is its client's to make anew.
                tokio::spawn(async move { drop(serve(stream, &kept).await) });
            }
        });
        Collector { port, bodies }
    }

    /// Its base address.
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Every span so far.
    pub fn spans(&self) -> Vec<Seen> {
        self.bodies.lock().unwrap().iter().flat_map(|body| spans(body)).collect()
    }

    /// Everything that it was sent; texts stand in it as they are.
    pub fn text(&self) -> String {
        self.bodies.lock().unwrap().iter().map(|body| String::from_utf8_lossy(body).into_owned()).collect()
    }

    /// Waits until its spans are as they should be.
    pub async fn until(&self, what: &str, within: Duration, is_so: impl Fn(&[Seen]) -> bool) -> Vec<Seen> {
        let until = Instant::now() + within;
        loop {
            let spans = self.spans();
            if is_so(&spans) {
                return spans;
            }
            assert!(Instant::now() < until, "{what}: {spans:#?}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

/// Answers every request on a connection with success.
async fn serve(stream: TcpStream, kept: &Mutex<Vec<Vec<u8>>>) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    loop {
        let (mut line, mut length, mut head) = (String::new(), 0, String::new());
        while stream.read_line(&mut line).await? > 2 {
            head.push_str(&line.to_ascii_lowercase());
            line.clear();
        }
        if head.is_empty() {
            return Ok(());
        }
        assert!(head.starts_with("post /v1/traces "), "{head}");
        assert!(head.contains("content-type: application/x-protobuf"), "{head}");
        if let Some(given) = head.lines().find_map(|line| line.strip_prefix("content-length:")) {
            length = given.trim().parse().unwrap_or(0);
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await?;
        kept.lock().unwrap().push(if head.contains("content-encoding: gzip") { unzipped(&body) } else { body });
        let answer = b"HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\n\r\n";
        stream.get_mut().write_all(answer).await?;
    }
}

/// The real collector zips, whatever it is told.
fn unzipped(body: &[u8]) -> Vec<u8> {
    let zip = Command::new("gzip").arg("-dc").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let mut zip = zip.expect("gzip runs");
    // Dropped at once, which ends what gzip reads; a few KiB fit into the pipe.
    zip.stdin.take().expect("its input").write_all(body).expect("written");
    zip.wait_with_output().expect("gzip ends").stdout
}

fn words(pairs: Vec<KeyValue>) -> impl Iterator<Item = (String, String)> {
    pairs.into_iter().filter_map(|pair| {
        let text = match pair.value? {
            AnyValue { value: Some(Value::StringValue(text)) } => text,
            AnyValue { value: Some(Value::IntValue(number)) } => number.to_string(),
            other => format!("{other:?}"),
        };
        Some((pair.key, text))
    })
}

fn hex(id: &[u8]) -> String {
    id.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

fn spans(body: &[u8]) -> Vec<Seen> {
    let request = ExportTraceServiceRequest::decode(body).expect("OTLP's protobuf");
    let seen = |span: Span, resource: &BTreeMap<String, String>| Seen {
        failed: span.status.as_ref().is_some_and(|status| status.code() == StatusCode::Error),
        trace: hex(&span.trace_id),
        id: hex(&span.span_id),
        parent: hex(&span.parent_span_id),
        links: span.links.iter().map(|link| (hex(&link.trace_id), hex(&link.span_id))).collect(),
        attributes: resource.clone().into_iter().chain(words(span.attributes)).collect(),
        time: (span.start_time_unix_nano, span.end_time_unix_nano),
        name: span.name,
    };
    let mut all = Vec::new();
    for of in request.resource_spans {
        let resource: BTreeMap<_, _> = of.resource.into_iter().flat_map(|one| words(one.attributes)).collect();
        let spans = of.scope_spans.into_iter().flat_map(|scope| scope.spans);
        all.extend(spans.map(|span| seen(span, &resource)));
    }
    all
}

/// A collector that others made (`tests/otlp`): it reads what it is sent and writes it anew to another one.
#[derive(Debug)]
pub struct RealCollector {
    port: u16,
    child: Child,
    _dir: TempDir,
}

impl RealCollector {
    /// Starts it in front of `behind`; `None`, with a loud word, where it cannot be had and this is no CI.
    pub async fn start(behind: &Collector) -> Option<RealCollector> {
        let (http, grpc) = (free_port(), free_port());
        let dir = TempDir::new().expect("a folder");
        let found = Command::new(root().join("tests/otlp/run.sh")).arg("--where").output().expect("the script runs");
        if found.status.code() == Some(69) && std::env::var_os("CI").is_none() {
            eprintln!("not run: the collector cannot be had here\n{}", String::from_utf8_lossy(&found.stderr));
            return None;
        }
        assert!(found.status.success(), "{}", String::from_utf8_lossy(&found.stderr));
        let child = Command::new(String::from_utf8_lossy(&found.stdout).trim())
            .args(["start", "--exporter", "otlp", "--otlp-exporter-protocol", "http"])
            .args(["--otlp-exporter-endpoint", &behind.endpoint()])
            .args(["--otlp-http-endpoint", &format!("127.0.0.1:{http}")])
            .args(["--otlp-grpc-endpoint", &format!("127.0.0.1:{grpc}")])
            .arg("--pid-file")
            .arg(dir.path().join("pid"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .expect("the collector starts");
        let collector = RealCollector { port: http, child, _dir: dir };
        let until = Instant::now() + Duration::from_mins(1);
        while TcpStream::connect((Ipv4Addr::LOCALHOST, http)).await.is_err() {
            assert!(Instant::now() < until, "the collector does not listen");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Some(collector)
    }

    /// Its base address.
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

impl Drop for RealCollector {
    fn drop(&mut self) {
        // Gone already is as good.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
