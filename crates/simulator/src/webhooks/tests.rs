//! Every body against the samples of the paper: the members that must be there, those that may, and no others.

use super::*;
use crate::change::Change;
use crate::state::State;
use crate::view::{Fixed, Traits};
use std::sync::Arc;

fn view(traits: Traits, changes: &[Change]) -> View {
    let fixed = Fixed { id: "k3f9x1mes3ugzb".into(), user: 0, traits, created_at: 1_772_429_276_279 };
    let mut state = State::new(0, fixed.created_at);
    for (step, change) in changes.iter().enumerate() {
        let (before, now) = (state.clone(), fixed.created_at + 1_000 * (step as i64 + 1));
        change.apply(&mut state, now);
        state.complete(&before, now);
        state.updated_at = now;
    }
    View { fixed: Arc::new(fixed), state: Arc::new(state) }
}

fn names(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

fn assert_members(value: &Value, required: &str, optional: &str) {
    let names = names(value);
    for name in required.split(' ').filter(|name| !name.is_empty()) {
        assert!(names.contains(&name), "{name} is missing in {names:?}");
    }
    for name in names {
        assert!(
            required.split(' ').chain(optional.split(' ')).any(|known| known == name),
            "{name} is not in the paper"
        );
    }
}

const NONE: Traits = Traits { user: false, custom_fields: false, token: false, knowledge_based: false, aml: true };

#[test]
fn created_and_retry() {
    let body_of = |changes: &[Change], trigger| body(&view(Traits::FULL, changes), trigger, 0);
    let base = "webhook_trigger submission_id kyc_result ipAddress";
    let created = body_of(&[], Trigger::Created);
    assert_members(&created, base, "cf userid tokenId");
    assert_eq!(created["kyc_result"], json!({"status": "incomplete"}));
    let retry = body_of(&[Change::Retry("glare_detected")], Trigger::Retry);
    assert_members(&retry, &format!("{base} retryCode attempts"), "cf userid tokenId");
    assert_eq!((&retry["retryCode"], &retry["attempts"]), (&json!("glare_detected"), &json!(1)));
}

#[test]
fn submit_names_the_pending_time_only() {
    let body = body(&view(Traits::FULL, &[Change::Pend]), Trigger::Submit, 0);
    assert_members(&body, "webhook_trigger submission_id email kyc_result", "userid tokenId cf");
    assert_members(&body["kyc_result"], "status created_at pending_at", "");
    assert_eq!(body["kyc_result"]["status"], "pending");
}

#[test]
fn approved_in_its_three_shapes() {
    let view = view(Traits::FULL, &[Change::Pend, Change::Approve { by_hand: false }]);
    let new = body(&view, Trigger::Approved, 0);
    assert_members(
        &new,
        "submission_id email applicant_id webhook_trigger kyc_result age_group gender date_of_birth nationality \
         duplicated_information full_name full_name_en first_name last_name phoneNumber ssnNumber additional_list",
        "cf",
    );
    assert_members(&new["kyc_result"], "status updated_at created_at kyc_result_at reviewer", "");
    for (shape, is_array) in [(1, true), (2, false)] {
        let old = body(&view, Trigger::Approved, shape);
        assert_members(
            &old,
            "webhook_trigger kyc_result applicant_id submission_id email age_group gender date_of_birth nationality \
             ipAddress fullName idType issuingCountry issueDate expireDate identityNumber documentNumber additional_list",
            "tokenId cf userid",
        );
        assert_members(&old["kyc_result"], "status updated_at created_at kyc_result_at pending_at reviewer", "");
        assert_eq!(old["additional_list"].is_array(), is_array);
    }
}

#[test]
fn approved_by_knowledge_uses_other_names() {
    let traits = Traits { knowledge_based: true, ..Traits::FULL };
    let body = body(&view(traits, &[Change::Approve { by_hand: true }]), Trigger::Approved, 1);
    assert!(body.get("full_name").is_none() && body.get("fullName").is_none());
    assert!(body["name"].is_string() && body["address_formatted"].is_string());
    assert_eq!(body["kyc_result"]["reviewer"], REVIEWER);
}

#[test]
fn rejected_has_strings_where_get_has_arrays() {
    let body = body(
        &view(Traits::FULL, &[Change::Reject { codes: &["duplicate_user", "expired_id"], by_hand: false }]),
        Trigger::Rejected,
        0,
    );
    assert_members(
        &body,
        "webhook_trigger kyc_result submission_id applicant_id email ipAddress",
        "duplicated_information cf userid tokenId",
    );
    assert_members(&body["kyc_result"], "status comment updated_at commentCode", "");
    assert_eq!(body["kyc_result"]["commentCode"], "duplicate_user,expired_id");
    assert!(body["kyc_result"]["comment"].is_string());
}

#[test]
fn updated_has_a_data_object_with_a_string_result() {
    let changes = [Change::Approve { by_hand: false }, Change::Reverse { approved: false, codes: &["other"] }];
    let body = body(&view(Traits::FULL, &changes), Trigger::Updated, 0);
    assert_members(
        &body,
        "webhook_trigger submission_id email data admin update_time age_group gender date_of_birth full_name \
         full_name_en first_name last_name nationality",
        "duplicated_information userid tokenId",
    );
    assert_members(&body["data"], "update kyc_result reviewer", "pending_at");
    assert_eq!(body["data"]["kyc_result"], "rejected");
    assert_eq!(body["data"]["update"][0], "kycStatus");
}

#[test]
fn delete_maps_by_id_alone() {
    let body = body(&view(Traits::FULL, &[Change::Delete { hard: false }]), Trigger::Delete, 0);
    assert_members(&body, "webhook_trigger submission_id account_email delete_time", "comment");
}

#[test]
fn injections_copy_the_status() {
    let approved = Change::Approve { by_hand: false };
    let base = "webhook_trigger action submission_id email kyc_status applicant_id";
    let done = body(&view(Traits::FULL, &[approved.clone(), Change::Inject]), Trigger::Injection, 0);
    assert_members(&done, base, "userid cf1 cf2 cf3 tokenId");
    assert_members(&done["action"], "type created_at", "");
    let failed = body(
        &view(Traits::FULL, &[approved, Change::FailInjection("distanceChecks_ipGeo")]),
        Trigger::InjectionFail,
        0,
    );
    assert_members(&failed, base, "userid duplicated_information");
    assert_members(&failed["action"], "type created_at failCode", "");
    assert_eq!(failed["kyc_status"], "approved");
}

#[test]
fn aml_and_monitor_carry_no_match() {
    let screened = [
        Change::Approve { by_hand: false },
        Change::Screen { risk: crate::state::Risk::High, matches: 2 },
        Change::Monitor,
    ];
    let view = view(Traits::FULL, &screened);
    let aml = body(&view, Trigger::Aml, 0);
    assert_members(&aml, "webhook_trigger submission_id email aml_result", "duplicated_information userid cf tokenId");
    assert_eq!(aml["aml_result"], json!({"currentstatus": "Red Flag", "risk_level_summary": "HIGH"}));
    let monitor = body(&view, Trigger::AmlMonitor, 0);
    assert_members(&monitor, "webhook_trigger submission_id email records", "userid tokenId cf");
    assert_members(&monitor["records"][0], "recordId worklistId created_at", "");
}

#[test]
fn face_auth_has_three_shapes_and_no_id_at_the_top() {
    let view = view(Traits::FULL, &[Change::Approve { by_hand: false }, Change::Face { approved: false }]);
    let newest = body(&view, Trigger::FaceAuth, 0);
    assert_members(&newest, "webhook_trigger data", "");
    assert_members(
        &newest["data"],
        "Submission_id Auth_Status Create_Time Auth_User_id Auth_cf1 Auth_cf2 Auth_cf3 Token_id reference Authentication_id",
        "",
    );
    let middle = body(&view, Trigger::FaceAuth, 1);
    assert_members(&middle, "webhook_trigger Authentication_id data", "");
    assert_members(&middle["data"], "Submission_id Auth_Status Create_Time User_id cf1 cf2 cf3 reference", "");
    let oldest = body(&view, Trigger::FaceAuth, 2);
    assert_members(&oldest, "webhook_trigger auth_id data", "");
    assert_members(&oldest["data"], "submission_id auth_status create_time user_id cf1 cf2 cf3", "");
    for shape in [newest, middle, oldest] {
        assert_eq!(submission_id(&shape), Some("k3f9x1mes3ugzb"));
    }
}

#[test]
fn what_was_not_supplied_is_left_out() {
    let view = view(NONE, &[Change::Approve { by_hand: false }]);
    for trigger in Trigger::ALL {
        for shape in 0..trigger.shapes() {
            let body = body(&view, trigger, shape);
            assert!(!body.as_object().unwrap().values().any(Value::is_null), "{trigger:?}");
            if trigger != Trigger::FaceAuth {
                for name in ["userid", "tokenId", "cf", "cf1"] {
                    assert!(body.get(name).is_none(), "{trigger:?} {name}");
                }
            }
            assert_eq!(body["webhook_trigger"], trigger.as_str());
        }
    }
}
