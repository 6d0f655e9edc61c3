//! `verify`: does the state topic say what ARGOS's list says?
//!
//! Owns: the comparison of a list row's core fields with a snapshot, and the patience with what has just changed. Asks
//! ARGOS itself, so it finds what the service does not know. Sends nothing.
//!
//! Path: the whole state topic into a map, the whole list page by page, differences; then each of them that may be
//! young, or that a thin row cannot prove, is asked for by GET and compared again until it settles or time is up.
//! `updated_at` is no difference by itself: a look that finds equal facts under a newer clock writes no snapshot.

use super::progress::Progress;
use super::support::{self, Ended};
use crate::cli::{Exit, Output, Verify};
use crate::config::{Config, Environment, Project};
use argos::Client;
use models::{Answer, Entry, Key, KycStatus, ProjectId, Risk, Row, Time, TruthSource};
use publisher::reading::{Received, Start, TopicReader};
use publisher::record::Topic;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::Write;
use std::time::{Duration, Instant};

/// Exit 0 if they agree, 1 on a difference, 69 if Kafka or ARGOS does not answer.
pub(super) fn run(
    arguments: &Verify,
    environment: &Environment,
    out: &mut impl Write,
    err: &mut impl Write,
) -> anyhow::Result<Exit> {
    support::with_config(&arguments.config, environment, err, |config, _| work(arguments, &config, out))
}

/// The core fields of one submission, as a row, a snapshot or a GET shows them.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Core {
    /// `None` = not there, or shown as deleted.
    kyc_status: Option<KycStatus>,
    aml_vendor_status: Option<String>,
    risk: Option<Risk>,
    created_at: Option<Time>,
    updated_at: Option<Time>,
}

/// Of a snapshot only what is compared: other fields may be sealed.
#[derive(serde::Deserialize)]
struct Shown {
    submission: ShownSubmission,
    kyc: ShownKyc,
    aml: ShownAml,
    vendor_updated_at: Option<Time>,
}

#[derive(serde::Deserialize)]
struct ShownSubmission {
    created_at: Option<Time>,
}

#[derive(serde::Deserialize)]
struct ShownKyc {
    status: KycStatus,
}

#[derive(serde::Deserialize)]
struct ShownAml {
    vendor_status: String,
    risk: Risk,
}

const GONE: Core = Core { kyc_status: None, aml_vendor_status: None, risk: None, created_at: None, updated_at: None };

