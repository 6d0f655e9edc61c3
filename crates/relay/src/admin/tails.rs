//! `/api/v1/events` and `/api/v1/dead-letters`: the newest of each, read from the topics.

use super::api::Api;
use super::problem::Problem;
use crate::operate::tails::{self, DeadLetters, Events};
use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use serde::Deserialize;
use std::sync::Arc;

/// How many are told unless asked otherwise.
const USUAL: usize = 50;
/// How many at most.
const MOST: usize = 500;

/// What may be asked.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    limit: Option<usize>,
    project: Option<String>,
}

impl Asked {
    fn read(asked: Result<Query<Asked>, QueryRejection>, api: &Api) -> Result<(usize, Option<String>), Problem> {
        let Query(asked) = asked?;
        let limit = asked.limit.unwrap_or(USUAL);
        if !(1..=MOST).contains(&limit) {
            return Err(Problem::bad(format!("limit must be from 1 to {MOST}")));
        }
        if let Some(project) = &asked.project {
            api.project(project)?;
        }
        Ok((limit, asked.project))
    }
}

pub(super) async fn events(
    State(api): State<Arc<Api>>,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Result<Json<Events>, Problem> {
    let (limit, project) = Asked::read(asked, &api)?;
    let read = move |settings: &_| tails::events(settings, project.as_deref(), limit);
    Ok(Json(api.scan(read).await?))
}

pub(super) async fn dead_letters(
    State(api): State<Arc<Api>>,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Result<Json<DeadLetters>, Problem> {
    let (limit, project) = Asked::read(asked, &api)?;
    let read = move |settings: &_| tails::dead_letters(settings, project.as_deref(), limit);
    Ok(Json(api.scan(read).await?))
}
