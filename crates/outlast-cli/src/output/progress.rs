//! How far a long command has come, on standard error.

use std::io::{self, IsTerminal as _};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use outlast::{Clock as _, SystemClock};

use crate::output::note;

/// Between two lines, where no terminal can show a line that changes.
const BETWEEN_LINES: Duration = Duration::from_secs(5);

/// On a terminal a line that keeps changing, elsewhere a line now and then and one at the end.
#[derive(Debug)]
pub(crate) struct Progress {
    what: &'static str,
    form: Form,
}

#[derive(Debug)]
enum Form {
    Quiet,
    Bar(ProgressBar),
    Lines { clock: SystemClock, told_at: Duration },
}

impl Progress {
    /// Begins to say how far `what` has come; with `quiet` not a word.
    pub(crate) fn start(what: &'static str, quiet: bool) -> Self {
        let form = if quiet {
            Form::Quiet
        } else if io::stderr().is_terminal() {
            Form::Bar(bar(what))
        } else {
            Form::Lines { clock: SystemClock::default(), told_at: Duration::ZERO }
        };
        Self { what, form }
    }

    /// So many records are done in all.
    pub(crate) fn reached(&mut self, done: u64) {
        match &mut self.form {
            Form::Quiet => {}
            Form::Bar(bar) => bar.set_position(done),
            Form::Lines { clock, told_at } => {
                let now = clock.monotonic();
                if now.saturating_sub(*told_at) >= BETWEEN_LINES {
                    *told_at = now;
                    note(&format!("{}: {done} records so far", self.what));
                }
            }
        }
    }

    /// It is over: `summary` says what came of it.
    pub(crate) fn finish(self, summary: &str) {
        self.clear();
        if !matches!(self.form, Form::Quiet) {
            note(&format!("{}: {summary}", self.what));
        }
    }

    fn clear(&self) {
        if let Form::Bar(bar) = &self.form {
            bar.finish_and_clear();
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.clear();
    }
}

fn bar(what: &'static str) -> ProgressBar {
    let bar = ProgressBar::new_spinner().with_message(what);
    if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} {pos} [{elapsed}]") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}
