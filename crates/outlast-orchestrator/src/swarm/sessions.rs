//! All sessions.

use outlast_core::{
    AttrName, Expect, Filter, Listed, Op, Page, Result, Session, SessionStatus, Swarm,
};
use outlast_store::Stored;

use super::Orchestra;
use super::handle::SessionHandle;
use super::listing::{newest, of_status};

/// All sessions of a store.
#[derive(Clone, Debug)]
pub struct Sessions {
    orchestra: Orchestra,
}

impl Sessions {
    pub(super) fn new(orchestra: Orchestra) -> Self {
        Self { orchestra }
    }

    /// Opens a session. `Exists` if there is one of its id, `NotFound` if the swarm it names does
    /// not live. Cancel safe: it is opened or not.
    pub async fn open(&self, session: NewSession) -> Result<SessionHandle> {
        let NewSession { id, tree, branch, swarm } = session;
        let (mut draft, id) = (self.orchestra.draft(), self.orchestra.id(id));
        if let Some(swarm) = &swarm {
            let key = self.orchestra.store().kind::<Swarm>().key(swarm)?;
            draft.op(Op::Assert { key, expect: Expect::Live });
        }
        let now = self.orchestra.now();
        draft.create(&id, &Session { swarm_id: swarm, ..Session::new(tree, branch, now) })?;
        draft.commit().await?;
        Ok(self.orchestra.session(id))
    }

    /// One page of all sessions, the newest first.
    pub async fn list(&self, page: Page) -> Result<Listed<Result<Stored<Session>>>> {
        self.page(Vec::new(), page).await
    }

    /// One page of the sessions that are open, the newest first.
    pub async fn active(&self, page: Page) -> Result<Listed<Result<Stored<Session>>>> {
        self.page(vec![of_status::<Session>(|status| status == SessionStatus::Open)], page).await
    }

    /// One page of the branches of a tree, the newest first.
    pub async fn of_tree(&self, tree: &str, page: Page) -> Result<Listed<Result<Stored<Session>>>> {
        self.page(vec![Filter::is(AttrName::new("tree")?, tree)], page).await
    }

    /// One page of the sessions of a swarm, the newest first.
    pub async fn of_swarm(
        &self,
        swarm: &str,
        page: Page,
    ) -> Result<Listed<Result<Stored<Session>>>> {
        self.page(vec![Filter::is(AttrName::group(), swarm)], page).await
    }

    async fn page(
        &self,
        filters: Vec<Filter>,
        page: Page,
    ) -> Result<Listed<Result<Stored<Session>>>> {
        let sessions = self.orchestra.store().kind::<Session>();
        sessions.list(&newest(&sessions, filters, page)?).await
    }
}

/// A session to be opened.
#[derive(Clone, Debug)]
pub struct NewSession {
    id: Option<String>,
    tree: String,
    branch: String,
    swarm: Option<String>,
}

impl NewSession {
    /// A branch of a tree, under an id of its own.
    pub fn new(tree: impl Into<String>, branch: impl Into<String>) -> Self {
        Self { id: None, tree: tree.into(), branch: branch.into(), swarm: None }
    }

    /// The same under this id.
    pub fn called(mut self, id: impl Into<String>) -> Self {
        self.id = Some(id.into());
        self
    }

    /// The same, worked in by a swarm.
    pub fn of_swarm(mut self, swarm: impl Into<String>) -> Self {
        self.swarm = Some(swarm.into());
        self
    }
}
