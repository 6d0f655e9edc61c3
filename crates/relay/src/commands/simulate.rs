//! `simulate`: a simulated ARGOS on its own, to try a deployment against.
//!
//! Owns: reading the scene from files and flags, and the closing report. The simulator does the rest.

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
        writeln!(out, "{}", serde_json::to_string(&report)?)?;
        if simulate.stay {
            crate::shutdown::Signals::listen()?.next().await;
        }
        sim.stop().await;
        Ok(Exit::Done)
    })
}

fn file_or_default<T: DeserializeOwned + Default>(path: Option<&Path>) -> anyhow::Result<T> {
    let Some(path) = path else { return Ok(T::default()) };
    let text = std::fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
    toml::from_str(&text).with_context(|| format!("{} cannot be used", path.display()))
}
