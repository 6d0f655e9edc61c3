use super::*;
use models::{AmlStatus, Reason};

fn reader(include: Policy) -> Reader {
    Reader { include, ..Reader::default() }
}

fn read_with(members: &str, include: Policy) -> Submission {
    let text = format!("{{{members}}}");
    read(&Object::of(Raw::parse(&text).unwrap()).unwrap(), &reader(include)).unwrap()
}

/// An item of these members, read with everything let in.
fn item(members: &str) -> Submission {
    let all = Policy::USER_ID.with(Policy::REVIEWER);
    read_with(members, all.with(Policy::REASON_TEXT))
}

fn reason(code: &str, category: &str, text: Option<&str>) -> Reason {
    Reason { code: code.to_owned(), category: category.to_owned(), text: text.map(str::to_owned) }
}

#[test]
fn statuses_come_in_several_spellings() {
    for (members, status, vendor) in [
        (r#""kyc":{"result":"imcomplete"}"#, KycStatus::Incomplete, "imcomplete"),
        (r#""kyc":{"result":"Pending "}"#, KycStatus::Pending, "Pending"),
        (r#""kyc":{"result":"on hold"}"#, KycStatus::Unknown, "on hold"),
        (r#""kyc":{"status":"approved"}"#, KycStatus::Approved, "approved"),
        (r#""kycStatus":"rejected""#, KycStatus::Rejected, "rejected"),
        (r#""kyc_result":{"status":"rejected"}"#, KycStatus::Rejected, "rejected"),
        (r#""kyc":{"result":"approved"},"status":"done""#, KycStatus::Approved, "approved"),
    ] {
        let kyc = item(members).kyc;
        assert_eq!((kyc.status, kyc.vendor_status.as_str()), (status, vendor), "{members}");
    }
}

#[test]
fn the_label_of_a_deleted_submission_is_recognised_wherever_argos_writes() {
    for members in [
        r#""kyc":{"result":"Deleted Submission"}"#,
        r#""kyc":{"result":"deleted"}"#,
        r#""kyc":"Deleted Submission""#,
        r#""kyc":{"result":"approved"},"status":"DELETED SUBMISSION""#,
        r#""kyc":{"result":"approved"},"label":"Deleted Submission""#,
        r#""kyc":{"result":"approved"},"email":"deleted submission""#,
        r#""kyc":{"result":"approved"},"data":"Deleted Submission""#,
        r#""kyc":{"result":"approved"},"data":{"full_name":"Deleted Submission","gender":"","address":null}"#,
        r#""label":"Deleted Submission""#,
    ] {
        assert_eq!(item(members).kyc.status, KycStatus::Deleted, "{members}");
    }
    // Not where others choose the words.
    for members in [
        r#""kyc":{"result":"approved"},"userid":"Deleted Submission""#,
        r#""kyc":{"result":"approved"},"memo":{"text":"Deleted Submission"}"#,
        r#""kyc":{"result":"approved"},"data":{"full_name":"Deleted Submission","gender":"male"}"#,
        r#""kyc":{"result":"approved"},"label":"Deleted""#,
    ] {
        assert_eq!(item(members).kyc.status, KycStatus::Approved, "{members}");
    }
}

#[test]
fn reasons_come_as_text_or_list() {
    let reasons = |kyc: &str| item(&format!(r#""kyc":{{{kyc}}}"#)).kyc.reasons;
    assert_eq!(
        reasons(r#""result":"rejected","comment":"late","commentCode":"timeout""#),
        [reason("timeout", "timeout", Some("late"))]
    );
    assert_eq!(
        reasons(r#""result":"rejected","comment":["a",null,"c"],"commentCode":["expired_id","expired_id2"]"#),
        [
            reason("expired_id", "document_expired", Some("a")),
            reason("expired_id2", "other", None),
            reason("", "other", Some("c")),
        ]
    );
    // Codes of retries count while the applicant is at it, and only then.
    let retries = r#""retry":[{"retryCode":"glare_detected"},"missing_name",{"retryCode":["glare_detected"]},7]"#;
    let codes: Vec<_> =
        reasons(&format!(r#""result":"incomplete",{retries}"#)).into_iter().map(|one| one.code).collect();
    assert_eq!(codes, ["glare_detected", "missing_name", "7"]);
    assert_eq!(reasons(&format!(r#""result":"approved",{retries}"#)), []);
    let many: Vec<String> = (0..100).map(|number| format!("\"code_{number}\"")).collect();
    assert_eq!(reasons(&format!(r#""result":"rejected","commentCode":[{}]"#, many.join(","))).len(), 32);
    // Without a code there is still a reason, but no text unless the policy lets it in.
    let hidden = read_with(r#""kyc":{"result":"rejected","comment":["a","b"]}"#, Policy::NONE);
    assert_eq!(hidden.kyc.reasons, [reason("", "other", None)]);
}

#[test]
fn retries_are_the_largest_count_shown() {
    for (kyc, expected) in [
        (r#""attempts":[{"attemptCnt":1},{"attemptCnt":2}]"#, 2),
        (r#""attempts":[{"attemptCnt":5}]"#, 5),
        (r#""attempts":"2""#, 2),
        (r#""attempts":[{"attemptCnt":"x"}],"retry":[{},{},{}]"#, 3),
        (r#""retry":{}"#, 0),
        (r#""attempts":true"#, 0),
    ] {
        assert_eq!(item(&format!(r#""kyc":{{"result":"incomplete",{kyc}}}"#)).kyc.retries, expected, "{kyc}");
    }
}

#[test]
fn a_field_of_another_type_is_absent() {
    let wild = item(
        r#""kyc":{"result":"approved","comment":{},"commentCode":7,"attempts":{},"retry":3},"userid":17,"created_at":[],
        "updated_at":{"x":1},"kyc_result_at":"N/A","reviewer":["system"],"aml":[],"project_options":"none","data":3,
        "updateHistory":"x","email":false"#,
    );
    assert_eq!(wild.user_id.as_deref(), Some("17"));
    assert_eq!((wild.created_at, wild.updated_at, wild.kyc.decided_at), (None, None, None));
    assert_eq!((wild.aml_status, wild.aml_vendor_status.as_str()), (AmlStatus::NotScreened, ""));
    assert_eq!(wild.kyc.origin, Origin::Unknown);
    assert_eq!(item(r#""kyc":{"result":"approved"},"aml":{"currentstatus":"Amber","matches":"4"}"#).matches, 4);
    assert_eq!(item(r#""kyc":{"result":"approved"},"aml":{"currentstatus":"Amber"}"#).aml_status, AmlStatus::Unknown);
    for (flag, expected) in [("true", Some(true)), ("\"N\"", Some(false)), ("{}", None)] {
        let members = format!(r#""kyc":{{"result":"approved"}},"project_options":{{"option_aml":{flag}}}"#);
        assert_eq!(item(&members).aml_expected, expected, "{flag}");
    }
}
