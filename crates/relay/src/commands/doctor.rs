//! `doctor`: a few harmless questions to a real project, and which settings they show to hold; and to the schema registry,
//! if there is one.
//!
//! Owns: the comparison of what was found with the configuration, and the settings to use instead. The questions and
//! their reading are `argos::probe`'s. Changes nothing, and reads only.

mod schemas;

use super::support::{self, Ended};
use crate::cli::{Doctor, Exit};
use crate::config::{Config, DateFormat, Encryption, EncryptionMode, Environment, Fetch, KeyDerivation, Project};
use crate::wiring::{USER_AGENT, asked};
use argos::probe::{Probe, Report, Sealing, Verdict};
use argos::{Derivation, Mode};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

/// Beyond this, times of ours and theirs cannot be compared.
const SKEW: u64 = 5_000;

/// Exit 0 if the configuration is what holds, 1 if not, 69 if a project cannot be reached.
pub(super) fn run(
    arguments: &Doctor,
    environment: &Environment,
    out: &mut impl Write,
    err: &mut impl Write,
) -> anyhow::Result<Exit> {
    support::with_config(&arguments.config, environment, err, |config, err| work(arguments, &config, out, err))
}

fn work(arguments: &Doctor, config: &Config, out: &mut impl Write, err: &mut impl Write) -> Result<Exit, Ended> {
    let projects: Vec<&Project> = match &arguments.project {
        Some(id) => vec![support::project(config, id.as_str())?],
        None => config.projects.iter().collect(),
    };
    let runtime = support::runtime()?;
    let (mut text, mut documents) = (String::new(), Vec::new());
    let (mut unreachable, mut ok) = (false, true);
    for project in projects {
        match runtime.block_on(examine(config, project)) {
            Ok(report) => {
                let findings = Findings::of(project, &report);
                ok &= findings.wrong.is_empty();
                text.push_str(&as_text(project, &report, &findings));
                documents.push(as_json(project, &report, &findings));
            }
            Err(Ended::Unreachable(error)) => {
                unreachable = true;
                writeln!(err, "error: project {}: {}", project.id, crate::telemetry::chain(&*error))?;
            }
            Err(other) => return Err(other),
        }
    }
    let mut document = json!({ "projects": documents });
    if let Some(given) = &config.kafka.schema_registry {
        let found = runtime.block_on(schemas::look(config, given))?;
        unreachable |= found.is_away();
        ok &= found.is_well();
        text.push_str(&found.as_text());
        document["schema_registry"] = found.as_json();
    }
    document["ok"] = (ok && !unreachable).into();
    support::print(out, arguments.output.output, &text, &document)?;
    Ok(match (unreachable, ok) {
        (true, _) => Exit::Unreachable,
        (false, true) => Exit::Done,
        (false, false) => Exit::Failed,
    })
}

async fn examine(config: &Config, project: &Project) -> Result<Report, Ended> {
    // Not faster than the service may ask, and it may be asking too.
    let pause = Duration::from_secs_f64((1.0 / project.requests_per_second).clamp(0.01, 5.0));
    let probe = Probe::new(asked(config, project)?, Arc::new(support::now), pause, USER_AGENT);
    let mut probe = probe.map_err(anyhow::Error::from)?;
    let keys = project.encryption.keys.as_ref().unwrap_or(&project.api_key).wrapped();
    Ok(probe.examine(keys, expected(&project.encryption)).await?)
}

fn expected(encryption: &Encryption) -> Option<(Mode, Derivation)> {
    let mode = match encryption.mode {
        EncryptionMode::Off => return None,
        EncryptionMode::Aes256Ecb => Mode::Ecb,
        EncryptionMode::Aes256Gcm => Mode::Gcm,
    };
    let derivation = match encryption.key_derivation {
        KeyDerivation::First32Bytes => Derivation::First32Bytes,
        KeyDerivation::Last32Bytes => Derivation::Last32Bytes,
        KeyDerivation::Sha256 => Derivation::Sha256,
        KeyDerivation::Sha256Hex32 => Derivation::Sha256Hex32,
    };
    Some((mode, derivation))
}

