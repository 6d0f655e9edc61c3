//! What a full walk over a list that did not change costs: rows a second, and processor time for each row, beside that
//! of only downloading and tokenising the same pages. Fails if one submission was asked for. `make bench` runs it.
//!
//! The simulated ARGOS answers from this process, the service is one of its own: so its processor time is its alone. The
//! figure holds all that the service does meanwhile (client, decoder, comparison, one transaction for each page); what
//! it needs when idle, measured before, is taken off. `ROWS` sets the length of the list.
#![expect(clippy::expect_used, reason = "a benchmark fails by panicking")]

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use simulator::{Change, Counts, Simulator, Traits};
use std::fmt;
use std::time::{Duration, Instant};
use tests::service::{Replica, Setup};
use tests::{API_KEY, PROJECT, broker, simulator};

const PAGE: usize = 500;
/// Short enough that the next one comes soon, and long enough that the last one is over.
const SWEEPS: &str = r#"
    requests_per_day = 10000000
    list = { page_size = 500 }
    sweeps = { recent = { every = "300d", created_within = "366d" }, month = { every = "300d", created_within = "366d" }, full = { every = "40s" }, lag = "10ms", first_walk_share = 1.0 }
"#;
const QUIET: Duration = Duration::from_secs(3);
const PATIENCE: Duration = Duration::from_mins(15);

