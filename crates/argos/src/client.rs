//! The HTTP client for ARGOS: one GET at a time, bounded in time and size.
//!
//! Owns headers, timeouts and TLS (ARGOS protocol, sections 4 to 4.2). Must not know when to ask again, how often, or
//! what an answer holds: [`crate::document`], [`crate::list`] and [`crate::status`] read what it carries, and
//! `query` writes what it asks.
//!
//! Path: [`Client::look`](models::TruthSource::look) builds the URL, sends, maps the status, reads the body up to
//! its bound, opens it if the project encrypts, decodes. Nothing is retried, but for a second API key
//! after a refusal of the first ([`crate::api_key`]); no redirect is followed, no proxy is
//! taken from the environment: the API key goes to the configured host only. Dropping the future drops the request.
//!
//! Of an encrypting project, an answer that stays shut is [`LookError::Denied`] and never "absent": a wrong key,
//! derivation or mode shuts them all, and must open the breaker and keep the hints.

use crate::cipher::Nonce;
use crate::list::decode_page;
use crate::lookup::{Found, Pages, Person};
use crate::project::Fetch;
use crate::query::{self, ListQuery, Part, Seal};
use crate::sealed::{self, Opened};
use crate::status::{self, Failure};
use crate::{document, slices};
use models::{Answer, Key, LookError, Page, PageQuery, ProjectId, Time, Truth, TruthSource};
use reqwest::header::{HeaderMap, HeaderValue, RETRY_AFTER};
use rustls::ClientConfig;
use rustls::crypto::SecureRandom;
use rustls_platform_verifier::BuilderVerifierExt;
use std::collections::HashMap;
use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use url::Url;

pub use crate::project::{Project, Timeouts};

/// The header of the API key.
pub(crate) const API_KEY: &str = "x-api-key";

/// The most of a failed answer that is read: its statuses and codes are short.
const MAX_ERROR_BODY: usize = 64 * 1024;

/// Where the time comes from.
pub type Clock = Arc<dyn Fn() -> Time + Send + Sync>;

