//! The world: what is true of every submission, and what was.
//!
//! Owns projects, submissions and the history of their states, each with a vendor time. Answers oracles
//! ([`World::truth`], [`World::history`]) and the server (the state as of a moment).
//!
//! Must not know: HTTP, JSON, faults, or who asks. Time comes from the [`Clock`] it is given.

use crate::clock::Clock;
use crate::config::Config;
use crate::state::State;
use crate::view::{Filter, Fixed, Traits, TruthView, View, user_of};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Why the world cannot do what it was told.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WorldError {
    /// Name a project of the configuration.
    #[error("no project {0} in this world")]
    NoProject(String),
    /// Create the submission first.
    #[error("no submission {0} in this world")]
    NoSubmission(String),
    /// Take another id.
    #[error("a submission {0} exists already")]
    Exists(String),
}

struct Submission {
    fixed: Arc<Fixed>,
    /// Never empty; by time.
    versions: Vec<(i64, Arc<State>)>,
    aml_told: bool,
    aml_noticed: bool,
}

impl Submission {
    fn as_of(&self, at: i64) -> Option<&Arc<State>> {
        self.versions.iter().rev().find(|(since, _)| *since <= at).map(|(_, state)| state)
    }

    fn now(&self) -> Option<&Arc<State>> {
        self.versions.last().map(|(_, state)| state)
    }
}

#[derive(Default)]
struct Room {
    submissions: HashMap<String, Submission>,
    /// By creation, then id; the list shows it backwards.
    order: BTreeSet<(i64, String)>,
}

struct Inner {
    rooms: BTreeMap<String, Room>,
    rng: fastrand::Rng,
}

/// The shared world. Cheap to use from many tasks: every call holds one lock for microseconds.
pub struct World {
    inner: Mutex<Inner>,
    clock: Clock,
    aml_moves_updated_at: bool,
}

impl std::fmt::Debug for World {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("World").finish_non_exhaustive()
    }
}

impl World {
    /// An empty world with the projects of `config`.
    pub fn new(config: &Config, clock: Clock) -> World {
        let rooms = config.projects.iter().map(|project| (project.id.clone(), Room::default())).collect();
        let rng = fastrand::Rng::with_seed(config.seed);
        World { inner: Mutex::new(Inner { rooms, rng }), clock, aml_moves_updated_at: config.aml_moves_updated_at }
    }

    /// The vendor's now, milliseconds since the epoch.
    pub fn now(&self) -> i64 {
        (self.clock)()
    }

    /// The projects, in order of their names.
    pub fn projects(&self) -> Vec<String> {
        self.lock().rooms.keys().cloned().collect()
    }

    /// A new opaque id: 16 characters of `[a-z0-9]`, eight of them from the clock, as in ARGOS's samples (ARGOS
    /// protocol, section 4.8). The others are drawn from the world's seed.
    pub fn new_id(&self) -> String {
        const DIGITS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";
        let mut clock = self.now();
        let mut inner = self.lock();
        let mut id: Vec<u8> = (0..8).map(|_| DIGITS[inner.rng.usize(..36)]).collect();
        let mut tail = [b'0'; 8];
        for place in tail.iter_mut().rev() {
            *place = DIGITS[clock.rem_euclid(36) as usize];
            clock = clock.div_euclid(36);
        }
        id.extend(tail);
        id.into_iter().map(char::from).collect()
    }

    /// Makes an incomplete submission that has every optional part. Every fifth of a project belongs to the user of
    /// the one before.
    pub fn create(&self, project: &str, id: &str) -> Result<(), WorldError> {
        let number = self.lock().rooms.get(project).map_or(0, |room| room.submissions.len());
        self.create_with(project, id, Traits::FULL, user_of(number))
    }

    /// Makes an incomplete submission of the n-th user, `u-(1001 + user)`.
    pub fn create_with(&self, project: &str, id: &str, traits: Traits, user: usize) -> Result<(), WorldError> {
        let now = self.now();
        let mut inner = self.lock();
        let room = room_mut(&mut inner, project)?;
        if room.submissions.contains_key(id) {
            return Err(WorldError::Exists(id.to_owned()));
        }
        let fixed = Fixed { id: id.to_owned(), user, traits, created_at: now };
        let submission = Submission {
            fixed: Arc::new(fixed),
            versions: vec![(now, Arc::new(State::new(user, now)))],
            aml_told: false,
            aml_noticed: false,
        };
        room.order.insert((now, id.to_owned()));
        room.submissions.insert(id.to_owned(), submission);
        Ok(())
    }

    /// Changes a submission. Fills in what a new status implies (`pending_at`, `decided_at`, `reviewer`) unless the
    /// closure did, and moves `updated_at` if GET shows anything else than before: strictly, so that two changes
    /// within one millisecond differ.
    pub fn set(&self, project: &str, id: &str, change: impl FnOnce(&mut State)) -> Result<(), WorldError> {
        let now = self.now();
        let mut inner = self.lock();
        let submission = submission_mut(&mut inner, project, id)?;
        let Some(before) = submission.now().cloned() else {
            return Err(WorldError::NoSubmission(id.to_owned()));
        };
        let mut after = State::clone(&before);
        change(&mut after);
        after.complete(&before, now);
        let screened = (after.risk, after.matches) != (before.risk, before.matches);
        if after.shows_other_than(&before) || (screened && self.aml_moves_updated_at) {
            after.updated_at = now.max(before.updated_at + 1);
        }
        submission.versions.push((now, Arc::new(after)));
        Ok(())
    }

