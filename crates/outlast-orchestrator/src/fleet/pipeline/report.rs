//! What the log is told about pipelines.

use outlast_core::{
    Cause, Event, EventCategory, EventLevel, Pipeline, PipelineStatus, Result, StageStatus, Status,
};
use outlast_store::Stored;
use serde_json::json;

use super::state::PipelineState;

/// The pipeline begins.
pub(super) fn begun(pipeline: &Stored<Pipeline>, cause: &Cause) -> Result<Event> {
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
pub(super) fn stage_done(state: &PipelineState, cause: &Cause) -> Result<Event> {
    let pipeline = &state.pipeline;
    let stage = pipeline.current_stage as usize;
    let in_stage = |status| state.board().in_stage(stage, status).len();
    let (success, failed) = (in_stage(StageStatus::Success), in_stage(StageStatus::Failed));
    let (skipped, cancelled) = (in_stage(StageStatus::Skipped), in_stage(StageStatus::Cancelled));
    let op = pipeline.stages.get(stage).map(|spec| spec.op.as_str()).unwrap_or_default();
    let level = match failed + cancelled {
        0 => EventLevel::Success,
        _ if success > 0 => EventLevel::Warn,
        _ => EventLevel::Error,
    };
    let message = format!(
        "stage {} of pipeline {}, {op}, is over: successful on {success} of {}",
        stage + 1,
        pipeline.name,
        count(success + failed + cancelled, "host")
    );
    let details = json!({
        "stage": stage,
        "op": op,
        "success": success,
        "failed": failed,
        "skipped": skipped,
        "cancelled": cancelled,
    });
    Ok(event(pipeline, level, message, cause)?.with(details))
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

/// It is settled so.
pub(super) fn ended(
    pipeline: &Stored<Pipeline>,
    status: PipelineStatus,
    cause: &Cause,
) -> Result<Event> {
    let level = match status {
        PipelineStatus::Complete => EventLevel::Success,
        PipelineStatus::Failed => EventLevel::Error,
        _ => EventLevel::Warn,
    };
    let message = format!("pipeline {} ended: {}", pipeline.name, status.as_str());
    Ok(event(pipeline, level, message, cause)?.with(json!({ "status": status.as_str() })))
}

fn event(
    pipeline: &Stored<Pipeline>,
    level: EventLevel,
    message: String,
    cause: &Cause,
) -> Result<Event> {
    let event = Event::new(EventCategory::Ops, level, message)
        .called(format!("pipeline:{}", pipeline.name))
        .about(pipeline.key.clone());
    Ok(match &cause.actor {
        Some(actor) => event.by(actor.clone()),
        None => event,
    })
}

fn count(number: usize, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}
