//! The `[log]` room.

use super::read::Section;
use super::values::choice;
use serde::Serialize;
use tracing_subscriber::EnvFilter;

choice! {
    /// The form of log lines.
    LogFormat {
        /// Text on a terminal, JSON elsewhere.
        Auto = "auto",
        /// One JSON object a line.
        Json = "json",
        /// For people.
        Text = "text",
    }
}

/// What is logged, and how.
#[derive(Clone, Debug, Serialize)]
pub struct Log {
    /// Default `auto`.
    pub format: LogFormat,
    /// Levels, also by module: `info`, or `info,reconciler=debug`. Default `info`.
    pub filter: String,
}

impl Log {
    pub(super) fn read(mut section: Section<'_>) -> Log {
        let log =
            Log { format: section.or("format", LogFormat::Auto), filter: section.or("filter", "info".to_owned()) };
        let good = !log.filter.trim().is_empty() && EnvFilter::builder().parse(&log.filter).is_ok();
        section.check("filter", good, "is not a list of levels such as \"info,reconciler=debug\"");
        log
    }
}
