//! What a failed answer means: HTTP status and error body -> [`LookError`], or absence.
//!
//! Owns the ARGOS protocol, sections 4.4 to 4.6. Neither statuses nor error bodies are documented in full, so the
//! status decides, and the body only where one status has several meanings. Must not know the HTTP client. Pure.
//!
//! | status | meaning |
//! |---|---|
//! | 404, 400 that says "not found" or "invalid submission" | absent |
//! | 404 or 400 that speaks of the project, `invalid_project`, `invalid_admin` | denied |
//! | 401, 403 | denied; throttled if the message speaks of a limit, a quota or too many requests |
//! | 429 | throttled |
//! | 3xx, 408, 425, 5xx | try again: the service is at fault, not the submission |
//! | any other 4xx, and a 404 whose body is not ARGOS's | unreadable |
//!
//! No text of a body enters an error, save an error code of at most 64 characters of `A-Z a-z 0-9 _ -`.

use crate::wire::{Kind, Raw, folded, text_of};
use models::{LookError, Time};
use std::time::Duration;

/// The longest wait that a `Retry-After` can ask for; what is longer is cut to it.
pub const MAX_RETRY_AFTER: Duration = Duration::from_hours(24);

/// The longest error code that is repeated in an error text.
const MAX_CODE: usize = 64;

/// What a failed answer means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// There is no such submission.
    Absent,
    /// Anything else.
    Error(LookError),
}

/// What an error body says, in any of its shapes (section 4.5).
#[derive(Default)]
pub(crate) struct Complaint {
    /// The error code, if it is fit to be shown.
    code: Option<String>,
    /// Code and message, folded, for recognition only.
    words: Vec<String>,
}

impl Complaint {
    /// `None` if the object has none of the members of an error body.
    pub(crate) fn read(body: Raw<'_>) -> Option<Complaint> {
        let names = ["errorCode", "code", "error", "errorMessage", "message", "Message", "errors"];
        let mut fields: Vec<Raw<'_>> = body.members(names)?.into_iter().flatten().collect();
        if fields.is_empty() {
            return None;
        }
        // Nested: `errors: [{…}]` or `error: {…}`.
        let nested: Vec<Raw<'_>> = fields
            .iter()
            .flat_map(|field| field.elements().unwrap_or_else(|| vec![*field]))
            .filter_map(|field| field.members(["errorCode", "code", "message"]))
            .flat_map(|found| found.into_iter().flatten())
            .collect();
        fields.extend(nested);
        let words = fields.iter().filter_map(|field| Some(folded(&field.text()?))).collect();
        let code = [Some(body)].into_iter().chain(body.members(["error", "errors"])?).flatten().find_map(|place| {
            let place = place.elements().and_then(|all| all.first().copied()).unwrap_or(place);
            let field =
                if place.kind() == Some(Kind::String) { place } else { place.first_of(["errorCode", "code"])? };
            shown(&field.text()?)
        });
        Some(Complaint { code, words })
    }

    fn says(&self, parts: &[&str]) -> bool {
        self.words.iter().any(|word| parts.iter().any(|part| word.contains(part)))
    }

    /// About the key or the project, never about a submission.
    fn denies(&self) -> bool {
        self.says(&["invalidproject", "invalidadmin", "projectnotfound", "invalidapikey", "apikeynotfound"])
    }

    fn throttles(&self) -> bool {
        let limit = |word: &String| word.contains("limit") && !word.contains("limited") && !word.contains("agelimit");
        self.says(&["quota", "toomany", "throttl", "limitexceeded", "ratelimit"]) || self.words.iter().any(limit)
    }

    fn is_absence(&self) -> bool {
        let about = ["project", "apikey", "admin", "endpoint", "route", "resource", "path"];
        self.says(&["notfound", "invalidsubmission", "notexist", "nosuchsubmission", "deletedsubmission"])
            && !self.says(&about)
    }

    /// "status 400, code `invalid_format`", or only the first half.
    fn describe(&self, status: u16) -> String {
        match &self.code {
            Some(code) => format!("status {status}, code {code}"),
            None => format!("status {status}"),
        }
    }
}

/// A code that may be shown: short, plain, and not a bare number (which could be anything).
fn shown(code: &str) -> Option<String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    let fits = code.len() <= MAX_CODE && code.bytes().all(plain) && code.bytes().any(|byte| byte.is_ascii_alphabetic());
    fits.then(|| code.to_owned())
}

/// Reads a failure. `body` may be empty or cut off; `retry_after` is the header's meaning, see [`retry_after`].
pub fn of_failure(status: u16, retry_after: Option<Duration>, body: &[u8]) -> Failure {
    let text = text_of(body);
    let object = Raw::parse(&text).filter(|body| body.kind() == Some(Kind::Object));
    let complaint = object.and_then(Complaint::read).unwrap_or_default();
    let error = match status {
        404 if complaint.denies() => LookError::Denied(complaint.describe(status)),
        // "Absent" must be ARGOS's word, not that of a proxy's page.
        404 if object.is_some() || text.trim().is_empty() => return Failure::Absent,
        400 => return of_complaint(status, &complaint),
        401 | 403 if complaint.throttles() => LookError::Throttled { retry_after },
        401 | 403 if complaint.says(&["explicitdeny"]) => {
            LookError::Denied(format!("status {status}, our address is not on the project's list"))
        }
        401 | 403 => LookError::Denied(complaint.describe(status)),
        429 => LookError::Throttled { retry_after },
        300..=399 => LookError::Retry(format!("status {status}, a redirect that is not followed")),
        408 | 425 | 500.. => LookError::Retry(complaint.describe(status)),
        _ => LookError::Unreadable(complaint.describe(status)),
    };
    Failure::Error(error)
}

