//! Whether an offset, or the cursor of a walk, may pass what it passes.

use super::facts::{is_set_aside, shows};
use super::{Book, Delivered, Look, Oracle, Seen};
use models::{Entry, Lane, Time};

impl Oracle {
    /// The offset of a lane moved: every hint that it passes has its effect.
    pub(super) fn moved(&mut self, partition: i32, lane: Lane, to: i64, at: i64) {
        let from = self.committed.insert((partition, lane), to).unwrap_or(0);
        if to < from {
            self.wrong(at, &format!("the offset of {partition} {lane:?} goes back from {from} to {to}"));
        }
        let mut wrong = Vec::new();
        for offset in from..to {
            match self.delivered.get(&(partition, lane, offset)) {
                // A request for a walk.
                None if lane == Lane::Bulk && partition == 0 => {}
                None => wrong.push(format!("offset {offset} of {partition} {lane:?} was never read")),
                Some(hint) if !self.has_effect(hint) => {
                    wrong.push(format!("{}: offset {offset} of {partition} {lane:?} has no effect", hint.key));
                }
                Some(_) => {}
            }
        }
        for what in wrong {
            self.wrong(at, &what);
        }
    }

    fn has_effect(&self, hint: &Delivered) -> bool {
        let Some(book) = self.books.get(&hint.key) else { return false };
        if hint.erase {
            return book.erased;
        }
        let answered = |look: &Look| look.seen != Seen::Failed && look.started >= hint.at && look.ended <= book.written;
        if book.erased || book.looks.iter().any(answered) {
            return true;
        }
        let Some(entry) = &book.entry else {
            // Forgotten: no look of the ladder knew it. The list may tell of it again, but never of a notice.
            return book.written >= hint.at && !hint.vouched;
        };
        if hint.row.as_ref().is_some_and(|row| shows(entry, row) || is_set_aside(entry)) {
            return true;
        }
        let Some((_, pending)) = entry.check.zip(entry.pending.as_ref()) else { return false };
        let noticed = |mine: Option<models::Notice>, kept: Option<models::Notice>| mine.is_none() || kept.is_some();
        let claimed = hint.claim.as_ref().is_none_or(|claim| pending.claims.contains(claim) || pending.is_full());
        claimed
            && noticed(hint.notices.aml, pending.notices.aml)
            && noticed(hint.notices.monitoring, pending.notices.monitoring)
            && (hint.claim.is_some() || (is_set_aside(entry) && book.written >= hint.at))
    }

    /// A walk goes on behind a page: each of its rows is known, or somebody is told of it.
    pub(super) fn walked(&mut self, project: &str, serial: &str, (from, to): (Option<Time>, Time), at: i64) {
        let Some((shown_at, rows)) = self.pages.remove(serial) else { return };
        for (key, row) in rows {
            let created = row.created_at.unwrap_or(Time::MIN);
            let inside = created <= to && from.is_none_or(|from| created >= from);
            let due = |entry: &Entry| entry.check.is_some_and(|check| check.due <= self.plan.time(at));
            let looked = |book: &Book| {
                book.hinted >= Some(shown_at)
                    // A replica learns some time after a commit that it took effect.
                    || book.written + 1_000 >= shown_at
                    || book.looks.iter().any(|look| look.started >= shown_at)
                    || book.entry.as_ref().is_some_and(|entry| shows(entry, &row) || is_set_aside(entry) || due(entry))
            };
            let waits = self.delivered.iter().any(|((partition, lane, offset), hint)| {
                hint.key == key && *offset >= self.committed.get(&(*partition, *lane)).copied().unwrap_or(0)
            });
            let flying = self.in_flight.values().any(|flying| flying.contains_key(&key));
            if inside && !self.plan.jumps && !waits && !flying && !self.books.get(&key).is_some_and(looked) {
                self.wrong(at, &format!("the walk of {project} passes {key} and tells nobody"));
            }
        }
    }
}
