//! How much of what there is.

use std::collections::BTreeMap;

use outlast_core::{
    Agent, AttrName, AttrValue, Durability, Entity, Kind, Query, Result, Revision, Session, Space,
    Status, Swarm, Timestamp,
};
use outlast_store::{Backlog, Store};
use serde::Serialize;

use super::audit;
use super::recovery::{self, RecoveryFigures};

/// How often the figures are gathered again because something was committed meanwhile.
const TRIES: u32 = 3;

/// How many live entities there are of a kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct KindCount {
    /// The kind.
    pub kind: Kind,
    /// Its lineage.
    pub space: Space,
    /// All of them.
    pub total: u64,
    /// Those in each state; nothing for a kind that has none.
    pub by_status: BTreeMap<String, u64>,
}

/// What a store holds and how it fares.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Statistics {
    /// When they were gathered.
    pub at: Timestamp,
    /// The last commit before the first figure was read.
    pub from: Revision,
    /// The last commit after the last figure was read.
    pub to: Revision,
    /// Swarms that are not settled.
    pub active_swarms: u64,
    /// Agents that are not settled.
    pub active_agents: u64,
    /// Sessions, closed ones included.
    pub total_sessions: u64,
    /// Audited changes of the last hour.
    pub recent_audit_entries: u64,
    /// Every kind there is anything of, also if all of it was deleted.
    pub kinds: Vec<KindCount>,
    /// Kinds of streams.
    pub streams: Vec<Kind>,
    /// What this process has handed in and is not answered yet. Its lag says how far what is
    /// durable is behind what was asked for.
    pub backlog: Backlog,
    /// How many entities two stores disagree on that are written to both; `None` while there is
    /// only one.
    pub divergence: Option<u64>,
    /// Bytes on disk, or roughly the bytes held by a store in memory.
    pub bytes: u64,
    /// Of these, bytes that are free for reuse.
    pub free_bytes: u64,
    /// The version of the storage layout.
    pub schema_version: u32,
    /// What keeps the data.
    pub backend: &'static str,
    /// What a commit survives.
    pub durability: Durability,
    /// The last recovery, if there was one and this program knows of recovery.
    pub last_recovery: Option<RecoveryFigures>,
}

impl Statistics {
    /// Whether nothing was committed while they were gathered, so that all figures fit together.
    pub fn is_of_one_moment(&self) -> bool {
        self.from == self.to
    }

    /// How many entities of a kind are in a state, in all lineages.
    pub fn count(&self, kind: &str, status: &str) -> u64 {
        let kinds = self.kinds.iter().filter(|count| count.kind.as_str() == kind);
        kinds.filter_map(|count| count.by_status.get(status)).sum()
    }
}

/// Counts what a store holds. Cheap: it lists no entity, and its cost does not grow with their
/// number but for the backend's way of counting.
///
/// Errors are those of reading. Cancel safe.
pub async fn gather(store: &Store) -> Result<Statistics> {
    let mut found = gather_once(store).await?;
    for _ in 1..TRIES {
        if found.is_of_one_moment() {
            break;
        }
        found = gather_once(store).await?;
    }
    Ok(found)
}

async fn gather_once(store: &Store) -> Result<Statistics> {
    let (at, from) = (store.clock().now(), store.revision().await?);
    let held = store.kinds().await?;
    let mut kinds = Vec::with_capacity(held.entities.len());
    for (space, kind) in held.entities {
        kinds.push(count(store, space, kind).await?);
    }
    let recent_audit_entries = audit::recent(store, at).await?;
    let last_recovery = recovery::last(store).await?;
    let size = store.backend().size().await?;
    let info = store.info();
    let to = store.revision().await?;
    Ok(Statistics {
        at,
        from,
        to,
        active_swarms: active::<Swarm>(&kinds),
        active_agents: active::<Agent>(&kinds),
        total_sessions: of::<Session>(&kinds).map(|count| count.total).sum(),
        recent_audit_entries,
        kinds,
        streams: held.streams.into_iter().collect(),
        backlog: store.backlog(),
        divergence: None,
        bytes: size.bytes,
        free_bytes: size.free,
        schema_version: info.schema_version,
        backend: info.name,
        durability: info.durability,
        last_recovery,
    })
}

async fn count(store: &Store, space: Space, kind: Kind) -> Result<KindCount> {
    let query = Query { space, ..Query::of(kind.clone()) };
    let counts = store.count(&query, &[AttrName::status()]).await?;
    let groups = counts.groups.into_iter().filter_map(|(group, count)| match group.as_slice() {
        [Some(AttrValue::Text(status))] => Some((status.to_string(), count)),
        _ => None,
    });
    Ok(KindCount { kind, space, total: counts.total, by_status: groups.collect() })
}

fn of<T: Entity>(kinds: &[KindCount]) -> impl Iterator<Item = &KindCount> {
    kinds.iter().filter(|count| count.kind.as_str() == T::KIND)
}

/// How many are in a state that is not settled. One in a state that there is none of counts.
fn active<T: Entity>(kinds: &[KindCount]) -> u64 {
    let states = of::<T>(kinds).flat_map(|count| &count.by_status);
    let settled = |status: &str| T::Status::parse(status).is_ok_and(Status::is_settled);
    states.filter(|(status, _)| !settled(status)).map(|(_, count)| count).sum()
}
