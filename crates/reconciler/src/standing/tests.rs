//! The quota and the cap hold, whatever moves, dies or is set back.

use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;

const MINUTE: i64 = 60_000;

fn at(millis: i64) -> Time {
    Time::from_millis(millis)
}

fn budget(per_second: f64, per_day: u64, deletions_per_hour: u32) -> ProjectBudget {
    ProjectBudget { per_second, per_day, deletions_per_hour, cost: 1 }
}

/// Everything due becomes durable.
fn commit(standings: &mut Standings, now: Time) -> Vec<(i32, Standing)> {
    let due = standings.to_write(now);
    for (partition, standing) in &due {
        standings.written(*partition, standing, now);
    }
    due
}

#[test]
fn nothing_is_spent_before_it_is_recorded_and_all_of_it_is_afterwards() {
    let mut standings = Standings::new(budget(1_000.0, 10, 5));
    for partition in 0..3 {
        standings.hold(partition, 3, None, at(7));
    }
    assert_eq!(standings.take(at(7), 1), Err(Refused::Unwritten));
    let records = commit(&mut standings, at(7));
    assert_eq!(records.iter().map(|(_, standing)| standing.spent).collect::<Vec<_>>(), [4, 3, 3]);
    assert_eq!(standings.remaining(at(7)), 10);
    assert_eq!(standings.take(at(8), 3), Ok(()));
    for _ in 0..7 {
        assert_eq!(standings.take(at(8), 1), Ok(()));
    }
    assert_eq!(standings.take(at(8), 1), Err(Refused::Spent(at(DAY))));
    assert_eq!(standings.next_write(at(DAY)), Some(at(DAY)), "a new day is recorded at once");
    commit(&mut standings, at(DAY));
    assert_eq!(standings.take(at(DAY), 3), Ok(()));
    assert_eq!(standings.first_run(1), Some(at(7)));
}

#[test]
fn a_steady_rate_is_never_held_up_and_writes_once_in_ten_seconds_at_most() {
    let mut standings = Standings::new(budget(50.0, 10_000_000, 5));
    for partition in 0..4 {
        standings.hold(partition, 12, None, at(0));
    }
    commit(&mut standings, at(0));
    let mut writes: BTreeMap<i32, Vec<i64>> = BTreeMap::new();
    for step in 0..20_000 {
        let now = step * 60; // 50 a second, a third of the partitions: one in 60 ms
        assert_eq!(standings.take(at(now), 1), Ok(()), "at {now}");
        // The ledger takes its time.
        if now % 3_000 == 0 {
            for (partition, _) in commit(&mut standings, at(now)) {
                writes.entry(partition).or_default().push(now);
            }
        }
    }
    assert_eq!(writes.len(), 4);
    for times in writes.values() {
        assert!(times.windows(2).all(|pair| pair[1] - pair[0] >= 10_000), "{times:?}");
        assert!(times.len() >= 80, "{}", times.len());
    }
}

#[test]
fn who_asks_nothing_writes_nothing_more() {
    let mut standings = Standings::new(budget(5.0, 1_000, 5));
    standings.hold(0, 1, None, at(0));
    assert_eq!(commit(&mut standings, at(0)).len(), 1);
    assert_eq!(standings.next_write(at(1)), Some(at(DAY)));
    assert_eq!(commit(&mut standings, at(HOUR)).len(), 0);
}

#[test]
fn who_asks_all_at_once_waits_for_the_next_record() {
    let mut standings = Standings::new(budget(1.0, 1_000, 5));
    standings.hold(0, 1, None, at(0));
    commit(&mut standings, at(0));
    // Twenty seconds' worth, and one look.
    assert_eq!(standings.take(at(0), 21), Ok(()));
    assert_eq!(standings.take(at(0), 1), Err(Refused::Unwritten));
    assert_eq!(standings.next_write(at(1)), Some(at(10_000)));
    assert_eq!(commit(&mut standings, at(9_999)).len(), 0);
    assert_eq!(commit(&mut standings, at(10_000)).len(), 1);
    assert_eq!(standings.take(at(10_000), 1), Ok(()));
    standings.take(at(10_000), 20).unwrap();
    assert_eq!(standings.next_write(at(5_000)), Some(at(5_000)), "a clock set back does not hold it up");
}

