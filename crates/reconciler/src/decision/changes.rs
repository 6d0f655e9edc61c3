//! What changed, and which events tell it. Pure.

use super::kind_of_status;
use models::entry::HASHED_FIELDS;
use models::{AmlStatus, EventKind, Facts, KycStatus, Monitoring, PersonalDigest, Published};

/// One event to be made: its type and the facts that it names as changed.
pub(super) type Kind = (EventKind, Vec<String>);

/// The verdict of a comparison.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Difference {
    /// Nothing differs.
    None,
    /// It differs, but only because we read or show it differently now.
    OurReading,
    /// ARGOS changed it: one entry for each event, in order.
    Vendor(Vec<Kind>),
}

/// The fields of [`HASHED_FIELDS`] that a personal-data policy can switch on and off: `kyc.reasons` because of the
/// free text in it.
const GOVERNED: [&str; 3] = ["submission.user_id", "kyc.reviewer", "kyc.reasons"];

/// The events of a submission that was not published before.
pub(super) fn first_sight(facts: &Facts) -> Vec<Kind> {
    let mut kinds = vec![(kind_of_status(facts.kyc.status, true), vec!["kyc.status".to_owned()])];
    if is_screened(facts.aml.status) {
        kinds.push((EventKind::AmlScreened, vec!["aml.status".to_owned()]));
    }
    if facts.aml.monitoring != Monitoring::Unknown {
        kinds.push((EventKind::AmlMonitoringChanged, vec!["aml.monitoring".to_owned()]));
    }
    kinds
}

/// What differs between what was published and what would be published now; `shown` is the personal block's digest
/// under each valid key.
pub(super) fn compare(last: &Published, new: &Published, shown: &[Option<PersonalDigest>]) -> Difference {
    let mut changed = changed_fields(last, new);
    let read_anew = last.reading != new.reading;
    let personal = personal_differs(last, new, shown);
    if read_anew {
        drop_our_own(last, new, &mut changed);
    }
    if changed.is_empty() && personal != Some(true) {
        let ours = read_anew || last.fingerprint != new.fingerprint || last.personal != new.personal;
        return if ours { Difference::OurReading } else { Difference::None };
    }
    Difference::Vendor(kinds(last, new, changed, personal == Some(true)))
}

/// The paths of the published facts that differ.
fn changed_fields(last: &Published, new: &Published) -> Vec<&'static str> {
    let held = [
        ("kyc.status", last.kyc_status != new.kyc_status),
        ("kyc.retries", last.retries != new.retries),
        ("aml.status", last.aml_status != new.aml_status),
        ("aml.risk", last.risk != new.risk),
        ("aml.monitoring", last.monitoring != new.monitoring),
        ("aml.notice_at", last.notices.aml.map(|notice| notice.at) != new.notices.aml.map(|notice| notice.at)),
    ];
    let hashed = HASHED_FIELDS.iter().zip(last.hashes.iter().zip(&new.hashes)).map(|(name, (a, b))| (*name, a != b));
    held.into_iter().chain(hashed).filter(|(_, differs)| *differs).map(|(name, _)| name).collect()
}

/// Whether personal data differs, told under the key of the last digest; `None` if that cannot be told: the key is no
/// longer valid, there was or is no digest, or another normalizer made it.
fn personal_differs(last: &Published, new: &Published, shown: &[Option<PersonalDigest>]) -> Option<bool> {
    if last.reading.normalizer != new.reading.normalizer {
        return None;
    }
    let old = last.personal?;
    shown.iter().flatten().find(|digest| digest.key == old.key).map(|digest| digest.digest != old.digest)
}

/// With another reading, what the policy governs is ours; with another normalizer everything is ours unless the
/// vendor's own clock or one of the core statuses moved.
fn drop_our_own(last: &Published, new: &Published, changed: &mut Vec<&'static str>) {
    changed.retain(|name| !GOVERNED.contains(name));
    if last.reading.normalizer != new.reading.normalizer {
        let same_clock = last.updated_at.is_some() && last.updated_at == new.updated_at;
        changed.retain(|name| !same_clock && matches!(*name, "kyc.status" | "aml.status" | "aml.risk"));
    }
}

/// One event for each facet: KYC first, then the screening, then monitoring.
fn kinds(last: &Published, new: &Published, changed: Vec<&'static str>, personal: bool) -> Vec<Kind> {
    let (aml, mut kyc): (Vec<_>, Vec<_>) = changed.into_iter().partition(|name| name.starts_with("aml."));
    let (monitoring, mut aml): (Vec<_>, Vec<_>) = aml.into_iter().partition(|name| *name == "aml.monitoring");
    if personal {
        kyc.push("personal_data");
    }
    let screening = screening_kind(last, new);
    if screening.is_none() {
        // Matches or a raw word changed, the verdict did not: an update, not a change of risk.
        kyc.append(&mut aml);
    }
    let owned = |names: Vec<&str>| names.into_iter().map(str::to_owned).collect::<Vec<_>>();
    let mut kinds = Vec::new();
    if !kyc.is_empty() {
        kinds.push((kyc_kind(last, new), owned(kyc)));
    }
    if let Some(kind) = screening {
        kinds.push((kind, owned(aml)));
    }
    if !monitoring.is_empty() {
        kinds.push((EventKind::AmlMonitoringChanged, owned(monitoring)));
    }
    kinds
}

fn kyc_kind(last: &Published, new: &Published) -> EventKind {
    if last.kyc_status != new.kyc_status {
        kind_of_status(new.kyc_status, false)
    } else if new.kyc_status == KycStatus::Incomplete && new.retries > last.retries {
        EventKind::Retried
    } else {
        EventKind::Updated
    }
}

fn screening_kind(last: &Published, new: &Published) -> Option<EventKind> {
    if last.aml_status == new.aml_status && last.risk == new.risk {
        None
    } else if !is_screened(last.aml_status) && is_screened(new.aml_status) {
        Some(EventKind::AmlScreened)
    } else {
        Some(EventKind::AmlRiskChanged)
    }
}

const fn is_screened(status: AmlStatus) -> bool {
    matches!(status, AmlStatus::Clear | AmlStatus::RedFlag)
}
