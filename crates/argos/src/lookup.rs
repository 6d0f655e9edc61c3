//! The submissions of one person, by the customer's user id or the e-mail address: who is asked for, and what is told.
//!
//! Owns the reading of such a list (ARGOS protocol, sections 4.1 to 4.3) and the bound on its pages. What is told holds no
//! personal data. Must not know HTTP. Pure: `Pages` takes pages in, one after the other.
//!
//! Path: `Client::find` asks for a page, `Pages::take` reads it and says where to go on, until `Pages::found`.

use crate::answer::{Answer, unreadable};
use crate::head::{Head, time};
use crate::list::cursor;
use crate::wire::{Raw, text_of};
use crate::words::is_deleted_label;
use models::{KycStatus, LookError, PageCursor, SubmissionId, Time};
use secrecy::{ExposeSecret, SecretString};
use std::collections::HashSet;

/// So many pages are read of one person's list.
pub const MAX_PAGES: usize = 20;

/// Whose submissions. `Debug` does not show who.
#[derive(Clone, Debug)]
pub enum Person {
    /// By the customer's own id of the user.
    User(SecretString),
    /// By e-mail address.
    Email(SecretString),
}

impl Person {
    /// The parameter's name, which is also the member of a row that shows it.
    pub(crate) const fn parameter(&self) -> &'static str {
        match self {
            Person::User(_) => "userid",
            Person::Email(_) => "email",
        }
    }

    /// The parameter's value.
    pub(crate) fn value(&self) -> &str {
        match self {
            Person::User(text) | Person::Email(text) => text.expose_secret(),
        }
    }

    /// Whether a row shows someone else. One that shows nobody, as a projection or a deletion leaves it, is believed.
    fn is_other_than(&self, row: Raw<'_>) -> bool {
        let shown = row.first_of([self.parameter()]).and_then(Raw::text);
        shown.is_some_and(|shown| {
            let same = match self {
                Person::User(_) => shown == self.value().trim(),
                Person::Email(_) => shown.to_lowercase() == self.value().trim().to_lowercase(),
            };
            !same && !is_deleted_label(&shown)
        })
    }
}

/// One submission of a person, as a list row shows it: no name, no address.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Found {
    /// Which.
    pub submission: SubmissionId,
    /// Where it stands; unknown if the row does not tell.
    pub kyc_status: KycStatus,
    /// When it was decided.
    pub decided_at: Option<Time>,
    /// When it was made.
    pub created_at: Option<Time>,
    /// When it last changed.
    pub updated_at: Option<Time>,
}

/// What was read of a person's list so far.
#[derive(Default)]
pub(crate) struct Pages {
    found: Vec<Found>,
    seen: HashSet<SubmissionId>,
    taken: usize,
    /// Where the page before started from.
    cursor: Option<PageCursor>,
}

impl Pages {
    /// Reads a page; returns where to go on, `None` = that was all.
    ///
    /// # Errors
    /// [`LookError::Unreadable`] if it is no list, shows someone else, or does not come to an end.
    pub(crate) fn take(&mut self, body: &[u8], person: &Person) -> Result<Option<PageCursor>, LookError> {
        let text = text_of(body);
        let answer = Answer::open(&text)?;
        for item in &answer.items {
            if person.is_other_than(*item) {
                return Err(unreadable("the list shows someone else than was asked for"));
            }
            let head = Head::of(*item)?;
            let id = head.id.and_then(Raw::text).and_then(|id| SubmissionId::new(&id).ok());
            let id = id.ok_or_else(|| unreadable("a row has no usable submission_id"))?;
            if self.seen.insert(id.clone()) {
                self.found.push(found(id, &head, *item));
            }
        }
        let next = answer.next.map(cursor).transpose()?.flatten();
        self.taken += 1;
        if next.is_some() && (next == self.cursor || self.taken == MAX_PAGES) {
            return Err(unreadable("the list of one person does not come to an end"));
        }
        self.cursor.clone_from(&next);
        Ok(next)
    }

