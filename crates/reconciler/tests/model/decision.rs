//! The decision, as far as the protocol rests on it: what a look makes of an entry.

use super::bug::Bug;
use super::state::Entry;

/// Looks in vain after which a claim is dropped. The service's ladder has five.
const LADDER: u8 = 2;

/// What a look shows.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Look {
    Shows(u8),
    Fails,
}

pub(crate) fn decide(entry: Entry, look: Look, claim: u8, bug: Option<Bug>) -> Entry {
    let is_new = claim > entry.claim;
    let wanted = claim.max(entry.claim);
    let Look::Shows(version) = look else {
        let check = bug != Some(Bug::ParkedWithoutTimer);
        let tries = if is_new { 0 } else { entry.tries };
        return Entry { claim: wanted, tries, check, ..entry };
    };
    let is_older = version < entry.published && bug != Some(Bug::StaleAccepted);
    let published = if is_older { entry.published } else { version };
    let tries = if is_new { 1 } else { entry.tries + 1 };
    let (claim, tries) = if wanted > version && tries < LADDER { (wanted, tries) } else { (0, 0) };
    Entry {
        sequence: entry.sequence + u8::from(published != entry.published),
        published,
        claim,
        tries,
        check: claim > 0 || is_older,
    }
}
