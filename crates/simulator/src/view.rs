//! What can be seen of a submission, and by whom: oracles ([`TruthView`]), documents and bodies ([`View`]), lists
//! ([`Filter`]).
//!
//! Owns these shapes only; the world fills them.

use crate::state::State;
use serde::Serialize;
use std::sync::Arc;

/// What an oracle may know about one submission right now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[expect(clippy::struct_excessive_bools, reason = "independent observations, no state machine")]
pub struct TruthView {
    /// ARGOS's id.
    pub id: String,
    /// The customer's user, where the submission has one.
    pub user_id: Option<String>,
    /// `incomplete`, `pending`, `approved`, `rejected` or `deleted`.
    pub kyc_status: String,
    /// `Not Screened` or `Red Flag`. A deletion takes the screening away: `Not Screened`.
    pub aml_status: String,
    /// `Not Screened`, `LOW`, `MEDIUM` or `HIGH`.
    pub risk: String,
    /// How often the applicant had to try again.
    pub retries: u32,
    /// Reject codes, in ARGOS's order.
    pub codes: Vec<String>,
    /// Creation, milliseconds since the epoch.
    pub created_at: i64,
    /// The last decision, milliseconds since the epoch.
    pub decided_at: Option<i64>,
    /// The vendor's clock on the document, milliseconds since the epoch.
    pub updated_at: i64,
    /// Deleted, visibly or not.
    pub deleted: bool,
    /// Deleted so that GET knows it no longer.
    pub absent: bool,
    /// An `aml` webhook of it was answered 200: the receiver has to know.
    pub aml_noticed: bool,
    /// An `aml` webhook of it was at least sent: the receiver may know.
    pub aml_told: bool,
}

/// Which optional parts a submission has from its start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each part is there or not, whatever the others")]
pub struct Traits {
    /// Made with a user id.
    pub user: bool,
    /// Made with custom fields.
    pub custom_fields: bool,
    /// Made with a token.
    pub token: bool,
    /// Through the knowledge-based pipeline instead of an ID document.
    pub knowledge_based: bool,
    /// The project screens it (`project_options.option_aml`).
    pub aml: bool,
}

impl Traits {
    /// An ID document with everything that can be given.
    pub const FULL: Traits = Traits { user: true, custom_fields: true, token: true, knowledge_based: false, aml: true };
}

/// What never changes about a submission.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fixed {
    pub(crate) id: String,
    pub(crate) user: usize,
    pub(crate) traits: Traits,
    pub(crate) created_at: i64,
}

impl Fixed {
    pub(crate) fn user_id(&self) -> Option<String> {
        self.traits.user.then(|| format!("u-{}", 1001 + self.user))
    }
}

/// One submission at one moment.
#[derive(Clone, Debug)]
pub(crate) struct View {
    pub(crate) fixed: Arc<Fixed>,
    pub(crate) state: Arc<State>,
}

/// Which rows a list asks for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Filter {
    pub(crate) user_id: Option<String>,
    pub(crate) email: Option<String>,
    /// Created at or after.
    pub(crate) from: Option<i64>,
    /// Created before.
    pub(crate) until: Option<i64>,
    /// Strictly after this row in list order.
    pub(crate) after: Option<(i64, String)>,
}

impl Filter {
    /// Whether a submission belongs to whom the list asks for.
    pub(crate) fn matches(&self, fixed: &Fixed) -> bool {
        let user = self.user_id.as_ref().is_none_or(|wanted| fixed.user_id().as_ref() == Some(wanted));
        let email = self.email.as_ref().is_none_or(|wanted| crate::people::person(fixed.user).email == wanted);
        user && email
    }
}

/// The user of the n-th submission: one person can have many, so every fifth belongs to the user before.
pub(crate) fn user_of(number: usize) -> usize {
    number - number / 5
}