    /// Every submission once, in ARGOS's order.
    pub(crate) fn found(self) -> Vec<Found> {
        self.found
    }
}

fn found(submission: SubmissionId, head: &Head<'_>, row: Raw<'_>) -> Found {
    Found {
        submission,
        kyc_status: head.kyc_status().ok().flatten().map_or(KycStatus::Unknown, |(status, _)| status),
        decided_at: row.first_of(["kyc_result_at"]).and_then(time),
        created_at: head.created_at.and_then(time),
        updated_at: head.updated_at(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::PERSONAL;

    fn user() -> Person {
        Person::User("u-1001".into())
    }

    fn page(rows: &str, next: &str) -> Vec<u8> {
        format!(r#"{{"Items":[{rows}],"nextpageKey":{next}}}"#).into_bytes()
    }

    #[test]
    fn rows_become_summaries_without_personal_data() {
        let mut pages = Pages::default();
        let row = r#"{"submission_id":"x","userid":"u-1001","email":"minji.kim@example.com","kyc":{"result":"approved"},
            "created_at":"2026-03-02T05:27:56Z","updated_at":"2026-03-02T05:31:10Z","kyc_result_at":"2026-03-02T05:31:09Z",
            "data":{"full_name":"Kim Minji"}}"#;
        let bare = r#"{"submission_id":"y"}"#;
        let next = pages.take(&page(row, r#"{"id":"x","created_at":"y"}"#), &user()).unwrap();
        assert_eq!(next, Some(PageCursor { id: "x".into(), created_at: "y".into() }));
        assert_eq!(pages.take(&page(&format!("{row},{bare}"), "null"), &user()), Ok(None));
        let found = pages.found();
        assert_eq!(found.len(), 2, "a repeated row counts once");
        assert_eq!((found[0].kyc_status, found[1].kyc_status), (KycStatus::Approved, KycStatus::Unknown));
        assert_eq!(found[0].decided_at, Some("2026-03-02T05:31:09Z".parse().unwrap()));
        assert_eq!((found[1].created_at, found[1].updated_at), (None, None));
        let shown = format!("{found:?} {}", serde_json::to_string(&found).unwrap());
        for word in PERSONAL.into_iter().chain(["u-1001"]) {
            assert!(!shown.contains(word), "{word}");
        }
    }

    #[test]
    fn a_list_of_everybody_is_not_taken_for_one_persons() {
        let row = |userid: &str| page(&format!(r#"{{"submission_id":"x","userid":"{userid}"}}"#), "null");
        let error = Pages::default().take(&row("u-1002"), &user()).unwrap_err();
        assert!(!error.to_string().contains("u-100"), "{error}");
        assert!(Pages::default().take(&row("u-1001"), &user()).is_ok());
        let email = Person::Email("Minji.Kim@example.com".into());
        let row = |email: &str| page(&format!(r#"{{"submission_id":"x","email":"{email}"}}"#), "null");
        for (shown, taken) in
            [("minji.kim@example.com", true), ("Deleted Submission", true), ("", true), ("other@example.com", false)]
        {
            assert_eq!(Pages::default().take(&row(shown), &email).is_ok(), taken, "{shown}");
        }
        assert!(!format!("{email:?}").to_lowercase().contains("minji"));
    }

    #[test]
    fn a_list_without_an_end_is_given_up() {
        let same = page("", r#"{"id":"x","created_at":"y"}"#);
        let mut pages = Pages::default();
        assert!(pages.take(&same, &user()).is_ok());
        assert!(pages.take(&same, &user()).is_err(), "it does not move on");
        let mut pages = Pages::default();
        let last = (0..2 * MAX_PAGES)
            .find(|n| pages.take(&page("", &format!(r#"{{"id":"{n}","created_at":"y"}}"#)), &user()).is_err());
        assert_eq!(last, Some(MAX_PAGES - 1));
    }
}
