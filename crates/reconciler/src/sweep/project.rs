//! The walks of one project: whose turn it is, the one page under way, and the memos that wait for their commit. Pure.

use super::walk::{self, Of, Read, Seen};
use super::{Backlog, PageRun, Stamp, Step, SweepRules};
use models::{Hint, Key, LookError, Memo, MemoKey, Notification, Page, ProjectId, Request, Row, Sweep, SweepMemo};
use models::{Time, Walk, Walked};
use std::collections::VecDeque;
use std::time::Duration;

const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_mins(5);
/// After so many answers in a row that could not be read, a walk is given up: its cursor may be what ARGOS dislikes.
const UNREADABLE_AFTER: u32 = 10;
/// So many steps of a sweep may wait for their commits; then no further page of it is read.
const AHEAD: usize = 64;

#[derive(Debug)]
pub(super) struct Project {
    id: ProjectId,
    rules: SweepRules,
    /// In the order of [`Sweep::ALL`].
    slots: Vec<Slot>,
    /// The one page under way.
    page: Option<Under>,
    pause: Pause,
}

/// One sweep.
#[derive(Debug, Default)]
pub(super) struct Slot {
    /// As committed.
    memo: SweepMemo,
    /// Not yet committed, each built on the one before.
    staged: VecDeque<Staged>,
    /// By the walk that is staged last.
    seen: Seen,
    /// When this walk's last page was begun: whose is longest ago is next.
    turn: u64,
    /// The first full walk waits until then, so that the looks that it caused fit into their share.
    paced_until: Option<Time>,
    /// When progress was last told.
    told_at: Option<Time>,
    /// For answers that cannot be read, which are this walk's trouble alone.
    pause: Pause,
}

#[derive(Debug)]
struct Staged {
    stamp: Stamp,
    memo: SweepMemo,
    met: Vec<u64>,
}

/// When a walk was asked for, and over which period.
type Asked = (Option<Time>, Option<(Time, Time)>);

/// A page under way.
#[derive(Debug)]
struct Under {
    stamp: Stamp,
    sweep: Sweep,
    /// The walk before the page.
    walk: Walk,
    /// When a walk begins with this page: what was asked for by then. What is asked later stays asked.
    answers: Option<Asked>,
    phase: Phase,
}

#[derive(Debug)]
enum Phase {
    /// The answer is awaited.
    Asked,
    /// Its hints are on their way.
    Read(Box<Read>),
}

/// Waits longer with each failure.
#[derive(Debug, Default)]
struct Pause {
    failures: u32,
    until: Option<Time>,
}

impl Pause {
    fn lengthen(&mut self, at_least: Duration, now: Time) {
        let pause = FIRST_PAUSE.saturating_mul(1 << self.failures.min(16)).min(LONGEST_PAUSE);
        self.failures = self.failures.saturating_add(1);
        self.until = Some(now + pause.max(at_least));
    }
}

impl Slot {
    /// As it will be once all that is staged is committed.
    fn latest(&self) -> &SweepMemo {
        self.staged.back().map_or(&self.memo, |staged| &staged.memo)
    }

    pub(super) fn committed_memo(&self) -> &SweepMemo {
        &self.memo
    }

    pub(super) fn is_staged(&self, stamp: Stamp) -> bool {
        self.staged.iter().any(|staged| staged.stamp == stamp)
    }

    fn restore(&mut self, memo: SweepMemo) {
        *self = Slot { memo, turn: self.turn, ..Slot::default() };
    }

    fn stage(&mut self, stamp: Stamp, memo: SweepMemo, met: Vec<u64>) {
        if memo.walk.is_none() {
            self.seen = Seen::default();
        } else {
            self.seen.extend(&met);
        }
        self.staged.push_back(Staged { stamp, memo, met });
    }

    /// Steps from this one on are void: what only they had met counts as new again.
    fn drop_from(&mut self, stamp: Stamp) {
        let kept = self.staged.partition_point(|staged| staged.stamp < stamp);
        for dropped in self.staged.drain(kept..) {
            for mark in &dropped.met {
                self.seen.remove(mark);
            }
        }
    }
}

impl Project {
    pub(super) fn new(id: ProjectId, rules: SweepRules) -> Project {
        let slots = Sweep::ALL.iter().map(|_| Slot::default()).collect();
        Project { id, rules, slots, page: None, pause: Pause::default() }
    }

