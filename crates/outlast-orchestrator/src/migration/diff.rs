//! Comparing both stores, whole, while they are written.
//!
//! What looks different is looked at again under the turn, after it was shipped: a race is never
//! a mismatch.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use outlast_core::{
    Backend, Error, ErrorKind, HistoryQuery, Key, Kind, Page, Query, ReadSet, Record, Result,
    Scope, Slot, Space, StreamQuery,
};
use serde::Serialize;

use super::control::Link;
use super::dual::Shared;
use super::progress::Certificate;
use super::{Phase, lineage};

/// Entities read at once.
const PAGE: u32 = 500;

/// Entities that are looked at again at once, under the turn: no caller waits for more.
const AGAIN: usize = 4;

/// Mismatches that are named; more are counted.
const NAMED: usize = 100;

/// In which way both stores differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// Other content at the same version.
    Value,
    /// The database is at an older version.
    Lag,
    /// The database is at a newer version.
    Ahead,
    /// The database has nothing of it.
    Missing,
    /// Memory has nothing of it.
    Extra,
    /// The database cannot read it.
    Damaged,
    /// The same now, but not the same versions before.
    History,
    /// Other entries of a stream.
    Entries,
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Value => "value",
            Self::Lag => "lag",
            Self::Ahead => "ahead",
            Self::Missing => "missing",
            Self::Extra => "extra",
            Self::Damaged => "damaged",
            Self::History => "history",
            Self::Entries => "entries",
        })
    }
}

/// Something that is not the same in both stores.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Mismatch {
    /// The entity or stream.
    #[serde(serialize_with = "as_text")]
    pub key: Key,
    /// In which way.
    pub class: Class,
    /// What memory has.
    pub memory: String,
    /// What the database has.
    pub database: String,
}

fn as_text<S: serde::Serializer>(key: &Key, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(key)
}

/// What a comparison of a kind found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Compared {
    /// Entities, tombstones included.
    pub entities: u64,
    /// Versions of their history; 0 where only the database has it.
    pub versions: u64,
    /// Entries of streams.
    pub entries: u64,
    /// What differs, the first of it by name.
    pub mismatches: Vec<Mismatch>,
    /// How much differs.
    pub mismatched: u64,
    /// What was brought into line.
    pub repaired: u64,
    /// What could not be judged, because it is behind.
    pub deferred: u64,
    /// Whether it proves that both are the same: nothing differed, nothing was repaired, nothing
    /// left out.
    pub clean: bool,
}

impl Compared {
    fn found(&mut self, mismatch: Mismatch) {
        self.mismatched += 1;
        if self.mismatches.len() < NAMED {
            self.mismatches.push(mismatch);
        }
    }
}

/// The entity that a slot is of.
pub(crate) fn named(slot: &Slot) -> Option<&Key> {
    match slot {
        Slot::Live(record) => Some(&record.key),
        Slot::Tombstone { key, .. } => Some(key),
        Slot::Vacant | Slot::Damaged(_) => None,
    }
}

type Sums = BTreeMap<Key, (u64, u64)>;

impl Shared {
    /// Compares a kind whole; a clean comparison is noted as proof for this epoch.
    pub(crate) async fn diff(self: &Arc<Self>, kind: &Kind, repair: bool) -> Result<Compared> {
        let course = self.control().course(kind).cloned();
        let Some(course) = course.filter(|course| course.is_mirrored() && !course.fenced) else {
            return Err(Error::invalid(format!("{kind} is in memory only: nothing to compare")));
        };
        if *self.control().link() != Link::Up {
            return Err(Error::unavailable("the database is away: nothing can be compared"));
        }
        if !course.backfilled {
            return Err(Error::new(
                ErrorKind::Conflict,
                format!(
                    "{kind} is still being filled in: go on with `outlast migrate state advance \
                     {kind} --to mirror`, then compare"
                ),
            ));
        }
        let at = self.far.clock.now();
        let mut compared = Compared::default();
        let mut doubtful = self.entities(kind, course.lineage, &mut compared).await?;
        if course.whole {
            doubtful.extend(self.histories(kind, course.lineage, &mut compared).await?);
        }
        // Most were being written when one side had been read and the other not.
        let mut still = Vec::new();
        for key in doubtful {
            if self.control().is_behind(&key) || self.compare(&key).await?.is_some() {
                still.push(key);
            }
        }
        let doubtful = still;
        for keys in doubtful.chunks(AGAIN) {
            self.again(keys, repair, &mut compared).await?;
        }
        self.entries(kind, repair, &mut compared).await?;
        let is_same_epoch = self.control().course(kind).is_some_and(|c| c.epoch == course.epoch);
        compared.clean =
            compared.mismatched == 0 && compared.repaired == 0 && compared.deferred == 0;
        if compared.clean && is_same_epoch {
            let sum = compared.entities + compared.versions + compared.entries;
            let clean = Certificate { epoch: course.epoch, at, compared: sum };
            self.note(kind, |progress| progress.clean = Some(clean)).await?;
        }
        Ok(compared)
    }

