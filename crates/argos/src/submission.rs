//! One item of an answer -> our words.
//!
//! Owns the fields of the ARGOS protocol, section 5, that mean something to us beyond those that [`crate::head`] reads;
//! all others are skipped unread. Only the status is needed: a field of an unexpected type is absent, a missing status
//! makes the item unreadable, since nothing could be said about it that is true. Must not know wrappers or HTTP. Pure.

use crate::answer::unreadable;
use crate::head::{Head, length, time};
use crate::personal;
use crate::reader::{Policy, Reader};
use crate::reasons::category;
use crate::wire::{Object, Raw, cleaned};
use models::{Kyc, KycStatus, LookError, Origin, Reason, Risk, Submission};

/// The most reasons that are passed on.
const MAX_REASONS: usize = 32;
/// The longest free text that is passed on, in characters.
const MAX_TEXT: usize = 1024;

/// Reads an item whose id was checked.
pub(crate) fn read(item: &Object<'_>, reader: &Reader) -> Result<Submission, LookError> {
    let head = Head::of_object(item);
    let [kyc, user_id, decided_at, reviewer, options] =
        ["kyc", "userid", "kyc_result_at", "reviewer", "project_options"].map(|name| item.get(name));
    let (status, vendor_status) = head.kyc_status()?.ok_or_else(|| unreadable("kyc.result is missing"))?;
    let kyc = kyc.and_then(History::of).unwrap_or_default();
    let reviewer = reviewer.and_then(Raw::text);
    let origin = match reviewer.as_deref() {
        None => Origin::Unknown,
        Some(name) if name.eq_ignore_ascii_case("system") => Origin::Automatic,
        Some(_) => Origin::Manual,
    };
    let named = origin == Origin::Automatic || reader.include.contains(Policy::REVIEWER);
    let aml = head.screening();
    Ok(Submission {
        user_id: user_id
            .filter(|_| reader.include.contains(Policy::USER_ID))
            .and_then(Raw::text)
            .map(|id| cleaned(&id, MAX_TEXT)),
        created_at: head.created_at.and_then(time),
        updated_at: head.updated_at(),
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
