//! `/api/v1/lookup`: every submission of one person, asked of ARGOS within the project's budget.

use super::api::Api;
use super::problem::Problem;
use crate::operate::person::{self, Submissions};
use argos::lookup::Person;
use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use secrecy::SecretString;
use serde::Deserialize;
use std::sync::Arc;

/// The longest id or address, in bytes.
const LONGEST: usize = 1024;

/// Of whom; one of the two.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Asked {
    /// At which project.
    project: String,
    /// Your own id of the person.
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    user: Option<SecretString>,
    /// The person's e-mail address.
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    email: Option<SecretString>,
}

fn person(asked: Asked) -> Result<Person, Problem> {
    use secrecy::ExposeSecret;
    let fits = |text: &SecretString| (1..=LONGEST).contains(&text.expose_secret().len());
    match (asked.user, asked.email) {
        (Some(user), None) if fits(&user) => Ok(Person::User(user)),
        (None, Some(email)) if fits(&email) => Ok(Person::Email(email)),
        _ => Err(Problem::bad(format!("give either user or email, 1 to {LONGEST} bytes"))),
    }
}

pub(super) async fn lookup(
    State(api): State<Arc<Api>>,
    body: Result<Json<Asked>, JsonRejection>,
) -> Result<Json<Submissions>, Problem> {
    let Json(asked) = body?;
    let project = api.project(&asked.project)?.id.clone();
    let person = person(asked)?;
    let message = "this replica does not ask ARGOS (--role ingest): ask one that reconciles";
    let client = api.means.client.clone().ok_or_else(|| Problem::away("no_client", message))?;
    match api.ask(|inquiry| inquiry.spend(project.as_str())).await {
        Some(Ok(())) => {}
        Some(Err(until)) => {
            let wait = until.since(api.clock.now());
            return Err(Problem::later("no_budget", "the project's request budget has no room now", wait));
        }
        None => return Err(Problem::away("loop_busy", "the loop does not answer; try again")),
    }
    Ok(Json(Submissions::of(person::find(&client, &project, &person).await?)))
}
