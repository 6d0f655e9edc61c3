//! Real processes of the service: started, killed, stopped, and asked how they are.

use crate::{API_KEY, PROJECT, TOKEN, free_port};
use std::fmt::Write as _;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// What a test sets of the configuration.
#[derive(Clone, Debug)]
pub struct Setup {
    /// `host:port`.
    pub bootstrap: String,
    /// Before every topic name and as group: tests do not meet.
    pub prefix: String,
    /// Where the simulated ARGOS is.
    pub base_url: String,
    /// Partitions of every topic.
    pub partitions: u32,
    /// Replicas of every partition.
    pub replication: u32,
    /// Ages of the re-looks, as TOML.
    pub relooks: String,
    /// Pauses between looks at what is pending, as TOML.
    pub pending: String,
    /// What a submission gets that is older than the service: `events` or `snapshots`.
    pub baseline: &'static str,
    /// The budget's rate.
    pub requests_per_second: u32,
    /// How the API key is given, as TOML.
    pub api_key: String,
    /// How the path tokens are given, as TOML.
    pub tokens: String,
    /// More lines for `[[projects]]`.
    pub project: String,
    /// More lines for `[kafka]`, its properties for instance.
    pub kafka: String,
    /// Where the service comes to the broker, if not at `bootstrap`.
    pub broker: Option<String>,
    /// More lines for `[admin]`.
    pub admin: String,
    /// More lines at the end of the file.
    pub more: String,
    /// What goes over the file: `PROJECTS__0__DELETIONS__MAX_PER_HOUR` and its value.
    pub over: Vec<(&'static str, String)>,
}

impl Setup {
    /// Four partitions, a short ladder, events from the start.
    pub fn new(bootstrap: &str, prefix: &str, base_url: &str) -> Setup {
        Setup {
            bootstrap: bootstrap.to_owned(),
            prefix: format!("{prefix}-{}.", fastrand::u32(..)),
            base_url: base_url.to_owned(),
            partitions: 4,
            replication: 1,
            relooks: r#"["5s", "10s"]"#.to_owned(),
            pending: r#"{ first = "2s", cap = "4s" }"#.to_owned(),
            baseline: "events",
            requests_per_second: 2000,
            api_key: format!("api_key = {API_KEY:?}"),
            tokens: format!("path_tokens = [{TOKEN:?}]"),
            project: String::new(),
            kafka: String::new(),
            broker: None,
            admin: String::new(),
            more: String::new(),
            over: Vec::new(),
        }
    }

    fn file(&self, instance: &str, ingest: u16, admin: u16) -> String {
        let mut text = String::new();
        write!(
            text,
            r#"
            reread_secrets = "200ms"
            [log]
            format = "json"
            filter = "info"
            [kafka]
            bootstrap_servers = "{bootstrap}"
            group_id = "{prefix}relay"
            topic_prefix = "{prefix}"
            instance_id = "{instance}"
            partitions = {partitions}
            replication_factor = {replication}
            session_timeout = "3s"
            heartbeat_interval = "500ms"
            transaction_timeout = "10s"
            {kafka}
            [ingest]
            listen = "127.0.0.1:{ingest}"
            [admin]
            listen = "127.0.0.1:{admin}"
            {admin_more}
            [personal_data]
            digest_key = "0123456789abcdef0123456789abcdef"
            {more}
            [[projects]]
            id = "{PROJECT}"
            base_url = "{base_url}"
            {api_key}
            requests_per_second = {requests_per_second}
            baseline = "{baseline}"
            webhook = {{ {tokens} }}
            rechecks = {{ ladder = ["200ms", "500ms", "1s", "3s"], pending = {pending} }}
            relooks = {{ decided = {relooks} }}
            deletions = {{ confirm_after = "1s" }}
            {project}
            "#,
            bootstrap = self.broker.as_ref().unwrap_or(&self.bootstrap),
            kafka = self.kafka,
            prefix = self.prefix,
            partitions = self.partitions,
            replication = self.replication,
            pending = self.pending,
            base_url = self.base_url,
            relooks = self.relooks,
            baseline = self.baseline,
            requests_per_second = self.requests_per_second,
            api_key = self.api_key,
            tokens = self.tokens,
            project = self.project,
            admin_more = self.admin,
            more = self.more,
        )
        .unwrap();
        text
    }
}

/// The binary, built with the tests.
pub fn binary() -> PathBuf {
    let own = std::env::current_exe().expect("the test has a path");
    // Tests are in target/PROFILE/deps, programs one above.
    let folder = own.parent().expect("a folder");
    let folder = if folder.ends_with("deps") { folder.parent().expect("its parent") } else { folder };
    let binary = folder.join("argos-relay");
    assert!(binary.exists(), "{} is not built: cargo build --workspace --all-targets", binary.display());
    binary
}

/// One replica: its files, its ports, and its process while it runs.
#[derive(Debug)]
pub struct Replica {
    dir: TempDir,
    /// The build that runs.
    build: PathBuf,
    ingest: u16,
    admin: u16,
    over: Vec<(String, String)>,
    child: Option<Child>,
    starts: u32,
}

impl Replica {
    /// Not running yet.
    pub fn new(setup: &Setup, instance: &str) -> Replica {
        let (ingest, admin) = (free_port(), free_port());
        let dir = TempDir::new().expect("a folder");
        std::fs::write(dir.path().join("relay.toml"), setup.file(instance, ingest, admin)).expect("the configuration");
        let over = setup.over.iter().map(|(key, value)| (format!("ARGOS_RELAY__{key}"), value.clone())).collect();
        Replica { dir, build: binary(), ingest, admin, over, child: None, starts: 0 }
    }

