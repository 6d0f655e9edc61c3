//! How a simulated ARGOS is set up: projects, keys, targets, and the points that ARGOS's documentation leaves open.
//!
//! Every open point is a setting, so that the service can be tried against each reading.

use serde::{Deserialize, Serialize};

/// Settings of a [`Simulator`](crate::Simulator) that do not change while it runs.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Seed of ids, of the faults' dice and of the sender's dice.
    pub seed: u64,
    /// The projects, each with its own key.
    pub projects: Vec<Project>,
    /// What a GET of an unknown id answers.
    pub unknown_id: UnknownId,
    /// How a soft-deleted submission looks.
    pub deleted_form: DeletedForm,
    /// How the list behaves.
    pub list: ListShape,
    /// Whether a finished screening moves `updated_at`. Not documented; both happen to be plausible.
    pub aml_moves_updated_at: bool,
    /// How many [`SendRecord`](crate::SendRecord)s are kept; what comes after is only counted.
    pub keep_records: usize,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            seed: 1,
            projects: vec![Project::new("acme", "sim-key-acme")],
            unknown_id: UnknownId::default(),
            deleted_form: DeletedForm::default(),
            list: ListShape::default(),
            aml_moves_updated_at: true,
            keep_records: 1_000_000,
        }
    }
}

/// One project of the customer at ARGOS.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Project {
    /// The customer's name for it; part of the webhook path, never part of a body.
    pub id: String,
    /// What `x-api-key` must hold.
    pub api_key: String,
    /// Base addresses of the receiver's replicas, such as `http://127.0.0.1:8080`; taken in turn.
    #[serde(default)]
    pub targets: Vec<String>,
    /// The secret last segment of the webhook path.
    #[serde(default)]
    pub token: Option<String>,
    /// Whether "secure data transmission" is on; the key comes from `api_key`.
    #[serde(default)]
    pub encryption: Option<Encryption>,
}

/// How a project encrypts webhooks and answers, and expects queries. Neither mode nor derivation is documented (ARGOS
/// protocol, section 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Encryption {
    /// How blocks are put together.
    pub mode: Mode,
    /// How 32 bytes come from the API key.
    #[serde(default)]
    pub key_derivation: Derivation,
}

/// How blocks are put together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mode {
    /// AES-256-ECB with PKCS#7.
    #[serde(rename = "aes-256-ecb")]
    Ecb,
    /// AES-256-GCM: 12 bytes of nonce, ciphertext, tag.
    #[serde(rename = "aes-256-gcm")]
    Gcm,
}

/// How 32 bytes come from the API key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Derivation {
    /// Its first 32 bytes.
    #[default]
    #[serde(rename = "first_32_bytes")]
    First32Bytes,
    /// Its last 32 bytes.
    #[serde(rename = "last_32_bytes")]
    Last32Bytes,
    /// Its SHA-256.
    #[serde(rename = "sha256")]
    Sha256,
    /// The first 32 characters of its SHA-256 in hex.
    #[serde(rename = "sha256_hex_32")]
    Sha256Hex32,
}

impl Project {
    /// A project without targets yet.
    pub fn new(id: &str, api_key: &str) -> Project {
        Project { id: id.to_owned(), api_key: api_key.to_owned(), targets: Vec::new(), token: None, encryption: None }
    }

    /// The same with "secure data transmission" on.
    #[must_use]
    pub fn encrypted(self, mode: Mode, key_derivation: Derivation) -> Project {
        Project { encryption: Some(Encryption { mode, key_derivation }), ..self }
    }
}

/// What a GET of an unknown id answers. Not documented (ARGOS protocol, section 4.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnknownId {
    /// 200 with `{"Items":[]}`.
    #[default]
    EmptyItems,
    /// 400 with an error code.
    BadRequest,
    /// 404 with an error code.
    NotFound,
}

/// The JSON form of "Deleted Submission". Not documented (ARGOS protocol, section 4.4); in each form the submission
/// id, the dates and the ID type stay, and identity data, images and AML are gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeletedForm {
    /// The label stands in `kyc.result`.
    #[default]
    KycResult,
    /// The label stands in a top-level `status`; `kyc.result` keeps the decision.
    Status,
    /// The label stands in `email`; `kyc.result` keeps the decision.
    Email,
}

/// How the list behaves where ARGOS's pages are silent or disagree (ARGOS protocol, sections 4.1 to 4.3).
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ListShape {
    /// Page size when `count` is not given.
    pub default_count: usize,
    /// Largest page; 0 for no maximum.
    pub max_count: usize,
    /// Every n-th page is shorter than asked for, though more follows; 0 for never.
    pub short_page_every: u64,
    /// Which rows show the screening status.
    pub aml: ListAml,
    /// Zone of a day in `start_date` and `end_date`, hours east of Greenwich.
    pub day_zone_hours: i8,
    /// Whether `end_date` itself belongs to the period.
    pub end_inclusive: bool,
}

impl Default for ListShape {
    fn default() -> ListShape {
        ListShape {
            default_count: 50,
            max_count: 0,
            short_page_every: 0,
            aml: ListAml::default(),
            day_zone_hours: 0,
            end_inclusive: true,
        }
    }
}

/// Which list rows show the screening status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ListAml {
    /// None does.
    Never,
    /// Every second submission's does.
    #[default]
    Some,
    /// Each does.
    Always,
}
