//! All agents.

use std::sync::Arc;

use outlast_core::{
    Agent, AgentStatus, AttrName, Error, Expect, Filter, Listed, Op, Page, Result, Session, Status,
    Swarm, SwarmStatus,
};
use outlast_store::{Draft, Stored};
use serde_json::Value;

use super::Orchestra;
use super::handle::{AgentHandle, SwarmHandle};
use super::listing::{newest, of_status};
use super::settling::check_room;
use super::swarm_handle::refusal;
use super::tally::counted;

/// All agents of a store.
#[derive(Clone, Debug)]
pub struct Agents {
    orchestra: Orchestra,
}

impl Agents {
    pub(super) fn new(orchestra: Orchestra) -> Self {
        Self { orchestra }
    }

    /// Records an agent that belongs to no swarm. It is pending then. For one that does, see
    /// [`SwarmHandle::add`].
    ///
    /// `Exists` if there is one of its id; `Invalid` if it names no model; `NotFound` if the
    /// session or parent it names does not live. Cancel safe: it is recorded or not.
    pub async fn create(&self, agent: NewAgent) -> Result<AgentHandle> {
        let (mut draft, id) = (self.orchestra.draft(), self.orchestra.id(agent.id.clone()));
        agent.put(&mut draft, &id, None, &self.orchestra)?;
        draft.commit().await?;
        Ok(self.orchestra.agent(id))
    }

    /// One page of all agents, the newest first.
    pub async fn list(&self, page: Page) -> Result<Listed<Result<Stored<Agent>>>> {
        self.page(Vec::new(), page).await
    }

    /// One page of the agents that are not over, the newest first: those spawning and retrying
    /// too.
    pub async fn active(&self, page: Page) -> Result<Listed<Result<Stored<Agent>>>> {
        self.page(vec![of_status::<Agent>(|status| !status.is_settled())], page).await
    }

    /// One page of the agents of a swarm, the newest first.
    pub async fn of_swarm(&self, swarm: &str, page: Page) -> Result<Listed<Result<Stored<Agent>>>> {
        self.page(vec![Filter::is(AttrName::group(), swarm)], page).await
    }

    /// One page of the agents that an agent made, the newest first.
    pub async fn of_parent(
        &self,
        parent: &str,
        page: Page,
    ) -> Result<Listed<Result<Stored<Agent>>>> {
        self.page(vec![Filter::is(AttrName::new("parent")?, parent)], page).await
    }

    async fn page(
        &self,
        filters: Vec<Filter>,
        page: Page,
    ) -> Result<Listed<Result<Stored<Agent>>>> {
        let agents = self.orchestra.store().kind::<Agent>();
        agents.list(&newest(&agents, filters, page)?).await
    }
}

/// An agent to be recorded.
#[derive(Clone, Debug)]
pub struct NewAgent {
    id: Option<String>,
    task: String,
    model: Option<String>,
    fallback_models: Vec<String>,
    max_retries: u32,
    session_id: Option<String>,
    parent_id: Option<String>,
    metadata: Option<Value>,
}

impl NewAgent {
    /// An agent with a task, under an id of its own, with the model of its swarm.
    pub fn new(task: impl Into<String>) -> Self {
        Self {
            id: None,
            task: task.into(),
            model: None,
            fallback_models: Vec::new(),
            max_retries: Agent::MAX_RETRIES,
            session_id: None,
            parent_id: None,
            metadata: None,
        }
    }

    /// The same under this id.
    pub fn called(mut self, id: impl Into<String>) -> Self {
        self.id = Some(id.into());
        self
    }

    /// The same with this model behind it.
    pub fn with_model(mut self, model: impl Into<String>) -> Self {
        self.model = Some(model.into());
        self
    }

    /// The same with one more model that it is escalated to when its retries are used up.
    pub fn or_model(mut self, model: impl Into<String>) -> Self {
        self.fallback_models.push(model.into());
        self
    }

    /// The same, tried again at most so many times with each model.
    pub fn with_retries(mut self, max_retries: u32) -> Self {
        self.max_retries = max_retries;
        self
    }

    /// The same, working in a session.
    pub fn in_session(mut self, session: impl Into<String>) -> Self {
        self.session_id = Some(session.into());
        self
    }

    /// The same, made by another agent.
    pub fn made_by(mut self, parent: impl Into<String>) -> Self {
        self.parent_id = Some(parent.into());
        self
    }

    /// The same with anything else that is worth keeping.
    pub fn with_metadata(mut self, metadata: Value) -> Self {
        self.metadata = Some(metadata);
        self
    }

    /// Records it as one of a swarm's, which counts it in the same commit.
    pub(super) async fn create_within(self, handle: &SwarmHandle) -> Result<AgentHandle> {
        let orchestra = &handle.orchestra;
        let store = orchestra.store();
        let id = orchestra.id(self.id.clone());
        let key = store.kind::<Swarm>().key(handle.id())?;
        let (agent, id_of) = (&self, &id);
        let attempt = || async move {
            let (mut draft, swarm) = (orchestra.draft(), handle.get().await?);
            handle.check_version(&swarm)?;
            check_takes(&swarm)?;
            check_room(&swarm)?;
            agent.put(&mut draft, id_of, Some(&swarm), orchestra)?;
            draft.replace(&swarm, &counted(&swarm, None, AgentStatus::Pending))?;
            Ok((draft, ()))
        };
        store.commit_with(&[key], attempt).await?;
        Ok(orchestra.agent(id))
    }

    fn put(
        &self,
        draft: &mut Draft,
        id: &Arc<str>,
        swarm: Option<&Stored<Swarm>>,
        orchestra: &Orchestra,
    ) -> Result<()> {
        let model = self.model.as_ref().or(swarm.and_then(|swarm| swarm.config.model.as_ref()));
        let model = model.ok_or_else(|| {
            Error::invalid(format!("agent {id:?} names no model, and neither does a swarm for it"))
        })?;
        let agent = Agent {
            swarm_id: swarm.map(|swarm| swarm.id().to_owned()),
            session_id: self.session_id.clone(),
            parent_id: self.parent_id.clone(),
            fallback_models: self.fallback_models.clone(),
            max_retries: self.max_retries,
            metadata: self.metadata.clone(),
            ..Agent::new(model, &self.task, orchestra.now())
        };
        draft.create(id, &agent)?;
        let store = orchestra.store();
        if let Some(session) = &self.session_id {
            let key = store.kind::<Session>().key(session)?;
            draft.op(Op::Assert { key, expect: Expect::Live });
        }
        if let Some(parent) = &self.parent_id {
            let key = store.kind::<Agent>().key(parent)?;
            draft.op(Op::Assert { key, expect: Expect::Live });
        }
        Ok(())
    }
}

/// `IllegalTransition` unless the swarm takes agents.
fn check_takes(swarm: &Stored<Swarm>) -> Result<()> {
    use SwarmStatus::{Active, Creating, Scaling};

    if matches!(swarm.status, Creating | Active | Scaling) {
        return Ok(());
    }
    Err(refusal(&swarm.key, "takes no agents", swarm.status))
}
