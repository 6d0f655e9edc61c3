//! What an item shows at first sight: id, status, screening and clocks.
//!
//! Owns the fields of the ARGOS protocol, section 5, that list rows and documents have in common. They are found in one
//! pass over the item, since documents are many. Must not know wrappers, reasons or people. Pure.

use crate::answer::{unexpected, unreadable};
use crate::timestamp;
use crate::wire::{Kind, Object, Raw, cleaned, meaning};
use crate::words::{self, MAX_WORD};
use models::{AmlStatus, KycStatus, LookError, Risk, Time};

/// Top-level texts that customers, applicants or operators choose: never taken for ARGOS's label.
pub(crate) const CHOSEN: [&str; 8] =
    ["submission_id", "submissionId", "userid", "User_id", "tokenId", "Token_id", "reviewer", "applicant_id"];

/// The members, unread.
pub(crate) struct Head<'a> {
    pub(crate) id: Option<Raw<'a>>,
    pub(crate) created_at: Option<Raw<'a>>,
    kyc: Option<Raw<'a>>,
    data: Option<Raw<'a>>,
    /// `kyc_result`, `kycStatus`, `kyc_status` and `status`: who counts first comes first.
    statuses: [Option<Raw<'a>>; 4],
    aml: Option<Raw<'a>>,
    updated_at: [Option<Raw<'a>>; 2],
    history: Option<Raw<'a>>,
    /// A top-level text that ARGOS itself writes is the label of a deleted submission.
    labelled: bool,
}

/// The members as they come by.
#[derive(Default)]
struct Gathered<'a> {
    ids: [Option<Raw<'a>>; 2],
    created_at: Option<Raw<'a>>,
    kyc: Option<Raw<'a>>,
    data: Option<Raw<'a>>,
    statuses: [Option<Raw<'a>>; 4],
    aml: [Option<Raw<'a>>; 2],
    updated_at: [Option<Raw<'a>>; 2],
    history: Option<Raw<'a>>,
    labelled: bool,
}

impl<'a> Gathered<'a> {
    /// One member; of a repeated name the last counts.
    fn add(&mut self, name: &str, value: Raw<'a>) {
        self.labelled |= is_label(value) && !CHOSEN.contains(&name);
        let place = match name {
            "submission_id" => &mut self.ids[0],
            "submissionId" => &mut self.ids[1],
            "created_at" => &mut self.created_at,
            "kyc" => &mut self.kyc,
            "data" => &mut self.data,
            "kyc_result" => &mut self.statuses[0],
            "kycStatus" => &mut self.statuses[1],
            "kyc_status" => &mut self.statuses[2],
            "status" => &mut self.statuses[3],
            "aml" => &mut self.aml[0],
            "aml_result" => &mut self.aml[1],
            "updated_at" => &mut self.updated_at[0],
            "update_at" => &mut self.updated_at[1],
            "updateHistory" => &mut self.history,
            _ => return,
        };
        *place = value.kind().map(|_| value);
    }

    /// All have come by.
    fn head(self) -> Head<'a> {
        let Gathered { ids, created_at, kyc, data, statuses, aml, updated_at, history, labelled } = self;
        let first = |[first, second]: [Option<Raw<'a>>; 2]| first.or(second);
        Head { id: first(ids), created_at, kyc, data, statuses, aml: first(aml), updated_at, history, labelled }
    }
}

/// The screening as an item shows it.
pub(crate) struct Screening {
    pub(crate) status: AmlStatus,
    pub(crate) vendor_status: Option<String>,
    pub(crate) risk: Option<Risk>,
    pub(crate) matches: u32,
}

impl<'a> Head<'a> {
    /// Looks at an item once.
    ///
    /// # Errors
    /// [`LookError::Unreadable`] if it is no object.
    pub(crate) fn of(item: Raw<'a>) -> Result<Head<'a>, LookError> {
        let mut gathered = Gathered::default();
        let sound = item.each_member(|name, value| gathered.add(&name, value));
        if sound { Ok(gathered.head()) } else { Err(unreadable("the item is not an object")) }
    }

    /// Looks at an item whose members were found before.
    pub(crate) fn of_object(item: &Object<'a>) -> Head<'a> {
        let mut gathered = Gathered::default();
        item.members().for_each(|(name, value)| gathered.add(name, value));
        gathered.head()
    }

    /// The vendor's clock: `updated_at`, or `updateHistory.updateTime` where that is newer, since webhooks of manual
    /// changes carry the latter as `update_time`. Without `updated_at` there is no clock: the others do not grow with
    /// every change. The note's time (`memo`) is left out, as a note is no change of the submission.
    pub(crate) fn updated_at(&self) -> Option<Time> {
        let updated = self.updated_at.into_iter().flatten().find_map(time);
        later(updated, || self.history.and_then(|history| history.first_of(["updateTime"])).and_then(time))
    }

    /// The KYC status and ARGOS's word for it; `None` if none is shown.
    ///
    /// The label of a deleted submission has no documented JSON form (section 4.4): it is looked for in every status
    /// field, in every top-level text that ARGOS itself writes, and in `data` if that holds nothing else.
    ///
    /// # Errors
    /// [`LookError::Unreadable`] if there is none, and `kyc.result` is no text.
    pub(crate) fn kyc_status(&self) -> Result<Option<(KycStatus, String)>, LookError> {
        let [result, inner] = self.kyc.and_then(|kyc| kyc.members(["result", "status"])).unwrap_or_default();
        let [webhook, others @ ..] = self.statuses;
        let webhook = webhook.map(|field| field.first_of(["status"]).unwrap_or(field));
        let fields = [result, inner, self.kyc, webhook].into_iter().chain(others).flatten();
        let mut first = None;
        for field in fields.filter(|field| field.kind() == Some(Kind::String)) {
            let Some(word) = field.text().map(|text| cleaned(&text, MAX_WORD)) else { continue };
            let status = words::kyc_status(&word);
            if status == KycStatus::Deleted {
                return Ok(Some((status, word)));
            }
            first = first.or(Some((status, word)));
        }
        if self.labelled || self.data.is_some_and(only_label) {
            return Ok(Some((KycStatus::Deleted, "Deleted Submission".to_owned())));
        }
        match (first, result.and_then(Raw::kind)) {
            (None, Some(kind)) if kind != Kind::String => Err(unexpected("kyc.result", Some(kind))),
            (first, _) => Ok(first),
        }
    }

    /// Reads `aml`. Missing is "not screened": only approved submissions are screened at all.
    pub(crate) fn screening(&self) -> Screening {
        let [status, risk, matches] = self
            .aml
            .and_then(|aml| aml.members(["currentstatus", "risk_level_summary", "matches"]))
            .unwrap_or_default();
        let vendor_status = status.and_then(Raw::text).map(|word| cleaned(&word, MAX_WORD));
        Screening {
            status: vendor_status.as_deref().map_or(AmlStatus::NotScreened, words::aml_status),
            vendor_status,
            risk: risk.and_then(Raw::text).map(|word| words::risk(&word)),
            matches: matches.map_or(0, |field| length(field).or_else(|| field.count()).unwrap_or(0)),
        }
    }
}

pub(crate) fn time(field: Raw<'_>) -> Option<Time> {
    timestamp::parse(&field.text()?)
}

pub(crate) fn time_of(word: &str) -> Option<Time> {
    timestamp::parse(meaning(word)?)
}

/// The vendor's clock, moved on by a manual change; without the former there is none.
pub(crate) fn later(updated: Option<Time>, manual: impl FnOnce() -> Option<Time>) -> Option<Time> {
    let updated = updated?;
    Some(manual().map_or(updated, |manual| manual.max(updated)))
}

/// The length of a list.
pub(crate) fn length(field: Raw<'_>) -> Option<u32> {
    field.elements().map(|all| u32::try_from(all.len()).unwrap_or(u32::MAX))
}

fn is_label(field: Raw<'_>) -> bool {
    if field.kind() != Some(Kind::String) {
        return false;
    }
    // Without an escape the text is what stands in the source; its quotes do not count.
    if !field.source().contains('\\') {
        return words::is_deleted_label(field.source());
    }
    field.string().is_some_and(|text| words::is_deleted_label(&text))
}

/// Whether the label is all that is left in `data`.
fn only_label(data: Raw<'_>) -> bool {
    let mut labels = 0;
    let mut others = 0;
    data.each_member(|_, value| {
        if is_label(value) {
            labels += 1;
        } else if value.text().is_some() || matches!(value.kind(), Some(Kind::Object | Kind::Array | Kind::Bool)) {
            others += 1;
        }
    });
    labels > 0 && others == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(members: &str) -> Option<KycStatus> {
        let text = format!("{{{members}}}");
        Head::of(Raw::parse(&text).unwrap()).unwrap().kyc_status().unwrap().map(|(status, _)| status)
    }

    #[test]
    fn the_label_is_found_however_it_is_written_and_only_as_a_whole() {
        for label in ["Deleted Submission", " deleted-submission ", "DELETED_SUBMISSION", r"Deleted\u0020Submission"] {
            for place in ["status", "email", "anything"] {
                let members = format!(r#""kyc":{{"result":"approved"}},"{place}":"{label}""#);
                assert_eq!(status(&members), Some(KycStatus::Deleted), "{members}");
            }
            let chosen = format!(r#""kyc":{{"result":"approved"}},"userid":"{label}""#);
            assert_eq!(status(&chosen), Some(KycStatus::Approved), "{chosen}");
        }
        for other in [r#""Deleted Submissions""#, r#""no deleted submission""#, r#"["Deleted Submission"]"#, "7"] {
            let members = format!(r#""kyc":{{"result":"approved"}},"email":{other}"#);
            assert_eq!(status(&members), Some(KycStatus::Approved), "{members}");
        }
    }

    #[test]
    fn what_is_no_object_has_no_head() {
        for text in ["7", "null", "[]", "\"x\""] {
            assert!(Head::of(Raw::parse(text).unwrap()).is_err(), "{text}");
        }
    }
}
