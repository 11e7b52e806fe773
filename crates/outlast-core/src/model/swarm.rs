//! A group of agents that work on one thing.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{AttrName, AttrValue, Attributes, Entity, Result, Timestamp, status_machine};

status_machine! {
    /// Where a swarm is in its life.
    pub enum SwarmStatus {
        /// Its agents are being made.
        Creating = "creating" => [Active, Failed, Destroyed],
        /// At work.
        Active = "active" => [Scaling, Paused, Completed, Failed, Destroyed],
        /// Agents are being added or taken away.
        Scaling = "scaling" => [Active, Paused, Failed, Destroyed],
        /// Waiting to be resumed.
        Paused = "paused" => [Active, Completed, Failed, Destroyed],
        /// All of its agents are over, and at least one of them completed.
        Completed = "completed" => [Destroyed] settled,
        /// It was given up, or all of its agents are over and none of them completed.
        Failed = "failed" => [Destroyed] settled,
        /// Taken apart.
        Destroyed = "destroyed" => [] settled,
    }
}

/// How the work is divided.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Strategy {
    /// All agents at once.
    #[default]
    Parallel,
    /// Many agents, whose results one puts together.
    MapReduce,
    /// One after another.
    Pipeline,
    /// Agents that have agents.
    Tree,
}

/// Money, in the smallest unit of its currency.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Budget {
    /// What may be spent in all. Zero is a budget of nothing, not the absence of one.
    pub allocated: u64,
    /// What was spent.
    pub consumed: u64,
    /// Which currency: `USD`, `EUR`.
    pub currency: String,
    /// The share of the allocation, in percent, from which spending is worth a warning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warning_percent: Option<u8>,
    /// The share from which it is critical.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub critical_percent: Option<u8>,
}

impl Budget {
    /// A budget of which nothing was spent, without warnings.
    pub fn new(allocated: u64, currency: impl Into<String>) -> Self {
        Self {
            allocated,
            consumed: 0,
            currency: currency.into(),
            warning_percent: None,
            critical_percent: None,
        }
    }

    /// What may still be spent.
    pub fn remaining(&self) -> u64 {
        self.allocated.saturating_sub(self.consumed)
    }
}

/// What a swarm is asked to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SwarmConfig {
    /// Its name.
    pub name: String,
    /// What it works on.
    pub task: String,
    /// How many agents it begins with.
    pub initial_agents: u32,
    /// How many it may have at once.
    pub max_agents: u32,
    /// How the work is divided.
    #[serde(default)]
    pub strategy: Strategy,
    /// The model its agents use when they name none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Rules of the user's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub safety: Option<Value>,
    /// Anything else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Value>,
}

impl SwarmConfig {
    /// A swarm of at most so many agents, with nothing but what every one has.
    pub fn new(name: impl Into<String>, task: impl Into<String>, max_agents: u32) -> Self {
        Self {
            name: name.into(),
            task: task.into(),
            initial_agents: 0,
            max_agents,
            strategy: Strategy::default(),
            model: None,
            safety: None,
            metadata: None,
        }
    }
}

/// How many agents a swarm has had, and what became of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SwarmMetrics {
    /// All that were ever made.
    pub total: u32,
    /// Those that completed.
    pub completed: u32,
    /// Those that failed and were not retried.
    pub failed: u32,
    /// Those that were killed.
    pub killed: u32,
}

impl SwarmMetrics {
    /// How many are not over yet.
    pub fn at_work(&self) -> u32 {
        let over = self.completed.saturating_add(self.failed).saturating_add(self.killed);
        self.total.saturating_sub(over)
    }

    /// Whether there were any, and all of them are over.
    pub fn are_over(&self) -> bool {
        self.total > 0 && self.at_work() == 0
    }
}

/// A group of agents with what it is asked to do, its budget and how far it has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Swarm {
    /// Where it is in its life.
    pub status: SwarmStatus,
    /// What it is asked to be.
    pub config: SwarmConfig,
    /// What it may spend; without bound when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<Budget>,
    /// What became of its agents, counted in the commit that changes the agent.
    pub metrics: SwarmMetrics,
    /// How many agents it is being scaled to, while it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_agents: Option<u32>,
    /// The tree of sessions it works in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_tree_id: Option<String>,
    /// The branch of that tree it is on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current_branch: Option<String>,
    /// Whether recovery found it half made or half scaled, so that its agents are to be compared
    /// with what it asks for.
    #[serde(default)]
    pub needs_reconcile: bool,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// When it was recorded.
    pub created_at: Timestamp,
    /// When it was completed, failed or was destroyed, whichever came first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completed_at: Option<Timestamp>,
}

impl Swarm {
    /// A swarm that is about to be made.
    pub fn new(config: SwarmConfig, now: Timestamp) -> Self {
        Self {
            status: SwarmStatus::Creating,
            config,
            budget: None,
            metrics: SwarmMetrics::default(),
            target_agents: None,
            session_tree_id: None,
            current_branch: None,
            needs_reconcile: false,
            error: None,
            created_at: now,
            completed_at: None,
        }
    }

    /// How many agents it may have at once: what it is being scaled to, else what it is
    /// configured to.
    pub fn capacity(&self) -> u32 {
        self.target_agents.unwrap_or(self.config.max_agents)
    }
}

impl Entity for Swarm {
    type Status = SwarmStatus;
    const KIND: &'static str = "swarm";

    fn status(&self) -> Option<SwarmStatus> {
        Some(self.status)
    }

    fn set_status(&mut self, status: SwarmStatus) {
        self.status = status;
    }

    fn attributes(&self) -> Result<Attributes> {
        Ok(Attributes::from([(AttrName::new("created")?, AttrValue::from(self.created_at))]))
    }
}
