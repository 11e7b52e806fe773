//! Deleting entities, and removing for good what was deleted.

use outlast_core::{
    Agent, Artifact, AttrName, Checkpoint, Claim, Command, Consumption, Entity, Error, ErrorKind,
    Expect, Filter, Key, Kind, Op, Page, Pipeline, Prune, Query, Receipt, Record, Result, Session,
    Slot, StageOutcome, StreamName, Swarm, Version, Window, WindowItem,
};

use super::pass::Pass;
use super::prune::{PAGE, everything};
use super::removal::{deletion, is_ours, remove};

/// An entity that goes.
#[derive(Debug)]
pub(super) struct Doomed {
    pub(super) key: Key,
    pub(super) version: Version,
    pub(super) bytes: u64,
    /// What has its group and goes before it: stages, items.
    pub(super) parts: Option<Query>,
    /// Its output.
    pub(super) log: Option<StreamName>,
    /// What it still claims.
    pub(super) claim: Option<(Key, Version)>,
}

impl Doomed {
    pub(super) fn of(record: &Record) -> Self {
        Self {
            key: record.key.clone(),
            version: record.version,
            bytes: record.state.as_str().len() as u64,
            parts: None,
            log: None,
            claim: None,
        }
    }
}

/// All of a kind that has this as its group.
pub(super) fn members(kind: &str, group: &str) -> Result<Query> {
    let query = Query::of(Kind::new(kind)?).filter(Filter::is(AttrName::group(), group));
    Ok(Query { page: Page::first(PAGE), ..query })
}

