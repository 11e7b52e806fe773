//! What is told while a pipeline is driven.

use outlast_core::{Pipeline, PipelineStatus, StageOutcome, StageStatus, Timestamp};
use outlast_store::Stored;
use serde::Serialize;

/// Something has moved. Told after the move was committed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Progress {
    /// A stage on a host.
    Stage {
        /// When.
        at: Timestamp,
        /// The pipeline.
        pipeline_id: String,
        /// The stage, from 0.
        stage: u32,
        /// What it does.
        op: String,
        /// The host.
        host_id: String,
        /// Where it is now.
        status: StageStatus,
        /// The command that does it, or did.
        #[serde(skip_serializing_if = "Option::is_none")]
        command_id: Option<String>,
        /// What the command ended with.
        #[serde(skip_serializing_if = "Option::is_none")]
        exit_code: Option<i32>,
        /// Why it did not succeed.
        #[serde(skip_serializing_if = "Option::is_none")]
        error: Option<String>,
    },
    /// The pipeline itself.
    Pipeline {
        /// When.
        at: Timestamp,
        /// The pipeline.
        pipeline_id: String,
        /// Where it is now.
        status: PipelineStatus,
        /// The stage it is in, from 0.
        current_stage: u32,
    },
}

impl Progress {
    pub(super) fn of_outcome(outcome: &Stored<StageOutcome>) -> Self {
        Self::Stage {
            at: outcome.updated_at,
            pipeline_id: outcome.pipeline_id.clone(),
            stage: outcome.stage,
            op: outcome.op.clone(),
            host_id: outcome.host_id.clone(),
            status: outcome.status,
            command_id: outcome.command_id.clone(),
            exit_code: outcome.exit_code,
            error: outcome.error.clone(),
        }
    }

    pub(super) fn of_pipeline(pipeline: &Stored<Pipeline>) -> Self {
        Self::Pipeline {
            at: pipeline.updated_at,
            pipeline_id: pipeline.id().to_owned(),
            status: pipeline.status,
            current_stage: pipeline.current_stage,
        }
    }
}
