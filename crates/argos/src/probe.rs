//! A few harmless questions that show how a project of ARGOS really behaves where its pages are silent or disagree.
//!
//! Owns: which questions, and what each answer shows (ARGOS protocol, sections 3, 4.1 to 4.5 and 4.7). Reads only, at
//! most twenty GETs, one after the other with a pause. Must not know configuration files, or what is done with the
//! result. What it keeps of an answer is counts, times and error codes: no personal data.
//!
//! Path: [`Probe::examine`] asks for a page, which tells whether the key is accepted and whether, and how, answers are
//! sealed; all further questions go the same way. Each has a [`Verdict`] of its own: one that cannot be told spoils no
//! other.

mod report;

pub use report::{Latency, Report, Rows, Sealing, Verdict};

use crate::answer::Answer;
use crate::cipher::{Cipher, Derivation, Mode, Nonce};
use crate::client::{API_KEY, ClientError, Clock, http, read_whole, transport};
use crate::head::Head;
use crate::list::decode_page;
use crate::project::{DateFormat, Fetch, Project, Timeouts};
use crate::query::{self, ListQuery, Part, Seal, utc_day};
use crate::sealed::{self, Opened};
use crate::status::{self, Failure};
use crate::wire::text_of;
use models::{LookError, Page, Row, Time};
use reqwest::header::{DATE, HeaderValue};
use rustls::crypto::SecureRandom;
use secrecy::SecretString;
use std::time::Duration;
use tokio::time::Instant;
use url::Url;

/// Rows of a page that every reading of the pages allows (section 4.1).
const SAFE_PAGE: u32 = 50;
/// Calls behind the latency.
const CALLS: usize = 5;
/// Days by which a period is missed on purpose: more than zones and inclusiveness could explain.
const DAYS_OFF: i64 = 4;

/// One project, questioned.
pub struct Probe {
    project: Project,
    http: reqwest::Client,
    submission: Url,
    random: &'static dyn SecureRandom,
    clock: Clock,
    pause: Duration,
    /// The key that is asked with.
    key: Option<HeaderValue>,
    refused: Vec<HeaderValue>,
    /// Found by the first answer.
    cipher: Option<Cipher>,
    skews: Vec<i64>,
}

/// An answer, opened if it was sealed.
struct Reply {
    status: u16,
    body: Vec<u8>,
    took: Duration,
}

impl Probe {
    /// Connects nothing yet. Between two questions it waits for `pause`.
    pub fn new(project: Project, clock: Clock, pause: Duration, user_agent: &str) -> Result<Probe, ClientError> {
        let (http, submission) = http(&project, user_agent)?;
        let random = rustls::crypto::ring::default_provider().secure_random;
        let key = project.api_keys.untried(&[]);
        Ok(Probe {
            project,
            http,
            submission,
            random,
            clock,
            pause,
            key,
            refused: Vec::new(),
            cipher: None,
            skews: Vec::new(),
        })
    }

    /// Asks. `keys` are what a key of 32 bytes may be derived from, `expected` the settings in force, tried first.
    ///
    /// # Errors
    /// [`LookError::Retry`] or [`LookError::Throttled`] if there was no answer to judge from.
    pub async fn examine(
        &mut self,
        keys: &[SecretString],
        expected: Option<(Mode, Derivation)>,
    ) -> Result<Report, LookError> {
        let mut report = Report::unasked();
        let first = loop {
            let reply =
                self.ask(query::list(&self.submission, &self.page_of(SAFE_PAGE), DateFormat::Dashed, None)).await?;
            report.sealing = sealing(&reply.body, keys, expected);
            if let Some(Sealing::Opened(mode, derivation, at)) = report.sealing {
                self.cipher = Cipher::new(mode, derivation, &keys[at..=at]).ok();
            }
            match self.page(&reply) {
                Err(LookError::Denied(_)) if self.another_key() => {}
                Err(LookError::Denied(why)) => {
                    report.key = Verdict::Fails(why);
                    return Ok(report);
                }
                Err(error @ (LookError::Retry(_) | LookError::Throttled { .. })) => return Err(error),
                other => break other,
            }
        };
        report.key = Verdict::Holds;
        if report.sealing == Some(Sealing::Shut) {
            return Ok(report);
        }
        report.page_sizes.push((SAFE_PAGE, verdict(&first)));
        let page = first.unwrap_or_default();
        report.rows = carried(&page);
        let size = self.project.list.page_size;
        if size != SAFE_PAGE {
            let verdict = self.page_size(size).await;
            report.page_sizes.push((size, verdict));
        }
        for format in [DateFormat::Dashed, DateFormat::Compact] {
            let verdict = self.dates(format, &page).await.unwrap_or_else(|error| Verdict::Unknown(error.to_string()));
            report.dates.push((format, verdict));
        }
        report.slices = self.slices(&page).await.unwrap_or_else(|error| Verdict::Unknown(error.to_string()));
        (report.unknown_id, report.latency) = self.unknown_id().await;
        self.skews.sort_unstable();
        report.skew_ms = self.skews.get(self.skews.len() / 2).copied();
        Ok(report)
    }

