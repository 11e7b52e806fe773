//! What the log is told while a pipeline is driven: where it has come to.

use outlast_core::{Cause, Event, EventLevel, Pipeline, PipelineStatus, StageStatus};
use outlast_store::Stored;
use serde_json::json;

use super::report::event;
use super::state::PipelineState;

/// The pipeline begins.
pub(super) fn begun(pipeline: &Stored<Pipeline>, cause: &Cause) -> Event {
    let (stages, hosts) = (pipeline.stages.len(), pipeline.hosts.len());
    let message = format!(
        "pipeline {} began: {}, {}",
        pipeline.name,
        count(stages, "stage"),
        count(hosts, "host")
    );
    event(pipeline, EventLevel::Info, message, cause)
}

/// The stage it is in is over on every host.
pub(super) fn stage_done(state: &PipelineState, cause: &Cause) -> Event {
    let pipeline = &state.pipeline;
    let current = pipeline.current_stage as usize;
    let in_stage = |status| state.board().in_stage(current, status).len();
    let (success, failed) = (in_stage(StageStatus::Success), in_stage(StageStatus::Failed));
    let (skipped, cancelled) = (in_stage(StageStatus::Skipped), in_stage(StageStatus::Cancelled));
    let op = pipeline.stages.get(current).map(|spec| spec.op.as_str()).unwrap_or_default();
    let level = match failed + cancelled {
        0 => EventLevel::Success,
        _ if success > 0 => EventLevel::Warn,
        _ => EventLevel::Error,
    };
    let message = format!(
        "stage {} of pipeline {}, {op}, is over: successful on {success} of {}",
        current + 1,
        pipeline.name,
        count(success + failed + cancelled, "host")
    );
    let details = json!({
        "stage": current,
        "op": op,
        "success": success,
        "failed": failed,
        "skipped": skipped,
        "cancelled": cancelled,
    });
    event(pipeline, level, message, cause).with(details)
}

/// Why a pipeline that ends so did not complete.
pub(super) fn shortfall(state: &PipelineState, status: PipelineStatus) -> Option<String> {
    if status == PipelineStatus::Complete {
        return None;
    }
    let last = state.board().stages().saturating_sub(1);
    let through = state.board().in_stage(last, StageStatus::Success).len();
    let hosts = count(state.board().hosts(), "host");
    Some(format!("every stage was successful on {through} of {hosts}"))
}

fn count(number: usize, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}
