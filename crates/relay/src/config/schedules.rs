//! When a project's submissions are looked at: `sweeps`, `rechecks`, `failures`, `relooks`, `deletions`, and what
//! counts as a screening, `aml`.

use super::durations;
use super::read::Section;
use super::values::choice;
use serde::{Serialize, Serializer};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);

/// The longest pause that any schedule may have.
const LONGEST: Duration = Duration::from_hours(366 * 24);

/// List walks.
#[derive(Clone, Debug, Serialize)]
pub struct Sweeps {
    /// What is young. Default: every 5 min, created within 3 days.
    pub recent: Sweep,
    /// What is a month old at most. Default: every 6 h, created within 31 days.
    pub month: Sweep,
    /// All of it. Default: every 7 days. The first one is day one: everything that is there.
    pub full: Sweep,
    /// What is younger is left to the next walk: a list may lag behind. Default 1 min.
    #[serde(serialize_with = "durations::duration")]
    pub lag: Duration,
    /// The share of the budget that day one's looks may take. Default 0.5.
    pub first_walk_share: f64,
    /// After so many pages in a row that bring nothing new a walk is given up, and told as incomplete. Default 20.
    pub stalled_after: u32,
    /// How many submissions a day are expected, for the estimate of `config check`. Default 1,000.
    pub expected_per_day: u64,
}

/// One list walk.
#[derive(Clone, Debug, Serialize)]
pub struct Sweep {
    /// From start to start.
    #[serde(serialize_with = "durations::duration")]
    pub every: Duration,
    /// Only what was created within this time; `None` = whatever its age.
    #[serde(serialize_with = "optional_duration", skip_serializing_if = "Option::is_none")]
    pub created_within: Option<Duration>,
}

#[expect(clippy::ref_option, reason = "the signature is serde's")]
fn optional_duration<S: Serializer>(span: &Option<Duration>, out: S) -> Result<S::Ok, S::Error> {
    durations::duration(&span.unwrap_or_default(), out)
}

impl Sweeps {
    pub(super) fn read(parent: &mut Section<'_>) -> Sweeps {
        let mut section = parent.section("sweeps");
        let lag = section.or("lag", MINUTE);
        section.check("lag", lag <= HOUR, "must be 1h at most");
        let first_walk_share = section.or("first_walk_share", 0.5);
        section.check("first_walk_share", (0.01..=1.0).contains(&first_walk_share), "must be from 0.01 to 1");
        let stalled_after = section.or("stalled_after", 20);
        section.check("stalled_after", stalled_after > 1, "must be at least 2");
        let expected_per_day = section.or("expected_per_day", 1_000);
        Sweeps {
            lag,
            first_walk_share,
            expected_per_day,
            stalled_after,
            recent: Sweep::read(section.section("recent"), 5 * MINUTE, Some(3 * DAY)),
            month: Sweep::read(section.section("month"), 6 * HOUR, Some(31 * DAY)),
            full: Sweep::read(section.section("full"), 7 * DAY, None),
        }
    }
}

impl Sweep {
    fn read(mut section: Section<'_>, every: Duration, created_within: Option<Duration>) -> Sweep {
        let every = section.or("every", every);
        section.check("every", (SECOND..=LONGEST).contains(&every), "must be from 1s to 366d");
        let created_within = created_within.map(|default| section.or("created_within", default));
        let covers = created_within.is_none_or(|within| within >= every && within <= LONGEST);
        section.check("created_within", covers, "must be at least `every`, and 366d at most");
        Sweep { every, created_within }
    }
}

/// When to look again at what is not settled.
#[derive(Clone, Debug, Serialize)]
pub struct Rechecks {
    /// The pauses while a GET does not show what a webhook claims; each is taken once. Default 1 s, 5 s, 30 s, 5 min.
    #[serde(serialize_with = "durations::durations")]
    pub ladder: Vec<Duration>,
    /// Looks at what is incomplete, under review, or waits for its screening.
    pub pending: Pending,
}

/// A pause that grows from `first` to `cap`, for `within`.
#[derive(Clone, Debug, Serialize)]
pub struct Pending {
    /// The first pause. Default 1 min.
    #[serde(serialize_with = "durations::duration")]
    pub first: Duration,
    /// The longest pause. Default 6 h.
    #[serde(serialize_with = "durations::duration")]
    pub cap: Duration,
    /// For so long after the last change of status; after that only re-looks follow. Default 7 days.
    #[serde(serialize_with = "durations::duration")]
    pub within: Duration,
}

impl Rechecks {
    pub(super) fn read(mut section: Section<'_>) -> Rechecks {
        let ladder = steps(&mut section, "ladder", &[SECOND, 5 * SECOND, 30 * SECOND, 5 * MINUTE]);
        let mut inner = section.section("pending");
        let (first, cap) = first_and_cap(&mut inner, MINUTE, 6 * HOUR);
        let within = inner.or("within", 7 * DAY);
        inner.check("within", (first..=LONGEST).contains(&within), "must be at least `first`, and 366d at most");
        Rechecks { ladder, pending: Pending { first, cap, within } }
    }
}

