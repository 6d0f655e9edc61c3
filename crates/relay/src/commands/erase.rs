//! `erase <project>/<id>`: one submission is forgotten, and what is still held of it is told.
//!
//! The service writes the tombstone and the grave. Events that were published stay until their retention ends: Kafka
//! deletes no single record. So the command says what is there, and does nothing without `--yes`.

use super::follow::{Came, Follow};
use super::support::{self, Ended, Sender};
use crate::cli::{Erase, Exit};
use crate::config::{Config, Environment};
use crate::operate::hints;
use models::{Key, Lane, Time};
use publisher::reading::{Start, TopicReader};
use publisher::record::Topic;
use publisher::topics;
use serde_json::json;
use std::fmt::Write as _;
use std::io::Write;
use std::time::{Duration, Instant};

/// Exit 0 once it is erased, 1 if that was not seen in time, 64 without `--yes`, 69 if Kafka does not answer.
pub(super) fn run(
    arguments: &Erase,
    environment: &Environment,
    out: &mut impl Write,
    err: &mut impl Write,
) -> anyhow::Result<Exit> {
    support::with_config(&arguments.config, environment, err, |config, _| work(arguments, &config, out))
}

/// What the events topic still holds.
#[derive(Default, serde::Serialize)]
struct Held {
    events: u64,
    oldest: Option<Time>,
    newest: Option<Time>,
    retention_seconds: Option<u64>,
    gone_by: Option<Time>,
}

fn held(config: &Config, key: &Key) -> Result<Held, Ended> {
    let settings = config.kafka.settings();
    let names = settings.names();
    let retention = support::runtime()?.block_on(topics::retention(&settings, names.of(Topic::Events)))?;
    let mut held = Held { retention_seconds: retention.map(|span| span.as_secs()), ..Held::default() };
    TopicReader::open_for(&settings, Topic::Events, &Start::Beginning, key.as_str())?.read_to_end(|record| {
        if record.key.as_deref() == Some(key.as_str()) {
            held.events += 1;
            held.oldest.get_or_insert(record.at);
            held.newest = Some(record.at);
        }
        true
    })?;
    held.gone_by = retention.and_then(|span| Some(held.newest? + span));
    Ok(held)
}

impl Held {
    fn as_text(&self, key: &Key) -> String {
        let mut text = match (self.oldest, self.newest) {
            (Some(oldest), Some(newest)) => {
                format!("{key}: the events topic holds {} events, from {oldest} to {newest}", self.events)
            }
            _ => format!("{key}: the events topic holds no event"),
        };
        match (self.retention_seconds, self.gone_by) {
            (Some(seconds), Some(at)) => {
                let _infallible =
                    write!(text, "; with its retention of {} days they are gone soon after {at}", seconds / 86_400);
            }
            (None, _) if self.events > 0 => text.push_str("; the topic keeps them for ever"),
            _ => {}
        }
        text.push('\n');
        text
    }
}

fn work(arguments: &Erase, config: &Config, out: &mut impl Write) -> Result<Exit, Ended> {
    let key = &arguments.key;
    support::project(config, key.project())?;
    let held = held(config, key)?;
    let mut text = held.as_text(key);
    let mut follow = Follow::open(config, key)?;
    let erased_before = follow.entry.as_ref().is_some_and(|entry| entry.is_erased());
    let (result, exit, hint_id) = if erased_before {
        text.push_str("it was erased before\n");
        ("erased_before", Exit::Done, None)
    } else if arguments.yes {
        let hint = hints::erase(key, support::now());
        Sender::open(config)?.hint(key, Lane::Live, &hint)?;
        let erased = wait_for_grave(&mut follow, arguments.timeout)?;
        text.push_str(if erased {
            "it is erased: no state, no entry but a grave; it is never fetched or published again\n"
        } else {
            "the request is acknowledged, but no replica has carried it out in time; it is kept, and one will\n"
        });
        let exit = if erased { Exit::Done } else { Exit::Failed };
        (if erased { "erased" } else { "asked" }, exit, Some(hint.id))
    } else {
        text.push_str("nothing was erased: say --yes to do it; it cannot be undone\n");
        ("nothing", Exit::Usage, None)
    };
    let document = json!({ "key": key, "result": result, "hint_id": hint_id, "held": held });
    support::print(out, arguments.output.output, &text, &document)?;
    Ok(exit)
}

fn wait_for_grave(follow: &mut Follow, within: Duration) -> Result<bool, Ended> {
    let until = Instant::now() + within;
    // A look that was under way may come first.
    loop {
        match follow.wait(until.saturating_duration_since(Instant::now()))? {
            Came::Nothing => return Ok(false),
            Came::Entry(Some(entry), _) if entry.is_erased() => return Ok(true),
            Came::Entry(..) => {}
        }
    }
}
