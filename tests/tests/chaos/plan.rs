//! Which fault strikes whom, when and for how long: drawn from a seed.
//!
//! Owns the faults, their odds and their durations. Pure: chance is an argument. Every target has a row of its own, so
//! faults of different targets overlap freely, those of one follow each other, and each ends by itself: whatever
//! happens, there is a moment from which on all is well. At most two brokers are away at a time, and never for long.

use fastrand::Rng;
use std::time::Duration;

/// Whom faults strike; the number is a replica's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// A process of the service.
    Replica(usize),
    /// The brokers, together.
    Brokers,
    /// The connections of a replica to the brokers.
    KafkaLink(usize),
    /// The connections of a replica to ARGOS.
    ArgosLink(usize),
    /// The connections of ARGOS's webhooks to the replicas.
    Doors,
    /// ARGOS's answers.
    Argos,
}

/// What happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fault {
    /// SIGKILL, away for a while, started again.
    Kill,
    /// SIGSTOP, then SIGCONT; the long ones outlast session and transaction.
    Freeze,
    /// SIGTERM, started again once it has ended.
    Restart,
    /// SIGTERM, and joins again later.
    Leave,
    /// SIGKILL of a broker, started again later.
    KillBroker,
    /// SIGKILL of two brokers, so that nothing can be written.
    KillTwoBrokers,
    /// SIGSTOP of a broker, then SIGCONT.
    FreezeBroker,
    /// SIGTERM of a broker, started again at once.
    RestartBroker,
    /// Every write of a broker to its disk fails; ended and started again.
    FillDisk,
    /// Connections are reset.
    Cut,
    /// Connections are reset, and new ones at once.
    Refuse,
    /// Requests arrive later.
    HoldRequests,
    /// Answers arrive later.
    HoldAnswers,
    /// Neither arrives.
    BlackHole,
    /// Every piece takes longer.
    Delay,
    /// Few bytes a second.
    Throttle,
    /// ARGOS answers 500, or what cannot be read.
    Errors,
    /// ARGOS answers 429.
    TooMany,
    /// ARGOS does not answer.
    Hang,
    /// ARGOS closes every connection.
    Down,
}

impl Fault {
    /// Its name in the report.
    pub(crate) fn name(self) -> String {
        format!("{self:?}")
    }
}

/// One fault in the row of its target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    /// After the end of the one before.
    pub(crate) after: Duration,
    /// What happens.
    pub(crate) fault: Fault,
    /// For how long.
    pub(crate) lasts: Duration,
    /// The broker or door in question.
    pub(crate) node: usize,
    /// All of them instead.
    pub(crate) all: bool,
    /// Whether what was held back is cut off instead of delivered.
    pub(crate) cut_after: bool,
}

/// Weight, fault, shortest and longest duration in milliseconds.
type Odds = &'static [(u32, Fault, u64, u64)];

/// Session 3 s and transaction 10 s: a replica that stands still for longer is a zombie.
const REPLICA: Odds = &[
    (8, Fault::Kill, 0, 2_500),
    (4, Fault::Kill, 4_000, 11_000),
    (2, Fault::Freeze, 500, 2_500),
    (3, Fault::Freeze, 14_000, 19_000),
    (2, Fault::Restart, 0, 300),
    (1, Fault::Leave, 8_000, 15_000),
];
const BROKERS: Odds = &[
    (6, Fault::KillBroker, 0, 6_000),
    (2, Fault::FreezeBroker, 1_000, 8_000),
    (1, Fault::RestartBroker, 0, 0),
    (1, Fault::KillTwoBrokers, 0, 3_000),
    (1, Fault::FillDisk, 1_000, 5_000),
];
const LINK: Odds = &[
    (4, Fault::Cut, 0, 0),
    (2, Fault::Refuse, 1_000, 6_000),
    (2, Fault::HoldRequests, 1_000, 12_000),
    (3, Fault::HoldAnswers, 1_000, 12_000),
    (2, Fault::BlackHole, 2_000, 14_000),
    (2, Fault::Delay, 3_000, 12_000),
    (1, Fault::Throttle, 3_000, 12_000),
];
const DOORS: Odds = &[(1, Fault::Cut, 0, 0)];
const ARGOS: Odds = &[
    (2, Fault::Errors, 3_000, 10_000),
    (1, Fault::TooMany, 3_000, 8_000),
    (1, Fault::Hang, 3_000, 8_000),
    (1, Fault::Down, 2_000, 8_000),
];

