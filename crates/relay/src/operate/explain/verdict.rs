//! Where a submission stands, why, and what to do, in a word and a few sentences. Pure.
//!
//! The first row that applies is told. What is final comes first, then what stops the whole project, then what this
//! submission waits for, and last what is published.

use super::document::{Owner, Verdict, because};
use super::gather::Gathered;
use models::{Check, CheckReason, Entry, EventKind, GraveReason, Key, KycStatus, Source, Time};
use reconciler::inquiry::Standing;
use reconciler::journal::{Noted, What};
use std::time::Duration;

/// Within this time a hint without a trace in the ledger is young: a look waits for it, or is under way.
const YOUNG: Duration = Duration::from_mins(2);

/// What is known.
pub(super) struct Case<'a> {
    pub(super) key: &'a Key,
    pub(super) now: Time,
    pub(super) gathered: &'a Gathered,
    pub(super) entry: Option<&'a Entry>,
    /// The owner's word on the work under way; `None` = none, or somebody else is the owner.
    pub(super) work: Option<Standing>,
    pub(super) notes: &'a [Noted],
    pub(super) owner: Option<&'a Owner>,
}

/// See the module.
pub(super) fn verdict(case: &Case<'_>) -> Verdict {
    let rows =
        [grave, project_is_stopped, last_look_failed, set_aside, look_waits, not_shown, nothing_known, published];
    let (code, text) = rows.iter().find_map(|row| row(case)).unwrap_or_else(|| {
        ("unknown", "Nothing is published of it, and nothing waits: `reconcile` has it looked at now.".to_owned())
    });
    Verdict { code: code.to_owned(), text }
}

type Told = Option<(&'static str, String)>;

impl Case<'_> {
    fn check(&self) -> Option<Check> {
        self.entry?.check
    }

    fn reason(&self) -> Option<CheckReason> {
        self.check().map(|check| check.reason)
    }

    /// "; it is looked at again at T (why)".
    fn next(&self) -> String {
        self.check().map_or_else(String::new, |check| {
            format!(" It is looked at again by itself at {} ({}).", check.due, because(check.reason))
        })
    }

    /// The newest hint that is not older than what was last published or noted in the entry.
    fn newest_hint(&self) -> Option<Time> {
        self.gathered.hints.iter().map(|seen| seen.hint.received_at).max()
    }

    /// Whether something waits to be confirmed: a hint that is newer than the last event, a claim, a look set aside.
    fn waits(&self) -> bool {
        let last = self.gathered.events.last().map(|event| event.at.0);
        let newer = self.newest_hint().is_some_and(|at| last.is_none_or(|last| at > last));
        let pending = self.entry.is_some_and(|entry| entry.pending.is_some());
        let aside = matches!(self.reason(), Some(CheckReason::Parked | CheckReason::Failed));
        pending || aside || self.work.is_some() || (newer && self.reason() != Some(CheckReason::Relook))
    }

    /// Why the last GET failed, as the owner remembers it.
    fn failure(&self) -> Option<(&'static str, Option<&str>)> {
        let last = self.notes.iter().rev().find_map(|noted| match &noted.what {
            What::Answered { outcome, why, .. } => Some((*outcome, why.as_deref())),
            _ => None,
        });
        last.filter(|(outcome, _)| !matches!(*outcome, "present" | "absent"))
    }

    fn since_when_hints_are_known(&self) -> Time {
        self.gathered.hints_from
    }

    /// Whether webhooks come at all.
    fn others(&self) -> String {
        match self.gathered.others_at {
            Some(at) => format!("webhooks of other submissions do come (the last at {at})"),
            None => "none came of any other submission on its partition either: check the webhook's address at ARGOS"
                .to_owned(),
        }
    }
}

fn grave(case: &Case<'_>) -> Told {
    let grave = case.entry?.grave?;
    let sequence = case.entry.map_or(0, |entry| entry.sequence);
    Some(match grave.reason {
        GraveReason::Erased => {
            ("erased", format!("An operator had it erased at {}: it is never asked for or published again.", grave.at))
        }
        GraveReason::Deleted => (
            "deleted",
            format!(
                "ARGOS no longer has it, confirmed at {}; its last event is #{sequence}. If ARGOS shows it again, its events go on.",
                grave.at
            ),
        ),
    })
}

