//! Processes as the kernel accounts for them, and the bare programs that stand beside the service.
//!
//! Owns: starting and ending a bare program, the words it says, and what it cost. Must not know what it does.
//!
//! A bare program prints one word a line (`ready`, `done …`) and ends when its input is closed.

use crate::table::Run;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// Seconds on a processor so far, user and kernel mode, ended threads included.
pub fn cpu(pid: u32) -> f64 {
    // Linux's USER_HZ, in which it is told to everyone, whatever the kernel's own clock.
    const TICKS_PER_SECOND: f64 = 100.0;
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("its times");
    // The name may hold anything; the last parenthesis ends it, and the state follows.
    let (_, fields) = stat.rsplit_once(')').expect("a name");
    let ticks = fields.split_whitespace().skip(11).take(2).map(|ticks| ticks.parse::<f64>().expect("ticks"));
    ticks.sum::<f64>() / TICKS_PER_SECOND
}

/// Bytes resident now.
pub fn resident(pid: u32) -> f64 {
    status(pid, "VmRSS:")
}

/// Most bytes resident at once, since the start or [`forget_peak`].
pub fn peak(pid: u32) -> f64 {
    status(pid, "VmHWM:")
}

/// Starts the count of [`peak`] anew.
pub fn forget_peak(pid: u32) {
    // Without the right to do so the peak is that since the start: more than it was, never less.
    drop(std::fs::write(format!("/proc/{pid}/clear_refs"), "5"));
}

fn status(pid: u32, name: &str) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("its status");
    let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("its memory");
    line.trim().trim_end_matches(" kB").trim().parse::<f64>().expect("a number") * 1024.0
}

/// What a process spends from here on.
pub struct Meter {
    pid: u32,
    cpu: f64,
    since: Instant,
}

impl Meter {
    /// From now on.
    pub fn start(pid: u32) -> Meter {
        forget_peak(pid);
        Meter { pid, cpu: cpu(pid), since: Instant::now() }
    }

    /// So far, for so many units of work.
    pub fn read(&self, units: f64) -> Run {
        self.read_less(units, 0.0)
    }

    /// As [`Meter::read`], less what the process spends a second without work.
    pub fn read_less(&self, units: f64, idle: f64) -> Run {
        let seconds = self.since.elapsed().as_secs_f64();
        let cpu = (cpu(self.pid) - self.cpu - idle * seconds).max(0.0);
        Run::from([
            ("units".to_owned(), units),
            ("seconds".to_owned(), seconds),
            ("per_s".to_owned(), units / seconds),
            ("cpu_ms_per_1k".to_owned(), cpu * 1e6 / units.max(1.0)),
            ("peak_mb".to_owned(), peak(self.pid) / 1e6),
        ])
    }
}

/// A running bare program; killed with the value.
#[derive(Debug)]
pub struct Bare {
    child: Child,
    words: Receiver<String>,
}

impl Bare {
    /// Starts one of the programs of `src/bin`.
    pub fn start(name: &str, arguments: &[String]) -> Bare {
        let own = std::env::current_exe().expect("a path");
        let program = own.with_file_name(name);
        let mut child = Command::new(&program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}", program.display()));
        let output = child.stdout.take().expect("its output");
        let (tell, words) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if tell.send(line).is_err() {
                    return;
                }
            }
        });
        Bare { child, words }
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits until it says a line that begins with a word; the rest of that line.
    pub fn wait_for(&self, word: &str, within: Duration) -> String {
        let until = Instant::now() + within;
        tokio::task::block_in_place(|| {
            loop {
                let left = until.saturating_duration_since(Instant::now());
                let line = self.words.recv_timeout(left).unwrap_or_else(|_| panic!("no {word} within {within:?}"));
                if let Some(rest) = line.strip_prefix(word) {
                    return rest.trim().to_owned();
                }
            }
        })
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        let ended = self.child.kill().and_then(|()| self.child.wait());
        if let Err(error) = ended {
            eprintln!("process {} was not ended: {error}", self.child.id());
        }
    }
}

/// For bare programs: waits until whoever started this process closes its input or ends.
pub fn until_input_ends() {
    let mut line = String::new();
    while std::io::stdin().read_line(&mut line).is_ok_and(|read| read > 0) {
        line.clear();
    }
}

/// An HTTP client as the service's own: plain HTTP needs no roots, and reqwest is built without a provider.
pub fn client() -> reqwest::Client {
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    reqwest::Client::builder().tls_backend_preconfigured(tls).no_proxy().build().expect("a client")
}