impl Core {
    fn of_row(row: &Row) -> Core {
        if row.kyc_status == Some(KycStatus::Deleted) {
            return GONE;
        }
        Core {
            // A row that shows no status is there all the same.
            kyc_status: row.kyc_status.or(Some(KycStatus::Unknown)),
            aml_vendor_status: row.aml_vendor_status.clone(),
            risk: row.risk,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }

    fn of_shown(shown: Shown) -> Core {
        Core {
            kyc_status: Some(shown.kyc.status),
            aml_vendor_status: Some(shown.aml.vendor_status),
            risk: Some(shown.aml.risk),
            created_at: shown.submission.created_at,
            updated_at: shown.vendor_updated_at,
        }
    }

    fn of_answer(answer: &Answer) -> Core {
        match answer {
            Answer::Absent => GONE,
            Answer::Present(shown) if shown.kyc.status == KycStatus::Deleted => GONE,
            Answer::Present(shown) => Core {
                kyc_status: Some(shown.kyc.status),
                aml_vendor_status: Some(shown.aml_vendor_status.clone()),
                risk: Some(shown.risk),
                created_at: shown.created_at,
                updated_at: shown.updated_at,
            },
        }
    }

    /// When it last changed, as far as is shown.
    fn changed_at(&self) -> Option<Time> {
        self.updated_at.or(self.created_at)
    }
}

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
struct Difference {
    id: String,
    /// `missing` from the state topic, `extra` there, or the field that differs.
    what: &'static str,
    argos: String,
    state: String,
}

/// Compares what ARGOS shows with what is published. What a row does not show is not compared.
fn differences(id: &str, argos: &Core, state: Option<&Core>) -> Vec<Difference> {
    let one = |what, argos: String, state: String| Difference { id: id.to_owned(), what, argos, state };
    let status = |core: &Core| core.kyc_status.map_or_else(|| "-".to_owned(), |status| status.to_string());
    match (argos.kyc_status, state) {
        (None, None) => Vec::new(),
        (Some(_), None) => vec![one("missing", status(argos), "-".to_owned())],
        (None, Some(state)) => vec![one("extra", "-".to_owned(), status(state))],
        (Some(shown), Some(state)) => {
            let mut found = Vec::new();
            if shown != KycStatus::Unknown && Some(shown) != state.kyc_status {
                found.push(one("kyc.status", status(argos), status(state)));
            }
            let words = |core: &Core| core.aml_vendor_status.clone().unwrap_or_default();
            if argos.aml_vendor_status.is_some() && argos.aml_vendor_status != state.aml_vendor_status {
                found.push(one("aml.vendor_status", words(argos), words(state)));
            }
            if let (Some(shown), Some(held)) = (argos.risk, state.risk)
                && shown != held
            {
                found.push(one("aml.risk", shown.to_string(), held.to_string()));
            }
            found
        }
    }
}

/// The published side: one project's snapshots, and the reader that brings them up to date.
struct Published {
    reader: TopicReader,
    project: ProjectId,
    held: BTreeMap<String, Core>,
}

impl Published {
    fn read(config: &Config, project: &ProjectId) -> Result<Published, Ended> {
        let reader = TopicReader::open(&config.kafka.settings(), Topic::State, &Start::Beginning)?;
        let mut published = Published { reader, project: project.clone(), held: BTreeMap::new() };
        let (held, project) = (&mut published.held, &published.project);
        let mut unreadable = None;
        published.reader.read_to_end(|record| {
            unreadable = take(held, project, &record).err();
            unreadable.is_none()
        })?;
        unreadable.map_or(Ok(published), |error| Err(Ended::Failed(error)))
    }

