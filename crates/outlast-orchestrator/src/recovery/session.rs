//! Sessions: nothing is done about them, but what they name should be there.

use outlast_core::{Result, Session, Swarm};
use outlast_store::Stored;

use super::policy::Policy;
use super::report::Outcome;
use super::scene::{Linked, Recoverable, Scene, Verdict, meaningless};

impl Recoverable for Session {
    async fn settle(scene: &Scene<'_>, stored: &Stored<Self>, policy: Policy) -> Result<Verdict> {
        if policy != Policy::Keep {
            return Err(meaningless(&stored.key, policy));
        }
        let verdict = Verdict::left(Outcome::Unchanged);
        let Some(swarm_id) = &stored.swarm_id else { return Ok(verdict) };
        let Linked { found, problem } = scene.linked::<Swarm>(swarm_id).await?;
        if found.is_some() {
            return Ok(verdict);
        }
        let dangling = || Some(format!("its swarm {swarm_id} does not exist"));
        Ok(verdict.with(problem.or_else(dangling)))
    }
}
