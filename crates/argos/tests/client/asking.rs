//! Pages of the list, the submissions of one person, and submissions in parts, against a server that answers by the query.

use crate::servers::{Asked, answering};
use crate::{client_of, key, project};
use argos::{Client, DateFormat, Fetch, ListSettings, Person, Project};
use models::{Answer, KycStatus, LookError, PageCursor, PageQuery, ProjectId, TruthSource};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A client, and the queries that it sent, decoded.
async fn asking(
    answer: impl Fn(&Asked) -> (u16, String) + Send + Sync + 'static,
    set: impl FnOnce(&mut Project),
) -> (Client, Arc<Mutex<Vec<String>>>) {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&asked);
    let address = answering(move |one| {
        let pairs: Vec<String> = one.pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
        log.lock().unwrap().push(pairs.join("&"));
        answer(&one)
    })
    .await;
    let mut project = project(&format!("http://{address}/v3"));
    set(&mut project);
    (client_of(project), asked)
}

fn acme() -> ProjectId {
    ProjectId::new("acme").unwrap()
}

#[tokio::test]
async fn a_page_is_asked_as_the_project_says() {
    let body = r#"{"Items":[],"nextpageKey":{"id":"a","created_at":"b"}}"#;
    let query = PageQuery {
        project: "acme".to_owned(),
        from: Some("2026-03-01T23:30:00.000Z".parse().unwrap()),
        to: Some("2026-03-02T00:30:00.000Z".parse().unwrap()),
        cursor: None,
    };
    let (client, asked) = asking(move |_| (200, body.to_owned()), |_| {}).await;
    let page = client.page(&query).await.unwrap();
    let next = Some(PageCursor { id: "a".to_owned(), created_at: "b".to_owned() });
    assert_eq!(page.next, next);
    client.page(&PageQuery { from: None, cursor: next, ..query.clone() }).await.unwrap();
    assert_eq!(
        *asked.lock().unwrap(),
        [
            "count=50&start_date=2026-02-28&end_date=2026-03-03",
            "count=50&end_date=2026-03-03&nextpage_id=a&nextpage_date=b",
        ]
    );
    let narrow = ListSettings { date_format: DateFormat::Compact, page_size: 7, zone_margin: Duration::from_mins(30) };
    let set = |project: &mut Project| (project.list, project.fetch) = (narrow, Fetch::KycAmlOnly);
    let (client, asked) = asking(move |_| (200, body.to_owned()), set).await;
    client.page(&query).await.unwrap();
    assert_eq!(*asked.lock().unwrap(), ["count=7&request_type=kyc&start_date=20260301&end_date=20260302"]);
    let nobodys = PageQuery { project: "other".to_owned(), ..query };
    assert_eq!(client.page(&nobodys).await, Err(LookError::UnknownProject));
}

