//! Secret files that are read again while the service runs.
//!
//! Owns: looking at each file's content every few seconds, and telling whoever uses it when it is another one. Must not
//! know what a secret is for. Content is compared, not names or times, so it does not matter how a file is exchanged:
//! written over, renamed, or by the swap of a symbolic link as Kubernetes does it.
//!
//! Path: the wiring names each file with [`SecretFiles::watch`] and what takes its content; [`SecretFiles::run`] looks at
//! all of them, the first time at once, in case one changed since the configuration was read. Content that cannot be read
//! or is refused leaves the old secret in use, is logged when that begins, and counted with each look that finds it so.

use crate::config::{Secrets, read_secret_file, secret_lines};
use models::Time;
use prometheus::{GaugeVec, IntCounterVec, Opts, Registry};
use reconciler::clock::Clock;
use secrecy::{ExposeSecret, SecretString};
use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};
use tokio_util::sync::CancellationToken;

/// Takes the content of files; the reason of a refusal must not show it.
type Take = Box<dyn Fn(&[SecretString]) -> Result<(), String> + Send>;

/// One secret: a file, or several that are good only together.
struct Watched {
    /// The key of the configuration, which is also the label of the metrics.
    name: String,
    files: Vec<PathBuf>,
    takers: Vec<Take>,
    /// The content in use; `None` before the first look.
    used: Option<Vec<SecretString>>,
    /// When that content was written.
    changed: Time,
    /// What is wrong with the files now.
    trouble: Option<String>,
}

/// What is told of secret files.
pub struct SecretMetrics {
    pub(crate) age: GaugeVec,
    pub(crate) failures: IntCounterVec,
    pub(crate) exchanges: IntCounterVec,
}

impl SecretMetrics {
    /// Makes them known to a registry. Fails if their names are taken there.
    pub fn register(registry: &Registry) -> prometheus::Result<SecretMetrics> {
        let age = GaugeVec::new(
            Opts::new(
                "argos_relay_secret_age_seconds",
                "Seconds since the content in use of a secret file was written.",
            ),
            &["secret"],
        )?;
        let failures = IntCounterVec::new(
            Opts::new(
                "argos_relay_secret_failures_total",
                "Looks at a secret file that found it unreadable or of no use; the old content stays in use.",
            ),
            &["secret"],
        )?;
        let exchanges = IntCounterVec::new(
            Opts::new(
                "argos_relay_secret_exchanges_total",
                "Times that another content of a secret file came into use.",
            ),
            &["secret"],
        )?;
        registry.register(Box::new(age.clone()))?;
        registry.register(Box::new(failures.clone()))?;
        registry.register(Box::new(exchanges.clone()))?;
        Ok(SecretMetrics { age, failures, exchanges })
    }
}

/// All secret files of the process.
#[derive(Default)]
pub struct SecretFiles(Vec<Watched>);

impl SecretFiles {
    /// Has `take` told of each new content of the files, one text each. `name` is the key of the configuration; two
    /// calls with one name must have the same files.
    pub fn watch<E: Display>(
        &mut self,
        name: &str,
        files: &[&Path],
        take: impl Fn(&[SecretString]) -> Result<(), E> + Send + 'static,
    ) {
        let take: Take = Box::new(move |texts| take(texts).map_err(|error| error.to_string()));
        if let Some(watched) = self.0.iter_mut().find(|watched| watched.name == name) {
            watched.takers.push(take);
            return;
        }
        self.0.push(Watched {
            name: name.to_owned(),
            files: files.iter().map(|file| (*file).to_owned()).collect(),
            takers: vec![take],
            used: None,
            changed: Time::from_millis(0),
            trouble: None,
        });
    }

    /// As [`SecretFiles::watch`] for secrets that stand one a line, if they came from a file.
    pub fn watch_lines<E: Display>(
        &mut self,
        name: &str,
        secrets: &Secrets,
        take: impl Fn(&[SecretString]) -> Result<(), E> + Send + 'static,
    ) {
        if let Some(file) = secrets.file() {
            self.watch(name, &[file], move |texts| {
                take(&texts.iter().flat_map(|text| secret_lines(text.expose_secret())).collect::<Vec<_>>())
            });
        }
    }

    /// Looks at all files, the first time at once, then whenever `every` is over, until `stop`.
    pub async fn run(
        mut self,
        metrics: SecretMetrics,
        clock: Arc<dyn Clock>,
        every: Duration,
        stop: CancellationToken,
    ) -> anyhow::Result<()> {
        for watched in &self.0 {
            metrics.failures.with_label_values(&[&watched.name]).inc_by(0);
            metrics.exchanges.with_label_values(&[&watched.name]).inc_by(0);
        }
        let metrics = Arc::new(metrics);
        let mut interval = tokio::time::interval(every);
        interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                _ = interval.tick() => {}
            }
            let (now, metrics) = (clock.now(), Arc::clone(&metrics));
            // Files can hang, above all those of a network; the runtime's threads must not.
            self = tokio::task::spawn_blocking(move || {
                self.look(&metrics, now);
                self
            })
            .await?;
        }
    }

    /// One look at everything.
    pub(crate) fn look(&mut self, metrics: &SecretMetrics, now: Time) {
        for watched in &mut self.0 {
            let found = watched.look(now);
            let secret = watched.name.as_str();
            let trouble = match found {
                Ok(Found::Same | Found::First) => None,
                Ok(Found::Other) => {
                    metrics.exchanges.with_label_values(&[secret]).inc();
                    tracing::info!(secret, "a secret file changed; its new content is in use");
                    None
                }
                Err(trouble) => {
                    metrics.failures.with_label_values(&[secret]).inc();
                    Some(trouble)
                }
            };
            if trouble != watched.trouble {
                if let Some(why) = &trouble {
                    tracing::error!(secret, why, "a secret file is of no use; the old content stays in use");
                } else {
                    tracing::info!(secret, "the secret file is in order again");
                }
                watched.trouble = trouble;
            }
            if watched.used.is_some() {
                metrics.age.with_label_values(&[secret]).set(now.since(watched.changed).as_secs_f64());
            }
        }
    }
}

/// What a look found.
enum Found {
    /// The content in use.
    Same,
    /// The content of the first look, which is mostly that of the configuration.
    First,
    /// Another content, which is in use now.
    Other,
}

impl Watched {
    fn look(&mut self, now: Time) -> Result<Found, String> {
        let mut texts = Vec::with_capacity(self.files.len());
        for file in &self.files {
            let text = read_secret_file(file).map_err(|why| format!("{}: {why}", file.display()))?;
            if text.expose_secret().is_empty() {
                return Err(format!("{}: is empty", file.display()));
            }
            texts.push(text);
        }
        let same = |used: &Vec<SecretString>| {
            used.iter().map(ExposeSecret::expose_secret).eq(texts.iter().map(ExposeSecret::expose_secret))
        };
        if self.used.as_ref().is_some_and(same) {
            return Ok(Found::Same);
        }
        for take in &self.takers {
            take(&texts)?;
        }
        self.changed = self.files.iter().filter_map(|file| written(file)).max().unwrap_or(now);
        Ok(if self.used.replace(texts).is_some() { Found::Other } else { Found::First })
    }
}

/// When a file was written, as far as the file system knows.
fn written(file: &Path) -> Option<Time> {
    let since = std::fs::metadata(file).ok()?.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
    Some(Time::from_millis(i64::try_from(since.as_millis()).ok()?))
}

#[cfg(test)]
#[path = "secrets_tests.rs"]
mod tests;
