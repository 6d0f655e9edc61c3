//! Slow and endless callers beside ordinary ones: the ordinary ones do not notice.

use crate::harness::{APPROVED, Server, head, post};
use ingest::{DoorLimits, ServerLimits};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

const SLOW: usize = 500;
const SAMPLES: usize = 2000;
/// What a busy machine may add to any one of a hundred answers without a meaning.
const FLOOR: Duration = Duration::from_millis(25);

/// Of ordinary webhooks on connections of their own, one after the other: the 99th percentile.
async fn p99(server: &Server) -> Duration {
    let mut times = Vec::with_capacity(SAMPLES);
    for _ in 0..SAMPLES {
        let began = Instant::now();
        let answer = server.ask(post("/webhooks/open", APPROVED)).await;
        times.push(began.elapsed());
        assert_eq!(answer.status, 200);
    }
    times.sort();
    times[SAMPLES * 99 / 100]
}

/// One byte of a request a second, for ever: every other caller in the head, every other in the body. Connects anew when
/// it is thrown out.
async fn slowly(server: std::net::SocketAddr, number: usize) {
    let opening = if number.is_multiple_of(2) {
        String::new()
    } else {
        head("POST", "/webhooks/open", "content-length: 100000\r\n")
    };
    loop {
        let Ok(mut stream) = TcpStream::connect(server).await else { continue };
        let mut alive = stream.write_all(opening.as_bytes()).await.is_ok();
        let mut bytes =
            b"POST /webhooks/open HTTP/1.1\r\nhost: relay.example\r\nx: ".iter().chain(std::iter::repeat(&b'x'));
        while alive {
            let byte = bytes.next().copied().unwrap_or_default();
            alive = stream.write_all(&[byte]).await.is_ok();
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }
}

/// A body of 1 GiB in chunks, which begins again whenever it is refused. Counts what could be written.
async fn endlessly(server: std::net::SocketAddr, written: Arc<AtomicU64>, refusals: Arc<AtomicU64>) {
    let chunk = [format!("{:x}\r\n", 64 * 1024).as_bytes(), &vec![b' '; 64 * 1024], b"\r\n"].concat();
    loop {
        let Ok(mut stream) = TcpStream::connect(server).await else { continue };
        let opening = head("POST", "/webhooks/open", "transfer-encoding: chunked\r\n");
        let mut sent = stream.write_all(opening.as_bytes()).await;
        for _ in 0..(1 << 30) / (64 * 1024) {
            if sent.is_err() {
                break;
            }
            sent = stream.write_all(&chunk).await;
            written.fetch_add(64 * 1024, Ordering::Relaxed);
        }
        let mut answer = [0; 12];
        if stream.read_exact(&mut answer).await.is_ok() && answer.ends_with(b"413") {
            refusals.fetch_add(1, Ordering::Relaxed);
        }
        // The one who writes shares the machine with the one who is measured.
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_hundred_slow_callers_and_an_endless_body_slow_nobody_down() {
    let limits = ServerLimits { header_timeout: Duration::from_secs(5), ..ServerLimits::default() };
    let server = Server::with(DoorLimits::default(), limits).await;
    let idle = p99(&server).await;

    let mut callers = JoinSet::new();
    for number in 0..SLOW {
        callers.spawn(slowly(server.address, number));
    }
    let (written, refusals) = <(Arc<AtomicU64>, Arc<AtomicU64>)>::default();
    callers.spawn(endlessly(server.address, Arc::clone(&written), Arc::clone(&refusals)));
    while server.gauge("argos_relay_webhooks_in_flight", "open") < SLOW as i64 / 2
        || refusals.load(Ordering::Relaxed) < 3
    {
        tokio::task::yield_now().await;
    }
    let busy = p99(&server).await;
    let (mebibytes, refused) = (written.load(Ordering::Relaxed) >> 20, refusals.load(Ordering::Relaxed));
    println!("p99: {idle:?} idle, {busy:?} beside {SLOW} slow callers and {mebibytes} MiB of {refused} endless bodies");
    assert!(busy <= (3 * idle).max(FLOOR), "p99 {idle:?} -> {busy:?}");
    // Refused while it is read: of each, little more is written than the limit and what the kernel keeps on the way.
    assert!(mebibytes <= 16 * (refused + 1), "{mebibytes} MiB were read of {refused} bodies");
    assert_eq!(server.count("open", "busy"), 0);
}
