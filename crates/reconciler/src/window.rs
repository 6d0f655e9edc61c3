//! The unsettled offsets of one lane of one partition, and the low watermark that may be committed. Pure.
//!
//! Completion is out of order; the offset carried in a transaction is the lowest that is not settled by it.

use std::collections::BTreeMap;

/// See the module.
#[derive(Debug, Default)]
pub struct Window {
    /// One past the last offset seen.
    next: i64,
    /// What was last committed.
    committed: i64,
    /// Offsets not settled; `true` = the batch under way settles it.
    open: BTreeMap<i64, bool>,
}

impl Window {
    /// Nothing seen; the lane goes on at `next`, which is also what is committed.
    pub fn starting_at(next: i64) -> Window {
        Window { next, committed: next, open: BTreeMap::new() }
    }

    /// An offset was read and is not settled.
    pub fn open(&mut self, offset: i64) {
        self.skip(offset);
        self.open.insert(offset, false);
    }

    /// An offset was read and needs no settling.
    pub fn skip(&mut self, offset: i64) {
        self.next = self.next.max(offset + 1);
    }

    /// An offset is settled without a write.
    pub fn settle(&mut self, offset: i64) {
        self.open.remove(&offset);
    }

    /// The batch under way settles this offset if it succeeds.
    pub fn stage(&mut self, offset: i64) {
        if let Some(staged) = self.open.get_mut(&offset) {
            *staged = true;
        }
    }

    /// The offset to commit: the lowest that the batch does not settle.
    pub fn low(&self) -> i64 {
        self.open.iter().find(|(_, staged)| !**staged).map_or(self.next, |(offset, _)| *offset)
    }

    /// The batch succeeded with this offset.
    pub fn committed(&mut self, low: i64) {
        self.committed = low;
        self.open.retain(|_, staged| !*staged);
    }

    /// Whether a commit would move the offset.
    pub fn is_behind(&self) -> bool {
        self.low() != self.committed
    }

    /// How many offsets are unsettled.
    pub fn unsettled(&self) -> usize {
        self.open.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_lowest_unsettled_offset_holds_the_watermark() {
        let mut window = Window::starting_at(10);
        for offset in 10..14 {
            window.open(offset);
        }
        window.stage(10);
        window.stage(12);
        assert_eq!(window.low(), 11);
        window.committed(11);
        window.settle(11);
        assert_eq!(window.low(), 13);
        window.skip(14);
        window.settle(13);
        assert_eq!(window.low(), 15);
    }

    proptest! {
        #[test]
        fn no_unsettled_offset_is_ever_passed(steps in prop::collection::vec((0..4_u8, 0..40_i64), 0..200)) {
            let mut window = Window::starting_at(0);
            let mut unsettled = std::collections::BTreeSet::new();
            let mut read = 0;
            for (step, pick) in steps {
                match step {
                    0 => { window.open(read); unsettled.insert(read); read += 1; }
                    1 => { window.skip(read); read += 1; }
                    2 => { window.settle(pick); unsettled.remove(&pick); }
                    _ => { window.stage(pick); let low = window.low(); window.committed(low); unsettled.remove(&pick); }
                }
                prop_assert_eq!(window.low(), unsettled.first().copied().unwrap_or(read));
            }
        }
    }
}