/// As the configuration writes them.
const fn words(mode: Mode, derivation: Derivation) -> (&'static str, &'static str) {
    let mode = match mode {
        Mode::Ecb => "aes-256-ecb",
        Mode::Gcm => "aes-256-gcm",
    };
    let derivation = match derivation {
        Derivation::First32Bytes => "first_32_bytes",
        Derivation::Last32Bytes => "last_32_bytes",
        Derivation::Sha256 => "sha256",
        Derivation::Sha256Hex32 => "sha256_hex_32",
    };
    (mode, derivation)
}

const fn format_word(format: argos::DateFormat) -> &'static str {
    match format {
        argos::DateFormat::Dashed => "YYYY-MM-DD",
        argos::DateFormat::Compact => "YYYYMMDD",
    }
}

/// What the configuration has otherwise than it holds.
#[derive(Default)]
struct Findings {
    /// One sentence each.
    wrong: Vec<String>,
    /// The settings to use, below `[[projects]]`.
    settings: toml::Table,
}

impl Findings {
    fn of(project: &Project, report: &Report) -> Findings {
        let mut findings = Findings::default();
        if let Verdict::Fails(why) = &report.key {
            findings.wrong.push(format!("api_key: {why}"));
            return findings;
        }
        findings.encryption(project, report);
        findings.list(project, report);
        if let (Fetch::KycAmlOnly, Verdict::Fails(why)) = (project.fetch, &report.slices) {
            findings.wrong.push(format!("fetch: \"kyc_aml_only\" does not hold: {why}; use \"full\""));
            findings.settings.insert("fetch".to_owned(), "full".into());
        }
        if let Verdict::Fails(why) = &report.unknown_id.0 {
            findings.wrong.push(format!("an unknown id: {why}; no deletion could be told from absence"));
        }
        findings
    }

    fn encryption(&mut self, project: &Project, report: &Report) {
        let configured = expected(&project.encryption);
        let (mode, derivation) = match report.sealing {
            Some(Sealing::Plain) => ("off", None),
            Some(Sealing::Opened(mode, derivation, _)) => {
                let (mode, derivation) = words(mode, derivation);
                (mode, Some(derivation))
            }
            Some(Sealing::Shut) => {
                self.wrong.push(
                    "encryption: answers are sealed, and no key opens them with any mode or derivation: is it another key?"
                        .to_owned(),
                );
                return;
            }
            None => return,
        };
        let is = configured.map_or(("off", None), |(mode, derivation)| {
            let (mode, derivation) = words(mode, derivation);
            (mode, Some(derivation))
        });
        let mut table = toml::Table::new();
        table.insert("mode".to_owned(), mode.into());
        table.extend(derivation.map(|word| ("key_derivation".to_owned(), word.into())));
        self.settings.insert("encryption".to_owned(), table.into());
        let mut wrong = |key: &str, is: &str, holds: &str| {
            self.wrong.push(format!("encryption.{key}: is \"{is}\", and \"{holds}\" holds"));
        };
        if is.0 != mode {
            wrong("mode", is.0, mode);
        }
        if let (Some(is), Some(holds)) = (is.1, derivation)
            && is != holds
        {
            wrong("key_derivation", is, holds);
        }
    }

    fn list(&mut self, project: &Project, report: &Report) {
        let mut table = toml::Table::new();
        let size = project.list.page_size;
        let verdict = |wanted: u32| report.page_sizes.iter().find(|(size, _)| *size == wanted).map(|(_, found)| found);
        if let Some(Verdict::Fails(why)) = verdict(size) {
            self.wrong.push(format!("list.page_size: {size} does not hold: {why}"));
        }
        let holds = [size, 50].into_iter().find(|size| verdict(*size) == Some(&Verdict::Holds));
        table.extend(holds.map(|size| ("page_size".to_owned(), i64::from(size).into())));
        let configured = match project.list.date_format {
            DateFormat::Dashed => argos::DateFormat::Dashed,
            DateFormat::Compact => argos::DateFormat::Compact,
        };
        let verdict = |wanted| report.dates.iter().find(|(format, _)| *format == wanted).map(|(_, found)| found);
        if let Some(Verdict::Fails(why)) = verdict(configured) {
            self.wrong.push(format!("list.date_format: \"{}\" does not hold: {why}", format_word(configured)));
        }
        let all = [configured, argos::DateFormat::Dashed, argos::DateFormat::Compact];
        let holds = all.into_iter().find(|format| verdict(*format) == Some(&Verdict::Holds));
        table.extend(holds.map(|format| ("date_format".to_owned(), format_word(format).into())));
        if !table.is_empty() {
            self.settings.insert("list".to_owned(), table.into());
        }
    }
}

