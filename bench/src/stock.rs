//! Records in bulk, as the service would have written them: ledger entries, hints.
//!
//! Owns: how many of what, and which keys. The bytes are the service's own encoders'. Must not know who reads them.

use crate::kafka::Writer;
use crate::{bodies, cases};
use models::{Authentication, Hint, Key, Notices, ProjectId, Source, SubmissionId, Time};
use publisher::partition::partition_of;
use publisher::record::{self, Topic};
use tests::PROJECT;

/// The key of a submission.
pub fn key(id: &str) -> Key {
    let project = ProjectId::new(PROJECT).expect("a project");
    Key::new(&project, &SubmissionId::new(id).expect("an id"))
}

/// Writes so many entries, each with hashes and a due time of its own. Bytes of keys and values.
pub fn ledger(bootstrap: &str, topic: &str, partitions: i32, count: usize) -> usize {
    let (writer, mut rng) = (Writer::new(bootstrap), fastrand::Rng::with_seed(3));
    let (now, mut bytes) = ((tests::wall_clock())(), 0);
    for number in 0..count {
        let key = key(&bodies::id(number));
        let partition = partition_of(key.as_str().as_bytes(), partitions);
        let mut entry = cases::distinct(&mut rng);
        if let Some(check) = &mut entry.check {
            // Some time within the next month: nothing falls due while it is measured.
            check.due = Time::from_millis(now + rng.i64(86_400_000..30 * 86_400_000));
        }
        let payload = record::entry(partition, &key, Some(&entry)).payload.expect("an entry");
        bytes += key.as_str().len() + payload.len();
        writer.send(topic, partition, key.as_str(), &payload);
    }
    writer.flush();
    bytes
}

/// Writes the same entry for each of these submissions, as if each had been taken in.
pub fn copies<'a>(bootstrap: &str, topic: &str, partitions: i32, entries: impl Iterator<Item = (&'a str, &'a [u8])>) {
    let writer = Writer::new(bootstrap);
    for (id, payload) in entries {
        let key = key(id);
        let partition = partition_of(key.as_str().as_bytes(), partitions);
        writer.send(topic, partition, key.as_str(), payload);
    }
    writer.flush();
}

/// Writes one hint for each of these submissions.
pub fn hints<'a>(bootstrap: &str, topic: &str, partitions: i32, ids: impl Iterator<Item = &'a str>) {
    let mut writer = HintWriter::new(bootstrap, topic, partitions);
    for id in ids {
        writer.send(id);
    }
    writer.flush();
}

/// Writes hints: a webhook that says "approved" has been accepted.
pub struct HintWriter {
    writer: Writer,
    topic: String,
    partitions: i32,
    hint: Hint,
    number: u64,
}

impl HintWriter {
    /// Onto this topic.
    pub fn new(bootstrap: &str, topic: &str, partitions: i32) -> HintWriter {
        let webhook = argos::webhook::decode(bodies::WEBHOOK.as_bytes()).expect("a webhook");
        let argos::Webhook::Submission(described) = webhook else { panic!("a claim") };
        let hint = Hint {
            id: String::new(),
            source: Source::Webhook,
            received_at: Time::from_millis((tests::wall_clock())()),
            authentication: Authentication::PATH_TOKEN,
            claim: described.claim,
            notices: Notices::default(),
            body_digest: String::new(),
            row: None,
            erase: false,
            traceparent: None,
        };
        HintWriter { writer: Writer::new(bootstrap), topic: topic.to_owned(), partitions, hint, number: 0 }
    }

    /// One hint for this submission.
    pub fn send(&mut self, id: &str) {
        let key = key(id);
        self.number += 1;
        self.hint.id = format!("{:032x}", self.number);
        self.hint.body_digest.clone_from(&self.hint.id);
        let record = record::hint(Topic::Hints, &key, &self.hint).expect("a record");
        let partition = partition_of(key.as_str().as_bytes(), self.partitions);
        self.writer.send(&self.topic, partition, key.as_str(), &record.payload.expect("a hint"));
    }

    /// Waits for the acknowledgement of all.
    pub fn flush(&self) {
        self.writer.flush();
    }
}
