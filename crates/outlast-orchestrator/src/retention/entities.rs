//! The walk over one kind of entities.

use std::collections::HashSet;

use outlast_core::{
    AttrName, AttrValue, Cursor, Filter, Kind, Page, Query, Result, Slot, Status, Test, Timestamp,
    Window, WindowItem,
};
use outlast_store::Stored;

use super::doomed::Doomed;
use super::kinds::Prunable;
use super::pass::Pass;
use super::policies::Own;
use super::prune::PAGE;

impl Pass<'_> {
    /// Removes what of a kind is over, old enough and free to go. Says where it stopped if there
    /// was no room for more.
    pub(super) async fn kind<T: Prunable>(
        &mut self,
        after: Option<Cursor>,
    ) -> Result<Option<Cursor>> {
        let Some(cutoff) = self.cutoff(T::KIND) else { return Ok(None) };
        let settled = T::Status::ALL.iter().filter(|status| status.is_settled());
        let settled: Vec<_> = settled.map(|status| status.as_str()).collect();
        let mut query = in_states(T::KIND, &settled, !T::Status::ALL.is_empty(), after)?;
        loop {
            let page = self.store.list(&query).await?;
            let looked_at = page.items.len() as u64;
            let mut doomed = Vec::new();
            for slot in page.items {
                match self.judge::<T>(slot, cutoff).await {
                    Ok(verdict) => doomed.extend(verdict),
                    Err(error) => self.keep(error)?,
                }
            }
            self.remove(doomed).await?;
            let has_room = self.use_up(looked_at);
            let Some(next) = page.next else { return Ok(None) };
            if !has_room {
                return Ok(Some(next));
            }
            query.page = query.page.after(next);
        }
    }

    async fn judge<T: Prunable>(
        &mut self,
        slot: Slot,
        cutoff: Timestamp,
    ) -> Result<Option<Doomed>> {
        let Some(record) = slot.live()? else { return Ok(None) };
        let mut doomed = Doomed::of(&record);
        let stored = Stored::<T>::decode(record)?;
        if T::over_at(&stored) > cutoff || T::stays(self, &stored).await? {
            return Ok(None);
        }
        T::add(self.store, &stored, &mut doomed).await?;
        Ok(Some(doomed))
    }

    /// The same for a kind of the user's own.
    pub(super) async fn own_kind(
        &mut self,
        kind: &str,
        own: &Own,
        after: Option<Cursor>,
    ) -> Result<Option<Cursor>> {
        let cutoff = self.before(own.age);
        let mut query = in_states(kind, &own.settled, own.has_states, after)?;
        loop {
            let page = self.store.list(&query).await?;
            let looked_at = page.items.len() as u64;
            let mut doomed = Vec::new();
            for slot in page.items {
                match slot.live() {
                    Ok(record) => {
                        let old = record.filter(|record| record.updated_at <= cutoff);
                        doomed.extend(old.as_ref().map(Doomed::of));
                    }
                    Err(error) => self.keep(error)?,
                }
            }
            self.remove(doomed).await?;
            let has_room = self.use_up(looked_at);
            let Some(next) = page.next else { return Ok(None) };
            if !has_room {
                return Ok(Some(next));
            }
            query.page = query.page.after(next);
        }
    }

    /// Whether a window that is not over holds an artifact. Found out once in a walk: an artifact
    /// that is old enough to go comes into no other window any more.
    pub(super) async fn is_held(&mut self, artifact: &str) -> Result<bool> {
        if self.held.is_none() {
            self.held = Some(self.all_held().await);
        }
        match &self.held {
            Some(Err(error)) => Err(error.clone()),
            Some(Ok(held)) => Ok(held.contains(artifact)),
            None => Ok(false),
        }
    }

    async fn all_held(&self) -> Result<HashSet<String>> {
        let open = outlast_core::WindowStatus::ALL.iter().filter(|status| !status.is_settled());
        let open: Vec<_> = open.map(|status| status.as_str()).collect();
        let mut query = in_states(<Window as outlast_core::Entity>::KIND, &open, true, None)?;
        let mut held = HashSet::new();
        loop {
            let page = self.store.list(&query).await?;
            let ids = page.items.iter().filter_map(|slot| match slot {
                Slot::Live(record) => Some(AttrValue::from(record.key.id())),
                _ => None,
            });
            self.add_held(ids.collect(), &mut held).await?;
            let Some(next) = page.next else { return Ok(held) };
            query.page = query.page.after(next);
        }
    }

    async fn add_held(&self, windows: Vec<AttrValue>, held: &mut HashSet<String>) -> Result<()> {
        let items = self.store.kind::<WindowItem>();
        let filter = Filter { name: AttrName::group(), test: Test::AnyOf(windows) };
        let mut query = items.query()?.filter(filter);
        query.page = Page::first(PAGE);
        loop {
            let page = items.list(&query).await?;
            // One that cannot be read may hold anything: then nothing of the kind goes.
            for item in page.items {
                held.extend(item?.artifact_ids.iter().cloned());
            }
            let Some(next) = page.next else { return Ok(()) };
            query.page = query.page.after(next);
        }
    }
}

/// Entities of a kind in one of these states, or all of a kind without states.
fn in_states(
    kind: &str,
    states: &[&str],
    has_states: bool,
    after: Option<Cursor>,
) -> Result<Query> {
    let mut query = Query::of(Kind::new(kind)?);
    if has_states {
        let states = states.iter().map(|state| AttrValue::from(*state)).collect();
        query = query.filter(Filter { name: AttrName::status(), test: Test::AnyOf(states) });
    }
    Ok(Query { page: Page { limit: PAGE, after }, ..query })
}
