//! `lookup`: every submission of one person, asked of ARGOS. What is printed names nobody.

use super::support::{self, Ended};
use crate::cli::{Exit, Lookup};
use crate::config::{Config, Environment};
use argos::lookup::{Found, Person};
use models::{KycStatus, Time};
use secrecy::SecretString;
use serde_json::json;
use std::cmp::Reverse;
use std::fmt::Write as _;
use std::io::Write;

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
        (Some(user), None) => Person::User(SecretString::from(user.as_str())),
        (None, Some(email)) => Person::Email(SecretString::from(email.as_str())),
        _ => return Err(Ended::Usage("give either --user or --email".to_owned())),
    };
    let client = support::client(config)?;
    let mut found = support::runtime()?.block_on(client.find(&project.id, &person))?;
    found.sort_by_key(|one| Reverse(one.created_at));
    let valid = valid(&found);
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

/// Whose result holds: the latest approved one, not the newest (ARGOS protocol, section 6).
fn valid(found: &[Found]) -> Option<usize> {
    let approved = found.iter().enumerate().filter(|(_, one)| one.kyc_status == KycStatus::Approved);
    approved.max_by_key(|(_, one)| one.decided_at.or(one.updated_at).or(one.created_at)).map(|(at, _)| at)
}
