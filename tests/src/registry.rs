//! A real schema registry, and a judge that others made: Apicurio Registry and Confluent's client for Python.

use crate::broker::root;
use crate::free_port;
use crate::service::http_get;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How to have one; nothing runs yet.
#[derive(Debug)]
pub struct Registry {
    port: u16,
    python: PathBuf,
    child: Option<Child>,
}

impl Registry {
    /// `None`, with a loud word, where it cannot be had and this is no CI.
    pub fn find() -> Option<Registry> {
        let found = Command::new(script()).arg("--where").output().expect("the script runs");
        if found.status.code() == Some(69) && std::env::var_os("CI").is_none() {
            eprintln!("not run: no schema registry can be had here\n{}", String::from_utf8_lossy(&found.stderr));
            return None;
        }
        assert!(found.status.success(), "{}", String::from_utf8_lossy(&found.stderr));
        let told = String::from_utf8_lossy(&found.stdout).into_owned();
        let python = PathBuf::from(told.lines().nth(1).expect("the Python"));
        Some(Registry { port: free_port(), python, child: None })
    }

    /// Starts it, empty, and waits until it answers.
    pub async fn start(&mut self) {
        let child =
            Command::new(script()).arg(self.port.to_string()).stdin(Stdio::null()).stdout(Stdio::null()).spawn();
        self.child = Some(child.expect("the registry starts"));
        let (url, until) = (format!("{}/subjects", self.url()), Instant::now() + Duration::from_mins(3));
        while http_get(&url).await.is_none_or(|(status, _)| status != 200) {
            assert!(Instant::now() < until, "the registry does not answer");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Ends it; what it kept is gone.
    pub fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("it can be killed");
            child.wait().expect("it ends");
        }
    }

    /// Its address in Confluent's protocol.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/apis/ccompat/v7", self.port)
    }

    /// What Confluent's client says, a line each: see `tests/registry/official.py`.
    pub async fn official(&self, arguments: &[&str]) -> Vec<String> {
        let mut command = Command::new(&self.python);
        command.arg(root().join("tests/registry/official.py")).args(arguments).env("PYTHONDONTWRITEBYTECODE", "1");
        let output = tokio::task::spawn_blocking(move || command.output().expect("Python runs")).await.expect("it ran");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
    }
}

fn script() -> PathBuf {
    root().join("tests/registry/run.sh")
}

impl Drop for Registry {
    fn drop(&mut self) {
        self.stop();
    }
}
