//! The way between a replica and the in-memory ledger: commits that take their time, fail, or end without an answer;
//! replays that are slow; a replica that hears nothing. Each batch that becomes durable is shown to the oracle.

use crate::bug::Bug;
use crate::member::{Member, Shared};
use models::{Authentication, Batch, CommitError, Entry, GraveReason, Ledger, LedgerEvent, Memo, MemoKey, StateChange};
use reconciler::memory::{Fault, MemoryLedger};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

type Attempt = Pin<Box<dyn Future<Output = Result<(), CommitError>> + Send>>;

/// See the module.
pub(crate) struct Wire {
    inner: MemoryLedger,
    member: Arc<Member>,
    /// An event of a replay that is on its way, and until when.
    slow: Option<(i64, LedgerEvent)>,
}

impl Wire {
    pub(crate) fn new(inner: MemoryLedger, member: Arc<Member>) -> Wire {
        Wire { inner, member, slow: None }
    }

    fn told(&self, event: &mut LedgerEvent) {
        let (member, shared) = (self.member.number, &self.member.shared);
        match event {
            LedgerEvent::Hint { partition, lane, offset, key, hint, .. } => {
                shared.oracle().delivered((*partition, *lane, *offset), key, hint, shared.at());
                shared.note(format_args!("m{member} reads {partition}/{lane:?}/{offset}: {} of {key}", hint.id));
                if shared.has(Bug::ForgedNoticeCounts) {
                    let notices = [&mut hint.notices.aml, &mut hint.notices.monitoring];
                    notices.into_iter().flatten().for_each(|notice| notice.authentication = Authentication::PATH_TOKEN);
                }
            }
            LedgerEvent::Entries { entries, .. } if shared.has(Bug::ReplayStopsEarly) => {
                entries.pop();
            }
            LedgerEvent::Memos { memos, .. } if shared.has(Bug::QuotaNotMoved) => {
                memos.retain(|(key, _)| !matches!(key, MemoKey::Standing(_)));
            }
            LedgerEvent::Ready { partition, epoch, of, .. } => {
                shared.note(format_args!("m{member} runs {partition} in {epoch}"));
                if shared.has(Bug::SharesNotSplit) {
                    *of = 1;
                }
            }
            LedgerEvent::Revoked { partition } => {
                shared.oracle().revoked(member, shared.at());
                shared.note(format_args!("m{member} loses {partition}"));
            }
            _ => {}
        }
    }

    /// With a bug planted, whether the loop never hears of this event.
    fn is_lost(&self, event: &LedgerEvent) -> bool {
        let shared = &self.member.shared;
        match event {
            LedgerEvent::Hint { .. } => shared.has(Bug::HintPassedOver) && shared.rng().u64(0..10) == 0,
            _ => false,
        }
    }

    /// The batches that are really written for one that the loop wrote, in order.
    fn stages(&self, batch: &Batch) -> Vec<Batch> {
        let shared = &self.member.shared;
        let mut batch = batch.clone();
        spoil(shared, &mut batch);
        match shared.bug {
            Some(Bug::AckBeforeCommit) if !batch.writes.is_empty() => {
                let offsets = Batch { progress: batch.progress.clone(), ..Batch::default() };
                vec![offsets, batch]
            }
            Some(Bug::OffsetsLeftOut) => {
                let offsets = Batch { progress: std::mem::take(&mut batch.progress), ..Batch::default() };
                vec![batch, offsets]
            }
            Some(Bug::TornTransaction) if batch.writes.iter().any(|write| !write.events.is_empty()) => {
                let mut events = Batch::default();
                for write in &mut batch.writes {
                    let mut first = write.clone();
                    first.entry = shared.broker.entry(&write.key);
                    write.events.clear();
                    write.state = StateChange::Keep;
                    events.writes.push(first);
                }
                vec![events, batch]
            }
            _ => vec![batch],
        }
    }
}

/// What a planted bug does to the records of a batch.
fn spoil(shared: &Shared, batch: &mut Batch) {
    let Some(bug) = shared.bug else { return };
    for (_, _, memo) in &mut batch.memos {
        if let (Bug::QuotaNotRecorded, Memo::Standing(standing)) = (bug, memo) {
            standing.spent = 0;
        }
    }
    for write in &mut batch.writes {
        let aside = write.entry.as_mut().and_then(|entry| Some((entry.pending.as_mut()?, &mut entry.check)));
        match (bug, aside) {
            (Bug::ParkedNoticeLost, Some((pending, _))) => pending.notices = models::Notices::default(),
            (Bug::ParkedClaimLost, Some((pending, _))) => pending.claims.clear(),
            (Bug::ScheduleLost, Some((_, check))) => *check = None,
            _ => {}
        }
        let grave = |entry: &Entry| entry.grave.map(|grave| grave.reason);
        match (bug, write.entry.as_ref().and_then(grave)) {
            (Bug::NoGrave, Some(GraveReason::Deleted)) | (Bug::NoGraveOfErasure, Some(GraveReason::Erased)) => {
                write.entry = None;
            }
            _ => {}
        }
        if bug == Bug::SnapshotLeftOut && shared.rng().u64(0..10) == 0 {
            write.state = StateChange::Keep;
        }
        if bug == Bug::IdByChance {
            write.events.iter_mut().for_each(|event| event.id = format!("{:032x}", shared.rng().u128(..)));
        }
    }
}