impl Pass<'_> {
    /// Removes entities with all that belongs to them. One that changed meanwhile stays.
    pub(super) async fn remove(&mut self, doomed: Vec<Doomed>) -> Result<()> {
        for one in &doomed {
            if let Some(parts) = one.parts.clone() {
                self.remove_all(parts).await?;
            }
        }
        let deleted = self.delete(doomed).await?;
        let mut items = Vec::new();
        for (one, tombstone) in &deleted {
            if self.dry_run {
                self.gone.insert(Checkpoint::group_of(&one.key));
            }
            self.remove_all(members(Checkpoint::KIND, &Checkpoint::group_of(&one.key))?).await?;
            if let Some(log) = &one.log {
                let (count, bytes) = self.measure(log).await?;
                self.sweep.add("log", count, bytes);
                items.push(Prune::Stream(log.clone()));
            }
            let key = one.key.clone();
            items.push(Prune::Tombstone { key, version: *tombstone });
        }
        self.prune(items).await
    }

    /// Removes everything that matches, whatever it is.
    async fn remove_all(&mut self, mut query: Query) -> Result<()> {
        loop {
            let page = self.store.list(&query).await?;
            let mut doomed = Vec::new();
            for slot in page.items {
                match slot.live() {
                    Ok(record) => doomed.extend(record.as_ref().map(Doomed::of)),
                    Err(error) => self.keep(error)?,
                }
            }
            let deleted = self.delete(doomed).await?;
            self.prune_all(deleted).await?;
            let Some(next) = page.next else { return Ok(()) };
            query.page = query.page.after(next);
        }
    }

    /// Removes entities that nothing belongs to.
    pub(super) async fn remove_bare(&mut self, doomed: Vec<Doomed>) -> Result<()> {
        let deleted = self.delete(doomed).await?;
        self.prune_all(deleted).await
    }

    async fn prune_all(&self, deleted: Vec<(Doomed, Version)>) -> Result<()> {
        let tombstone =
            |(one, version): (Doomed, Version)| Prune::Tombstone { key: one.key, version };
        self.prune(deleted.into_iter().map(tombstone).collect()).await
    }

    pub(super) async fn prune(&self, items: Vec<Prune>) -> Result<()> {
        if self.dry_run || items.is_empty() { Ok(()) } else { remove(self.store, items).await }
    }

    /// Deletes and counts, as many in one commit as there may be; answers what was deleted, and
    /// the versions that did it.
    async fn delete(&mut self, doomed: Vec<Doomed>) -> Result<Vec<(Doomed, Version)>> {
        let mut deleted = Vec::with_capacity(doomed.len());
        // A claim may go with each.
        let most = (self.store.info().limits.ops / 2).max(1);
        let mut left = doomed;
        while !left.is_empty() {
            let rest = left.split_off(left.len().min(most));
            deleted.extend(self.delete_at_once(left).await?);
            left = rest;
        }
        for (one, _) in &deleted {
            self.sweep.add(one.key.kind.as_str(), 1, one.bytes);
            self.sweep.add("claim", u64::from(one.claim.is_some()), 0);
        }
        Ok(deleted)
    }

    async fn delete_at_once(&self, doomed: Vec<Doomed>) -> Result<Vec<(Doomed, Version)>> {
        if self.dry_run {
            let deleted = doomed.into_iter().map(|one| {
                let version = one.version;
                (one, version)
            });
            return Ok(deleted.collect());
        }
        let receipt = match self.commit(&doomed).await {
            Ok(receipt) => receipt,
            // One of them changed meanwhile; that keeps none of the others.
            Err(error) if error.kind() == ErrorKind::Conflict && doomed.len() > 1 => {
                let mut deleted = Vec::new();
                for one in doomed {
                    deleted.extend(Box::pin(self.delete_at_once(vec![one])).await?);
                }
                return Ok(deleted);
            }
            Err(error) if error.kind() == ErrorKind::Conflict => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let gone = |key: &Key| {
            let lacks = || Error::internal(format!("the receipt of deleting {key} lacks it"));
            receipt.version(key).ok_or_else(lacks)
        };
        let mut claims = Vec::new();
        for (key, _) in doomed.iter().filter_map(|one| one.claim.as_ref()) {
            claims.push(Prune::Tombstone { key: key.clone(), version: gone(key)? });
        }
        self.prune(claims).await?;
        let deleted = doomed.into_iter().map(|one| {
            let version = gone(&one.key)?;
            Ok((one, version))
        });
        deleted.collect()
    }

    async fn commit(&self, doomed: &[Doomed]) -> Result<Receipt> {
        let mut draft = deletion(self.store)?;
        for one in doomed {
            let claim = one.claim.iter().map(|(key, version)| (key, *version));
            for (key, version) in std::iter::once((&one.key, one.version)).chain(claim) {
                draft.op(Op::Delete { key: key.clone(), expect: Expect::At(version) });
            }
        }
        draft.commit().await
    }

    /// Removes for good what was deleted before a process ended.
    pub(super) async fn leftovers(&mut self) -> Result<()> {
        let own: Vec<&str> = self.policies.own.keys().copied().collect();
        for kind in KINDS.iter().copied().chain(own) {
            let mut query = everything(kind)?;
            loop {
                let page = self.store.list(&query).await?;
                for slot in page.items {
                    if let Slot::Tombstone { key, version, .. } = slot
                        && is_ours(self.store, &key).await?
                    {
                        self.complete(key, version).await?;
                    }
                }
                let Some(next) = page.next else { break };
                query.page = query.page.after(next);
            }
        }
        Ok(())
    }

    async fn complete(&mut self, key: Key, version: Version) -> Result<()> {
        self.remove_all(members(Checkpoint::KIND, &Checkpoint::group_of(&key))?).await?;
        let mut items = Vec::new();
        if key.kind.as_str() == Command::KIND {
            items.push(Prune::Stream(Key::new(Command::LOG, key.id())?));
        }
        items.push(Prune::Tombstone { key, version });
        self.prune(items).await
    }
}

/// What retention deletes, besides runs and their tasks.
const KINDS: &[&str] = &[
    Window::KIND,
    WindowItem::KIND,
    Consumption::KIND,
    Artifact::KIND,
    Command::KIND,
    Claim::KIND,
    Pipeline::KIND,
    StageOutcome::KIND,
    Agent::KIND,
    Swarm::KIND,
    Session::KIND,
    Checkpoint::KIND,
];
