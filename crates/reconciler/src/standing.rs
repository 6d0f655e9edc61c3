//! What one project may still spend today, and how many deletions may still be inferred in this hour, on this replica.
//!
//! Owns the split of the daily quota and of the hourly cap over all partitions, and what of it is recorded when. Must
//! not know how the records become durable. Pure.
//!
//! Path: [`Standings::hold`] takes a partition with what the ledger holds of it; [`Standings::take`] charges a request to
//! any partition held here that has room; [`Standings::to_write`] says what to record, [`Standings::written`] that it is
//! durable.
//!
//! Why the quota holds whatever moves or dies: each partition has a fixed share, and the shares add up to the quota.
//! What is recorded as spent runs ahead, and only what is already recorded may be spent. So the owners of a partition
//! spend disjoint pieces of its share, one after the other; what a killed one had reserved and not used is lost until
//! midnight.
//!
//! Deletions need no such lead: their count rides in the same transaction as the deletions themselves.

use crate::budget::ProjectBudget;
use models::{Standing, Time};
use std::collections::BTreeMap;
use std::time::Duration;

const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;

/// A partition's record is renewed at most once in this time (a new day, a first run and deletions excepted).
const PERIOD: Duration = Duration::from_secs(10);
/// A record runs ahead by what can be spent in so many periods; it is renewed when half of that is gone.
const AHEAD: f64 = 2.0;

/// Why nothing may be spent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// There is room, but no record of it is durable yet: see [`Standings::next_write`].
    Unwritten,
    /// The shares held here are spent until then.
    Spent(Time),
}

#[derive(Clone, Copy, Debug)]
struct Held {
    /// What was really spent, as far as this replica knows.
    standing: Standing,
    /// What the ledger holds.
    durable: Option<Standing>,
    /// When this replica last recorded it.
    written_at: Option<Time>,
}

/// See the module. For one project on one replica.
#[derive(Clone, Debug)]
pub struct Standings {
    budget: ProjectBudget,
    /// How many partitions there are in all.
    of: i32,
    held: BTreeMap<i32, Held>,
}

impl Standings {
    /// Nothing held.
    pub const fn new(budget: ProjectBudget) -> Standings {
        Standings { budget, of: 1, held: BTreeMap::new() }
    }

    /// Takes a partition with what the ledger holds of it; `None` = it has never run with this project.
    pub fn hold(&mut self, partition: i32, of: i32, durable: Option<Standing>, now: Time) {
        self.of = of.max(1);
        let first = Standing { first_run: now, day: day_of(now), ..Standing::default() };
        let standing = durable.unwrap_or(first);
        self.held.insert(partition, Held { standing, durable, written_at: None });
    }

    /// Gives a partition up. What was not recorded is forgotten.
    pub fn release(&mut self, partition: i32) {
        self.held.remove(&partition);
    }

    /// Gives all partitions up.
    pub fn release_all(&mut self) {
        self.held.clear();
    }

    /// When a partition that is held here first ran with this project.
    pub fn first_run(&self, partition: i32) -> Option<Time> {
        self.held.get(&partition).map(|held| held.standing.first_run)
    }

    /// The part of the whole that is held here, 0 to 1.
    pub fn part(&self) -> f64 {
        self.held.len() as f64 / f64::from(self.of)
    }

    /// Whether so many requests may be charged now.
    pub fn check(&self, now: Time, cost: u32) -> Result<(), Refused> {
        let rooms = self.held.iter().map(|(partition, held)| held.room(self.share(*partition), now));
        if rooms.fold(0, u64::saturating_add) >= u64::from(cost) {
            Ok(())
        } else if self.remaining(now) >= u64::from(cost) {
            Err(Refused::Unwritten)
        } else {
            let days = self.held.values().map(|held| rolled(held.standing, now).day);
            let day = days.min().unwrap_or_else(|| day_of(now));
            Err(Refused::Spent(midnight_after(day)))
        }
    }