    /// Walks both sides in the order of ids; what differs at first sight is returned.
    async fn entities(
        &self,
        kind: &Kind,
        of: u16,
        compared: &mut Compared,
    ) -> Result<BTreeSet<Key>> {
        let far = self.far.reader()?;
        let mut spaces: BTreeSet<Space> = BTreeSet::new();
        for (space, known) in self.near.kinds().await?.entities {
            if known == *kind {
                spaces.insert(space);
            }
        }
        for (space, known) in self.far.within(far.kinds()).await?.entities {
            if known == *kind && lineage::of(space) == of {
                spaces.insert(lineage::near_space(space));
            }
        }
        let mut doubtful = BTreeSet::new();
        for space in spaces {
            let mut near = Walk::new(&*self.near, kind, space);
            let mut there = Walk::new(&*far, kind, lineage::far_space(space, of));
            loop {
                let (one, other) = (near.peek().await?, there.peek().await?);
                let order = match (one, other) {
                    (None, None) => break,
                    (Some(_), None) => std::cmp::Ordering::Less,
                    (None, Some(_)) => std::cmp::Ordering::Greater,
                    (Some((one, _)), Some((other, _))) => one.cmp(other),
                };
                compared.entities += 1;
                let one = if order.is_le() { near.next() } else { None };
                let other = if order.is_ge() { there.next() } else { None };
                let same = match (&one, &other) {
                    (Some((_, one)), Some((_, other))) => is_same(one, other),
                    _ => false,
                };
                if !same {
                    doubtful.extend(one.or(other).map(|(key, _)| key));
                }
            }
            compared.deferred += there.damaged;
        }
        Ok(doubtful)
    }

    /// Sums up all versions on both sides by entity; those whose sums differ are returned.
    async fn histories(
        &self,
        kind: &Kind,
        of: u16,
        compared: &mut Compared,
    ) -> Result<BTreeSet<Key>> {
        let far = self.far.reader()?;
        let (near, versions) = sums(&*self.near, kind, Some).await?;
        compared.versions += versions;
        let (there, _) = sums(&*far, kind, |key| lineage::near(&key, of)).await?;
        let mut doubtful = BTreeSet::new();
        for (key, sum) in &near {
            if there.get(key) != Some(sum) {
                doubtful.insert(key.clone());
            }
        }
        doubtful.extend(there.into_keys().filter(|key| !near.contains_key(key)));
        Ok(doubtful)
    }

    /// Looks at some again while nothing is written.
    async fn again(
        self: &Arc<Self>,
        keys: &[Key],
        repair: bool,
        compared: &mut Compared,
    ) -> Result<()> {
        let turn = self.turn.lock().await;
        if !self.clean(keys).await {
            compared.deferred += keys.len() as u64;
            return Ok(());
        }
        let mut differing = Vec::new();
        for key in keys {
            if let Some(mismatch) = self.compare(key).await? {
                differing.push(mismatch);
            }
        }
        drop(turn);
        for mismatch in differing {
            if repair && self.mend(&mismatch).await? {
                compared.repaired += 1;
            }
            compared.found(mismatch);
        }
        Ok(())
    }