    /// Whether there is another key to ask with: two may be valid while one is exchanged for the other.
    fn another_key(&mut self) -> bool {
        self.refused.extend(self.key.take());
        self.key = self.project.api_keys.untried(&self.refused);
        self.key.is_some()
    }

    /// One GET.
    async fn ask(&mut self, url: Url) -> Result<Reply, LookError> {
        tokio::time::sleep(self.pause).await;
        let key = self.key.clone().ok_or_else(|| LookError::Denied("there is no API key".to_owned()))?;
        let Timeouts { connect, headers, body } = self.project.timeouts;
        let (asked_at, began) = ((self.clock)(), Instant::now());
        let sent = self.http.get(url).header(API_KEY, key).send();
        let timed_out = |what: &str| LookError::Retry(format!("timed out {what}"));
        let mut answer = tokio::time::timeout(connect + headers, sent)
            .await
            .map_err(|_| timed_out("waiting for the headers"))?
            .map_err(|error| transport(&error))?;
        let middle = asked_at + began.elapsed() / 2;
        let date = answer.headers().get(DATE).and_then(|date| date.to_str().ok());
        if let Some(date) = date.and_then(|date| jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(date).ok()) {
            // The header has whole seconds, cut.
            self.skews.push(date.as_millisecond() + 500 - middle.as_millis());
        }
        let read = read_whole(&mut answer, self.project.max_body);
        let raw = tokio::time::timeout(body, read).await.map_err(|_| timed_out("reading the body"))??;
        let took = began.elapsed();
        let body = match self.cipher.as_ref().map(|cipher| sealed::open(cipher, &raw)) {
            Some(Opened::Sealed(inside)) => inside,
            _ => raw,
        };
        Ok(Reply { status: answer.status().as_u16(), body, took })
    }

    async fn list(&mut self, query: &ListQuery, format: DateFormat) -> Result<Page, LookError> {
        let url = query::list(&self.submission, query, format, self.seal()?);
        let reply = self.ask(url).await?;
        self.page(&reply)
    }

    async fn single(&mut self, id: &str, part: Option<Part>) -> Result<Reply, LookError> {
        let url = query::single(&self.submission, id, part, self.seal()?);
        self.ask(url).await
    }

    /// A project that asks for no personal data is not asked for any here either.
    fn page_of(&self, count: u32) -> ListQuery {
        let part = match self.project.fetch {
            Fetch::Full => None,
            Fetch::KycAmlOnly => Some(Part::Kyc),
        };
        ListQuery { count, part, ..ListQuery::default() }
    }