    pub(super) fn slot(&self, sweep: Sweep) -> &Slot {
        &self.slots[sweep as usize]
    }

    pub(super) fn restore(&mut self, sweep: Sweep, memo: SweepMemo) {
        self.page = None;
        self.slots[sweep as usize].restore(memo);
    }

    pub(super) fn start(&mut self) {
        self.page = None;
        self.pause = Pause::default();
        for slot in &mut self.slots {
            let memo = std::mem::take(&mut slot.memo);
            slot.restore(memo);
        }
    }

    pub(super) fn drop_page(&mut self) {
        self.page = None;
    }

    pub(super) fn last_turn(&self) -> u64 {
        self.slots.iter().map(|slot| slot.turn).max().unwrap_or_default()
    }

    /// When the next page may be read; `None` while one is under way, too much waits for commits, or nothing is due.
    pub(super) fn ready_at(&self) -> Option<Time> {
        Sweep::ALL.iter().filter_map(|sweep| self.slot_ready_at(*sweep)).min()
    }

    pub(super) fn due(&self, sweep: Sweep) -> Option<Time> {
        self.rules.due(sweep, self.slot(sweep).latest(), self.slot(Sweep::Full).latest())
    }

    fn slot_ready_at(&self, sweep: Sweep) -> Option<Time> {
        let slot = self.slot(sweep);
        if self.page.is_some() || slot.staged.len() >= AHEAD {
            return None;
        }
        let due = self.due(sweep)?;
        let waits = [slot.paced_until, slot.pause.until, self.pause.until];
        waits.into_iter().flatten().chain([due]).max()
    }

    pub(super) fn begin(&mut self, stamp: Stamp, now: Time) -> Option<PageRun> {
        let ready = |sweep: &&Sweep| self.slot_ready_at(**sweep).is_some_and(|ready| ready <= now);
        let sweep = *Sweep::ALL.iter().filter(ready).min_by_key(|sweep| self.slot(**sweep).turn)?;
        let memo = self.slot(sweep).latest();
        let (walk, answers) = match &memo.walk {
            Some(walk) => (walk.clone(), None),
            None => (self.rules.begin(sweep, memo, now), Some((memo.asked_at, memo.range))),
        };
        let query = walk::query(&self.id, &walk);
        self.slots[sweep as usize].turn = stamp.serial;
        self.page = Some(Under { stamp, sweep, walk, answers, phase: Phase::Asked });
        Some(PageRun { project: self.id.clone(), sweep, query, stamp })
    }

    pub(super) fn on_page(
        &mut self,
        run: Stamp,
        result: &Result<Page, LookError>,
        now: Time,
        equal: impl Fn(usize, &str, &Row) -> bool,
    ) -> Option<Vec<(Key, Hint)>> {
        let under = self.page.as_mut().filter(|under| under.stamp == run && matches!(under.phase, Phase::Asked))?;
        let slot = &mut self.slots[under.sweep as usize];
        let (read, hints) = match result {
            Ok(page) => {
                self.pause = Pause::default();
                slot.pause = Pause::default();
                let of = Of { project: &self.id, sweep: under.sweep };
                walk::read(of, &under.walk, page, (&slot.seen, self.rules.stalled_after), now, equal)
            }
            Err(LookError::Unreadable(_)) if slot.pause.failures + 1 >= UNREADABLE_AFTER => {
                slot.pause = Pause::default();
                (walk::give_up(&under.walk), Vec::new())
            }
            Err(error) => {
                match error {
                    LookError::Unreadable(_) => slot.pause.lengthen(Duration::ZERO, now),
                    LookError::Throttled { retry_after } => self.pause.lengthen(retry_after.unwrap_or_default(), now),
                    LookError::Retry(_) | LookError::Denied(_) | LookError::UnknownProject => {
                        self.pause.lengthen(Duration::ZERO, now);
                    }
                }
                self.page = None;
                return None;
            }
        };
        under.phase = Phase::Read(Box::new(read));
        Some(hints)
    }

    pub(super) fn not_durable(&mut self, run: Stamp, now: Time) {
        if self.page.take_if(|under| under.stamp == run).is_some() {
            self.pause.lengthen(Duration::ZERO, now);
        }
    }