fn told(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Holds => "yes".to_owned(),
        Verdict::Fails(why) => format!("no: {why}"),
        Verdict::Unknown(why) => format!("cannot be told: {why}"),
    }
}

fn sealing(report: &Report) -> String {
    match report.sealing {
        None => "cannot be told".to_owned(),
        Some(Sealing::Plain) => "answers come in clear".to_owned(),
        Some(Sealing::Shut) => "answers are sealed and stay shut".to_owned(),
        Some(Sealing::Opened(mode, derivation, at)) => {
            let (mode, derivation) = words(mode, derivation);
            format!("answers are sealed; {mode} with {derivation} of key {} opens them", at + 1)
        }
    }
}

/// One line a question.
fn lines(report: &Report) -> Vec<(String, String)> {
    let line = |what: &str, found: String| (what.to_owned(), found);
    let mut lines = vec![line("API key accepted", told(&report.key)), line("encryption", sealing(report))];
    if report.page_sizes.is_empty() {
        return lines;
    }
    lines.push(line("unknown id is absence", format!("{} ({})", told(&report.unknown_id.0), report.unknown_id.1)));
    for (size, verdict) in &report.page_sizes {
        lines.push((format!("page of {size}"), told(verdict)));
    }
    for (format, verdict) in &report.dates {
        lines.push((format!("days as {}", format_word(*format)), told(verdict)));
    }
    let rows = &report.rows;
    let carried = format!("{} with AML, {} with updated_at, of {}", rows.with_aml, rows.with_updated_at, rows.rows);
    lines.push(line("list rows", carried));
    lines.push(line("parts (request_type)", told(&report.slices)));
    if let Some(skew) = report.skew_ms {
        let far = if skew.unsigned_abs() > SKEW { "; set one of the clocks" } else { "" };
        lines.push(line("clock skew", format!("{:+.1} s{far}", skew as f64 / 1000.0)));
    }
    if let Some(latency) = report.latency {
        lines.push(line("latency of 5 GETs", format!("p50 {:.0?}, max {:.0?}", latency.p50, latency.max)));
    }
    lines
}

fn as_text(project: &Project, report: &Report, findings: &Findings) -> String {
    let mut text = format!("project {} at {}\n", project.id, project.base_url);
    for (what, found) in lines(report) {
        let _infallible = writeln!(text, "  {what:<22} {found}");
    }
    for wrong in &findings.wrong {
        let _infallible = writeln!(text, "  WRONG  {wrong}");
    }
    if !findings.settings.is_empty() {
        let verb = if findings.wrong.is_empty() { "hold" } else { "are to be used" };
        let _infallible = writeln!(text, "these settings {verb}:\n[[projects]]\nid = \"{}\"", project.id);
        text.push_str(&snippet(&findings.settings));
    }
    text
}

/// As they stand in the file: the project's own keys, then its tables.
fn snippet(settings: &toml::Table) -> String {
    let mut text = String::new();
    for (key, value) in settings.iter().filter(|(_, value)| !value.is_table()) {
        let _infallible = writeln!(text, "{key} = {value}");
    }
    for (name, table) in settings.iter().filter_map(|(name, value)| Some((name, value.as_table()?))) {
        let _infallible = writeln!(text, "[projects.{name}]");
        for (key, value) in table {
            let _infallible = writeln!(text, "{key} = {value}");
        }
    }
    text
}

fn as_json(project: &Project, report: &Report, findings: &Findings) -> Value {
    let dates = report.dates.iter().map(|(format, found)| json!({ "format": format_word(*format), "found": found }));
    let sizes = report.page_sizes.iter().map(|(size, found)| json!({ "size": size, "found": found }));
    let latency = report
        .latency
        .map(|found| json!({ "p50_ms": found.p50.as_millis() as u64, "max_ms": found.max.as_millis() as u64 }));
    json!({
        "project": project.id, "wrong": findings.wrong, "settings": findings.settings, "api_key": report.key,
        "encryption": sealing(report), "unknown_id": { "found": report.unknown_id.0, "form": report.unknown_id.1 },
        "page_sizes": sizes.collect::<Vec<_>>(), "dates": dates.collect::<Vec<_>>(), "rows": report.rows,
        "slices": report.slices, "clock_skew_ms": report.skew_ms, "latency": latency,
    })
}
