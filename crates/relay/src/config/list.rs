//! `[projects.list]`: how ARGOS's list is asked, where its pages are silent or disagree (ARGOS protocol, section 4.1).

use super::durations;
use super::read::Section;
use super::values::choice;
use serde::Serialize;
use std::time::Duration;

choice! {
    /// How a day is written.
    DateFormat {
        /// As the newer pages write it.
        Dashed = "YYYY-MM-DD",
        /// As the older ones do.
        Compact = "YYYYMMDD",
    }
}

/// How the list is asked.
#[derive(Clone, Debug, Serialize)]
pub struct List {
    /// Default `YYYY-MM-DD`.
    pub date_format: DateFormat,
    /// Rows to a page. Default 50, which every reading of the pages allows.
    pub page_size: u32,
    /// How much wider than the wanted time a period is asked, at either end: neither the zone of ARGOS's days nor
    /// whether the last one belongs to the period is documented. Default 1 day.
    #[serde(serialize_with = "durations::duration")]
    pub zone_margin: Duration,
}

impl List {
    pub(super) fn read(mut section: Section<'_>) -> List {
        let page_size = section.or("page_size", 50);
        section.check("page_size", (1..=2000).contains(&page_size), "must be from 1 to 2000");
        let zone_margin = section.or("zone_margin", Duration::from_hours(24));
        let fits = zone_margin <= Duration::from_hours(7 * 24);
        section.check("zone_margin", fits, "must be 7d at most");
        List { date_format: section.or("date_format", DateFormat::Dashed), page_size, zone_margin }
    }
}
