//! How far a long command is: a line that moves on a terminal, a line now and then elsewhere, nothing beside JSON.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::cell::Cell;
use std::io::IsTerminal;
use std::time::{Duration, Instant};

/// Between two plain lines.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// On standard error, so that results can be piped.
pub(super) struct Progress {
    bar: ProgressBar,
    /// Where there is no terminal: when the last line was written.
    plain: Option<Cell<Option<Instant>>>,
}

impl Progress {
    /// `shown`: not beside JSON.
    pub(super) fn new(shown: bool) -> Progress {
        if !shown {
            return Progress { bar: ProgressBar::hidden(), plain: None };
        }
        if !std::io::stderr().is_terminal() {
            return Progress { bar: ProgressBar::hidden(), plain: Some(Cell::new(None)) };
        }
        let style = ProgressStyle::with_template("{spinner} {elapsed_precise} {msg}");
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        if let Ok(style) = style {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(200));
        Progress { bar, plain: None }
    }

    /// Without plain lines elsewhere: for what mostly takes no time.
    pub(super) fn only_on_a_terminal(mut self) -> Progress {
        self.plain = None;
        self
    }

    /// Replaces what is told.
    pub(super) fn say(&self, text: &str) {
        self.bar.set_message(text.to_owned());
        if let Some(last) = &self.plain
            && last.get().is_none_or(|at| at.elapsed() >= LINE_EVERY)
        {
            last.set(Some(Instant::now()));
            eprintln!("{text}");
        }
    }

    /// Takes the moving line away.
    pub(super) fn end(&self) {
        self.bar.finish_and_clear();
    }
}
