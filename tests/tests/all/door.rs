//! The front door and the secrets of a running service: exchanged under load, spoilt, and an end in mid-load.

use simulator::{Rate, Scenario};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::{Duration, Instant};
use tests::service::{Replica, Setup};
use tests::{API_KEY, PROJECT, TOKEN, broker, check, simulator};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

const NEW_KEY: &str = "EKAFekafEKAFekafEKAFekafEKAFekaf76543210";
const NEW_TOKEN: &str = "path-token-of-the-tests-0002";
const PATIENCE: Duration = Duration::from_secs(20);

/// Replaces the files of a folder as Kubernetes does: a new folder, and a symbolic link swapped in one step.
fn swap(root: &Path, version: &str, files: &[(&str, &str)]) {
    std::fs::create_dir(root.join(version)).expect("a version");
    for (name, content) in files {
        std::fs::write(root.join(version).join(name), content).expect("a secret");
        if !root.join(name).exists() {
            symlink(Path::new("..data").join(name), root.join(name)).expect("a link");
        }
    }
    symlink(version, root.join("..data_tmp")).expect("a link");
    std::fs::rename(root.join("..data_tmp"), root.join("..data")).expect("the swap");
}

/// Status and head of the answer to one small webhook; `None` = no connection.
async fn post(stream: &mut TcpStream, token: &str) -> Option<(u16, String)> {
    let body = r#"{"webhook_trigger":"created","submission_id":"nobody-knows-me"}"#;
    let length = body.len();
    let request =
        format!("POST /webhooks/{PROJECT}/{token} HTTP/1.1\r\nhost: relay\r\ncontent-length: {length}\r\n\r\n{body}");
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut answer = Vec::new();
    while !answer.ends_with(b"}") {
        if stream.read_buf(&mut answer).await.ok()? == 0 {
            return None;
        }
    }
    let answer = String::from_utf8(answer).expect("text");
    Some((answer[9..12].parse().expect("a status"), answer.to_lowercase()))
}

async fn status(replica: &Replica, token: &str) -> u16 {
    let mut stream = TcpStream::connect(replica.target().trim_start_matches("http://")).await.expect("it listens");
    post(&mut stream, token).await.expect("an answer").0
}

