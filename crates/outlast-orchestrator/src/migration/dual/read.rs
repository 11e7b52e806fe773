//! Reads of what memory may not have: older versions, older entries.

use outlast_core::{
    AttrName, AttrValue, Counts, Cursor, Entry, Error, HistoryQuery, Key, Kind, Listed, Page,
    Query, Result, Scope, Slot, StreamExtent, StreamQuery, Verified, Versioned,
};

use super::Shared;
use crate::migration::lineage;

impl Shared {
    pub(crate) async fn get(&self, keys: &[Key]) -> Result<Vec<Slot>> {
        self.check_served(keys.iter().map(|key| &key.kind))?;
        if !keys.iter().any(|key| self.is_damaged(key)) {
            let slots = self.near.get(keys).await?;
            self.sample(keys);
            return Ok(slots);
        }
        self.catch_up(keys).await?;
        let names: Vec<Key> =
            keys.iter().map(|key| lineage::far(key, self.lineage(&key.kind))).collect();
        let far = self.far.reader()?;
        let there = self.far.within(far.get(&names)).await?;
        let here = self.near.get(keys).await?;
        let slots = keys.iter().zip(here).zip(there);
        let pick = |((key, here), there)| if self.is_damaged(key) { there } else { here };
        Ok(slots.map(pick).map(lineage::slot).collect())
    }

    pub(crate) async fn list(&self, query: &Query) -> Result<Listed<Slot>> {
        self.check_served([&query.kind])?;
        if self.has_damage(&query.kind) {
            let asked = self.far_query(query).await?;
            let far = self.far.reader()?;
            let page = self.far.within(far.list(&asked)).await?;
            let items = page.items.into_iter().map(lineage::slot).collect();
            return Ok(Listed { items, next: page.next });
        }
        let listed = self.near.list(query).await?;
        self.sample_page(query);
        Ok(listed)
    }

    pub(crate) async fn count(&self, query: &Query, by: &[AttrName]) -> Result<Counts> {
        self.check_served([&query.kind])?;
        if self.has_damage(&query.kind) {
            let asked = self.far_query(query).await?;
            let far = self.far.reader()?;
            return self.far.within(far.count(&asked, by)).await;
        }
        self.near.count(query, by).await
    }

    /// The query as the database is asked, once it is up to date.
    async fn far_query(&self, query: &Query) -> Result<Query> {
        self.catch_up_kind(&query.kind).await?;
        let space = lineage::far_space(query.space, self.lineage(&query.kind));
        Ok(Query { space, ..query.clone() })
    }

    /// Whether memory has all versions and entries of a kind.
    pub(crate) fn has_history(&self, kind: &Kind) -> bool {
        self.control().course(kind).is_none_or(|course| course.whole || !course.is_mirrored())
    }

    pub(crate) async fn history(
        &self,
        query: &HistoryQuery,
    ) -> Result<Listed<Verified<Versioned>>> {
        match &query.scope {
            Scope::Entity(key) => {
                self.check_served([&key.kind])?;
                if self.has_history(&key.kind) {
                    return self.near.history(query).await;
                }
                self.catch_up(std::slice::from_ref(key)).await?;
                self.far_history(query).await
            }
            Scope::All(Some(kind)) => {
                self.check_served([kind])?;
                if self.has_history(kind) {
                    return self.near.history(query).await;
                }
                self.catch_up_kind(kind).await?;
                self.far_history(query).await
            }
            Scope::All(None) => self.whole_history(query).await,
        }
    }

    /// The database's versions, under our names and of our lineages.
    async fn far_history(&self, query: &HistoryQuery) -> Result<Listed<Verified<Versioned>>> {
        let far = self.far.reader()?;
        let mut asked = query.clone();
        if let Scope::Entity(key) = &query.scope {
            asked.scope = Scope::Entity(lineage::far(key, self.lineage(&key.kind)));
        }
        let page = self.far.within(far.history(&asked)).await?;
        let items = page.items.into_iter().filter_map(|item| match item {
            Ok(version) => {
                let lineage = self.mirrored_lineage(&version.key.kind)?;
                let key = lineage::near(&version.key, lineage)?;
                Some(Ok(Versioned { key, ..version }))
            }
            Err(damage) => Some(Err(damage)),
        });
        Ok(Listed { items: items.collect(), next: page.next })
    }

    /// The lineage of a kind whose history is read from the database.
    fn mirrored_lineage(&self, kind: &Kind) -> Option<u16> {
        let control = self.control();
        control.course(kind).filter(|c| c.is_mirrored() && !c.whole).map(|course| course.lineage)
    }

