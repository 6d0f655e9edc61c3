//! One submission at one moment, in ARGOS's own words.
//!
//! Owns what a document or a webhook body can show. Knows no JSON and no clock: times are milliseconds since the
//! epoch, filled in by [`World`](crate::World).

use std::borrow::Cow;

/// A text that is nearly always a constant.
pub type Text = Cow<'static, str>;

/// Where the identity check stands (`kyc.result`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kyc {
    /// `incomplete`
    Incomplete,
    /// `pending`
    Pending,
    /// `approved`
    Approved,
    /// `rejected`
    Rejected,
}

impl Kyc {
    /// ARGOS's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Kyc::Incomplete => "incomplete",
            Kyc::Pending => "pending",
            Kyc::Approved => "approved",
            Kyc::Rejected => "rejected",
        }
    }
}

/// `aml.risk_level_summary`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Risk {
    /// `Not Screened`: not yet, or screened without a match.
    NotScreened,
    /// `LOW`
    Low,
    /// `MEDIUM`
    Medium,
    /// `HIGH`
    High,
}

impl Risk {
    /// ARGOS's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Risk::NotScreened => "Not Screened",
            Risk::Low => "LOW",
            Risk::Medium => "MEDIUM",
            Risk::High => "HIGH",
        }
    }

    /// `aml.currentstatus` that goes with it.
    pub const fn status(self) -> &'static str {
        match self {
            Risk::NotScreened => "Not Screened",
            Risk::Low | Risk::Medium | Risk::High => "Red Flag",
        }
    }
}

/// One reject code with its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// `commentCode`
    pub code: Text,
    /// `comment`
    pub comment: Text,
}

/// How a submission was deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeletionKind {
    /// It stays visible as "Deleted Submission".
    Soft,
    /// GET knows it no longer.
    Hard,
}

/// A deletion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deletion {
    /// Visible or gone.
    pub kind: DeletionKind,
    /// When.
    pub at: i64,
    /// Why, if anybody said so.
    pub comment: Option<Text>,
}

/// The last manual change (`updateHistory`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Update {
    /// Who.
    pub admin: Text,
    /// When.
    pub at: i64,
    /// Names of the changed fields, as `data.update` shows them.
    pub fields: Vec<Text>,
}

/// One injection of further data (`Injection_action`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Injection {
    /// When.
    pub at: i64,
    /// Why it failed, if it did.
    pub fail_code: Option<Text>,
}

/// One face authentication (add-on). GET does not show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FaceAuth {
    /// When.
    pub at: i64,
    /// Whether the face was accepted. Says nothing about the identity check.
    pub approved: bool,
}

/// Everything about a submission that can change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// The identity check.
    pub kyc: Kyc,
    /// Codes of the failed attempts, in order.
    pub retries: Vec<Text>,
    /// When it became pending, if it ever was.
    pub pending_at: Option<i64>,
    /// When it was decided.
    pub decided_at: Option<i64>,
    /// `system`, or an administrator's address.
    pub reviewer: Option<Text>,
    /// Why it was rejected.
    pub reasons: Vec<Reason>,
    /// The screening: status and level in one.
    pub risk: Risk,
    /// How many matches the screening found.
    pub matches: u32,
    /// Whether a screening has ended. GET does not tell it from "not yet" without a match.
    pub screened: bool,
    /// When it was registered for monitoring, once for each record. GET does not show it.
    pub monitored: Vec<i64>,
    /// The last manual change.
    pub update: Option<Update>,
    /// Injections, failed ones too.
    pub injections: Vec<Injection>,
    /// Face authentications.
    pub face: Vec<FaceAuth>,
    /// Index of the person whose name is shown.
    pub name_of: usize,
    /// Index of the person whose address is shown.
    pub address_of: usize,
    /// The deletion, if any.
    pub deletion: Option<Deletion>,
    /// The vendor's clock on the document. [`World`](crate::World) moves it when what GET shows has changed.
    pub updated_at: i64,
}

impl State {
    /// A new submission of a person.
    pub(crate) fn new(person: usize, at: i64) -> State {
        State {
            kyc: Kyc::Incomplete,
            retries: Vec::new(),
            pending_at: None,
            decided_at: None,
            reviewer: None,
            reasons: Vec::new(),
            risk: Risk::NotScreened,
            matches: 0,
            screened: false,
            monitored: Vec::new(),
            update: None,
            injections: Vec::new(),
            face: Vec::new(),
            name_of: person,
            address_of: person,
            deletion: None,
            updated_at: at,
        }
    }

    /// `deleted`, or ARGOS's word for the identity check.
    pub fn kyc_word(&self) -> &'static str {
        if self.deletion.is_some() { "deleted" } else { self.kyc.as_str() }
    }

    /// `Red Flag` or `Not Screened`; a deletion takes the screening away.
    pub fn aml_word(&self) -> &'static str {
        self.visible_risk().status()
    }

    /// The level that is left to be seen.
    pub(crate) fn visible_risk(&self) -> Risk {
        if self.deletion.is_some() { Risk::NotScreened } else { self.risk }
    }

    /// Whether GET knows the submission at all.
    pub fn is_absent(&self) -> bool {
        self.deletion.as_ref().is_some_and(|deletion| deletion.kind == DeletionKind::Hard)
    }

    /// What a hand-made change usually forgets: when it was decided or became pending, and by whom.
    pub(crate) fn complete(&mut self, before: &State, now: i64) {
        if self.kyc == before.kyc {
            return;
        }
        match self.kyc {
            Kyc::Incomplete => {}
            Kyc::Pending => self.pending_at = self.pending_at.or(Some(now)),
            Kyc::Approved | Kyc::Rejected => {
                if self.decided_at == before.decided_at {
                    self.decided_at = Some(now);
                }
                self.reviewer.get_or_insert(Cow::Borrowed("system"));
            }
        }
    }

    /// Whether GET shows something else than before, the screening left out.
    pub(crate) fn shows_other_than(&self, before: &State) -> bool {
        let shown = |state: &State| State {
            risk: Risk::NotScreened,
            matches: 0,
            screened: false,
            monitored: Vec::new(),
            face: Vec::new(),
            updated_at: 0,
            ..state.clone()
        };
        shown(self) != shown(before)
    }
}
