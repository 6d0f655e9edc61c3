//! `status`: how one replica is, as its admin listener tells it.

use super::ask::Replica;
use super::support::{self, Ended};
use crate::cli::{Exit, Output, Status};
use crate::config::{Config, Environment};
use crate::operate::{status, status_text};
use std::io::Write;

/// Exit 0 if all is well, 1 if something wants attention, 69 if no replica answers.
pub(super) fn run(
    arguments: &Status,
    environment: &Environment,
    out: &mut impl Write,
    err: &mut impl Write,
) -> anyhow::Result<Exit> {
    support::with_config(&arguments.config, environment, err, |config, _| work(arguments, &config, out))
}

fn work(arguments: &Status, config: &Config, out: &mut impl Write) -> Result<Exit, Ended> {
    let replica = Replica::new(&arguments.at, config)?;
    let told: status::Status = support::runtime()?.block_on(replica.get("/api/v1/status"))?;
    match arguments.output.output {
        Output::Text => write!(out, "{}", status_text::as_text(&told))?,
        Output::Json => writeln!(out, "{:#}", serde_json::to_value(&told).map_err(anyhow::Error::from)?)?,
    }
    Ok(if status_text::attention(&told).is_empty() { Exit::Done } else { Exit::Failed })
}