    /// Takes in what was published meanwhile.
    fn catch_up(&mut self) -> Result<(), Ended> {
        while let Some(record) = self.reader.next(Duration::from_millis(200))? {
            take(&mut self.held, &self.project, &record)?;
        }
        Ok(())
    }
}

fn take(held: &mut BTreeMap<String, Core>, project: &ProjectId, record: &Received) -> anyhow::Result<()> {
    let Some(key) = record.key.as_deref().and_then(|text| Key::parse(text).ok()) else { return Ok(()) };
    if key.project() != project.as_str() {
        return Ok(());
    }
    let id = key.submission().to_owned();
    match record.json::<Shown>() {
        None => held.remove(&id),
        Some(read) => {
            // The error of the JSON reader may repeat a value.
            let shown = read.map_err(|_| anyhow::anyhow!("a record of the state topic is no snapshot: {key}"))?;
            held.insert(id, Core::of_shown(shown))
        }
    };
    Ok(())
}

/// What the walk counted.
#[derive(Default)]
struct Walked {
    pages: u64,
    rows: u64,
    unreadable: u64,
    complete: bool,
    listed: BTreeMap<String, Core>,
}

fn work(arguments: &Verify, config: &Config, out: &mut impl Write) -> Result<Exit, Ended> {
    let project = support::project(config, arguments.project.as_str())?;
    let runtime = support::runtime()?;
    let client = support::client(config)?;
    let tell = Progress::new(arguments.output.output == Output::Text);
    let mut published = Published::read(config, &project.id)?;
    let submissions = published.held.len();
    let mut walked = Walked::default();
    walked.complete = runtime.block_on(support::walk(
        &client,
        &project.id,
        (arguments.from, arguments.to),
        support::rate(arguments.rate, project),
        |page| {
            walked.pages += 1;
            walked.rows += page.rows.len() as u64;
            walked.unreadable += page.unreadable as u64;
            walked.listed.extend(page.rows.iter().map(|(id, row)| (id.as_str().to_owned(), Core::of_row(row))));
            tell.say(&format!("{} pages, {} rows", walked.pages, walked.rows));
        },
    ))?;
    published.catch_up()?;
    let mut first = compare(arguments, &walked, &published);
    let differing = first.len();
    if !first.is_empty() {
        // ARGOS may show what was erased here for good.
        let erased = erased(config, &project.id)?;
        first.retain(|id| !erased.contains(id));
    }
    let erased = differing - first.len();
    let again = Again { client: &client, project, arguments, runtime: &runtime, tell: &tell };
    let (found, settled) = again.settle(first, &walked, &mut published)?;
    tell.end();
    let text = as_text(&walked, submissions, &found, (settled, erased));
    let ok = found.is_empty() && walked.complete;
    let document = json!({
        "ok": ok, "project": project.id, "complete": walked.complete, "pages": walked.pages, "rows": walked.rows,
        "unreadable": walked.unreadable, "listed": walked.listed.len(), "published": submissions, "settled": settled,
        "erased": erased, "differences": found,
    });
    support::print(out, arguments.output.output, &text, &document)?;
    Ok(if ok { Exit::Done } else { Exit::Failed })
}

/// What was erased, as the ledger remembers it.
fn erased(config: &Config, project: &ProjectId) -> Result<BTreeSet<String>, Ended> {
    let (mut erased, mut unreadable) = (BTreeSet::new(), None);
    TopicReader::open(&config.kafka.settings(), Topic::Ledger, &Start::Beginning)?.read_to_end(|record| {
        let key = record.key.as_deref().and_then(|text| Key::parse(text).ok());
        let (Some(key), Some(bytes)) = (key.filter(|key| key.project() == project.as_str()), &record.payload) else {
            return true;
        };
        match Entry::decode(bytes) {
            Ok(entry) if entry.is_erased() => {
                erased.insert(key.submission().to_owned());
            }
            Ok(_) => {}
            Err(error) => unreadable = Some(error),
        }
        unreadable.is_none()
    })?;
    unreadable.map_or(Ok(erased), |error| Err(Ended::Failed(error.into())))
}

fn compare(arguments: &Verify, walked: &Walked, published: &Published) -> BTreeSet<String> {
    // Of what shows no time, a list for the period tells, and the whole state topic does not.
    let inside = |core: &Core, unknown: bool| {
        core.created_at.map_or(unknown, |at| {
            arguments.from.is_none_or(|from| from <= at) && arguments.to.is_none_or(|to| at <= to)
        })
    };
    let whole = arguments.from.is_none() && arguments.to.is_none();
    let mut ids = BTreeSet::new();
    for (id, core) in &walked.listed {
        let differs = !differences(id, core, published.held.get(id)).is_empty();
        if differs && inside(core, true) {
            ids.insert(id.clone());
        }
    }
    let extra = |(id, core): &(&String, &Core)| !walked.listed.contains_key(*id) && inside(core, whole);
    ids.extend(published.held.iter().filter(extra).map(|(id, _)| id.clone()));
    ids
}

/// The second look at what differs.
struct Again<'a> {
    client: &'a Client,
    project: &'a Project,
    arguments: &'a Verify,
    runtime: &'a tokio::runtime::Runtime,
    tell: &'a Progress,
}