#[test]
fn a_record_never_takes_back_what_an_earlier_one_allowed() {
    let mut standings = Standings::new(budget(10.0, 2_000, 5));
    let spent = Standing { day: 0, spent: 1_000, ..Standing::default() };
    standings.hold(0, 2, None, at(0));
    standings.hold(1, 2, Some(spent), at(0));
    // One of two has room, and so all of the rate.
    assert_eq!(commit(&mut standings, at(0))[0].1.spent, 201);
    standings.release(1);
    standings.take_deletion(0, at(1)).unwrap();
    // While this is being committed, requests go on: a smaller number would be wrong by then.
    assert_eq!(standings.to_write(at(1))[0].1.spent, 201);
}

#[test]
fn a_clock_set_back_starts_no_day_and_no_hour_anew() {
    let mut standings = Standings::new(budget(1_000.0, 2, 1));
    standings.hold(0, 1, None, at(DAY + 10));
    commit(&mut standings, at(DAY + 10));
    assert_eq!(standings.take(at(DAY + 10), 2), Ok(()));
    assert_eq!(standings.take_deletion(0, at(DAY + 10)), Ok(()));
    let back = at(DAY - 10);
    assert_eq!(standings.take(back, 1), Err(Refused::Spent(at(2 * DAY))));
    assert_eq!(standings.take_deletion(0, back), Err(at(DAY + HOUR)));
    assert_eq!(standings.take(at(DAY + 20), 1), Err(Refused::Spent(at(2 * DAY))), "nor when it is right again");
    assert_eq!(standings.take_deletion(0, at(DAY + 20)), Err(at(DAY + HOUR)));
}

#[test]
fn a_clock_that_ran_a_year_ahead_locks_nothing_for_a_year() {
    let mut standings = Standings::new(budget(1_000.0, 10, 1));
    let mad = at(365 * DAY);
    standings.hold(0, 1, None, mad);
    commit(&mut standings, mad);
    standings.take(mad, 4).unwrap();
    standings.take_deletion(0, mad).unwrap();
    assert_eq!(standings.remaining(at(DAY)), 6, "what was spent stays spent");
    assert_eq!(standings.take_deletion(0, at(DAY)), Err(at(DAY + HOUR)));
    assert_eq!(commit(&mut standings, at(DAY)).len(), 1, "and the ledger is told");
    assert_eq!(standings.remaining(at(2 * DAY)), 10);
    assert_eq!(standings.take_deletion(0, at(DAY + HOUR)), Ok(()));
}

#[test]
fn a_cap_below_the_number_of_partitions_still_lets_deletions_through() {
    let mut standings = Standings::new(budget(1.0, 100, 2));
    for partition in 0..12 {
        standings.hold(partition, 12, None, at(0));
    }
    assert_eq!(standings.take_deletion(11, at(1)), Ok(()));
    assert_eq!(standings.take_deletion(11, at(1)), Ok(()));
    assert_eq!(standings.take_deletion(11, at(1)), Err(at(HOUR)));
    assert_eq!(standings.to_write(at(2)).len(), 12);
    commit(&mut standings, at(2));
    assert_eq!(standings.take_deletion(3, at(HOUR)), Ok(()));
    assert_eq!(commit(&mut standings, at(HOUR)).len(), 1, "a deletion is recorded at once");
}

#[derive(Clone, Debug)]
enum Step {
    Pass(i64),
    Take { replica: usize, cost: u32, times: u8 },
    Delete { replica: usize, own: usize },
    Commit { replica: usize, ends: bool },
    Move { partition: usize, to: usize },
    Crash { replica: usize },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let replica = 0..3_usize;
    let step = prop_oneof![
        2 => (0..3_000_i64).prop_map(Step::Pass),
        1 => (0..11 * 60 * MINUTE).prop_map(Step::Pass),
        6 => (replica.clone(), 1..4_u32, 1..20_u8).prop_map(|(replica, cost, times)| Step::Take { replica, cost, times }),
        4 => (replica.clone(), 0..6_usize).prop_map(|(replica, own)| Step::Delete { replica, own }),
        6 => (replica.clone(), prop::bool::weighted(0.8)).prop_map(|(replica, ends)| Step::Commit { replica, ends }),
        2 => (0..6_usize, replica.clone()).prop_map(|(partition, to)| Step::Move { partition, to }),
        1 => replica.prop_map(|replica| Step::Crash { replica }),
    ];
    prop::collection::vec(step, 1..250)
}

