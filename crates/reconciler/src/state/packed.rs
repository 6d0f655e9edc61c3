//! An entry as it lies in memory: the same facts as in the ledger, with fixed widths where varints would be longer.
//!
//! Owns: the packed form, which never leaves the process. Must not know: where it lies.

use crate::decision::AML_WORD;
use models::entry::HASHED_FIELDS;
use models::{
    AmlStatus, Check, CheckReason, Entry, Grave, KycStatus, Monitoring, Notices, Pending, PersonalDigest, Published,
    Reading, Risk, Time,
};
use serde::{Deserialize, Serialize};

/// What stands first is read most.
#[derive(Serialize, Deserialize)]
struct Packed<'a> {
    since: Time,
    check: Option<Due>,
    grave: Option<Grave>,
    #[serde(borrow)]
    published: Option<Facts<'a>>,
    sequence: u64,
}

/// A [`Check`], its time as [`Later`].
#[derive(Serialize, Deserialize)]
struct Due {
    due: Later,
    reason: CheckReason,
}

/// A time by its distance in milliseconds from [`Packed::since`], which is mostly near.
#[derive(Clone, Copy, Serialize, Deserialize)]
struct Later(i64);

impl Later {
    const fn new(time: Time, since: Time) -> Later {
        Later(time.as_millis().wrapping_sub(since.as_millis()))
    }

    const fn time(self, since: Time) -> Time {
        Time::from_millis(since.as_millis().wrapping_add(self.0))
    }
}

impl Due {
    const fn check(&self, since: Time) -> Check {
        Check { due: self.due.time(since), reason: self.reason }
    }
}

/// The first part of [`Packed`], up to what a list row may show.
#[derive(Deserialize)]
struct Front<'a> {
    since: Time,
    check: Option<Due>,
    grave: Option<Grave>,
    #[serde(borrow)]
    published: Option<FrontFacts<'a>>,
}

/// What a list row may show of [`Facts`].
#[derive(Clone, Copy, Serialize, Deserialize)]
struct FrontFacts<'a> {
    kyc_status: KycStatus,
    risk: Risk,
    updated_at: Option<Later>,
    /// Hashes, fingerprint and personal digest: they use all of their bits, and as varints would take a fifth more.
    #[serde(borrow)]
    bits: &'a [u8],
}

#[derive(Serialize, Deserialize)]
struct Facts<'a> {
    #[serde(borrow)]
    front: FrontFacts<'a>,
    aml_status: AmlStatus,
    monitoring: Monitoring,
    retries: u32,
    reading: Reading,
    notices: Notices,
}

const HASHES: usize = 4 * HASHED_FIELDS.len();

/// What [`FrontFacts::bits`] is made of.
fn bits(published: &Published) -> Vec<u8> {
    let mut bits = Vec::with_capacity(HASHES + 28);
    bits.extend(published.hashes.iter().flat_map(|hash| hash.to_le_bytes()));
    bits.extend(published.fingerprint.to_le_bytes());
    if let Some(personal) = &published.personal {
        bits.extend(personal.key.to_le_bytes());
        bits.extend(personal.digest.to_le_bytes());
    }
    bits
}

impl Facts<'_> {
    fn published(&self, since: Time) -> Option<Published> {
        let FrontFacts { kyc_status, risk, updated_at, bits } = self.front;
        let (hashes, rest) = bits.split_at_checked(HASHES)?;
        let (fingerprint, personal) = rest.split_first_chunk()?;
        let hashes = hashes.as_chunks().0;
        let personal = personal.split_first_chunk().and_then(|(key, digest)| {
            let digest = u64::from_le_bytes(*digest.first_chunk()?);
            Some(PersonalDigest { key: u32::from_le_bytes(*key), digest })
        });
        Some(Published {
            kyc_status,
            aml_status: self.aml_status,
            risk,
            monitoring: self.monitoring,
            retries: self.retries,
            updated_at: updated_at.map(|updated| updated.time(since)),
            hashes: std::array::from_fn(|field| hashes.get(field).map_or(0, |hash| u32::from_le_bytes(*hash))),
            fingerprint: u128::from_le_bytes(*fingerprint),
            personal,
            reading: self.reading,
            notices: self.notices,
        })
    }
}

/// Appends the packed form.
pub(super) fn pack(entry: &Entry, to: Vec<u8>) -> Vec<u8> {
    let bits = entry.published.as_ref().map(bits).unwrap_or_default();
    let published = entry.published.as_ref().map(|published| Facts {
        front: FrontFacts {
            kyc_status: published.kyc_status,
            risk: published.risk,
            updated_at: published.updated_at.map(|updated| Later::new(updated, entry.since)),
            bits: &bits,
        },
        aml_status: published.aml_status,
        monitoring: published.monitoring,
        retries: published.retries,
        reading: published.reading,
        notices: published.notices,
    });
    let check = entry.check.map(|check| Due { due: Later::new(check.due, entry.since), reason: check.reason });
    let packed = Packed { since: entry.since, check, grave: entry.grave, published, sequence: entry.sequence };
    // Serialising into a Vec cannot fail: every type here has a fixed shape and no map.
    postcard::to_extend(&(packed, &entry.pending), to).unwrap_or_default()
}

/// Reads what [`pack`] wrote, whatever stands behind it.
pub(super) fn unpack(bytes: &[u8]) -> Option<Entry> {
    let ((packed, pending), _) = postcard::take_from_bytes::<(Packed<'_>, Option<Box<Pending>>)>(bytes).ok()?;
    let Packed { since, check, grave, published, sequence } = packed;
    let published = published.as_ref().and_then(|facts| facts.published(since));
    let check = check.map(|due| due.check(since));
    Some(Entry { sequence, published, since, pending, check, grave })
}

/// When and why to look again, without reading the rest.
pub(super) fn check(bytes: &[u8]) -> Option<Check> {
    let ((since, due), _) = postcard::take_from_bytes::<(Time, Option<Due>)>(bytes).ok()?;
    due.map(|due| due.check(since))
}

/// What tells whether a list row is known, without reading the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Glance {
    pub(super) check: Option<CheckReason>,
    pub(super) is_grave: bool,
    pub(super) published: Option<Shown>,
}

/// What a list row may show of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shown {
    pub(super) kyc_status: KycStatus,
    pub(super) risk: Risk,
    pub(super) updated_at: Option<Time>,
    pub(super) aml_word: u32,
}

impl From<&Entry> for Glance {
    fn from(entry: &Entry) -> Glance {
        let shown = |published: &Published| Shown {
            kyc_status: published.kyc_status,
            risk: published.risk,
            updated_at: published.updated_at,
            aml_word: published.hashes[AML_WORD],
        };
        Glance {
            check: entry.check.map(|check| check.reason),
            is_grave: entry.grave.is_some(),
            published: entry.published.as_ref().map(shown),
        }
    }
}

/// Reads the first part of what [`pack`] wrote.
pub(super) fn glance(bytes: &[u8]) -> Option<Glance> {
    let (front, _) = postcard::take_from_bytes::<Front<'_>>(bytes).ok()?;
    let shown = |facts: FrontFacts<'_>| {
        let word = facts.bits.get(4 * AML_WORD..)?.first_chunk()?;
        Some(Shown {
            kyc_status: facts.kyc_status,
            risk: facts.risk,
            updated_at: facts.updated_at.map(|updated| updated.time(front.since)),
            aml_word: u32::from_le_bytes(*word),
        })
    };
    let check = front.check.map(|check| check.reason);
    Some(Glance { check, is_grave: front.grave.is_some(), published: front.published.and_then(shown) })
}
