//! One item of an answer -> our words.
//!
//! Owns the fields of the ARGOS protocol, section 5, that mean something to us; all others are skipped unread. Only
//! the status is needed: a field of an unexpected type is absent, a missing status makes the item unreadable, since
//! nothing could be said about it that is true. Must not know wrappers or HTTP. Pure.

use crate::answer::{unexpected, unreadable};
use crate::reader::{Policy, Reader};
use crate::reasons::category;
use crate::wire::{Kind, Raw, cleaned};
use crate::words::{self, MAX_WORD};
use crate::{personal, timestamp};
use models::{AmlStatus, Kyc, KycStatus, LookError, Origin, Reason, Risk, Submission, Time};

/// The most reasons that are passed on.
const MAX_REASONS: usize = 32;
/// The longest free text that is passed on, in characters.
const MAX_TEXT: usize = 1024;
/// Top-level texts that customers, applicants or operators choose: never taken for ARGOS's label.
const CHOSEN: [&str; 8] =
    ["submission_id", "submissionId", "userid", "User_id", "tokenId", "Token_id", "reviewer", "applicant_id"];

/// Reads an item whose id was checked.
pub(crate) fn read(item: Raw<'_>, reader: &Reader) -> Result<Submission, LookError> {
    let [kyc, user_id, created_at, decided_at, reviewer, options] = item
        .members(["kyc", "userid", "created_at", "kyc_result_at", "reviewer", "project_options"])
        .ok_or_else(|| unreadable("the item is not an object"))?;
    let (status, vendor_status) = kyc_status(item)?.ok_or_else(|| unreadable("kyc.result is missing"))?;
    let kyc = kyc.and_then(History::of).unwrap_or_default();
    let reviewer = reviewer.and_then(Raw::text);
    let origin = match reviewer.as_deref() {
        None => Origin::Unknown,
        Some(name) if name.eq_ignore_ascii_case("system") => Origin::Automatic,
        Some(_) => Origin::Manual,
    };
    let named = origin == Origin::Automatic || reader.include.contains(Policy::REVIEWER);
    let aml = screening(item);
    Ok(Submission {
        user_id: user_id
            .filter(|_| reader.include.contains(Policy::USER_ID))
            .and_then(Raw::text)
            .map(|id| cleaned(&id, MAX_TEXT)),
        created_at: created_at.and_then(time),
        updated_at: updated_at(item),
        kyc: Kyc {
            status,
            vendor_status,
            decided_at: decided_at.and_then(time),
            reviewer: reviewer.filter(|_| named).map(|name| cleaned(&name, MAX_TEXT)),
            origin,
            retries: kyc.retries(),
            reasons: kyc.reasons(status, reader.include.contains(Policy::REASON_TEXT)),
        },
        aml_status: aml.status,
        aml_vendor_status: aml.vendor_status.unwrap_or_default(),
        risk: aml.risk.unwrap_or(Risk::Unknown),
        matches: aml.matches,
        aml_expected: options.and_then(|options| options.first_of(["option_aml"])).and_then(Raw::flag),
        personal: personal::digests(item, [reader.digest_key.as_ref(), reader.previous_digest_key.as_ref()]),
        reading: reader.reading(),
    })
}

pub(crate) fn time(field: Raw<'_>) -> Option<Time> {
    timestamp::parse(&field.text()?)
}

/// The vendor's clock: `updated_at`, or `updateHistory.updateTime` where that is newer, since webhooks of manual
/// changes carry the latter as `update_time`. Without `updated_at` there is no clock: the others do not grow with
/// every change. The note's time (`memo`) is left out, as a note is no change of the submission.
pub(crate) fn updated_at(item: Raw<'_>) -> Option<Time> {
    let [updated, old_name, history] = item.members(["updated_at", "update_at", "updateHistory"])?;
    let updated = updated.and_then(time).or_else(|| old_name.and_then(time))?;
    let manual = history.and_then(|history| history.first_of(["updateTime"])).and_then(time);
    Some(manual.map_or(updated, |manual| manual.max(updated)))
}

/// The KYC status and ARGOS's word for it; `None` if none is shown.
///
/// The label of a deleted submission has no documented JSON form (section 4.4): it is looked for in every status
/// field, in every top-level text that ARGOS itself writes, and in `data` if that holds nothing else.
pub(crate) fn kyc_status(item: Raw<'_>) -> Result<Option<(KycStatus, String)>, LookError> {
    let [kyc, data] = item.members(["kyc", "data"]).ok_or_else(|| unreadable("the item is not an object"))?;
    let [result, inner] = kyc.and_then(|kyc| kyc.members(["result", "status"])).unwrap_or_default();
    let [status, camel, snake, webhook] =
        item.members(["status", "kycStatus", "kyc_status", "kyc_result"]).unwrap_or_default();
    let webhook = webhook.map(|field| field.first_of(["status"]).unwrap_or(field));
    let shown: Vec<String> = [result, inner, kyc, webhook, camel, snake, status]
        .into_iter()
        .flatten()
        .filter(|field| field.kind() == Some(Kind::String))
        .filter_map(|field| Some(cleaned(&field.text()?, MAX_WORD)))
        .collect();
    let is_deleted = |word: &&String| words::kyc_status(word) == KycStatus::Deleted;
    if let Some(word) = shown.iter().find(is_deleted) {
        return Ok(Some((KycStatus::Deleted, word.clone())));
    }
    if labelled(item) || data.is_some_and(only_label) {
        return Ok(Some((KycStatus::Deleted, "Deleted Submission".to_owned())));
    }
    match (shown.into_iter().next(), result.and_then(Raw::kind)) {
        (Some(word), _) => Ok(Some((words::kyc_status(&word), word))),
        (None, Some(kind)) if kind != Kind::String => Err(unexpected("kyc.result", Some(kind))),
        (None, _) => Ok(None),
    }
}

