//! Signed requests that were seen before.
//!
//! Owns the memory of the last signatures of one project that led to a hint, bounded by their number. Must not know how
//! a signature is checked ([`crate::signature`]) or what follows from a repeat: it is counted, and is harmless, because a
//! repeated hint is at most one more GET of the same submission. Pure.

use std::collections::{HashSet, VecDeque};

/// So many are remembered; 64 bytes each or less.
const REMEMBERED: usize = 4096;

/// The memory of one project.
#[derive(Debug, Default)]
pub(crate) struct Recent {
    known: HashSet<[u8; 16]>,
    order: VecDeque<[u8; 16]>,
}

impl Recent {
    /// Whether it is one of those remembered.
    pub(crate) fn knows(&self, signature: &[u8; 32]) -> bool {
        self.known.contains(&half(signature))
    }

    /// Remembers it, and forgets the oldest if there are too many.
    pub(crate) fn remember(&mut self, signature: &[u8; 32]) {
        if !self.known.insert(half(signature)) {
            return;
        }
        self.order.push_back(half(signature));
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
    }
}

/// Enough to tell signatures apart, and too little to be one.
fn half(signature: &[u8; 32]) -> [u8; 16] {
    let mut half = [0; 16];
    half.copy_from_slice(&signature[..16]);
    half
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signature(number: usize) -> [u8; 32] {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&number.to_be_bytes());
        bytes
    }

    #[test]
    fn the_last_ones_are_remembered_and_no_more() {
        let mut recent = Recent::default();
        for number in 0..REMEMBERED + 10 {
            assert!(!recent.knows(&signature(number)));
            recent.remember(&signature(number));
            recent.remember(&signature(number));
        }
        assert!(!recent.knows(&signature(9)) && recent.knows(&signature(10)));
        assert_eq!((recent.known.len(), recent.order.len()), (REMEMBERED, REMEMBERED));
    }
}
