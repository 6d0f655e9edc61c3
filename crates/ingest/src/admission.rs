//! How much may be under way at once: requests, and bytes of their bodies.
//!
//! Owns the two bounds, how projects share them, and the gauges of what is taken. Must not know requests, answers or
//! time.
//!
//! Path: `Crowd::enter` gives a `Place` to a request, `Place::hold` adds bytes before they are kept; both say no
//! rather than grow. A place that is dropped gives all of it back.
//!
//! A part of each bound is set aside, in equal parts, one for each project; the rest is for whoever comes first. So a
//! flood for one project takes its own part and the common one, and no more: the others always have theirs.

use prometheus::IntGauge;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The bounds of one listener.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bounds {
    /// Requests under way.
    pub requests: usize,
    /// Bytes of bodies that are kept or announced.
    pub bytes: usize,
    /// The part of both that is set aside for the projects, from 0 (none) to 1 (all of it).
    pub project_share: f64,
}

impl Default for Bounds {
    fn default() -> Bounds {
        Bounds { requests: 2048, bytes: 64 * 1024 * 1024, project_share: 0.5 }
    }
}

/// One bound, and who has how much of it.
#[derive(Debug)]
struct Pool {
    /// Set aside for each project.
    own: usize,
    /// What is left of the part that is for everybody.
    common: usize,
    /// Taken, by project.
    taken: Vec<usize>,
}

impl Pool {
    fn new(bound: usize, share: f64, projects: usize) -> Pool {
        let own = (bound as f64 * share.clamp(0.0, 1.0)) as usize / projects.max(1);
        Pool { own, common: bound - own * projects, taken: vec![0; projects] }
    }

    /// How much of the common part a project has that took so much.
    fn of_common(&self, taken: usize) -> usize {
        taken.saturating_sub(self.own)
    }

    fn take(&mut self, project: usize, amount: usize) -> bool {
        let Some(&before) = self.taken.get(project) else { return false };
        let Some(after) = before.checked_add(amount) else { return false };
        let Some(common) = self.common.checked_sub(self.of_common(after) - self.of_common(before)) else {
            return false;
        };
        self.common = common;
        self.taken[project] = after;
        true
    }

    fn give_back(&mut self, project: usize, amount: usize) {
        let before = self.taken[project];
        let after = before.saturating_sub(amount);
        self.common += self.of_common(before) - self.of_common(after);
        self.taken[project] = after;
    }
}

#[derive(Debug)]
struct Pools {
    requests: Pool,
    bytes: Pool,
    /// For each project, what it has of both.
    gauges: Vec<[IntGauge; 2]>,
}

impl Pools {
    fn show(&self, project: usize) {
        let [requests, bytes] = &self.gauges[project];
        requests.set(self.requests.taken[project] as i64);
        bytes.set(self.bytes.taken[project] as i64);
    }
}

/// All that is under way at a door; clones share it. Projects are known by their number.
#[derive(Clone, Debug)]
pub(crate) struct Crowd(Arc<Mutex<Pools>>);

impl Crowd {
    /// One pair of gauges, requests and bytes, for each project.
    pub(crate) fn new(bounds: Bounds, gauges: Vec<[IntGauge; 2]>) -> Crowd {
        let projects = gauges.len();
        let requests = Pool::new(bounds.requests, bounds.project_share, projects);
        let bytes = Pool::new(bounds.bytes, bounds.project_share, projects);
        Crowd(Arc::new(Mutex::new(Pools { requests, bytes, gauges })))
    }

    /// A place for one more request. `None` = there is none.
    pub(crate) fn enter(&self, project: usize) -> Option<Place> {
        let mut pools = self.pools();
        let free = pools.requests.take(project, 1);
        pools.show(project);
        free.then(|| Place { crowd: self.clone(), project, bytes: 0 })
    }

