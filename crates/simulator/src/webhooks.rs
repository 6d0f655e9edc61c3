//! Webhook bodies: what ARGOS tells of a change.
//!
//! Owns the exact shape of every trigger (ARGOS protocol, section 2), the historic ones too. Pure: a view and a shape
//! in, JSON out. A body is a snapshot: it says what was true when it was built.

use crate::clock::iso;
use crate::documents::{applicant_id, duplicated_information, put, token_id};
use crate::people::{REVIEWER, person};
use crate::state::Kyc;
use crate::view::View;
use serde_json::{Value, json};

/// `webhook_trigger`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Trigger {
    /// `created`: no time.
    Created,
    /// `retry`: no time.
    Retry,
    /// `submit`: pending. May never be sent.
    Submit,
    /// `approved`: shape 0 is today's, 1 the old one, 2 the oldest (`additional_list` an object).
    Approved,
    /// `rejected`
    Rejected,
    /// `updated`: `data` is an object.
    Updated,
    /// `delete`
    Delete,
    /// `injection`
    Injection,
    /// `injectionFail`
    InjectionFail,
    /// `aml`: no time, no matches.
    Aml,
    /// `aml_monitor`
    AmlMonitor,
    /// `faceAuth`: shape 0 is today's, 1 the middle one, 2 the oldest. No top-level `submission_id`.
    FaceAuth,
}

impl Trigger {
    /// Every trigger of the simulation.
    pub const ALL: [Trigger; 12] = [
        Trigger::Created,
        Trigger::Retry,
        Trigger::Submit,
        Trigger::Approved,
        Trigger::Rejected,
        Trigger::Updated,
        Trigger::Delete,
        Trigger::Injection,
        Trigger::InjectionFail,
        Trigger::Aml,
        Trigger::AmlMonitor,
        Trigger::FaceAuth,
    ];

    /// ARGOS's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Trigger::Created => "created",
            Trigger::Retry => "retry",
            Trigger::Submit => "submit",
            Trigger::Approved => "approved",
            Trigger::Rejected => "rejected",
            Trigger::Updated => "updated",
            Trigger::Delete => "delete",
            Trigger::Injection => "injection",
            Trigger::InjectionFail => "injectionFail",
            Trigger::Aml => "aml",
            Trigger::AmlMonitor => "aml_monitor",
            Trigger::FaceAuth => "faceAuth",
        }
    }

    /// How many documented shapes its body has.
    pub const fn shapes(self) -> u8 {
        match self {
            Trigger::Approved | Trigger::FaceAuth => 3,
            _ => 1,
        }
    }
}

/// The body of a trigger about a submission, in one of its [`Trigger::shapes`].
pub(crate) fn body(view: &View, trigger: Trigger, shape: u8) -> Value {
    let mut body = match trigger {
        Trigger::Created | Trigger::Retry => started(view, trigger),
        Trigger::Submit => submit(view),
        Trigger::Approved if view.fixed.traits.knowledge_based => approved_by_knowledge(view),
        Trigger::Approved => match shape % 3 {
            0 => approved(view),
            older => approved_before(view, older == 2),
        },
        Trigger::Rejected => rejected(view),
        Trigger::Updated => updated(view),
        Trigger::Delete => deleted(view),
        Trigger::Injection | Trigger::InjectionFail => injection(view, trigger),
        Trigger::Aml => aml(view),
        Trigger::AmlMonitor => monitor(view),
        Trigger::FaceAuth => face(view, shape % 3),
    };
    put(&mut body, "webhook_trigger", Some(trigger.as_str()));
    body
}

/// The id that a body is about, wherever its trigger keeps it.
pub(crate) fn submission_id(body: &Value) -> Option<&str> {
    ["/submission_id", "/submissionId", "/data/Submission_id", "/data/submission_id"]
        .iter()
        .find_map(|place| body.pointer(place).and_then(Value::as_str))
}

/// What most bodies share: id, and where supplied `userid`, `tokenId` and `cf`.
fn common(view: &View, full_cf: bool) -> Value {
    let fixed = &view.fixed;
    let mut body = json!({"submission_id": fixed.id});
    put(&mut body, "userid", fixed.user_id());
    put(&mut body, "tokenId", fixed.traits.token.then(|| token_id(fixed)));
    let cf = if full_cf { json!({"cf1": "branch-07", "cf2": "", "cf3": ""}) } else { json!({"cf1": "branch-07"}) };
    put(&mut body, "cf", fixed.traits.custom_fields.then_some(cf));
    body
}

fn email(view: &View) -> &'static str {
    person(view.fixed.user).email
}

