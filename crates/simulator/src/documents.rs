//! Submission documents: what `GET /v3/submission` shows of a submission.
//!
//! Owns the single document (ID-document and knowledge-based), the thin list row, the "Deleted Submission" form and
//! the slices of `request_type`. Written from the paper (ARGOS protocol, sections 4 and 5) and from nothing else, so
//! that it checks the service's reader. Pure: a view in, JSON out.

use crate::clock::iso;
use crate::config::{DeletedForm, ListAml};
use crate::people::{REMARKS, person};
use crate::state::{Kyc, State};
use crate::view::{Fixed, View};
use serde_json::{Map, Value, json};

/// The label of a soft-deleted submission.
pub(crate) const DELETED: &str = "Deleted Submission";

/// Sets a member unless there is nothing to say: what was not supplied is left out, never null.
pub(crate) fn put(object: &mut Value, name: &str, value: Option<impl Into<Value>>) {
    if let (Some(members), Some(value)) = (object.as_object_mut(), value) {
        members.insert(name.to_owned(), value.into());
    }
}

/// The full document of the single GET. `webhook_url` is the project's, which ARGOS repeats in `project_options`.
pub(crate) fn single(view: &View, form: DeletedForm, webhook_url: Option<&str>) -> Value {
    let View { fixed, state } = view;
    if state.deletion.is_some() {
        return deleted(fixed, state, form);
    }
    let mut document = heading(fixed, state);
    put(&mut document, "applicant_id", (state.kyc != Kyc::Incomplete).then(|| applicant_id(fixed)));
    put(&mut document, "tokenId", fixed.traits.token.then(|| token_id(fixed)));
    put(&mut document, "pending_at", state.pending_at.map(iso));
    put(&mut document, "reviewer", state.reviewer.as_deref());
    let last = state.update.as_ref();
    put(
        &mut document,
        "updateHistory",
        last.map(|last| json!({"updateAdmin": last.admin, "updateTime": iso(last.at)})),
    );
    let memo = last.map(|last| json!({"text": REMARKS[fixed.user % REMARKS.len()], "updated_at": iso(last.at)}));
    put(&mut document, "memo", memo);
    put(&mut document, "data", Some(data(fixed, state)));
    put(&mut document, "kyc", Some(kyc(fixed, state)));
    put(&mut document, "aml", Some(aml(state)));
    put(&mut document, "duplicated_information", duplicated_information(fixed, state));
    put(&mut document, "Injection_action", injections(state));
    if let (Some(members), Value::Object(rest)) = (document.as_object_mut(), ballast(fixed, state)) {
        members.extend(rest);
    }
    let mut options =
        json!({"option_aml": fixed.traits.aml, "option_ageLimit": "13", "accepted_id": ["passport", "government_id"]});
    put(&mut options, "webhookURL", webhook_url);
    put(&mut document, "project_options", Some(options));
    document
}

/// The thin row of a list: fewer members, and none that a single GET alone gives.
pub(crate) fn row(view: &View, form: DeletedForm, aml_rows: ListAml) -> Value {
    let View { fixed, state } = view;
    if state.deletion.is_some() {
        return deleted(fixed, state, form);
    }
    let mut row = heading(fixed, state);
    let mut shown = json!({"nationality": person(state.name_of).nationality});
    let name = if fixed.traits.knowledge_based { "name" } else { "full_name" };
    put(&mut shown, name, (state.kyc != Kyc::Incomplete).then_some(person(state.name_of).full));
    put(&mut row, "data", Some(shown));
    put(&mut row, "kyc", Some(result(state)));
    let with_aml = match aml_rows {
        ListAml::Never => false,
        ListAml::Some => fixed.user.is_multiple_of(2),
        ListAml::Always => true,
    };
    let screening = json!({"currentstatus": state.risk.status(), "risk_level_summary": state.risk.as_str()});
    put(&mut row, "aml", with_aml.then_some(screening));
    row
}

/// The part of a document that `request_type` asks for; `None` for a type that does not exist.
pub(crate) fn slice(document: Value, request_type: &str) -> Option<Value> {
    const PARTS: [&str; 3] = ["kyc", "aml", "data"];
    let Value::Object(mut members) = document else {
        return None;
    };
    if request_type == "others" {
        members.retain(|name, _| !PARTS.contains(&name.as_str()));
        return Some(Value::Object(members));
    }
    if !PARTS.contains(&request_type) {
        return None;
    }
    let kept = ["submission_id", request_type];
    let part: Map<String, Value> = kept.iter().filter_map(|name| members.remove_entry(*name)).collect();
    Some(Value::Object(part))
}

/// `ap_…`: marks the same person across submissions.
pub(crate) fn applicant_id(fixed: &Fixed) -> String {
    format!("ap_{:04x}", fixed.user)
}

/// `tok-…`
pub(crate) fn token_id(fixed: &Fixed) -> String {
    format!("tok-{:04}", fixed.user)
}

