//! Changes: what can become true of a submission.
//!
//! Owns the effect of each change on a [`State`]. Pure: time is an argument.

use crate::people::{REMARKS, REVIEWER};
use crate::state::{Deletion, DeletionKind, FaceAuth, Injection, Kyc, Reason, Risk, State, Update};
use std::borrow::Cow;

/// One change of the world.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Made: incomplete.
    Create,
    /// A step failed, with a code.
    Retry(&'static str),
    /// Handed to a person.
    Pend,
    /// Accepted, by the system or by hand.
    Approve {
        /// A person did it.
        by_hand: bool,
    },
    /// Refused, by the system or by hand.
    Reject {
        /// Why.
        codes: &'static [&'static str],
        /// A person did it.
        by_hand: bool,
    },
    /// The status edited by an administrator.
    Reverse {
        /// To approved, or to rejected.
        approved: bool,
        /// Why, if to rejected.
        codes: &'static [&'static str],
    },
    /// Reject codes edited.
    Reasons(&'static [&'static str]),
    /// Name edited: from now on the next person's.
    Rename,
    /// A screening ended.
    Screen {
        /// Its level.
        risk: Risk,
        /// Its matches.
        matches: u32,
    },
    /// Registered for monitoring.
    Monitor,
    /// An address injected.
    Inject,
    /// An injection failed, with a code.
    FailInjection(&'static str),
    /// A face authentication.
    Face {
        /// Its result.
        approved: bool,
    },
    /// Deleted.
    Delete {
        /// Gone from GET, instead of shown as deleted.
        hard: bool,
    },
}

impl Change {
    /// Makes it true at `now` (milliseconds since the epoch).
    pub fn apply(&self, state: &mut State, now: i64) {
        let reviewer = |by_hand: bool| Some(Cow::Borrowed(if by_hand { REVIEWER } else { "system" }));
        match *self {
            Change::Create => {}
            Change::Retry(code) => state.retries.push(code.into()),
            Change::Pend => state.kyc = Kyc::Pending,
            Change::Approve { by_hand } => decide(state, Kyc::Approved, &[], reviewer(by_hand)),
            Change::Reject { codes, by_hand } => {
                decide(state, Kyc::Rejected, codes, reviewer(by_hand));
            }
            Change::Reverse { approved, codes } => {
                decide(state, if approved { Kyc::Approved } else { Kyc::Rejected }, codes, reviewer(true));
                state.update = Some(edit(now, &["kycStatus"]));
            }
            Change::Reasons(codes) => {
                state.reasons = reasons(codes);
                state.update = Some(edit(now, &["kycStatus"]));
            }
            Change::Rename => {
                state.name_of += 1;
                state.update = Some(edit(now, &["fullName", "first_name", "last_name"]));
            }
            Change::Screen { risk, matches } => {
                (state.risk, state.matches, state.screened) = (risk, matches, true);
            }
            Change::Monitor => state.monitored.push(now),
            Change::Inject => {
                state.address_of += 1;
                state.injections.push(Injection { at: now, fail_code: None });
            }
            Change::FailInjection(code) => {
                state.injections.push(Injection { at: now, fail_code: Some(code.into()) });
            }
            Change::Face { approved } => state.face.push(FaceAuth { at: now, approved }),
            Change::Delete { hard } => {
                let kind = if hard { DeletionKind::Hard } else { DeletionKind::Soft };
                state.deletion = Some(Deletion { kind, at: now, comment: Some("retention period ended".into()) });
            }
        }
    }
}

fn decide(state: &mut State, to: Kyc, codes: &'static [&'static str], reviewer: Option<Cow<'static, str>>) {
    state.kyc = to;
    state.reasons = reasons(codes);
    state.reviewer = reviewer;
}

fn reasons(codes: &'static [&'static str]) -> Vec<Reason> {
    let comment = |code: &'static str| match code {
        "timeout" => "KYC rejected due to timeout.".into(),
        code => REMARKS[code.len() % REMARKS.len()].into(),
    };
    codes.iter().map(|&code| Reason { code: code.into(), comment: comment(code) }).collect()
}

fn edit(at: i64, fields: &[&'static str]) -> Update {
    Update { admin: REVIEWER.into(), at, fields: fields.iter().map(|&name| name.into()).collect() }
}
