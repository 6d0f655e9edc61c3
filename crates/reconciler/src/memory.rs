//! A ledger without Kafka: the same contract, in memory. For the loop's own tests, the simulation, and the demo.
//!
//! It keeps what matters of Kafka: hints have offsets, batches are all or nothing, an assignment has an epoch and a
//! batch of an older one is refused, a member that joins or leaves moves partitions. It is gone with the process.

use models::{
    Batch, CommitError, DeadLetter, Entry, Event, Hint, HintSink, Key, Lane, Ledger, LedgerEvent, Memo, MemoKey,
    Notification, Request, SinkError, Snapshot, StateChange,
};
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// What a test lets go wrong with the next commits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing of the batch becomes visible, and the caller is told.
    Abort,
    /// The batch is committed, the caller is told that the outcome is unknown.
    LostAfterCommit,
    /// The batch is not committed, the caller is told that the outcome is unknown.
    LostBeforeCommit,
}

/// A record of a lane.
#[derive(Clone, Debug)]
enum Record {
    Hint(Key, Box<Hint>),
    Request(Request),
}

#[derive(Debug, Default)]
struct Partition {
    live: Vec<Record>,
    bulk: Vec<Record>,
    entries: BTreeMap<Key, Entry>,
    /// Every change of an entry, in order: what a member that comes back reads from where it was.
    log: Vec<(Key, Option<Entry>)>,
    /// Small, and told anew at each assignment.
    memos: BTreeMap<MemoKey, Memo>,
    /// Up to where each member's entries are right.
    kept: BTreeMap<usize, usize>,
    committed: (i64, i64),
    owner: Option<usize>,
    epoch: u64,
    position: (i64, i64),
}

#[derive(Debug, Default)]
struct Inner {
    partitions: Vec<Partition>,
    members: BTreeMap<usize, VecDeque<LedgerEvent>>,
    /// Members that the group has given up and that do not know it yet.
    expelled: BTreeSet<usize>,
    next_member: usize,
    epochs: u64,
    events: Vec<Event>,
    states: BTreeMap<Key, Snapshot>,
    dead_letters: Vec<DeadLetter>,
    notifications: Vec<Notification>,
    faults: VecDeque<Fault>,
    unavailable: bool,
}

/// All topics, shared by their users.
#[derive(Clone, Debug)]
pub struct MemoryBroker {
    inner: Arc<Mutex<Inner>>,
    changed: Arc<Notify>,
}