/// Three replicas, a ledger, and what ARGOS counts.
struct World {
    budget: ProjectBudget,
    now: i64,
    ledger: Vec<Option<Standing>>,
    owner: Vec<usize>,
    replicas: Vec<Standings>,
    /// Deletions decided and not yet committed.
    staged: [u64; 3],
    spent: BTreeMap<i64, u64>,
    deleted: BTreeMap<i64, u64>,
}

impl World {
    fn new(partitions: usize, budget: ProjectBudget) -> World {
        let mut world = World {
            budget,
            now: 20_000 * DAY,
            ledger: vec![None; partitions],
            owner: vec![0; partitions],
            replicas: vec![Standings::new(budget); 3],
            staged: [0; 3],
            spent: BTreeMap::new(),
            deleted: BTreeMap::new(),
        };
        (0..partitions).for_each(|partition| world.hand(partition, partition % 3));
        world
    }

    fn hand(&mut self, partition: usize, to: usize) {
        self.replicas[self.owner[partition]].release(partition as i32);
        self.owner[partition] = to;
        let (of, durable) = (self.owner.len() as i32, self.ledger[partition]);
        self.replicas[to].hold(partition as i32, of, durable, at(self.now));
    }

    fn step(&mut self, step: &Step) {
        let now = at(self.now);
        match *step {
            Step::Pass(millis) => self.now += millis,
            Step::Take { replica, cost, times } => {
                for _ in 0..times {
                    if self.replicas[replica].take(now, cost).is_ok() {
                        *self.spent.entry(day_of(now)).or_default() += u64::from(cost);
                    }
                }
            }
            Step::Delete { replica, own } => {
                self.staged[replica] += u64::from(self.replicas[replica].take_deletion(own as i32, now).is_ok());
            }
            Step::Commit { replica, ends } => {
                let records = self.replicas[replica].to_write(now);
                if !ends {
                    return; // aborted: the same is tried again later
                }
                for (partition, standing) in records {
                    self.ledger[partition as usize] = Some(standing);
                    self.replicas[replica].written(partition, &standing, now);
                }
                *self.deleted.entry(self.now.div_euclid(HOUR)).or_default() +=
                    std::mem::take(&mut self.staged[replica]);
            }
            Step::Move { partition, to } => {
                let partition = partition % self.owner.len();
                self.staged[self.owner[partition]] = 0;
                self.hand(partition, to);
            }
            Step::Crash { replica } => {
                self.staged[replica] = 0;
                self.replicas[replica] = Standings::new(self.budget);
                for partition in 0..self.owner.len() {
                    if self.owner[partition] == replica {
                        self.hand(partition, (replica + 1) % 3);
                    }
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn no_day_exceeds_the_quota_and_no_hour_the_cap(
        partitions in 1..6_usize, per_day in 0..200_u64, cap in 0..8_u32, steps in steps(),
    ) {
        let budget = ProjectBudget { per_second: 2.0, per_day, deletions_per_hour: cap, cost: 3 };
        let mut world = World::new(partitions, budget);
        for step in &steps {
            world.step(step);
            // Deletions that an hour's end separates from their commit are counted in the hour of the decision; the
            // world counts them when they commit, so it compares only what was decided and committed in one hour.
            if let Step::Pass(_) = step {
                (0..3).for_each(|replica| world.step(&Step::Commit { replica, ends: false }));
                world.staged = [0; 3];
            }
        }
        for (day, spent) in &world.spent {
            prop_assert!(*spent <= per_day, "{spent} of {per_day} on day {day}");
        }
        for (hour, deleted) in &world.deleted {
            prop_assert!(*deleted <= u64::from(cap), "{deleted} of {cap} in hour {hour}");
        }
    }

    #[test]
    fn all_of_the_quota_can_be_spent_if_nothing_moves(partitions in 1..6_usize, per_day in 0..200_u64) {
        let mut world = World::new(partitions, budget(50.0, per_day, 0));
        for _ in 0..200 {
            for replica in 0..3 {
                world.step(&Step::Commit { replica, ends: true });
                world.step(&Step::Take { replica, cost: 1, times: 20 });
            }
            world.step(&Step::Pass(1_000));
        }
        prop_assert_eq!(world.spent.values().sum::<u64>(), per_day);
    }
}