    /// Compares one entity. Nothing of it may be under way or behind.
    pub(crate) async fn compare(&self, key: &Key) -> Result<Option<Mismatch>> {
        let far = self.far.reader()?;
        let name = lineage::far(key, self.lineage(&key.kind));
        let one = self.near.get(std::slice::from_ref(key)).await?.pop().unwrap_or(Slot::Vacant);
        let other = self.far.within(far.get(std::slice::from_ref(&name))).await?.pop();
        let other = lineage::slot(other.unwrap_or(Slot::Vacant));
        let class = match (version(&one), version(&other)) {
            _ if matches!(other, Slot::Damaged(_)) => Some(Class::Damaged),
            (None, None) => None,
            (Some(_), None) => Some(Class::Missing),
            (None, Some(_)) => Some(Class::Extra),
            (Some(one), Some(other)) if one > other => Some(Class::Lag),
            (Some(one), Some(other)) if one < other => Some(Class::Ahead),
            _ if !is_same(&one, &other) => Some(Class::Value),
            _ => None,
        };
        let class = match class {
            None if self.has_history(&key.kind) => {
                let of = self.lineage(&key.kind);
                let near = history(&*self.near, key, Some).await?;
                let there = history(&*far, &name, |key| lineage::near(&key, of)).await?;
                (near != there).then_some(Class::History)
            }
            class => class,
        };
        Ok(class.map(|class| Mismatch {
            key: key.clone(),
            class,
            memory: told(&one),
            database: told(&other),
        }))
    }

    /// Compares the streams of a kind, as far as memory has their entries.
    async fn entries(
        self: &Arc<Self>,
        kind: &Kind,
        repair: bool,
        compared: &mut Compared,
    ) -> Result<()> {
        let mut page = Page::first(PAGE);
        loop {
            let found = self.near.streams(kind, &page).await?;
            for extent in found.items {
                let stream = extent.stream;
                let turn = self.turn.lock().await;
                if !self.clean(std::slice::from_ref(&stream)).await {
                    compared.deferred += 1;
                    continue;
                }
                let (near, there) = self.stream_sums(&stream).await?;
                drop(turn);
                compared.entries += near.0;
                if near != there {
                    let mismatch = Mismatch {
                        key: stream,
                        class: Class::Entries,
                        memory: format!("{} entries", near.0),
                        database: format!("{} of them", there.0),
                    };
                    if repair && self.mend(&mismatch).await? {
                        compared.repaired += 1;
                    }
                    compared.found(mismatch);
                }
            }
            let Some(next) = found.next else { break };
            page = page.after(next);
        }
        self.extra_streams(kind, compared).await
    }

    /// Streams that only the database has, or that are longer there.
    async fn extra_streams(&self, kind: &Kind, compared: &mut Compared) -> Result<()> {
        let of = self.lineage(kind);
        for name in self.streams_of(kind, of).await? {
            let Some(stream) = lineage::near(&name, of) else { continue };
            let _turn = self.turn.lock().await;
            let reads = ReadSet { streams: [stream.clone()].into(), ..ReadSet::default() };
            let here = self.near.fetch(&reads).await?.streams.get(&stream).copied();
            let asked = ReadSet { streams: [name.clone()].into(), ..ReadSet::default() };
            let far = self.far.reader()?;
            let there = self.far.within(far.fetch(&asked)).await?.streams.get(&name).copied();
            if there > here {
                compared.found(Mismatch {
                    key: stream,
                    class: Class::Entries,
                    memory: here.map_or("nothing".to_owned(), |seq| format!("up to {}", seq.0)),
                    database: there.map_or_else(String::new, |seq| format!("up to {}", seq.0)),
                });
            }
        }
        Ok(())
    }

    /// The entries that memory has, and the same places of the database.
    async fn stream_sums(&self, stream: &Key) -> Result<((u64, u64), (u64, u64))> {
        let far = self.far.reader()?;
        let name = lineage::far(stream, self.lineage(&stream.kind));
        let (mut near, mut there) = ((0, 0), (0, 0));
        let mut query = StreamQuery { page: Page::first(PAGE), ..StreamQuery::of(stream.clone()) };
        loop {
            let page = self.near.read(&query).await?;
            let entries: Vec<_> = page.items.into_iter().collect::<Result<_, _>>()?;
            let (first, last) = (entries.first(), entries.last());
            if let (Some(first), Some(last)) = (first, last) {
                let asked = StreamQuery {
                    from: Some(first.seq),
                    to: Some(last.seq),
                    page: Page::first(PAGE),
                    ..StreamQuery::of(name.clone())
                };
                for entry in self.far.within(far.read(&asked)).await?.items.into_iter().flatten() {
                    let entry = lineage::entry(&entry, stream.clone());
                    there = (there.0 + 1, there.1 ^ entry.checksum());
                }
            }
            for entry in &entries {
                near = (near.0 + 1, near.1 ^ entry.checksum());
            }
            let Some(next) = page.next else { return Ok((near, there)) };
            query.page = query.page.after(next);
        }
    }