#[tokio::main]
async fn main() {
    let Some(bootstrap) = broker::bootstrap() else { return };
    let rows = std::env::var_os("ROWS")
        .map_or(100_000, |rows| rows.to_str().and_then(|rows| rows.parse().ok()).expect("ROWS is a number"));
    let sim = simulator(61).await;
    fill(&sim, rows);
    let mut setup = Setup::new(&bootstrap, "sweep", sim.base_url());
    // Looks at an age would be single GETs of another cause.
    r#"["300d"]"#.clone_into(&mut setup.relooks);
    (setup.baseline, setup.requests_per_second) = ("snapshots", 5000);
    SWEEPS.clone_into(&mut setup.project);
    let mut replica = Replica::new(&setup, "relay-0");
    replica.apply_topics();
    replica.start_ready().await;
    let began = Instant::now();
    let until = began + PATIENCE;
    while replica.metric("argos_relay_ledger_entries").await < rows as f64 {
        assert!(Instant::now() < until, "not all taken in: {:?}\n{}", sim.counts(), replica.logs());
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    println!("{rows} submissions taken in within {:.0?}, {} GETs", began.elapsed(), sim.counts().singles);

    let equal = replica.metric_of("argos_relay_sweep_rows_total", r#"result="equal""#).await;
    let idle = quiet(&replica, &sim, until).await;
    let equal_before = replica.metric_of("argos_relay_sweep_rows_total", r#"result="equal""#).await;
    assert!(equal_before > equal, "the walks that come first are over");
    let walk = walk(&replica, &sim, until, idle).await;
    let equal = replica.metric_of("argos_relay_sweep_rows_total", r#"result="equal""#).await - equal_before;
    // A full page names a next one, even if that is empty.
    assert_eq!(walk.pages, (rows / PAGE + 1) as u64, "one walk, and nothing but it");
    assert!((equal - rows as f64).abs() < 0.5, "{equal} rows were equal");
    assert_eq!(walk.singles, 0, "a single GET for a submission that did not change");

    let base = sim.base_url().to_owned();
    let read = |reading: Reading| {
        let base = base.clone();
        tokio::task::spawn_blocking(move || alone(&base, reading))
    };
    let skipped = read(Reading::Skip).await.expect("it ran");
    let tokenised = read(Reading::Tokenise).await.expect("it ran");
    assert_eq!((skipped.rows, tokenised.rows), (rows, rows), "the same pages");
    let each = |cpu: Duration| cpu.as_secs_f64() * 1e6 / rows as f64;
    println!("a full walk over {rows} unchanged rows of {} bytes, {PAGE} to a page:", tokenised.bytes / rows);
    println!("{:>36} {:>10} {:>12} {:>8}", "", "rows/s", "CPU µs/row", "ratio");
    for (what, took, cpu) in [
        ("download, skip the text", skipped.took, skipped.cpu),
        ("download and tokenise", tokenised.took, tokenised.cpu),
        ("the service", walk.took, walk.cpu),
    ] {
        let (per_second, ratio) = (rows as f64 / took.as_secs_f64(), cpu.as_secs_f64() / tokenised.cpu.as_secs_f64());
        println!("{what:>36} {per_second:>10.0} {:>12.2} {ratio:>8.2}", each(cpu));
    }
    println!("single GETs: 0; the service idle: {:.1} ms of CPU a second", idle * 1000.0);
}

/// Decided, and neither screened nor to be: nothing of its own makes the service look again.
fn fill(sim: &Simulator, rows: usize) {
    let traits = Traits { aml: false, ..Traits::FULL };
    for number in 0..rows {
        let id = sim.world().new_id();
        sim.world().create_with(PROJECT, &id, traits, number).expect("made");
        let change = match number % 3 {
            0 => Change::Reject { codes: &["glare_detected"], by_hand: false },
            _ => Change::Approve { by_hand: false },
        };
        sim.change(PROJECT, &id, &change).expect("decided");
    }
}

/// Waits until nothing was asked for a while. Processor seconds a second in that while.
async fn quiet(replica: &Replica, sim: &Simulator, until: Instant) -> f64 {
    let mut since = (Instant::now(), replica.cpu(), sim.counts());
    while since.0.elapsed() < QUIET {
        assert!(Instant::now() < until, "never quiet: {:?}", sim.counts());
        tokio::time::sleep(Duration::from_millis(20)).await;
        if sim.counts() != since.2 {
            since = (Instant::now(), replica.cpu(), sim.counts());
        }
    }
    replica.cpu().saturating_sub(since.1).as_secs_f64() / since.0.elapsed().as_secs_f64()
}

struct Walk {
    pages: u64,
    singles: u64,
    took: Duration,
    cpu: Duration,
}

/// The next walk, from the silence before it to the silence behind it.
async fn walk(replica: &Replica, sim: &Simulator, until: Instant, idle: f64) -> Walk {
    let first: Counts = sim.counts();
    let mut before = (Instant::now(), replica.cpu());
    while sim.counts() == first {
        assert!(Instant::now() < until, "no walk came");
        before = (Instant::now(), replica.cpu());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let (mut last, mut at) = (first, Instant::now());
    // The last page's commit included.
    while at.elapsed() < Duration::from_secs(1) {
        if sim.counts() != last {
            (last, at) = (sim.counts(), Instant::now());
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let cpu = replica.cpu().saturating_sub(before.1);
    Walk {
        pages: last.lists - first.lists,
        singles: last.singles - first.singles,
        took: at - before.0,
        cpu: cpu.saturating_sub(before.0.elapsed().mul_f64(idle)),
    }
}

#[derive(Clone, Copy)]
enum Reading {
    /// The text is checked for syntax only.
    Skip,
    /// Every name and value is handed out, and counted.
    Tokenise,
}

/// Reading the list with no service around it.
#[derive(Default)]
struct Alone {
    rows: usize,
    bytes: usize,
    took: Duration,
    cpu: Duration,
}

/// Reads all pages on this thread alone, with the service's HTTP client.
fn alone(base: &str, reading: Reading) -> Alone {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let client = client();
    let (began, cpu) = (Instant::now(), thread_cpu());
    let mut read = Alone::default();
    let mut next: Option<Cursor> = None;
    loop {
        let mut url = format!("{base}/submission?count={PAGE}");
        if let Some(Cursor { id, created_at }) = &next {
            url = format!("{url}&nextpage_id={id}&nextpage_date={created_at}");
        }
        let body = runtime.block_on(async {
            let answer = client.get(url).header("x-api-key", API_KEY).send().await.expect("an answer");
            answer.bytes().await.expect("a body")
        });
        read.bytes += body.len();
        let (rows, cursor) = match reading {
            Reading::Skip => page::<IgnoredAny>(&body),
            Reading::Tokenise => page::<Tokens>(&body),
        };
        read.rows += rows;
        next = cursor;
        if next.is_none() {
            break;
        }
    }
    Alone { took: began.elapsed(), cpu: thread_cpu().saturating_sub(cpu), ..read }
}

fn page<'de, T: Deserialize<'de>>(body: &'de [u8]) -> (usize, Option<Cursor>) {
    let page: Page<T> = serde_json::from_slice(body).expect("a page");
    (page.items.len(), page.next)
}

/// As the service's own: plain HTTP needs no roots, and reqwest is built without a provider.
fn client() -> reqwest::Client {
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    reqwest::Client::builder().tls_backend_preconfigured(tls).no_proxy().build().expect("a client")
}

/// Time of this thread on a processor.
fn thread_cpu() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").expect("its times");
    Duration::from_nanos(text.split(' ').next().and_then(|nanos| nanos.parse().ok()).expect("nanoseconds"))
}

#[derive(Deserialize)]
struct Page<T> {
    #[serde(rename = "Items")]
    items: Vec<T>,
    #[serde(rename = "nextpageKey")]
    next: Option<Cursor>,
}

#[derive(Deserialize)]
struct Cursor {
    id: String,
    created_at: String,
}

/// How many tokens a value has; nothing is kept of them.
struct Tokens(u64);

impl<'de> Deserialize<'de> for Tokens {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Tokens, D::Error> {
        input.deserialize_any(Tokens(1))
    }
}

impl<'de> Visitor<'de> for Tokens {
    type Value = Tokens;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("anything")
    }

    fn visit_bool<E>(self, _: bool) -> Result<Tokens, E> {
        Ok(self)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Tokens, E> {
        Ok(self)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Tokens, E> {
        Ok(self)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Tokens, E> {
        Ok(self)
    }

    fn visit_str<E>(self, _: &str) -> Result<Tokens, E> {
        Ok(self)
    }

    fn visit_unit<E>(self) -> Result<Tokens, E> {
        Ok(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut list: A) -> Result<Tokens, A::Error> {
        while let Some(Tokens(count)) = list.next_element()? {
            self.0 += count;
        }
        Ok(self)
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Tokens, A::Error> {
        while let Some((Tokens(name), Tokens(value))) = map.next_entry()? {
            self.0 += name + value;
        }
        Ok(self)
    }
}