/// Made from name, birth date, gender and nationality, once all four are known.
pub(crate) fn duplicated_information(fixed: &Fixed, state: &State) -> Option<String> {
    (state.kyc != Kyc::Incomplete && !fixed.traits.knowledge_based)
        .then(|| format!("{:06x}", 0x00d4_1f8c + state.name_of % 97))
}

fn heading(fixed: &Fixed, state: &State) -> Value {
    let mut heading = json!({
        "submission_id": fixed.id,
        "email": person(fixed.user).email,
        "created_at": iso(fixed.created_at),
        "updated_at": iso(state.updated_at),
    });
    put(&mut heading, "userid", fixed.user_id());
    put(&mut heading, "kyc_result_at", state.decided_at.map(iso));
    heading
}

fn deleted(fixed: &Fixed, state: &State, form: DeletedForm) -> Value {
    let mut document = json!({
        "submission_id": fixed.id,
        "created_at": iso(fixed.created_at),
        "updated_at": iso(state.updated_at),
        "data": {"idType": "passport"},
        "kyc": {"result": state.kyc.as_str()},
    });
    match form {
        DeletedForm::KycResult => document["kyc"]["result"] = json!(DELETED),
        DeletedForm::Status => document["status"] = json!(DELETED),
        DeletedForm::Email => document["email"] = json!(DELETED),
    }
    document
}

fn result(state: &State) -> Value {
    let comments: Vec<&str> = state.reasons.iter().map(|reason| &*reason.comment).collect();
    let codes: Vec<&str> = state.reasons.iter().map(|reason| &*reason.code).collect();
    json!({"result": state.kyc.as_str(), "comment": comments, "commentCode": codes})
}

fn kyc(fixed: &Fixed, state: &State) -> Value {
    let mut kyc = result(state);
    let first = iso(fixed.created_at);
    let tries = state.retries.len() + usize::from(state.kyc != Kyc::Incomplete);
    let attempts: Vec<Value> = (1..=tries)
        .map(|count| {
            json!({
                "attemptCnt": count,
                "step1Time1st": first,
                "step2Time1st": first,
                "ocrResult": "success",
                "verificationResult": "success",
                "verification": {
                    "result": {"code": "0", "message": "ok", "transactionId": format!("tr-{count}"), "extraMessage": "N/A"},
                    "data": {"birthDate": person(state.name_of).birth_date},
                    "userName": person(state.name_of).full,
                },
                "verificationParams": {},
                "faceSimilarityScore": 0.93,
                "selfieImage": format!("selfie/{}/{count}", fixed.id),
                "livenessScore": 0.99,
                "liveness": {"score": 0.99, "probability": 0.98, "quality": 0.9},
            })
        })
        .collect();
    let retry: Vec<Value> =
        state.retries.iter().map(|code| json!({"retryCode": code, "retryMsg": "please try again"})).collect();
    put(&mut kyc, "attempts", Some(attempts));
    put(&mut kyc, "retry", Some(retry));
    kyc
}

fn aml(state: &State) -> Value {
    let matches: Vec<Value> = (0..state.matches)
        .map(|index| {
            json!({"resourceId": format!("res-{index}"), "name": person(state.name_of).full_en, "score": 0.91, "datasets": ["PEP-CURRENT"]})
        })
        .collect();
    json!({
        "raw_data": {"totalMatches": state.matches},
        "matches": matches,
        "risk_level_summary": state.risk.as_str(),
        "currentstatus": state.risk.status(),
    })
}

fn data(fixed: &Fixed, state: &State) -> Value {
    let (who, place) = (person(state.name_of), person(state.address_of));
    let mut data = json!({"ip_address": who.ip});
    if fixed.traits.custom_fields {
        put(&mut data, "cf1", Some("branch-07"));
        put(&mut data, "cf2", Some(""));
        put(&mut data, "cf3", Some(""));
    }
    if state.kyc == Kyc::Incomplete {
        return data;
    }
    let known = if fixed.traits.knowledge_based {
        json!({
            "name": who.full, "gender": who.gender, "nationality": who.nationality, "date_of_birth": who.birth_date,
            "address_formatted": format!("{}, {}", place.street, place.city), "address_detail": "N/A",
            "ssnNumber": who.identity, "phoneNumber": who.phone,
        })
    } else {
        json!({
            "age_group": "adult", "first_name": who.first, "last_name": who.last, "full_name": who.full,
            "gender": who.gender, "nationality": who.nationality, "date_of_birth": who.birth_date,
            "address_city": place.city, "address_country": place.nationality, "address_state": "",
            "address_street": place.street, "address_street2": "", "address_zipcode": "00000",
            "idcard_issuingCountry": who.nationality, "idcard_issueDate": "2020-01-05", "idcard_expireDate": "2030-01-05",
            "idType": "passport", "documentNumber": who.document, "identityNumber": who.identity,
        })
    };
    if let (Some(members), Value::Object(known)) = (data.as_object_mut(), known) {
        members.extend(known);
    }
    data
}

