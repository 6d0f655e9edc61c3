//! Every submission of one person, asked of ARGOS. What is told names nobody.

use super::moment::Moment;
use argos::Client;
use argos::lookup::{Found, Person};
use models::{KycStatus, LookError, ProjectId};
use serde::{Deserialize, Serialize};
use std::cmp::Reverse;

/// The answer to `/api/v1/lookup`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Submissions {
    /// Newest first.
    pub submissions: Vec<SubmissionView>,
}

/// A submission of the person.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct SubmissionView {
    /// Its id.
    pub id: String,
    /// Where it stands.
    pub kyc_status: String,
    /// When it was made.
    pub created_at: Option<Moment>,
    /// When it was decided.
    pub decided_at: Option<Moment>,
    /// Whether it is the one to go by.
    pub latest_approved: bool,
}

/// Asks ARGOS: newest first, and which one to go by.
pub async fn find(
    client: &Client,
    project: &ProjectId,
    person: &Person,
) -> Result<(Vec<Found>, Option<usize>), LookError> {
    let mut found = client.find(project, person).await?;
    found.sort_by_key(|one| Reverse(one.created_at));
    let valid = valid(&found);
    Ok((found, valid))
}

/// Whose result holds: the latest approved one, not the newest (ARGOS protocol, section 6).
fn valid(found: &[Found]) -> Option<usize> {
    let approved = found.iter().enumerate().filter(|(_, one)| one.kyc_status == KycStatus::Approved);
    approved.max_by_key(|(_, one)| one.decided_at.or(one.updated_at).or(one.created_at)).map(|(at, _)| at)
}

impl Submissions {
    /// As [`find`] gives them.
    pub fn of((found, valid): (Vec<Found>, Option<usize>)) -> Submissions {
        let view = |(at, one): (usize, Found)| SubmissionView {
            id: one.submission.as_str().to_owned(),
            kyc_status: one.kyc_status.to_string(),
            created_at: one.created_at.map(Moment),
            decided_at: one.decided_at.map(Moment),
            latest_approved: valid == Some(at),
        };
        Submissions { submissions: found.into_iter().enumerate().map(view).collect() }
    }
}