fn started(view: &View, trigger: Trigger) -> Value {
    let mut body = common(view, false);
    put(&mut body, "kyc_result", Some(json!({"status": "incomplete"})));
    put(&mut body, "ipAddress", Some(person(view.fixed.user).ip));
    let failed = view.state.retries.last();
    let attempts = view.state.retries.len();
    // `retry` always has both; `created` only if its own step needed a retry.
    if trigger == Trigger::Retry || failed.is_some() {
        put(&mut body, "retryCode", Some(failed.map_or("other", |code| &**code)));
        put(&mut body, "attempts", Some(attempts));
    }
    body
}

fn kyc_result(view: &View, with_pending: bool) -> Value {
    let state = &view.state;
    let mut result = json!({
        "status": state.kyc.as_str(),
        "updated_at": iso(state.updated_at),
        "created_at": iso(view.fixed.created_at),
        "reviewer": state.reviewer.as_deref().unwrap_or("system"),
    });
    put(&mut result, "kyc_result_at", state.decided_at.map(iso));
    put(&mut result, "pending_at", state.pending_at.filter(|_| with_pending).map(iso));
    result
}

fn submit(view: &View) -> Value {
    let mut body = common(view, false);
    put(&mut body, "email", Some(email(view)));
    let mut result = json!({"status": "pending", "created_at": iso(view.fixed.created_at)});
    put(&mut result, "pending_at", view.state.pending_at.map(iso));
    put(&mut body, "kyc_result", Some(result));
    body
}

fn approved(view: &View) -> Value {
    let who = person(view.state.name_of);
    let mut body = json!({
        "submission_id": view.fixed.id, "email": person(view.fixed.user).email, "applicant_id": applicant_id(&view.fixed),
        "kyc_result": kyc_result(view, false),
        "age_group": "adult", "gender": who.gender, "date_of_birth": who.birth_date, "nationality": who.nationality,
        "full_name": who.full, "full_name_en": who.full_en, "first_name": who.first, "last_name": who.last,
        "phoneNumber": who.phone, "ssnNumber": "***-**-6789",
        "additional_list": [{"answer": "occupation", "inputValue": "engineer", "blockType": "text"}],
    });
    put(&mut body, "cf", view.fixed.traits.custom_fields.then(|| json!({"cf1": "branch-07", "cf2": "", "cf3": ""})));
    put(&mut body, "duplicated_information", duplicated_information(&view.fixed, &view.state));
    body
}

fn approved_before(view: &View, list_is_object: bool) -> Value {
    let who = person(view.state.name_of);
    let mut body = common(view, true);
    let entry = json!({"answer": "occupation", "inputValue": "engineer", "blockType": "text"});
    let list = if list_is_object { entry } else { json!([entry]) };
    let rest = json!({
        "email": person(view.fixed.user).email, "applicant_id": applicant_id(&view.fixed), "kyc_result": kyc_result(view, true),
        "age_group": "adult", "gender": who.gender, "date_of_birth": who.birth_date, "nationality": who.nationality,
        "ipAddress": who.ip, "fullName": who.full, "idType": "passport", "issuingCountry": who.nationality,
        "issueDate": "2020-01-05", "expireDate": "2030-01-05", "identityNumber": who.identity, "documentNumber": "M********",
        "additional_list": list,
    });
    if let (Some(members), Value::Object(rest)) = (body.as_object_mut(), rest) {
        members.extend(rest);
    }
    body
}

fn approved_by_knowledge(view: &View) -> Value {
    let (who, place) = (person(view.state.name_of), person(view.state.address_of));
    let mut body = json!({
        "submission_id": view.fixed.id, "email": person(view.fixed.user).email, "applicant_id": applicant_id(&view.fixed),
        "kyc_result": kyc_result(view, false),
        "gender": who.gender, "nationality": who.nationality, "date_of_birth": who.birth_date, "name": who.full,
        "address_formatted": format!("{}, {}", place.street, place.city), "address_detail": "N/A",
        "ssnNumber": who.identity, "phoneNumber": who.phone,
    });
    put(&mut body, "cf", view.fixed.traits.custom_fields.then(|| json!({"cf1": "branch-07", "cf2": "", "cf3": ""})));
    body
}

fn rejected(view: &View) -> Value {
    let state = &view.state;
    let joined = |texts: Vec<&str>| texts.join(",");
    let mut body = common(view, true);
    put(&mut body, "email", Some(email(view)));
    put(&mut body, "applicant_id", Some(applicant_id(&view.fixed)));
    put(&mut body, "ipAddress", Some(person(view.fixed.user).ip));
    put(&mut body, "duplicated_information", duplicated_information(&view.fixed, state));
    let result = json!({
        "status": "rejected",
        "comment": joined(state.reasons.iter().map(|reason| &*reason.comment).collect()),
        "commentCode": joined(state.reasons.iter().map(|reason| &*reason.code).collect()),
        "updated_at": iso(state.updated_at),
    });
    put(&mut body, "kyc_result", Some(result));
    body
}

