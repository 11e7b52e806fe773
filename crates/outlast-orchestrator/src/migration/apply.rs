//! Writing to the near store what was numbered elsewhere.

use outlast_core::{
    Backend, Batch, Clock, Error, Outcome, PlanContext, Result, WriteSet, Written, plan, read_set,
};

/// Applies a batch of merges and touches to the near store, whose turn the caller has.
pub(crate) async fn apply(near: &dyn Backend, clock: &dyn Clock, batch: &Batch) -> Result<()> {
    let view = near.fetch(&read_set([batch])).await?;
    let info = near.info();
    let context = PlanContext { now: clock.now(), epoch: info.epoch, durability: info.durability };
    let mut planned = plan(view, [batch], &context);
    let outcome = planned.outcomes.pop().unwrap_or_else(|| Err(Error::internal("no plan")))?;
    if matches!(outcome, Outcome::Conflict { .. }) {
        return Err(Error::internal("a merge met a conflict"));
    }
    write(near, &planned.set).await
}

/// Writes a planned set to the near store, whose turn the caller has, after whatever it has now.
pub(crate) async fn roll_forward(near: &dyn Backend, mut set: WriteSet) -> Result<()> {
    let mut revision = near.fetch(&outlast_core::ReadSet::default()).await?.revision;
    set.base = revision;
    for commit in &mut set.commits {
        revision = revision.next();
        commit.revision = revision;
        for version in &mut commit.versions {
            version.revision = revision;
        }
    }
    write(near, &set).await
}

async fn write(near: &dyn Backend, set: &WriteSet) -> Result<()> {
    if set.is_empty() {
        return Ok(());
    }
    match near.write(set).await? {
        Written::Applied(_) => Ok(()),
        Written::Raced => Err(Error::internal("something else wrote to the near store")),
    }
}
