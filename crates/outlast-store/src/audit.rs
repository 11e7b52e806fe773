//! Who changed what, when and why, with what was there before and after.
//!
//! The audit has no rows of its own: an entry is a row of the history, and what was there before is
//! the row before it. So the two cannot disagree, and neither is ever there without the other.

use std::collections::HashMap;

use outlast_core::{
    Action, Actor, CommitId, HistoryQuery, Json, Key, Listed, Page, Result, Revision, Scope,
    Timestamp, Verified, Version, Versioned,
};

use crate::Store;
use crate::secrets::{Redactor, is_marked};

/// Which changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditQuery {
    /// To what: one entity, all of a kind, or everything.
    pub scope: Scope,
    /// At this moment or later.
    pub since: Option<Timestamp>,
    /// Before this moment.
    pub until: Option<Timestamp>,
    /// Made by this one.
    pub actor: Option<Actor>,
    /// Called so.
    pub action: Option<Action>,
    /// The newest first, which is the default.
    pub newest_first: bool,
    /// Which page: at most [`AuditQuery::MOST`] entries.
    pub page: Page,
}

impl AuditQuery {
    /// The largest page.
    pub const MOST: u32 = 1000;

    /// All changes in that scope, the newest first, the first page of them.
    pub fn of(scope: Scope) -> Self {
        Self {
            scope,
            since: None,
            until: None,
            actor: None,
            action: None,
            newest_first: true,
            page: Page::default(),
        }
    }
}

impl Default for AuditQuery {
    /// All changes to everything.
    fn default() -> Self {
        Self::of(Scope::All(None))
    }
}

/// One change to one entity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEntry {
    /// The entity.
    pub key: Key,
    /// The version the change made.
    pub version: Version,
    /// The place of its commit in the feed; zero for what was imported beneath a newer version.
    pub revision: Revision,
    /// The commit. All changes of one commit happened together.
    pub commit: CommitId,
    /// When.
    pub at: Timestamp,
    /// Who.
    pub actor: Actor,
    /// What the change did.
    pub action: Action,
    /// Why, in words.
    pub reason: Option<String>,
    /// What else was said about it.
    pub metadata: Option<Json>,
    /// What was there before.
    pub before: AuditState,
    /// What was there afterwards.
    pub after: AuditState,
}

/// What an audit shows of an entity at one time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AuditState {
    /// It did not live.
    Absent,
    /// Its whole content, without its secrets if its kind has a redactor.
    Shown(Json),
    /// Its kind has a redactor, which this program does not have: nothing is shown.
    Hidden,
    /// It was pruned from the history.
    Pruned,
    /// Its bytes are damaged; `verify` says more.
    Damaged,
}

impl AuditState {
    /// The content, if it is shown.
    pub fn content(&self) -> Option<&Json> {
        match self {
            Self::Shown(content) => Some(content),
            _ => None,
        }
    }
}

impl Store {
    /// One page of the audit. It may be short, even empty, and still not the last: changes made
    /// while the [`audit`](crate::StoreOptions::audit) was off are not in it, nor those of a raw
    /// [batch](Store::commit) whose cause names nobody. An entry whose bytes
    /// are damaged is the damage in its place.
    ///
    /// Of kinds with a [redactor](outlast_core::Entity::REDACT) values are shown redacted if this
    /// program [uses](Store::kind) the kind, and else not at all.
    ///
    /// `Invalid` or `TooLarge` for a page of 0 or of more than [`AuditQuery::MOST`] entries.
    /// Dropping the future is harmless.
    ///
    /// ```
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// # use std::sync::Arc;
    /// # use outlast_store::{AuditQuery, AuditState, Store, StoreOptions};
    /// # use outlast_core::{Action, Cause, Entity, NoStatus, RandomIds};
    /// # use serde::{Deserialize, Serialize};
    /// # #[derive(Clone, Debug, Serialize, Deserialize)]
    /// # struct Note { text: String }
    /// # impl Entity for Note { type Status = NoStatus; const KIND: &'static str = "note"; }
    /// # let backend = Arc::new(outlast_memory::Memory::new(&RandomIds));
    /// # let store = Store::open(backend, StoreOptions::default());
    /// let notes = store.kind::<Note>().with_cause(Cause::by("user:ann".parse()?).because("typo"));
    /// notes.create("a", &Note { text: "mlik".into() }).await?;
    /// notes.update("a", |note| Ok(note.text = "milk".into())).await?;
    ///
    /// let newest = store.audit(&AuditQuery::default()).await?.items.remove(0)?;
    /// assert_eq!(newest.action, Action::update());
    /// assert_eq!(newest.reason.as_deref(), Some("typo"));
    /// assert_eq!(newest.before.content().unwrap().as_str(), r#"{"text":"mlik"}"#);
    /// assert_eq!(newest.after.content().unwrap().as_str(), r#"{"text":"milk"}"#);
    /// # Ok::<(), outlast_core::Error>(())
    /// # }).unwrap();
    /// ```
    pub async fn audit(&self, query: &AuditQuery) -> Result<Listed<Verified<AuditEntry>>> {
        query.page.validate(AuditQuery::MOST)?;
        let Listed { items, next } = self.history(&history_of(query)).await?;
        let near = self.near(&items).await?;
        let mut entries = Vec::with_capacity(items.len());
        for item in &items {
            match item {
                Ok(version) => entries.extend(self.entry(version, &near).await?.map(Ok)),
                Err(damage) => entries.push(Err(damage.clone())),
            }
        }
        Ok(Listed { items: entries, next })
    }

