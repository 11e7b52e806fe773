//! How far a move has come, on standard error: with its rate, and how long it will still take.

use std::io::{self, IsTerminal as _};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use outlast::{Clock as _, SystemClock};

use crate::control::Told;
use crate::duration::display;
use crate::output::note;

/// Between two lines, where no terminal can show a line that changes.
const BETWEEN_LINES: Duration = Duration::from_secs(2);

/// Shows steps of a move.
#[derive(Debug)]
pub(crate) struct Steps {
    quiet: bool,
    terminal: bool,
    clock: SystemClock,
    /// What is being filled, since when, and when that was told last.
    filling: Option<Filling>,
}

#[derive(Debug)]
struct Filling {
    what: String,
    began: Duration,
    told_at: Duration,
    bar: Option<ProgressBar>,
}

impl Drop for Filling {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

impl Steps {
    /// Begins; with `quiet` not a word.
    pub(crate) fn start(quiet: bool) -> Self {
        let terminal = io::stderr().is_terminal();
        Self { quiet, terminal, clock: SystemClock::default(), filling: None }
    }

    /// Shows one step.
    pub(crate) fn told(&mut self, step: &Told) {
        if self.quiet {
            return;
        }
        match step {
            Told::Working => {}
            Told::Backfill { kind, done, total } => {
                self.fill(&format!("{kind} is copied"), *done, Some(*total));
            }
            Told::Exported { records } => self.fill("the database is exported", *records, None),
            Told::Compared { kind, entities, versions, entries } => self.say(&format!(
                "{kind} was compared: {entities} entities, {versions} versions, {entries} entries"
            )),
            Told::Rehearsed { kind, .. } => self.say(&format!("{kind} was rehearsed")),
            Told::Moved { kind, from, to, .. } => self.say(&format!("{kind}: {from} to {to}")),
        }
    }

    fn say(&mut self, text: &str) {
        self.filling = None;
        note(text);
    }

    fn fill(&mut self, what: &str, done: u64, total: Option<u64>) {
        let now = self.clock.monotonic();
        if self.filling.as_ref().is_none_or(|filling| filling.what != what) {
            let bar = self.terminal.then(|| bar(what, total));
            let what = what.to_owned();
            self.filling = Some(Filling { what, began: now, told_at: now, bar });
        }
        let Some(filling) = &mut self.filling else { return };
        if let Some(bar) = &filling.bar {
            bar.set_position(done);
        } else if now.saturating_sub(filling.told_at) >= BETWEEN_LINES {
            filling.told_at = now;
            note(&line(what, done, total, now.saturating_sub(filling.began)));
        }
    }
}

fn line(what: &str, done: u64, total: Option<u64>, took: Duration) -> String {
    let millis = u64::try_from(took.as_millis()).unwrap_or(u64::MAX).max(1);
    let rate = done.saturating_mul(1000) / millis;
    let Some(total) = total else { return format!("{what}: {done} so far, {rate}/s") };
    let left = total.saturating_sub(done) / rate.max(1);
    format!("{what}: {done} of {total}, {rate}/s, {} left", display(Duration::from_secs(left)))
}

fn bar(what: &str, total: Option<u64>) -> ProgressBar {
    let bar = total.map_or_else(ProgressBar::new_spinner, ProgressBar::new);
    let template = if total.is_some() {
        "{msg} {bar:30} {pos}/{len} {per_sec} {eta} left"
    } else {
        "{spinner} {msg} {pos} {per_sec} [{elapsed}]"
    };
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar.set_message(what.to_owned());
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_tells_the_rate_and_what_is_left() {
        let took = Duration::from_secs(2);
        assert_eq!(
            line("note is copied", 100, Some(400), took),
            "note is copied: 100 of 400, 50/s, 6.0s left"
        );
        assert_eq!(line("x", 0, None, Duration::ZERO), "x: 0 so far, 0/s");
    }
}