    /// From its next start on it runs this build.
    pub fn set_build(&mut self, build: &Path) {
        build.clone_into(&mut self.build);
    }

    /// Runs `argos-relay ARGUMENTS --config FILE` to its end.
    pub fn command(&self, arguments: &[&str]) -> std::process::Output {
        self.prepared(arguments).output().expect("the binary runs")
    }

    /// `argos-relay ARGUMENTS --config FILE`, not started yet.
    pub fn prepared(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.build);
        command.args(arguments).arg("--config").arg(self.config()).envs(self.over.iter().cloned());
        command
    }

    /// Creates the topics.
    pub fn apply_topics(&self) {
        let output = self.command(&["topics", "apply"]);
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "topics apply: {}{text}", String::from_utf8_lossy(&output.stdout));
    }

    /// Starts the process.
    pub fn start(&mut self) {
        self.start_as("all");
    }

    /// Starts the process in one role.
    pub fn start_as(&mut self, role: &str) {
        self.starts += 1;
        let log = File::create(self.dir.path().join(format!("log-{}.json", self.starts))).expect("a log");
        let child = self
            .prepared(&["serve", "--role", role])
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("the log twice"))
            .stderr(log)
            .spawn()
            .expect("the binary starts");
        self.child = Some(child);
    }

    /// Starts it and waits until it can take webhooks and has read its ledger.
    pub async fn start_ready(&mut self) {
        self.start();
        self.ready(Duration::from_mins(1)).await;
    }

    /// Waits for `/readyz`.
    pub async fn ready(&mut self, within: Duration) {
        self.probe("readyz", within).await;
    }

    /// Waits for `/livez`.
    pub async fn live(&mut self, within: Duration) {
        self.probe("livez", within).await;
    }

    async fn probe(&mut self, path: &str, within: Duration) {
        let until = Instant::now() + within;
        let mut last = String::new();
        while Instant::now() < until && self.is_running() {
            match http_get(&format!("http://127.0.0.1:{}/{path}", self.admin)).await {
                Some((200, _)) => return,
                Some((_, body)) => last = body,
                None => {}
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("no 200 from /{path} within {within:?}: {last}\n{}", self.logs());
    }

    /// SIGKILL, and the process is gone.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("it can be killed");
            child.wait().expect("it ends");
        }
    }

    /// SIGTERM; the exit code.
    pub async fn terminate(&mut self) -> Option<i32> {
        self.signal("TERM");
        let mut child = self.child.take()?;
        tokio::task::spawn_blocking(move || child.wait()).await.expect("waited").expect("it ends").code()
    }

    /// Sends a signal, by its name without SIG, if it was started.
    pub fn signal(&self, name: &str) {
        if let Some(child) = &self.child {
            send_signal(child.id(), name);
        }
    }

    /// How it ended, if it did by itself.
    pub fn ended(&mut self) -> Option<std::process::ExitStatus> {
        self.child.as_mut()?.try_wait().expect("it can be asked")
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        self.child.as_mut().is_some_and(|child| child.try_wait().expect("it can be asked").is_none())
    }

    /// Where webhooks go.
    pub fn target(&self) -> String {
        format!("http://127.0.0.1:{}", self.ingest)
    }

    /// Where operators ask.
    pub fn admin_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.admin)
    }

    /// What `/metrics` says.
    pub async fn metrics(&self) -> String {
        http_get(&format!("http://127.0.0.1:{}/metrics", self.admin)).await.map_or_else(String::new, |(_, body)| body)
    }

    /// One metric, summed over its labels.
    pub async fn metric(&self, name: &str) -> f64 {
        self.metric_of(name, "").await
    }

    /// One metric, summed over the series whose labels contain a text such as `cause="sweep"`.
    pub async fn metric_of(&self, name: &str, labels: &str) -> f64 {
        let text = self.metrics().await;
        let is_named =
            |line: &&str| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(' ') || rest.starts_with('{'));
        let lines = text.lines().filter(is_named).filter(|line| line.contains(labels));
        lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
    }

    /// The process's id.
    pub fn pid(&self) -> u32 {
        self.child.as_ref().expect("it runs").id()
    }

    /// Resident memory, bytes.
    pub fn memory(&self) -> u64 {
        let pid = self.child.as_ref().expect("it runs").id();
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("its status");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("its memory");
        line.trim().trim_end_matches(" kB").trim().parse::<u64>().expect("a number") * 1024
    }

    /// Processor time of the whole process so far, in user and kernel mode.
    pub fn cpu(&self) -> Duration {
        // Linux's USER_HZ, in which it is told to everyone, whatever the kernel's own clock.
        const TICKS_PER_SECOND: u64 = 100;
        let pid = self.child.as_ref().expect("it runs").id();
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("its times");
        // The name may hold anything; the last parenthesis ends it, and the state follows.
        let (_, fields) = stat.rsplit_once(')').expect("a name");
        let ticks: u64 =
            fields.split_whitespace().skip(11).take(2).map(|ticks| ticks.parse::<u64>().expect("ticks")).sum();
        Duration::from_millis(ticks * 1000 / TICKS_PER_SECOND)
    }

    /// Everything it logged.
    pub fn logs(&self) -> String {
        (1..=self.starts)
            .filter_map(|start| std::fs::read_to_string(self.dir.path().join(format!("log-{start}.json"))).ok())
            .collect()
    }

    fn config(&self) -> PathBuf {
        Path::new(self.dir.path()).join("relay.toml")
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            let logs = self.logs();
            let tail: Vec<&str> = logs.lines().rev().take(40).collect();
            eprintln!("---- the last lines of a replica's log ----");
            tail.iter().rev().for_each(|line| eprintln!("{line}"));
        }
    }
}

