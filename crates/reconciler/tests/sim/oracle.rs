//! What must hold, judged from the world's history, the log of requests and what became durable. Written without the
//! decision: it knows what the topics promise, not how the loop gets there.

mod end;
mod facts;
mod settled;

use crate::plan::Plan;
use crate::run::CONFIRM_AFTER;
use facts::{is_absent, tells};
use models::event::event_id;
use models::{
    AmlStatus, Batch, Claim, Entry, Event, EventKind, GraveReason, Hint, Key, Lane, Memo, MemoKey, Monitoring, Notices,
    Notification, Row, Snapshot, StateChange, Sweep, Time, Write,
};
use std::collections::{BTreeMap, BTreeSet, HashSet};

/// The longest step of a loop, which waits for a commit at most.
const ONE_STEP: i64 = 600;

/// What a request for a submission really met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    /// This version of its history.
    Version(usize),
    /// Nothing: it was never there.
    Nothing,
    /// Nothing, though it is there.
    Flicker,
    /// No answer.
    Failed,
}

#[derive(Debug)]
struct Look {
    asked_at: Time,
    started: i64,
    ended: i64,
    seen: Seen,
}

#[derive(Debug)]
struct Delivered {
    key: Key,
    claim: Option<Claim>,
    notices: Notices,
    /// Somebody vouched for its notices.
    vouched: bool,
    row: Option<Row>,
    erase: bool,
    at: i64,
}

/// What is known of one submission.
#[derive(Debug, Default)]
struct Book {
    sequence: u64,
    version: Option<usize>,
    state: Option<Snapshot>,
    entry: Option<Entry>,
    written: i64,
    erased: bool,
    looks: Vec<Look>,
    hinted: Option<i64>,
    /// When notices that somebody vouched for were taken in.
    screened: Vec<i64>,
    monitored: Vec<i64>,
    triggers: BTreeSet<String>,
    /// When hints of it became durable.
    told: Vec<i64>,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Oracle {
    plan: Plan,
    books: BTreeMap<Key, Book>,
    ids: HashSet<String>,
    events: usize,
    delivered: BTreeMap<(i32, Lane, i64), Delivered>,
    committed: BTreeMap<(i32, Lane), i64>,
    requests: BTreeMap<String, Vec<i64>>,
    spent: BTreeMap<(String, i64), u64>,
    /// What the ledger holds as spent: project and day, then partition.
    recorded: BTreeMap<(String, i64), BTreeMap<i32, u64>>,
    /// Until when a member was told to wait, and when.
    held: BTreeMap<(usize, String), (Time, i64)>,
    in_flight: BTreeMap<usize, BTreeMap<Key, u64>>,
    /// When a member last lost a partition.
    revoked: BTreeMap<usize, i64>,
    failed: BTreeSet<String>,
    pages: BTreeMap<String, (i64, Vec<(Key, Row)>)>,
    walks: BTreeMap<(String, Sweep), i64>,
    /// When hints became durable.
    accepted: Vec<i64>,
    buried: BTreeMap<(String, i64), u32>,
    pub(crate) violations: Vec<String>,
}

impl Oracle {
    pub(crate) fn new(plan: Plan) -> Oracle {
        Oracle {
            plan,
            books: BTreeMap::new(),
            ids: HashSet::new(),
            events: 0,
            delivered: BTreeMap::new(),
            committed: BTreeMap::new(),
            requests: BTreeMap::new(),
            spent: BTreeMap::new(),
            recorded: BTreeMap::new(),
            held: BTreeMap::new(),
            in_flight: BTreeMap::new(),
            revoked: BTreeMap::new(),
            failed: BTreeSet::new(),
            pages: BTreeMap::new(),
            walks: BTreeMap::new(),
            accepted: Vec::new(),
            buried: BTreeMap::new(),
            violations: Vec::new(),
        }
    }

    pub(crate) fn wrong(&mut self, at: i64, what: &str) {
        if self.violations.len() < 5 {
            self.violations.push(format!("at {at} ms: {what}"));
        }
    }

