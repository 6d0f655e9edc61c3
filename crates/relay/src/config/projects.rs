//! The `[[projects]]` room: one ARGOS project each, with its API key, budget and rules.

use super::durations::{self, ByteSize};
use super::encryption::Encryption;
use super::estimate;
use super::list::List;
use super::read::Section;
use super::schedules::{Aml, Deletions, Failures, Rechecks, Relooks, Sweeps};
use super::secret::{self, Secrets};
use super::values::choice;
use super::webhook::Webhook;
use models::{ProjectId, Time};
use serde::Serialize;
use std::collections::BTreeSet;
use std::time::Duration;
use url::{Host, Url};

choice! {
    /// What becomes of submissions that were there before this service was.
    Baseline {
        /// First seen and last changed before `live_since`: a snapshot, no event.
        Snapshots = "snapshots",
        /// Each begins with its event.
        Events = "events",
    }
}

choice! {
    /// Which parts of a submission are asked for.
    Fetch {
        /// The whole document; a change of personal data is noticed (and told without values).
        Full = "full",
        /// Only the parts `kyc` and `aml`, in three requests for each look. Names, birth dates, addresses, documents and
        /// images are then never sent to this process, but for what ARGOS repeats inside `kyc.attempts`, which is skipped
        /// unread. Times, reviewer and user id are not in these parts, and are told as absent.
        KycAmlOnly = "kyc_aml_only",
    }
}

impl Fetch {
    /// How many requests a look costs.
    pub const fn requests_per_look(self) -> u32 {
        match self {
            Fetch::Full => 1,
            Fetch::KycAmlOnly => 3,
        }
    }
}

/// One ARGOS project.
#[derive(Clone, Debug, Serialize)]
pub struct Project {
    /// Our name for it: in the webhook's path, in every key, in metrics. Never change it. Required.
    pub id: ProjectId,
    /// The REST interface. Default `https://rest-api.argosidentity.com/v3` (ARGOS protocol, section 4.1).
    pub base_url: Url,
    /// The project's API key. `api_key_file` may have two lines while one is exchanged for the other: the first is
    /// used, and the second is tried when ARGOS refuses the first. Required.
    #[serde(serialize_with = "secret::as_one")]
    pub api_key: Secrets,
    /// Requests a second to ARGOS, over all replicas: each has a share, by the partitions that it holds. Default 5.
    pub requests_per_second: f64,
    /// Requests a day to ARGOS, over all replicas. Default 400,000.
    pub requests_per_day: u64,
    /// A connection must stand within this time. Default 3 s.
    #[serde(serialize_with = "durations::duration")]
    pub connect_timeout: Duration,
    /// A request must be answered in full within this time. Default 10 s.
    #[serde(serialize_with = "durations::duration")]
    pub request_timeout: Duration,
    /// The largest answer that is read. Default 4 MiB.
    pub response_limit: ByteSize,
    /// Default `snapshots`.
    pub baseline: Baseline,
    /// For `baseline = "snapshots"`: what last changed before this time is old. Default: when a partition first ran
    /// with the project.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub live_since: Option<Time>,
    /// Default `full`.
    pub fetch: Fetch,
    /// Who may send webhooks.
    pub webhook: Webhook,
    /// Whether ARGOS encrypts for this project.
    pub encryption: Encryption,
    /// How its list is asked.
    pub list: List,
    /// List walks that repair what webhooks lost.
    pub sweeps: Sweeps,
    /// When to look again at what is not settled.
    pub rechecks: Rechecks,
    /// When to try again after a failed look.
    pub failures: Failures,
    /// When to look at what is settled.
    pub relooks: Relooks,
    /// When an absence is believed.
    pub deletions: Deletions,
    /// What counts as a screening.
    pub aml: Aml,
}

impl Project {
    /// Reads all of them.
    pub(super) fn read_all(root: &mut Section<'_>) -> Vec<Project> {
        let sections = root.sections("projects");
        if sections.is_empty() {
            root.wrong("projects", "needs at least one project");
        }
        let mut seen = BTreeSet::new();
        sections.into_iter().flatten().filter_map(|section| Project::read(section, &mut seen)).collect()
    }

