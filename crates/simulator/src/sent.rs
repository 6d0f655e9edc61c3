//! The book of webhooks sent: how delivery is meant to go, and how it went.
//!
//! Owns the settings of delivery, the record of each POST and the sums over all of them. Sends nothing: `sender` does.

use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// How badly webhooks are delivered. Rates are shares of all webhooks, 0.0 to 1.0.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WebhookFaults {
    /// Share that is never sent.
    pub loss_rate: f64,
    /// Share that is sent more than once.
    pub repeat_rate: f64,
    /// Copies of a repeated one, at most; at least 2.
    pub max_copies: u32,
    /// Every copy waits up to this, drawn evenly, milliseconds.
    pub delay_ms: u64,
    /// Share of copies that wait further, so that later ones overtake them.
    pub reorder_rate: f64,
    /// How long those wait, drawn evenly up to this, milliseconds.
    pub reorder_ms: u64,
    /// POSTs at one time.
    pub concurrency: usize,
    /// How long an answer may take, milliseconds.
    pub timeout_ms: u64,
    /// Whether a copy that was not answered 2xx is sent again. ARGOS promises nothing of the kind.
    pub resend: bool,
    /// How often it is sent again at most.
    pub resend_max: u32,
}

impl Default for WebhookFaults {
    fn default() -> WebhookFaults {
        WebhookFaults {
            loss_rate: 0.0,
            repeat_rate: 0.0,
            max_copies: 3,
            delay_ms: 0,
            reorder_rate: 0.0,
            reorder_ms: 500,
            concurrency: 64,
            timeout_ms: 10_000,
            resend: false,
            resend_max: 10,
        }
    }
}

/// What became of one POST.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Posted {
    /// The answer's status; `None` if there was no answer, or no target to ask.
    pub status: Option<u16>,
    /// The answer's `Retry-After`, seconds.
    pub retry_after_s: Option<u64>,
    /// From the call to the answer's head, microseconds.
    pub latency_us: u64,
}

/// One POST, for benchmarks. Times are microseconds since the epoch, on one steady scale that starts at the clock's
/// millisecond when the simulator started: differences are exact, the scale as a whole is off by up to 1 ms.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SendRecord {
    /// Whose.
    pub project: Arc<str>,
    /// The submission, if the body names one.
    pub id: Arc<str>,
    /// `webhook_trigger`, if the body has one.
    pub trigger: Arc<str>,
    /// When it was due; earlier than `sent_us` by the delays of delivery and by what the sender lags behind.
    pub due_us: i64,
    /// When the POST began.
    pub sent_us: i64,
    /// When its answer's head was there, or the attempt had failed.
    pub answered_us: i64,
    /// What became of it.
    pub posted: Posted,
}

/// All POSTs so far.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Sent {
    /// Webhooks that were to be delivered.
    pub webhooks: u64,
    /// Of those never sent, on purpose.
    pub lost_on_purpose: u64,
    /// POSTs made: first copies, repeats and resends.
    pub posts: u64,
    /// Of those sent again after a refusal or a failure.
    pub resends: u64,
    /// POSTs answered 200.
    pub accepted: u64,
    /// POSTs answered otherwise, by status.
    pub refused: BTreeMap<u16, u64>,
    /// POSTs without an answer: refused or lost connections, timeouts.
    pub failed: u64,
    /// 503 and 429 without a `Retry-After` of at least 1.
    pub bad_refusals: u64,
    /// Webhooks without any target.
    pub without_target: u64,
    /// POSTs beyond `keep_records`: counted above, without a record.
    pub unrecorded: u64,
    /// (project, submission id) of every submission that had a webhook answered 200.
    pub accepted_ids: BTreeSet<(String, String)>,
    /// Latency of the accepted ones on record, microseconds: median, 99 of 100, worst.
    pub latency_us: [u64; 3],
}

/// The book itself.
#[derive(Default)]
pub(crate) struct Book {
    /// The running sums; without the latencies.
    pub(crate) sent: Sent,
    /// The records that are kept.
    pub(crate) records: Vec<SendRecord>,
}

impl Book {
    /// Enters one POST; keeps its record while there are fewer than `keep`.
    pub(crate) fn enter(&mut self, record: SendRecord, keep: usize) {
        let sent = &mut self.sent;
        sent.posts += 1;
        match record.posted.status {
            Some(200) => {
                sent.accepted += 1;
                let key = (record.project.to_string(), record.id.to_string());
                sent.accepted_ids.insert(key);
            }
            Some(status) => {
                *sent.refused.entry(status).or_default() += 1;
                let pause = record.posted.retry_after_s.unwrap_or(0);
                sent.bad_refusals += u64::from(matches!(status, 429 | 503) && pause < 1);
            }
            None => sent.failed += 1,
        }
        if self.records.len() < keep {
            self.records.push(record);
        } else {
            sent.unrecorded += 1;
        }
    }

    /// The sums, with the latencies of the accepted ones on record.
    pub(crate) fn sum(&self) -> Sent {
        let accepted = self.records.iter().filter(|record| record.posted.status == Some(200));
        let mut latencies: Vec<u64> = accepted.map(|record| record.posted.latency_us).collect();
        latencies.sort_unstable();
        let last = latencies.len().saturating_sub(1);
        let at = |percent: usize| latencies.get(last * percent / 100).copied().unwrap_or(0);
        Sent { latency_us: [at(50), at(99), at(100)], ..self.sent.clone() }
    }
}
