//! `simulate`: a simulated ARGOS on its own, to try a deployment against.
//!
//! Owns: reading the scene from files and flags, the closing report and the file of truths. The simulator does the rest.

use crate::cli::{Exit, Simulate};
use anyhow::Context;
use reconciler::clock::{Clock, SystemClock};
use serde::de::DeserializeOwned;
use simulator::{Config, Project, Rate, Scenario, Simulator};
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use tokio::net::TcpListener;

/// Plays one scenario and prints its report as JSON; with `--stay` goes on answering GETs until a signal.
pub(super) fn run(simulate: &Simulate, out: &mut impl Write) -> anyhow::Result<Exit> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut config: Config = file_or_default(simulate.world.as_deref())?;
        if simulate.world.is_none() {
            let mut project = Project::new(&simulate.project, &simulate.api_key);
            project.token.clone_from(&simulate.token);
            if let Some(mode) = simulate.encryption {
                project = project.encrypted(mode, simulate.key_derivation);
            }
            config.projects = vec![project];
        }
        let mut scenario: Scenario = file_or_default(simulate.scenario.as_deref())?;
        scenario.seed = simulate.seed.unwrap_or(scenario.seed);
        scenario.submissions = simulate.submissions.unwrap_or(scenario.submissions);
        if let Some(per_second) = simulate.rate {
            scenario.rate = Some(Rate { per_second, seconds: simulate.seconds, ..Rate::default() });
        }
        scenario.targets.extend(simulate.target.iter().cloned());
        let listener = TcpListener::bind(simulate.listen).await.context("--listen")?;
        let clock: simulator::Clock = Arc::new(|| SystemClock.now().as_millis());
        let sim = Simulator::start(listener, config, clock)?;
        eprintln!("the simulated ARGOS answers on {}", sim.base_url());
        let report = scenario.run(&sim).await?;
        if let Some(path) = &simulate.truth {
            std::fs::write(path, truth(&sim)?).with_context(|| format!("{} cannot be written", path.display()))?;
        }
        writeln!(out, "{}", serde_json::to_string(&report)?)?;
        if simulate.stay {
            crate::shutdown::Signals::listen()?.next().await;
        }
        sim.stop().await;
        Ok(Exit::Done)
    })
}

/// What consumers of the topics have to arrive at: a line for each submission, the project beside what is true of it.
fn truth(sim: &Simulator) -> serde_json::Result<String> {
    let mut lines = String::new();
    for project in sim.world().projects() {
        for truth in sim.world().truth(&project) {
            lines.push_str(&serde_json::to_string(&serde_json::json!({ "project": project, "truth": truth }))?);
            lines.push('\n');
        }
    }
    Ok(lines)
}

fn file_or_default<T: DeserializeOwned + Default>(path: Option<&Path>) -> anyhow::Result<T> {
    let Some(path) = path else { return Ok(T::default()) };
    let text = std::fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
    toml::from_str(&text).with_context(|| format!("{} cannot be used", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Cli, Command};
    use clap::Parser;
    use serde_json::Value;

    #[test]
    fn the_truth_of_every_submission_is_written_when_all_is_played() {
        let folder = tempfile::tempdir().unwrap();
        let (file, scenario) = (folder.path().join("truth"), folder.path().join("scenario.toml"));
        std::fs::write(&scenario, "submissions = 7\npace = { min_ms = 0, max_ms = 1 }").unwrap();
        let flags = ["argos-relay", "simulate", "--listen", "127.0.0.1:0", "--seed", "3", "--truth"];
        let cli =
            Cli::parse_from(flags.map(Into::into).into_iter().chain([file.clone(), "--scenario".into(), scenario]));
        let Command::Simulate(simulate) = cli.command else { panic!("another command") };
        let mut out = Vec::new();
        run(&simulate, &mut out).unwrap();
        let report: Value = serde_json::from_slice(&out).unwrap();
        let mut played: Vec<Value> = report["ids"].as_array().unwrap().clone();
        let text = std::fs::read_to_string(file).unwrap();
        let truths: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let mut told: Vec<Value> =
            truths.iter().map(|line| Value::from(vec![line["project"].clone(), line["truth"]["id"].clone()])).collect();
        played.sort_by_key(Value::to_string);
        told.sort_by_key(Value::to_string);
        assert_eq!((told.len(), told), (7, played));
        let decided = |line: &&Value| line["truth"]["kyc_status"] == "approved";
        assert!(truths.iter().filter(decided).all(|line| line["truth"]["decided_at"].is_i64()), "{text}");
    }
}
