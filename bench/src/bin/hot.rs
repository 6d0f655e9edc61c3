//! Runs one case so many times, for whoever counts its instructions: `hot CASE TIMES`; without arguments, the names.

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let Some(wanted) = arguments.next() else {
        for (name, _) in bench::cases::all() {
            println!("{name}");
        }
        return ExitCode::SUCCESS;
    };
    let times: u32 = arguments.next().and_then(|times| times.parse().ok()).unwrap_or(1);
    let Some((_, mut call)) = bench::cases::all().into_iter().find(|(name, _)| *name == wanted) else {
        eprintln!("no case {wanted:?}: call without arguments to see them");
        return ExitCode::from(64);
    };
    for _ in 0..times {
        call();
    }
    ExitCode::SUCCESS
}
