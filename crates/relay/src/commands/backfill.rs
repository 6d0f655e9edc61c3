//! `backfill`: one walk over a period of ARGOS's list, by the service itself.
//!
//! Owns: the request, and telling how the walk goes. The owner of partition 0 walks, within its budget, and goes on
//! after a crash; so this command may be interrupted, and run again to look on. The dry run is the exception: it walks
//! here, reads only, and sends nothing.
//!
//! Path: the ledger says whether such a walk is under way ([`standing`]); if not, a request is sent; then the
//! notifications are followed to the walk's end.

use super::progress::Progress;
use super::support::{self, Ended, Sender};
use crate::cli::{Backfill, Exit, Output};
use crate::config::{Config, Environment, Project};
use models::{Memo, MemoKey, Notification, Request, Sweep, SweepMemo, Time, Totals};
use publisher::reading::{Start, TopicReader};
use publisher::record::Topic;
use serde_json::json;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const SHORT: Duration = Duration::from_millis(200);

/// Exit 0 at the walk's end, or if it is left to itself; 1 if it came to no end; 69 if Kafka, ARGOS or the service is away.
pub(super) fn run(
    arguments: &Backfill,
    environment: &Environment,
    out: &mut impl Write,
    err: &mut impl Write,
) -> anyhow::Result<Exit> {
    support::with_config(&arguments.config, environment, err, |config, err| {
        let project = support::project(&config, arguments.project.as_str())?;
        if arguments.from > arguments.to {
            return Err(Ended::Usage("--from is after --to".to_owned()));
        }
        if arguments.from > support::now() {
            return Err(Ended::Usage("--from lies ahead: there is nothing to walk".to_owned()));
        }
        let tell = Progress::new(arguments.output.output == Output::Text);
        if arguments.dry_run {
            dry_run(arguments, &config, project, &tell, out)
        } else {
            work(arguments, &config, &tell, out, err)
        }
    })
}

/// Walks the list here.
fn dry_run(
    arguments: &Backfill,
    config: &Config,
    project: &Project,
    tell: &Progress,
    out: &mut impl Write,
) -> Result<Exit, Ended> {
    let client = support::client(config)?;
    let (mut pages, mut rows, mut unreadable) = (0_u64, 0_u64, 0_u64);
    let mut ids = std::collections::HashSet::new();
    let range = (Some(arguments.from), Some(arguments.to));
    let complete = support::runtime()?.block_on(support::walk(
        &client,
        &project.id,
        range,
        support::rate(arguments.rate, project),
        |page| {
            pages += 1;
            rows += page.rows.len() as u64;
            unreadable += page.unreadable as u64;
            let inside = |row: &models::Row| row.created_at.is_none_or(|at| arguments.from <= at && at <= arguments.to);
            ids.extend(page.rows.into_iter().filter(|(_, row)| inside(row)).map(|(id, _)| id));
            tell.say(&format!("{pages} pages, {rows} rows, {} submissions", ids.len()));
        },
    ))?;
    tell.end();
    // Each page is one GET. A row that the ledger does not hold as it is costs one look; at worst, each does.
    let looks = ids.len() as u64 * u64::from(project.fetch.requests_per_look());
    let seconds = |requests: u64| (requests as f64 / project.requests_per_second).ceil() as u64;
    let text = format!(
        "{pages} pages, {rows} rows, {} submissions in the period{}\n\
         at worst (nothing known yet) {} GETs, about {} at {} requests a second; where nothing has changed, {pages} GETs\n\
         nothing was sent\n",
        ids.len(),
        if complete { "" } else { "; the list led in a circle and was left" },
        pages + looks,
        span(seconds(pages + looks)),
        project.requests_per_second,
    );
    let document = json!({
        "project": project.id, "from": arguments.from, "to": arguments.to, "complete": complete, "pages": pages,
        "rows": rows, "unreadable": unreadable, "submissions": ids.len(), "gets_at_worst": pages + looks,
        "seconds_at_worst": seconds(pages + looks),
    });
    support::print(out, arguments.output.output, &text, &document)?;
    Ok(if complete { Exit::Done } else { Exit::Failed })
}

