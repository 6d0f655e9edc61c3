//! Which partitions wait to be restored, and how far each restore is.
//!
//! Owns: the queue of the restoring threads. A restore that has to wait for somebody's open transaction goes to the end
//! of it, so that it keeps no thread from other partitions. Must not know: Kafka, what is read.
//!
//! Path: [`Jobs::push`] on assignment, [`Jobs::take`] by a thread, [`Jobs::put_back`] if it has to wait. Of an older
//! assignment's restore its taker finds that it is void.

use super::lock;
use super::meter::Meter;
use models::{Lane, Progress};
use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A partition to restore.
#[derive(Clone, Copy, Debug)]
pub(super) struct Job {
    pub(super) partition: i32,
    pub(super) epoch: u64,
    pub(super) from: Option<i64>,
    pub(super) asked: Instant,
}

/// What is known since the restore began.
#[derive(Clone, Debug)]
pub(super) struct Begun {
    pub(super) start: Progress,
    /// Lanes with a gap before their start, and how wide it is.
    pub(super) expired: Vec<(Lane, u64)>,
    /// Whatever an earlier owner committed with the offsets of `start` lies below it.
    pub(super) target: i64,
    /// The next ledger offset to read.
    pub(super) next: i64,
    /// How far that is.
    pub(super) meter: Meter,
    /// Where open transactions must have ended first: topic, partition, and the end that the log had.
    pub(super) awaited: Vec<(String, i32, i64)>,
}

/// A job, and how far it is.
#[derive(Clone, Debug)]
pub(super) struct Restore {
    pub(super) job: Job,
    pub(super) begun: Option<Begun>,
    /// Whether the open transaction that it waits for is named to operators.
    pub(super) named: bool,
}

/// The restores that wait for a thread: one for each partition, and void ones until a thread looks at them.
#[derive(Default)]
pub(super) struct Jobs {
    waiting: Mutex<VecDeque<Restore>>,
    more: Condvar,
}

impl Jobs {
    /// Adds one.
    pub(super) fn push(&self, job: Job) {
        lock(&self.waiting).push_back(Restore { job, begun: None, named: false });
        self.more.notify_one();
    }

    /// Adds one that has to wait.
    pub(super) fn put_back(&self, restore: Restore) {
        lock(&self.waiting).push_back(restore);
        self.more.notify_one();
    }

    pub(super) fn take(&self, within: Duration) -> Option<Restore> {
        let waiting = lock(&self.waiting);
        let result = self.more.wait_timeout_while(waiting, within, |jobs| jobs.is_empty());
        let (mut waiting, _) = result.unwrap_or_else(PoisonError::into_inner);
        waiting.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(partition: i32) -> Job {
        Job { partition, epoch: 1, from: None, asked: Instant::now() }
    }

    #[test]
    fn who_has_to_wait_goes_behind_the_others() {
        let jobs = Jobs::default();
        jobs.push(job(0));
        jobs.push(job(1));
        let first = jobs.take(Duration::ZERO).unwrap();
        assert_eq!(first.job.partition, 0);
        jobs.put_back(Restore { named: true, ..first });
        assert_eq!(jobs.take(Duration::ZERO).unwrap().job.partition, 1);
        assert!(jobs.take(Duration::ZERO).unwrap().named);
        assert!(jobs.take(Duration::ZERO).is_none());
    }
}