    /// The entry that a version is; none if it was not audited.
    async fn entry(&self, version: &Versioned, near: &Near) -> Result<Option<AuditEntry>> {
        let Some(actor) = version.actor.clone() else { return Ok(None) };
        Ok(Some(AuditEntry {
            key: version.key.clone(),
            version: version.version,
            revision: version.revision,
            commit: version.commit,
            at: version.at,
            actor,
            action: version.action.clone(),
            reason: version.reason.clone(),
            metadata: version.metadata.clone(),
            before: self.before(version, near).await?,
            after: self.shown(version),
        }))
    }

    /// What was there before a version: among what is near, or looked up.
    async fn before(&self, version: &Versioned, near: &Near) -> Result<AuditState> {
        let Version { epoch, n } = version.version;
        if n <= 1 {
            return Ok(AuditState::Absent);
        }
        if let Some(before) = near.get(&(version.key.clone(), Version::new(epoch, n - 1))) {
            return Ok(self.shown(before));
        }
        // After a merge several epochs may have used the number; the one before is the latest of
        // those that are not later than this.
        let page = Page::first(EPOCHS);
        let query = HistoryQuery::version(version.key.clone(), n - 1);
        let query = HistoryQuery { newest_first: true, page, ..query };
        for found in self.history(&query).await?.items {
            match found {
                Ok(before) if before.version.epoch <= epoch => return Ok(self.shown(&before)),
                Ok(_) => {}
                Err(_) => return Ok(AuditState::Damaged),
            }
        }
        Ok(AuditState::Pruned)
    }

    /// What a page holds, and what came before that, as far as a few reads of neighbours find it.
    async fn near(&self, items: &[Verified<Versioned>]) -> Result<Near> {
        let place = |version: &Versioned| (version.key.clone(), version.version);
        let mut near: Near =
            items.iter().flatten().map(|version| (place(version), version.clone())).collect();
        for (key, (last, width)) in runs(items, &near) {
            let page = Page::first(width);
            // Without a lower bound, so that the walk ends with the page.
            let scope = Scope::Entity(key);
            let query = HistoryQuery {
                to: Some(last),
                newest_first: true,
                page,
                ..HistoryQuery::of(scope)
            };
            let found = self.history(&query).await?.items.into_iter().flatten();
            near.extend(found.map(|version| (place(&version), version)));
        }
        Ok(near)
    }

    fn shown(&self, version: &Versioned) -> AuditState {
        let Some(content) = &version.state else { return AuditState::Absent };
        match self.inner.known.redactor(&version.key.kind) {
            Some(redactor) => redacted(redactor, content),
            None if is_marked(&version.attrs) => AuditState::Hidden,
            None => AuditState::Shown(content.clone()),
        }
    }
}

fn redacted(redactor: Redactor, content: &Json) -> AuditState {
    redactor.content(content).map_or(AuditState::Hidden, AuditState::Shown)
}

/// So many epochs of one number are looked at.
const EPOCHS: u32 = 16;

/// Versions at hand, by their places.
type Near = HashMap<(Key, Version), Versioned>;

/// Numbers that are at most so far apart are read together with those between them.
const GAP: u64 = 4;

/// The numbers of the versions that come before those on a page and are not on it, in runs: of
/// which entity, the highest of a run, and how many there are down to its lowest.
fn runs(items: &[Verified<Versioned>], near: &Near) -> Vec<(Key, (u64, u32))> {
    let mut missing: Vec<(&Key, u64)> = Vec::new();
    for version in items.iter().flatten().filter(|version| version.actor.is_some()) {
        let Version { epoch, n } = version.version;
        if n > 1 && !near.contains_key(&(version.key.clone(), Version::new(epoch, n - 1))) {
            missing.push((&version.key, n - 1));
        }
    }
    missing.sort_unstable();
    let mut runs: Vec<(Key, (u64, u32))> = Vec::new();
    for (key, n) in missing {
        match runs.last_mut() {
            Some((of, (last, width)))
                if of == key && n - *last <= GAP && *width < AuditQuery::MOST / 2 =>
            {
                *width += u32::try_from(n - *last).unwrap_or_default();
                *last = n;
            }
            _ => runs.push((key.clone(), (n, 1))),
        }
    }
    runs
}

fn history_of(query: &AuditQuery) -> HistoryQuery {
    HistoryQuery {
        since: query.since,
        until: query.until,
        actor: query.actor.clone(),
        action: query.action.clone(),
        newest_first: query.newest_first,
        page: query.page.clone(),
        ..HistoryQuery::of(query.scope.clone())
    }
}
