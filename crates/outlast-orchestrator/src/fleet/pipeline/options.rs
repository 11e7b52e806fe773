//! How pipelines are driven.

use std::time::Duration;

use tokio::sync::mpsc;

use super::progress::Progress;

/// How pipelines are driven.
#[derive(Clone, Debug)]
pub struct ConductorOptions {
    /// On how many hosts a stage is under way at once, at least one; the others of the stage wait.
    pub max_concurrent: usize,
    /// How long a command that is asked to end may take before it is killed, also one that
    /// survived whoever drove the pipeline before.
    pub grace: Duration,
    /// What happens to a command that is over its time.
    pub on_timeout: OnTimeout,
    /// Where progress is told. Nothing ever waits for room in it: what does not fit is counted by
    /// [`Conductor::unsent`](super::Conductor::unsent) and left out.
    pub progress: Option<mpsc::Sender<Progress>>,
}

/// What happens to a command that is over its time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnTimeout {
    /// It waits for somebody to extend, kill or skip it, and its stage with it.
    #[default]
    Wait,
    /// It is asked to end, and killed after its grace.
    Kill,
}

/// 64 hosts at once, 10 s of grace, and somebody to decide.
impl Default for ConductorOptions {
    fn default() -> Self {
        Self {
            max_concurrent: 64,
            grace: Duration::from_secs(10),
            on_timeout: OnTimeout::default(),
            progress: None,
        }
    }
}
