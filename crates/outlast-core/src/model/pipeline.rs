//! One execution of ordered stages over several hosts.

use serde::{Deserialize, Serialize};

use crate::{AttrName, AttrValue, Attributes, Entity, OpSpec, Result, Timestamp, status_machine};

status_machine! {
    /// Where a pipeline is in its life.
    pub enum PipelineStatus {
        /// Recorded, not begun.
        Idle = "idle" => [Running, Cancelled],
        /// In one of its stages.
        Running = "running" => [Complete, Partial, Failed, Cancelled, Orphaned],
        /// Every stage succeeded on every host.
        Complete = "complete" => [] settled,
        /// Every stage succeeded on some hosts.
        Partial = "partial" => [] settled,
        /// After some stage no host was left.
        Failed = "failed" => [] settled,
        /// Called off.
        Cancelled = "cancelled" => [] settled,
        /// The orchestrator ended while it ran, and it was not to be resumed.
        Orphaned = "orphaned" => [] settled,
    }
}

status_machine! {
    /// What came of a stage on a host.
    pub enum StageStatus {
        /// Its turn has not come.
        Pending = "pending" => [Running, Failed, Skipped, Cancelled],
        /// Its command is under way.
        Running = "running" => [Success, Failed, Cancelled] + [Pending],
        /// It succeeded.
        Success = "success" => [] settled,
        /// It did not, or could not begin.
        Failed = "failed" => [] settled,
        /// The host dropped out before.
        Skipped = "skipped" => [] settled,
        /// The pipeline was called off before.
        Cancelled = "cancelled" => [] settled,
    }
}

/// What recovery does about a pipeline that ran when the orchestrator ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PipelineRecovery {
    /// It is orphaned.
    #[default]
    Orphan,
    /// It goes on in the stage it was in. A stage that succeeded on a host is not done again there.
    Resume,
}

/// One execution of ordered stages over several hosts. A stage begins when the one before it is
/// over on every host, and on those where it succeeded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pipeline {
    /// Where it is in its life.
    pub status: PipelineStatus,
    /// The name of its definition.
    pub name: String,
    /// The ids of its hosts, each once.
    pub hosts: Vec<String>,
    /// What each stage does.
    pub stages: Vec<OpSpec>,
    /// The stage it is in, from 0.
    pub current_stage: u32,
    /// What recovery does about it.
    #[serde(default)]
    pub recovery: PipelineRecovery,
    /// When it was recorded.
    pub created_at: Timestamp,
    /// When it was settled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Timestamp>,
    /// Why it did not complete.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl Entity for Pipeline {
    type Status = PipelineStatus;
    const KIND: &'static str = "pipeline";
    const CAN_ROLL_BACK: bool = false;

    fn status(&self) -> Option<PipelineStatus> {
        Some(self.status)
    }

    fn set_status(&mut self, status: PipelineStatus) {
        self.status = status;
    }

    fn attributes(&self) -> Result<Attributes> {
        Ok(Attributes::from([(AttrName::new("name")?, AttrValue::from(self.name.as_str()))]))
    }
}

/// What came of one stage of a pipeline on one host. Its id is `<pipeline>/<stage>/<host>`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StageOutcome {
    /// What came of it.
    pub status: StageStatus,
    /// The pipeline.
    pub pipeline_id: String,
    /// The stage, from 0.
    pub stage: u32,
    /// What it does.
    pub op: String,
    /// The host.
    pub host_id: String,
    /// The command that did it, the newest if there were several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command_id: Option<String>,
    /// When it began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// When it was over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Timestamp>,
    /// What the command ended with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// Why it did not succeed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl StageOutcome {
    /// The id of the outcome of a stage on a host.
    pub fn id_of(pipeline_id: &str, stage: u32, host_id: &str) -> String {
        format!("{pipeline_id}/{stage}/{host_id}")
    }
}

impl Entity for StageOutcome {
    type Status = StageStatus;
    const KIND: &'static str = "stage_outcome";
    const CAN_ROLL_BACK: bool = false;

    fn status(&self) -> Option<StageStatus> {
        Some(self.status)
    }

    fn set_status(&mut self, status: StageStatus) {
        self.status = status;
    }

    fn attributes(&self) -> Result<Attributes> {
        Ok(Attributes::from([
            (AttrName::group(), AttrValue::from(self.pipeline_id.as_str())),
            (AttrName::new("stage")?, AttrValue::Int(self.stage.into())),
            (AttrName::new("host")?, AttrValue::from(self.host_id.as_str())),
        ]))
    }
}
