//! A pipeline as it goes, on standard error: a moving line on a terminal, a line per change
//! elsewhere.

use std::collections::BTreeSet;
use std::io::{self, IsTerminal as _};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use outlast::fleet::pipeline::{PipelineState, Progress};
use outlast::{StageStatus, Status as _};

use crate::output::{note, printable};

/// How many of the hosts that work are named.
const MOST_NAMED: usize = 4;

/// What is shown of a pipeline.
#[derive(Debug)]
pub(super) struct Live {
    bar: Option<ProgressBar>,
    quiet: bool,
    op: String,
    working: BTreeSet<String>,
}

impl Live {
    /// Begins to show a pipeline that stands there. `quiet` shows nothing.
    pub(super) fn start(state: &PipelineState, quiet: bool) -> Self {
        let bar = (!quiet && io::stderr().is_terminal()).then(|| bar(state));
        Self { bar, quiet, op: String::new(), working: BTreeSet::new() }
    }

    /// Something has moved.
    pub(super) fn show(&mut self, progress: &Progress) {
        let Progress::Stage { op, host_id, status, .. } = progress else { return };
        if *status == StageStatus::Running {
            self.op.clone_from(op);
            self.working.insert(host_id.clone());
        } else {
            self.working.remove(host_id);
        }
        let line = line(progress);
        match &self.bar {
            Some(bar) => {
                if status.is_settled() {
                    bar.inc(1);
                    bar.println(printable(&line));
                }
                bar.set_message(printable(&self.names()).into_owned());
            }
            None if self.quiet => {}
            None => note(&line),
        }
    }

    fn names(&self) -> String {
        let shown: Vec<_> = self.working.iter().take(MOST_NAMED).map(String::as_str).collect();
        let more = match self.working.len().saturating_sub(MOST_NAMED) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        if shown.is_empty() {
            return String::new();
        }
        format!("{} on {}{more}", self.op, shown.join(", "))
    }

    /// The pipeline is over, and so many changes were not shown.
    pub(super) fn finish(self, unsent: u64) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        if unsent > 0 {
            note(&format!("{unsent} changes came too fast to be shown; all of them are recorded"));
        }
    }
}

fn bar(state: &PipelineState) -> ProgressBar {
    let all = state.pipeline.stages.len() * state.pipeline.hosts.len();
    let settled = state.outcomes().filter(|outcome| outcome.status.is_settled()).count();
    let bar = ProgressBar::new(all as u64).with_position(settled as u64);
    if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len} [{elapsed}] {msg}") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(250));
    bar
}

/// What became of a stage on a host, in words.
fn line(progress: &Progress) -> String {
    let Progress::Stage { op, host_id, status, error, .. } = progress else {
        return String::new();
    };
    let why = error.as_ref().map(|error| format!(": {error}")).unwrap_or_default();
    format!("{op} on {host_id} is {}{why}", word(*status))
}

/// What a status is called where people read it.
pub(super) fn word(status: StageStatus) -> &'static str {
    match status {
        StageStatus::Pending => "waiting",
        StageStatus::Success => "done",
        status => status.as_str(),
    }
}
