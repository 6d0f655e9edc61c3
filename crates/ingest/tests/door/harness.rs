//! A server on a free port, a sink whose behaviour a test sets, and a client that speaks HTTP/1.1 byte by byte.

use argos::{Cipher, Derivation};
use axum::http::HeaderName;
use ingest::signature::{Encoding, Form};
use ingest::{
    Door, DoorLimits, Drained, Methods, Metrics, PathTokens, ProjectDoor, ServerLimits, SignedBody, StandardWebhooks,
    Tls, TrustedProxies, serve,
};
use models::{Hint, HintSink, Key, Lane, ProjectId, SinkError, Time, Traces};
use prometheus::Registry;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, oneshot};
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// No step of a test may take longer.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);
/// What the clock of every test shows.
pub(crate) const NOW: i64 = 1_772_429_276_279;
pub(crate) const TOKEN: &str = "hush-hush-0001";
/// The key of the projects that ask for a signature, and the same key as Standard Webhooks writes it.
pub(crate) const SIGNING_KEY: &str = "hush-hush-signing-key";
pub(crate) const STANDARD_SECRET: &str = "whsec_aHVzaC1odXNoLXNpZ25pbmcta2V5";
/// The API key of the encrypting projects.
pub(crate) const KEY: &str = "hush-hush-api-key";
/// An ordinary webhook body.
pub(crate) const APPROVED: &str =
    r#"{"webhook_trigger":"approved","submission_id":"k3f9x1mes3ugzb","kyc_result":{"status":"approved"}}"#;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Accepting,
    Full,
    /// Fails when asked.
    Failing,
    /// Says beforehand that it would fail.
    Absent,
    /// Acknowledges once per permit of `release`.
    Slow,
}

pub(crate) struct FakeSink {
    pub(crate) mode: Mutex<Mode>,
    pub(crate) accepted: Mutex<Vec<(Key, Lane, Hint)>>,
    pub(crate) requests: Mutex<Vec<models::Request>>,
    /// One permit for each hint that came in.
    pub(crate) entered: Semaphore,
    pub(crate) release: Semaphore,
}

impl HintSink for FakeSink {
    async fn accept(&self, key: &Key, lane: Lane, hint: &Hint) -> Result<(), SinkError> {
        self.entered.add_permits(1);
        let mode = *self.mode.lock().unwrap();
        match mode {
            Mode::Accepting => {}
            Mode::Full => return Err(SinkError::Full),
            Mode::Failing | Mode::Absent => {
                return Err(SinkError::Unavailable("no broker".to_owned()));
            }
            Mode::Slow => self.release.acquire().await.unwrap().forget(),
        }
        self.accepted.lock().unwrap().push((key.clone(), lane, hint.clone()));
        Ok(())
    }

    async fn request(&self, request: &models::Request) -> Result<(), SinkError> {
        match *self.mode.lock().unwrap() {
            Mode::Accepting | Mode::Slow => self.requests.lock().unwrap().push(request.clone()),
            Mode::Full | Mode::Failing | Mode::Absent => return Err(SinkError::Unavailable("no broker".to_owned())),
        }
        Ok(())
    }

    fn is_available(&self) -> bool {
        *self.mode.lock().unwrap() != Mode::Absent
    }
}

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) sink: Arc<FakeSink>,
    pub(crate) door: Arc<Door<FakeSink>>,
    pub(crate) registry: Registry,
    shutdown: Option<oneshot::Sender<()>>,
    running: JoinHandle<Drained>,
}

impl Server {
    pub(crate) async fn start() -> Server {
        Server::with(DoorLimits::default(), ServerLimits::default()).await
    }

    /// With the projects below; the peer 127.0.0.1 is no trusted proxy.
    pub(crate) async fn with(door_limits: DoorLimits, server_limits: ServerLimits) -> Server {
        Server::under(None, door_limits, server_limits).await
    }

    /// The same under TLS.
    pub(crate) async fn under(tls: Option<Tls>, door_limits: DoorLimits, server_limits: ServerLimits) -> Server {
        Server::made(tls, door_limits, server_limits, Traces::default()).await
    }

    /// With spans.
    pub(crate) async fn traced(traces: Traces) -> Server {
        Server::made(None, DoorLimits::default(), ServerLimits::default(), traces).await
    }