/// Why a client cannot be built; each is a mistake of configuration or of the system's setup.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// An address that takes no path, such as `mailto:`.
    #[error("project {0}: the base address takes no path")]
    BaseUrl(ProjectId),
    /// Two projects of one name.
    #[error("project {0} is configured twice")]
    Duplicate(ProjectId),
    /// No TLS: most often, no root certificates are installed.
    #[error("TLS cannot be set up")]
    Tls(#[source] rustls::Error),
    /// A user agent that no header can carry, or a lack of resources.
    #[error("the HTTP client cannot be set up")]
    Http(#[source] reqwest::Error),
}

/// A client for several projects; cheap to share behind an `Arc`.
pub struct Client {
    projects: HashMap<String, Connected>,
    clock: Clock,
}

/// A project with its own pool of connections.
struct Connected {
    http: reqwest::Client,
    submission: Url,
    settings: Project,
    random: &'static dyn SecureRandom,
    /// The cipher has opened an answer, so its mode and a key are right.
    proven: AtomicBool,
}

impl Client {
    /// Connects nothing yet. `user_agent` goes with every request.
    pub fn new(projects: Vec<Project>, clock: Clock, user_agent: &str) -> Result<Client, ClientError> {
        let mut all = HashMap::with_capacity(projects.len());
        for project in projects {
            let id = project.id.clone();
            if all.insert(id.to_string(), Connected::new(project, user_agent)?).is_some() {
                return Err(ClientError::Duplicate(id));
            }
        }
        Ok(Client { projects: all, clock })
    }

    /// Asks once for one page of a project's list. Same errors as a look; a list is never absent.
    pub async fn list(&self, project: &ProjectId, query: &ListQuery) -> Result<Page, LookError> {
        let project = self.project(project.as_str())?;
        match project.list(query, &self.clock).await? {
            Got::Body(body) => decode_page(&body),
            Got::Absent => Err(LookError::Unreadable("the list is not found".to_owned())),
        }
    }

    /// The submissions of one person, without personal data; at most [`crate::lookup::MAX_PAGES`] pages. Nobody has none.
    pub async fn find(&self, project: &ProjectId, person: &Person) -> Result<Vec<Found>, LookError> {
        let project = self.project(project.as_str())?;
        let mut query = project.query();
        query.person = Some(person.clone());
        let mut pages = Pages::default();
        loop {
            match project.list(&query, &self.clock).await? {
                Got::Body(body) => query.cursor = pages.take(&body, person)?,
                Got::Absent if query.cursor.is_none() => return Ok(Vec::new()),
                Got::Absent => return Err(LookError::Unreadable("the next page is not found".to_owned())),
            }
            if query.cursor.is_none() {
                return Ok(pages.found());
            }
        }
    }

    fn project(&self, id: &str) -> Result<&Connected, LookError> {
        self.projects.get(id).ok_or(LookError::UnknownProject)
    }
}

impl TruthSource for Client {
    async fn look(&self, key: &Key) -> Result<Truth, LookError> {
        let project = self.project(key.project())?;
        let asked_at = (self.clock)();
        let (id, reader) = (key.submission(), &project.settings.reader);
        match project.settings.fetch {
            Fetch::Full => match project.single(id, None, &self.clock).await? {
                Got::Body(body) => document::decode_single(&body, id, reader, asked_at),
                Got::Absent => Ok(Truth { asked_at, answer: Answer::Absent }),
            },
            Fetch::KycAmlOnly => {
                let answer = project.in_parts(id, &self.clock).await?;
                Ok(Truth { asked_at, answer })
            }
        }
    }

    async fn page(&self, query: &PageQuery) -> Result<Page, LookError> {
        let project = self.project(&query.project)?;
        let margin = project.settings.list.zone_margin;
        let list = ListQuery {
            start_date: query.from.and_then(|from| query::utc_day(from - margin)),
            end_date: query.to.and_then(|to| query::utc_day(to + margin)),
            cursor: query.cursor.clone(),
            ..project.query()
        };
        self.list(&project.settings.id, &list).await
    }
}

/// What a GET brought.
enum Got {
    /// The whole body of a success, opened.
    Body(Vec<u8>),
    /// A failure that means "no such submission".
    Absent,
}

impl Got {
    fn body(&self) -> Option<&[u8]> {
        match self {
            Got::Body(body) => Some(body),
            Got::Absent => None,
        }
    }
}

impl Connected {
    fn new(mut project: Project, user_agent: &str) -> Result<Connected, ClientError> {
        if project.fetch == Fetch::KycAmlOnly {
            project.reader = project.reader.of_parts();
        }
        let (http, submission) = http(&project, user_agent)?;
        let random = rustls::crypto::ring::default_provider().secure_random;
        Ok(Connected { http, submission, settings: project, random, proven: AtomicBool::new(false) })
    }

    /// A query with the project's settings.
    fn query(&self) -> ListQuery {
        let part = match self.settings.fetch {
            Fetch::Full => None,
            Fetch::KycAmlOnly => Some(Part::Kyc),
        };
        ListQuery { count: self.settings.list.page_size, part, ..ListQuery::default() }
    }

    async fn list(&self, query: &ListQuery, clock: &Clock) -> Result<Got, LookError> {
        self.get(query::list(&self.submission, query, self.settings.list.date_format, self.seal()?), clock).await
    }

    async fn single(&self, id: &str, part: Option<Part>, clock: &Clock) -> Result<Got, LookError> {
        self.get(query::single(&self.submission, id, part, self.seal()?), clock).await
    }

    /// The parts in the order that `slices` wants; one that is absent at once costs no more than a whole.
    async fn in_parts(&self, id: &str, clock: &Clock) -> Result<Answer, LookError> {
        let before = self.single(id, Some(Part::Kyc), clock).await?;
        if !slices::goes_on(before.body(), id)? {
            return Ok(Answer::Absent);
        }
        let aml = self.single(id, Some(Part::Aml), clock).await?;
        let after = self.single(id, Some(Part::Kyc), clock).await?;
        slices::join([before.body(), aml.body(), after.body()], id, &self.settings.reader)
    }

    /// A nonce of 96 random bits: unique for as many messages as a key of ARGOS's will ever see.
    fn seal(&self) -> Result<Option<Seal<'_>>, LookError> {
        let Some(cipher) = self.settings.cipher.as_deref() else {
            return Ok(None);
        };
        let mut nonce = Nonce::default();
        self.random.fill(&mut nonce).map_err(|_| LookError::Retry("no random numbers for a nonce".to_owned()))?;
        Ok(Some((cipher, nonce)))
    }

    /// Asks with the best key. While two are valid, a refusal of the one is held back until the other was tried.
    async fn get(&self, url: Url, clock: &Clock) -> Result<Got, LookError> {
        let keys = &self.settings.api_keys;
        let mut tried = Vec::new();
        let mut result = Err(LookError::Denied("there is no API key".to_owned()));
        while let (Err(LookError::Denied(_)), Some(key)) = (&result, keys.untried(&tried)) {
            result = self.get_with(key.clone(), url.clone(), clock).await;
            // Whatever ARGOS says behind the key, it let that in; of a request that broke off nothing is known.
            let let_in = !matches!(result, Err(LookError::Denied(_) | LookError::Retry(_)));
            if let_in && !tried.is_empty() {
                keys.prefer(&key);
            }
            tried.push(key);
        }
        result
    }

    async fn get_with(&self, key: HeaderValue, url: Url, clock: &Clock) -> Result<Got, LookError> {
        let Timeouts { connect, headers, body } = self.settings.timeouts;
        let sent = self.http.get(url).header(API_KEY, key).send();
        let mut answer = tokio::time::timeout(connect + headers, sent)
            .await
            .map_err(|_| LookError::Retry("timed out waiting for the headers".to_owned()))?
            .map_err(|error| transport(&error))?;
        let status = answer.status();
        if status.is_success() {
            let read = read_whole(&mut answer, self.settings.max_body);
            return tokio::time::timeout(body, read)
                .await
                .map_err(|_| LookError::Retry("timed out reading the body".to_owned()))?
                .and_then(|body| self.success(body))
                .map(Got::Body);
        }
        let wait = retry_after(answer.headers(), clock);
        // The status counts even if the body never ends.
        let mut beginning = Vec::new();
        let _cut_off = tokio::time::timeout(body, read_beginning(&mut answer, &mut beginning)).await;
        match self.failure(status.as_u16(), wait, &beginning) {
            Failure::Absent => Ok(Got::Absent),
            Failure::Error(error) => Err(error),
        }
    }

    /// The body of a success in clear.
    fn success(&self, body: Vec<u8>) -> Result<Vec<u8>, LookError> {
        let Some(cipher) = &self.settings.cipher else {
            return Ok(body);
        };
        match sealed::open(cipher, &body) {
            Opened::Sealed(inside) => {
                self.proven.store(true, Ordering::Relaxed);
                Ok(inside)
            }
            Opened::Shut(_) => Err(sealed::shut()),
            Opened::Plain => Err(sealed::plain_success(&body, self.proven.load(Ordering::Relaxed))),
        }
    }

    /// What a failure means. Whether an encrypting project's failures are sealed is not documented: both are read.
    fn failure(&self, status: u16, wait: Option<Duration>, body: &[u8]) -> Failure {
        let Some(cipher) = &self.settings.cipher else {
            return status::of_failure(status, wait, body);
        };
        match sealed::open(cipher, body) {
            Opened::Sealed(inside) => {
                self.proven.store(true, Ordering::Relaxed);
                status::of_failure(status, wait, &inside)
            }
            Opened::Shut(_) => sealed::untrusted_failure(status::of_failure(status, wait, b""), false),
            Opened::Plain => {
                let failure = status::of_failure(status, wait, body);
                if matches!(failure, Failure::Error(LookError::Unreadable(_))) {
                    // Perhaps the query was not understood, because ARGOS takes another key by now.
                    cipher.distrust();
                }
                sealed::untrusted_failure(failure, self.proven.load(Ordering::Relaxed))
            }
        }
    }
}

