//! `/api/v1/submissions/{project}/{id}`: why one submission is where it is, and what can be done for it.

use super::api::Api;
use super::problem::Problem;
use crate::operate::explain::{self, Explain, Question};
use crate::operate::hints;
use axum::Json;
use axum::extract::rejection::{JsonRejection, PathRejection};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use models::{Key, Lane};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

type Names = Result<Path<(String, String)>, PathRejection>;

/// The key of a configured project.
fn key(api: &Api, names: Names) -> Result<Key, Problem> {
    let Path((project, id)) = names?;
    api.project(&project)?;
    Key::parse(&format!("{project}/{id}")).map_err(|error| Problem::bad(error.to_string()))
}

pub(super) async fn explain(State(api): State<Arc<Api>>, names: Names) -> Result<Json<Explain>, Problem> {
    let key = key(&api, names)?;
    let members = api.members().await;
    let view = api.ask(|inquiry| inquiry.key(&key, publisher::partition::partition_of)).await;
    let (now, instance) = (api.clock.now(), api.config.kafka.instance_id.clone());
    let read = move |settings: &_| {
        let question = Question { key: &key, now, instance: Some(&instance), members: &members, view };
        explain::explain(settings, question)
    };
    Ok(Json(api.scan(read).await?))
}

/// What was sent.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Sent {
    /// The hint's id.
    hint_id: String,
}

/// No content is needed; an object is taken so that the type of the content can be asked for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Nothing {}

/// Says that it is meant.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Confirmed {
    /// `true`: it cannot be undone.
    confirm: bool,
}

pub(super) async fn reconcile(
    State(api): State<Arc<Api>>,
    names: Names,
    body: Result<Json<Nothing>, JsonRejection>,
) -> Result<(StatusCode, Json<Sent>), Problem> {
    let (key, Json(Nothing {})) = (key(&api, names)?, body?);
    let hint = hints::look(&key, api.clock.now());
    let hint_id = hint.id.clone();
    api.send(&key, Lane::Live, hint).await?;
    tracing::info!(project = key.project(), submission = key.submission(), hint_id, "an operator asked for a look");
    Ok((StatusCode::ACCEPTED, Json(Sent { hint_id })))
}

pub(super) async fn erase(
    State(api): State<Arc<Api>>,
    names: Names,
    body: Result<Json<Confirmed>, JsonRejection>,
) -> Result<(StatusCode, Json<Sent>), Problem> {
    let (key, Json(Confirmed { confirm })) = (key(&api, names)?, body?);
    if !confirm {
        return Err(Problem::bad("say `\"confirm\": true` to have it erased; it cannot be undone"));
    }
    let hint = hints::erase(&key, api.clock.now());
    let hint_id = hint.id.clone();
    api.send(&key, Lane::Live, hint).await?;
    tracing::warn!(project = key.project(), submission = key.submission(), hint_id, "an operator asked to erase it");
    Ok((StatusCode::ACCEPTED, Json(Sent { hint_id })))
}
