//! A run as it goes, on standard error: a moving line on a terminal, a line per change elsewhere.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal as _};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use outlast::tasks::{Event, RunState};
use outlast::{Status as _, TaskStatus};

use crate::output::{note, printable};

/// How many of the tasks that run are named.
const MOST_NAMED: usize = 4;

/// What is shown of a run.
#[derive(Debug)]
pub(super) struct Live {
    bar: Option<ProgressBar>,
    quiet: bool,
    running: BTreeMap<String, TaskStatus>,
}

impl Live {
    /// Begins to show a run that stands there. `quiet` shows nothing.
    pub(super) fn start(state: &RunState, quiet: bool) -> Self {
        let bar = (!quiet && io::stderr().is_terminal()).then(|| bar(state));
        Self { bar, quiet, running: BTreeMap::new() }
    }

    /// A task has moved.
    pub(super) fn show(&mut self, event: &Event) {
        if event.status.is_settled() {
            self.running.remove(&event.name);
        } else {
            self.running.insert(event.name.clone(), event.status);
        }
        match &self.bar {
            Some(bar) => {
                if event.status.is_settled() {
                    bar.inc(1);
                    bar.println(printable(&line(event)));
                }
                bar.set_message(printable(&self.names()).into_owned());
            }
            None if self.quiet => {}
            None => note(&line(event)),
        }
    }

    fn names(&self) -> String {
        let names = self.running.iter().map(|(name, status)| match status {
            TaskStatus::Idle => format!("{name} (idle)"),
            _ => name.clone(),
        });
        let shown: Vec<_> = names.take(MOST_NAMED).collect();
        match self.running.len().saturating_sub(MOST_NAMED) {
            0 => shown.join(", "),
            more => format!("{} and {more} more", shown.join(", ")),
        }
    }

    /// The run is over, and so many changes were not shown.
    pub(super) fn finish(self, unsent: u64) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        if unsent > 0 {
            note(&format!("{unsent} changes came too fast to be shown; all of them are recorded"));
        }
    }
}

fn bar(state: &RunState) -> ProgressBar {
    let settled = state.tasks.iter().filter(|task| task.status.is_settled()).count();
    let bar = ProgressBar::new(state.tasks.len() as u64).with_position(settled as u64);
    if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len} [{elapsed}] {msg}") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(250));
    bar
}

/// What became of a task, in words.
fn line(event: &Event) -> String {
    let again =
        if event.attempt > 1 { format!(" (attempt {})", event.attempt) } else { String::new() };
    let why = event.error.as_ref().map(|error| format!(": {error}")).unwrap_or_default();
    format!("task {} is {}{again}{why}", event.name, event.status.as_str())
}