    async fn made(tls: Option<Tls>, door_limits: DoorLimits, server_limits: ServerLimits, traces: Traces) -> Server {
        let registry = Registry::new();
        let sink = Arc::new(FakeSink {
            mode: Mutex::new(Mode::Accepting),
            accepted: Mutex::default(),
            requests: Mutex::default(),
            entered: Semaphore::new(0),
            release: Semaphore::new(0),
        });
        let door = Door::new(
            projects(),
            TrustedProxies::default(),
            Arc::clone(&sink),
            Arc::new(|| Time::from_millis(NOW)),
            door_limits,
            Metrics::register(&registry).unwrap(),
        );
        let door = Arc::new(door.traced(traces));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (shutdown, asked) = oneshot::channel::<()>();
        let running = tokio::spawn(serve(listener, tls, Arc::clone(&door), server_limits, async {
            asked.await.ok();
        }));
        Server { address, sink, door, registry, shutdown: Some(shutdown), running }
    }

    pub(crate) fn set(&self, mode: Mode) {
        *self.sink.mode.lock().unwrap() = mode;
    }

    pub(crate) async fn connect(&self) -> Client {
        Client(TcpStream::connect(self.address).await.unwrap())
    }

    /// Sends the bytes on a connection of their own and reads the one answer.
    pub(crate) async fn ask(&self, bytes: impl AsRef<[u8]>) -> Answer {
        let mut client = self.connect().await;
        client.send(bytes).await;
        client.answer().await
    }

    /// Waits until the sink was asked once more.
    pub(crate) async fn sink_was_asked(&self) {
        timeout(PATIENCE, self.sink.entered.acquire()).await.unwrap().unwrap().forget();
    }

    pub(crate) fn ask_to_end(&mut self) {
        self.shutdown.take().unwrap().send(()).unwrap();
    }

    pub(crate) async fn ended(self) -> Drained {
        timeout(PATIENCE, self.running).await.unwrap().unwrap()
    }

    /// What a counter says of a project.
    pub(crate) fn sum(&self, name: &str, project: &str) -> u64 {
        let families = self.registry.gather();
        let family = families.iter().find(|family| family.name() == name).unwrap();
        let of = |metric: &&prometheus::proto::Metric| metric.get_label().iter().any(|label| label.value() == project);
        family.get_metric().iter().filter(of).map(|metric| metric.get_counter().get_value() as u64).sum()
    }

    /// The count of one outcome.
    pub(crate) fn count(&self, project: &str, outcome: &str) -> u64 {
        let families = self.registry.gather();
        let family = families.iter().find(|family| family.name() == "argos_relay_webhooks_total").unwrap();
        let has = |metric: &prometheus::proto::Metric, name: &str, value: &str| {
            metric.get_label().iter().any(|label| label.name() == name && label.value() == value)
        };
        family
            .get_metric()
            .iter()
            .filter(|metric| has(metric, "project", project) && has(metric, "outcome", outcome))
            .map(|metric| metric.get_counter().get_value() as u64)
            .sum()
    }

    /// What a gauge shows for a project.
    pub(crate) fn gauge(&self, name: &str, project: &str) -> i64 {
        let families = self.registry.gather();
        let family = families.iter().find(|family| family.name() == name).unwrap();
        let of = |metric: &&prometheus::proto::Metric| metric.get_label().iter().any(|label| label.value() == project);
        family.get_metric().iter().find(of).unwrap().get_gauge().get_value() as i64
    }

    /// The count of all outcomes together.
    pub(crate) fn count_all(&self) -> u64 {
        let families = self.registry.gather();
        let family = families.iter().find(|family| family.name() == "argos_relay_webhooks_total");
        family
            .map_or(0, |family| family.get_metric().iter().map(|metric| metric.get_counter().get_value() as u64).sum())
    }
}

