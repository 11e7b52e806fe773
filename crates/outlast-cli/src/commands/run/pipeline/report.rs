//! What a pipeline comes to: as text, as JSON, and as an exit code.

use outlast::fleet::pipeline::{PipelineState, Progress, StageStats};
use outlast::{PipelineRecovery, PipelineStatus, StageStatus, Status as _};
use serde_json::json;

use crate::commands::run::pipeline::live::word;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{Output, note};

/// How many outcomes that were not successful are named in the text.
const MOST_NAMED: usize = 20;

/// The pipeline begins, or goes on.
pub(super) fn begun(state: &PipelineState, out: &mut Output) -> Result<(), Failure> {
    let pipeline = &state.pipeline;
    if out.is_json() {
        let stages: Vec<_> = pipeline.stages.iter().map(|stage| &stage.op).collect();
        out.json(&json!({
            "event": "run",
            "pipeline": pipeline.id(),
            "name": pipeline.name,
            "status": pipeline.status,
            "stages": stages,
            "hosts": pipeline.hosts,
        }))?;
        return out.flush();
    }
    let (stages, hosts) = (pipeline.stages.len(), pipeline.hosts.len());
    let found = match pipeline.status {
        PipelineStatus::Idle => "begins".to_owned(),
        PipelineStatus::Running => {
            format!("is taken up again in stage {}", pipeline.current_stage + 1)
        }
        settled => format!("is {} already", settled.as_str()),
    };
    note(&format!(
        "pipeline {} ({}) of {stages} stages on {hosts} hosts {found}",
        pipeline.id(),
        pipeline.name
    ));
    Ok(())
}

/// Something has moved.
pub(super) fn progress(progress: &Progress, out: &mut Output) -> Result<(), Failure> {
    if !out.is_json() {
        return Ok(());
    }
    out.json(progress)?;
    out.flush()
}

/// What the program ends with.
pub(super) fn exit(state: &PipelineState) -> Exit {
    match state.pipeline.status {
        PipelineStatus::Complete => Exit::Completed,
        PipelineStatus::Partial | PipelineStatus::Failed => Exit::WorkFailed,
        PipelineStatus::Idle
        | PipelineStatus::Running
        | PipelineStatus::Cancelled
        | PipelineStatus::Orphaned => Exit::Interrupted,
    }
}

/// Where the pipeline stands in the end.
pub(super) fn summary(state: &PipelineState, exit: Exit, out: &mut Output) -> Result<(), Failure> {
    let pipeline = &state.pipeline;
    if out.is_json() {
        out.json(&json!({
            "event": "summary",
            "pipeline": pipeline.id(),
            "name": pipeline.name,
            "outcome": pipeline.status,
            "current_stage": pipeline.current_stage,
            "outcomes": state.stats(),
            "error": pipeline.error,
            "exit_code": exit as u8,
        }))?;
        return out.flush();
    }
    let status = match pipeline.status {
        PipelineStatus::Idle => "not begun",
        PipelineStatus::Running => "not finished",
        settled => settled.as_str(),
    };
    let why = pipeline.error.as_ref().map(|error| format!(": {error}")).unwrap_or_default();
    let (id, name) = (pipeline.id(), &pipeline.name);
    out.line(&format!("pipeline {id} ({name}) is {status}{why}; {}", counts(&state.stats())))?;
    let quiet = [StageStatus::Success, StageStatus::Skipped, StageStatus::Pending];
    let left = state.outcomes().filter(|outcome| !quiet.contains(&outcome.status));
    let left: Vec<_> = left.collect();
    for outcome in left.iter().take(MOST_NAMED) {
        let why = outcome.error.as_ref().map(|error| format!(": {error}")).unwrap_or_default();
        let (op, host) = (&outcome.op, &outcome.host_id);
        out.line(&format!("  {op} on {host} is {}{why}", word(outcome.status)))?;
    }
    if left.len() > MOST_NAMED {
        let more = left.len() - MOST_NAMED;
        out.line(&format!("  and {more} more; outlast pipelines {id} lists them"))?;
    }
    match (pipeline.status.is_settled(), pipeline.recovery) {
        (true, _) => {}
        (false, PipelineRecovery::Resume) => note("outlast run --resume goes on with it"),
        (false, PipelineRecovery::Orphan) => {
            note("it is not to be gone on with; outlast run --resume settles it as orphaned");
        }
    }
    out.flush()
}

/// How many outcomes are where, leaving out where none is.
fn counts(stats: &StageStats) -> String {
    let counts = [
        (stats.success, StageStatus::Success),
        (stats.failed, StageStatus::Failed),
        (stats.skipped, StageStatus::Skipped),
        (stats.cancelled, StageStatus::Cancelled),
        (stats.running, StageStatus::Running),
        (stats.pending, StageStatus::Pending),
    ];
    let shown = counts.iter().filter(|(count, _)| *count > 0);
    let shown: Vec<_> = shown.map(|(count, status)| format!("{count} {}", word(*status))).collect();
    shown.join(", ")
}
