//! One replica as the simulation sees it: its clock, whether it hears anything, and when it dies.

use crate::bug::Bug;
use crate::oracle::Oracle;
use crate::plan::Plan;
use crate::trace::Trace;
use models::Time;
use reconciler::clock::{Clock, RuntimeClock};
use reconciler::memory::MemoryBroker;
use std::fmt::Arguments;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll};
use tokio::sync::Notify;

/// What everybody in one simulation shares.
pub(crate) struct Shared {
    pub(crate) plan: Plan,
    pub(crate) bug: Option<Bug>,
    pub(crate) broker: MemoryBroker,
    clock: RuntimeClock,
    trace: Mutex<Trace>,
    oracle: Mutex<Oracle>,
    /// Chance of the world and of Kafka.
    rng: Mutex<fastrand::Rng>,
    serial: AtomicU64,
}

impl Shared {
    pub(crate) fn new(plan: Plan, bug: Option<Bug>, keeps: bool) -> Shared {
        Shared {
            broker: MemoryBroker::new(plan.partitions),
            clock: RuntimeClock::starting_at(plan.start),
            trace: Mutex::new(Trace::new(keeps)),
            oracle: Mutex::new(Oracle::new(plan.clone())),
            rng: Mutex::new(fastrand::Rng::with_seed(plan.seed)),
            serial: AtomicU64::new(0),
            bug,
            plan,
        }
    }

    /// True milliseconds since the start.
    pub(crate) fn at(&self) -> i64 {
        self.clock.now().as_millis() - self.plan.start.as_millis()
    }

    pub(crate) fn is_calm(&self) -> bool {
        self.plan.is_calm(self.at())
    }

    pub(crate) fn has(&self, bug: Bug) -> bool {
        self.bug == Some(bug)
    }

    pub(crate) fn oracle(&self) -> MutexGuard<'_, Oracle> {
        self.oracle.lock().unwrap()
    }

    pub(crate) fn trace(&self) -> MutexGuard<'_, Trace> {
        self.trace.lock().unwrap()
    }

    pub(crate) fn note(&self, what: Arguments<'_>) {
        self.trace().line(self.at(), what);
    }

    pub(crate) fn rng(&self) -> MutexGuard<'_, fastrand::Rng> {
        self.rng.lock().unwrap()
    }

    /// In a storm, whether something of this many in a thousand happens.
    pub(crate) fn strikes(&self, in_thousand: u64) -> bool {
        !self.is_calm() && self.rng().u64(0..1_000) < in_thousand
    }

    pub(crate) fn serial(&self) -> u64 {
        self.serial.fetch_add(1, Ordering::Relaxed)
    }
}

/// See the module.
pub(crate) struct Member {
    pub(crate) number: usize,
    pub(crate) shared: Arc<Shared>,
    /// By how much its clock is wrong, milliseconds.
    skew: AtomicI64,
    /// Until when it hears nothing.
    deaf_until: AtomicI64,
    hears: Notify,
    polls_left: AtomicU64,
}

impl Member {
    pub(crate) fn new(number: usize, shared: Arc<Shared>) -> Member {
        Member {
            number,
            shared,
            skew: AtomicI64::new(0),
            deaf_until: AtomicI64::new(0),
            hears: Notify::new(),
            polls_left: AtomicU64::new(u64::MAX),
        }
    }

    pub(crate) fn jump(&self, by: i64) {
        self.skew.fetch_add(by, Ordering::Relaxed);
    }

    pub(crate) fn deafen(&self, until: i64) {
        self.deaf_until.fetch_max(until, Ordering::Relaxed);
    }

    pub(crate) fn deaf_until(&self) -> i64 {
        self.deaf_until.load(Ordering::Relaxed)
    }

    pub(crate) async fn hears(&self) {
        self.hears.notified().await;
    }

    /// It dies at its so-manieth poll from now on.
    pub(crate) fn doom(&self, polls: u64) {
        self.polls_left.store(polls, Ordering::Relaxed);
    }

    /// All is well with it.
    pub(crate) fn heal(&self) {
        self.skew.store(0, Ordering::Relaxed);
        self.deaf_until.store(0, Ordering::Relaxed);
        self.polls_left.store(u64::MAX, Ordering::Relaxed);
        self.hears.notify_waiters();
    }
}

impl Clock for Member {
    fn now(&self) -> Time {
        Time::from_millis(self.shared.clock.now().as_millis() + self.skew.load(Ordering::Relaxed))
    }
}

/// A replica that can die between any two polls: at any await point, with all that it holds.
pub(crate) struct Mortal<F> {
    life: Option<Pin<Box<F>>>,
    member: Arc<Member>,
}

impl<F> Mortal<F> {
    pub(crate) fn new(life: F, member: Arc<Member>) -> Mortal<F> {
        Mortal { life: Some(Box::pin(life)), member }
    }
}

impl<F: Future> Future for Mortal<F> {
    /// `None`: it died.
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let left = self.member.polls_left.load(Ordering::Relaxed);
        if left == 0 {
            self.member.shared.note(format_args!("m{} dies", self.member.number));
            self.life = None;
        } else if left != u64::MAX {
            self.member.polls_left.store(left - 1, Ordering::Relaxed);
        }
        match self.life.as_mut() {
            Some(life) => life.as_mut().poll(context).map(Some),
            None => Poll::Ready(None),
        }
    }
}
