//! What each kind refers to.

use outlast_core::{
    Agent, Command, Entity, Key, Pipeline, Result, Run, Session, StageOutcome, Status, Swarm, Task,
    Window, WindowItem,
};

/// One reference: the field it stands in, and what it names.
pub(super) struct Link {
    pub(super) field: &'static str,
    pub(super) to: Key,
    /// Whether what it names may have been deleted, as retention does in the middle of its work:
    /// the whole goes first, and its tombstone stays until its parts are gone.
    pub(super) may_be_deleted: bool,
}

impl Link {
    pub(super) fn to<T: Entity>(field: &'static str, id: &str) -> Result<Self> {
        Ok(Self { field, to: Key::new(T::KIND, id)?, may_be_deleted: false })
    }

    /// A reference of a part to its whole.
    fn to_whole<T: Entity>(field: &'static str, id: &str, is_over: bool) -> Result<Self> {
        Ok(Self { may_be_deleted: is_over, ..Self::to::<T>(field, id)? })
    }

    fn maybe<T: Entity>(field: &'static str, id: Option<&str>) -> Result<Option<Self>> {
        id.map(|id| Self::to::<T>(field, id)).transpose()
    }
}

/// A kind that refers to others.
pub(super) trait Linked: Entity {
    /// What it refers to now and has to find there.
    fn links(&self) -> Result<Vec<Link>>;
}

fn is_settled<T: Entity>(value: &T) -> bool {
    value.status().is_some_and(Status::is_settled)
}

impl Linked for Agent {
    fn links(&self) -> Result<Vec<Link>> {
        if is_settled(self) {
            return Ok(Vec::new());
        }
        let links = [
            Link::maybe::<Swarm>("swarm_id", self.swarm_id.as_deref())?,
            Link::maybe::<Session>("session_id", self.session_id.as_deref())?,
            Link::maybe::<Self>("parent_id", self.parent_id.as_deref())?,
        ];
        Ok(links.into_iter().flatten().collect())
    }
}

impl Linked for Session {
    fn links(&self) -> Result<Vec<Link>> {
        if is_settled(self) {
            return Ok(Vec::new());
        }
        Ok(Link::maybe::<Swarm>("swarm_id", self.swarm_id.as_deref())?.into_iter().collect())
    }
}

impl Linked for Command {
    fn links(&self) -> Result<Vec<Link>> {
        if is_settled(self) {
            return Ok(Vec::new());
        }
        let pipeline = Link::maybe::<Pipeline>("pipeline_id", self.pipeline_id.as_deref())?;
        let host = Link::to::<outlast_core::Host>("host_id", &self.host_id)?;
        Ok(std::iter::once(host).chain(pipeline).collect())
    }
}

impl Linked for StageOutcome {
    fn links(&self) -> Result<Vec<Link>> {
        Ok(vec![Link::to_whole::<Pipeline>("pipeline_id", &self.pipeline_id, is_settled(self))?])
    }
}

impl Linked for WindowItem {
    fn links(&self) -> Result<Vec<Link>> {
        Ok(vec![Link::to_whole::<Window>("window_id", &self.window_id, true)?])
    }
}

impl Linked for Task {
    fn links(&self) -> Result<Vec<Link>> {
        Ok(vec![Link::to_whole::<Run>("run_id", &self.run_id, is_settled(self))?])
    }
}
