//! An answer of the usual shape, in one pass over its text.
//!
//! Owns: nothing that [`Answer::open`](crate::answer::Answer::open) does not say too: what is read here is read as there
//! (property tests hold that), and whatever is unusual is left to it. Must not know what an item holds. Pure.

use crate::scan::{Scan, Unusual};
use crate::wire::Raw;

/// Whoever takes the items of an answer.
pub(crate) trait Items<'a> {
    /// Takes the next item, an object.
    fn item(&mut self, scan: &mut Scan<'a>) -> Result<(), Unusual>;
}

/// What an answer holds beside its items.
pub(crate) struct Rest<'a> {
    /// `nextpageKey`, unread.
    pub(crate) next: Option<Raw<'a>>,
}

/// Hands out the items. `None` if the answer is not of the usual shape, an object with one
/// `Items`, an array of objects; what was handed out is void then.
pub(crate) fn read<'a>(text: &'a str, items: &mut impl Items<'a>) -> Option<Rest<'a>> {
    let (mut scan, mut lists, mut next) = (Scan::new(text), 0, None);
    let read = scan.members(|scan, name| match name {
        "Items" | "items" => {
            lists += 1;
            scan.elements(|scan| items.item(scan))
        }
        "nextpageKey" => {
            let value = scan.raw()?;
            next = value.kind().map(|_| value);
            Ok(())
        }
        _ => scan.skip(),
    });
    read.and_then(|()| scan.end()).ok()?;
    (lists == 1).then_some(Rest { next })
}