/// `open` to anyone, `secret` by path token, `here` from this machine, `elsewhere` from another network only, so never
/// in these tests, `both` by token and from this machine, `signed` by a signature over the body, `timed` by one with a
/// timestamp, `standard` by the headers of Standard Webhooks, `ecb` by path token and encrypted, `gcm` by encryption
/// alone, and `all` by all methods at once but that.
fn projects() -> Vec<ProjectDoor> {
    let tokens = || Some(PathTokens::new(&[TOKEN.into(), "another-0002".into()]).unwrap());
    let network = |text: &str| Some(vec![text.parse().unwrap()]);
    let methods = |source_ip, path_tokens| Methods { source_ip, path_tokens, ..Methods::default() };
    let signed = |form| {
        let header = HeaderName::from_static("x-signature");
        Some(SignedBody::new(header, form, &["another-key".into(), SIGNING_KEY.into()]).unwrap())
    };
    let plain = || signed(Form::Plain { encoding: Encoding::Hex, prefix: "sha256=".to_owned() });
    let timed = signed(Form::Timestamped { tolerance: Duration::from_mins(5) });
    let standard = || Some(StandardWebhooks::new(&[STANDARD_SECRET.into()], Duration::from_mins(5)).unwrap());
    let anyone = Methods { unauthenticated: true, ..Methods::default() };
    [
        ("open", anyone),
        ("secret", methods(None, tokens())),
        ("here", methods(network("127.0.0.0/8"), None)),
        ("elsewhere", methods(network("52.78.194.237/32"), None)),
        ("both", methods(network("127.0.0.1/32"), tokens())),
        ("signed", Methods { hmac: plain(), ..Methods::default() }),
        ("timed", Methods { hmac: timed, ..Methods::default() }),
        ("standard", Methods { standard_webhooks: standard(), ..Methods::default() }),
        ("ecb", Methods { sealed: Some(cipher(argos::Mode::Ecb, KEY)), ..methods(None, tokens()) }),
        ("gcm", Methods { sealed: Some(cipher(argos::Mode::Gcm, KEY)), ..Methods::default() }),
        ("all", Methods { hmac: plain(), standard_webhooks: standard(), ..methods(network("127.0.0.1/32"), tokens()) }),
    ]
    .into_iter()
    .map(|(id, methods)| ProjectDoor::new(ProjectId::new(id).unwrap(), methods).unwrap())
    .collect()
}

/// What the encrypting projects open with, if `key` is [`KEY`].
pub(crate) fn cipher(mode: argos::Mode, key: &str) -> Arc<Cipher> {
    Arc::new(Cipher::new(mode, Derivation::Sha256, &[key.into()]).unwrap())
}

/// A POST with a body, in full.
pub(crate) fn post(path: &str, body: &str) -> String {
    head("POST", path, &format!("content-length: {}\r\n", body.len())) + body
}

/// The head of a request with further header lines.
pub(crate) fn head(method: &str, path: &str, lines: &str) -> String {
    format!("{method} {path} HTTP/1.1\r\nhost: relay.example\r\n{lines}\r\n")
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: serde_json::Value,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head
            .lines()
            .filter_map(|line| line.split_once(": "))
            .find_map(|(key, value)| key.eq_ignore_ascii_case(name).then_some(value))
    }
}

pub(crate) struct Client(pub(crate) TcpStream);

impl Client {
    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        timeout(PATIENCE, self.0.write_all(bytes.as_ref())).await.unwrap().unwrap();
    }

    /// Reads one answer; every answer of the door announces its length.
    pub(crate) async fn answer(&mut self) -> Answer {
        self.try_answer().await.expect("an answer")
    }

    /// Reads one answer, or `None` if the connection ends without one.
    pub(crate) async fn try_answer(&mut self) -> Option<Answer> {
        let mut bytes = Vec::new();
        let end = loop {
            if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
                break end + 4;
            }
            if !self.more(&mut bytes).await {
                return None;
            }
        };
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
        let mut answer = Answer { status: head[9..12].parse().unwrap(), head, body: serde_json::Value::Null };
        let length: usize = answer.header("content-length").unwrap().parse().unwrap();
        while bytes.len() < end + length {
            assert!(self.more(&mut bytes).await, "the answer's body broke off");
        }
        if length > 0 && answer.head.starts_with("HTTP/1.1") {
            answer.body = serde_json::from_slice(&bytes[end..]).unwrap();
        }
        Some(answer)
    }

    async fn more(&mut self, bytes: &mut Vec<u8>) -> bool {
        timeout(PATIENCE, self.0.read_buf(bytes)).await.unwrap().is_ok_and(|count| count > 0)
    }

    /// Whether the server ended the connection without a further byte.
    pub(crate) async fn is_closed(&mut self) -> bool {
        !self.more(&mut Vec::new()).await
    }
}
