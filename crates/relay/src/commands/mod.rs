//! One file for each command: it reads its arguments, does its work through the other rooms, and says how it ended.

mod config_check;

use crate::cli::{Cli, Command, ConfigCommand, Exit};
use crate::config::Environment;
use std::io::Write;

/// Does what the command line asks for. Results go to `out`, what is wrong to `err`.
pub fn run(
    cli: &Cli,
    environment: &Environment,
    out: &mut impl Write,
    err: &mut impl Write,
) -> anyhow::Result<Exit> {
    match &cli.command {
        Command::Config(ConfigCommand::Check(check)) => {
            config_check::run(check, environment, out, err)
        }
    }
}
