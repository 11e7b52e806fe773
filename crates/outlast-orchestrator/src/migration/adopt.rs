//! Taking over what a program kept in a map of its own.

use outlast_core::{
    Action, Attributes, Batch, Entity, Error, ErrorKind, Expect, Id, Json, Key, Kind, Op, Outcome,
    Put, Result, Slot,
};
use outlast_store::{Store, attributes_of};
use serde::Serialize;

use super::migration::Migration;
use super::{Phase, ledger};

/// One entity of a program's own memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Adopted {
    /// Its name.
    pub key: Key,
    /// The schema number of its content.
    pub schema: u32,
    /// What it can be filtered by.
    pub attrs: Attributes,
    /// Its content.
    pub state: Json,
}

impl Adopted {
    /// A value of a kind that is known.
    ///
    /// `Invalid` for an id that is none, and `TooLarge` for one that is too long.
    pub fn of<T: Entity>(id: impl AsRef<str>, value: &T) -> Result<Self> {
        let key = Key::new(T::KIND, id)?;
        let (attrs, state) = (attributes_of(value)?, Json::encode(value)?);
        Ok(Self { key, schema: T::SCHEMA, attrs, state })
    }

    /// Any content, which can be filtered by nothing.
    pub fn raw(kind: Kind, id: impl AsRef<str>, state: &impl Serialize) -> Result<Self> {
        let key = Key::of(kind, Id::new(id)?);
        Ok(Self { key, schema: 1, attrs: Attributes::new(), state: Json::encode(state)? })
    }
}

/// What became of one entity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "outcome", content = "why")]
pub enum Fate {
    /// It is in the store now.
    Migrated,
    /// The store has just this already.
    Unchanged,
    /// The store has something else, which was written since: that stays.
    Newer,
    /// It is not in the store.
    Failed(String),
}

/// What became of all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Adoption {
    /// Each entity, in the order in which they came.
    pub fates: Vec<(Key, Fate)>,
}

impl Adoption {
    /// How many had a fate like this one, whatever the reason.
    pub fn count(&self, like: &Fate) -> usize {
        let like = std::mem::discriminant(like);
        self.fates.iter().filter(|(_, fate)| std::mem::discriminant(fate) == like).count()
    }

    /// Those that are to be tried again.
    pub fn failed(&self) -> impl Iterator<Item = &Key> {
        let failed = self.fates.iter().filter(|(_, fate)| matches!(fate, Fate::Failed(_)));
        failed.map(|(key, _)| key)
    }
}

impl Migration {
    /// Takes entities over from a map, kind by kind, and moves each kind that is wished to be in
    /// the database there. Doing it again changes nothing, and what failed alone can be given
    /// again.
    ///
    /// Errors are those of the moves; what is wrong with single entities is told of each.
    pub async fn migrate_from_memory(
        &self,
        entities: impl IntoIterator<Item = Adopted> + Send,
    ) -> Result<Adoption> {
        let mut adoption = Adoption::default();
        let entities: Vec<Adopted> = entities.into_iter().collect();
        for entity in entities {
            let key = entity.key.clone();
            let fate = match adopt(self.store(), entity).await {
                Ok(fate) => fate,
                Err(error) => Fate::Failed(error.to_string()),
            };
            adoption.fates.push((key, fate));
        }
        for kind in self.kinds().await? {
            let is_wanted = self.desired(&kind) == Phase::Live && self.phase(&kind) < Phase::Live;
            if is_wanted {
                self.advance(&kind, Phase::Live, false, |_| {}).await?;
            }
        }
        Ok(adoption)
    }
}

async fn adopt(store: &Store, entity: Adopted) -> Result<Fate> {
    let Adopted { key, schema, attrs, state } = entity;
    match store.get(std::slice::from_ref(&key)).await?.pop().unwrap_or(Slot::Vacant) {
        Slot::Live(record) if record.state == state => return Ok(Fate::Unchanged),
        Slot::Live(_) | Slot::Tombstone { .. } => return Ok(Fate::Newer),
        Slot::Damaged(damage) => return Err((*damage).into()),
        Slot::Vacant => {}
    }
    let put = Put { key: key.clone(), expect: Expect::Absent, schema, attrs, state };
    let batch: Batch = ledger::batch(store.ids().commit_id(), "taken over", vec![Op::Put(put)]);
    let mut batch = batch;
    batch.cause.action = Some(Action::create());
    match store.commit(batch).await? {
        Outcome::Applied(_) | Outcome::Replayed(_) => Ok(Fate::Migrated),
        Outcome::Conflict { .. } => Err(Error::new(
            ErrorKind::Conflict,
            format!("{key} was created by somebody else meanwhile; give it again"),
        )),
    }
}
