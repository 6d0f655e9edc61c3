//! The process: arguments, environment, one command, an exit code.

use argos_relay::{cli, commands, config::Environment};
use std::io::{stderr, stdout};
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = match cli::parse(std::env::args_os()) {
        Ok(cli) => cli,
        Err(exit) => return exit.into(),
    };
    match commands::run(&cli, &Environment::of_process(), &mut stdout(), &mut stderr()) {
        Ok(exit) => exit.into(),
        Err(error) => {
            eprintln!("error: {error:#}");
            cli::Exit::Failed.into()
        }
    }
}
