//! `explain <project>/<id>`: why one submission is where it is, as a timeline.
//!
//! A replica is asked where one answers: it knows the look under way and, as the owner, the details. Else the same is
//! read from Kafka, without them.

use super::ask::{Refused, Replica};
use super::support::{self, Ended};
use crate::cli::{Exit, Explain, Output};
use crate::config::{Config, Environment};
use crate::operate::explain::{self, Question};
use models::Key;
use std::fmt::Write as _;
use std::io::Write;

/// Exit 0 once it is told, 69 if neither a replica nor Kafka answers.
pub(super) fn run(
    arguments: &Explain,
    environment: &Environment,
    out: &mut impl Write,
    err: &mut impl Write,
) -> anyhow::Result<Exit> {
    support::with_config(&arguments.config, environment, err, |config, err| work(arguments, &config, out, err))
}

fn work(arguments: &Explain, config: &Config, out: &mut impl Write, err: &mut impl Write) -> Result<Exit, Ended> {
    let key = &arguments.key;
    support::project(config, key.project())?;
    let replica = Replica::new(&arguments.at, config)?;
    let told = match support::runtime()?.block_on(replica.get(&path(key))) {
        Ok(told) => told,
        Err(Refused::Ended(ended)) => return Err(ended),
        Err(Refused::Away(_)) => {
            writeln!(err, "no replica answers at {}: read from Kafka, without details", replica.at())?;
            let settings = config.kafka.settings();
            // Who is the owner is good to know, and not needed.
            let members = publisher::members::members(&settings).unwrap_or_default();
            let question = Question { key, now: support::now(), instance: None, members: &members, view: None };
            explain::explain(&settings, question)?
        }
    };
    match arguments.output.output {
        Output::Text => write!(out, "{}", explain::as_text(&told))?,
        Output::Json => writeln!(out, "{:#}", serde_json::to_value(&told).map_err(anyhow::Error::from)?)?,
    }
    Ok(Exit::Done)
}

/// An id may hold anything but control characters.
fn path(key: &Key) -> String {
    let mut path = format!("/api/v1/submissions/{}/", key.project());
    for byte in key.submission().bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            path.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _infallible = write!(path, "%{byte:02X}");
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_id_becomes_one_segment_of_a_path() {
        let path = |text: &str| path(&Key::parse(text).unwrap());
        assert_eq!(path("acme/k3f9x1mes3ugzb"), "/api/v1/submissions/acme/k3f9x1mes3ugzb");
        assert_eq!(path("acme/a/b c?d\u{e9}"), "/api/v1/submissions/acme/a%2Fb%20c%3Fd%C3%A9");
    }
}
