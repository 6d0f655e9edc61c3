//! Webhook bodies: which submission they speak of, and what they claim.
//!
//! Owns every trigger of the ARGOS protocol, section 2. The rule that tells sealed bodies is `sealed`'s. Must not
//! know how a body was authenticated, or what becomes of a claim. Pure; reads no personal field at all.
//!
//! Path: [`decode`] checks the body as a whole, finds the id under one of its names, and lets the trigger decide
//! which fields may claim something. A claim only ever schedules a look; nothing here is a fact. [`decode_sealed`]
//! opens the body first, and takes no plain one.

use crate::cipher::{Cipher, CipherError};
use crate::sealed::{self, Opened};
use crate::timestamp;
use crate::wire::{Kind, Raw, cleaned, text_of};
use crate::words;
use models::{AmlStatus, Claim, InvalidId, KycStatus, SubmissionId, Time};

/// The longest trigger that is kept, in characters.
pub const MAX_TRIGGER: usize = 64;

/// Stands for a trigger that is none of ARGOS's known words.
pub const UNKNOWN: &str = "unknown";

/// The names of the submission id, in order of preference (section 8, point 28).
const ID_NAMES: [&str; 4] = ["submission_id", "submissionId", "Submission_id", "sid"];

/// Why a body is no webhook of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WebhookError {
    /// Not JSON, or not an object. Answer 400.
    #[error("the body is not a JSON object")]
    NotAnObject,
    /// It names a submission by something that cannot be an id. Answer 400.
    #[error("the submission id is not acceptable")]
    BadId(#[source] InvalidId),
    /// `data` is a string and there is no `webhook_trigger`: the body is sealed. Open it first.
    #[error("the body is encrypted")]
    Encrypted,
}

/// Why a body is no webhook of an encrypting project. All are answered 400, and alike, so that nobody can learn from
/// the answer whether a key was right; metrics may tell them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealedError {
    /// The body is a plain JSON object. Taking it would let anyone go around the encryption (section 3).
    #[error("the body is not encrypted, though the project is set to encrypted")]
    Plain,
    /// The body is sealed and stays shut. [`CipherError::is_corrupt`] tells a broken body from a wrong key.
    #[error("the body cannot be decrypted")]
    Undecryptable(#[source] CipherError),
    /// The body, or what was sealed in it, is no webhook.
    #[error("the body cannot be read")]
    Body(#[source] WebhookError),
}

/// A body that could be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Webhook {
    /// It speaks of a submission.
    Submission(Described),
    /// It speaks of none: another product's (section 2.12). Answer 200, count, forget.
    Ignored {
        /// Its trigger, at most [`MAX_TRIGGER`] characters; empty if it has none.
        trigger: String,
    },
}

/// What a body says about a submission.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Described {
    /// Which.
    pub submission: SubmissionId,
    /// What it claims.
    pub claim: Claim,
    /// It tells that a screening has ended, which no GET does (section 7).
    pub aml_notice: bool,
    /// It tells that monitoring was registered, which no GET does (section 2.10).
    pub monitoring_notice: bool,
}

/// Reads a body.
///
/// Text that is not UTF-8 is read with replacement characters, a byte order mark is skipped, and of a repeated name
/// the last counts: a hint is worth keeping, since it can do no harm.
pub fn decode(bytes: &[u8]) -> Result<Webhook, WebhookError> {
    let text = text_of(bytes);
    let body = Body::open(&text).ok_or(WebhookError::NotAnObject)?;
    if sealed::is_sealed(body.trigger, body.data) {
        return Err(WebhookError::Encrypted);
    }
    let trigger = body.trigger.and_then(Raw::text).map(|word| cleaned(&word, MAX_TRIGGER)).unwrap_or_default();
    // faceAuth names the submission in `data` only (section 2.11).
    let id = body.id.or_else(|| body.data.and_then(|data| data.first_of(ID_NAMES)));
    let Some(submission) = id.map(submission_id).transpose()?.flatten() else {
        return Ok(Webhook::Ignored { trigger });
    };
    Ok(Webhook::Submission(describe(&body, submission, trigger)))
}

