//! One piece of work after another, each by a fresh process in a fresh folder, and the medians.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde::Deserialize;

use crate::Result;

/// What is done, by whom, and how much of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Run {
    pub(super) work: &'static str,
    pub(super) by: &'static str,
    pub(super) callers: usize,
    pub(super) ops: usize,
    pub(super) entities: usize,
}

/// What was measured of a run.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Measured {
    ops: f64,
    pub(super) per_second: Option<f64>,
    pub(super) p50_us: Option<f64>,
    pub(super) p99_us: Option<f64>,
    pub(super) p999_us: Option<f64>,
    bytes: Option<f64>,
}

impl Measured {
    /// Bytes per operation, written or held.
    pub(super) fn bytes_each(&self) -> Option<f64> {
        self.bytes.map(|bytes| bytes / self.ops)
    }
}

/// The program that does the work, and what it has measured so far.
pub(super) struct Runs {
    pub(super) program: PathBuf,
    pub(super) dir: Option<PathBuf>,
    pub(super) measured: BTreeMap<Run, Vec<Measured>>,
}

impl Runs {
    /// Does each of them once. Called round by round, so that what the machine does meanwhile
    /// falls on all of them.
    pub(super) fn round(&mut self, runs: &[Run]) -> Result<()> {
        for run in runs {
            let measured = self.once(run)?;
            self.measured.entry(*run).or_default().push(measured);
        }
        Ok(())
    }

    fn once(&self, run: &Run) -> Result<Measured> {
        let Run { work, by, callers, ops, entities } = run;
        let mut command = Command::new(&self.program);
        command.args([work, by]);
        for (flag, value) in [("--callers", callers), ("--ops", ops), ("--entities", entities)] {
            command.args([flag, &value.to_string()]);
        }
        if let Some(dir) = &self.dir {
            command.arg("--dir").arg(dir);
        }
        eprintln!("{work} by {by}, {callers} callers, {ops} of it, {entities} entities");
        let output = command.stderr(Stdio::inherit()).output()?;
        if !output.status.success() {
            return Err(format!("{work} by {by} failed; what it said stands above").into());
        }
        Ok(serde_json::from_slice(&output.stdout)?)
    }

    /// The median of one figure of a run over all rounds; `None` if it was not measured.
    pub(super) fn median(&self, run: &Run, figure: fn(&Measured) -> Option<f64>) -> Option<f64> {
        let mut values: Vec<f64> = self.measured.get(run)?.iter().filter_map(figure).collect();
        values.sort_by(f64::total_cmp);
        values.get(values.len() / 2).copied()
    }
}
