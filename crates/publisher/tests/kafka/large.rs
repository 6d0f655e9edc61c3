//! Records that no broker takes: their submission is named, and all others go on.

use crate::support::{entry, key, open_with, rig, write};
use models::{
    Aml, AmlStatus, CommitError, Facts, Kyc, KycStatus, Monitoring, Origin, Reason, Risk, Snapshot, StateChange,
    SubmissionFacts, Time, Write,
};

fn snapshot(text: usize) -> Snapshot {
    Snapshot {
        facts: Facts {
            submission: SubmissionFacts {
                project: "acme".to_owned(),
                id: "k1".to_owned(),
                user_id: None,
                created_at: None,
            },
            kyc: Kyc {
                status: KycStatus::Rejected,
                vendor_status: "rejected".to_owned(),
                decided_at: None,
                reviewer: None,
                origin: Origin::Manual,
                retries: 0,
                reasons: vec![Reason {
                    code: String::new(),
                    category: "other".to_owned(),
                    text: Some("x".repeat(text)),
                }],
            },
            aml: Aml {
                status: AmlStatus::NotScreened,
                vendor_status: String::new(),
                risk: Risk::Unknown,
                matches: 0,
                notice_at: None,
                monitoring: Monitoring::Unknown,
                monitoring_notice_at: None,
            },
        },
        sequence: 1,
        confirmed_at: Time::from_millis(0),
        vendor_updated_at: None,
    }
}

fn with_text(number: u32, text: usize) -> Write {
    let mut write = write(0, &key(number), Some(entry(1)));
    write.state = StateChange::Put(Box::new(snapshot(text)));
    write
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_is_too_large_is_named_and_the_rest_goes_through() {
    let Some(rig) = rig("large", 1).await else {
        return;
    };
    let mut driver = rig.open();
    driver.until_running(1).await;
    let batch =
        driver.batch(0, vec![with_text(1, 10), with_text(2, 1_100_000), with_text(3, 10), with_text(4, 5_000_000)]);
    let Err(CommitError::TooLarge(named)) = driver.commit(batch).await else { panic!("it was taken") };
    let keys: Vec<_> = named.iter().map(|(key, _)| key.clone()).collect();
    assert_eq!(keys, [key(2), key(4)]);
    assert!(named[0].1 > 1_100_000 && named[0].1 < 1_101_000 && named[1].1 > 5_000_000, "{named:?}");
    assert_eq!(rig.read(&rig.names().state).await, [], "nothing was written");
    assert_eq!(driver.revoked, 0, "and no producer was lost");

    let rest = driver.batch(0, vec![with_text(1, 10), with_text(3, 10)]);
    driver.commit(rest).await.unwrap();
    assert_eq!(rig.read(&rig.names().state).await.len(), 2);
    driver.close().await;
}

/// What passes the relay's own bound is taken by client and broker.
#[tokio::test(flavor = "multi_thread")]
async fn a_record_just_below_the_bound_is_taken() {
    let Some(rig) = rig("nearly-large", 1).await else {
        return;
    };
    let mut driver = rig.open();
    driver.until_running(1).await;
    let size = |text: usize| {
        let record =
            publisher::record::snapshot(&key(1), Some(&snapshot(text)), publisher::record::Form::default()).unwrap();
        record.size()
    };
    let text = 1_000_000 - size(0);
    assert_eq!(size(text), rig.settings.largest_record());
    let fits = driver.batch(0, vec![with_text(1, text), with_text(2, text)]);
    driver.commit(fits).await.unwrap();
    let over = driver.batch(0, vec![with_text(3, text + 1)]);
    assert!(matches!(driver.commit(over).await, Err(CommitError::TooLarge(_))));
    driver.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_larger_bound_topics_take_more() {
    let Some(mut rig) = rig("larger", 1).await else {
        return;
    };
    rig.settings.properties.insert("message.max.bytes".to_owned(), "3000000".to_owned());
    let refused = publisher::topics::check(&rig.settings).await.unwrap();
    assert!(!refused.is_ok(), "topics made for the default take too little");
    rig.settings.topic_prefix.push_str("more.");
    assert!(publisher::topics::apply(&rig.settings).await.unwrap().is_ok());
    let mut driver = open_with(rig.settings.clone());
    driver.until_running(1).await;
    let batch = driver.batch(0, vec![with_text(1, 2_900_000)]);
    driver.commit(batch).await.unwrap();
    driver.close().await;
}
