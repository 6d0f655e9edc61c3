//! What an operator sets for a project, as the decision sees it. Plain data with the design's defaults.

use models::{Authentication, Time};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);

/// What happens to submissions that were already old when the service first ran.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Baseline {
    /// First seen and last changed before this time: entry and snapshot, no event.
    Snapshots {
        /// `None`: since the partition first ran with this project ([`models::Standing::first_run`]).
        live_since: Option<Time>,
    },
    /// Every submission starts with its event.
    Events,
}

/// One project's rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// When to look again while a GET does not show what a hint claims. Not empty; each step is taken once.
    pub ladder: Vec<Duration>,
    /// Shortest pause between looks at a submission that is incomplete, under review or waits for its screening.
    pub settle_first: Duration,
    /// Longest such pause.
    pub settle_cap: Duration,
    /// After this age only re-looks follow.
    pub settle_for: Duration,
    /// Ages at which one GET is made whatever the list says; the last repeats. Empty = never.
    pub relooks: Vec<Duration>,
    /// The pause before an absence is believed.
    pub deletion_confirm_after: Duration,
    /// See [`Baseline`].
    pub baseline: Baseline,
    /// Which authentication (any one of these) makes an AML or monitoring notice count.
    pub notice_authentication: Authentication,
    /// Whether approved submissions are screened, where the answer itself does not tell.
    pub aml_expected: bool,
    /// A claim's time may lie this far after the truth's and still count as shown.
    pub clock_tolerance: Duration,
    /// First pause after a failed look; doubles up to `failure_cap`.
    pub failure_first: Duration,
    /// Longest pause after failed looks.
    pub failure_cap: Duration,
    /// Unreadable answers before a dead letter.
    pub dead_letter_after: u16,
    /// The pause between looks at a dead-lettered submission.
    pub dead_letter_pause: Duration,
}

impl Default for Policy {
    fn default() -> Policy {
        Policy {
            ladder: vec![SECOND, 5 * SECOND, 30 * SECOND, 5 * MINUTE],
            settle_first: MINUTE,
            settle_cap: 6 * HOUR,
            settle_for: 7 * DAY,
            relooks: vec![HOUR, DAY, 7 * DAY, 30 * DAY],
            deletion_confirm_after: 30 * SECOND,
            baseline: Baseline::Events,
            notice_authentication: Authentication::SOURCE_IP
                .with(Authentication::PATH_TOKEN)
                .with(Authentication::HMAC)
                .with(Authentication::ENCRYPTED),
            aml_expected: false,
            clock_tolerance: 2 * SECOND,
            failure_first: SECOND,
            failure_cap: 5 * MINUTE,
            dead_letter_after: 10,
            dead_letter_pause: DAY,
        }
    }
}
