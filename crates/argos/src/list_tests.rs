use super::*;
use crate::fixtures::{LIST, PERSONAL};
use models::{KycStatus, Risk};
use proptest::prelude::*;

#[test]
fn a_page_has_rows_a_cursor_and_a_count_of_what_is_lost() {
    let page = decode_page(LIST.as_bytes()).unwrap();
    assert_eq!(page.rows.len(), 2);
    let (id, row) = &page.rows[0];
    assert_eq!(id.as_str(), "k3f9x1mes3ugzb");
    assert_eq!(row.kyc_status, Some(KycStatus::Approved));
    assert_eq!((row.aml_vendor_status.as_deref(), row.risk), (Some("Red Flag"), Some(Risk::Low)));
    assert_eq!(row.updated_at, Some("2026-03-02T05:31:10.511Z".parse().unwrap()));
    let (_, thin) = &page.rows[1];
    assert_eq!(thin.created_at, Some("2026-03-02T05:27:56Z".parse().unwrap()));
    assert_eq!((&thin.aml_vendor_status, thin.risk, thin.updated_at), (&None, None, None));
    assert_eq!(page.unreadable, 3);
    let next = page.next.as_ref().unwrap();
    assert_eq!((next.id.as_str(), next.created_at.as_str()), ("6xx28lo115832", "2026-03-02T05:27:56.279+00:00"));
    let shown = format!("{page:?}");
    for word in PERSONAL {
        assert!(!shown.contains(word), "{word}");
    }
}

#[test]
fn the_walk_ends_where_no_cursor_is_given() {
    for body in [
        "{}",
        r#"{"Items":[]}"#,
        r#"{"Items":[],"nextpageKey":null}"#,
        r#"{"Items":[],"nextpageKey":{}}"#,
        r#"{"Items":[],"nextpageKey":""}"#,
    ] {
        assert_eq!(decode_page(body.as_bytes()), Ok(Page { rows: vec![], next: None, unreadable: 0 }), "{body}");
    }
}

#[test]
fn a_cursor_that_cannot_be_followed_is_no_end() {
    for body in [
        r#"{"Items":[],"nextpageKey":{"id":"x"}}"#,
        r#"{"Items":[],"nextpageKey":{"key":"x"}}"#,
        r#"{"Items":[],"nextpageKey":"x"}"#,
        r#"{"Items":[],"nextpageKey":7}"#,
        r#"{"Items":7}"#,
        r#"{"data":"x","isEncrypted":true}"#,
        r#"{"errorCode":"invalid_parameter"}"#,
        "no",
    ] {
        assert!(matches!(decode_page(body.as_bytes()), Err(LookError::Unreadable(_))), "{body}");
    }
}

/// A row of members that a list may show, in any order and number.
fn any_row() -> impl Strategy<Value = String> {
    let value = prop::sample::select(vec![
        "null",
        "true",
        "7",
        "1e999",
        r#""""#,
        r#"" N/A ""#,
        r#""approved""#,
        r#""Rejected""#,
        "\"approved\n\"",
        r#""Deleted Submission""#,
        r#""deleted\u005fsubmission""#,
        r#""\ud800""#,
        r#""2026-03-02T05:31:10.511Z""#,
        r#"" 2026-03-02 05:31""#,
        r#""k7""#,
        "[]",
        r#"["Deleted Submission"]"#,
        "{}",
        r#"{"result":"approved"}"#,
        r#"{"status":"rejected","result":null,"attempts":[{}]}"#,
        r#"{"result":7}"#,
        r#"{"currentstatus":"Red Flag","risk_level_summary":"LOW","matches":[1]}"#,
        r#"{"currentstatus":"","risk_level_summary":"?"}"#,
        r#"{"updateTime":"2026-03-03T05:31:10.511Z"}"#,
        r#"{"a":"Deleted Submission","b":null}"#,
        r#"{"a":"Deleted Submission","b":[1]}"#,
        r#"{"\ud800":1}"#,
    ]);
    let name = prop::sample::select(vec![
        "submission_id",
        "submissionId",
        "submission\\u005fid",
        "created_at",
        "updated_at",
        "update_at",
        "updateHistory",
        "kyc",
        "kycStatus",
        "kyc_status",
        "kyc_result",
        "status",
        "aml",
        "aml_result",
        "data",
        "userid",
        "email",
        "\\ud800",
        "status\n",
    ]);
    let members = prop::collection::vec((name, value), 0..7);
    members.prop_map(|members| {
        let all = members.iter().map(|(name, value)| format!("\"{name}\":{value}"));
        let id = r#""submission_id":"k1""#.to_owned();
        format!("{{{}}}", std::iter::once(id).chain(all).collect::<Vec<_>>().join(","))
    })
}

