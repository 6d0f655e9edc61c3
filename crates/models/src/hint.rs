//! A hint: somebody said that a submission may have changed. It wakes the reconciler and never informs it.

use crate::facts::words;
use crate::{Key, KycStatus, Risk, Time};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

words! {
    /// Where a hint came from.
    Source {
        /// A webhook.
        Webhook = "webhook",
        /// A row of a list walk.
        Sweep = "sweep",
        /// An operator's backfill.
        Backfill = "backfill",
        /// An operator's `reconcile` or `redrive`.
        Operator = "operator",
    }
}

/// Which methods of authentication a webhook passed; a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Authentication(u8);

impl Authentication {
    /// None at all.
    pub const NONE: Authentication = Authentication(0);
    /// The caller's address is on the project's list.
    pub const SOURCE_IP: Authentication = Authentication(1);
    /// The secret path was right.
    pub const PATH_TOKEN: Authentication = Authentication(2);
    /// A signature over the body was right.
    pub const HMAC: Authentication = Authentication(4);
    /// The body was sealed with AES-GCM under the project's key.
    pub const ENCRYPTED: Authentication = Authentication(8);

    /// Both sets together.
    #[must_use]
    pub const fn with(self, other: Authentication) -> Authentication {
        Authentication(self.0 | other.0)
    }

    /// Whether at least one method of `other` was passed.
    pub const fn any_of(self, other: Authentication) -> bool {
        self.0 & other.0 != 0
    }

    /// The names of the methods passed.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        [
            (Self::SOURCE_IP, "source_ip"),
            (Self::PATH_TOKEN, "path_token"),
            (Self::HMAC, "hmac"),
            (Self::ENCRYPTED, "encrypted"),
        ]
        .into_iter()
        .filter(move |(method, _)| self.any_of(*method))
        .map(|(_, name)| name)
    }
}

/// What a hint claims. Compared with the truth to say `agreement` and to decide when to look again; never published.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Claim {
    /// The vendor's trigger, `unknown` for a word that is none of the documented ones (it could be anything, a name too);
    /// for hints without one, the source's word.
    pub trigger: String,
    /// The KYC status claimed.
    pub status: Option<KycStatus>,
    /// The vendor's own time of the change, if the body carried one.
    pub changed_at: Option<Time>,
    /// How many attempts the body counted.
    pub attempts: Option<u32>,
    /// Whether a red flag is claimed (`aml` only).
    pub red_flag: Option<bool>,
    /// Whether a deletion is claimed.
    pub deleted: bool,
}

/// A notice that only a webhook can give: GET shows neither a clean screening nor monitoring (ARGOS protocol,
/// section 7). The one marked exception to "a hint never informs".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Notice {
    /// When it was received (our clock).
    pub at: Time,
    /// What it passed.
    pub authentication: Authentication,
}

/// The newest notices known of a submission.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Notices {
    /// A screening has ended.
    pub aml: Option<Notice>,
    /// Monitoring was registered.
    pub monitoring: Option<Notice>,
}

impl Notices {
    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.aml.is_none() && self.monitoring.is_none()
    }

    /// Takes from `other` what is newer, but never what passed less: a forged notice must not put a true one out.
    pub fn merge(&mut self, other: &Notices) {
        let better = |mine: Option<Notice>, theirs: Option<Notice>| match (mine, theirs) {
            (Some(mine), Some(theirs)) if theirs.replaces(&mine) => Some(theirs),
            (Some(mine), _) => Some(mine),
            (None, theirs) => theirs,
        };
        self.aml = better(self.aml, other.aml);
        self.monitoring = better(self.monitoring, other.monitoring);
    }
}

impl Notice {
    /// Newer if both passed the same; else whether it passed all that the other did, and more.
    fn replaces(&self, other: &Notice) -> bool {
        if self.authentication == other.authentication {
            self.at > other.at
        } else {
            self.authentication.with(other.authentication) == self.authentication
        }
    }
}

/// The core fields that a list row showed. Used only to drop a hint whose fields all equal the ledger's.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Row {
    /// The KYC status.
    pub kyc_status: Option<KycStatus>,
    /// The vendor's screening status, verbatim.
    pub aml_vendor_status: Option<String>,
    /// The risk level.
    pub risk: Option<Risk>,
    /// The vendor's clock.
    pub updated_at: Option<Time>,
    /// When the submission was made.
    pub created_at: Option<Time>,
}

/// A record of `kyc.hints.v1` or `kyc.hints.bulk.v1`. Carries no personal data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hint {
    /// Ours: the first 32 hex characters of SHA-256 over project, receive time and body digest.
    pub id: String,
    /// Where it came from.
    pub source: Source,
    /// When we took it in (our clock).
    pub received_at: Time,
    /// What it passed at the door.
    #[serde(default)]
    pub authentication: Authentication,
    /// What it claims.
    #[serde(default)]
    pub claim: Claim,
    /// What only it can tell.
    #[serde(default)]
    pub notices: Notices,
    /// SHA-256 of the body as hex; empty for hints without one.
    #[serde(default)]
    pub body_digest: String,
    /// The list row behind a bulk hint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub row: Option<Row>,
    /// An operator has the submission erased: no look is made, nothing of it is kept or published again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub erase: bool,
    /// W3C trace context of the request that brought it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
}

impl Hint {
    /// An operator's own hint: it claims nothing. `chance` tells apart two of the same moment.
    pub fn of_operator(key: &Key, received_at: Time, chance: u64) -> Hint {
        let text = format!("{key}\0{}\0{chance}", received_at.as_millis());
        let mut id = hex::encode(Sha256::digest(text.as_bytes()));
        id.truncate(32);
        Hint {
            id,
            source: Source::Operator,
            received_at,
            authentication: Authentication::NONE,
            claim: Claim { trigger: Source::Operator.as_str().to_owned(), ..Claim::default() },
            notices: Notices::default(),
            body_digest: String::new(),
            row: None,
            erase: false,
            traceparent: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notice_that_passed_less_puts_none_out_however_new_it_is() {
        let notice = |at, authentication| Some(Notice { at: Time::from_millis(at), authentication });
        let aml = |at, authentication| Notices { aml: notice(at, authentication), monitoring: None };
        let (token, forged) = (Authentication::PATH_TOKEN, Authentication::NONE);
        let merged = |mut first: Notices, second: Notices| {
            first.merge(&second);
            first
        };
        assert_eq!(merged(aml(1, token), aml(2, forged)), aml(1, token));
        assert_eq!(merged(aml(2, forged), aml(1, token)), aml(1, token), "in either order");
        assert_eq!(merged(aml(1, token), aml(2, token)), aml(2, token));
        assert_eq!(merged(aml(2, token), aml(1, token)), aml(2, token));
    }
}