/// The breaker is open, and something of this submission waits.
fn project_is_stopped(case: &Case<'_>) -> Told {
    let (since, why) = case.gathered.breaker(case.key.project())?;
    let nothing_known = case.entry.is_none() && case.gathered.hints.is_empty();
    if !(case.waits() || nothing_known) {
        return None;
    }
    let project = case.key.project();
    let waits = "What waits is kept, and goes on by itself once ARGOS answers; one probe a minute asks.";
    Some(if refuses(why) {
        (
            "argos_refuses",
            format!(
                "ARGOS refuses project {project} since {since} ({why}), so no GET can confirm anything of it. Check the API key and that our address is on ARGOS's list; `doctor --project {project}` tells whether it holds. {waits}"
            ),
        )
    } else {
        ("argos_fails", format!("ARGOS does not answer for project {project} since {since} ({why}). {waits}"))
    })
}

/// As [`models::LookError::Denied`] says it.
fn refuses(why: &str) -> bool {
    why.contains("refuses")
}

fn last_look_failed(case: &Case<'_>) -> Told {
    let reason = case.reason()?;
    if !matches!(reason, CheckReason::Failed | CheckReason::DeadLettered) {
        return None;
    }
    let failures = case.entry.and_then(|entry| entry.pending.as_ref()).map_or(0, |pending| pending.failures);
    let (class, why) = case.failure().unzip();
    let why = why.flatten().map(|why| format!(" ({why})")).unwrap_or_default();
    let next = case.next();
    Some(if reason == CheckReason::DeadLettered {
        (
            "dead_lettered",
            format!(
                "ARGOS's answer for it could not be read {failures} times{why}: a dead letter was written.{next} Once the cause is mended, `redrive` or `reconcile` has it looked at."
            ),
        )
    } else if class == Some("denied") {
        (
            "argos_refuses",
            format!(
                "ARGOS refused the last GET{why}. Check the API key and that our address is on ARGOS's list.{next}"
            ),
        )
    } else {
        ("argos_fails", format!("The last {failures} looks failed{why}.{next} `reconcile` has it looked at now."))
    })
}

fn set_aside(case: &Case<'_>) -> Told {
    let check = case.check().filter(|check| check.reason == CheckReason::Parked && case.work.is_none())?;
    let project = case.key.project();
    let why = match case.gathered.quota_spent(project, case.now) {
        Some(until) => format!("project {project} has spent its requests of today; new ones come at {until}"),
        None => "more looks wait than the request budget allows".to_owned(),
    };
    let due = check.due;
    Some((
        "parked",
        format!(
            "A look was set aside: {why}. Its turn is at {due}. `status` shows what waits; raise requests_per_second or requests_per_day if ARGOS allows more."
        ),
    ))
}

/// A hint came, and its look is not over.
fn look_waits(case: &Case<'_>) -> Told {
    let text = match case.work {
        Some(Standing::Queued) => {
            "A look waits for its turn or for budget; `status` shows how many wait before it. It needs nothing but time."
        }
        Some(Standing::Asked) => "A GET is under way at this moment. It needs nothing but time.",
        Some(Standing::Decided) => "A look has been decided and is being committed. It needs nothing but time.",
        None => {
            let newest = case.newest_hint()?;
            let last = case.gathered.events.last().map(|event| event.at.0);
            let unseen = last.is_none_or(|last| newest > last) && case.now.since(newest) < YOUNG;
            if case.entry.is_some() || !unseen {
                return None;
            }
            let owner = case.owner.map_or("its owner", |owner| owner.instance.as_str());
            let text = format!(
                "A hint came at {newest}, and nothing is committed of it yet: a look waits, or is under way. {owner} knows more."
            );
            return Some(("look_pending", text));
        }
    };
    Some(("look_pending", text.to_owned()))
}