    fn book(&mut self, key: &Key) -> &mut Book {
        self.books.entry(key.clone()).or_default()
    }

    pub(crate) fn events(&self) -> usize {
        self.events
    }

    pub(crate) fn requests(&self) -> usize {
        self.requests.values().map(Vec::len).sum()
    }

    /// A hint is durable.
    pub(crate) fn accepted(&mut self, key: &Key, lane: Lane, hint: &Hint, at: i64) {
        self.accepted.push(at);
        let vouched = hint.authentication != models::Authentication::NONE;
        let book = self.book(key);
        if vouched && hint.notices.aml.is_some() {
            book.screened.push(at);
        }
        if vouched && hint.notices.monitoring.is_some() {
            book.monitored.push(at);
        }
        if lane == Lane::Bulk {
            book.hinted = Some(at);
        }
        book.told.push(at);
        book.triggers.insert(hint.claim.trigger.clone());
    }

    /// A hint is handed to a replica.
    pub(crate) fn delivered(&mut self, place: (i32, Lane, i64), key: &Key, hint: &Hint, at: i64) {
        let claims = hint.claim.status.is_some() || hint.claim.red_flag.is_some() || hint.claim.deleted;
        let delivered = Delivered {
            key: key.clone(),
            claim: claims.then(|| hint.claim.clone()),
            notices: hint.notices,
            vouched: !hint.notices.is_empty() && hint.authentication != models::Authentication::NONE,
            row: hint.row.clone(),
            erase: hint.erase,
            at,
        };
        self.delivered.entry(place).or_insert(delivered);
    }

    /// A request begins.
    pub(crate) fn begins(&mut self, of: (usize, u64), project: &str, key: Option<&Key>, now: Time, at: i64) {
        let (member, id) = of;
        self.requests.entry(project.to_owned()).or_default().push(at);
        let day = now.as_millis().div_euclid(86_400_000);
        let spent = self.spent.entry((project.to_owned(), day)).or_default();
        *spent += 1;
        let spent = *spent;
        let recorded = self.recorded.get(&(project.to_owned(), day)).map_or(0, |shares| shares.values().sum());
        if spent > self.plan.per_day {
            self.wrong(at, &format!("the quota of {project} is exceeded"));
        } else if spent > recorded && !self.plan.jumps {
            self.wrong(at, &format!("request {spent} of {project}, and {recorded} are recorded as spent"));
        }
        let held = self.held.get(&(member, project.to_owned())).copied();
        // The loop takes answers in between two steps, and one step may wait for the commit under way.
        if !self.plan.jumps && held.is_some_and(|(until, told)| now < until && at > told + ONE_STEP) {
            self.wrong(at, &format!("member {member} asks {project} before Retry-After is over"));
        }
        if let Some(key) = key {
            // A look of the assignment before may just have been about to begin: it is void.
            let void = self.revoked.get(&member) == Some(&at);
            if !void && self.in_flight.entry(member).or_default().insert(key.clone(), id).is_some() {
                self.wrong(at, &format!("member {member} looks at {key} twice at a time"));
            }
        }
    }

    /// A look ends.
    pub(crate) fn ends(
        &mut self,
        of: (usize, u64),
        key: &Key,
        asked_at: Time,
        (started, ended): (i64, i64),
        seen: Seen,
    ) {
        let (member, id) = of;
        let flying = self.in_flight.entry(member).or_default();
        if flying.get(key) == Some(&id) {
            flying.remove(key);
        }
        if seen == Seen::Failed {
            self.failed.insert(key.project().to_owned());
        }
        self.book(key).looks.push(Look { asked_at, started, ended, seen });
    }

    pub(crate) fn failed(&mut self, project: &str) {
        self.failed.insert(project.to_owned());
    }

    /// ARGOS told this member to wait.
    pub(crate) fn held(&mut self, member: usize, project: &str, until: Time, at: i64) {
        let held = self.held.entry((member, project.to_owned())).or_insert((until, at));
        if until > held.0 {
            *held = (until, at);
        }
    }

