//! What is worked on: entities of about 1 KiB.

use std::collections::HashMap;
use std::path::PathBuf;

use outlast::{Entity, NoStatus};
use serde::{Deserialize, Serialize};

use crate::measure::{Measured, resident_bytes};

/// How much, and where.
#[derive(Clone, Debug)]
pub struct Job {
    pub callers: usize,
    pub ops: usize,
    pub entities: usize,
    pub dir: PathBuf,
}

impl Job {
    /// How many operations each caller makes.
    pub fn share(&self) -> usize {
        (self.ops / self.callers).max(1)
    }
}

/// An entity of about 1 KiB of JSON.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Agent {
    pub status: String,
    pub step: u64,
    pub model: String,
    pub task: String,
    pub notes: Vec<String>,
}

impl Agent {
    pub fn new(n: usize) -> Self {
        let word = |k: usize| format!("{:016x}", (n + k).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        Self {
            status: "running".to_owned(),
            step: 0,
            model: "large".to_owned(),
            task: format!("read part {n}"),
            notes: (0..46).map(word).collect(),
        }
    }

    /// What a transition does to it.
    pub fn advance(&mut self) {
        self.step += 1;
        self.status = if self.step % 2 == 0 { "running" } else { "paused" }.to_owned();
    }
}

impl Entity for Agent {
    type Status = NoStatus;
    const KIND: &'static str = "agent_row";
}

/// The id of the n-th entity.
pub fn id(n: usize) -> String {
    format!("agent-{n:08}")
}

/// What the entities weigh in a plain map.
pub fn memory_of_a_map(job: &Job) -> Measured {
    let before = resident_bytes();
    let map: HashMap<String, Agent> = (0..job.entities).map(|n| (id(n), Agent::new(n))).collect();
    let bytes = resident_bytes().saturating_sub(before);
    assert_eq!(map.len(), job.entities);
    Measured { bytes: Some(bytes), ..Measured::of("memory", job.entities, 1.0) }
}