    /// What is true now of every submission of a project, in order of ids; empty for an unknown project.
    pub fn truth(&self, project: &str) -> Vec<TruthView> {
        let inner = self.lock();
        let Some(room) = inner.rooms.get(project) else {
            return Vec::new();
        };
        let mut views: Vec<TruthView> = room.submissions.values().filter_map(truth_view).collect();
        views.sort_by(|left, right| left.id.cmp(&right.id));
        views
    }

    /// What is true now of one submission.
    pub fn truth_of(&self, project: &str, id: &str) -> Option<TruthView> {
        self.lock().rooms.get(project)?.submissions.get(id).and_then(truth_view)
    }

    /// Every pair of statuses, (kyc, aml), that was ever true, in order and without immediate repeats.
    pub fn history(&self, project: &str, id: &str) -> Vec<(String, String)> {
        let inner = self.lock();
        let Some(submission) = inner.rooms.get(project).and_then(|room| room.submissions.get(id)) else {
            return Vec::new();
        };
        let mut pairs: Vec<(String, String)> = submission
            .versions
            .iter()
            .map(|(_, state)| (state.kyc_word().to_owned(), state.aml_word().to_owned()))
            .collect();
        pairs.dedup();
        pairs
    }

    /// Every version that was ever true, oldest first, each with the moment since when.
    pub fn versions(&self, project: &str, id: &str) -> Vec<(i64, TruthView)> {
        let inner = self.lock();
        let Some(submission) = inner.rooms.get(project).and_then(|room| room.submissions.get(id)) else {
            return Vec::new();
        };
        submission.versions.iter().map(|(since, state)| (*since, view_of(submission, state))).collect()
    }

    /// The submission now; `None` only if it was never made.
    pub(crate) fn view(&self, project: &str, id: &str) -> Option<View> {
        let inner = self.lock();
        let submission = inner.rooms.get(project)?.submissions.get(id)?;
        Some(View { fixed: Arc::clone(&submission.fixed), state: Arc::clone(submission.now()?) })
    }

    /// The submission as GET saw it at a moment, and whether that differs from now.
    pub(crate) fn look(&self, project: &str, id: &str, at: i64) -> (Option<View>, bool) {
        let inner = self.lock();
        let Some(submission) = inner.rooms.get(project).and_then(|room| room.submissions.get(id)) else {
            return (None, false);
        };
        let seen = submission.as_of(at);
        let stale = match (seen, submission.now()) {
            (Some(seen), Some(now)) => !Arc::ptr_eq(seen, now),
            _ => true,
        };
        let view = seen
            .filter(|state| !state.is_absent())
            .map(|state| View { fixed: Arc::clone(&submission.fixed), state: Arc::clone(state) });
        (view, stale)
    }

    /// Up to `count` rows in list order (newest first, then by id downwards), as they were at a moment.
    pub(crate) fn list(&self, project: &str, filter: &Filter, count: usize, at: i64) -> Vec<View> {
        let inner = self.lock();
        let Some(room) = inner.rooms.get(project) else {
            return Vec::new();
        };
        let end = filter.after.clone().unwrap_or((i64::MAX, String::new()));
        room.order
            .range(..end)
            .rev()
            .skip_while(|(created, _)| filter.until.is_some_and(|until| *created >= until))
            .take_while(|(created, _)| filter.from.is_none_or(|from| *created >= from))
            .filter_map(|(_, id)| room.submissions.get(id))
            .filter(|submission| filter.matches(&submission.fixed))
            .filter_map(|submission| {
                let state = submission.as_of(at).filter(|state| !state.is_absent())?;
                Some(View { fixed: Arc::clone(&submission.fixed), state: Arc::clone(state) })
            })
            .take(count)
            .collect()
    }

    /// Notes that an `aml` webhook was sent, and whether it was answered 200.
    pub(crate) fn note_aml(&self, project: &str, id: &str, accepted: bool) {
        if let Ok(submission) = submission_mut(&mut self.lock(), project, id) {
            submission.aml_told = true;
            submission.aml_noticed |= accepted;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn room_mut<'a>(inner: &'a mut Inner, project: &str) -> Result<&'a mut Room, WorldError> {
    inner.rooms.get_mut(project).ok_or_else(|| WorldError::NoProject(project.to_owned()))
}

fn submission_mut<'a>(inner: &'a mut Inner, project: &str, id: &str) -> Result<&'a mut Submission, WorldError> {
    let room = room_mut(inner, project)?;
    room.submissions.get_mut(id).ok_or_else(|| WorldError::NoSubmission(id.to_owned()))
}

fn truth_view(submission: &Submission) -> Option<TruthView> {
    Some(view_of(submission, submission.now()?))
}

fn view_of(submission: &Submission, state: &State) -> TruthView {
    TruthView {
        id: submission.fixed.id.clone(),
        user_id: submission.fixed.user_id(),
        kyc_status: state.kyc_word().to_owned(),
        aml_status: state.aml_word().to_owned(),
        risk: state.visible_risk().as_str().to_owned(),
        retries: state.retries.len() as u32,
        codes: state.reasons.iter().map(|reason| reason.code.to_string()).collect(),
        created_at: submission.fixed.created_at,
        decided_at: state.decided_at,
        updated_at: state.updated_at,
        deleted: state.deletion.is_some(),
        absent: state.is_absent(),
        aml_noticed: submission.aml_noticed,
        aml_told: submission.aml_told,
    }
}
