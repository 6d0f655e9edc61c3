//! What the figures were taken on: processors, memory, kernel, versions. No names of hosts, users or folders.

use serde::{Deserialize, Serialize};
use std::process::Command;

/// The machine and what runs on it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Machine {
    /// When, RFC 3339.
    pub taken_at: String,
    /// Logical processors.
    pub cores: usize,
    /// Their model, as the kernel names it.
    pub processor: String,
    /// Memory, in GiB.
    pub memory_gib: f64,
    /// The kernel's release.
    pub kernel: String,
    /// Kafka, librdkafka, rustc.
    pub versions: Vec<String>,
    /// What was built.
    pub commit: String,
}

impl Machine {
    /// This one, now.
    pub fn here() -> Machine {
        let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        let field = |text: &str, name: &str| {
            let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_default().to_owned();
            line.split_once(':').map_or(String::new(), |(_, value)| value.trim().to_owned())
        };
        let memory = field(&read("/proc/meminfo"), "MemTotal");
        let kilobytes: f64 = memory.trim_end_matches(" kB").parse().unwrap_or_default();
        let now = models::Time::from_millis((tests::wall_clock())());
        Machine {
            taken_at: now.to_string(),
            cores: std::thread::available_parallelism().map_or(0, std::num::NonZero::get),
            processor: field(&read("/proc/cpuinfo"), "model name"),
            memory_gib: (kilobytes / 1_048_576.0 * 10.0).round() / 10.0,
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            versions: vec![
                kafka(),
                format!("librdkafka {}", rdkafka::util::get_rdkafka_version().1),
                said("rustc", &["--version"]),
            ],
            commit: commit(),
        }
    }
}

fn kafka() -> String {
    let pom = std::fs::read_to_string(tests::broker::root().join("tests/kafka/pom.xml")).unwrap_or_default();
    let version = pom.split_once("<kafka.version>").and_then(|(_, rest)| rest.split_once('<'));
    match (std::env::var_os("BENCH_OWN_KAFKA").filter(|own| !own.is_empty()), version) {
        (None, Some((version, _))) => format!("Apache Kafka {version}"),
        _ => "a Kafka of the caller's".to_owned(),
    }
}

/// The commit, marked if files differ from it.
fn commit() -> String {
    let changed = if said("git", &["status", "--porcelain", "--untracked-files=no"]).is_empty() { "" } else { "+" };
    format!("{}{changed}", said("git", &["rev-parse", "--short=10", "HEAD"]))
}

fn said(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).current_dir(tests::broker::root()).output();
    output.map_or(String::new(), |output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