    fn seal(&self) -> Result<Option<Seal<'_>>, LookError> {
        let Some(cipher) = &self.cipher else { return Ok(None) };
        let mut nonce = Nonce::default();
        self.fill(&mut nonce)?;
        Ok(Some((cipher, nonce)))
    }

    fn fill(&self, bytes: &mut [u8]) -> Result<(), LookError> {
        self.random.fill(bytes).map_err(|_| LookError::Retry("no random numbers".to_owned()))
    }

    /// A reply as a page; it is opened again where the cipher was found only after it came.
    fn page(&self, reply: &Reply) -> Result<Page, LookError> {
        let inside = self.cipher.as_ref().and_then(|cipher| match sealed::open(cipher, &reply.body) {
            Opened::Sealed(inside) => Some(inside),
            Opened::Plain | Opened::Shut(_) => None,
        });
        let body = inside.as_ref().unwrap_or(&reply.body);
        match failure(reply.status, body) {
            None => decode_page(body),
            Some(Failure::Absent) => {
                Err(LookError::Unreadable(format!("status {}: the list is not found", reply.status)))
            }
            Some(Failure::Error(error)) => Err(error),
        }
    }

    async fn page_size(&mut self, size: u32) -> Verdict {
        let query = self.page_of(size);
        let page = self.list(&query, DateFormat::Dashed).await;
        match &page {
            Ok(page) if page.next.is_some() && page.rows.len() < size as usize => {
                Verdict::Fails(format!("{} rows came, though more follow", page.rows.len()))
            }
            _ => verdict(&page),
        }
    }

    /// Whether a period that misses every row of the page leaves them out, and one that covers them does not.
    async fn dates(&mut self, format: DateFormat, page: &Page) -> Result<Verdict, LookError> {
        let made: Vec<Time> = page.rows.iter().filter_map(|(_, row)| row.created_at).collect();
        let (Some(oldest), Some(newest)) = (made.iter().min(), made.iter().max()) else {
            return Ok(Verdict::Unknown("no row shows when it was made".to_owned()));
        };
        let days = jiff::Span::new().days(DAYS_OFF);
        let day =
            |time: Time| utc_day(time).ok_or_else(|| LookError::Unreadable("a time beyond the calendar".to_owned()));
        let (first, last) = (day(*oldest)?.saturating_sub(days), day(*newest)?.saturating_add(days));
        let covering = ListQuery { start_date: Some(first), end_date: Some(last), ..self.page_of(SAFE_PAGE) };
        match self.list(&covering, format).await {
            Err(LookError::Unreadable(why)) => return Ok(Verdict::Fails(why)),
            Err(other) => return Err(other),
            Ok(page) if page.rows.is_empty() => {
                return Ok(Verdict::Fails("a period that holds rows comes empty".to_owned()));
            }
            Ok(_) => {}
        }
        let behind = ListQuery { start_date: Some(last), ..self.page_of(SAFE_PAGE) };
        let older = |(_, row): &(_, Row)| row.created_at.is_some_and(|at| at <= *newest);
        Ok(match self.list(&behind, format).await? {
            page if page.rows.iter().any(older) => {
                Verdict::Fails("it is ignored: rows outside of the period came".to_owned())
            }
            _ => Verdict::Holds,
        })
    }

    /// Whether the parts `kyc` and `aml` of a known submission hold themselves, and not the rest.
    async fn slices(&mut self, page: &Page) -> Result<Verdict, LookError> {
        let Some((id, _)) = page.rows.first() else {
            return Ok(Verdict::Unknown("there is no submission to ask for".to_owned()));
        };
        for (part, others) in [(Part::Kyc, ["data", "aml"]), (Part::Aml, ["data", "kyc"])] {
            let reply = self.single(id.as_str(), Some(part)).await?;
            match failure(reply.status, &reply.body) {
                Some(Failure::Error(error @ (LookError::Retry(_) | LookError::Throttled { .. }))) => return Err(error),
                Some(Failure::Error(error)) => return Ok(Verdict::Fails(error.to_string())),
                Some(Failure::Absent) => return Ok(Verdict::Fails("the part is not found".to_owned())),
                None => {}
            }
            let text = text_of(&reply.body);
            let Some(item) = Answer::open(&text)?.items.into_iter().next() else {
                return Ok(Verdict::Fails("no item came".to_owned()));
            };
            if item.members(others).is_some_and(|found| found.iter().any(Option::is_some)) {
                return Ok(Verdict::Fails("more than the part came".to_owned()));
            }
            if part == Part::Kyc && !matches!(Head::of(item).and_then(|head| head.kyc_status()), Ok(Some(_))) {
                return Ok(Verdict::Fails("the part shows no status".to_owned()));
            }
        }
        Ok(Verdict::Holds)
    }

    /// How an id that does not exist is answered, and how fast.
    async fn unknown_id(&mut self) -> ((Verdict, String), Option<Latency>) {
        let (mut told, mut times) = ((Verdict::Unknown("not asked".to_owned()), String::new()), Vec::new());
        for _ in 0..CALLS {
            let mut bytes = [0; 8];
            let reply = match self.fill(&mut bytes) {
                Ok(()) => self.single(&hex::encode(bytes), None).await,
                Err(error) => Err(error),
            };
            match reply {
                Ok(reply) => {
                    times.push(reply.took);
                    told = absence(&reply);
                }
                Err(error) => return ((Verdict::Unknown(error.to_string()), String::new()), None),
            }
        }
        times.sort_unstable();
        let latency = Latency { p50: times[CALLS / 2], max: times[CALLS - 1] };
        (told, Some(latency))
    }
}

