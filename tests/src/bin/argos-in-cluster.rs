//! ARGOS in a pod, for `make k8s`: answers GETs over TLS, sends webhooks through the Service, reads along, and judges.
//!
//! Owns: its certificate, the load, and the order of what it is told to do. The world and the sending are the simulator's,
//! what is wrong is `tests::judge`'s. Must not know: Kubernetes, or what is done to the service meanwhile.
//!
//! Path: prints its certificate authority -> `play` (with the address for webhooks): lives until `stop` -> webhooks settle,
//! and what is published comes to agree with what is true -> `judge`: the topics are read once more, and the process ends, 0
//! if nothing is wrong. Each is told by `argos-in-cluster tell WORD [TEXT]` in the same container. Each second, and at the
//! end of each phase, a line of JSON says where it stands.
#![expect(clippy::expect_used, reason = "a program of the tests fails by panicking")]

use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::json;
use simulator::{Faults, Mix, Pace, Scenario, Simulator, WebhookFaults};
use std::future::Future;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tests::live::Live;
use tests::service::Setup;
use tests::{PROJECT, TOKEN, check, judge, secure, simulator, verdict};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

const PORT: u16 = 9443;

/// For what is published to agree with what is true, on a machine that is busy with a whole cluster.
const PATIENCE: Duration = Duration::from_mins(5);

fn variable(name: &str) -> String {
    let value = std::env::var_os(name).and_then(|value| value.into_string().ok());
    value.unwrap_or_else(|| panic!("the variable {name} is needed"))
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [tell, word, text @ ..] = &arguments[..] {
        assert_eq!(tell, "tell", "the only thing that can be asked for");
        tell_word(word, &text.join(" "));
        return ExitCode::SUCCESS;
    }
    let sim = simulator(variable("SEED").parse().expect("SEED is a number")).await;
    let (authority, acceptor) = identity(&variable("NAME"));
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, PORT)).await.expect("the port is free");
    tokio::spawn(answer(listener, acceptor, port_of(sim.base_url())));
    println!("{}", json!({ "phase": "waiting", "authority": authority }));
    let target = told("play").await;

    let setup = Setup { prefix: String::new(), ..Setup::new(&variable("KAFKA"), "", sim.base_url()) };
    let partitions = variable("PARTITIONS").parse().expect("PARTITIONS is a number");
    sim.set_targets(PROJECT, vec![target], Some(TOKEN.to_owned()));
    let live = Live::start(&setup.bootstrap, check::TOPICS[0], check::TOPICS[1], partitions);
    let scene = Scene { sim, setup, live };
    if scene.play().await.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

struct Scene {
    sim: Simulator,
    setup: Setup,
    live: Live,
}

impl Scene {
    /// All phases; what is wrong in the end.
    async fn play(&self) -> Vec<String> {
        let scenario = load(variable("RATE").parse().expect("RATE is a number"));
        self.during("playing", async {
            tokio::select! {
                ended = scenario.run(&self.sim) => panic!("the load ended by itself: {:?}", ended.map(|_| ())),
                _ = told("stop") => {}
            }
        })
        .await;
        self.during("settling", self.sim.settled()).await;
        let began = Instant::now();
        let differences = self.during("settling", self.agreed()).await;
        if !differences.is_empty() {
            self.print("disagrees", &differences);
            return differences;
        }
        self.print("agrees", &[format!("{:.1} s after the load", began.elapsed().as_secs_f64())]);
        self.during("agrees", told("judge")).await;
        let posts = self.sim.take_records();
        let mut found = verdict::at_rest(&self.setup, &self.sim, &self.live, &posts).await;
        found.wrong.extend(judge::undelivered(&posts));
        check::private(&self.setup, &[]).await;
        self.print("judged", &found.wrong);
        found.wrong
    }

    /// Does something, and says each second where all stands.
    async fn during<T>(&self, phase: &str, work: impl Future<Output = T>) -> T {
        let mut work = std::pin::pin!(work);
        let mut second = tokio::time::interval(Duration::from_secs(1));
        loop {
            tokio::select! {
                done = &mut work => return done,
                _ = second.tick() => self.print(phase, &[]),
            }
        }
    }

