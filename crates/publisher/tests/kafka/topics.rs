//! Topics: made once, checked, and refused with the reason.

use crate::support::rig;
use publisher::topics::{self, TopicOutcome};
use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;

#[tokio::test(flavor = "multi_thread")]
async fn applying_twice_changes_nothing_and_check_agrees() {
    let Some(rig) = rig("topics", 3).await else {
        return;
    };
    let again = topics::apply(&rig.settings).await.unwrap();
    assert!(again.is_ok() && again.lines.iter().all(|line| line.outcome == TopicOutcome::Fits), "{again:?}");
    assert_eq!(topics::check(&rig.settings).await.unwrap(), again);
    assert_eq!(topics::verify_layout(&rig.settings).await.unwrap(), []);
    let layout = rig.read(&rig.names().ledger).await;
    assert_eq!(layout.len(), 1, "recorded once");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_would_break_a_promise_is_named() {
    let Some(rig) = rig("breaks", 2).await else {
        return;
    };
    let admin: AdminClient<DefaultClientContext> = rig.config().create().unwrap();
    let options = AdminOptions::new();
    let names = rig.names();
    let more = NewPartitions::new(&names.ledger, 4);
    admin.create_partitions(&[more], &options).await.unwrap();
    let wrong = rig.settings.topic_prefix.clone() + "wrong";
    let topic = NewTopic::new(&wrong, 2, TopicReplication::Fixed(1)).set("retention.ms", "60000");
    admin.create_topics(&[topic], &options).await.unwrap();
    let mut settings = rig.settings.clone();
    settings.topics.hints = "wrong".to_owned();
    let mut report = topics::check(&settings).await.unwrap();
    for _ in 0..50 {
        if report.layout.len() == 2 {
            break;
        }
        report = topics::check(&settings).await.unwrap();
    }
    assert!(!report.is_ok());
    let line = report.lines.iter().find(|line| line.topic == wrong).unwrap();
    let TopicOutcome::Breaks(found) = &line.outcome else { panic!("{line:?}") };
    assert_eq!(found[0].what, "retention.ms");
    assert!(found[0].to_string().contains("an accepted webhook is not lost"));
    // The front door looks at its own topics only, and finds what breaks there.
    let door = topics::check_hints(&settings).await.unwrap();
    assert!(!door.is_ok() && door.layout.is_empty(), "{door:?}");
    assert_eq!(door.lines.len(), 2);
    assert!(topics::check_hints(&rig.settings).await.unwrap().is_ok());
    assert_eq!(report.layout.len(), 2, "the ledger has other partitions than the hints, and than recorded");
}
