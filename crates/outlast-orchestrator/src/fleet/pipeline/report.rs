//! What the log is told about pipelines, by whoever settles one.

use outlast_core::{Cause, Event, EventCategory, EventLevel, Pipeline, PipelineStatus, Status};
use outlast_store::Stored;
use serde_json::json;

/// It is settled so.
pub(super) fn ended(pipeline: &Stored<Pipeline>, status: PipelineStatus, cause: &Cause) -> Event {
    let level = match status {
        PipelineStatus::Complete => EventLevel::Success,
        PipelineStatus::Failed => EventLevel::Error,
        _ => EventLevel::Warn,
    };
    let message = format!("pipeline {} ended: {}", pipeline.name, status.as_str());
    event(pipeline, level, message, cause).with(json!({ "status": status.as_str() }))
}

/// An event about a pipeline.
pub(super) fn event(
    pipeline: &Stored<Pipeline>,
    level: EventLevel,
    message: String,
    cause: &Cause,
) -> Event {
    let event = Event::new(EventCategory::Ops, level, message)
        .called(format!("pipeline:{}", pipeline.name))
        .about(pipeline.key.clone());
    match &cause.actor {
        Some(actor) => event.by(actor.clone()),
        None => event,
    }
}
