//! One file for each command: it reads its arguments, does its work through the other rooms, and says how it ended.

mod acls;
mod ask;
mod backfill;
mod config_check;
#[cfg(feature = "dev")]
mod demo;
mod doctor;
mod erase;
mod explain;
mod follow;
mod lookup;
mod progress;
mod rebuild;
mod reconcile;
mod redrive;
mod serve;
#[cfg(feature = "dev")]
mod simulate;
mod status;
mod support;
mod topics;
mod verify;

use crate::cli::{Cli, Command, ConfigCommand, Exit, LedgerCommand, TopicsCommand};
use crate::config::Environment;
use std::io::Write;

/// Does what the command line asks for. Results go to `out`, what is wrong to `err`.
pub fn run(cli: &Cli, environment: &Environment, out: &mut impl Write, err: &mut impl Write) -> anyhow::Result<Exit> {
    match &cli.command {
        Command::Serve(serve) => serve::run(serve, environment, err),
        Command::Topics(TopicsCommand::Apply(arguments)) => {
            topics::run(topics::Mode::Apply, arguments, environment, out, err)
        }
        Command::Topics(TopicsCommand::Check(arguments)) => {
            topics::run(topics::Mode::Check, arguments, environment, out, err)
        }
        #[cfg(feature = "dev")]
        Command::Demo(demo) => demo::run(demo, out),
        #[cfg(feature = "dev")]
        Command::Simulate(simulate) => simulate::run(simulate, out),
        Command::Config(ConfigCommand::Check(check)) => config_check::run(check, environment, out, err),
        Command::Doctor(doctor) => doctor::run(doctor, environment, out, err),
        Command::Status(status) => status::run(status, environment, out, err),
        Command::Explain(explain) => explain::run(explain, environment, out, err),
        Command::Lookup(lookup) => lookup::run(lookup, environment, out, err),
        Command::Reconcile(reconcile) => reconcile::run(reconcile, environment, out, err),
        Command::Backfill(backfill) => backfill::run(backfill, environment, out, err),
        Command::Verify(verify) => verify::run(verify, environment, out, err),
        Command::Redrive(redrive) => redrive::run(redrive, environment, out, err),
        Command::Erase(erase) => erase::run(erase, environment, out, err),
        Command::Ledger(LedgerCommand::Rebuild(arguments)) => rebuild::run(arguments, environment, out, err),
    }
}