impl Target {
    /// Its faults, and the shortest and longest pause between two of them in milliseconds.
    fn odds(self) -> (Odds, u64, u64) {
        match self {
            Target::Replica(_) => (REPLICA, 1_500, 10_000),
            Target::Brokers => (BROKERS, 6_000, 22_000),
            Target::KafkaLink(_) | Target::ArgosLink(_) => (LINK, 4_000, 20_000),
            Target::Doors => (DOORS, 1_000, 8_000),
            Target::Argos => (ARGOS, 8_000, 30_000),
        }
    }

    /// Its own dice.
    fn salt(self) -> u64 {
        match self {
            Target::Replica(number) => 0x100 + number as u64,
            Target::Brokers => 0x200,
            Target::KafkaLink(number) => 0x300 + number as u64,
            Target::ArgosLink(number) => 0x400 + number as u64,
            Target::Doors => 0x500,
            Target::Argos => 0x600,
        }
    }
}

/// The row of a target in one round.
#[derive(Debug)]
pub(crate) struct Row {
    rng: Rng,
    target: Target,
}

impl Row {
    /// The same seed, round and target give the same row.
    pub(crate) fn new(seed: u64, round: u64, target: Target) -> Row {
        let mix = seed ^ round.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ target.salt().wrapping_mul(0xd1b5_4a32_d192_ed03);
        Row { rng: Rng::with_seed(mix), target }
    }

    /// Whose it is.
    pub(crate) fn target(&self) -> Target {
        self.target
    }

    /// The next fault.
    pub(crate) fn draw(&mut self) -> Step {
        let (odds, least, most) = self.target.odds();
        let rng = &mut self.rng;
        let after = Duration::from_millis(rng.u64(least..=most));
        let weights: u32 = odds.iter().map(|(weight, ..)| weight).sum();
        let mut drawn = rng.u32(..weights);
        let mut chosen = odds[0];
        for row in odds {
            chosen = *row;
            if drawn < row.0 {
                break;
            }
            drawn -= row.0;
        }
        let (_, fault, shortest, longest) = chosen;
        let lasts = Duration::from_millis(rng.u64(shortest..=longest));
        Step { after, fault, lasts, node: rng.usize(..3), all: rng.bool(), cut_after: rng.bool() }
    }
}

#[test]
fn a_seed_gives_the_same_row_and_another_target_another() {
    let row = |seed, target| {
        let mut row = Row::new(seed, 2, target);
        (0..50).map(|_| row.draw()).collect::<Vec<_>>()
    };
    assert_eq!(row(7, Target::Replica(0)), row(7, Target::Replica(0)));
    assert_ne!(row(7, Target::Replica(0)), row(7, Target::Replica(1)));
    assert_ne!(row(7, Target::Replica(0)), row(8, Target::Replica(0)));
}

#[test]
fn every_fault_of_a_target_is_drawn_and_ends_soon() {
    for target in [Target::Replica(0), Target::Brokers, Target::KafkaLink(1), Target::Doors, Target::Argos] {
        let mut row = Row::new(1, 0, target);
        let drawn: Vec<Step> = (0..500).map(|_| row.draw()).collect();
        for (_, fault, ..) in target.odds().0 {
            assert!(drawn.iter().any(|step| step.fault == *fault), "{target:?}: {fault:?}");
        }
        assert!(drawn.iter().all(|step| step.lasts < Duration::from_secs(20)));
    }
}
