//! What operators ask of a running loop, and what the journal tells of a key.

use super::*;
use crate::decision::Outcome;
use crate::inquiry::{Inquiry, KeyView, Standing};
use crate::journal::{Joined, What};

/// One member holds all, so the partition is the one that has it.
async fn view(inquiry: &Inquiry, key: &Key) -> KeyView {
    let partitioners: [crate::inquiry::Partitioner; 4] = [|_, _| 0, |_, _| 1, |_, _| 2, |_, of| of - 1];
    let mut found = KeyView::default();
    for partitioner in partitioners {
        let view = inquiry.key(key, partitioner).await.unwrap();
        assert!(view.owned, "one member holds all");
        if view.entry.is_some() || view.work.is_some() || found.notes.is_empty() {
            found = view;
        }
    }
    found
}

fn words(view: &KeyView) -> Vec<String> {
    let word = |what: &What| match what {
        What::Hint { joined: Joined::Waits, .. } => "waits".to_owned(),
        What::Hint { joined: Joined::Coalesced, .. } => "coalesced".to_owned(),
        What::Hint { joined: Joined::Covered, .. } => "covered".to_owned(),
        What::Due(reason) => format!("due {}", reason.unwrap().as_str()),
        What::Asked { probe } => if *probe { "probe" } else { "asked" }.to_owned(),
        What::Answered { outcome, .. } => (*outcome).to_owned(),
        What::Decided { outcome, events, sequence, .. } => {
            format!(
                "{} {:?} #{sequence}",
                outcome.as_str(),
                events.iter().map(models::EventKind::as_str).collect::<Vec<_>>()
            )
        }
        What::Committed => "committed".to_owned(),
        What::Aborted => "aborted".to_owned(),
        What::Lost => "lost".to_owned(),
    };
    view.notes.iter().map(|noted| word(&noted.what)).collect()
}

#[tokio::test(start_paused = true)]
async fn the_journal_tells_what_happened_to_a_key_in_order() {
    let lab = Lab::new(Duration::from_millis(80));
    let (stop, task) = lab.start();
    let inquiry = lab.inquiries.lock().unwrap()[0].clone();
    lab.world.set(&key(1), KycStatus::Approved);
    tokio::time::sleep(Duration::from_secs(1)).await;
    lab.broker.fail_commits([Fault::Abort]);
    lab.hint(&key(1), Some(KycStatus::Approved)).await;
    tokio::time::sleep(Duration::from_millis(40)).await;
    assert_eq!(view(&inquiry, &key(1)).await.work, Some(Standing::Asked), "the loop answers during a look");
    lab.hint(&key(1), Some(KycStatus::Approved)).await;
    lab.settled().await;
    let told = view(&inquiry, &key(1)).await;
    let approved = "published [\"kyc.submission.approved.v1\"] #1";
    let expected = [
        "waits",
        "asked",
        "coalesced",
        "present",
        approved,
        "aborted",
        "committed",
        "asked",
        "present",
        "unchanged [] #1",
        "committed",
    ];
    assert_eq!(words(&told), expected);
    assert_eq!((told.entry.unwrap().sequence, told.work), (1, None));
    assert_eq!(told.notes_from, Some(at(0)), "since the loop began");
    assert_eq!(view(&inquiry, &key(2)).await.notes, []);
    stop.cancel();
    task.await.unwrap().unwrap();
    assert!(inquiry.overview().await.is_none(), "a loop that has ended says nothing");
}

#[tokio::test(start_paused = true)]
async fn the_overview_tells_why_a_project_stands_still_and_what_waits() {
    let lab = Lab::new(Duration::from_millis(20));
    let (stop, task) = lab.start_with(|rules| rules.budget.per_second = 1.0);
    let inquiry = lab.inquiries.lock().unwrap()[0].clone();
    tokio::time::sleep(Duration::from_mins(1)).await;
    let calm = inquiry.overview().await.unwrap();
    assert_eq!((calm.total, calm.partitions.len()), (Some(4), 4));
    assert!(calm.partitions.iter().all(|partition| partition.running));
    let names: Vec<&str> = calm.projects.iter().map(|project| project.id.as_str()).collect();
    assert_eq!(names, ["acme", "beta"]);
    let full = calm.projects[0].sweeps.iter().find(|sweep| sweep.sweep == models::Sweep::Full).unwrap();
    assert_eq!((full.state, full.complete), ("idle", Some(true)));
    assert!(full.due_at > full.finished_at && calm.projects[0].spent > 0);

    *lab.world.refuses.lock().unwrap() = Some("acme".to_owned());
    for id in 0..20 {
        lab.world.set(&key(id), KycStatus::Approved);
        lab.hint(&key(id), Some(KycStatus::Approved)).await;
    }
    lab.settled().await;
    let told = inquiry.overview().await.unwrap();
    let [acme, beta] = &told.projects[..] else { panic!("{told:?}") };
    let (since, why) = acme.opened.clone().unwrap();
    assert!(acme.breaker == "open" && why.contains("refuses") && since > at(60_000), "{acme:?}");
    assert_eq!((beta.breaker, beta.parked, acme.share), ("closed", 0, 1.0));
    assert!(acme.parked >= 19, "one look found it out, the others were set aside: {acme:?}");
    let parked = Some(Outcome::Parked.as_str());
    let last = view(&inquiry, &key(19)).await;
    assert!(words(&last).iter().any(|word| word.split(' ').next() == parked), "{:?}", words(&last));

    *lab.world.refuses.lock().unwrap() = None;
    tokio::time::sleep(Duration::from_mins(10)).await;
    let told = inquiry.overview().await.unwrap();
    assert_eq!((told.projects[0].breaker, told.projects[0].parked), ("closed", 0));
    stop.cancel();
    task.await.unwrap().unwrap();
}