impl Again<'_> {
    /// What still differs, and how many no longer do.
    fn settle(
        &self,
        ids: BTreeSet<String>,
        walked: &Walked,
        published: &mut Published,
    ) -> Result<(Vec<Difference>, usize), Ended> {
        let until = Instant::now() + self.arguments.settle;
        let (mut found, mut settled) = (Vec::new(), 0);
        let (young, old): (Vec<_>, Vec<_>) =
            ids.into_iter().partition(|id| self.is_young(walked.listed.get(id), published.held.get(id)));
        for id in old {
            let listed = walked.listed.get(&id).unwrap_or(&GONE);
            found.extend(differences(&id, listed, published.held.get(&id)));
        }
        for (at, id) in young.iter().enumerate() {
            self.tell.say(&format!("{} of {} looked at again", at + 1, young.len()));
            let left = self.look_until(id, published, until)?;
            settled += usize::from(left.is_empty());
            found.extend(left);
        }
        found.sort_by(|one, other| (&one.id, one.what).cmp(&(&other.id, other.what)));
        Ok((found, settled))
    }

    /// Whether a difference may be one of time only. What the list lacks is young: a list is no snapshot, and absence
    /// from it no deletion. So is what is published under a newer clock than the row's: the row is the stale one.
    fn is_young(&self, listed: Option<&Core>, held: Option<&Core>) -> bool {
        let Some(listed) = listed else { return true };
        let newer = held.is_some_and(|held| held.updated_at > listed.updated_at);
        newer || listed.changed_at().is_none_or(|at| support::now().since(at) < self.arguments.settle)
    }

    /// A look may be several GETs.
    fn looks_a_second(&self) -> f64 {
        support::rate(self.arguments.rate, self.project) / f64::from(self.project.fetch.requests_per_look())
    }

    /// Asks ARGOS, then gives the state topic until `until` to say the same.
    fn look_until(&self, id: &str, published: &mut Published, until: Instant) -> Result<Vec<Difference>, Ended> {
        let text = format!("{}/{id}", self.project.id);
        let key = Key::parse(&text).map_err(anyhow::Error::from)?;
        loop {
            let truth = self.runtime.block_on(async {
                support::pace(self.looks_a_second()).await;
                self.client.look(&key).await
            })?;
            published.catch_up()?;
            let left = differences(id, &Core::of_answer(&truth.answer), published.held.get(id));
            if left.is_empty() || Instant::now() >= until {
                return Ok(left);
            }
        }
    }
}

fn as_text(walked: &Walked, submissions: usize, found: &[Difference], (settled, erased): (usize, usize)) -> String {
    let mut text = format!(
        "list: {} rows on {} pages, {} submissions; state topic: {submissions}\n",
        walked.rows,
        walked.pages,
        walked.listed.len()
    );
    for one in found {
        let _infallible =
            writeln!(text, "{:<20} {:<18} ARGOS: {:<14} published: {}", one.id, one.what, one.argos, one.state);
    }
    if walked.unreadable > 0 {
        let _infallible = writeln!(text, "{} rows without a usable id", walked.unreadable);
    }
    if erased > 0 {
        let _infallible = writeln!(text, "{erased} left out: they were erased");
    }
    if !walked.complete {
        text.push_str("the list led in a circle and was left: what follows was not compared\n");
    }
    let _infallible = writeln!(text, "{} differences; {settled} more settled when looked at again", found.len());
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn core(status: KycStatus) -> Core {
        Core { kyc_status: Some(status), aml_vendor_status: None, risk: None, created_at: None, updated_at: None }
    }

    #[test]
    fn what_a_row_does_not_show_is_not_compared() {
        let held = Core {
            aml_vendor_status: Some("Red Flag".to_owned()),
            risk: Some(Risk::High),
            ..core(KycStatus::Approved)
        };
        assert_eq!(differences("x", &core(KycStatus::Approved), Some(&held)), []);
        let words = |argos: &Core, state: Option<&Core>| -> Vec<&'static str> {
            differences("x", argos, state).iter().map(|one| one.what).collect()
        };
        assert_eq!(words(&core(KycStatus::Rejected), Some(&held)), ["kyc.status"]);
        let screened =
            Core { aml_vendor_status: Some("Not Screened".to_owned()), risk: Some(Risk::Low), ..held.clone() };
        assert_eq!(words(&screened, Some(&held)), ["aml.vendor_status", "aml.risk"]);
        assert_eq!(words(&core(KycStatus::Pending), None), ["missing"]);
        assert_eq!(words(&GONE, Some(&held)), ["extra"]);
        assert_eq!(words(&GONE, None), [""; 0]);
    }
}
