//! Where time comes from. The only place in the workspace that reads a clock.

use models::Time;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A source of the present.
pub trait Clock: Send + Sync + 'static {
    /// Now.
    fn now(&self) -> Time;
}

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the shell's clock")]
    fn now(&self) -> Time {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        Time::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }
}

/// The runtime's clock, counted from a given time: it stands still and jumps with the paused time of tests.
#[derive(Clone, Copy, Debug)]
pub struct RuntimeClock {
    base: Time,
    start: tokio::time::Instant,
}

impl RuntimeClock {
    /// Starts counting at `base`.
    pub fn starting_at(base: Time) -> RuntimeClock {
        RuntimeClock { base, start: tokio::time::Instant::now() }
    }
}

impl Clock for RuntimeClock {
    fn now(&self) -> Time {
        self.base + self.start.elapsed()
    }
}