fn injections(state: &State) -> Option<Vec<Value>> {
    let shown = |one: &crate::state::Injection| {
        let mut action = json!({"type": "address", "created_at": iso(one.at)});
        put(&mut action, "failCode", one.fail_code.as_deref());
        action
    };
    (!state.injections.is_empty()).then(|| state.injections.iter().map(shown).collect())
}

/// What a reader has to step over: OCR, images, scores and signals, some numbers as strings, `N/A` for absent.
fn ballast(fixed: &Fixed, state: &State) -> Value {
    let who = person(state.name_of);
    json!({
        "ocr": {"birthDate": who.birth_date, "fullName": who.full, "firstName": who.first, "lastName": who.last,
                "identityNumber": who.identity, "issueDate": "2020-01-05", "expireDate": "N/A"},
        "OCR_raw": {"fullName": {"value": who.full_en, "score": 0.98, "accepted": true, "coordinates": [[1, 2], [3, 4]]},
                    "rotate": {"value": "0"}},
        "review": {"fullName": who.full, "birthDate": who.birth_date},
        "image": {"idImage": format!("id/{}", fixed.id), "idBackImage": "", "selfieImage": format!("selfie/{}", fixed.id)},
        "recognition_score": "0.97",
        "argos_score": "88",
        "id_LivenessScore": {"score": 0.9},
        "verification": {"faceAge": [31]},
        "signals": {"faceAge": 31, "cameraProcessInfo": [{"processStartTime": iso(fixed.created_at), "processEndTime": "N/A", "type": "id", "error": ""}],
                    "startButtonClickTime": iso(fixed.created_at), "confidence": {"finalData": 0.9, "ocrData": 0.9, "ocrExtractedData": 0.8}},
        "pre_verification": {"request_id": "req-1", "created_at": iso(fixed.created_at), "ip_address": who.ip, "fraud_score": 3,
                             "attempts_frequency": "low", "country_code": who.nationality, "connection_type": "mobile", "is_valid": true},
        "duplicated_users": [],
        "duplicated_selfie_users": [],
        "additional_list": [{"answer": "occupation", "inputValue": "engineer", "blockType": "text"}],
        "warning": [],
        "projection": {"projectionId": "N/A", "projectionName": "N/A"},
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::Traits;
    use std::sync::Arc;

    fn view(change: impl FnOnce(&mut State)) -> View {
        let fixed = Fixed { id: "k3f9x1mes3ugzb".into(), user: 0, traits: Traits::FULL, created_at: 1_772_429_276_279 };
        let mut state = State::new(0, fixed.created_at);
        change(&mut state);
        View { fixed: Arc::new(fixed), state: Arc::new(state) }
    }

    #[test]
    fn a_single_document_has_the_members_of_the_paper() {
        let document =
            single(&view(|state| state.kyc = Kyc::Approved), DeletedForm::default(), Some("https://h.example/s"));
        assert_eq!(document["kyc"]["result"], "approved");
        assert_eq!(document["created_at"], "2026-03-02T05:27:56.279Z");
        assert_eq!(document["data"]["cf1"], "branch-07");
        assert_eq!(document["aml"]["currentstatus"], "Not Screened");
        assert_eq!(document["project_options"]["webhookURL"], "https://h.example/s");
        assert!(document["kyc"]["comment"].is_array() && document["kyc"]["attempts"].is_array());
        assert!(document.get("pending_at").is_none(), "only if it ever was pending");
        assert!(document.get("cf").is_none(), "custom fields stand inside data");
    }

    #[test]
    fn a_row_is_thinner_than_the_document() {
        let view = view(|state| state.kyc = Kyc::Rejected);
        let row = row(&view, DeletedForm::default(), ListAml::Never);
        assert!(row.get("aml").is_none() && row["kyc"].get("attempts").is_none() && row.get("reviewer").is_none());
        assert_eq!(row["kyc"]["result"], "rejected");
    }

    #[test]
    fn a_deleted_one_keeps_no_identity_in_any_form() {
        let view = view(|state| {
            state.kyc = Kyc::Approved;
            state.deletion =
                Some(crate::state::Deletion { kind: crate::state::DeletionKind::Soft, at: 0, comment: None });
        });
        for form in [DeletedForm::KycResult, DeletedForm::Status, DeletedForm::Email] {
            let text = single(&view, form, None).to_string();
            assert!(text.contains(DELETED));
            for needle in crate::people::needles() {
                assert!(!text.contains(&needle), "{needle}");
            }
        }
    }

    #[test]
    fn request_types_slice() {
        let document = single(&view(|_| {}), DeletedForm::default(), None);
        let names = |part: &str| -> Vec<String> {
            slice(document.clone(), part).unwrap().as_object().unwrap().keys().cloned().collect()
        };
        assert_eq!(names("kyc"), ["kyc", "submission_id"]);
        assert_eq!(names("aml"), ["aml", "submission_id"]);
        assert!(!names("others").contains(&"data".to_owned()));
        assert!(slice(document, "all").is_none());
    }
}
