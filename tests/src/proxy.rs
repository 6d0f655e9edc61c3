//! A TCP proxy that misbehaves on demand.
//!
//! Owns the sockets between a client and one address, and what happens to their bytes: late, slow, held back, or never.
//! Knows no protocol. A connection that is held back is as one whose packets are dropped: nothing is lost, and all of
//! it may arrive much later, in order; or the connection is cut first.

use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Which way bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// From the client: requests.
    Up,
    /// To the client: answers.
    Down,
}

/// What happens to the bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Weather {
    /// A new connection is reset at once.
    pub refuse: bool,
    /// Requests are held back.
    pub hold_up: bool,
    /// Answers are held back.
    pub hold_down: bool,
    /// Every piece waits so long.
    pub delay: Duration,
    /// Bytes of each second and way; 0 = as they come.
    pub bytes_per_second: u32,
}

impl Weather {
    fn holds(&self, way: Way) -> bool {
        match way {
            Way::Up => self.hold_up,
            Way::Down => self.hold_down,
        }
    }

    /// How long a piece takes.
    fn pause(&self, bytes: usize) -> Duration {
        let slow = match self.bytes_per_second {
            0 => Duration::ZERO,
            rate => Duration::from_secs_f64(bytes as f64 / f64::from(rate)),
        };
        self.delay + slow
    }
}

/// A running proxy; ends with the runtime.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    weather: watch::Sender<Weather>,
    /// Counts the cuts: a connection ends when it moves.
    cuts: watch::Sender<u64>,
    opened: Arc<AtomicU64>,
}

impl Proxy {
    /// Listens on a free port and leads to `target`, a port on loopback.
    pub async fn start(target: u16) -> io::Result<Proxy> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let port = listener.local_addr()?.port();
        let (weather, cuts) = (watch::Sender::new(Weather::default()), watch::Sender::new(0));
        let opened = Arc::new(AtomicU64::new(0));
        let proxy = Proxy { port, weather: weather.clone(), cuts: cuts.clone(), opened: Arc::clone(&opened) };
        tokio::spawn(async move {
            loop {
                let Ok((client, _)) = listener.accept().await else { continue };
                opened.fetch_add(1, Ordering::Relaxed);
                let (weather, cut) = (weather.subscribe(), cuts.subscribe());
                tokio::spawn(serve(client, target, weather, cut));
            }
        });
        Ok(proxy)
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Changes what happens to bytes, of present connections too.
    pub fn set(&self, weather: Weather) {
        self.weather.send_replace(weather);
    }

    /// Resets every connection.
    pub fn cut(&self) {
        self.cuts.send_modify(|cuts| *cuts += 1);
    }

    /// Connections that were ever opened.
    pub fn opened(&self) -> u64 {
        self.opened.load(Ordering::Relaxed)
    }
}

async fn serve(client: TcpStream, target: u16, weather: watch::Receiver<Weather>, mut cut: watch::Receiver<u64>) {
    // Whatever ends it early ends it with a reset on both sides, not with an orderly end of the stream.
    if client.set_zero_linger().is_err() || weather.borrow().refuse {
        return;
    }
    let Ok(server) = TcpStream::connect((Ipv4Addr::LOCALHOST, target)).await else { return };
    let quick = client.set_nodelay(true).and(server.set_nodelay(true)).and(server.set_zero_linger());
    if quick.is_err() {
        return;
    }
    let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
    let up = pump(from_client, to_server, Way::Up, weather.clone());
    let down = pump(from_server, to_client, Way::Down, weather);
    tokio::select! {
        _ = cut.changed() => {}
        // An error on one way ends both.
        ended = async { tokio::try_join!(up, down) } => drop(ended),
    }
}

async fn pump(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    way: Way,
    mut weather: watch::Receiver<Weather>,
) -> io::Result<()> {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let count = from.read(&mut buffer).await?;
        weather.wait_for(|weather| !weather.holds(way)).await.map_err(io::Error::other)?;
        let pause = weather.borrow().pause(count);
        if !pause.is_zero() {
            tokio::time::sleep(pause).await;
        }
        if count == 0 {
            return to.shutdown().await;
        }
        to.write_all(&buffer[..count]).await?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sends back whatever comes.
    async fn echo() -> u16 {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let (mut read, mut write) = stream.split();
                    tokio::io::copy(&mut read, &mut write).await.ok();
                });
            }
        });
        port
    }

    async fn open(proxy: &Proxy) -> TcpStream {
        TcpStream::connect((Ipv4Addr::LOCALHOST, proxy.port())).await.unwrap()
    }

    async fn told(stream: &mut TcpStream) -> io::Result<String> {
        let mut answer = [0; 5];
        stream.read_exact(&mut answer).await?;
        Ok(String::from_utf8_lossy(&answer).into_owned())
    }

    #[tokio::test]
    async fn bytes_pass_and_an_end_is_handed_on() {
        let proxy = Proxy::start(echo().await).await.unwrap();
        let mut stream = open(&proxy).await;
        stream.write_all(b"hello").await.unwrap();
        assert_eq!(told(&mut stream).await.unwrap(), "hello");
        stream.shutdown().await.unwrap();
        assert_eq!(stream.read(&mut [0; 8]).await.unwrap(), 0);
        assert_eq!(proxy.opened(), 1);
    }

    #[tokio::test]
    async fn what_is_held_arrives_later_and_not_before() {
        for (hold_up, hold_down) in [(true, false), (false, true)] {
            let proxy = Proxy::start(echo().await).await.unwrap();
            let mut stream = open(&proxy).await;
            proxy.set(Weather { hold_up, hold_down, ..Weather::default() });
            stream.write_all(b"hello").await.unwrap();
            let early = tokio::time::timeout(Duration::from_millis(50), told(&mut stream)).await;
            assert!(early.is_err(), "{early:?}");
            proxy.set(Weather::default());
            assert_eq!(told(&mut stream).await.unwrap(), "hello");
        }
    }

    #[tokio::test]
    async fn a_cut_ends_what_is_open_and_nothing_later() {
        let proxy = Proxy::start(echo().await).await.unwrap();
        let mut stream = open(&proxy).await;
        stream.write_all(b"hello").await.unwrap();
        told(&mut stream).await.unwrap();
        proxy.set(Weather { hold_up: true, ..Weather::default() });
        proxy.cut();
        assert!(told(&mut stream).await.is_err());
        proxy.set(Weather { refuse: true, ..Weather::default() });
        assert!(told(&mut open(&proxy).await).await.is_err());
        proxy.set(Weather::default());
        let mut stream = open(&proxy).await;
        stream.write_all(b"again").await.unwrap();
        assert_eq!(told(&mut stream).await.unwrap(), "again");
    }

    #[test]
    fn a_piece_takes_its_delay_and_its_share_of_the_rate() {
        let weather = Weather { delay: Duration::from_millis(20), bytes_per_second: 1000, ..Weather::default() };
        assert_eq!(weather.pause(500), Duration::from_millis(520));
        assert_eq!(Weather::default().pause(500), Duration::ZERO);
    }
}