#[tokio::test]
async fn a_persons_pages_are_walked_to_their_end() {
    let answer = |asked: &Asked| {
        let second = asked.pairs.iter().any(|(name, _)| name == "nextpage_id");
        let next = if second { "null" } else { r#"{"id":"a","created_at":"b"}"# };
        let row = r#"{"submission_id":"x","email":"minji.kim@example.com","kyc":{"result":"rejected"}}"#;
        (
            200,
            format!(
                r#"{{"Items":[{row}{}],"nextpageKey":{next}}}"#,
                if second { r#",{"submission_id":"y"}"# } else { "" }
            ),
        )
    };
    let (client, asked) = asking(answer, |_| {}).await;
    let found = client.find(&acme(), &Person::Email("minji.kim@example.com".into())).await.unwrap();
    assert_eq!(found.iter().map(|one| one.submission.as_str()).collect::<Vec<_>>(), ["x", "y"]);
    assert_eq!(found[0].kyc_status, KycStatus::Rejected);
    assert_eq!(
        *asked.lock().unwrap(),
        ["count=50&email=minji.kim@example.com", "count=50&email=minji.kim@example.com&nextpage_id=a&nextpage_date=b",]
    );
    client.find(&acme(), &Person::User("u-1001".into())).await.unwrap();
    assert_eq!(asked.lock().unwrap()[2], "count=50&userid=u-1001");
}

#[tokio::test]
async fn nobody_has_no_submissions_and_no_error_names_a_person() {
    let person = Person::Email("minji.kim@example.com".into());
    for (status, body, expected) in [
        (200, r#"{"Items":[]}"#, Ok(vec![])),
        (404, "", Ok(vec![])),
        (200, r#"{"Items":[{"submission_id":"x","email":"other@example.com"}]}"#, Err("someone else")),
        (200, r#"{"Items":[],"nextpageKey":{"id":"a","created_at":"b"}}"#, Err("end")),
        (400, r#"{"errorCode":"minji.kim@example.com"}"#, Err("status 400")),
        (403, r#"{"message":"minji.kim@example.com"}"#, Err("status 403")),
        (302, "minji.kim@example.com", Err("redirect")),
    ] {
        let (client, _) = asking(move |_| (status, body.to_owned()), |_| {}).await;
        match (client.find(&acme(), &person).await, expected) {
            (Ok(found), Ok(expected)) => assert_eq!(found, expected),
            (Err(error), Err(text)) => {
                let shown = format!("{error} {error:?}");
                assert!(shown.contains(text) && !shown.contains("minji") && !shown.contains("other@"), "{shown}");
            }
            (result, expected) => panic!("{status} {body}: {result:?}, not {expected:?}"),
        }
    }
    let gone = client_of(project("http://127.0.0.1:9/v3"));
    let shown = format!("{:?}", gone.find(&acme(), &person).await.unwrap_err());
    assert!(!shown.contains("minji"), "{shown}");
}

/// Each part shows what it is asked for, and `kyc` is what the vendor says at the n-th request.
async fn in_parts(kyc: [&'static str; 2]) -> (Result<models::Truth, LookError>, Vec<String>) {
    let turn = Mutex::new(kyc.into_iter());
    let answer = move |asked: &Asked| {
        let part = asked.pairs.iter().find(|(name, _)| name == "request_type").map(|(_, part)| part.as_str());
        let item = match part {
            Some("kyc") => turn.lock().unwrap().next().unwrap().to_owned(),
            Some("aml") => {
                r#""aml":{"currentstatus":"Red Flag","risk_level_summary":"HIGH","matches":[1,2]}"#.to_owned()
            }
            _ => return (200, r#"{"Items":[{"data":{"full_name":"Kim Minji"}}]}"#.to_owned()),
        };
        if item.is_empty() {
            return (200, r#"{"Items":[]}"#.to_owned());
        }
        (200, format!(r#"{{"Items":[{{"submission_id":"k3f9x1mes3ugzb",{item}}}]}}"#))
    };
    let (client, asked) = asking(answer, |project| project.fetch = Fetch::KycAmlOnly).await;
    let truth = client.look(&key()).await;
    let asked = asked.lock().unwrap().clone();
    (truth, asked)
}

const APPROVED: &str = r#""kyc":{"result":"approved"}"#;
const REJECTED: &str = r#""kyc":{"result":"rejected"}"#;

#[tokio::test]
async fn kyc_and_aml_are_asked_alone_and_must_belong_together() {
    let (truth, asked) = in_parts([APPROVED, APPROVED]).await;
    let Answer::Present(shown) = truth.unwrap().answer else { panic!("absent") };
    assert_eq!(
        (shown.kyc.status, shown.aml_vendor_status.as_str(), shown.matches),
        (KycStatus::Approved, "Red Flag", 2)
    );
    let part = |part: &str| format!("request_type={part}&submission_id=k3f9x1mes3ugzb");
    assert_eq!(asked, [part("kyc"), part("aml"), part("kyc")]);
    for second in [REJECTED, ""] {
        let (truth, _) = in_parts([APPROVED, second]).await;
        assert_eq!(truth, Err(LookError::Retry("the submission changed between two slices".to_owned())));
    }
    let (truth, asked) = in_parts(["", APPROVED]).await;
    assert_eq!((truth.unwrap().answer, asked.len()), (Answer::Absent, 1));
}
