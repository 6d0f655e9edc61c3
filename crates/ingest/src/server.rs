//! The public listener: connections in, requests to the router, an orderly end.
//!
//! Owns what a connection may cost (how many, how long without a request, how large a head) and the drain. Must not
//! know routes or answers. The listener and the signal to end are arguments, so a test binds port 0 and ends it at will.
//!
//! Path: [`serve`] accepts while there is a free place, one task a connection; under TLS or in clear text, HTTP/1.1 or
//! HTTP/2, as the caller's first bytes tell.
//!
//! On shutdown it takes in who knocked before, and accepts no more. For a moment it still answers on the connections that
//! stand, and says with each answer that it is the last: a connection that is closed at rest may be closed just when its
//! caller sends, who then cannot know what became of it. Then the door refuses, connections at rest are closed, what was
//! begun finishes within the budget, and the rest is cut off.

use crate::receive::{Door, Peer};
use crate::router::router;
use crate::tls::Tls;
use axum::Router;
use axum::body::Body;
use axum::http::{HeaderValue, Request, Version, header};
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use models::HintSink;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, Interval, interval_at, sleep, timeout, timeout_at};
use tokio_util::task::TaskTracker;
use tower::Service;

/// The largest head of a request, in bytes.
const HEAD_BYTES: usize = 16 * 1024;
/// The most header lines.
const HEAD_LINES: usize = 64;
/// The most requests at a time on one HTTP/2 connection.
const STREAMS: u32 = 64;
/// What an HTTP/2 caller may send ahead of our reading, in bytes: on one request, and on the whole connection.
const WINDOW: u32 = 64 * 1024;
const CONNECTION_WINDOW: u32 = 128 * 1024;
/// The pause after an accept that failed for want of file descriptors or memory.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What connections may cost.
#[derive(Clone, Copy, Debug)]
pub struct ServerLimits {
    /// How many at a time; further ones wait in the kernel's backlog.
    pub connections: usize,
    /// How long the handshake of TLS and a request's head may each take, and a connection may be without a request.
    pub header_timeout: Duration,
    /// How long after shutdown was asked for requests are still taken on connections that stand. Part of `drain`.
    pub linger: Duration,
    /// How long begun requests may take to finish after shutdown was asked for.
    pub drain: Duration,
}

impl Default for ServerLimits {
    fn default() -> ServerLimits {
        ServerLimits {
            connections: 1024,
            header_timeout: Duration::from_secs(10),
            linger: Duration::from_secs(1),
            drain: Duration::from_secs(15),
        }
    }
}

/// How a server ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drained {
    /// Connections that were cut off because the budget was spent; 0 = everything begun was answered.
    pub cut_off: usize,
}

/// Serves until `shutdown` is ready, then drains. With `tls`, under TLS only.
pub async fn serve<S: HintSink>(
    listener: TcpListener,
    tls: Option<Tls>,
    door: Arc<Door<S>>,
    limits: ServerLimits,
    shutdown: impl Future<Output = ()>,
) -> Drained {
    let places = Arc::new(Semaphore::new(limits.connections));
    let connections = TaskTracker::new();
    let (ends, stage) = watch::channel(Stage::Serving);
    let connection = Connection { app: router(Arc::clone(&door)), tls, stage, header_timeout: limits.header_timeout };
    let mut shutdown = pin!(shutdown);
    // Ends with this function, as whatever it owes then does.
    let mut aside = JoinSet::new();
    let owing = Arc::clone(&door);
    aside.spawn(async move { owing.pay_debts().await });

    loop {
        // Both branches may be dropped at any time: a place not used is given back, an accept not finished is not lost.
        let accepted = tokio::select! {
            () = &mut shutdown => break,
            accepted = accept(&listener, &places) => accepted,
        };
        match accepted {
            Ok(accepted) => drop(connections.spawn(connection.clone().run(accepted))),
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::select! {
                    () = &mut shutdown => break,
                    () = sleep(ACCEPT_PAUSE) => {}
                }
            }
        }
    }

    let until = Instant::now() + limits.drain;
    for accepted in close(listener, &places) {
        connections.spawn(connection.clone().run(accepted));
    }
    ends.send_replace(Stage::Soon);
    connections.close();
    // Whether they are gone before is for the next wait to tell.
    drop(timeout(limits.linger.min(limits.drain), connections.wait()).await);
    door.drain();
    ends.send_replace(Stage::Orderly);
    let cut_off = match timeout_at(until, connections.wait()).await {
        Ok(()) => 0,
        Err(_) => connections.len(),
    };
    ends.send_replace(Stage::AtOnce);
    connections.wait().await;
    Drained { cut_off }
}

