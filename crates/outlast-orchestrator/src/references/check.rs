//! The walk over everything that refers to something.

use std::fmt;

use outlast_core::{
    Agent, Claim, Command, Key, Page, Query, Result, Session, Slot, StageOutcome, Task, WindowItem,
};
use outlast_store::{Store, Stored};
use serde::Serialize;

use super::claim::{unclaimed, unheld};
use super::links::{Link, Linked};

/// How many entities are read at once.
const PAGE: u32 = 256;

/// How many examples are kept.
const EXAMPLES: usize = 1000;

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct References {
    /// How many references there are.
    pub checked: u64,
    /// How many of them do not hold.
    pub dangling: u64,
    /// Those, at most 1,000 of them.
    pub examples: Vec<Dangling>,
}

/// One that does not hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Dangling {
    /// The entity it is found in.
    #[serde(serialize_with = "as_text")]
    pub from: Key,
    /// What is wrong, in words that follow the name of the entity.
    pub why: String,
}

impl fmt::Display for Dangling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.from, self.why)
    }
}

fn as_text<S: serde::Serializer>(key: &Key, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(key)
}

/// Checks every reference between the kinds of the engines. Changes nothing.
///
/// Entities that change meanwhile are judged by what they are when they are looked at; what looks
/// dangling is looked at twice. What cannot be read is left to [`Store::verify`]. Errors are those
/// of reading. Cancel safe.
pub async fn check(store: &Store) -> Result<References> {
    let mut walk = Walk { store, found: References::default() };
    walk.kind::<Agent>().await?;
    walk.kind::<Session>().await?;
    walk.kind::<Command>().await?;
    walk.kind::<StageOutcome>().await?;
    walk.kind::<WindowItem>().await?;
    walk.kind::<Task>().await?;
    walk.claims().await?;
    Ok(walk.found)
}

struct Walk<'a> {
    store: &'a Store,
    found: References,
}

impl Walk<'_> {
    async fn kind<T: Linked>(&mut self) -> Result<()> {
        let mut query = first_page::<T>(self.store)?;
        loop {
            let page = self.store.kind::<T>().list(&query).await?;
            let readable: Vec<Stored<T>> = page.items.into_iter().flatten().collect();
            self.links(&readable).await?;
            let Some(next) = page.next else { return Ok(()) };
            query.page = query.page.after(next);
        }
    }

    async fn links<T: Linked>(&mut self, entities: &[Stored<T>]) -> Result<()> {
        let mut links = Vec::new();
        for entity in entities {
            links.extend(entity.links()?.into_iter().map(|link| (entity, link)));
        }
        self.found.checked += links.len() as u64;
        let keys: Vec<Key> = links.iter().map(|(_, link)| link.to.clone()).collect();
        if keys.is_empty() {
            return Ok(());
        }
        for ((entity, link), slot) in links.iter().zip(self.store.get(&keys).await?) {
            if is_gone(&slot, link) && self.still_names(entity, link).await? {
                let why = format!("its {} names {}, which does not exist", link.field, link.to);
                self.add(entity.key.clone(), why);
            }
        }
        Ok(())
    }

    /// Whether an entity that was read some time ago still names what is gone.
    async fn still_names<T: Linked>(&self, entity: &Stored<T>, link: &Link) -> Result<bool> {
        let keys = [entity.key.clone(), link.to.clone()];
        let slots = self.store.get(&keys).await?;
        let [Slot::Live(now), target] = slots.as_slice() else { return Ok(false) };
        Ok(now.version == entity.version && is_gone(target, link))
    }

    async fn claims(&mut self) -> Result<()> {
        let claims = self.store.kind::<Claim>();
        let mut query = first_page::<Claim>(self.store)?;
        loop {
            let page = claims.list(&query).await?;
            for claim in page.items.into_iter().flatten() {
                self.found.checked += 1;
                if let Some(why) = unheld(self.store, &claim).await?
                    && self.is_unchanged(&claim).await?
                {
                    self.add(claim.key.clone(), why);
                }
            }
            let Some(next) = page.next else { break };
            query.page = query.page.after(next);
        }
        self.holders().await
    }

    async fn holders(&mut self) -> Result<()> {
        let commands = self.store.kind::<Command>();
        let mut query = first_page::<Command>(self.store)?;
        loop {
            let page = commands.list(&query).await?;
            for command in page.items.into_iter().flatten() {
                if let Some(why) = unclaimed(self.store, &command).await?
                    && self.is_unchanged(&command).await?
                {
                    self.add(command.key.clone(), why);
                }
            }
            let Some(next) = page.next else { return Ok(()) };
            query.page = query.page.after(next);
        }
    }

    async fn is_unchanged<T>(&self, read: &Stored<T>) -> Result<bool> {
        let slots = self.store.get(std::slice::from_ref(&read.key)).await?;
        Ok(matches!(slots.as_slice(), [Slot::Live(now)] if now.version == read.version))
    }

    fn add(&mut self, from: Key, why: String) {
        self.found.dangling += 1;
        if self.found.examples.len() < EXAMPLES {
            self.found.examples.push(Dangling { from, why });
        }
    }
}

fn first_page<T: outlast_core::Entity>(store: &Store) -> Result<Query> {
    Ok(Query { page: Page::first(PAGE), ..store.kind::<T>().query()? })
}

fn is_gone(slot: &Slot, link: &Link) -> bool {
    match slot {
        Slot::Vacant => true,
        Slot::Tombstone { .. } => !link.may_be_deleted,
        Slot::Live(_) | Slot::Damaged(_) => false,
    }
}