fn span(seconds: u64) -> String {
    crate::config::durations::show_duration(Duration::from_secs(seconds))
}

/// What the ledger says of the project's backfill.
fn standing(config: &Config, project: &models::ProjectId) -> Result<SweepMemo, Ended> {
    let wanted = MemoKey::Sweep(project.clone(), Sweep::Backfill).to_string();
    let mut last = None;
    let settings = config.kafka.settings();
    TopicReader::open_partition(&settings, Topic::Ledger, &Start::Beginning, 0)?.read_to_end(|record| {
        if record.key.as_deref() == Some(&wanted) {
            last = record.payload;
        }
        true
    })?;
    let memo = last.map(|bytes| Memo::decode(&bytes)).transpose().map_err(anyhow::Error::from)?;
    Ok(if let Some(Memo::Sweep(memo)) = memo { *memo } else { SweepMemo::default() })
}

fn work(
    arguments: &Backfill,
    config: &Config,
    tell: &Progress,
    out: &mut impl Write,
    err: &mut impl Write,
) -> Result<Exit, Ended> {
    let settings = config.kafka.settings();
    let mut notices = TopicReader::open_for(&settings, Topic::Notifications, &Start::End, arguments.project.as_str())?;
    let standing = standing(config, &arguments.project)?;
    let lag = support::project(config, arguments.project.as_str())?.sweeps.lag;
    let attached = covers(&standing, lag, arguments);
    // A walk over another period ends first; its end is not ours.
    let other = standing.walk.filter(|_| !attached).map(|walk| walk.started_at);
    if attached {
        writeln!(err, "this backfill is asked for already; looking on")?;
    } else {
        let (from, to) = (arguments.from, arguments.to);
        let request = Request::Backfill { project: arguments.project.clone(), at: support::now(), from, to };
        Sender::open(config)?.request(&request)?;
        let waits = if other.is_some() { "; a walk over another period goes first" } else { "" };
        writeln!(err, "the request is acknowledged{waits}")?;
    }
    if arguments.detach {
        let document = json!({ "project": arguments.project, "result": if attached { "attached" } else { "asked" } });
        support::print(out, arguments.output.output, "the walk is left to itself\n", &document)?;
        return Ok(Exit::Done);
    }
    let followed = follow(arguments, (attached, other), &mut notices, tell)?;
    tell.end();
    let (exit, text, document) = told(&followed, arguments);
    support::print(out, arguments.output.output, &text, &document)?;
    Ok(exit)
}

/// Whether what was asked for waits or is under way. A walk leaves out what is younger than `lag` at its beginning.
fn covers(standing: &SweepMemo, lag: Duration, arguments: &Backfill) -> bool {
    let walks = standing.walk.as_ref().is_some_and(|walk| {
        let to = arguments.to.min(walk.started_at - lag);
        walk.from.is_none_or(|from| from <= arguments.from) && walk.to >= to
    });
    walks || standing.range.is_some_and(|(from, to)| from <= arguments.from && arguments.to <= to)
}

/// How following ended.
enum Followed {
    Ended { complete: bool, totals: Totals, took: Duration },
    Interrupted,
    NeverBegan,
}

fn follow(
    arguments: &Backfill,
    (mut begun, other): (bool, Option<Time>),
    notices: &mut TopicReader,
    tell: &Progress,
) -> Result<Followed, Ended> {
    let runtime = support::runtime()?;
    let interrupted = Arc::new(AtomicBool::new(false));
    let set = Arc::clone(&interrupted);
    runtime.spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            set.store(true, Ordering::Relaxed);
        }
    });
    let until = Instant::now() + arguments.begins_within;
    loop {
        if interrupted.load(Ordering::Relaxed) {
            return Ok(Followed::Interrupted);
        }
        if !begun && Instant::now() >= until {
            return Ok(Followed::NeverBegan);
        }
        let Some(record) = notices.next(SHORT)? else { continue };
        let notice = record.json::<Notification>().and_then(Result::ok);
        match notice.filter(|notice| is_ours(notice, arguments)) {
            Some(Notification::SweepStarted { at, .. }) => {
                begun = true;
                tell.say(&format!("begun at {at}"));
            }
            Some(Notification::SweepProgress { totals, waiting, backlog_seconds, .. }) => {
                begun = true;
                tell.say(&format!("{}; {waiting} looks wait, about {}", counts(&totals), span(backlog_seconds)));
            }
            Some(Notification::SweepEnded { complete, totals, started_at, at, .. }) if other != Some(started_at) => {
                return Ok(Followed::Ended { complete, totals, took: at.since(started_at) });
            }
            _ => {}
        }
    }
}

