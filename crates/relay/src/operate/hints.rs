//! The hints that operators send: they go the way of all hints, and the service decides.

use models::{Hint, Key, Time};

/// Have a submission looked at.
pub fn look(key: &Key, now: Time) -> Hint {
    Hint::of_operator(key, now, fastrand::u64(..))
}

/// Have a submission forgotten for good.
pub fn erase(key: &Key, now: Time) -> Hint {
    Hint { erase: true, ..look(key, now) }
}