/// `None` if it is a success.
fn failure(status: u16, body: &[u8]) -> Option<Failure> {
    (!(200..300).contains(&status)).then(|| status::of_failure(status, None, body))
}

fn verdict(page: &Result<Page, LookError>) -> Verdict {
    match page {
        Ok(_) => Verdict::Holds,
        Err(LookError::Unreadable(why)) => Verdict::Fails(why.clone()),
        Err(other) => Verdict::Unknown(other.to_string()),
    }
}

fn carried(page: &Page) -> Rows {
    let count = |shown: fn(&Row) -> bool| page.rows.iter().filter(|(_, row)| shown(row)).count();
    Rows {
        rows: page.rows.len(),
        with_aml: count(|row| row.aml_vendor_status.is_some()),
        with_updated_at: count(|row| row.updated_at.is_some()),
    }
}

/// Whether a body is sealed, and what opens it: what is expected first, then every mode and derivation with every key.
/// `None` for what is no JSON object, such as a proxy's page.
fn sealing(body: &[u8], keys: &[SecretString], expected: Option<(Mode, Derivation)>) -> Option<Sealing> {
    use Derivation::{First32Bytes, Last32Bytes, Sha256, Sha256Hex32};
    let derivations = [First32Bytes, Sha256, Sha256Hex32, Last32Bytes];
    // GCM first: its tag leaves no doubt.
    let all = [Mode::Gcm, Mode::Ecb].into_iter().flat_map(|mode| derivations.map(|derivation| (mode, derivation)));
    let text = text_of(body);
    let object = crate::wire::Raw::parse(&text)?;
    if sealed::envelope(object).is_none() {
        return Some(Sealing::Plain);
    }
    for (mode, derivation) in expected.into_iter().chain(all) {
        for at in 0..keys.len() {
            let Ok(cipher) = Cipher::new(mode, derivation, &keys[at..=at]) else { continue };
            if let Opened::Sealed(_) = sealed::open(&cipher, body) {
                return Some(Sealing::Opened(mode, derivation, at));
            }
        }
    }
    Some(Sealing::Shut)
}

/// Whether an answer is read as "no such submission", and its form.
fn absence(reply: &Reply) -> (Verdict, String) {
    let status = reply.status;
    match failure(status, &reply.body) {
        Some(Failure::Absent) => (Verdict::Holds, format!("status {status}")),
        Some(Failure::Error(error)) => {
            (Verdict::Fails(format!("it is not read as absence: {error}")), format!("status {status}"))
        }
        None => match Answer::open(&text_of(&reply.body)) {
            Ok(answer) if answer.items.is_empty() => (Verdict::Holds, format!("status {status} without items")),
            Ok(_) => (Verdict::Fails("an item came".to_owned()), format!("status {status}")),
            Err(error) => (Verdict::Fails(error.to_string()), format!("status {status}")),
        },
    }
}