/// Reads a body of a project that is set to encrypted: opens the envelope, then reads as [`decode`] does.
///
/// Only under [`crate::Mode::Gcm`] does success show that the sender holds the key.
pub fn decode_sealed(bytes: &[u8], cipher: &Cipher) -> Result<Webhook, SealedError> {
    match sealed::open(cipher, bytes) {
        Opened::Sealed(inside) => decode(&inside).map_err(SealedError::Body),
        Opened::Shut(error) => Err(SealedError::Undecryptable(error)),
        // Whatever it speaks of, it is refused; only what is no object at all is told as that.
        Opened::Plain => Err(match decode(bytes) {
            Err(WebhookError::NotAnObject) => SealedError::Body(WebhookError::NotAnObject),
            _ => SealedError::Plain,
        }),
    }
}

/// `None` if the field is there but blank.
fn submission_id(field: Raw<'_>) -> Result<Option<SubmissionId>, WebhookError> {
    match field.kind() {
        Some(Kind::String) if field.string().is_none() => Err(WebhookError::BadId(InvalidId::Character)),
        Some(Kind::String | Kind::Number) => {
            field.text().map(|text| SubmissionId::new(&text)).transpose().map_err(WebhookError::BadId)
        }
        Some(Kind::Object | Kind::Array | Kind::Bool) => Err(WebhookError::BadId(InvalidId::Character)),
        None => Ok(None),
    }
}

/// The members that say something to us, found in one pass over the body, and unread.
struct Body<'a> {
    trigger: Option<Raw<'a>>,
    /// The first of [`ID_NAMES`] that is there.
    id: Option<Raw<'a>>,
    data: Option<Raw<'a>>,
    kyc_result: Option<Raw<'a>>,
    aml: Option<Raw<'a>>,
    attempts: Option<Raw<'a>>,
    update_time: Option<Raw<'a>>,
    /// `updated_at`, or its name in an old table.
    clock: [Option<Raw<'a>>; 2],
    delete_time: Option<Raw<'a>>,
}