    /// Between two steps of a holder the sums are whole, so a poisoned lock is as good as any.
    fn pools(&self) -> MutexGuard<'_, Pools> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One request's place.
#[derive(Debug)]
#[must_use]
pub(crate) struct Place {
    crowd: Crowd,
    project: usize,
    bytes: usize,
}

impl Place {
    /// Sees to it that at least so many bytes in all are this request's. `false` = there is no room, and nothing changed.
    pub(crate) fn hold(&mut self, bytes: usize) -> bool {
        let more = bytes.saturating_sub(self.bytes);
        if more == 0 {
            return true;
        }
        let mut pools = self.crowd.pools();
        let fits = pools.bytes.take(self.project, more);
        if fits {
            self.bytes += more;
            pools.show(self.project);
        }
        fits
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut pools = self.crowd.pools();
        pools.requests.give_back(self.project, 1);
        pools.bytes.give_back(self.project, self.bytes);
        pools.show(self.project);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    fn crowd(requests: usize, bytes: usize, project_share: f64, projects: usize) -> Crowd {
        let gauge = || IntGauge::new("taken", "Taken.").unwrap();
        let gauges = (0..projects).map(|_| [gauge(), gauge()]).collect();
        Crowd::new(Bounds { requests, bytes, project_share }, gauges)
    }

    /// What the gauges of a project show.
    fn of(crowd: &Crowd, project: usize) -> (usize, usize) {
        let pools = crowd.pools();
        let [requests, bytes] = &pools.gauges[project];
        (requests.get() as usize, bytes.get() as usize)
    }

    #[test]
    fn a_flood_leaves_the_others_their_part() {
        let crowd = crowd(12, 1200, 0.5, 3);
        let flood: Vec<_> = std::iter::from_fn(|| crowd.enter(0)).collect();
        // Its own 2 and the common 6.
        assert_eq!(flood.len(), 8);
        for quiet in [1, 2] {
            let own: Vec<_> = std::iter::from_fn(|| crowd.enter(quiet)).collect();
            assert_eq!(own.len(), 2);
        }
        drop(flood);
        let all: Vec<_> = std::iter::from_fn(|| crowd.enter(2)).collect();
        assert_eq!(all.len(), 8, "what was given back is for anybody");
    }

    #[test]
    fn bytes_are_refused_before_they_are_kept() {
        let crowd = crowd(4, 1000, 0.0, 1);
        let mut one = crowd.enter(0).unwrap();
        let mut other = crowd.enter(0).unwrap();
        assert!(one.hold(600) && one.hold(500), "what is held already costs nothing");
        assert!(!other.hold(401) && other.hold(400));
        assert_eq!(of(&crowd, 0), (2, 1000));
        drop(one);
        assert!(other.hold(1000) && !other.hold(usize::MAX));
        drop(other);
        assert_eq!(of(&crowd, 0), (0, 0));
    }

    proptest! {
        /// Whatever comes and goes: the whole is never exceeded, each can always have its own part, and all comes back.
        #[test]
        fn the_sums_hold(share in 0.0..1.0_f64, steps in vec((0..3_usize, any::<bool>(), 0..400_usize), 0..200)) {
            let crowd = crowd(30, 3000, share, 3);
            let own = (3000.0 * share) as usize / 3;
            let mut places: Vec<Place> = Vec::new();
            for (project, enters, bytes) in steps {
                if enters {
                    let held = of(&crowd, project).1;
                    if let Some(mut place) = crowd.enter(project) {
                        let fits = place.hold(bytes);
                        prop_assert!(fits || held + bytes > own, "its own part was refused");
                        places.push(place);
                    }
                } else if !places.is_empty() {
                    drop(places.swap_remove(bytes % places.len()));
                }
                let (requests, bytes) = (0..3).map(|one| of(&crowd, one)).fold((0, 0), |a, b| (a.0 + b.0, a.1 + b.1));
                prop_assert!(requests <= 30 && bytes <= 3000);
            }
            places.clear();
            for project in 0..3 {
                prop_assert_eq!(of(&crowd, project), (0, 0));
            }
            prop_assert!(crowd.enter(0).unwrap().hold(own));
        }
    }
}