/// One batch on its way, with what goes wrong.
async fn carry(
    member: Arc<Member>,
    batch: Batch,
    attempt: Attempt,
    anyway: Option<Attempt>,
) -> Result<(), CommitError> {
    let shared = &member.shared;
    pause(shared).await;
    if shared.strikes(shared.plan.kafka.aborts) {
        let says = shared.has(Bug::EntryBeforeCommit);
        return if says { Ok(()) } else { Err(CommitError::Aborted("injected".to_owned())) };
    }
    let lost = shared.strikes(shared.plan.kafka.lost);
    let applies = !lost || shared.rng().bool();
    if lost && applies && shared.has(Bug::UnknownTakenAsAbort) {
        let result = attempt.await;
        if result.is_ok() {
            shared.oracle().applied(&batch, shared.at());
        }
        return result.and(Err(CommitError::Aborted("unknown".to_owned())));
    }
    if lost {
        // Decided when the batch arrives: one of a former owner is refused before it can get lost.
        shared.broker.fail_commits([if applies { Fault::LostAfterCommit } else { Fault::LostBeforeCommit }]);
    }
    let mut result = attempt.await;
    shared.broker.spare_commits();
    if let (Err(CommitError::Aborted(_)), Some(anyway)) = (&result, anyway) {
        result = anyway.await;
    }
    shared.note(format_args!("m{} commits {} writes: {result:?}", member.number, batch.writes.len()));
    let durable = match &result {
        Ok(()) => true,
        Err(CommitError::Lost(_)) => applies,
        Err(_) => false,
    };
    if durable {
        for (partition, key, memo) in &batch.memos {
            shared.note(format_args!("memo {partition} {key} {memo:?}"));
        }
        for write in &batch.writes {
            let entry = write.entry.as_ref();
            let check = entry.and_then(|entry| entry.check);
            let pending = entry.and_then(|entry| entry.pending.as_ref());
            let waits = pending.map_or(0, |pending| pending.claims.len());
            let notices = pending.map(|pending| (pending.notices.aml.is_some(), pending.notices.monitoring.is_some()));
            shared.note(format_args!("entry {}: {check:?}, {waits} claims, notices {notices:?}", write.key));
        }
        for event in batch.writes.iter().flat_map(|write| &write.events) {
            shared.note(format_args!("event {} {} {}", event.key, event.sequence, event.kind));
        }
        shared.oracle().applied(&batch, shared.at());
    }
    match result {
        Err(CommitError::Lost(_)) if shared.has(Bug::UnknownTakenAsCommitted) => Ok(()),
        Ok(()) => {
            pause(shared).await;
            Ok(())
        }
        other => other,
    }
}

async fn pause(shared: &Shared) {
    let longest = if shared.is_calm() { 5 } else { shared.plan.kafka.latency };
    let takes = shared.rng().u64(0..=longest);
    if takes > 0 {
        tokio::time::sleep(Duration::from_millis(takes)).await;
    }
}

impl Ledger for Wire {
    async fn next(&mut self) -> Option<LedgerEvent> {
        let member = Arc::clone(&self.member);
        let shared = &member.shared;
        loop {
            // Cancel-safe: what was taken and not given yet waits in `slow`.
            while member.deaf_until() > shared.at() {
                let left = Duration::from_millis((member.deaf_until() - shared.at()) as u64);
                tokio::select! { biased; () = tokio::time::sleep(left) => {}, () = member.hears() => {} }
            }
            shared.broker.readmit(self.inner.member());
            if let Some((until, _)) = &self.slow {
                let left = Duration::from_millis(u64::try_from(until - shared.at()).unwrap_or(0));
                tokio::time::sleep(left).await;
            }
            let event = match self.slow.take() {
                Some((_, event)) => event,
                None => match self.inner.next().await? {
                    LedgerEvent::Entries { epoch, partition, mut entries } => {
                        let stale = shared.has(Bug::NoCatchUp) && entries.len() < 2;
                        if stale {
                            entries.clear();
                        }
                        let longest = if shared.is_calm() { 1 } else { shared.plan.kafka.replay };
                        let until = shared.at() + shared.rng().i64(0..=longest as i64);
                        self.slow = Some((until, LedgerEvent::Entries { epoch, partition, entries }));
                        continue;
                    }
                    event => event,
                },
            };
            let mut event = event;
            self.told(&mut event);
            if !self.is_lost(&event) {
                return Some(event);
            }
        }
    }

    fn commit(&self, batch: Batch) -> impl Future<Output = Result<(), CommitError>> + Send + 'static {
        let member = Arc::clone(&self.member);
        let unfenced = |stage: &Batch| {
            let batch = Batch { progress: Vec::new(), ..stage.clone() };
            member.shared.has(Bug::NoFencing).then(|| Box::pin(self.inner.commit(batch)) as Attempt)
        };
        let stages: Vec<(Batch, Attempt, Option<Attempt>)> = self
            .stages(&batch)
            .into_iter()
            .map(|stage| (stage.clone(), Box::pin(self.inner.commit(stage.clone())) as Attempt, unfenced(&stage)))
            .collect();
        async move {
            for (stage, attempt, anyway) in stages {
                carry(Arc::clone(&member), stage, attempt, anyway).await?;
            }
            Ok(())
        }
    }

    fn close(&self) {
        self.inner.close();
    }
}