/// Takes a free place, then a connection: the other way round, a connection would be held without being served.
async fn accept(listener: &TcpListener, places: &Arc<Semaphore>) -> std::io::Result<Accepted> {
    let place = Arc::clone(places).acquire_owned().await.map_err(std::io::Error::other)?;
    let (stream, peer) = listener.accept().await?;
    Ok(Accepted { place, stream, peer })
}

/// Closes the listener. Who stands in its backlog was let in by the kernel, and would be thrown out with it: the kernel
/// itself is asked for them, as the runtime may not have heard yet of the last ones.
fn close(listener: TcpListener, places: &Arc<Semaphore>) -> Vec<Accepted> {
    let mut backlog = Vec::new();
    let Ok(listener) = listener.into_std() else { return backlog };
    while let Ok(place) = Arc::clone(places).try_acquire_owned()
        && let Ok((stream, peer)) = listener.accept()
    {
        let stream = stream.set_nonblocking(true).and_then(|()| TcpStream::from_std(stream));
        backlog.extend(stream.map(|stream| Accepted { place, stream, peer }));
    }
    backlog
}

/// A connection and its place.
struct Accepted {
    place: OwnedSemaphorePermit,
    stream: TcpStream,
    peer: SocketAddr,
}

/// How far the end has come; each connection looks at it in every step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    #[default]
    Serving,
    /// Connections end after the next answer.
    Soon,
    /// After what was begun.
    Orderly,
    AtOnce,
}

/// What one connection's task needs.
#[derive(Clone)]
struct Connection {
    app: Router,
    tls: Option<Tls>,
    stage: watch::Receiver<Stage>,
    header_timeout: Duration,
}

impl Connection {
    /// Serves one connection to its end, then gives its place back.
    async fn run(self, Accepted { place, stream, peer }: Accepted) {
        // Answers are small and waited for. If the option cannot be set, they are merely later.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "TCP_NODELAY could not be set");
        }
        match &self.tls {
            None => self.serve(stream, peer).await,
            Some(tls) => {
                let handshake = timeout(self.header_timeout, tls.acceptor().accept(stream));
                let mut stage = self.stage.clone();
                let done = tokio::select! {
                    done = handshake => done,
                    _ = stage.wait_for(|stage| *stage >= Stage::Orderly) => return,
                };
                match done {
                    Ok(Ok(stream)) => self.serve(stream, peer).await,
                    Ok(Err(error)) => tracing::debug!(%error, "a TLS handshake failed"),
                    Err(_) => tracing::debug!("a TLS handshake took too long"),
                }
            }
        }
        drop(place);
    }

    async fn serve(&self, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, peer: SocketAddr) {
        let builder = self.builder();
        let caller = Arc::new(Caller { stage: self.stage.clone(), activity: Activity::default() });
        let (app, seen) = (self.app.clone(), Arc::clone(&caller));
        let service = service_fn(move |request: Request<Incoming>| {
            let version = request.version();
            let busy = seen.begin(version);
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(Peer(peer.ip()));
            let answer = app.clone().call(request);
            async move {
                let mut response = answer.await;
                if let Ok(response) = &mut response
                    && version < Version::HTTP_2
                    && busy.is_asked_to_end()
                {
                    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
                }
                response
            }
        });
        let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
        let mut ending: Option<Instant> = None;
        let mut signs = FuturesUnordered::from_iter([Signs::new(self.stage.clone(), self.header_timeout).next()]);
        loop {
            // The connection is polled in place, so no other branch loses what it has read. What is aside is polled only
            // when it has something to tell: a connection is woken several times in each request.
            let (sign, rest) = tokio::select! {
                biased;
                result = connection.as_mut() => {
                    if let Err(error) = result {
                        // Callers who break off are an everyday thing.
                        tracing::debug!(%error, "a connection ended early");
                    }
                    return;
                }
                Some(sign) = signs.next() => sign,
            };
            signs.push(rest.next());
            match sign {
                Sign::Stage(Stage::AtOnce) => return,
                // HTTP/2 can tell its callers without a race.
                Sign::Stage(stage) if stage < Stage::Orderly && !caller.activity.is_http_2() => continue,
                Sign::Period if !caller.activity.was_idle() => continue,
                // Asked to end a whole period ago, and still here without a request: not listening.
                Sign::Period if ending.is_some_and(|since| since.elapsed() >= self.header_timeout) => return,
                Sign::Stage(_) | Sign::Period => {}
            }
            if ending.is_none() {
                ending = Some(Instant::now());
                connection.as_mut().graceful_shutdown();
            }
        }
    }

    fn builder(&self) -> auto::Builder<TokioExecutor> {
        let mut builder = auto::Builder::new(TokioExecutor::new());
        builder
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(self.header_timeout)
            .max_buf_size(HEAD_BYTES)
            .max_headers(HEAD_LINES);
        builder
            .http2()
            .timer(TokioTimer::new())
            .max_header_list_size(HEAD_BYTES as u32)
            .max_concurrent_streams(STREAMS)
            .initial_stream_window_size(WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .keep_alive_interval(self.header_timeout)
            .keep_alive_timeout(self.header_timeout);
        builder
    }
}

