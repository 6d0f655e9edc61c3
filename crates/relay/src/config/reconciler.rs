//! The `[reconciler]` room.

use super::durations;
use super::read::Section;
use serde::Serialize;
use std::time::Duration;

/// How the loop works; its rules are per project.
#[derive(Clone, Debug, Serialize)]
pub struct Reconciler {
    /// GETs that run at the same time, over all projects. Default 64.
    pub max_in_flight: usize,
    /// Finished decisions wait at most so long for others to share their transaction. Default 10 ms.
    #[serde(serialize_with = "durations::duration")]
    pub commit_interval: Duration,
    /// Decisions in one transaction at most. Default 1,000.
    pub commit_max: usize,
}

impl Reconciler {
    pub(super) fn read(mut section: Section<'_>) -> Reconciler {
        let reconciler = Reconciler {
            max_in_flight: section.or("max_in_flight", 64),
            commit_interval: section.or("commit_interval", Duration::from_millis(10)),
            commit_max: section.or("commit_max", 1_000),
        };
        section.check("max_in_flight", (1..=10_000).contains(&reconciler.max_in_flight), "must be from 1 to 10000");
        section.check("commit_interval", reconciler.commit_interval <= Duration::from_secs(1), "must be 1s at most");
        section.check("commit_max", (1..=10_000).contains(&reconciler.commit_max), "must be from 1 to 10000");
        reconciler
    }
}
