//! Brokers: the shared one, and one of a test's own that it may stop.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// The shared broker, or `None` with a loud word: `make test` always starts one.
pub fn bootstrap() -> Option<String> {
    let found = std::env::var_os("KAFKA_BOOTSTRAP").and_then(|value| value.into_string().ok());
    if found.is_none() {
        eprintln!("not run: KAFKA_BOOTSTRAP is not set (make test starts a broker)");
    }
    found
}

/// A broker of a test's own; ended with the value.
#[derive(Debug)]
pub struct OwnBroker {
    dir: TempDir,
    port: u16,
}

impl OwnBroker {
    /// Starts a node on free ports.
    pub fn start() -> OwnBroker {
        OwnBroker::start_prepared(2, |_, _| {})
    }

    /// Starts a node on the first of so many free ports in a row, once `prepare` has laid into its folder what it is to
    /// find there. The second port is the controller's.
    pub fn start_prepared(ports: u16, prepare: impl FnOnce(&Path, u16)) -> OwnBroker {
        let broker = OwnBroker { dir: TempDir::new().expect("a folder"), port: free_ports(ports) };
        prepare(broker.dir.path(), broker.port);
        broker.ask("start");
        broker
    }

    /// `host:port`.
    pub fn bootstrap(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The first of its ports.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Where its files are.
    pub fn folder(&self) -> &Path {
        self.dir.path()
    }

    /// SIGKILL; returns once it is gone.
    pub fn kill(&self) {
        self.ask("kill");
    }

    /// Starts it again on the same data; returns once it serves.
    pub fn start_again(&self) {
        self.ask("start");
    }

    fn ask(&self, action: &str) {
        let mut command = Command::new(root().join("tests/kafka/broker.sh"));
        command.arg(action).arg(self.dir.path());
        if action == "start" {
            command.arg(self.port.to_string());
        }
        let status = command.stdout(Stdio::null()).status().expect("the broker script runs");
        assert!(status.success(), "broker.sh {action}: {status}");
    }
}

impl Drop for OwnBroker {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let kept = root().join("target/own-broker.log");
            let copied = std::fs::copy(self.dir.path().join("broker.log"), &kept);
            eprintln!("the broker's log: {} ({copied:?})", kept.display());
        }
        let script = root().join("tests/kafka/broker.sh");
        let ended = Command::new(script).arg("kill").arg(self.dir.path()).stdout(Stdio::null()).status();
        if let Err(error) = ended {
            eprintln!("the broker in {} was not ended: {error}", self.dir.path().display());
        }
    }
}

/// The first of so many ports in a row.
fn free_ports(count: u16) -> u16 {
    use std::net::{Ipv4Addr, TcpListener};
    let free = |port: u16| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok();
    let mut rng = fastrand::Rng::new();
    let all_free = |first: &u16| (*first..*first + count).all(free);
    (0..200).map(|_| rng.u16(20_000..30_000)).find(all_free).expect("free ports in a row")
}

/// The workspace's root.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests have a parent").to_owned()
}