/// Waits until a token is answered with a status.
async fn becomes(replica: &Replica, token: &str, expected: u16) {
    let until = Instant::now() + PATIENCE;
    while status(replica, token).await != expected {
        assert!(Instant::now() < until, "not {expected}\n{}", replica.logs());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Old and new key are in flight at the same time, and ARGOS takes now the one, now the other: nothing is lost, the
/// breaker hears of nothing, and ARGOS sees a handful of refused requests and not one for each look.
#[tokio::test(flavor = "multi_thread")]
async fn secrets_are_exchanged_under_load_and_nothing_is_lost() {
    let Some(bootstrap) = broker::bootstrap() else { return };
    let folder = tempfile::TempDir::new().expect("a folder");
    let root = folder.path();
    swap(root, "1", &[("key", API_KEY), ("tokens", TOKEN)]);
    let sim = simulator(41).await;
    let mut setup = Setup::new(&bootstrap, "secrets", sim.base_url());
    setup.api_key = format!("api_key_file = {:?}", root.join("key"));
    setup.tokens = format!("path_tokens_file = {:?}", root.join("tokens"));
    let mut replica = Replica::new(&setup, "relay-0");
    replica.apply_topics();
    replica.start_ready().await;
    sim.set_targets(PROJECT, vec![replica.target()], Some(TOKEN.to_owned()));

    let world = sim.clone();
    let load = tokio::spawn(async move {
        let rate = Some(Rate { per_second: 50.0, seconds: 10.0, pool: 0 });
        Scenario { seed: 41, rate, ..Scenario::default() }.run(&world).await
    });
    let pause = || tokio::time::sleep(Duration::from_secs(2));
    pause().await;
    // Told to us first; ARGOS does not know the new one yet.
    let both = (format!("{NEW_KEY}\n{API_KEY}\n"), format!("{TOKEN}\n{NEW_TOKEN}\n"));
    swap(root, "2", &[("key", &both.0), ("tokens", &both.1)]);
    becomes(&replica, NEW_TOKEN, 200).await;
    pause().await;
    // ARGOS takes both for an instant, then only the new one.
    sim.set_api_keys(PROJECT, &[API_KEY, NEW_KEY]);
    sim.set_targets(PROJECT, vec![replica.target()], Some(NEW_TOKEN.to_owned()));
    tokio::time::sleep(Duration::from_millis(500)).await;
    sim.set_api_keys(PROJECT, &[NEW_KEY]);
    pause().await;
    swap(root, "3", &[("key", NEW_KEY), ("tokens", NEW_TOKEN)]);
    becomes(&replica, TOKEN, 401).await;
    load.await.expect("it ran").expect("it ended");

    check::converged(&setup, &sim, Duration::from_mins(1)).await;
    check::safe(&setup, &sim).await;
    let refused = sim.counts().wrong_key;
    println!("{refused} requests with a key that ARGOS did not take, of {}", sim.counts().requests);
    assert!((1..=130).contains(&refused), "at most those in flight at each of two moments: {refused}");
    assert!(sim.sent().refused.is_empty() && sim.sent().failed == 0, "{:?}", sim.sent());
    let denied = replica.metric_of("argos_relay_truth_requests_total", r#"outcome="denied""#).await;
    assert!(denied < 1.0, "the second key was asked before a refusal was told: {denied}");
    assert!(replica.metric("argos_relay_secret_exchanges_total").await >= 4.0);

    spoilt_files_change_nothing(&replica, root).await;
    let shown = format!("{}{}", replica.logs(), replica.metrics().await);
    for secret in [API_KEY, NEW_KEY, TOKEN, NEW_TOKEN] {
        assert!(!shown.contains(secret), "a secret is shown");
    }
}

/// Empty and missing files: counted, told, and the old secrets hold.
async fn spoilt_files_change_nothing(replica: &Replica, root: &Path) {
    swap(root, "4", &[("key", "\n"), ("tokens", "# none\n")]);
    let until = Instant::now() + PATIENCE;
    while replica.metric("argos_relay_secret_failures_total").await < 2.0 {
        assert!(Instant::now() < until, "{}", replica.logs());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(status(replica, NEW_TOKEN).await, 200);
    assert_eq!(status(replica, TOKEN).await, 401);
    assert!(replica.logs().contains("a secret file is of no use; the old content stays in use"));
    assert!(replica.metric("argos_relay_secret_age_seconds").await > 0.0);
}

/// SIGTERM while 40 callers send as fast as they are answered: each request is answered, or no connection was given.
#[tokio::test(flavor = "multi_thread")]
async fn told_to_stop_in_mid_load_it_leaves_nobody_without_an_answer() {
    let Some(bootstrap) = broker::bootstrap() else { return };
    let sim = simulator(42).await;
    let setup = Setup::new(&bootstrap, "sigterm", sim.base_url());
    let mut replica = Replica::new(&setup, "relay-0");
    replica.apply_topics();
    replica.start_ready().await;
    let address = replica.target().trim_start_matches("http://").to_owned();
    let mut callers = JoinSet::new();
    for number in 0..40 {
        let address = address.clone();
        callers.spawn(async move {
            let (mut taken, mut told_later) = (0_u32, 0_u32);
            let mut kept: Option<TcpStream> = None;
            loop {
                let mut stream = match kept.take() {
                    Some(stream) => stream,
                    None => match TcpStream::connect(&address).await {
                        Ok(stream) => stream,
                        Err(error) => {
                            assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused);
                            return (taken, told_later);
                        }
                    },
                };
                let (status, head) = post(&mut stream, TOKEN).await.expect("an answer to each request");
                match status {
                    200 => taken += 1,
                    503 => told_later += 1,
                    other => panic!("{other}: {head}"),
                }
                kept = (number % 2 == 0 && !head.contains("connection: close")).then_some(stream);
            }
        });
    }
    let until = Instant::now() + PATIENCE;
    while replica.metric("argos_relay_webhooks_total").await < 2000.0 {
        assert!(Instant::now() < until, "{}", replica.metrics().await);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(replica.terminate().await, Some(0), "{}", replica.logs());
    let outcomes = callers.join_all().await;
    let (taken, told_later) = outcomes.iter().fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    println!("{taken} taken, {told_later} told to come again, then refused connections");
    assert!(outcomes.iter().all(|(taken, _)| *taken > 0));
}