/// Sends a signal, by its name without SIG, to a process that was started here.
pub fn send_signal(pid: u32, name: &str) {
    let status = Command::new("kill").args(["-s", name, &pid.to_string()]).status().expect("kill runs");
    assert!(status.success(), "kill -s {name} {pid}: {status}");
}

/// Status and body of a plain GET on loopback.
pub async fn http_get(url: &str) -> Option<(u16, String)> {
    let (status, answer) = http(url, "GET", "", "").await?;
    Some((status, answer.split_once("\r\n\r\n")?.1.to_owned()))
}

/// Status and whole answer of a POST on loopback; `headers` are lines of their own.
pub async fn http_post(url: &str, headers: &str, body: &str) -> Option<(u16, String)> {
    http(url, "POST", &format!("content-length: {}\r\n{headers}", body.len()), body).await
}

/// Status and whole answer of any request on loopback; `headers` are lines of their own.
pub async fn http_with(method: &str, url: &str, headers: &str, body: &str) -> Option<(u16, String)> {
    http(url, method, &format!("content-length: {}\r\n{headers}", body.len()), body).await
}

async fn http(url: &str, method: &str, headers: &str, body: &str) -> Option<(u16, String)> {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let (host, path) = url.strip_prefix("http://")?.split_once('/')?;
    let mut stream = tokio::net::TcpStream::connect(host).await.ok()?;
    let request = format!("{method} /{path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n{headers}\r\n{body}");
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.ok()?;
    let status = answer.split(' ').nth(1)?.parse().ok()?;
    Some((status, answer))
}