impl MemoryBroker {
    /// Empty topics with so many partitions.
    pub fn new(partitions: usize) -> MemoryBroker {
        let partitions = std::iter::repeat_with(Partition::default).take(partitions.max(1)).collect();
        MemoryBroker {
            inner: Arc::new(Mutex::new(Inner { partitions, ..Inner::default() })),
            changed: Arc::new(Notify::new()),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // The lock is never held across anything that can panic half-way.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new member of the group; the partitions are divided anew.
    pub fn join(&self) -> MemoryLedger {
        let mut inner = self.lock();
        let member = inner.next_member;
        inner.next_member += 1;
        inner.members.insert(member, VecDeque::new());
        inner.rebalance();
        drop(inner);
        self.changed.notify_waiters();
        MemoryLedger { broker: self.clone(), member }
    }

    fn leave(&self, member: usize) {
        let mut inner = self.lock();
        inner.expelled.remove(&member);
        if inner.members.remove(&member).is_some() {
            inner.rebalance();
        }
        drop(inner);
        self.changed.notify_waiters();
    }

    /// The group gives a member up, as when its session ends: its partitions move, its commits are refused, and it learns
    /// that with the next event that it takes. Says whether it was in good standing.
    pub fn expel(&self, member: usize) -> bool {
        let mut inner = self.lock();
        let expelled = inner.members.contains_key(&member) && inner.expelled.insert(member);
        if expelled {
            inner.rebalance();
        }
        drop(inner);
        self.changed.notify_waiters();
        expelled
    }

    /// A member that was expelled joins again.
    pub fn readmit(&self, member: usize) {
        let mut inner = self.lock();
        if inner.expelled.remove(&member) {
            inner.rebalance();
        }
        drop(inner);
        self.changed.notify_waiters();
    }

    /// The next commits go wrong, one fault each.
    pub fn fail_commits(&self, faults: impl IntoIterator<Item = Fault>) {
        self.lock().faults.extend(faults);
    }

    /// The next commits go well again.
    pub fn spare_commits(&self) {
        self.lock().faults.clear();
    }

    /// Whether hints are refused.
    pub fn set_unavailable(&self, unavailable: bool) {
        self.lock().unavailable = unavailable;
    }

    /// Events committed so far, from `index` on.
    pub fn events_from(&self, index: usize) -> Vec<Event> {
        self.lock().events.get(index..).unwrap_or_default().to_vec()
    }

    /// The state topic, compacted.
    pub fn states(&self) -> BTreeMap<Key, Snapshot> {
        self.lock().states.clone()
    }

    /// The memos of a partition.
    pub fn memos(&self, partition: usize) -> BTreeMap<MemoKey, Memo> {
        self.lock().partitions.get(partition).map(|held| held.memos.clone()).unwrap_or_default()
    }

    /// The ledger's entry of a key.
    pub fn entry(&self, key: &Key) -> Option<Entry> {
        self.lock().partitions.iter().find_map(|partition| partition.entries.get(key).cloned())
    }

    /// All dead letters.
    pub fn dead_letters(&self) -> Vec<DeadLetter> {
        self.lock().dead_letters.clone()
    }

    /// All notifications.
    pub fn notifications(&self) -> Vec<Notification> {
        self.lock().notifications.clone()
    }

    /// Hints taken in that no committed offset covers.
    pub fn unsettled(&self) -> usize {
        let open = |partition: &Partition| {
            partition.live.len() + partition.bulk.len() - (partition.committed.0 + partition.committed.1) as usize
        };
        self.lock().partitions.iter().map(open).sum()
    }

    /// Waits until something changes after this call was first polled.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }

    fn append(&self, key: &Key, lane: Lane, hint: &Hint) -> Result<(), SinkError> {
        let mut inner = self.lock();
        if inner.unavailable {
            return Err(SinkError::Unavailable("switched off".to_owned()));
        }
        let count = inner.partitions.len();
        let partition = &mut inner.partitions[place(key, count)];
        let record = Record::Hint(key.clone(), Box::new(hint.clone()));
        match lane {
            Lane::Live => partition.live.push(record),
            Lane::Bulk => partition.bulk.push(record),
        }
        drop(inner);
        self.changed.notify_waiters();
        Ok(())
    }

    fn ask(&self, request: &Request) -> Result<(), SinkError> {
        let mut inner = self.lock();
        if inner.unavailable {
            return Err(SinkError::Unavailable("switched off".to_owned()));
        }
        inner.partitions[0].bulk.push(Record::Request(request.clone()));
        drop(inner);
        self.changed.notify_waiters();
        Ok(())
    }

    fn commit(&self, member: usize, batch: Batch) -> Result<(), CommitError> {
        let mut inner = self.lock();
        let result = inner.commit(member, batch);
        drop(inner);
        self.changed.notify_waiters();
        result
    }
}

/// FNV-1a: any stable spread will do.
fn place(key: &Key, count: usize) -> usize {
    let hash = key
        .as_str()
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    (hash % count as u64) as usize
}

impl Inner {
    fn rebalance(&mut self) {
        let in_order = |member: &usize| !self.expelled.contains(member);
        let members: Vec<usize> = self.members.keys().copied().filter(in_order).collect();
        for index in 0..self.partitions.len() {
            let owner = (!members.is_empty()).then(|| members[index % members.len()]);
            if self.partitions[index].owner != owner {
                self.revoke(index);
                self.partitions[index].owner = owner;
                self.assign(index);
            }
        }
    }

    fn revoke(&mut self, index: usize) {
        let owner = self.partitions[index].owner.take();
        if let Some(events) = owner.and_then(|member| self.members.get_mut(&member)) {
            // What was told of this assignment and not read yet is void.
            events.push_back(LedgerEvent::Revoked { partition: index as i32 });
        }
    }

    fn assign(&mut self, index: usize) {
        self.epochs += 1;
        let (epoch, of) = (self.epochs, self.partitions.len() as i32);
        let partition = &mut self.partitions[index];
        partition.epoch = epoch;
        partition.position = partition.committed;
        let Some(events) = partition.owner.and_then(|member| self.members.get_mut(&member)) else {
            return;
        };
        let number = index as i32;
        let kept = partition.owner.and_then(|member| partition.kept.get(&member).copied());
        let entries = partition.log[kept.unwrap_or(0)..].to_vec();
        partition.kept.extend(partition.owner.map(|member| (member, partition.log.len())));
        let (live, bulk) = partition.committed;
        events.push_back(LedgerEvent::Assigned { partition: number, epoch, fresh: kept.is_none() });
        events.push_back(LedgerEvent::Entries { partition: number, epoch, entries });
        let memos = partition.memos.iter().map(|(key, memo)| (key.clone(), Some(memo.clone()))).collect();
        events.push_back(LedgerEvent::Memos { partition: number, epoch, memos });
        events.push_back(LedgerEvent::Ready { partition: number, epoch, live, bulk, of });
    }

    fn commit(&mut self, member: usize, batch: Batch) -> Result<(), CommitError> {
        let current = |row: &models::Progress| {
            let partition = self.partitions.get(row.partition as usize);
            partition.is_some_and(|partition| partition.owner == Some(member) && partition.epoch == row.epoch)
        };
        if !batch.progress.iter().all(current) {
            return Err(CommitError::Aborted("stale assignment".to_owned()));
        }
        let fault = self.faults.pop_front();
        if fault == Some(Fault::Abort) {
            return Err(CommitError::Aborted("injected".to_owned()));
        }
        let touched: Vec<usize> = batch.progress.iter().map(|row| row.partition as usize).collect();
        if fault != Some(Fault::LostBeforeCommit) {
            self.apply(batch);
        }
        if fault.is_some() {
            for index in 0..self.partitions.len() {
                if self.partitions[index].owner == Some(member) {
                    self.revoke(index);
                    self.partitions[index].owner = Some(member);
                    self.assign(index);
                }
            }
            return Err(CommitError::Lost("injected".to_owned()));
        }
        for index in touched {
            let partition = &mut self.partitions[index];
            partition.kept.insert(member, partition.log.len());
        }
        Ok(())
    }

    fn apply(&mut self, batch: Batch) {
        for row in batch.progress {
            self.partitions[row.partition as usize].committed = (row.live, row.bulk);
        }
        self.dead_letters.extend(batch.dead_letters);
        self.notifications.extend(batch.notifications);
        for (partition, key, memo) in batch.memos {
            self.partitions[partition as usize].memos.insert(key, memo);
        }
        for write in batch.writes {
            self.events.extend(write.events);
            self.dead_letters.extend(write.dead_letter);
            self.notifications.extend(write.notifications);
            match write.state {
                StateChange::Keep => {}
                StateChange::Put(snapshot) => {
                    self.states.insert(write.key.clone(), *snapshot);
                }
                StateChange::Tombstone => {
                    self.states.remove(&write.key);
                }
            }
            let partition = &mut self.partitions[write.partition as usize];
            partition.log.push((write.key.clone(), write.entry.clone()));
            match write.entry {
                Some(entry) => partition.entries.insert(write.key, entry),
                None => partition.entries.remove(&write.key),
            };
        }
    }

    /// The next event of a member: what was told first, then hints.
    fn next(&mut self, member: usize) -> Option<LedgerEvent> {
        if let Some(event) = self.members.get_mut(&member)?.pop_front() {
            return Some(event);
        }
        let owned = self.partitions.iter_mut().enumerate().filter(|(_, partition)| partition.owner == Some(member));
        for (index, partition) in owned {
            let lanes = [
                (Lane::Live, &partition.live, &mut partition.position.0),
                (Lane::Bulk, &partition.bulk, &mut partition.position.1),
            ];
            for (lane, log, position) in lanes {
                if let Some(record) = log.get(*position as usize) {
                    let (partition, epoch, offset) = (index as i32, partition.epoch, *position);
                    *position += 1;
                    return Some(match record.clone() {
                        Record::Hint(key, hint) => LedgerEvent::Hint { partition, epoch, lane, offset, key, hint },
                        Record::Request(request) => LedgerEvent::Request { partition, epoch, lane, offset, request },
                    });
                }
            }
        }
        None
    }
}

impl HintSink for MemoryBroker {
    fn accept(&self, key: &Key, lane: Lane, hint: &Hint) -> impl Future<Output = Result<(), SinkError>> + Send {
        std::future::ready(self.append(key, lane, hint))
    }

    fn request(&self, request: &Request) -> impl Future<Output = Result<(), SinkError>> + Send {
        std::future::ready(self.ask(request))
    }

    fn is_available(&self) -> bool {
        !self.lock().unavailable
    }
}

/// One member of the group. Dropped without [`Ledger::close`], it is a crash: its partitions move on.
#[derive(Debug)]
pub struct MemoryLedger {
    broker: MemoryBroker,
    member: usize,
}

impl MemoryLedger {
    /// Its number in the group: what [`MemoryBroker::expel`] asks for.
    pub const fn member(&self) -> usize {
        self.member
    }
}

impl Ledger for MemoryLedger {
    async fn next(&mut self) -> Option<LedgerEvent> {
        let broker = self.broker.clone();
        loop {
            // Interest first, then the look: nothing that comes between is missed.
            let changed = broker.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            {
                let mut inner = broker.lock();
                if !inner.members.contains_key(&self.member) {
                    return None;
                }
                if let Some(event) = inner.next(self.member) {
                    return Some(event);
                }
            }
            changed.await;
        }
    }

    fn commit(&self, batch: Batch) -> impl Future<Output = Result<(), CommitError>> + Send + 'static {
        let broker = self.broker.clone();
        let member = self.member;
        async move { broker.commit(member, batch) }
    }

    fn close(&self) {
        self.broker.leave(self.member);
    }
}

impl Drop for MemoryLedger {
    fn drop(&mut self) {
        self.broker.leave(self.member);
    }
}

/// Every key and its events, for checks of sequences.
pub fn by_key(events: &[Event]) -> HashMap<Key, Vec<Event>> {
    let mut keys: HashMap<Key, Vec<Event>> = HashMap::new();
    for event in events {
        keys.entry(event.key.clone()).or_default().push(event.clone());
    }
    keys
}
