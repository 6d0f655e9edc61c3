//! Load on an HTTP listener: keep-alive connections, each with one request at a time.
//!
//! Owns: the connections, the clock around each request, the quantiles. Writes HTTP/1.1 by itself, since a full client
//! costs as much as the server under test, and the two share a machine. Must not know what is behind the listener.
//!
//! Path: [`run`] starts the connections on a thread of its own -> each sends a request of a fresh submission, reads the
//! answer, notes the time -> [`Loaded`].

use crate::bodies;
use crate::table::Run;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Numbers of the submissions told of, over all loads of this process: no two webhooks name the same.
static NEXT: AtomicU64 = AtomicU64::new(1);

/// How requests come.
#[derive(Clone, Copy, Debug)]
pub enum Pace {
    /// Each connection sends as soon as it was answered.
    Closed,
    /// So many a second over all connections, due whatever the answers do; latency counts from when it was due.
    PerSecond(f64),
}

/// What a load is.
#[derive(Clone, Debug)]
pub struct Load {
    /// `host:port`.
    pub address: String,
    /// Where it posts to.
    pub path: String,
    /// Connections.
    pub connections: usize,
    /// How requests come.
    pub pace: Pace,
    /// For how long.
    pub lasts: Duration,
    /// Ends earlier once so many requests were begun.
    pub most: u64,
}

/// What came of it.
#[derive(Clone, Debug, Default)]
pub struct Loaded {
    /// Answered 200.
    pub accepted: u64,
    /// Answered otherwise, or not at all.
    pub refused: u64,
    /// Microseconds, sorted.
    latencies: Vec<u32>,
}

impl Loaded {
    /// Adds the quantiles.
    pub fn tell(&self, run: &mut Run) {
        for (name, share) in QUANTILES {
            run.insert(name.to_owned(), quantile(&self.latencies, share) / 1000.0);
        }
        run.insert("refused".to_owned(), self.refused as f64);
    }
}

/// The quantiles that are kept, by the name of their figure.
pub const QUANTILES: [(&str, f64); 5] =
    [("p50_ms", 0.5), ("p90_ms", 0.9), ("p99_ms", 0.99), ("p999_ms", 0.999), ("max_ms", 1.0)];

/// A quantile of sorted numbers; 0 of none.
pub fn quantile<T: Copy + Into<f64>>(sorted: &[T], share: f64) -> f64 {
    let at = (sorted.len() as f64 * share) as usize;
    sorted.get(at.min(sorted.len().saturating_sub(1))).map_or(0.0, |value| (*value).into())
}

/// Runs it on a thread of its own, so that the harness's other work does not delay it.
pub fn run(load: &Load) -> Loaded {
    let load = load.clone();
    let thread = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(all(load))
    });
    tokio::task::block_in_place(|| thread.join().expect("the load ran"))
}

async fn all(load: Load) -> Loaded {
    let total = Arc::new(Mutex::new(Loaded::default()));
    let (turn, began) = (Arc::new(AtomicU64::new(0)), Instant::now());
    let load = Arc::new(load);
    let connections: Vec<_> = (0..load.connections)
        .map(|_| {
            let (load, total, turn) = (Arc::clone(&load), Arc::clone(&total), Arc::clone(&turn));
            tokio::spawn(async move {
                let own = connection(&load, &turn, began).await;
                let mut total = total.lock().expect("a lock");
                total.accepted += own.accepted;
                total.refused += own.refused;
                total.latencies.extend(own.latencies);
            })
        })
        .collect();
    for connection in connections {
        connection.await.expect("it ran");
    }
    let mut total = std::mem::take(&mut *total.lock().expect("a lock"));
    total.latencies.sort_unstable();
    total
}

async fn connection(load: &Load, turn: &AtomicU64, began: Instant) -> Loaded {
    let mut own = Loaded::default();
    let mut request = Request::new(load);
    let mut stream = open(&load.address).await;
    loop {
        let turn = turn.fetch_add(1, Ordering::Relaxed);
        let due = match load.pace {
            Pace::Closed => Instant::now(),
            Pace::PerSecond(rate) => began + Duration::from_secs_f64(turn as f64 / rate),
        };
        if turn >= load.most || due > began + load.lasts {
            return own;
        }
        tokio::time::sleep_until(due.into()).await;
        request.name(NEXT.fetch_add(1, Ordering::Relaxed));
        if exchange(&mut stream, &request.bytes).await == Some(200) {
            own.accepted += 1;
            own.latencies.push(u32::try_from(due.elapsed().as_micros()).unwrap_or(u32::MAX));
        } else {
            own.refused += 1;
            stream = open(&load.address).await;
        }
    }
}

async fn open(address: &str) -> TcpStream {
    let stream = TcpStream::connect(address).await.expect("the listener accepts");
    stream.set_nodelay(true).expect("no delay");
    stream
}

/// A request whose submission's id is replaced in place.
struct Request {
    bytes: Vec<u8>,
    id_at: usize,
}

impl Request {
    const ID: &str = "k3f9x1mes3ugzb";

    fn new(load: &Load) -> Request {
        let (body, path, host) = (bodies::WEBHOOK, &load.path, &load.address);
        let text = format!(
            "POST {path} HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        let id_at = text.find(Self::ID).expect("its id");
        Request { bytes: text.into_bytes(), id_at }
    }

    fn name(&mut self, number: u64) {
        let id = format!("k{number:09}mesb");
        self.bytes[self.id_at..self.id_at + Self::ID.len()].copy_from_slice(id.as_bytes());
    }
}

/// The answer's status; `None` if the connection broke.
async fn exchange(stream: &mut TcpStream, request: &[u8]) -> Option<u16> {
    stream.write_all(request).await.ok()?;
    let mut answer = [0; 2048];
    let mut have = 0;
    loop {
        let read = stream.read(&mut answer[have..]).await.ok().filter(|read| *read > 0)?;
        have += read;
        let text = std::str::from_utf8(&answer[..have]).ok()?;
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let lengths = head.lines().filter_map(|line| line.split_once(':'));
        let mut lengths = lengths.filter(|(name, _)| name.eq_ignore_ascii_case("content-length"));
        let length: usize = lengths.next().and_then(|(_, length)| length.trim().parse().ok())?;
        if body.len() >= length {
            return head.split(' ').nth(1)?.parse().ok();
        }
    }
}