    fn print(&self, phase: &str, notes: &[String]) {
        let sent = self.sim.sent();
        let (events, states, wrong) = self
            .live
            .with(|seen| (seen.events.values().map(Vec::len).sum::<usize>(), seen.states.len(), seen.wrong.len()));
        let line = json!({
            "phase": phase,
            "webhooks": sent.webhooks,
            "posts": sent.posts,
            "accepted": sent.accepted,
            "refused": sent.refused,
            "unanswered": sent.failed,
            "resends": sent.resends,
            "without_retry_after": sent.bad_refusals,
            "latency_us": sent.latency_us,
            "gets": self.sim.counts().requests,
            "events": events,
            "states": states,
            "wrong_so_far": wrong,
            "notes": notes.iter().take(20).collect::<Vec<_>>(),
            "notes_in_all": notes.len(),
        });
        println!("{line}");
    }

    /// Waits until the states, as the live consumer sees them, agree with the world; what does not in time.
    async fn agreed(&self) -> Vec<String> {
        let until = Instant::now() + PATIENCE;
        loop {
            let world = self.sim.world();
            let differences = self.live.with(|seen| argos_relay::oracle::differences(world, &seen.states));
            if differences.is_empty() || Instant::now() > until {
                return differences;
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }
}

/// Lives that begin until told to stop, at such a pace that this many webhooks come of them each second. A webhook that is not
/// taken in is sent again, as a gateway in front would.
fn load(webhooks_per_second: f64) -> Scenario {
    let scenario = Scenario {
        submissions: usize::MAX,
        alive: 2_000,
        pace: Pace { min_ms: 100, max_ms: 2_000 },
        mix: Mix { abandoned: 1, ..Mix::default() },
        faults: Some(Faults { latency_ms: 10, jitter_ms: 40, error_rate: 0.01, stale_rate: 0.02, ..Faults::default() }),
        webhooks: WebhookFaults {
            repeat_rate: 0.1,
            delay_ms: 200,
            reorder_rate: 0.1,
            concurrency: 512,
            resend: true,
            resend_max: 30,
            ..WebhookFaults::default()
        },
        ..Scenario::default()
    };
    let sample = 1_000;
    let told: usize =
        (0..sample).map(|number| scenario.life(number).steps.iter().filter(|step| step.tell.is_some()).count()).sum();
    Scenario { starts_per_second: webhooks_per_second * f64::from(sample as u32) / told as f64, ..scenario }
}

/// An authority, in PEM, and what answers under this name with a certificate of it.
fn identity(name: &str) -> (String, TlsAcceptor) {
    let authority = secure::authority("ARGOS in a pod");
    let key = KeyPair::generate().expect("a key");
    let wanted = CertificateParams::new([name.to_owned()]).expect("a name");
    let certificate = wanted.signed_by(&key, &authority).expect("a certificate");
    let (chain, key) = (vec![CertificateDer::from(certificate)], PrivateKeyDer::try_from(key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions of TLS")
        .with_no_client_auth()
        .with_single_cert(chain, key.expect("a private key"))
        .expect("they fit");
    (authority.pem(), TlsAcceptor::from(Arc::new(config)))
}

/// Ends TLS in front of the simulator, which speaks plain HTTP.
async fn answer(listener: TcpListener, acceptor: TlsAcceptor, simulator: u16) {
    loop {
        let Ok((client, _)) = listener.accept().await else { continue };
        let acceptor = acceptor.clone();
        tokio::spawn(async move {
            // Whatever breaks off is the caller's to notice.
            if let Ok(mut client) = acceptor.accept(client).await
                && let Ok(mut server) = TcpStream::connect((Ipv4Addr::LOCALHOST, simulator)).await
            {
                tokio::io::copy_bidirectional(&mut client, &mut server).await.ok();
            }
        });
    }
}

/// The port in `http://127.0.0.1:PORT/v3`.
fn port_of(base_url: &str) -> u16 {
    let text = base_url.trim_start_matches("http://127.0.0.1:").trim_end_matches("/v3");
    text.parse().expect("a port")
}

fn word_file(word: &str) -> PathBuf {
    PathBuf::from(variable("WORDS")).join(word)
}

/// Under its name only once all of it is there.
fn tell_word(word: &str, text: &str) {
    let (file, half) = (word_file(word), word_file("half"));
    std::fs::write(&half, text).expect("the word is written");
    std::fs::rename(half, file).expect("the word is told");
}

/// Waits until a word is told; the text that came with it.
async fn told(word: &str) -> String {
    loop {
        if let Ok(text) = std::fs::read_to_string(word_file(word)) {
            return text;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}
