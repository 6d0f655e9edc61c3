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

use crate::api_key::ApiKeys;
use crate::cipher::{Cipher, Nonce};
use crate::list::decode_page;
use crate::query::{self, Seal};
use crate::sealed::{self, Opened};
use crate::status::{self, Failure};
use crate::{document, reader::Reader};
use models::{Key, LookError, Page, PageCursor, PageQuery, ProjectId, Time, Truth, TruthSource};
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

/// The header of the API key.
const API_KEY: &str = "x-api-key";

/// The most of a failed answer that is read: its statuses and codes are short.
const MAX_ERROR_BODY: usize = 64 * 1024;

/// Where the time comes from.
pub type Clock = Arc<dyn Fn() -> Time + Send + Sync>;

/// How long each step of a GET may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// Name lookup, TCP and TLS.
    pub connect: Duration,
    /// From the connection to the last header.
    pub headers: Duration,
    /// From the last header to the end of the body.
    pub body: Duration,
}

impl Default for Timeouts {
    /// 3 s, 10 s and 10 s.
    fn default() -> Timeouts {
        Timeouts { connect: Duration::from_secs(3), headers: Duration::from_secs(10), body: Duration::from_secs(10) }
    }
}

/// How a day is written in list queries; ARGOS's pages disagree (section 4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum DateFormat {
    /// `YYYY-MM-DD`.
    #[default]
    Dashed,
    /// `YYYYMMDD`.
    Compact,
}

/// One project of ARGOS, as the client needs it. Its `Debug` shows no key.
#[derive(Clone, Debug)]
pub struct Project {
    /// Our name of it.
    pub id: ProjectId,
    /// The address before `/submission`, for example `https://rest-api.argosidentity.com/v3`. Whether plain HTTP is
    /// acceptable is for the configuration to say.
    pub base_url: Url,
    /// The API keys.
    pub api_keys: ApiKeys,
    /// How its documents are read.
    pub reader: Reader,
    /// Limits in time.
    pub timeouts: Timeouts,
    /// The largest answer that is read, in bytes.
    pub max_body: usize,
    /// How days are written.
    pub date_format: DateFormat,
    /// For a project that encrypts its API; `None` = in clear. Its first key should be the first of [`Project::api_keys`].
    pub cipher: Option<Arc<Cipher>>,
}

impl Project {
    /// The default limit of an answer.
    pub const MAX_BODY: usize = 4 * 1024 * 1024;

    /// With default limits.
    pub fn new(id: ProjectId, base_url: Url, api_keys: ApiKeys, reader: Reader) -> Project {
        Project {
            id,
            base_url,
            api_keys,
            reader,
            timeouts: Timeouts::default(),
            max_body: Project::MAX_BODY,
            date_format: DateFormat::default(),
            cipher: None,
        }
    }
}

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

/// What is asked of a list.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct ListQuery {
    /// Rows per page. Always sent: the default is contradictory (section 4.1), and 50 is safe.
    pub count: u32,
    /// Created on this day or later.
    pub start_date: Option<jiff::civil::Date>,
    /// Created on this day or earlier. Whether the day itself is included is not documented.
    pub end_date: Option<jiff::civil::Date>,
    /// Where to go on.
    pub cursor: Option<PageCursor>,
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
        let seal = project.seal()?;
        let url = query::list(&project.submission, query, project.settings.date_format, seal);
        match project.get(url, &self.clock).await? {
            Got::Body(body) => decode_page(&body),
            Got::Absent => Err(LookError::Unreadable("the list is not found".to_owned())),
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
        let url = query::single(&project.submission, key.submission(), project.seal()?);
        match project.get(url, &self.clock).await? {
            Got::Body(body) => document::decode_single(&body, key.submission(), &project.settings.reader, asked_at),
            Got::Absent => Ok(Truth { asked_at, answer: models::Answer::Absent }),
        }
    }

    async fn page(&self, query: &PageQuery) -> Result<Page, LookError> {
        let project = self.project(&query.project)?;
        let day = |time: Time| jiff::Timestamp::from_millisecond(time.as_millis()).ok();
        let date = |time: Time| day(time).map(|stamp| jiff::tz::Offset::UTC.to_datetime(stamp).date());
        // Zone and ends of the days are not documented: one day wider on each side.
        let wide = jiff::Span::new().days(1);
        let list = ListQuery {
            count: 50,
            start_date: query.from.and_then(date).map(|date| date.saturating_sub(wide)),
            end_date: query.to.and_then(date).map(|date| date.saturating_add(wide)),
            cursor: query.cursor.clone(),
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

impl Connected {
    fn new(project: Project, user_agent: &str) -> Result<Connected, ClientError> {
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
        let random = rustls::crypto::ring::default_provider().secure_random;
        Ok(Connected { http, submission, settings: project, random, proven: AtomicBool::new(false) })
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
            if result.is_ok() && !tried.is_empty() {
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
                sealed::untrusted_failure(failure, self.proven.load(Ordering::Relaxed))
            }
        }
    }
}

async fn read_whole(answer: &mut reqwest::Response, max: usize) -> Result<Vec<u8>, LookError> {
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
fn transport(error: &reqwest::Error) -> LookError {
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
/// plain HTTP needs none, and must not fail for their lack.
fn tls(https: bool) -> Result<ClientConfig, rustls::Error> {
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
