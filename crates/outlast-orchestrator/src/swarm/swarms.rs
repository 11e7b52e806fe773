//! All swarms.

use outlast_core::{Budget, Error, Filter, Listed, Page, Result, Status, Swarm, SwarmConfig};
use outlast_store::Stored;

use super::Orchestra;
use super::handle::SwarmHandle;
use super::listing::{newest, of_status};

/// All swarms of a store.
#[derive(Clone, Debug)]
pub struct Swarms {
    orchestra: Orchestra,
}

impl Swarms {
    pub(super) fn new(orchestra: Orchestra) -> Self {
        Self { orchestra }
    }

    /// Records a swarm. It is creating then: add its first agents, and activate it.
    ///
    /// `Exists` if there is one of its id; `Invalid` if it may have no agents at all, or fewer
    /// than it begins with. Cancel safe: it is recorded or not.
    pub async fn create(&self, swarm: impl Into<NewSwarm>) -> Result<SwarmHandle> {
        let NewSwarm { id, config, budget, session_tree_id, branch } = swarm.into();
        check_config(&config)?;
        let id = self.orchestra.id(id);
        let swarm = Swarm {
            budget,
            session_tree_id,
            current_branch: branch,
            ..Swarm::new(config, self.orchestra.now())
        };
        let swarms = self.orchestra.store().kind::<Swarm>();
        swarms.with_cause(self.orchestra.cause().clone()).create(&id, &swarm).await?;
        Ok(self.orchestra.swarm(id))
    }

    /// One page of all swarms, the newest first.
    pub async fn list(&self, page: Page) -> Result<Listed<Result<Stored<Swarm>>>> {
        self.page(Vec::new(), page).await
    }

    /// One page of the swarms that are not over, the newest first.
    pub async fn active(&self, page: Page) -> Result<Listed<Result<Stored<Swarm>>>> {
        self.page(vec![of_status::<Swarm>(|status| !status.is_settled())], page).await
    }

    async fn page(
        &self,
        filters: Vec<Filter>,
        page: Page,
    ) -> Result<Listed<Result<Stored<Swarm>>>> {
        let swarms = self.orchestra.store().kind::<Swarm>();
        swarms.list(&newest(&swarms, filters, page)?).await
    }
}

fn check_config(config: &SwarmConfig) -> Result<()> {
    let SwarmConfig { name, initial_agents, max_agents, .. } = config;
    if *max_agents == 0 {
        return Err(Error::invalid(format!("swarm {name:?} may have 0 agents, and needs 1")));
    }
    if initial_agents > max_agents {
        return Err(Error::invalid(format!(
            "swarm {name:?} begins with {initial_agents} agents and may have {max_agents}"
        )));
    }
    Ok(())
}

/// A swarm to be recorded.
#[derive(Clone, Debug)]
pub struct NewSwarm {
    id: Option<String>,
    config: SwarmConfig,
    budget: Option<Budget>,
    session_tree_id: Option<String>,
    branch: Option<String>,
}

impl NewSwarm {
    /// A swarm without a budget, under an id of its own.
    pub fn new(config: SwarmConfig) -> Self {
        Self { id: None, config, budget: None, session_tree_id: None, branch: None }
    }

    /// The same under this id.
    pub fn called(mut self, id: impl Into<String>) -> Self {
        self.id = Some(id.into());
        self
    }

    /// The same with a budget. Zero is a budget.
    pub fn with_budget(self, budget: Budget) -> Self {
        Self { budget: Some(budget), ..self }
    }

    /// The same, working in a branch of a tree of sessions.
    pub fn in_tree(mut self, tree: impl Into<String>, branch: impl Into<String>) -> Self {
        self.session_tree_id = Some(tree.into());
        self.branch = Some(branch.into());
        self
    }
}

impl From<SwarmConfig> for NewSwarm {
    fn from(config: SwarmConfig) -> Self {
        Self::new(config)
    }
}
