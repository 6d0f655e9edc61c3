//! `lookup`: every submission of one person, asked of ARGOS. What is printed names nobody.

use super::support::{self, Ended};
use crate::cli::{Exit, Lookup};
use crate::config::{Config, Environment};
use crate::operate::person;
use argos::lookup::Person;
use models::Time;
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use std::fmt::Write as _;
use std::io::{Read, Write};

/// The longest id or address that is read from standard input, in bytes.
const LONGEST: usize = 1024;

/// Exit 0 with whatever was found, 1 if ARGOS refuses or cannot be understood, 69 if it does not answer.
pub(super) fn run(
    arguments: &Lookup,
    environment: &Environment,
    out: &mut impl Write,
    err: &mut impl Write,
) -> anyhow::Result<Exit> {
    support::with_config(&arguments.config, environment, err, |config, _| work(arguments, &config, out))
}

fn work(arguments: &Lookup, config: &Config, out: &mut impl Write) -> Result<Exit, Ended> {
    let project = support::project(config, arguments.project.as_str())?;
    let person = match (&arguments.user, &arguments.email) {
        (Some(user), None) => Person::User(given(user, std::io::stdin())?),
        (None, Some(email)) => Person::Email(given(email, std::io::stdin())?),
        _ => return Err(Ended::Usage("give either --user or --email".to_owned())),
    };
    let client = support::client(config)?;
    let (found, valid) = support::runtime()?.block_on(person::find(&client, &project.id, &person))?;
    let mut text = format!("{} submissions, newest first\n", found.len());
    for (at, one) in found.iter().enumerate() {
        let time = |time: Option<Time>| time.map_or_else(|| "-".to_owned(), |time| time.to_string());
        let mark = if valid == Some(at) { "  <- the latest approved" } else { "" };
        let _infallible = writeln!(
            text,
            "{:<20} {:<10} made {:<24} decided {:<24}{mark}",
            one.submission.as_str(),
            one.kyc_status.as_str(),
            time(one.created_at),
            time(one.decided_at)
        );
    }
    let document = json!({
        "project": project.id, "submissions": found,
        "latest_approved": valid.map(|at| found[at].submission.as_str()),
    });
    support::print(out, arguments.output.output, &text, &document)?;
    Ok(Exit::Done)
}

/// What was given as an argument; `-` stands for the text on `input`, which no list of processes shows.
fn given(argument: &SecretString, input: impl Read) -> Result<SecretString, Ended> {
    if argument.expose_secret() != "-" {
        return Ok(argument.clone());
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(LONGEST + 1));
    input.take(LONGEST as u64 + 1).read_to_end(&mut bytes)?;
    let text = std::str::from_utf8(&bytes).ok().map(str::trim).filter(|text| !text.is_empty());
    let text = text.filter(|text| bytes.len() <= LONGEST && !text.contains('\n'));
    text.map(SecretString::from)
        .ok_or_else(|| Ended::Usage(format!("standard input must hold one line of text, {LONGEST} bytes at most")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_can_be_given_where_no_list_of_processes_shows_it() {
        let read = |argument: &str, input: &str| {
            given(&argument.into(), input.as_bytes()).ok().map(|text| text.expose_secret().to_owned())
        };
        assert_eq!(read("u-1001", "u-1002").as_deref(), Some("u-1001"));
        assert_eq!(read("-", "minji.kim@example.com\n").as_deref(), Some("minji.kim@example.com"));
        for wrong in ["", " \n", "one\ntwo\n", &"x".repeat(LONGEST + 1)] {
            assert_eq!(read("-", wrong), None, "{wrong}");
        }
    }
}
