//! What the server counted: the figures behind "a hint costs a bounded number of GETs".

use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Requests of the simulated ARGOS by kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Every request that arrived on a live connection.
    pub requests: u64,
    /// GETs by submission id, with a right key.
    pub singles: u64,
    /// List pages, with a right key.
    pub lists: u64,
    /// Missing or wrong keys: 403.
    pub wrong_key: u64,
    /// Honest answers with status 200.
    pub answered: u64,
    /// Honest answers that refused a parameter or did not know the id: 400, 404.
    pub refused: u64,
    /// Answers that showed another state than the present one.
    pub stale: u64,
    /// 500 and 502.
    pub errors: u64,
    /// 429.
    pub throttled: u64,
    /// Spoilt bodies.
    pub garbage: u64,
    /// 403 by the switch.
    pub forbidden: u64,
    /// Requests left hanging.
    pub hung: u64,
    /// Connections closed without an answer, while down too.
    pub cut: u64,
}

#[derive(Default)]
struct Inner {
    counts: Counts,
    gets: HashMap<(String, String), u64>,
}

#[derive(Default)]
pub(crate) struct Counters(Mutex<Inner>);

impl Counters {
    pub(crate) fn add(&self, change: impl FnOnce(&mut Counts)) {
        change(&mut self.lock().counts);
    }

    pub(crate) fn single(&self, project: &str, id: &str) {
        let mut inner = self.lock();
        inner.counts.singles += 1;
        *inner.gets.entry((project.to_owned(), id.to_owned())).or_default() += 1;
    }

    pub(crate) fn counts(&self) -> Counts {
        self.lock().counts
    }

    pub(crate) fn gets(&self, project: &str, id: &str) -> u64 {
        self.lock().gets.get(&(project.to_owned(), id.to_owned())).copied().unwrap_or(0)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
