//! One project of ARGOS, as the client needs it: every point that ARGOS's pages leave open is a setting here.
//!
//! Owns the settings and their defaults. Must not know configuration files, or what a request looks like.

use crate::api_key::ApiKeys;
use crate::cipher::Cipher;
use crate::reader::Reader;
use models::ProjectId;
use std::sync::Arc;
use std::time::Duration;
use url::Url;

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

/// How the list is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListSettings {
    /// How days are written.
    pub date_format: DateFormat,
    /// Rows per page. Always sent: the default is contradictory (section 4.1).
    pub page_size: u32,
    /// A period is asked so much wider at either end, as zone and inclusiveness of its days are not documented.
    pub zone_margin: Duration,
}

impl Default for ListSettings {
    /// `YYYY-MM-DD`, 50, and a day.
    fn default() -> ListSettings {
        ListSettings { date_format: DateFormat::default(), page_size: 50, zone_margin: Duration::from_hours(24) }
    }
}

/// Which parts of a submission are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Fetch {
    /// The whole document, in one request.
    #[default]
    Full,
    /// The parts `kyc`, `aml`, and `kyc` again, in three requests (`slices`); list rows likewise show `kyc` alone.
    KycAmlOnly,
}

/// One project of ARGOS. Its `Debug` shows no key.
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
    /// How its list is asked.
    pub list: ListSettings,
    /// What is asked of a submission.
    pub fetch: Fetch,
    /// For a project that encrypts its API; `None` = in clear. Its first key should be the first of
    /// [`Project::api_keys`].
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
            list: ListSettings::default(),
            fetch: Fetch::default(),
            cipher: None,
        }
    }
}
