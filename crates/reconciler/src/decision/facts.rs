//! From a truth and the notices to the published facts, and to their summary in the ledger. Pure.

use super::Case;
use models::entry::HASHED_FIELDS;
use models::{
    Aml, AmlStatus, Entry, Facts, KycStatus, Monitoring, Notice, Notices, Pending, PersonalDigest, Published,
    Submission, SubmissionFacts, Time,
};
use sha2::{Digest, Sha256};

/// The facts that a truth confirms, and the notices that they rest on.
///
/// A notice counts if it passed one of the methods that the policy asks for. That its hint was read before the GET
/// started is the loop's to hold; clocks are not compared, so that skew between replicas loses none. A published notice stays as long as the screening shows the same: a repeated webhook is no change.
///
/// While a webhook claims a red flag that the GET does not show yet, its notice must not read as a clean screening:
/// it waits with its claim.
pub fn publishable(case: &Case<'_>, submission: &Submission, entry: &Entry, pending: &Pending) -> (Facts, Notices) {
    let last = entry.published.as_ref();
    let counts = |notice: &Notice| notice.authentication.any_of(case.policy.notice_authentication);
    let rested = last.map(|last| last.notices).unwrap_or_default();
    let flag_awaited = pending.claims.iter().any(|claim| claim.red_flag == Some(true))
        && submission.aml_status == AmlStatus::NotScreened;
    let newest = Notices {
        aml: pending.notices.aml.filter(counts).filter(|_| !flag_awaited),
        monitoring: pending.notices.monitoring.filter(counts),
    };
    let same_screening = last.is_some_and(|last| {
        last.risk == submission.risk
            && (last.aml_status == AmlStatus::RedFlag) == (submission.aml_status == AmlStatus::RedFlag)
    });
    let notices = Notices {
        aml: if same_screening { rested.aml.or(newest.aml) } else { newest.aml.or(rested.aml) },
        monitoring: rested.monitoring.or(newest.monitoring),
    };
    let was_clear = last.is_some_and(|last| last.aml_status == AmlStatus::Clear);
    let approved = submission.kyc.status == KycStatus::Approved;
    let status = match submission.aml_status {
        AmlStatus::NotScreened if notices.aml.is_some() && (was_clear || (approved && !flag_awaited)) => {
            AmlStatus::Clear
        }
        shown => shown,
    };
    let facts = Facts {
        submission: SubmissionFacts {
            project: case.key.project().to_owned(),
            id: case.key.submission().to_owned(),
            user_id: submission.user_id.clone(),
            created_at: submission.created_at,
        },
        kyc: submission.kyc.clone(),
        aml: Aml {
            status,
            vendor_status: submission.aml_vendor_status.clone(),
            risk: submission.risk,
            matches: submission.matches,
            notice_at: notices.aml.map(|notice| notice.at),
            monitoring: if notices.monitoring.is_some() { Monitoring::Registered } else { Monitoring::Unknown },
            monitoring_notice_at: notices.monitoring.map(|notice| notice.at),
        },
    };
    (facts, notices)
}

/// The first 128 bits of SHA-256 over the facts as JSON. The field order of the types is part of the format.
pub fn fingerprint(facts: &Facts) -> u128 {
    // Plain strings, numbers and options cannot fail to serialise.
    let bytes = serde_json::to_vec(facts).unwrap_or_default();
    let digest: [u8; 32] = Sha256::digest(&bytes).into();
    u128::from_be_bytes(std::array::from_fn(|index| digest[index]))
}

/// What the ledger keeps of published facts.
pub fn summary(facts: &Facts, submission: &Submission, notices: Notices, last: Option<&Published>) -> Published {
    Published {
        kyc_status: facts.kyc.status,
        aml_status: facts.aml.status,
        risk: facts.aml.risk,
        monitoring: facts.aml.monitoring,
        retries: facts.kyc.retries,
        updated_at: submission.updated_at,
        hashes: field_hashes(facts),
        fingerprint: fingerprint(facts),
        personal: personal(submission, last),
        reading: submission.reading,
        notices,
    }
}

/// The digest to keep: the current key's; the last one if this truth carries none.
fn personal(submission: &Submission, last: Option<&Published>) -> Option<PersonalDigest> {
    submission.personal[0].or_else(|| last.and_then(|last| last.personal))
}

pub(super) fn field_hashes(facts: &Facts) -> [u32; HASHED_FIELDS.len()] {
    let reasons = serde_json::to_string(&facts.kyc.reasons).unwrap_or_default();
    let time = |time: Option<Time>| time.map(|time| time.to_string());
    let texts: [Option<String>; HASHED_FIELDS.len()] = [
        facts.submission.user_id.clone(),
        time(facts.submission.created_at),
        Some(facts.kyc.vendor_status.clone()),
        time(facts.kyc.decided_at),
        facts.kyc.reviewer.clone(),
        Some(facts.kyc.origin.to_string()),
        Some(reasons),
        Some(facts.aml.vendor_status.clone()),
        Some(facts.aml.matches.to_string()),
    ];
    texts.map(|text| text.map_or(0, |text| short_hash(&text)))
}

/// The place among [`HASHED_FIELDS`] of ARGOS's word for the screening.
pub(crate) const AML_WORD: usize = 7;
const _: () = assert!(matches!(HASHED_FIELDS[AML_WORD].as_bytes(), b"aml.vendor_status"));

/// Hashes of words as the entry keeps them. A list has few words and many rows: the last ones are remembered.
#[derive(Debug, Default)]
pub(crate) struct WordHashes(std::cell::RefCell<Vec<(String, u32)>>);

impl WordHashes {
    const REMEMBERED: usize = 8;

    pub(crate) fn of(&self, word: &str) -> u32 {
        let mut known = self.0.borrow_mut();
        if let Some((_, hash)) = known.iter().find(|(one, _)| one == word) {
            return *hash;
        }
        let hash = short_hash(word);
        known.truncate(Self::REMEMBERED - 1);
        known.insert(0, (word.to_owned(), hash));
        hash
    }
}

fn short_hash(text: &str) -> u32 {
    let digest: [u8; 32] = Sha256::digest(text.as_bytes()).into();
    u32::from_be_bytes(std::array::from_fn(|index| digest[index]))
}
