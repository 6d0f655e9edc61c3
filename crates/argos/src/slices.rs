//! The parts `kyc` and `aml` of a submission -> one submission, for projects that ask for nothing else.
//!
//! Owns which parts are asked for, in which order, and when they belong together (ARGOS protocol, section 4.1,
//! `request_type`). Must not know HTTP. Pure.
//!
//! Path: `kyc`, `aml`, `kyc` again. Two requests see two moments: an approval may come between them, and what was never
//! true together must not be told. If `kyc` reads the same before and after, `aml` was read while it did, so all of it
//! was true at that time (but for a `kyc` that went forth and back in between). Else the submission is looked at again.
//!
//! What neither part holds is absent: `userid`, `reviewer`, all times, the project's options, the personal block. So a
//! reading in parts is another normalizer than one of the whole ([`Reader::of_parts`]). A label "Deleted Submission" that
//! stands outside of `kyc` cannot be seen.

use crate::document::item_of;
use crate::head::Head;
use crate::reader::{Policy, Reader};
use crate::submission::read;
use crate::wire::text_of;
use models::{Answer, LookError, Risk, Submission};

/// Told when the parts do not belong together.
const CHANGED: &str = "the submission changed between two slices";

impl Reader {
    /// The same, for submissions that are read in parts.
    #[must_use]
    pub(crate) fn of_parts(self) -> Reader {
        Reader { include: self.include.with(Policy::PARTS), digest_key: None, previous_digest_key: None }
    }
}

/// Whether the first part shows the submission, so that the others are worth asking for.
pub(crate) fn goes_on(before: Option<&[u8]>, requested: &str) -> Result<bool, LookError> {
    let Some(body) = before else { return Ok(false) };
    Ok(item_of(&text_of(body), requested)?.is_some())
}

/// Joins the bodies of the three answers; `None` stands for a failure that means "no such submission".
///
/// # Errors
/// [`LookError::Retry`] if the parts do not belong together; else as [`crate::document::decode_single`].
pub(crate) fn join(
    [before, aml, after]: [Option<&[u8]>; 3],
    requested: &str,
    reader: &Reader,
) -> Result<Answer, LookError> {
    let changed = || LookError::Retry(CHANGED.to_owned());
    let Some(first) = kyc(before, requested, reader)? else { return Ok(Answer::Absent) };
    let Some(last) = kyc(after, requested, reader)? else { return Err(changed()) };
    if first.kyc != last.kyc {
        return Err(changed());
    }
    let text = text_of(aml.ok_or_else(changed)?);
    let shown = Head::of_object(&item_of(&text, requested)?.ok_or_else(changed)?).screening();
    Ok(Answer::Present(Box::new(Submission {
        aml_status: shown.status,
        aml_vendor_status: shown.vendor_status.unwrap_or_default(),
        risk: shown.risk.unwrap_or(Risk::Unknown),
        matches: shown.matches,
        ..first
    })))
}

fn kyc(body: Option<&[u8]>, requested: &str, reader: &Reader) -> Result<Option<Submission>, LookError> {
    let Some(body) = body else { return Ok(None) };
    let text = text_of(body);
    item_of(&text, requested)?.map(|item| read(&item, reader)).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;
    use models::{AmlStatus, KycStatus};

    const APPROVED: &str = r#"{"Items":[{"submission_id":"x","kyc":{"result":"approved","attempts":[{}]}}]}"#;
    const REJECTED: &str = r#"{"Items":[{"submission_id":"x","kyc":{"result":"rejected","attempts":[{}]}}]}"#;
    const FLAGGED: &str = r#"{"Items":[{"submission_id":"x","aml":{"currentstatus":"Red Flag","matches":[1],
        "risk_level_summary":"LOW"}}]}"#;
    const NO_AML: &str = r#"{"Items":[{"submission_id":"x"}]}"#;
    const NONE: &str = r#"{"Items":[]}"#;

    fn joined(bodies: [&str; 3]) -> Result<Answer, LookError> {
        let bodies = bodies.map(|body| (body != "404").then_some(body.as_bytes()));
        join(bodies, "x", &Reader::default().of_parts())
    }

    fn present(answer: Result<Answer, LookError>) -> Submission {
        match answer.unwrap() {
            Answer::Present(submission) => *submission,
            Answer::Absent => panic!("absent"),
        }
    }

    #[test]
    fn both_parts_make_one_submission() {
        let shown = present(joined([APPROVED, FLAGGED, APPROVED]));
        assert_eq!((shown.kyc.status, shown.kyc.retries), (KycStatus::Approved, 1));
        assert_eq!((shown.aml_status, shown.risk, shown.matches), (AmlStatus::RedFlag, Risk::Low, 1));
        assert_eq!((shown.updated_at, shown.created_at, shown.personal), (None, None, [None, None]));
        assert_eq!(present(joined([APPROVED, NO_AML, APPROVED])).aml_status, AmlStatus::NotScreened);
    }

    #[test]
    fn what_was_never_seen_together_is_looked_at_again() {
        for bodies in [
            [APPROVED, FLAGGED, REJECTED],
            [APPROVED, FLAGGED, NONE],
            [APPROVED, FLAGGED, "404"],
            [APPROVED, NONE, APPROVED],
            [APPROVED, "404", APPROVED],
        ] {
            assert_eq!(joined(bodies), Err(LookError::Retry(CHANGED.to_owned())), "{bodies:?}");
        }
        assert_eq!(joined([NONE, NONE, NONE]), Ok(Answer::Absent));
        assert_eq!(joined(["404", "404", "404"]), Ok(Answer::Absent));
        assert!(matches!(joined([APPROVED, "no", APPROVED]), Err(LookError::Unreadable(_))));
        assert!(matches!(joined([NO_AML, FLAGGED, NO_AML]), Err(LookError::Unreadable(_))));
    }

    #[test]
    fn a_reading_in_parts_is_another_than_one_of_the_whole() {
        let whole = Reader { include: Policy::USER_ID, ..Reader::default() };
        let (whole, parts) = (whole.reading(), whole.clone().of_parts().reading());
        assert_ne!(whole.policy, parts.policy);
        assert_ne!(whole.normalizer, parts.normalizer);
    }
}
