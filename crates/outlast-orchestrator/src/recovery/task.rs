//! Tasks: settled by the engine's own recovery, so that resuming a run later finds nothing to do.

use outlast_core::{RecoveryPolicy, Result, Task};
use outlast_store::Stored;

use super::policy::Policy;
use super::report::Outcome;
use super::scene::{Recoverable, Scene, Verdict, meaningless};
use crate::tasks;

impl Recoverable for Task {
    async fn settle(scene: &Scene<'_>, stored: &Stored<Self>, policy: Policy) -> Result<Verdict> {
        let asked = match policy {
            Policy::Keep => return Ok(Verdict::left(Outcome::Unchanged)),
            Policy::Own => None,
            Policy::Interrupt => Some(RecoveryPolicy::Interrupted),
            Policy::Restart => Some(RecoveryPolicy::Restart),
            Policy::Fail => Some(RecoveryPolicy::Failed),
            _ => return Err(meaningless(&stored.key, policy)),
        };
        let outcome = match scene.instance {
            Some(instance) => {
                tasks::recovery::settle(instance, stored, asked, scene.options.grace).await?
            }
            None => tasks::recovery::verdict(&stored.spec, stored.attempt, asked).1,
        };
        Ok(Verdict::done(match outcome {
            tasks::Outcome::Restarted => Outcome::Restarted,
            tasks::Outcome::MarkedInterrupted => Outcome::MarkedInterrupted,
            tasks::Outcome::MarkedFailed => Outcome::MarkedFailed,
            tasks::Outcome::Requeued | tasks::Outcome::Unchanged => {
                return Ok(Verdict::left(Outcome::Unchanged));
            }
        }))
    }
}