    /// Looks of an assignment that is gone are void: the key may be looked at again.
    pub(crate) fn revoked(&mut self, member: usize, at: i64) {
        self.revoked.insert(member, at);
        self.in_flight.remove(&member);
    }

    /// A page was shown, and what comes after it.
    pub(crate) fn paged(&mut self, serial: &str, rows: Vec<(Key, Row)>, at: i64) {
        self.pages.insert(serial.to_owned(), (at, rows));
    }

    /// A batch became durable.
    pub(crate) fn applied(&mut self, batch: &Batch, at: i64) {
        for write in &batch.writes {
            self.written(write, at);
        }
        for row in &batch.progress {
            self.moved(row.partition, Lane::Live, row.live, at);
            self.moved(row.partition, Lane::Bulk, row.bulk, at);
        }
        for (partition, key, memo) in &batch.memos {
            if let (MemoKey::Standing(project), Memo::Standing(standing)) = (key, memo) {
                self.recorded(*partition, project.as_str(), standing, at);
            }
            if let (MemoKey::Sweep(project, _), Memo::Sweep(memo)) = (key, memo)
                && let Some(walk) = &memo.walk
                && let Some(cursor) = &walk.cursor
            {
                self.walked(project.as_str(), &cursor.created_at, (walk.from, walk.to), at);
            }
        }
        for notice in batch.notifications.iter().chain(batch.writes.iter().flat_map(|write| &write.notifications)) {
            self.told(notice, at);
        }
    }

    /// What is recorded as spent never goes back, and the shares never exceed the whole.
    fn recorded(&mut self, partition: i32, project: &str, standing: &models::Standing, at: i64) {
        let shares = self.recorded.entry((project.to_owned(), standing.day)).or_default();
        let before = shares.insert(partition, standing.spent).unwrap_or(0);
        let all: u64 = shares.values().sum();
        if !self.plan.jumps && standing.spent < before {
            self.wrong(at, &format!("of {project}, {before} were spent on {partition}, and now {}", standing.spent));
        }
        if all > self.plan.per_day {
            self.wrong(at, &format!("the shares of {project} add up to {all}"));
        }
    }

    fn written(&mut self, write: &Write, at: i64) {
        let key = &write.key;
        for event in &write.events {
            self.published(event, at);
        }
        let book = self.book(key);
        book.written = at;
        let gone = write.events.last().is_some_and(|event| event.kind == EventKind::Deleted);
        let erases = write.entry.as_ref().is_some_and(Entry::is_erased);
        let mut wrong = Vec::new();
        match &write.state {
            StateChange::Keep if write.events.is_empty() => {}
            StateChange::Put(snapshot) if !gone => {
                if snapshot.sequence != book.sequence {
                    wrong.push(format!("the snapshot says {}, the last event {}", snapshot.sequence, book.sequence));
                }
                if let Some(last) = write.events.last()
                    && (last.data.kyc.as_ref(), last.data.aml.as_ref())
                        != (Some(&snapshot.facts.kyc), Some(&snapshot.facts.aml))
                {
                    wrong.push("the snapshot is not the last event's".to_owned());
                }
                book.state = Some((**snapshot).clone());
            }
            StateChange::Tombstone if gone || erases => book.state = None,
            other => wrong.push(format!("events {:?} with {other:?}", write.events.len())),
        }
        match &write.entry {
            None if book.sequence > 0 || book.erased => wrong.push("the ledger forgets what was published".to_owned()),
            None => {}
            Some(entry) => {
                if entry.sequence != book.sequence {
                    wrong.push(format!("the entry says {}, the last event {}", entry.sequence, book.sequence));
                }
                let waits = entry.published.is_some() || entry.pending.is_some();
                if waits && entry.check.is_none() {
                    wrong.push("a live entry without a next look".to_owned());
                }
                if book.erased && !entry.is_erased() {
                    wrong.push("an erased submission comes back".to_owned());
                }
                book.erased |= entry.grave.is_some_and(|grave| grave.reason == GraveReason::Erased);
            }
        }
        book.entry.clone_from(&write.entry);
        for what in wrong {
            self.wrong(at, &format!("{key}: {what}"));
        }
    }