    /// Charges so many requests, each to the partition with the most room, or none of them.
    pub fn take(&mut self, now: Time, cost: u32) -> Result<(), Refused> {
        self.check(now, cost)?;
        for held in self.held.values_mut() {
            held.standing = rolled(held.standing, now);
        }
        for _ in 0..cost {
            let rooms = self.held.iter().map(|(partition, held)| (held.room(self.share(*partition), now), *partition));
            if let Some((_, most)) = rooms.max()
                && let Some(held) = self.held.get_mut(&most)
            {
                held.standing.spent += 1;
            }
        }
        Ok(())
    }

    /// What may still be spent here today.
    pub fn remaining(&self, now: Time) -> u64 {
        let left = |(partition, held): (&i32, &Held)| held.left(self.share(*partition), now);
        self.held.iter().map(left).fold(0, u64::saturating_add)
    }

    /// What was charged here today, as far as is known: what another replica had reserved counts.
    pub fn spent(&self, now: Time) -> u64 {
        self.held.values().map(|held| rolled(held.standing, now).spent).fold(0, u64::saturating_add)
    }

    /// Deletions that were inferred here in this hour of the clock.
    pub fn deletions(&self, now: Time) -> u32 {
        self.held.values().map(|held| in_hour(held.standing, now).deletions).fold(0, u32::saturating_add)
    }

    /// Charges one inferred deletion, or says when there is room again. `own` is the deleted submission's partition:
    /// it is charged first, so that the count goes where the deletion goes.
    ///
    /// In one hour of the clock at most `deletions_per_hour` are decided on all replicas together, and so at most twice
    /// as many in any sixty minutes, as long as each is committed together with what [`Standings::to_write`] says then.
    /// Not counted are those whose commit was aborted, and which another partition than their own was charged with, if
    /// that one moved away before the commit was repeated.
    pub fn take_deletion(&mut self, own: i32, now: Time) -> Result<(), Time> {
        for held in self.held.values_mut() {
            held.standing = in_hour(held.standing, now);
        }
        let room = |(partition, held): (&i32, &Held)| {
            let cap = self.split(u64::from(self.budget.deletions_per_hour), *partition);
            let room = cap.saturating_sub(u64::from(held.standing.deletions));
            (room > 0).then_some((*partition == own, room, *partition))
        };
        let charged = self.held.iter().filter_map(room).max();
        if let Some((_, _, partition)) = charged
            && let Some(held) = self.held.get_mut(&partition)
        {
            held.standing.deletions += 1;
            return Ok(());
        }
        let hours = self.held.values().map(|held| held.standing.hour);
        Err(hours.min().unwrap_or_else(|| hour_of(now)) + Duration::from_millis(HOUR as u64))
    }

    /// What is to be recorded now.
    pub fn to_write(&mut self, now: Time) -> Vec<(i32, Standing)> {
        let ahead = self.ahead(now);
        let mut due = Vec::new();
        for partition in self.held.keys().copied().collect::<Vec<_>>() {
            let share = self.share(partition);
            let Some(held) = self.held.get_mut(&partition) else {
                continue;
            };
            held.standing = rolled(held.standing, now);
            if held.counts_deletions() || held.write_at(share, ahead, now) <= now {
                due.push((partition, held.record(share, ahead)));
            }
        }
        due
    }

    /// When [`Standings::to_write`] has something that should not wait for another commit. Deletions ride with the
    /// decision that they belong to.
    pub fn next_write(&self, now: Time) -> Option<Time> {
        let ahead = self.ahead(now);
        self.held.iter().map(|(partition, held)| held.write_at(self.share(*partition), ahead, now)).min()
    }

    /// A record is durable.
    pub fn written(&mut self, partition: i32, standing: &Standing, now: Time) {
        if let Some(held) = self.held.get_mut(&partition) {
            held.durable = Some(*standing);
            held.written_at = Some(now);
        }
    }

