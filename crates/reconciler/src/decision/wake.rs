//! Why we look: the hints that one run covers, merged.

use models::hint::Source;
use models::{Cause, CheckReason, Claim, Entry, Hint, Notices, Pending, Time};

/// What one run covers. Merging keeps every distinct claim, the newest notices, and the newest hint for provenance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wake {
    /// The strongest cause: webhook, operator, backfill, sweep, recheck.
    pub cause: Cause,
    /// Distinct claims, oldest first.
    pub claims: Vec<Claim>,
    /// The newest notices.
    pub notices: Notices,
    /// The vendor's trigger of the newest hint.
    pub trigger: Option<String>,
    /// The newest hint.
    pub hint_id: Option<String>,
    /// When it came.
    pub hinted_at: Option<Time>,
    /// Its trace context.
    pub traceparent: Option<String>,
    /// An operator has the submission erased.
    pub erase: bool,
    /// Every hint of it came from a webhook, claims something and brings no notice: such a hint adds nothing to an
    /// equal claim that waits already.
    pub(super) only_claims: bool,
}

const fn strength(cause: Cause) -> u8 {
    match cause {
        Cause::Recheck => 0,
        Cause::Sweep => 1,
        Cause::Backfill => 2,
        Cause::Operator => 3,
        Cause::Webhook => 4,
    }
}

impl Wake {
    /// A look that only our own schedule asks for.
    pub fn recheck() -> Wake {
        Wake {
            cause: Cause::Recheck,
            claims: Vec::new(),
            notices: Notices::default(),
            trigger: None,
            hint_id: None,
            hinted_at: None,
            traceparent: None,
            erase: false,
            only_claims: false,
        }
    }

    /// A look that one hint asks for.
    pub fn of(hint: Hint) -> Wake {
        let cause = match hint.source {
            Source::Webhook => Cause::Webhook,
            Source::Sweep => Cause::Sweep,
            Source::Backfill => Cause::Backfill,
            Source::Operator => Cause::Operator,
        };
        let only_claims =
            hint.source == Source::Webhook && claims_anything(&hint.claim) && hint.notices.is_empty() && !hint.erase;
        let trigger = Some(hint.claim.trigger.clone()).filter(|trigger| !trigger.is_empty());
        Wake {
            cause,
            claims: if claims_anything(&hint.claim) { vec![hint.claim] } else { Vec::new() },
            notices: hint.notices,
            trigger,
            hint_id: Some(hint.id),
            hinted_at: Some(hint.received_at),
            traceparent: hint.traceparent,
            erase: hint.erase,
            only_claims,
        }
    }

    /// Whether somebody told us to look: a webhook or an operator, not a walk or a schedule of our own.
    pub const fn is_told(&self) -> bool {
        matches!(self.cause, Cause::Webhook | Cause::Operator | Cause::Backfill)
    }

    /// Whether a look that is due anyway covers this wake: it only repeats what waits to be shown.
    pub fn is_covered_by(&self, entry: &Entry) -> bool {
        let Some(pending) = &entry.pending else {
            return false;
        };
        let due = entry.check.is_some_and(|check| {
            matches!(
                check.reason,
                CheckReason::Unconfirmed | CheckReason::UnknownId | CheckReason::Failed | CheckReason::Parked
            )
        });
        due && self.only_claims && self.claims.iter().all(|claim| pending.claims.contains(claim))
    }

    /// Whether it brings another claim to a key for which as many wait as are kept. Such a claim is kept in place of the
    /// oldest but waits for the ladder's next step: who varies a forged claim gains no look by it.
    pub fn is_one_of_too_many(&self, entry: &Entry) -> bool {
        self.only_claims && entry.pending.as_ref().is_some_and(|pending| pending.is_full())
    }

    /// Takes another wake in.
    pub fn merge(&mut self, other: Wake) {
        if strength(other.cause) > strength(self.cause) {
            self.cause = other.cause;
        }
        for claim in other.claims {
            if !self.claims.contains(&claim) {
                if self.claims.len() == Pending::MAX_CLAIMS {
                    self.claims.remove(0);
                }
                self.claims.push(claim);
            }
        }
        self.notices.merge(&other.notices);
        self.erase |= other.erase;
        self.only_claims &= other.only_claims;
        if other.hinted_at.is_some() && other.hinted_at >= self.hinted_at {
            self.trigger = other.trigger;
            self.hint_id = other.hint_id;
            self.hinted_at = other.hinted_at;
            self.traceparent = other.traceparent;
        }
    }

    /// What is pending once this wake is added to what the ledger holds. A new claim starts the ladder anew, unless
    /// there are too many.
    pub(super) fn pending(&self, entry: Option<&Entry>) -> Pending {
        let mut pending = entry.and_then(|entry| entry.pending.as_deref().cloned()).unwrap_or_default();
        for claim in &self.claims {
            let full = pending.is_full();
            if pending.add_claim(claim) && !full {
                pending.claimed_since = None;
            }
        }
        pending.notices.merge(&self.notices);
        if self.hint_id.is_some() && self.hinted_at >= pending.hinted_at {
            pending.hint_id.clone_from(&self.hint_id);
            pending.hinted_at = self.hinted_at;
        }
        pending
    }
}

/// Whether a claim can be held against a truth at all.
fn claims_anything(claim: &Claim) -> bool {
    claim.status.is_some() || claim.changed_at.is_some() || claim.red_flag.is_some() || claim.deleted
}
