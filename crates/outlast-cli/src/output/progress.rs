//! How far a long command has come, on standard error.

use std::io::{self, IsTerminal as _};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::output::note;

/// On a terminal a line that keeps changing, elsewhere a line at the beginning and one at the end.
#[derive(Debug)]
pub(crate) struct Progress {
    bar: Option<ProgressBar>,
    what: &'static str,
    quiet: bool,
}

impl Progress {
    /// Begins to say how far `what` has come; with `quiet` not a word.
    pub(crate) fn start(what: &'static str, quiet: bool) -> Self {
        if quiet {
            return Self { bar: None, what, quiet };
        }
        if !io::stderr().is_terminal() {
            note(&format!("{what} ..."));
            return Self { bar: None, what, quiet };
        }
        let bar = ProgressBar::new_spinner().with_message(what);
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} {pos} [{elapsed}]") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(100));
        Self { bar: Some(bar), what, quiet }
    }

    /// So many are done in all.
    pub(crate) fn reached(&self, done: u64) {
        if let Some(bar) = &self.bar {
            bar.set_position(done);
        }
    }

    /// It is over: `summary` says what came of it.
    pub(crate) fn finish(self, summary: &str) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        if !self.quiet {
            note(&format!("{}: {summary}", self.what));
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
