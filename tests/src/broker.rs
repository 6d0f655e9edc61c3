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
        let broker = OwnBroker { dir: TempDir::new().expect("a folder"), port: two_free_ports() };
        broker.ask("start");
        broker
    }

    /// `host:port`.
    pub fn bootstrap(&self) -> String {
        format!("127.0.0.1:{}", self.port)
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

/// The broker's port and the controller's beside it.
fn two_free_ports() -> u16 {
    use std::net::{Ipv4Addr, TcpListener};
    let free = |port: u16| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok();
    let mut rng = fastrand::Rng::new();
    (0..200).map(|_| rng.u16(20_000..30_000)).find(|port| free(*port) && free(port + 1)).expect("two free ports")
}

/// The workspace's root.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests have a parent").to_owned()
}