impl<'a> Body<'a> {
    /// `None` if the text is no JSON object.
    fn open(text: &'a str) -> Option<Body<'a>> {
        let [id, camel, capital, short] = ID_NAMES;
        #[rustfmt::skip]
        let names = [
            id, camel, capital, short, "webhook_trigger", "data", "kyc_result", "aml_result", "aml", "attempts",
            "update_time", "updated_at", "update_at", "delete_time",
        ];
        let (_, found) = Raw::opened(text, names)?;
        let [id, camel, capital, short, trigger, data, kyc_result, aml_result, aml, attempts, times @ ..] = found;
        let [update_time, clock, old_clock, delete_time] = times;
        Some(Body {
            trigger,
            id: [id, camel, capital, short].into_iter().flatten().next(),
            data,
            kyc_result,
            aml: aml_result.or(aml),
            attempts,
            update_time,
            clock: [clock, old_clock],
            delete_time,
        })
    }
}

/// What a trigger may claim.
enum Trigger {
    /// A KYC status; the one that it implies if the body names none.
    Status(KycStatus),
    Updated,
    Delete,
    Aml,
    AmlMonitor,
    /// Nothing: `injection`, `injectionFail` and `faceAuth` carry words like `approved` that are no KYC decision
    /// (section 8, point 16), and it is not documented that they touch the submission's clock.
    Nothing,
    Unknown,
}

impl Trigger {
    fn of(word: &str) -> Trigger {
        match word.to_ascii_lowercase().as_str() {
            "created" | "retry" => Trigger::Status(KycStatus::Incomplete),
            "submit" => Trigger::Status(KycStatus::Pending),
            "approved" => Trigger::Status(KycStatus::Approved),
            "rejected" => Trigger::Status(KycStatus::Rejected),
            "updated" => Trigger::Updated,
            "delete" => Trigger::Delete,
            "aml" => Trigger::Aml,
            "aml_monitor" => Trigger::AmlMonitor,
            "injection" | "injectionfail" | "faceauth" => Trigger::Nothing,
            _ => Trigger::Unknown,
        }
    }
}

fn describe(body: &Body<'_>, submission: SubmissionId, word: String) -> Described {
    let trigger = Trigger::of(&word);
    let word = match trigger {
        // For hints without a trigger, the source's word.
        Trigger::Unknown if word.is_empty() => "webhook".to_owned(),
        // Whatever else a forger or a vendor's slip puts there could be anything, a name too, and would be kept.
        Trigger::Unknown => UNKNOWN.to_owned(),
        _ => word,
    };
    let mut claim = Claim { trigger: word, ..Claim::default() };
    match trigger {
        Trigger::Status(implied) => {
            let result = KycResult::of(body);
            claim.status = Some(result.status.unwrap_or(implied));
            claim.changed_at = result.changed_at;
            claim.attempts = body.attempts.and_then(Raw::count);
        }
        Trigger::Updated => {
            claim.status = body.data.and_then(updated_status);
            let [clock, old_clock] = body.clock;
            claim.changed_at = first_time([body.update_time, clock, old_clock]);
        }
        Trigger::Delete => {
            claim.deleted = true;
            claim.changed_at = first_time([body.delete_time]);
        }
        Trigger::Aml => claim.red_flag = body.aml.and_then(red_flag),
        Trigger::AmlMonitor | Trigger::Nothing => {}
        Trigger::Unknown => {
            let result = KycResult::of(body);
            claim.status = result.status;
            claim.changed_at = result.changed_at.or_else(|| first_time([body.update_time]));
        }
    }
    Described {
        submission,
        claim,
        aml_notice: matches!(trigger, Trigger::Aml),
        monitoring_notice: matches!(trigger, Trigger::AmlMonitor),
    }
}

/// The object `kyc_result`.
#[derive(Default)]
struct KycResult {
    status: Option<KycStatus>,
    changed_at: Option<Time>,
}

impl KycResult {
    /// Its clock is `updated_at` (`update_at` in an old table), which GET shows too. Another of its times would
    /// compare with nothing.
    fn of(body: &Body<'_>) -> KycResult {
        let Some(result) = body.kyc_result else {
            return KycResult::default();
        };
        // A string where an object is usual, as in `updated`.
        if result.kind() == Some(Kind::String) {
            return KycResult { status: status(result), changed_at: None };
        }
        let [word, clock, old_clock] = result.members(["status", "updated_at", "update_at"]).unwrap_or_default();
        KycResult { status: word.and_then(status), changed_at: first_time([clock, old_clock]) }
    }
}

/// `updated` names the new status in `data.kyc_result`, a string (section 2.6); `data.update` is shown as an array
/// of names, which claims nothing, but would say as much if it held values.
fn updated_status(data: Raw<'_>) -> Option<KycStatus> {
    let [result, update] = data.members(["kyc_result", "update"])?;
    let result = result.and_then(|result| match result.kind() {
        Some(Kind::Object) => result.first_of(["status", "kycStatus"]),
        _ => Some(result),
    });
    result.and_then(status).or_else(|| update?.first_of(["kycStatus"]).and_then(status))
}

/// A status of ours; a word without one claims nothing that a look could confirm.
fn status(field: Raw<'_>) -> Option<KycStatus> {
    Some(words::kyc_status(&field.text()?)).filter(|status| *status != KycStatus::Unknown)
}

fn red_flag(result: Raw<'_>) -> Option<bool> {
    match words::aml_status(&result.first_of(["currentstatus"])?.text()?) {
        AmlStatus::RedFlag => Some(true),
        AmlStatus::NotScreened | AmlStatus::Clear => Some(false),
        AmlStatus::Unknown => None,
    }
}

fn first_time<const N: usize>(fields: [Option<Raw<'_>>; N]) -> Option<Time> {
    fields.into_iter().flatten().find_map(|field| timestamp::parse(&field.text()?))
}

#[cfg(test)]
#[path = "webhook_tests.rs"]
mod tests;