fn is_ours(notice: &Notification, arguments: &Backfill) -> bool {
    match notice {
        Notification::SweepStarted { project, sweep, .. }
        | Notification::SweepProgress { project, sweep, .. }
        | Notification::SweepEnded { project, sweep, .. } => *sweep == Sweep::Backfill && *project == arguments.project,
        _ => false,
    }
}

fn counts(totals: &Totals) -> String {
    let Totals { pages, rows, equal, hinted, unreadable } = totals;
    format!("{pages} pages, {rows} rows: {equal} equal, {hinted} to be looked at, {unreadable} unreadable")
}

fn told(followed: &Followed, arguments: &Backfill) -> (Exit, String, serde_json::Value) {
    let project = &arguments.project;
    match followed {
        Followed::Ended { complete, totals, took } => {
            let end =
                if *complete { "the walk is at its end" } else { "the walk was given up: the list did not move on" };
            (
                if *complete { Exit::Done } else { Exit::Failed },
                format!("{end} after {took:.1?}: {}\n", counts(totals)),
                json!({ "project": project, "result": "ended", "complete": complete, "totals": totals, "seconds": took.as_secs_f64() }),
            )
        }
        Followed::Interrupted => (
            Exit::Done,
            "the walk goes on without us; the same command looks on again\n".to_owned(),
            json!({ "project": project, "result": "interrupted" }),
        ),
        Followed::NeverBegan => (
            Exit::Unreachable,
            "no replica has begun the walk in time; the request is kept, and one will\n".to_owned(),
            json!({ "project": project, "result": "not_begun" }),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments() -> Backfill {
        let line = "argos-relay backfill --config a --project acme --from 2026-01-01 --to 2026-01-31";
        let cli = crate::cli::parse(line.split(' ').map(Into::into)).unwrap();
        let crate::cli::Command::Backfill(arguments) = cli.command else { panic!("{cli:?}") };
        arguments
    }

    #[test]
    fn what_waits_or_walks_is_not_asked_for_again() {
        let asked = arguments();
        let (day, hour) = (Duration::from_hours(24), Duration::from_hours(1));
        let walk = |from: Time, to: Time| SweepMemo {
            walk: Some(models::Walk {
                started_at: asked.to,
                from: Some(from),
                to,
                cursor: None,
                stalled: 0,
                totals: Totals::default(),
            }),
            ..SweepMemo::default()
        };
        let waits = |from: Time, to: Time| SweepMemo { range: Some((from, to)), ..SweepMemo::default() };
        let covers = |standing: &SweepMemo| super::covers(standing, hour, &asked);
        assert!(!covers(&SweepMemo::default()));
        assert!(covers(&waits(asked.from, asked.to)) && covers(&waits(asked.from - day, asked.to + day)));
        assert!(!covers(&waits(asked.from + day, asked.to)));
        // What was not settled when it began is left out of it.
        assert!(covers(&walk(asked.from, asked.to - hour)) && !covers(&walk(asked.from, asked.to - day)));
        assert!(!covers(&walk(asked.from + day, asked.to)));
    }

    #[test]
    fn only_the_backfill_of_the_project_is_followed() {
        let arguments = arguments();
        let started = |project: &str, sweep| Notification::SweepStarted {
            project: models::ProjectId::new(project).unwrap(),
            sweep,
            at: Time::from_millis(0),
        };
        assert!(is_ours(&started("acme", Sweep::Backfill), &arguments));
        assert!(!is_ours(&started("acme", Sweep::Full), &arguments));
        assert!(!is_ours(&started("beta", Sweep::Backfill), &arguments));
    }
}
