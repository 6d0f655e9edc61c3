//! ARGOS and the topics of hints as one replica meets them: answers that are late, stale, refused or garbage.

use crate::bug::Bug;
use crate::member::Member;
use crate::oracle::Seen;
use crate::plan::STALE;
use crate::world::{Shown, SpellKind, document, page, spell};
use models::{
    Answer, Hint, HintSink, Key, KycStatus, Lane, LookError, Page, PageQuery, Request, SinkError, Time, Truth,
    TruthSource,
};
use reconciler::clock::Clock;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What a planted cache answers with.
type Cache = Mutex<BTreeMap<Key, (i64, Truth)>>;

/// See the module.
pub(crate) struct Source {
    pub(crate) member: Arc<Member>,
    cache: Cache,
}

impl Source {
    pub(crate) fn new(member: Arc<Member>) -> Source {
        Source { member, cache: Cache::default() }
    }

    /// What a request shows if it is answered from the state at this moment.
    fn seen(&self, key: &Key, at: i64) -> Seen {
        let shared = &self.member.shared;
        let Some((life, index)) = shared.plan.lives.get(key).and_then(|life| Some((life, life.at(at)?))) else {
            return Seen::Nothing;
        };
        let shown = |index: usize| life.versions[index].shown == Shown::Live;
        if (0..=index).all(shown) && life.flicker.is_some_and(|(from, to)| (from..to).contains(&at)) {
            return Seen::Flicker;
        }
        let young = index > 0 && at < life.versions[index].from + STALE && shown(index) && shown(index - 1);
        let stale = young && shared.plan.stale && shared.strikes(400);
        Seen::Version(if stale { index - 1 } else { index })
    }

    /// How long this request takes.
    async fn wait(&self, project: &str) {
        let shared = &self.member.shared;
        let slow =
            shared.strikes(50) || spell(&shared.plan.spells, project, None, shared.at()) == Some(&SpellKind::Slow);
        let longest = if shared.is_calm() { 20 } else { shared.plan.look };
        let takes = shared.rng().u64(1..=longest) * if slow { 10 } else { 1 };
        tokio::time::sleep(Duration::from_millis(takes)).await;
    }

    /// Whether the request fails, and how.
    fn failure(&self, project: &str, key: Option<&Key>) -> Option<LookError> {
        let shared = &self.member.shared;
        let error = match spell(&shared.plan.spells, project, key, shared.at()) {
            Some(SpellKind::Down) => LookError::Retry("503".to_owned()),
            Some(SpellKind::Denied) => LookError::Denied("403".to_owned()),
            Some(SpellKind::Garbage) => LookError::Unreadable("kyc is a number".to_owned()),
            Some(SpellKind::Throttled(retry_after)) => {
                let wait = retry_after.unwrap_or(Duration::from_secs(1));
                shared.oracle().held(self.member.number, project, self.member.now() + wait, shared.at());
                LookError::Throttled { retry_after: *retry_after }
            }
            Some(SpellKind::Slow) | None if shared.strikes(shared.plan.flaky) => LookError::Retry("502".to_owned()),
            Some(SpellKind::Slow) | None => return None,
        };
        shared.oracle().failed(project);
        Some(match error {
            LookError::Throttled { .. } if shared.has(Bug::RetryAfterIgnored) => LookError::Retry("429".to_owned()),
            error => error,
        })
    }

    fn truth(&self, key: &Key, asked_at: Time, seen: Seen) -> Truth {
        let shared = &self.member.shared;
        let absent = Truth { asked_at, answer: Answer::Absent };
        let (Seen::Version(index), Some(life)) = (seen, shared.plan.lives.get(key)) else {
            return self.absent(key, absent);
        };
        let version = &life.versions[index];
        if version.shown == Shown::Gone {
            return self.absent(key, absent);
        }
        let mut submission = document(life, version);
        if shared.has(Bug::StaleAccepted) {
            // It claims to be as new as what is true.
            let now = life.at(shared.at()).and_then(|index| life.versions.get(index));
            submission.updated_at = now.map(|now| now.updated_at);
        }
        Truth { asked_at, answer: Answer::Present(Box::new(submission)) }
    }