    /// Versions of all kinds: from memory, then from the database, or the other way round, each
    /// in its own order.
    async fn whole_history(&self, query: &HistoryQuery) -> Result<Listed<Verified<Versioned>>> {
        let split = self.control().courses().values().any(|c| c.is_mirrored() && !c.whole);
        if !split {
            return self.near.history(query).await;
        }
        let (part, after) = from_cursor(query.page.after.as_ref(), query.newest_first)?;
        let mut asked = query.clone();
        asked.page.after = after;
        let mut page = match part {
            Part::Far => self.far_history(&asked).await?,
            Part::Near => {
                let mut page = self.near.history(&asked).await?;
                let ours = |item: &Verified<Versioned>| {
                    item.as_ref().map_or(true, |version| self.has_history(&version.key.kind))
                };
                page.items.retain(ours);
                page
            }
        };
        page.next = match page.next {
            Some(next) => Some(to_cursor(part, Some(&next))),
            None => part.then(query.newest_first).map(|part| to_cursor(part, None)),
        };
        Ok(page)
    }

    pub(crate) async fn read(&self, query: &StreamQuery) -> Result<Listed<Verified<Entry>>> {
        let stream = &query.stream;
        self.check_served([&stream.kind])?;
        if self.has_history(&stream.kind) {
            return self.near.read(query).await;
        }
        self.catch_up(std::slice::from_ref(stream)).await?;
        let far = self.far.reader()?;
        let name = lineage::far(stream, self.lineage(&stream.kind));
        let asked = StreamQuery { stream: name, ..query.clone() };
        let page = self.far.within(far.read(&asked)).await?;
        let plain = |entry: Entry| lineage::entry(&entry, stream.clone());
        let items = page.items.into_iter().map(|item| item.map(plain)).collect();
        Ok(Listed { items, next: page.next })
    }

    pub(crate) async fn streams(&self, kind: &Kind, page: &Page) -> Result<Listed<StreamExtent>> {
        self.check_served([kind])?;
        if self.has_history(kind) {
            return self.near.streams(kind, page).await;
        }
        self.catch_up_kind(kind).await?;
        let of = self.lineage(kind);
        let far = self.far.reader()?;
        let found = self.far.within(far.streams(kind, page)).await?;
        let items = found.items.into_iter().filter_map(|extent| {
            let stream = lineage::near(&extent.stream, of)?;
            Some(StreamExtent { stream, ..extent })
        });
        Ok(Listed { items: items.collect(), next: found.next })
    }

    /// Ships what the database lacks of these, so that it can be read from there.
    async fn catch_up(&self, keys: &[Key]) -> Result<()> {
        let behind = keys.iter().any(|key| self.control().is_behind(key));
        if !behind || self.clean(keys).await {
            return Ok(());
        }
        Err(Error::unavailable(
            "the database is away, and only it has all of this; try again once it is back",
        ))
    }

    async fn catch_up_kind(&self, kind: &Kind) -> Result<()> {
        let behind = self.control().behind_of(kind);
        self.catch_up(&behind).await
    }
}

/// Where versions of all kinds are read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Far,
    Near,
}

impl Part {
    /// What comes after it: the database has the older ones.
    fn then(self, newest_first: bool) -> Option<Self> {
        match (self, newest_first) {
            (Self::Far, false) => Some(Self::Near),
            (Self::Near, true) => Some(Self::Far),
            _ => None,
        }
    }
}

fn to_cursor(part: Part, after: Option<&Cursor>) -> Cursor {
    let value = AttrValue::Int(i64::from(part == Part::Near));
    let after = after.map_or_else(|| "-".to_owned(), ToString::to_string);
    Cursor::listing(Some(&value), &after)
}

fn from_cursor(cursor: Option<&Cursor>, newest_first: bool) -> Result<(Part, Option<Cursor>)> {
    let Some(cursor) = cursor else {
        let part = if newest_first { Part::Near } else { Part::Far };
        return Ok((part, None));
    };
    let foreign = || Error::invalid("the cursor belongs to another query; begin again without one");
    let (value, after) = cursor.to_listing().map_err(|_| foreign())?;
    let part = match value {
        Some(AttrValue::Int(0)) => Part::Far,
        Some(AttrValue::Int(1)) => Part::Near,
        _ => return Err(foreign()),
    };
    let after = match after.as_str() {
        "-" => None,
        text => Some(text.parse().map_err(|_| foreign())?),
    };
    Ok((part, after))
}