    fn published(&mut self, event: &Event, at: i64) {
        self.events += 1;
        let key = &event.key;
        let mut wrong = Vec::new();
        if !self.ids.insert(event.id.clone()) {
            wrong.push("an id is used twice".to_owned());
        }
        let print = u128::from_str_radix(&event.data.provenance.fingerprint, 16).unwrap_or_default();
        if event.id != event_id(key, event.sequence, print) {
            wrong.push("the id does not follow from key, sequence and fingerprint".to_owned());
        }
        let life = self.plan.lives.get(key).cloned().unwrap_or_default();
        let jumps = self.plan.jumps;
        let book = self.book(key);
        if event.sequence != book.sequence + 1 {
            wrong.push(format!("sequence {} after {}", event.sequence, book.sequence));
        }
        book.sequence = event.sequence;
        if event.data.previous.as_ref().is_some_and(|previous| previous.sequence + 1 != event.sequence) {
            wrong.push("`previous` is not the event before".to_owned());
        }
        if book.erased {
            wrong.push("an event after the erasure".to_owned());
        }
        let confirmed_at = event.data.provenance.confirmed_at;
        let shown = |look: &&Look| look.asked_at == confirmed_at && look.ended <= at && tells(&life, look, event);
        match book.looks.iter().find(shown) {
            None => wrong.push(format!("{} was shown by no look", event.kind)),
            Some(look) => {
                if let Seen::Version(index) = look.seen {
                    if Some(index) < book.version && !jumps {
                        wrong.push("an older state after a newer one".to_owned());
                    }
                    book.version = Some(index);
                }
            }
        }
        if let Some(aml) = &event.data.aml {
            if aml.status == AmlStatus::Clear && book.screened.is_empty() {
                wrong.push("a clean screening that nobody vouched for".to_owned());
            }
            if aml.monitoring == Monitoring::Registered && book.monitored.is_empty() {
                wrong.push("a monitoring that nobody vouched for".to_owned());
            }
        }
        let absent = book.looks.iter().any(|look| look.asked_at == confirmed_at && is_absent(&life, look));
        if event.kind == EventKind::Deleted && absent && !jumps {
            let earlier = |look: &Look| is_absent(&life, look) && look.asked_at + CONFIRM_AFTER <= confirmed_at;
            if !book.looks.iter().any(earlier) {
                wrong.push("a deletion after one absence".to_owned());
            }
            let hour = event.recorded_at.as_millis().div_euclid(3_600_000);
            let buried = self.buried.entry((key.project().to_owned(), hour)).or_default();
            *buried += 1;
            if *buried > self.plan.deletions_per_hour {
                wrong.push("more inferred deletions than the cap".to_owned());
            }
        }
        for what in wrong {
            self.wrong(at, &format!("{key}, event {}: {what}", event.sequence));
        }
    }

    fn told(&mut self, notice: &Notification, at: i64) {
        let fine = match notice {
            Notification::GapRepaired { key, cause, sequence, .. } => {
                *cause != models::Cause::Webhook && self.book(key).sequence == *sequence
            }
            Notification::HintUnconfirmed { key, trigger, .. } => self.book(key).triggers.contains(trigger),
            Notification::SweepStarted { project, sweep, .. } => {
                *self.walks.entry((project.to_string(), *sweep)).or_default() += 1;
                true
            }
            Notification::SweepEnded { project, sweep, .. } => {
                let open = self.walks.entry((project.to_string(), *sweep)).or_default();
                *open -= 1;
                *open >= 0
            }
            Notification::BreakerOpened { project, .. } => self.failed.contains(project.as_str()),
            Notification::QuotaSpent { .. } => self.plan.is_short(),
            Notification::DeletionsHeld { .. } => self.plan.deletions_per_hour == 1,
            Notification::BreakerClosed { .. } | Notification::SweepProgress { .. } => true,
        };
        if !fine {
            self.wrong(at, &format!("told without a reason: {notice:?}"));
        }
    }
}