/// Reads an error body that came with a status which says nothing: 400, or a success without items.
pub(crate) fn of_complaint(status: u16, complaint: &Complaint) -> Failure {
    if complaint.denies() {
        Failure::Error(LookError::Denied(complaint.describe(status)))
    } else if complaint.is_absence() {
        Failure::Absent
    } else {
        Failure::Error(LookError::Unreadable(complaint.describe(status)))
    }
}

/// Reads `Retry-After`: seconds, or an HTTP date measured from `now`. `None` if it is neither.
pub fn retry_after(header: &str, now: Time) -> Option<Duration> {
    let header = header.trim();
    if !header.is_empty() && header.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(Duration::from_secs(header.parse().unwrap_or(u64::MAX)).min(MAX_RETRY_AFTER));
    }
    let date = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(header).ok()?;
    Some(Time::from(date).since(now).min(MAX_RETRY_AFTER))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The outcome as a word, and the text.
    fn outcome(status: u16, body: &str) -> (&'static str, String) {
        match of_failure(status, None, body.as_bytes()) {
            Failure::Absent => ("absent", String::new()),
            Failure::Error(error) => {
                let word = match &error {
                    LookError::Retry(_) => "retry",
                    LookError::Throttled { .. } => "throttled",
                    LookError::Denied(_) => "denied",
                    LookError::Unreadable(_) => "unreadable",
                    LookError::UnknownProject => "unknown project",
                };
                (word, error.to_string())
            }
        }
    }

    #[test]
    fn every_row_of_the_table() {
        for (status, body, expected) in [
            (404, "", "absent"),
            (404, r#"{"message":"Submission not found"}"#, "absent"),
            (404, "<html>no page</html>", "unreadable"),
            (404, r#"{"message":"Project not found"}"#, "denied"),
            (400, r#"{"errorCode":"not_found"}"#, "absent"),
            (400, r#"{"errorCode":"invalid_submissionId"}"#, "absent"),
            (400, r#"{"message":"Invalid submission_id","statusCode":400}"#, "absent"),
            (400, r#"{"errors":[{"message":"Submission does not exist: not found"}]}"#, "absent"),
            (400, r#"{"message":"Deleted Submission"}"#, "absent"),
            (400, r#"{"errorCode":"invalid_project"}"#, "denied"),
            (400, r#"{"code":"invalid_admin","message":"…"}"#, "denied"),
            (400, r#"{"message":"project not found"}"#, "denied"),
            (400, r#"{"errorCode":"invalid_format"}"#, "unreadable"),
            (400, r#"{"errorCode":"processing_error"}"#, "unreadable"),
            (400, r#"{"errorCode":"invalid_parameter","message":"count over the limit"}"#, "unreadable"),
            (400, "", "unreadable"),
            (400, "not json", "unreadable"),
            (401, "", "denied"),
            (403, r#"{"message":"Forbidden"}"#, "denied"),
            (403, r#"{"Message":"User is not authorized with an explicit deny"}"#, "denied"),
            (403, r#"{"message":"API access is limited to a list"}"#, "denied"),
            (403, r#"{"message":"Limit Exceeded"}"#, "throttled"),
            (403, r#"{"message":"Daily quota used up"}"#, "throttled"),
            (401, r#"{"message":"Too Many Requests"}"#, "throttled"),
            (429, "", "throttled"),
            (413, "", "unreadable"),
            (422, "[]", "unreadable"),
            (301, "", "retry"),
            (408, "", "retry"),
            (500, "", "retry"),
            (502, "<html>", "retry"),
            (503, r#"{"message":"Submission not found"}"#, "retry"),
        ] {
            assert_eq!(outcome(status, body).0, expected, "{status} {body}");
        }
    }

    #[test]
    fn only_a_plain_code_is_repeated() {
        let text = |body| outcome(400, body).1;
        assert!(text(r#"{"errorCode":"invalid_format","message":"minji.kim@example.com"}"#).contains("invalid_format"));
        for body in [
            r#"{"errorCode":"minji.kim@example.com"}"#,
            r#"{"errorCode":"821000000000"}"#,
            r#"{"error":"Kim Minji"}"#,
            r#"{"message":"Minji"}"#,
        ] {
            assert_eq!(text(body), "the answer cannot be read: status 400", "{body}");
        }
        assert!(text(r#"{"error":{"code":"bad-thing"}}"#).ends_with("code bad-thing"));
        assert!(text(r#"{"errors":[{"code":"bad_thing"}]}"#).ends_with("code bad_thing"));
        assert_eq!(text(&format!("{{\"errorCode\":\"{}\"}}", "x".repeat(65))), "the answer cannot be read: status 400");
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now: Time = "2026-03-02T05:00:00Z".parse().unwrap();
        let seconds = |text| retry_after(text, now).map(|wait| wait.as_secs());
        assert_eq!(seconds("7"), Some(7));
        assert_eq!(seconds(" 0 "), Some(0));
        assert_eq!(seconds("Mon, 02 Mar 2026 05:00:30 GMT"), Some(30));
        assert_eq!(seconds("Mon, 02 Mar 2026 04:00:00 GMT"), Some(0));
        assert_eq!(seconds("99999999999999999999999"), Some(86_400));
        for text in ["", "soon", "-1", "1.5"] {
            assert_eq!(seconds(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_answer_has_a_meaning(status in 300_u16..1000, body in proptest::collection::vec(any::<u8>(), 0..200), header in ".{0,40}") {
            let _ = of_failure(status, retry_after(&header, Time::from_millis(0)), &body);
        }
    }
}