/// What may come between two requests.
enum Sign {
    /// The server's end has come so far.
    Stage(Stage),
    /// Another period is over.
    Period,
}

/// Waits for the next [`Sign`].
struct Signs {
    stage: watch::Receiver<Stage>,
    known: Stage,
    periods: Interval,
}

impl Signs {
    fn new(stage: watch::Receiver<Stage>, period: Duration) -> Signs {
        Signs { stage, known: Stage::Serving, periods: interval_at(Instant::now() + period, period) }
    }

    async fn next(mut self) -> (Sign, Signs) {
        let known = self.known;
        let sign = tokio::select! {
            // Without a server there is nobody to end in an orderly way for.
            now = self.stage.wait_for(|now| *now != known) => Sign::Stage(now.map_or(Stage::AtOnce, |now| *now)),
            _ = self.periods.tick() => Sign::Period,
        };
        if let Sign::Stage(now) = sign {
            self.known = now;
        }
        (sign, self)
    }
}

/// What the requests of one connection share.
struct Caller {
    stage: watch::Receiver<Stage>,
    activity: Activity,
}

impl Caller {
    fn begin(self: &Arc<Self>, version: Version) -> Busy {
        self.activity.begin(version);
        Busy(Arc::clone(self))
    }
}

/// Whether a connection is of use: hyper's own timeout knows only the heads of HTTP/1, not silence before the first
/// byte, nor HTTP/2 connections that are held open without a request.
#[derive(Default)]
struct Activity {
    running: AtomicUsize,
    begun: AtomicUsize,
    http_2: AtomicBool,
}

impl Activity {
    fn begin(&self, version: Version) {
        self.http_2.store(version == Version::HTTP_2, Ordering::Relaxed);
        self.running.fetch_add(1, Ordering::Relaxed);
        self.begun.fetch_add(1, Ordering::Relaxed);
    }

    fn is_http_2(&self) -> bool {
        self.http_2.load(Ordering::Relaxed)
    }

    /// Whether no request runs, and none was begun since the last time this was asked.
    fn was_idle(&self) -> bool {
        self.begun.swap(0, Ordering::Relaxed) == 0 && self.running.load(Ordering::Relaxed) == 0
    }
}

/// A request that runs. Ends with its drop, so also when the caller leaves.
struct Busy(Arc<Caller>);

impl Busy {
    fn is_asked_to_end(&self) -> bool {
        *self.0.stage.borrow() >= Stage::Soon
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.activity.running.fetch_sub(1, Ordering::Relaxed);
    }
}