    /// The part of a total that belongs to one partition. All parts add up to the total.
    fn split(&self, total: u64, partition: i32) -> u64 {
        let of = u64::from(self.of.unsigned_abs());
        total / of + u64::from(u64::from(partition.unsigned_abs()) < total % of)
    }

    fn share(&self, partition: i32) -> u64 {
        self.split(self.budget.per_day, partition)
    }

    /// By how much a record runs ahead: this replica's rate, over the partitions that still have room.
    fn ahead(&self, now: Time) -> u64 {
        let open = self.held.iter().filter(|(partition, held)| held.left(self.share(**partition), now) > 0).count();
        let rate = self.budget.per_second * self.part() / open.max(1) as f64;
        (rate * PERIOD.as_secs_f64() * AHEAD).ceil() as u64 + u64::from(self.budget.cost)
    }
}

impl Held {
    /// What the share still has today.
    fn left(&self, share: u64, now: Time) -> u64 {
        share.saturating_sub(rolled(self.standing, now).spent)
    }

    /// What of it is recorded already, and so may be spent.
    fn room(&self, share: u64, now: Time) -> u64 {
        let standing = rolled(self.standing, now);
        match self.durable {
            Some(durable) if durable.day == standing.day => durable.spent.min(share).saturating_sub(standing.spent),
            _ => 0,
        }
    }

    /// What to record.
    fn record(&self, share: u64, ahead: u64) -> Standing {
        let recorded =
            self.durable.filter(|durable| durable.day == self.standing.day).map_or(0, |durable| durable.spent);
        let spent = self.standing.spent.saturating_add(ahead).min(share).max(self.standing.spent).max(recorded);
        Standing { spent, ..self.standing }
    }

    /// When to record it: now, later, or at the next midnight.
    fn write_at(&self, share: u64, ahead: u64, now: Time) -> Time {
        let standing = rolled(self.standing, now);
        let Some(durable) = self.durable.filter(|durable| durable.day == standing.day) else {
            return now;
        };
        let low = self.room(share, now).saturating_mul(2) <= ahead && durable.spent < share;
        match self.written_at {
            _ if !low => midnight_after(standing.day),
            // A clock that was set back must not hold the record up.
            Some(written_at) if written_at <= now => (written_at + PERIOD).max(now),
            _ => now,
        }
    }

    /// Whether there are deletions that the ledger does not count yet.
    fn counts_deletions(&self) -> bool {
        let count = |standing: &Standing| (standing.hour, standing.deletions);
        self.standing.deletions > 0 && self.durable.as_ref().map(count) != Some(count(&self.standing))
    }
}

fn day_of(now: Time) -> i64 {
    now.as_millis().div_euclid(DAY)
}

fn midnight_after(day: i64) -> Time {
    Time::from_millis((day.saturating_add(1)).saturating_mul(DAY))
}

fn hour_of(now: Time) -> Time {
    Time::from_millis(now.as_millis().div_euclid(HOUR) * HOUR)
}

/// A new day begins at zero. A clock set back over midnight starts no day anew: the later day goes on. Only a day that no
/// honest clock can have shown yet becomes today, with what is charged to it.
fn rolled(mut standing: Standing, now: Time) -> Standing {
    let today = day_of(now);
    if standing.day < today {
        standing.spent = 0;
    }
    if standing.day < today || standing.day > today + 1 {
        standing.day = today;
    }
    standing
}

/// The same for the hour of the deletions.
fn in_hour(mut standing: Standing, now: Time) -> Standing {
    let hour = hour_of(now);
    if standing.hour < hour {
        standing.deletions = 0;
    }
    if standing.hour < hour || standing.hour > hour + Duration::from_millis(HOUR as u64) {
        standing.hour = hour;
    }
    standing
}

#[cfg(test)]
mod tests;
