//! Whether the sweeps fit into the budget, by the number of submissions that is expected. An estimate: it warns, and
//! refuses nothing.

use super::read::Section;
use super::schedules::{Sweep, Sweeps};
use std::time::Duration;

const DAY: Duration = Duration::from_hours(24);

/// While live work takes all it can, bulk has a ninth of the budget, and pages have every other turn of bulk.
const SURE_SHARE: f64 = 1.0 / 18.0;

/// What a project may ask for, and how its list is paged.
pub(super) struct Budget {
    pub(super) per_second: f64,
    pub(super) per_day: u64,
    pub(super) page_size: u32,
}

/// Warns of walks that do not fit into their interval, and of pages that take much of a day's quota.
pub(super) fn warn(section: &Section<'_>, sweeps: &Sweeps, budget: &Budget) {
    let mut pages_a_day = 0.0;
    for (name, sweep) in [("recent", &sweeps.recent), ("month", &sweeps.month)] {
        let pages = pages(sweep, sweeps.expected_per_day, budget.page_size);
        let room = sweep.every.as_secs_f64() * budget.per_second * SURE_SHARE;
        if pages > room {
            section.warn(
                &format!("sweeps.{name}"),
                format!(
                    "a walk of about {pages:.0} pages does not fit into `every`: beside live work about {room:.0} are sure; \
                     raise `every`, `list.page_size` or `requests_per_second`, or correct `sweeps.expected_per_day`"
                ),
            );
        }
        pages_a_day += pages * DAY.as_secs_f64() / sweep.every.as_secs_f64();
    }
    if pages_a_day > budget.per_day as f64 / 2.0 {
        let message = format!("sweeps alone would take about {pages_a_day:.0} requests a day, more than half of it");
        section.warn("requests_per_day", message);
    }
}

/// Pages of one walk. A day's worth more, since the list is asked by whole days.
fn pages(sweep: &Sweep, expected_per_day: u64, page_size: u32) -> f64 {
    let days = sweep.created_within.unwrap_or_default().as_secs_f64() / DAY.as_secs_f64() + 1.0;
    (days * expected_per_day as f64 / f64::from(page_size)).max(1.0)
}
