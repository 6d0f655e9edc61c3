//! `/api/v1/dead-letters/redrive`: the submissions behind dead letters are looked at again.

use super::api::Api;
use super::problem::Problem;
use crate::operate::hints;
use crate::operate::letters::{self, Wanted};
use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::http::StatusCode;
use models::{Key, Lane, ProjectId, SubmissionId};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// How many submissions at most, and unless asked otherwise.
const MOST: u64 = 1_000;
/// See above.
const USUAL: u64 = 100;

/// Which letters are meant. With a project or an id, all that the topic holds; else those since the last redrive.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Asked {
    /// Only of this project.
    project: Option<String>,
    /// Only of this submission; the project is needed with it.
    id: Option<String>,
    /// At most so many submissions, 1 to 1,000; 100 unless it is said.
    limit: Option<u64>,
}

/// What was sent.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Redriven {
    /// Each submission once.
    redriven: Vec<Sent>,
}

/// A hint.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Sent {
    /// The project.
    project: String,
    /// The submission.
    id: String,
    /// The hint's id.
    hint_id: String,
}

impl Asked {
    fn wanted(self, api: &Api) -> Result<Wanted, Problem> {
        let limit = self.limit.unwrap_or(USUAL);
        if !(1..=MOST).contains(&limit) {
            return Err(Problem::bad(format!("limit must be from 1 to {MOST}")));
        }
        let project = self.project.map(|id| ProjectId::new(&id)).transpose();
        let project = project.map_err(|error| Problem::bad(format!("project: {error}")))?;
        if let Some(project) = &project {
            api.project(project.as_str())?;
        }
        let key = match (&project, self.id) {
            (_, None) => None,
            (None, Some(_)) => return Err(Problem::bad("an id needs its project")),
            (Some(project), Some(id)) => {
                let id = SubmissionId::new(&id).map_err(|error| Problem::bad(format!("id: {error}")))?;
                Some(Key::new(project, &id))
            }
        };
        let from_start = project.is_some();
        Ok(Wanted { project, key, reason: None, limit: Some(limit), from_start })
    }
}

pub(super) async fn redrive(
    State(api): State<Arc<Api>>,
    body: Result<Json<Asked>, JsonRejection>,
) -> Result<(StatusCode, Json<Redriven>), Problem> {
    let Json(asked) = body?;
    let wanted = asked.wanted(&api)?;
    let (config, meant) = (Arc::clone(&api.config), wanted.clone());
    let letters = api.scan(move |_| letters::letters(&config, &meant)).await?;
    let mut redriven = Vec::new();
    for key in &letters.keys {
        let hint = hints::look(key, api.clock.now());
        let (project, id) = (key.project().to_owned(), key.submission().to_owned());
        redriven.push(Sent { project, id, hint_id: hint.id.clone() });
        api.send(key, Lane::Bulk, hint).await?;
    }
    // Off the runtime: keeping asks Kafka, and so does the end of the reader.
    tokio::task::spawn_blocking(move || letters.keep(&wanted)).await.map_err(|error| Problem::internal(&error))??;
    tracing::info!(submissions = redriven.len(), "an operator asked for dead letters to be looked at again");
    Ok((StatusCode::ACCEPTED, Json(Redriven { redriven })))
}