    /// With a bug planted, an absent submission is shown as deleted.
    fn absent(&self, key: &Key, absent: Truth) -> Truth {
        let shared = &self.member.shared;
        match shared.plan.lives.get(key).and_then(|life| Some((life, life.at(shared.at())?))) {
            Some((life, index)) if shared.has(Bug::AbsenceIsDeletion) => {
                let mut submission = document(life, &life.versions[index]);
                submission.kyc.status = KycStatus::Deleted;
                Truth { answer: Answer::Present(Box::new(submission)), ..absent }
            }
            _ => absent,
        }
    }

    fn cached(&self, key: &Key, at: i64) -> Option<Truth> {
        let cache = self.cache.lock().unwrap();
        let (began, truth) = cache.get(key).filter(|_| self.member.shared.has(Bug::EarlierGetCovers))?;
        (began + 2_000 > at).then(|| truth.clone())
    }
}

impl TruthSource for Source {
    async fn look(&self, key: &Key) -> Result<Truth, LookError> {
        let (member, shared) = (&self.member, &self.member.shared);
        let (started, asked_at, id) = (shared.at(), member.now(), shared.serial());
        if let Some(truth) = self.cached(key, started) {
            return Ok(truth);
        }
        shared.oracle().begins((member.number, id), key.project(), Some(key), asked_at, started);
        shared.note(format_args!("m{} looks at {key}", member.number));
        let early = self.seen(key, started);
        let (early, seen) = (shared.rng().bool(), early);
        self.wait(key.project()).await;
        let ended = shared.at();
        let seen = if early { seen } else { self.seen(key, ended) };
        let failure = self.failure(key.project(), Some(key));
        let seen = if failure.is_some() { Seen::Failed } else { seen };
        shared.oracle().ends((member.number, id), key, asked_at, (started, ended), seen);
        shared.note(format_args!("m{} sees {key}: {seen:?}", member.number));
        match failure {
            Some(LookError::Retry(_)) if shared.has(Bug::FailureIsAbsence) => {
                Ok(Truth { asked_at, answer: Answer::Absent })
            }
            Some(error) => Err(error),
            None => {
                let truth = self.truth(key, asked_at, seen);
                self.cache.lock().unwrap().insert(key.clone(), (started, truth.clone()));
                Ok(truth)
            }
        }
    }

    async fn page(&self, query: &PageQuery) -> Result<Page, LookError> {
        let (member, shared) = (&self.member, &self.member.shared);
        let id = shared.serial();
        shared.oracle().begins((member.number, id), &query.project, None, member.now(), shared.at());
        self.wait(&query.project).await;
        if let Some(error) = self.failure(&query.project, None) {
            return Err(error);
        }
        let lag = if shared.is_calm() { 0 } else { shared.plan.list_lag };
        let (after, at) = (query.cursor.as_ref().map(|cursor| cursor.id.as_str()), shared.at());
        let page = page(&shared.plan.lives, &query.project, after, at - lag, id);
        shared.note(format_args!("m{} reads {} rows of {}", member.number, page.rows.len(), query.project));
        if page.next.is_some() {
            let key = |id: &models::SubmissionId| Key::parse(&format!("{}/{id}", query.project)).unwrap();
            let rows = page.rows.iter().map(|(id, row)| (key(id), row.clone())).collect();
            shared.oracle().paged(&id.to_string(), rows, at);
        }
        Ok(page)
    }
}

/// The producer of one replica's walks.
pub(crate) struct Sink(pub(crate) Arc<Member>);

impl HintSink for Sink {
    async fn accept(&self, key: &Key, lane: Lane, hint: &Hint) -> Result<(), SinkError> {
        let shared = &self.0.shared;
        let takes = shared.rng().u64(1..20);
        tokio::time::sleep(Duration::from_millis(takes)).await;
        let result = shared.broker.accept(key, lane, hint).await;
        if result.is_ok() {
            shared.oracle().accepted(key, lane, hint, shared.at());
        }
        if shared.has(Bug::CursorBeforeHints) { Ok(()) } else { result }
    }

    async fn request(&self, request: &Request) -> Result<(), SinkError> {
        self.0.shared.broker.request(request).await
    }

    fn is_available(&self) -> bool {
        self.0.shared.broker.is_available()
    }
}
