//! One entity of each kind that has states, in any of them.

use std::collections::BTreeMap;

use outlast_core::{
    Agent, Command, CommandLine, Entity, Host, OnIdle, OpSpec, Pipeline, PipelineRecovery,
    PipelineStatus, RecoveryPolicy, Session, StageOutcome, StageStatus, Strategy, Swarm,
    SwarmConfig, Task, TaskSpec, Timestamp, Window, WindowKind, WindowStatus,
};

/// A kind of which a sample can be had.
pub(crate) trait Sample: Entity {
    fn sample() -> Self;

    fn in_status(status: Self::Status) -> Self {
        let mut sample = Self::sample();
        sample.set_status(status);
        sample
    }
}

fn now() -> Timestamp {
    Timestamp::from_micros(1_700_000_000_000_000)
}

impl Sample for Swarm {
    fn sample() -> Self {
        let config = SwarmConfig {
            name: "review".into(),
            task: "read everything".into(),
            initial_agents: 2,
            max_agents: 4,
            strategy: Strategy::Parallel,
            model: None,
            safety: None,
            metadata: None,
        };
        Self::new(config, now())
    }
}

impl Sample for Agent {
    fn sample() -> Self {
        Self::new("large", "read", now())
    }
}

impl Sample for Session {
    fn sample() -> Self {
        Self::new("tree", "main", now())
    }
}

impl Sample for Task {
    fn sample() -> Self {
        let spec = TaskSpec {
            name: "build".into(),
            command: CommandLine::Shell("true".into()),
            cwd: None,
            env: BTreeMap::new(),
            recovery: RecoveryPolicy::Interrupted,
            max_attempts: None,
            idle_threshold_ms: 1000,
            on_idle: OnIdle::Mark,
        };
        Self::new("run", spec, now())
    }
}

impl Sample for Command {
    fn sample() -> Self {
        Self::new("host", OpSpec::new("pull"), now())
    }
}

impl Sample for Pipeline {
    fn sample() -> Self {
        Self {
            status: PipelineStatus::Idle,
            name: "deploy".into(),
            hosts: vec!["host".into()],
            stages: vec![OpSpec::new("pull")],
            current_stage: 0,
            recovery: PipelineRecovery::Orphan,
            created_at: now(),
            finished_at: None,
            error: None,
        }
    }
}

impl Sample for StageOutcome {
    fn sample() -> Self {
        Self {
            status: StageStatus::Pending,
            pipeline_id: "pipeline".into(),
            stage: 0,
            op: "pull".into(),
            host_id: "host".into(),
            command_id: None,
            started_at: None,
            finished_at: None,
            exit_code: None,
            error: None,
        }
    }
}

impl Sample for Host {
    fn sample() -> Self {
        Self::new("host", now())
    }
}

impl Sample for Window {
    fn sample() -> Self {
        Self {
            status: WindowStatus::Waiting,
            operation: WindowKind::Join,
            agent_name: "reader".into(),
            subscription: "orders".into(),
            subscription_index: 0,
            fingerprint: "0".into(),
            correlation_key: None,
            types: Vec::new(),
            required: BTreeMap::new(),
            collected: BTreeMap::new(),
            items_collected: 0,
            items_target: None,
            window_ms: None,
            window_count: None,
            opened_at_seq: 1,
            created_at: now(),
            window_end: None,
            finished_at: None,
            dispatch: None,
            error: None,
        }
    }
}
