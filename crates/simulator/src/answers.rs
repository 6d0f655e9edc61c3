//! Honest answers of `GET /v3/submission`.
//!
//! Owns parameters, paging, the period, slices and error codes (ARGOS protocol, section 4). Pure but for reading the
//! world: parameters and a moment in, status and JSON out. Knows no faults: `server` adds those.

use crate::clock::{iso, parse_day, parse_iso};
use crate::config::{Config, UnknownId};
use crate::documents::{row, single, slice};
use crate::view::Filter;
use crate::world::World;
use serde_json::{Value, json};

const DAY_MS: i64 = 86_400_000;

/// One answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Value,
    /// Whether another state than the present one was shown.
    pub(crate) stale: bool,
}

impl Answer {
    /// To a query that could not be decrypted.
    pub(crate) fn misunderstood() -> Answer {
        Answer { status: 400, body: json!({"errorCode": "invalid_payload"}), stale: false }
    }
}

/// What an answer depends on besides the parameters.
pub(crate) struct Scene<'a> {
    pub(crate) world: &'a World,
    pub(crate) config: &'a Config,
    pub(crate) project: &'a str,
    /// ARGOS repeats it in every full document.
    pub(crate) webhook_url: Option<&'a str>,
    /// The moment whose state is shown.
    pub(crate) at: i64,
    /// The list page shall be shorter than asked for.
    pub(crate) short: bool,
}

/// Decoded query parameters.
pub(crate) type Params = [(String, String)];

/// The value of a parameter; empty counts as absent.
pub(crate) fn param<'a>(params: &'a Params, name: &str) -> Option<&'a str> {
    params.iter().find(|(key, value)| key == name && !value.is_empty()).map(|(_, value)| value.as_str())
}

/// Answers one request with a right key.
pub(crate) fn answer(scene: &Scene<'_>, params: &Params) -> Answer {
    let answer = match param(params, "submission_id") {
        Some(id) => by_id(scene, id),
        None => list(scene, params),
    };
    match (param(params, "request_type"), answer.status) {
        (Some(part), 200) => sliced(answer, part),
        _ => answer,
    }
}

fn by_id(scene: &Scene<'_>, id: &str) -> Answer {
    let (view, stale) = scene.world.look(scene.project, id, scene.at);
    let Some(view) = view else {
        let (status, body) = match scene.config.unknown_id {
            UnknownId::EmptyItems => (200, json!({"Items": []})),
            UnknownId::BadRequest => (400, json!({"errorCode": "missing_data"})),
            UnknownId::NotFound => (404, json!({"errorCode": "missing_data", "message": "no such submission"})),
        };
        return Answer { status, body, stale };
    };
    let document = single(&view, scene.config.deleted_form, scene.webhook_url);
    Answer { status: 200, body: json!({"Items": [document]}), stale }
}

fn list(scene: &Scene<'_>, params: &Params) -> Answer {
    let (filter, count) = match question(scene, params) {
        Ok(question) => question,
        Err(body) => {
            return Answer { status: 400, body, stale: false };
        }
    };
    let count = if scene.short { (count / 2).max(1) } else { count };
    let views = scene.world.list(scene.project, &filter, count, scene.at);
    let shape = &scene.config.list;
    let rows: Vec<Value> = views.iter().map(|view| row(view, scene.config.deleted_form, shape.aml)).collect();
    let mut body = json!({"Items": rows});
    // A full page names a next one even if that turns out empty: the store behind does not look ahead.
    if let Some(last) = views.last().filter(|_| views.len() == count) {
        body["nextpageKey"] = json!({"id": last.fixed.id, "created_at": iso(last.fixed.created_at)});
    }
    Answer { status: 200, body, stale: false }
}

fn question(scene: &Scene<'_>, params: &Params) -> Result<(Filter, usize), Value> {
    let shape = &scene.config.list;
    let count = match param(params, "count").map(str::parse::<usize>) {
        None => shape.default_count,
        Some(Ok(count)) if count > 0 && (shape.max_count == 0 || count <= shape.max_count) => count,
        Some(_) => return Err(invalid_parameter("count")),
    };
    let day = |name: &str| match param(params, name) {
        None => Ok(None),
        Some(text) => parse_day(text, shape.day_zone_hours).map(Some).ok_or_else(|| invalid_format(name)),
    };
    let after = match (param(params, "nextpage_id"), param(params, "nextpage_date")) {
        (None, None) => None,
        (Some(id), Some(date)) => {
            let created = parse_iso(date).ok_or_else(|| invalid_format("nextpage_date"))?;
            Some((created, id.to_owned()))
        }
        _ => return Err(invalid_parameter("nextpage_id and nextpage_date")),
    };
    let last_day = if shape.end_inclusive { DAY_MS } else { 0 };
    let filter = Filter {
        user_id: param(params, "userid").map(str::to_owned),
        email: param(params, "email").map(str::to_owned),
        from: day("start_date")?,
        until: day("end_date")?.map(|start| start + last_day),
        after,
    };
    Ok((filter, count))
}

fn sliced(answer: Answer, part: &str) -> Answer {
    let Value::Object(mut members) = answer.body else {
        return answer;
    };
    let items = members.remove("Items").and_then(|items| match items {
        Value::Array(items) => items.into_iter().map(|item| slice(item, part)).collect::<Option<Vec<Value>>>(),
        _ => None,
    });
    let Some(items) = items else {
        return Answer { status: 400, body: invalid_parameter("request_type"), stale: false };
    };
    members.insert("Items".to_owned(), Value::Array(items));
    Answer { body: Value::Object(members), ..answer }
}

fn invalid_parameter(name: &str) -> Value {
    json!({"errorCode": "invalid_parameter", "message": format!("invalid parameter: {name}")})
}

fn invalid_format(name: &str) -> Value {
    json!({"errorCode": "invalid_format", "message": format!("invalid format: {name}")})
}

#[cfg(test)]
mod tests;