fn is_label(field: Raw<'_>) -> bool {
    field.string().is_some_and(|text| words::is_deleted_label(&text))
}

fn labelled(item: Raw<'_>) -> bool {
    let mut found = false;
    item.each_member(|name, value| found |= !CHOSEN.contains(&name.as_ref()) && is_label(value));
    found
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

/// The screening as an item shows it.
pub(crate) struct Screening {
    pub(crate) status: AmlStatus,
    pub(crate) vendor_status: Option<String>,
    pub(crate) risk: Option<Risk>,
    pub(crate) matches: u32,
}

/// Reads `aml`. Missing is "not screened": only approved submissions are screened at all.
pub(crate) fn screening(item: Raw<'_>) -> Screening {
    let [status, risk, matches] = item
        .first_of(["aml", "aml_result"])
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

fn length(field: Raw<'_>) -> Option<u32> {
    field.elements().map(|all| u32::try_from(all.len()).unwrap_or(u32::MAX))
}

/// What `kyc` tells of the way to the result.
#[derive(Default)]
struct History<'a> {
    comment: Option<Raw<'a>>,
    codes: Option<Raw<'a>>,
    attempts: Option<Raw<'a>>,
    retry: Option<Raw<'a>>,
}

impl<'a> History<'a> {
    fn of(kyc: Raw<'a>) -> Option<History<'a>> {
        let [comment, codes, attempts, retry] = kyc.members(["comment", "commentCode", "attempts", "retry"])?;
        Some(History { comment, codes, attempts, retry })
    }

    /// The largest of the counts shown: the number of `attempts` (or that number itself), the largest `attemptCnt`
    /// among them, the number of `retry`. Which of them a page shows differs; each only ever grows.
    fn retries(&self) -> u32 {
        let counted = self.attempts.map_or(0, |attempts| match attempts.elements() {
            None => attempts.count().unwrap_or(0),
            Some(all) => {
                let largest = all.iter().filter_map(|one| one.first_of(["attemptCnt"])?.count()).max();
                largest.unwrap_or(0).max(u32::try_from(all.len()).unwrap_or(u32::MAX))
            }
        });
        counted.max(self.retry.and_then(length).unwrap_or(0))
    }

    /// The reviewer's codes; while the applicant is at it, the codes of the retries. Each once, in ARGOS's order.
    fn reasons(&self, status: KycStatus, with_text: bool) -> Vec<Reason> {
        let mut reasons = self.comments(with_text);
        if reasons.is_empty() && status == KycStatus::Incomplete {
            reasons = [self.retry, self.attempts]
                .into_iter()
                .flatten()
                .flat_map(retry_codes)
                .map(|code| reason(&code, None))
                .collect();
        }
        let mut distinct: Vec<Reason> = Vec::new();
        for reason in reasons {
            if distinct.len() < MAX_REASONS && !distinct.contains(&reason) {
                distinct.push(reason);
            }
        }
        distinct
    }

    /// Codes and comments stand in two lists, matched by place. A comment without a code is a reason if there are
    /// no codes at all, or if its text may be shown.
    fn comments(&self, with_text: bool) -> Vec<Reason> {
        let codes = self.codes.map(texts).unwrap_or_default();
        let comments = self.comment.map(texts).unwrap_or_default();
        let has_code = codes.iter().any(Option::is_some);
        (0..codes.len().max(comments.len()))
            .filter_map(|place| {
                let code = codes.get(place).cloned().flatten();
                let comment = comments.get(place).cloned().flatten();
                match (code, comment) {
                    (Some(code), comment) => Some(reason(&code, comment.filter(|_| with_text))),
                    (None, Some(comment)) if with_text => Some(reason("", Some(comment))),
                    (None, Some(_)) if !has_code => Some(reason("", None)),
                    (None, _) => None,
                }
            })
            .collect()
    }
}

fn reason(code: &str, text: Option<String>) -> Reason {
    Reason { code: code.to_owned(), category: category(code).to_owned(), text }
}

/// A text or a list of texts; what is no text keeps its place.
fn texts(field: Raw<'_>) -> Vec<Option<String>> {
    let one = |field: Raw<'_>| field.text().map(|text| cleaned(&text, MAX_TEXT));
    match field.elements() {
        Some(all) => all.into_iter().map(one).collect(),
        None => vec![one(field)],
    }
}

/// The codes of `kyc.retry` or `kyc.attempts`: a list of codes, or of objects whose `retryCode` is a code or a list.
fn retry_codes(list: Raw<'_>) -> Vec<String> {
    let elements = list.elements().unwrap_or_default().into_iter();
    elements.filter_map(|one| one.first_of(["retryCode"]).or(Some(one))).flat_map(texts).flatten().collect()
}

#[cfg(test)]
#[path = "submission_tests.rs"]
mod tests;
