//! The simulated ARGOS: what is true of each submission at each moment, and how it is shown.
//!
//! Owns the history and the spells in which it is shown badly. Must not know the reconciler's rules. Times are true
//! milliseconds since the start of the simulation; no clock of a replica is asked here.

use models::facts::{Kyc, Origin, Reason, Risk};
use models::{AmlStatus, Key, KycStatus, Page, PageCursor, Reading, Row, Submission, SubmissionId, Time};
use std::collections::BTreeMap;
use std::time::Duration;

/// Rows of one page.
const PAGE: usize = 3;

/// How a submission is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shown {
    Live,
    /// Still there, with the status "deleted".
    Deleted,
    /// Not there.
    Gone,
}

/// What is true of a submission from a moment on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Version {
    pub(crate) from: i64,
    pub(crate) shown: Shown,
    pub(crate) status: KycStatus,
    pub(crate) retries: u32,
    pub(crate) reason: Option<&'static str>,
    pub(crate) flagged: bool,
    pub(crate) updated_at: Time,
}

/// The history of one submission.
#[derive(Clone, Debug, Default)]
pub(crate) struct Life {
    pub(crate) versions: Vec<Version>,
    pub(crate) created_at: Time,
    /// The list does not show it.
    pub(crate) unlisted: bool,
    /// It looks absent in this time, and is not.
    pub(crate) flicker: Option<(i64, i64)>,
}

impl Life {
    /// Which version is true at a time.
    pub(crate) fn at(&self, at: i64) -> Option<usize> {
        self.versions.partition_point(|version| version.from <= at).checked_sub(1)
    }
}

/// What is wrong in a spell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SpellKind {
    /// 5xx and timeouts.
    Down,
    /// 429.
    Throttled(Option<Duration>),
    /// 403.
    Denied,
    /// Answers that cannot be read.
    Garbage,
    /// Answers that take seconds.
    Slow,
}

/// A time in which a project, or one key of it, is not answered as it should be.
#[derive(Clone, Debug)]
pub(crate) struct Spell {
    pub(crate) project: String,
    pub(crate) key: Option<Key>,
    pub(crate) from: i64,
    pub(crate) to: i64,
    pub(crate) kind: SpellKind,
}

/// The spell that a request meets.
pub(crate) fn spell<'a>(spells: &'a [Spell], project: &str, key: Option<&Key>, at: i64) -> Option<&'a SpellKind> {
    let meets = |spell: &&Spell| {
        spell.project == project
            && (spell.from..spell.to).contains(&at)
            && (spell.key.is_none() || spell.key.as_ref() == key)
    };
    spells.iter().find(meets).map(|spell| &spell.kind)
}

/// The document of a version.
pub(crate) fn document(life: &Life, version: &Version) -> Submission {
    let status = if version.shown == Shown::Deleted { KycStatus::Deleted } else { version.status };
    let reason = |code: &str| Reason { code: code.to_owned(), category: "other".to_owned(), text: None };
    Submission {
        user_id: None,
        created_at: Some(life.created_at),
        updated_at: Some(version.updated_at),
        kyc: Kyc {
            status,
            vendor_status: status.as_str().to_owned(),
            decided_at: None,
            reviewer: None,
            origin: Origin::Unknown,
            retries: version.retries,
            reasons: version.reason.into_iter().map(reason).collect(),
        },
        aml_status: if version.flagged { AmlStatus::RedFlag } else { AmlStatus::NotScreened },
        aml_vendor_status: aml_word(version).to_owned(),
        risk: if version.flagged { Risk::High } else { Risk::Unknown },
        matches: u32::from(version.flagged),
        aml_expected: None,
        personal: [None, None],
        reading: Reading::default(),
    }
}

const fn aml_word(version: &Version) -> &'static str {
    if version.flagged { "Red Flag" } else { "Not Screened" }
}

/// One page of the list as it was at a time. `serial` makes its cursor unlike any other.
pub(crate) fn page(lives: &BTreeMap<Key, Life>, project: &str, after: Option<&str>, at: i64, serial: u64) -> Page {
    let shown = |(key, life): (&Key, &Life)| {
        let version = life.versions.get(life.at(at)?)?;
        let listed = key.project() == project && !life.unlisted && version.shown != Shown::Gone;
        let status = if version.shown == Shown::Deleted { KycStatus::Deleted } else { version.status };
        let row = Row {
            kyc_status: Some(status),
            aml_vendor_status: Some(aml_word(version).to_owned()),
            risk: None,
            updated_at: Some(version.updated_at),
            created_at: Some(life.created_at),
        };
        let id = SubmissionId::new(key.submission()).ok()?;
        (listed && after.is_none_or(|after| key.submission() > after)).then_some((id, row))
    };
    let mut rows: Vec<_> = lives.iter().filter_map(shown).take(PAGE + 1).collect();
    let more = rows.len() > PAGE;
    rows.truncate(PAGE);
    let next = rows.last().filter(|_| more);
    let next = next.map(|(id, _)| PageCursor { id: id.as_str().to_owned(), created_at: serial.to_string() });
    Page { rows, next, unreadable: 0 }
}