/// The connections to a project, and the address of its submissions. No redirect, no proxy, no second try.
pub(crate) fn http(project: &Project, user_agent: &str) -> Result<(reqwest::Client, Url), ClientError> {
    let mut submission = project.base_url.clone();
    submission
        .path_segments_mut()
        .map_err(|()| ClientError::BaseUrl(project.id.clone()))?
        .pop_if_empty()
        .push("submission");
    let http = reqwest::Client::builder()
        .tls_backend_preconfigured(tls(submission.scheme() == "https").map_err(ClientError::Tls)?)
        .user_agent(user_agent)
        .connect_timeout(project.timeouts.connect)
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        .no_proxy()
        .build()
        .map_err(ClientError::Http)?;
    Ok((http, submission))
}

pub(crate) async fn read_whole(answer: &mut reqwest::Response, max: usize) -> Result<Vec<u8>, LookError> {
    let too_large = || LookError::Unreadable(format!("the answer is larger than {max} bytes"));
    let announced = answer.content_length().map_or(0, |length| usize::try_from(length).unwrap_or(usize::MAX));
    if announced > max {
        return Err(too_large());
    }
    let mut body = Vec::with_capacity(announced);
    while let Some(chunk) = answer.chunk().await.map_err(|error| transport(&error))? {
        if body.len() + chunk.len() > max {
            return Err(too_large());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// Reads what comes of an error body, up to its bound; one that breaks off or is longer is as good as its beginning.
async fn read_beginning(answer: &mut reqwest::Response, into: &mut Vec<u8>) {
    while let Ok(Some(chunk)) = answer.chunk().await {
        let room = MAX_ERROR_BODY - into.len();
        into.extend_from_slice(&chunk[..chunk.len().min(room)]);
        if chunk.len() >= room {
            return;
        }
    }
}

fn retry_after(headers: &HeaderMap, clock: &Clock) -> Option<Duration> {
    status::retry_after(headers.get(RETRY_AFTER)?.to_str().ok()?, clock())
}

/// What went wrong on the way. The chain names hosts, ports and certificates, never a body; the URL stays out of it.
pub(crate) fn transport(error: &reqwest::Error) -> LookError {
    let what = if error.is_timeout() {
        "timed out connecting"
    } else if error.is_connect() {
        "no connection"
    } else if error.is_body() || error.is_decode() {
        "the body broke off"
    } else {
        "the request broke off"
    };
    let mut cause: &dyn Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    if std::ptr::addr_eq(cause, error) {
        return LookError::Retry(what.to_owned());
    }
    LookError::Retry(format!("{what}: {}", crate::wire::cleaned(&cause.to_string(), 200)))
}

/// TLS with the `ring` provider, named here, so that nothing process-wide is needed. The roots are the system's;
/// plain HTTP needs none, and must not fail for their lack. Public for the relay's other client.
pub fn tls(https: bool) -> Result<ClientConfig, rustls::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let mut config = if https {
        builder.with_platform_verifier()?.with_no_client_auth()
    } else {
        builder.with_root_certificates(rustls::RootCertStore::empty()).with_no_client_auth()
    };
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}