    /// Whether reads of a kind are made again, and compared.
    pub(crate) fn is_compared(&self, kind: &Kind) -> bool {
        (Phase::Shadow..=Phase::Live).contains(&self.control().phase(kind))
    }
}

/// One side, in the order of ids.
struct Walk<'a> {
    backend: &'a dyn Backend,
    query: Option<Query>,
    page: std::collections::VecDeque<(Key, Slot)>,
    damaged: u64,
}

impl<'a> Walk<'a> {
    fn new(backend: &'a dyn Backend, kind: &Kind, space: Space) -> Self {
        let query =
            Query { space, tombstones: true, page: Page::first(PAGE), ..Query::of(kind.clone()) };
        Self { backend, query: Some(query), page: std::collections::VecDeque::new(), damaged: 0 }
    }

    async fn peek(&mut self) -> Result<Option<&(Key, Slot)>> {
        while self.page.is_empty()
            && let Some(mut query) = self.query.take()
        {
            let listed = self.backend.list(&query).await?;
            for slot in listed.items {
                let slot = lineage::slot(slot);
                match named(&slot) {
                    Some(key) => self.page.push_back((key.clone(), slot)),
                    None => self.damaged += 1,
                }
            }
            if let Some(next) = listed.next {
                query.page = query.page.after(next);
                self.query = Some(query);
            }
        }
        Ok(self.page.front())
    }

    fn next(&mut self) -> Option<(Key, Slot)> {
        self.page.pop_front()
    }
}

fn version(slot: &Slot) -> Option<outlast_core::Version> {
    match slot {
        Slot::Live(record) => Some(record.version),
        Slot::Tombstone { version, .. } => Some(*version),
        Slot::Vacant | Slot::Damaged(_) => None,
    }
}

fn told(slot: &Slot) -> String {
    match slot {
        Slot::Vacant => "nothing".to_owned(),
        Slot::Live(record) => format!("version {}", record.version),
        Slot::Tombstone { version, .. } => format!("deleted at version {version}"),
        Slot::Damaged(damage) => format!("damaged: {}", damage.why),
    }
}

/// The same content at the same version. Transient attributes are beside it.
fn is_same(one: &Slot, other: &Slot) -> bool {
    let content = |record: &Record| {
        let Record { version, updated_at, schema, state, attrs, .. } = record;
        (*version, *updated_at, *schema, state.clone(), attrs.clone())
    };
    match (one, other) {
        (Slot::Live(one), Slot::Live(other)) => content(one) == content(other),
        (
            Slot::Tombstone { version: one, at: one_at, .. },
            Slot::Tombstone { version: other, at: other_at, .. },
        ) => (one, one_at) == (other, other_at),
        (Slot::Vacant, Slot::Vacant) => true,
        _ => false,
    }
}

/// How many versions each entity of a kind has, and their checksums taken together.
async fn sums(
    backend: &dyn Backend,
    kind: &Kind,
    name: impl Fn(Key) -> Option<Key>,
) -> Result<(Sums, u64)> {
    let scope = Scope::All(Some(kind.clone()));
    let mut query = HistoryQuery { page: Page::first(PAGE), ..HistoryQuery::of(scope) };
    let (mut sums, mut versions) = (Sums::new(), 0);
    loop {
        let page = backend.history(&query).await?;
        for version in page.items.into_iter().flatten() {
            let Some(key) = name(version.key.clone()) else { continue };
            versions += 1;
            let sum = lineage::renamed(&version, key.clone()).checksum();
            let entry = sums.entry(key).or_default();
            *entry = (entry.0 + 1, entry.1 ^ sum);
        }
        let Some(next) = page.next else { return Ok((sums, versions)) };
        query.page = query.page.after(next);
    }
}

/// The checksums of all versions of one entity.
async fn history(
    backend: &dyn Backend,
    key: &Key,
    name: impl Fn(Key) -> Option<Key>,
) -> Result<Vec<u64>> {
    let scope = Scope::Entity(key.clone());
    let mut query = HistoryQuery { page: Page::first(PAGE), ..HistoryQuery::of(scope) };
    let mut sums = Vec::new();
    loop {
        let page = backend.history(&query).await?;
        for version in page.items {
            let sum = version.ok().and_then(|version| {
                let key = name(version.key.clone())?;
                Some(lineage::renamed(&version, key).checksum())
            });
            sums.push(sum.unwrap_or_default());
        }
        let Some(next) = page.next else { return Ok(sums) };
        query.page = query.page.after(next);
    }
}
