//! When entries are due, in four bytes each as long as that is far.
//!
//! Owns: marks of entries by the time when they are due: sorted in the hours that have begun, in no order in later ones.
//! A mark is a reminder: the entry says when it is due. So none has to be removed: a reminder that the entry does not
//! confirm was for another due time, and the right one is here too. Those of a later hour are forgotten once they are
//! many. Must not know: entries.

use super::store::Mark;
use models::Time;
use std::collections::{BTreeMap, BTreeSet};

const HOUR: i64 = 3_600_000;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Timers {
    /// Those of hours before this one are sorted.
    next_hour: i64,
    sorted: BTreeSet<(Time, Mark)>,
    later: BTreeMap<i64, Vec<Mark>>,
}

fn hour_of(time: Time) -> i64 {
    time.as_millis().div_euclid(HOUR)
}

impl Timers {
    pub(super) fn clear(&mut self) {
        *self = Timers::default();
    }

    /// Adds a reminder for entries that have none.
    pub(super) fn insert(&mut self, due: Time, mark: Mark) {
        let hour = hour_of(due);
        if hour < self.next_hour {
            self.sorted.insert((due, mark));
        } else {
            self.later.entry(hour).or_default().push(mark);
        }
    }

    /// Adds a reminder for entries that may have others. `due_of` tells when the entries of a mark are due.
    pub(super) fn renew<I: Iterator<Item = Time>>(&mut self, due: Time, mark: Mark, due_of: impl FnMut(Mark) -> I) {
        let hour = hour_of(due);
        if let Some(marks) = self.later.get_mut(&hour)
            && marks.len() == marks.capacity()
        {
            forget_outdated(marks, hour, due_of);
        }
        self.insert(due, mark);
    }

    /// When there is something to do, at the latest: the first reminder, or an hour that begins.
    pub(super) fn first(&self) -> Option<Time> {
        let sorted = self.sorted.first().map(|(due, _)| *due);
        let later = self.later.keys().next().map(|hour| Time::from_millis(hour.saturating_mul(HOUR)));
        [sorted, later].into_iter().flatten().min()
    }

    /// Sorts the hours that have begun. `due_of` tells when the entries of a mark are due.
    pub(super) fn advance<I: Iterator<Item = Time>>(&mut self, now: Time, mut due_of: impl FnMut(Mark) -> I) {
        self.next_hour = self.next_hour.max(hour_of(now) + 1);
        while let Some(first) = self.later.first_entry().filter(|first| *first.key() < self.next_hour) {
            let hour = *first.key();
            for mark in first.remove() {
                let dues = due_of(mark).filter(|due| hour_of(*due) == hour);
                self.sorted.extend(dues.map(|due| (due, mark)));
            }
        }
    }

    /// The next reminder that has come.
    pub(super) fn pop(&mut self, now: Time) -> Option<Mark> {
        if self.sorted.first()?.0 > now {
            return None;
        }
        self.sorted.pop_first().map(|(_, mark)| mark)
    }

    /// Those that have come, and were not taken.
    pub(super) fn due(&self, now: Time) -> impl Iterator<Item = Mark> {
        self.sorted.iter().take_while(move |(due, _)| *due <= now).map(|(_, mark)| *mark)
    }
}

/// Makes room in an hour that is full. It grows where half of it is still right, so each reminder is looked at twice at
/// most for each that comes.
fn forget_outdated<I: Iterator<Item = Time>>(marks: &mut Vec<Mark>, hour: i64, mut due_of: impl FnMut(Mark) -> I) {
    marks.sort_unstable();
    marks.dedup();
    marks.retain(|mark| due_of(*mark).any(|due| hour_of(due) == hour));
    if marks.len() > marks.capacity() / 2 {
        marks.reserve(marks.capacity());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Against entries that change: whoever is due is woken at the first look after that, and nobody is forgotten.
        #[test]
        fn nobody_is_forgotten(
            steps in prop::collection::vec((0u32..20, 0i64..5 * HOUR, 0i64..HOUR), 1..100)
        ) {
            let (mut timers, mut entries) = (Timers::default(), BTreeMap::new());
            let mut now = Time::from_millis(0);
            for (mark, after, step) in steps {
                let due = Time::from_millis(now.as_millis() + after);
                entries.insert(mark, due);
                timers.renew(due, mark, |mark| entries.get(&mark).copied().into_iter());
                now = Time::from_millis(now.as_millis() + step);
                let first = timers.first();
                timers.advance(now, |mark| entries.get(&mark).copied().into_iter());
                while let Some(mark) = timers.pop(now) {
                    // The reminder is confirmed by its entry, or it is an old one.
                    if entries.get(&mark).is_some_and(|due| *due <= now) {
                        prop_assert!(first.is_some_and(|first| first <= now));
                        entries.remove(&mark);
                    }
                }
                prop_assert!(entries.values().all(|due| *due > now), "{:?} at {}", entries, now);
            }
        }
    }

    #[test]
    fn what_is_put_off_again_and_again_takes_no_more_room() {
        let (mut timers, mut entries) = (Timers::default(), BTreeMap::new());
        for round in 0..10_000_u32 {
            let (mark, due) = (round % 100, Time::from_millis(i64::from(round) % 7 * HOUR));
            entries.insert(mark, due);
            timers.renew(due, mark, |mark| entries.get(&mark).copied().into_iter());
        }
        let kept: usize = timers.later.values().map(Vec::capacity).sum();
        assert!(kept <= 4 * 100 + 4 * 7, "{kept} for 100 entries in 7 hours");
        let mut woken = Vec::new();
        timers.advance(Time::from_millis(7 * HOUR), |mark| entries.get(&mark).copied().into_iter());
        woken.extend(std::iter::from_fn(|| timers.pop(Time::from_millis(7 * HOUR))));
        woken.sort_unstable();
        assert!(woken.into_iter().eq(0..100), "each of them once");
    }
}