/// When to try again after a failed look, and when to give a submission up.
#[derive(Clone, Debug, Serialize)]
pub struct Failures {
    /// The first pause; it doubles. Default 1 s.
    #[serde(serialize_with = "durations::duration")]
    pub first: Duration,
    /// The longest pause. Default 5 min.
    #[serde(serialize_with = "durations::duration")]
    pub cap: Duration,
    /// Unreadable answers for one submission, while others succeed, before it becomes a dead letter. Default 10.
    pub dead_letter_after: u16,
    /// The pause between looks at a dead letter. Default 1 day.
    #[serde(serialize_with = "durations::duration")]
    pub dead_letter_pause: Duration,
}

impl Failures {
    pub(super) fn read(mut section: Section<'_>) -> Failures {
        let (first, cap) = first_and_cap(&mut section, SECOND, 5 * MINUTE);
        let dead_letter_after = section.or("dead_letter_after", 10);
        section.check("dead_letter_after", dead_letter_after > 0, "must be at least 1");
        let dead_letter_pause = section.or("dead_letter_pause", DAY);
        let fits = (MINUTE..=LONGEST).contains(&dead_letter_pause);
        section.check("dead_letter_pause", fits, "must be from 1m to 366d");
        Failures { first, cap, dead_letter_after, dead_letter_pause }
    }
}

/// When to look at what is settled, whatever the list says.
#[derive(Clone, Debug, Serialize)]
pub struct Relooks {
    /// Ages since the last change of status; the last repeats. Default 1 h, 1 d, 7 d, 30 d.
    #[serde(serialize_with = "durations::durations")]
    pub decided: Vec<Duration>,
}

impl Relooks {
    pub(super) fn read(mut section: Section<'_>) -> Relooks {
        Relooks { decided: steps(&mut section, "decided", &[HOUR, DAY, 7 * DAY, 30 * DAY]) }
    }
}

/// When an absence is believed.
#[derive(Clone, Debug, Serialize)]
pub struct Deletions {
    /// The pause before the second look. Default 30 s.
    #[serde(serialize_with = "durations::duration")]
    pub confirm_after: Duration,
    /// Inferred deletions published in an hour, over all replicas; more wait, and operators are told. Default 1,000.
    pub max_per_hour: u32,
}

impl Deletions {
    pub(super) fn read(mut section: Section<'_>) -> Deletions {
        let confirm_after = section.or("confirm_after", 30 * SECOND);
        section.check("confirm_after", (SECOND..=DAY).contains(&confirm_after), "must be from 1s to 1d");
        let max_per_hour = section.or("max_per_hour", 1_000);
        section.check("max_per_hour", max_per_hour > 0, "must be at least 1");
        Deletions { confirm_after, max_per_hour }
    }
}

choice! {
    /// A method of webhook authentication that can be enough for an AML or monitoring notice.
    NoticeAuthentication {
        /// The caller's address.
        SourceIp = "source_ip",
        /// The secret path.
        PathToken = "path_token",
        /// A signature over the body.
        Hmac = "hmac",
        /// A body sealed with AES-GCM.
        Encrypted = "encrypted",
    }
}

/// What counts as a screening. A GET cannot tell "not yet screened" from "screened, no match" (ARGOS protocol,
/// section 7), so an `aml` webhook is the one notice that is taken at its word, if its sender was known well enough.
#[derive(Clone, Debug, Serialize)]
pub struct Aml {
    /// Whether approved submissions of this project are screened, where the answer does not tell. Default false.
    pub expected: bool,
    /// Any one of these is enough. Default: all four, so any authentication at all.
    pub notice_authentication: Vec<NoticeAuthentication>,
}

impl Aml {
    pub(super) fn read(mut section: Section<'_>) -> Aml {
        use NoticeAuthentication::{Encrypted, Hmac, PathToken, SourceIp};
        Aml {
            expected: section.or("expected", false),
            notice_authentication: section.or("notice_authentication", vec![SourceIp, PathToken, Hmac, Encrypted]),
        }
    }
}

/// A list of pauses: not empty, none zero, each longer than the one before.
fn steps(section: &mut Section<'_>, key: &str, default: &[Duration]) -> Vec<Duration> {
    let list = section.or(key, default.to_vec());
    section.check(key, (1..=32).contains(&list.len()), "needs 1 to 32 steps");
    section.check(key, list.is_sorted_by(|one, next| one < next), "must ascend: each step longer than the one before");
    let fits = list.iter().all(|step| (Duration::from_millis(1)..=LONGEST).contains(step));
    section.check(key, fits, "must have steps from 1ms to 366d");
    list
}

/// A pause that grows.
fn first_and_cap(section: &mut Section<'_>, first: Duration, cap: Duration) -> (Duration, Duration) {
    let first = section.or("first", first);
    section.check("first", (Duration::from_millis(1)..=LONGEST).contains(&first), "must be from 1ms to 366d");
    let cap = section.or("cap", cap);
    section.check("cap", (first..=LONGEST).contains(&cap), "must be at least `first`, and 366d at most");
    (first, cap)
}
