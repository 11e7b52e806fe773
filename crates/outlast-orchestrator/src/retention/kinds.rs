//! Which entities are over, since when, and what keeps them all the same.

use std::future::Future;

use outlast_core::{
    Agent, Artifact, AttrName, AttrValue, Checkpoint, Claim, Command, Consumption, Entity, Filter,
    Key, Pipeline, Query, Result, Session, StageOutcome, Status, Swarm, Timestamp, Window,
    WindowItem,
};
use outlast_store::{Store, Stored};

use super::doomed::{Doomed, members};
use super::pass::Pass;

/// A kind of the engines that goes when it is over and old enough.
pub(super) trait Prunable: Entity {
    /// Since when it is over.
    fn over_at(stored: &Stored<Self>) -> Timestamp;

    /// Whether something that stays names it, or it is part of something that stays.
    fn stays(
        pass: &mut Pass<'_>,
        stored: &Stored<Self>,
    ) -> impl Future<Output = Result<bool>> + Send;

    /// Adds what goes with it.
    fn add(
        store: &Store,
        stored: &Stored<Self>,
        doomed: &mut Doomed,
    ) -> impl Future<Output = Result<()>> + Send {
        let _ = (store, stored, doomed);
        async { Ok(()) }
    }
}

impl Prunable for Window {
    fn over_at(stored: &Stored<Self>) -> Timestamp {
        stored.finished_at.unwrap_or(stored.updated_at)
    }

    async fn stays(_: &mut Pass<'_>, _: &Stored<Self>) -> Result<bool> {
        Ok(false)
    }

    async fn add(_: &Store, stored: &Stored<Self>, doomed: &mut Doomed) -> Result<()> {
        doomed.parts = Some(members(WindowItem::KIND, stored.id())?);
        Ok(())
    }
}

impl Prunable for Consumption {
    fn over_at(stored: &Stored<Self>) -> Timestamp {
        stored.consumed_at
    }

    async fn stays(_: &mut Pass<'_>, _: &Stored<Self>) -> Result<bool> {
        Ok(false)
    }
}

impl Prunable for Artifact {
    fn over_at(stored: &Stored<Self>) -> Timestamp {
        stored.created_at
    }

    async fn stays(pass: &mut Pass<'_>, stored: &Stored<Self>) -> Result<bool> {
        pass.is_held(stored.id()).await
    }
}

impl Prunable for Command {
    fn over_at(stored: &Stored<Self>) -> Timestamp {
        stored.finished_at.unwrap_or(stored.updated_at)
    }

    async fn stays(pass: &mut Pass<'_>, stored: &Stored<Self>) -> Result<bool> {
        let Some(pipeline) = &stored.pipeline_id else { return Ok(false) };
        let pipeline = pass.store.kind::<Pipeline>().find(pipeline).await?;
        Ok(pipeline.is_some_and(|pipeline| !pipeline.status.is_settled()))
    }

    async fn add(store: &Store, stored: &Stored<Self>, doomed: &mut Doomed) -> Result<()> {
        doomed.log = Some(Key::new(Self::LOG, stored.id())?);
        let claim = store.kind::<Claim>().find(&format!("host/{}", stored.host_id)).await?;
        let held = claim.filter(|claim| claim.holder == stored.id());
        doomed.claim = held.map(|claim| (claim.key.clone(), claim.version));
        Ok(())
    }
}

impl Prunable for Pipeline {
    fn over_at(stored: &Stored<Self>) -> Timestamp {
        stored.finished_at.unwrap_or(stored.updated_at)
    }

    async fn stays(pass: &mut Pass<'_>, stored: &Stored<Self>) -> Result<bool> {
        pass.is_named::<Command>(&AttrName::group(), stored.id()).await
    }

    async fn add(_: &Store, stored: &Stored<Self>, doomed: &mut Doomed) -> Result<()> {
        doomed.parts = Some(members(StageOutcome::KIND, stored.id())?);
        Ok(())
    }
}

impl Prunable for Agent {
    fn over_at(stored: &Stored<Self>) -> Timestamp {
        stored.completed_at.unwrap_or(stored.updated_at)
    }

    /// A swarm that is not over counts its agents.
    async fn stays(pass: &mut Pass<'_>, stored: &Stored<Self>) -> Result<bool> {
        if let Some(swarm) = &stored.swarm_id {
            let swarm = pass.store.kind::<Swarm>().find(swarm).await?;
            if swarm.is_some_and(|swarm| !swarm.status.is_settled()) {
                return Ok(true);
            }
        }
        pass.is_named::<Self>(&AttrName::new("parent")?, stored.id()).await
    }
}

impl Prunable for Swarm {
    fn over_at(stored: &Stored<Self>) -> Timestamp {
        stored.completed_at.unwrap_or(stored.updated_at)
    }

    /// Its agents go first. One that only reports finds them there still.
    async fn stays(pass: &mut Pass<'_>, stored: &Stored<Self>) -> Result<bool> {
        if pass.is_named::<Session>(&AttrName::group(), stored.id()).await? {
            return Ok(true);
        }
        let mut query = members(Agent::KIND, stored.id())?;
        loop {
            let page = pass.store.kind::<Agent>().list(&query).await?;
            for agent in page.items {
                if !pass.gone.contains(&Checkpoint::group_of(&agent?.key)) {
                    return Ok(true);
                }
            }
            let Some(next) = page.next else { return Ok(false) };
            query.page = query.page.after(next);
        }
    }
}

impl Prunable for Session {
    fn over_at(stored: &Stored<Self>) -> Timestamp {
        stored.closed_at.unwrap_or(stored.updated_at)
    }

    async fn stays(pass: &mut Pass<'_>, stored: &Stored<Self>) -> Result<bool> {
        pass.is_named::<Agent>(&AttrName::new("session")?, stored.id()).await
    }
}

impl Pass<'_> {
    /// Whether an entity of a kind that is not over names this one.
    async fn is_named<T: Entity>(&self, by: &AttrName, id: &str) -> Result<bool> {
        let open = T::Status::ALL.iter().filter(|status| !status.is_settled());
        let open = open.map(|status| AttrValue::from(status.as_str())).collect();
        let filters = vec![
            Filter::is(by.clone(), id),
            Filter { name: AttrName::status(), test: outlast_core::Test::AnyOf(open) },
        ];
        let query = Query { filters, ..self.store.kind::<T>().query()? };
        Ok(self.store.count(&query, &[]).await?.total > 0)
    }
}