    pub(super) fn durable(&mut self, run: Stamp, stamp: Stamp, backlog: Backlog, now: Time) -> Option<Step> {
        let under = self.page.take_if(|under| under.stamp == run && matches!(under.phase, Phase::Read(_)))?;
        let Under { sweep, answers, phase: Phase::Read(read), .. } = under else { return None };
        let Read { walk, ended, met, hinted } = *read;
        let slot = &mut self.slots[sweep as usize];
        let mut memo = slot.latest().clone();
        let paced = sweep == Sweep::Full && memo.completed.is_none() && ended.is_none();
        slot.paced_until = paced.then(|| now + self.rules.pace(hinted));
        if answers == Some((memo.asked_at, memo.range)) {
            (memo.asked_at, memo.range) = (None, None);
        }
        if ended == Some(true) {
            memo.completed = Some(walk.started_at);
        }
        if let Some(complete) = ended {
            let (started_at, totals) = (walk.started_at, walk.totals);
            memo.last = Some(Walked { started_at, ended_at: now, complete, totals });
        }
        let tells = answers.is_some() || slot.told_at.is_none_or(|told| now.since(told) >= self.rules.progress_every);
        if tells {
            slot.told_at = Some(now);
        }
        let news = News { begins: answers.is_some(), ended, tells, backlog };
        let notifications = news.tell(&self.id, sweep, &walk, now);
        memo.walk = ended.is_none().then_some(walk);
        slot.stage(stamp, memo.clone(), met);
        Some(self.step(sweep, stamp, memo, notifications))
    }

    pub(super) fn request(&mut self, request: &Request, stamp: Stamp, now: Time) -> Step {
        let sweep = match request {
            Request::FullSweep { .. } => Sweep::Full,
            Request::Backfill { .. } => Sweep::Backfill,
        };
        let mut memo = self.slot(sweep).latest().clone();
        match request {
            Request::FullSweep { at, .. } => self.rules.ask(&mut memo, *at, now),
            Request::Backfill { at, from, to, .. } => self.rules.ask_for(&mut memo, (*from, *to), *at, now),
        }
        self.slots[sweep as usize].stage(stamp, memo.clone(), Vec::new());
        self.step(sweep, stamp, memo, Vec::new())
    }

    fn step(&self, sweep: Sweep, stamp: Stamp, memo: SweepMemo, notifications: Vec<Notification>) -> Step {
        let key = MemoKey::Sweep(self.id.clone(), sweep);
        Step { memo: (key, Memo::Sweep(Box::new(memo))), notifications, stamp }
    }

    pub(super) fn committed(&mut self, sweep: Sweep, stamp: Stamp) {
        let slot = &mut self.slots[sweep as usize];
        if !slot.is_staged(stamp) {
            return;
        }
        while let Some(staged) = slot.staged.pop_front() {
            slot.memo = staged.memo;
            if staged.stamp == stamp {
                break;
            }
        }
    }

    pub(super) fn aborted(&mut self, sweep: Sweep, stamp: Stamp) {
        if !self.slot(sweep).is_staged(stamp) {
            return;
        }
        self.slots[sweep as usize].drop_from(stamp);
        // A page that was begun later may rest on it.
        self.page.take_if(|under| under.sweep == sweep && under.stamp > stamp);
    }
}

/// What one page gives to tell.
struct News {
    begins: bool,
    ended: Option<bool>,
    /// Whether it is time to tell progress again.
    tells: bool,
    backlog: Backlog,
}

impl News {
    fn tell(&self, project: &ProjectId, sweep: Sweep, walk: &Walk, now: Time) -> Vec<Notification> {
        let (started_at, totals) = (walk.started_at, walk.totals);
        let project = || project.clone();
        let started = self.begins.then(|| Notification::SweepStarted { project: project(), sweep, at: started_at });
        let further = match self.ended {
            Some(complete) => {
                Some(Notification::SweepEnded { project: project(), sweep, started_at, complete, totals, at: now })
            }
            None if self.tells && !self.begins => Some(Notification::SweepProgress {
                project: project(),
                sweep,
                totals,
                waiting: self.backlog.waiting,
                backlog_seconds: self.backlog.takes.as_secs(),
                at: now,
            }),
            None => None,
        };
        started.into_iter().chain(further).collect()
    }
}