/// Members of a page and of its rows, usual and not.
fn any_page() -> impl Strategy<Value = String> {
    let row = prop::sample::select(vec![
        r#"{"submission_id":"k1","updated_at":"2026-03-02T05:31:10.511Z","kyc":{"result":"approved"}}"#,
        r#"{"submission_id":"k2","submission_id":"k3","aml":{"currentstatus":"Red Flag","risk_level_summary":"LOW"},"aml":null}"#,
        r#"{"submissionId":"k4","email":"Deleted Submission","data":{"x":[[1e999]]}}"#,
        r#"{"submission\u005fid":"k5","created_at":"2026-03-02-05-27-56-UTC"}"#,
        r#"{"kyc":{"result":"approved"}}"#,
        r#"{"\ud800":1,"submission_id":"k6"}"#,
        r#"{"submission_id":"a\u0007b"}"#,
        r#""what is this""#,
        "null",
        "[{}]",
        "{}",
    ]);
    let row = prop_oneof![row.prop_map(str::to_owned), any_row()];
    let items = prop::collection::vec(row, 0..4).prop_map(|rows| format!("[{}]", rows.join(",")));
    let items = prop_oneof![8 => items, 1 => Just("7".to_owned()), 1 => Just("null".to_owned())];
    let name = prop::sample::select(vec!["Items", "Items", "items"]);
    let listed = (name, items).prop_map(|(name, items)| format!("\"{name}\":{items}"));
    let other = prop::sample::select(vec![
        r#""nextpageKey":{"id":"6xx","created_at":"2026-03-02"}"#,
        r#""nextpageKey":{"id":"6xx"}"#,
        r#""nextpageKey":null"#,
        r#""isEncrypted":true"#,
        r#""data":"x""#,
        r#""errorCode":"invalid_parameter""#,
        r#""\ud800":1"#,
    ]);
    let member = prop_oneof![3 => listed, 2 => other.prop_map(str::to_owned)];
    let wrapped = prop::collection::vec(member, 0..4).prop_map(|members| format!("{{{}}}", members.join(",")));
    (wrapped, prop::sample::select(vec!["", "", "", "\n", " x", "}"])).prop_map(|(body, end)| body + end)
}

proptest! {
    /// The short way says nothing else than the long one.
    #[test]
    fn one_pass_reads_as_the_steps_do(body in any_page()) {
        if let Some(page) = read_in_one_pass(&body) {
            prop_assert_eq!(page, read_in_steps(&body), "{}", body);
        }
        let usual = r#"{"Items":[{"submission_id":"k1"}],"other":{},"nextpageKey":{"id":"x","created_at":"y"}}"#;
        prop_assert!(read_in_one_pass(usual).is_some());
    }

    #[test]
    fn one_row_is_read_as_the_steps_read_it(row in any_row()) {
        let body = format!(r#"{{"Items":[{row}]}}"#);
        if let Some(page) = read_in_one_pass(&body) {
            prop_assert_eq!(page, read_in_steps(&body), "{}", body);
        }
    }

    #[test]
    fn any_bytes_have_an_outcome(bytes in prop::collection::vec(any::<u8>(), 0..300), cut in any::<prop::sample::Index>()) {
        let _ = decode_page(&bytes);
        let _ = decode_page(&LIST.as_bytes()[..cut.index(LIST.len())]);
    }
}