/// GETs do not show what somebody says.
fn not_shown(case: &Case<'_>) -> Told {
    let entry = case.entry?;
    let pending = entry.pending.as_deref();
    let next = case.next();
    match case.reason()? {
        CheckReason::UnknownId => Some((
            "unknown_to_argos",
            format!(
                "ARGOS shows no such submission{}. The id may be wrong, of another project, or from a forged webhook.{next} Then it is forgotten.",
                pending
                    .and_then(|pending| pending.absent_since)
                    .map(|since| format!(" since {since}"))
                    .unwrap_or_default()
            ),
        )),
        CheckReason::Unconfirmed => {
            let claims: Vec<&str> = pending
                .map(|pending| pending.claims.iter().map(|claim| claim.trigger.as_str()).collect())
                .unwrap_or_default();
            let shown =
                entry.published.as_ref().map_or_else(|| "nothing".to_owned(), |last| last.kyc_status.to_string());
            Some((
                "claim_unconfirmed",
                format!(
                    "A webhook claims `{}`, and the GETs since show {shown}. ARGOS's read may be behind, or the webhook is not true.{next}",
                    claims.join("`, `")
                ),
            ))
        }
        CheckReason::SuspectedDeletion => Some((
            "suspected_deletion",
            format!("The last GET did not show it any more; a second one decides whether it is deleted.{next}"),
        )),
        CheckReason::StaleRead => Some((
            "stale_read",
            format!("The last GET showed an older state than is published: ARGOS's read is behind.{next}"),
        )),
        _ => None,
    }
}

fn nothing_known(case: &Case<'_>) -> Told {
    if case.entry.is_some() {
        return None;
    }
    let key = case.key;
    let since = case.since_when_hints_are_known();
    let webhook = case.gathered.hints.iter().any(|seen| seen.hint.source == Source::Webhook);
    Some(if webhook {
        (
            "unknown_to_argos",
            format!(
                "A webhook came, and no GET showed such a submission until its ladder ended, so it was forgotten. The id may be wrong, of another project, or from a forged webhook. `reconcile {key}` asks ARGOS once more."
            ),
        )
    } else if case.gathered.events.is_empty() && case.gathered.hints.is_empty() {
        (
            "webhook_never_came",
            format!(
                "No webhook of it has come since {since}, and no list walk has shown it; {}. Either the webhook was lost (the next walk repairs that: `status` says when), or the id is wrong. `reconcile {key}` asks ARGOS now.",
                case.others()
            ),
        )
    } else {
        (
            "unknown_to_argos",
            format!("The ledger holds nothing of it: no GET has shown it. `reconcile {key}` asks ARGOS now."),
        )
    })
}

fn published(case: &Case<'_>) -> Told {
    let entry = case.entry?;
    let last = entry.published.as_ref()?;
    let (key, next, sequence) = (case.key, case.next(), entry.sequence);
    let since = case.since_when_hints_are_known();
    let webhook = match case.gathered.webhook_at() {
        Some(at) => format!("the last webhook of it came at {at}"),
        None => format!("no webhook of it has come since {since}"),
    };
    if sequence == 0 && last.kyc_status != KycStatus::Incomplete && last.kyc_status != KycStatus::Pending {
        let text = format!(
            "It is {}, and was made and last changed before the service first ran with the project: it has a snapshot and no event (`baseline`, `live_since`).{next}",
            last.kyc_status
        );
        return Some(("baseline", text));
    }
    Some(match last.kyc_status {
        KycStatus::Pending => (
            "pending_at_argos",
            format!(
                "The last GET showed it pending: somebody at ARGOS has to decide, and {webhook}. If it is decided there, that webhook was lost.{next} `reconcile {key}` asks now."
            ),
        ),
        KycStatus::Incomplete => (
            "incomplete",
            format!(
                "The last GET showed it incomplete: the applicant has not finished, and {webhook}.{next} `reconcile {key}` asks now."
            ),
        ),
        status => {
            let repaired = case.gathered.events.last().is_some_and(|event| {
                matches!(event.cause.as_deref(), Some("sweep" | "recheck" | "backfill"))
                    && event.kind != EventKind::Deleted.as_str()
            });
            let how = if repaired {
                format!(" No webhook told its last change: a walk or a recheck found it ({webhook}).")
            } else {
                String::new()
            };
            ("published", format!("It is published: {status}, {}, event #{sequence}.{how}{next}", last.aml_status))
        }
    })
}

#[cfg(test)]
#[path = "verdict_tests.rs"]
mod tests;