    /// `None` only after an error.
    fn read(mut section: Section<'_>, seen: &mut BTreeSet<ProjectId>) -> Option<Project> {
        let id = id(&mut section, seen);
        let base_url = base_url(&mut section);
        let api_key = api_key(&mut section);
        let (requests_per_second, requests_per_day) = budget(&mut section);
        let connect_timeout = timeout(&mut section, "connect_timeout", 3);
        let request_timeout = timeout(&mut section, "request_timeout", 10);
        let response_limit = response_limit(&mut section);
        let (baseline, live_since) = baseline(&mut section);
        let fetch = section.or("fetch", Fetch::Full);
        let encryption = Encryption::read(section.section("encryption"), api_key.as_ref());
        let webhook = Webhook::read(&mut section, encryption.authenticates());
        let list = List::read(section.section("list"));
        let sweeps = Sweeps::read(&mut section);
        let rechecks = Rechecks::read(section.section("rechecks"));
        let failures = Failures::read(section.section("failures"));
        let relooks = Relooks::read(section.section("relooks"));
        let deletions = Deletions::read(section.section("deletions"));
        let aml = Aml::read(section.section("aml"));
        let asked =
            estimate::Budget { per_second: requests_per_second, per_day: requests_per_day, page_size: list.page_size };
        estimate::warn(&section, &sweeps, &asked);
        Some(Project {
            id: id?,
            base_url: base_url?,
            api_key: api_key?,
            requests_per_second,
            requests_per_day,
            connect_timeout,
            request_timeout,
            response_limit,
            baseline,
            live_since,
            fetch,
            webhook,
            encryption,
            list,
            sweeps,
            rechecks,
            failures,
            relooks,
            deletions,
            aml,
        })
    }
}

fn id(section: &mut Section<'_>, seen: &mut BTreeSet<ProjectId>) -> Option<ProjectId> {
    let id = section.required::<ProjectId>("id")?;
    section.check("id", seen.insert(id.clone()), "is the id of another project too");
    Some(id)
}

fn api_key(section: &mut Section<'_>) -> Option<Secrets> {
    let keys = section.required_lines("api_key")?;
    if let Err(error) = argos::ApiKeys::new(keys.wrapped()) {
        section.wrong("api_key", error.to_string());
    }
    Some(keys)
}

/// Requests a second and a day.
fn budget(section: &mut Section<'_>) -> (f64, u64) {
    let second = section.or("requests_per_second", 5.0);
    let sane = second > 0.0 && second <= 5_000.0;
    section.check("requests_per_second", sane, "must be over 0, and 5000 at most (ARGOS's own limit)");
    let day = section.or("requests_per_day", 400_000);
    section.check("requests_per_day", day > 0, "must be at least 1");
    (second, day)
}

fn response_limit(section: &mut Section<'_>) -> ByteSize {
    let limit = section.or("response_limit", ByteSize::mebibytes(4));
    let sizes = ByteSize(1024)..=ByteSize::mebibytes(64);
    section.check("response_limit", sizes.contains(&limit), "must be from 1KiB to 64MiB");
    limit
}

fn baseline(section: &mut Section<'_>) -> (Baseline, Option<Time>) {
    let baseline = section.or("baseline", Baseline::Snapshots);
    let live_since = section.optional("live_since");
    let fits = live_since.is_none() || baseline == Baseline::Snapshots;
    section.check("live_since", fits, "has a meaning only with baseline = \"snapshots\"");
    (baseline, live_since)
}

fn timeout(section: &mut Section<'_>, key: &str, default_seconds: u64) -> Duration {
    let span = section.or(key, Duration::from_secs(default_seconds));
    let fits = (Duration::from_millis(100)..=Duration::from_mins(2)).contains(&span);
    section.check(key, fits, "must be from 100ms to 2m");
    span
}

/// The API key goes to this address: in the clear only within this machine.
fn base_url(section: &mut Section<'_>) -> Option<Url> {
    let url = match section.optional::<Url>("base_url") {
        Some(url) => url,
        None => Url::parse("https://rest-api.argosidentity.com/v3").ok()?,
    };
    let loopback = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    let safe = url.scheme() == "https" || (url.scheme() == "http" && loopback);
    section.check("base_url", safe, "must be https (http only to this machine): the API key goes there");
    let bare =
        url.query().is_none() && url.fragment().is_none() && url.username().is_empty() && url.password().is_none();
    section.check("base_url", bare, "must have no user, query or fragment");
    Some(url)
}