fn updated(view: &View) -> Value {
    let (fixed, state, who) = (&view.fixed, &view.state, person(view.state.name_of));
    let fields: Vec<&str> = state.update.iter().flat_map(|update| &update.fields).map(|name| &**name).collect();
    let admin = state.update.as_ref().map_or(REVIEWER, |update| &*update.admin);
    let mut data = json!({"update": fields, "kyc_result": state.kyc.as_str(), "reviewer": admin});
    put(&mut data, "pending_at", state.pending_at.map(iso));
    let mut body = json!({
        "submission_id": fixed.id, "email": person(fixed.user).email, "data": data, "admin": admin,
        "update_time": iso(state.update.as_ref().map_or(state.updated_at, |update| update.at)),
        "age_group": "adult", "gender": who.gender, "date_of_birth": who.birth_date, "full_name": who.full,
        "full_name_en": who.full_en, "first_name": who.first, "last_name": who.last, "nationality": who.nationality,
    });
    put(&mut body, "userid", fixed.user_id());
    put(&mut body, "tokenId", fixed.traits.token.then(|| token_id(fixed)));
    put(&mut body, "duplicated_information", duplicated_information(fixed, state));
    body
}

fn deleted(view: &View) -> Value {
    let deletion = view.state.deletion.as_ref();
    let at = deletion.map_or(view.state.updated_at, |deletion| deletion.at);
    let mut body = json!({"submission_id": view.fixed.id, "account_email": REVIEWER, "delete_time": iso(at)});
    put(&mut body, "comment", deletion.and_then(|deletion| deletion.comment.as_deref()));
    body
}

fn injection(view: &View, trigger: Trigger) -> Value {
    let (fixed, state) = (&view.fixed, &view.state);
    let last = state.injections.last();
    let mut action = json!({"type": "address", "created_at": iso(last.map_or(state.updated_at, |one| one.at))});
    let mut body = json!({
        "submission_id": fixed.id, "email": person(fixed.user).email, "kyc_status": state.kyc.as_str(),
        "applicant_id": applicant_id(fixed),
    });
    put(&mut body, "userid", fixed.user_id());
    if trigger == Trigger::InjectionFail {
        let code = last.and_then(|one| one.fail_code.as_deref()).unwrap_or("ipRisk_failCategory");
        put(&mut action, "failCode", Some(code));
        put(&mut body, "duplicated_information", duplicated_information(fixed, state));
    } else {
        put(&mut body, "tokenId", fixed.traits.token.then(|| token_id(fixed)));
        if fixed.traits.custom_fields {
            put(&mut body, "cf1", Some("branch-07"));
            put(&mut body, "cf2", Some(""));
            put(&mut body, "cf3", Some(""));
        }
    }
    put(&mut body, "action", Some(action));
    body
}

fn aml(view: &View) -> Value {
    let mut body = common(view, false);
    put(&mut body, "email", Some(email(view)));
    put(&mut body, "duplicated_information", duplicated_information(&view.fixed, &view.state));
    let risk = view.state.risk;
    put(&mut body, "aml_result", Some(json!({"currentstatus": risk.status(), "risk_level_summary": risk.as_str()})));
    body
}

fn monitor(view: &View) -> Value {
    let mut body = common(view, false);
    put(&mut body, "email", Some(email(view)));
    let records: Vec<Value> = view
        .state
        .monitored
        .iter()
        .map(|at| json!({"recordId": format!("{at:x}_{}", view.fixed.id), "worklistId": "wl_01", "created_at": iso(*at)}))
        .collect();
    put(&mut body, "records", Some(records));
    body
}

fn face(view: &View, shape: u8) -> Value {
    let fixed = &view.fixed;
    let last = view.state.face.last();
    let status = if last.is_none_or(|one| one.approved) { Kyc::Approved } else { Kyc::Rejected }.as_str();
    let at = iso(last.map_or(view.state.updated_at, |one| one.at));
    let auth = format!("auth_{:04}", view.state.face.len());
    let user = fixed.user_id().unwrap_or_default();
    let reference =
        json!({"userid": user, "email": person(fixed.user).email, "cf": {"cf1": "branch-07", "cf2": "", "cf3": ""}});
    match shape {
        0 => json!({"data": {
            "Submission_id": fixed.id, "Auth_Status": status, "Create_Time": at, "Auth_User_id": user,
            "Auth_cf1": "", "Auth_cf2": "", "Auth_cf3": "", "Token_id": token_id(fixed),
            "reference": reference, "Authentication_id": auth,
        }}),
        1 => json!({"Authentication_id": auth, "data": {
            "Submission_id": fixed.id, "Auth_Status": status, "Create_Time": at, "User_id": user,
            "cf1": "", "cf2": "", "cf3": "", "reference": reference,
        }}),
        _ => json!({"auth_id": auth, "data": {
            "submission_id": fixed.id, "auth_status": status, "create_time": at, "user_id": user,
            "cf1": "", "cf2": "", "cf3": "",
        }}),
    }
}

#[cfg(test)]
mod tests;
