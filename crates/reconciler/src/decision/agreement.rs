//! How the truth stands to what hints claimed, and to what was published before. Pure.

use crate::policy::Policy;
use models::{Agreement, AmlStatus, Claim, KycStatus, Submission, Time};

/// Whether a truth is older by the vendor's clock. Compared only if both sides have one; equal is not older.
pub fn is_older(truth: Option<Time>, published: Option<Time>) -> bool {
    matches!((truth, published), (Some(truth), Some(published)) if truth < published)
}

/// Drops the claims that the truth shows or has overtaken; what is left waits. The overall agreement: one claim
/// that is not shown makes it `behind`.
pub fn settle_claims(policy: &Policy, submission: &Submission, claims: &mut Vec<Claim>) -> Agreement {
    let all: Vec<Agreement> = claims.iter().map(|claim| of_claim(policy, submission, claim)).collect();
    let mut verdicts = all.iter();
    claims.retain(|_| verdicts.next() == Some(&Agreement::Behind));
    [Agreement::Behind, Agreement::Agrees, Agreement::Ahead]
        .into_iter()
        .find(|verdict| all.contains(verdict))
        .unwrap_or(Agreement::None)
}

/// The agreement of a confirmed deletion.
pub(super) fn of_deletion(claims: &[Claim]) -> Agreement {
    if claims.is_empty() {
        Agreement::None
    } else if claims.iter().any(|claim| claim.deleted) {
        Agreement::Agrees
    } else {
        Agreement::Ahead
    }
}

/// One claim against one truth.
///
/// | claim | agrees | ahead | behind |
/// |---|---|---|---|
/// | deletion | - | - | shown live |
/// | red flag | flagged | - | not flagged |
/// | clean screening | not flagged | flagged | - |
/// | status, vendor time shown or passed | same status | other status | - |
/// | status, vendor time not shown | - | - | always |
/// | status without a comparable time | same status | one that follows it | any other |
/// | vendor time only | - | shown or passed | not shown |
pub fn of_claim(policy: &Policy, submission: &Submission, claim: &Claim) -> Agreement {
    if claim.deleted {
        return Agreement::Behind;
    }
    if let Some(claimed) = claim.red_flag {
        let shown = submission.aml_status == AmlStatus::RedFlag;
        return match (claimed, shown) {
            (true, false) => Agreement::Behind,
            (false, true) => Agreement::Ahead,
            _ => Agreement::Agrees,
        };
    }
    let same = |status: KycStatus| status == submission.kyc.status;
    match (claim.status, claim.changed_at.zip(submission.updated_at)) {
        (Some(status), Some((claimed, shown))) if claimed <= shown + policy.clock_tolerance => {
            if same(status) {
                Agreement::Agrees
            } else {
                Agreement::Ahead
            }
        }
        (None, Some((claimed, shown))) if claimed <= shown + policy.clock_tolerance => Agreement::Ahead,
        (Some(status), None) if same(status) => attempts(submission, claim),
        (Some(status), None) if follows(status, submission.kyc.status) => Agreement::Ahead,
        (None, None) => Agreement::None,
        _ => Agreement::Behind,
    }
}

/// Same status, no clock: a claim of more attempts than are shown is not shown yet.
fn attempts(submission: &Submission, claim: &Claim) -> Agreement {
    match claim.attempts {
        Some(claimed) if submission.kyc.status == KycStatus::Incomplete && claimed > submission.kyc.retries => {
            Agreement::Behind
        }
        _ => Agreement::Agrees,
    }
}

/// Whether `shown` can only come after `claimed`. Approved and rejected can follow one another either way, so
/// neither proves to be later (ARGOS protocol, section 6).
fn follows(claimed: KycStatus, shown: KycStatus) -> bool {
    matches!(
        (claimed, shown),
        (KycStatus::Incomplete, KycStatus::Pending | KycStatus::Approved | KycStatus::Rejected)
            | (KycStatus::Pending, KycStatus::Approved | KycStatus::Rejected)
    )
}
