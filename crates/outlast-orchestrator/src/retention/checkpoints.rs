//! Checkpoints: of each entity the newest stay, and those that a rollback names.

use std::collections::HashSet;

use outlast_core::{
    Action, AttrName, AttrValue, Checkpoint, Cursor, Entity, HistoryQuery, Key, Kind, Page, Query,
    Result, Scope, Slot,
};
use outlast_store::Stored;

use super::doomed::{Doomed, members};
use super::pass::Pass;
use super::prune::PAGE;

/// What the audit of a rollback calls the checkpoints it names.
const NAMED: [&str; 2] = ["checkpoint", "restored"];

impl Pass<'_> {
    /// Says after which entity it stopped if there was no room for more.
    pub(super) async fn checkpoints(&mut self, after: Option<Cursor>) -> Result<Option<Cursor>> {
        let begin = after.map(|after| after.to_listing()).transpose()?.map(|(_, id)| id);
        let all = Query::of(Kind::new(Checkpoint::KIND)?);
        let counts = self.store.count(&all, &[AttrName::group()]).await?;
        let mut groups: Vec<String> = counts
            .groups
            .into_iter()
            .filter(|(_, count)| *count > u64::from(self.policies.checkpoints))
            .filter_map(|(group, _)| match group.into_iter().next().flatten() {
                Some(AttrValue::Text(group)) => Some(group.to_string()),
                _ => None,
            })
            .filter(|group| begin.as_ref().is_none_or(|begin| group.as_str() > begin.as_str()))
            .collect();
        groups.sort_unstable();
        for group in groups {
            // They went with what they are of.
            if self.gone.contains(&group) {
                continue;
            }
            let looked_at = self.surplus(&group).await?;
            if !self.use_up(looked_at) {
                return Ok(Some(Cursor::listing(None, &group)));
            }
        }
        Ok(None)
    }

    async fn surplus(&mut self, group: &str) -> Result<u64> {
        let mut query = Query { descending: true, ..members(Checkpoint::KIND, group)? };
        let (mut newest, mut looked_at, mut named) = (0, 0, None);
        loop {
            let page = self.store.list(&query).await?;
            let mut doomed = Vec::new();
            for slot in page.items {
                looked_at += 1;
                if newest < self.policies.checkpoints {
                    newest += 1;
                    continue;
                }
                match decode(slot) {
                    Ok(Some((checkpoint, surplus))) => {
                        if named.is_none() {
                            named = Some(self.named(&checkpoint.of).await?);
                        }
                        let is_named =
                            named.as_ref().is_some_and(|named| named.contains(checkpoint.id()));
                        doomed.extend((!is_named).then_some(surplus));
                    }
                    Ok(None) => {}
                    Err(error) => self.keep(error)?,
                }
            }
            self.remove_bare(doomed).await?;
            let Some(next) = page.next else { return Ok(looked_at) };
            query.page = query.page.after(next);
        }
    }

    /// The checkpoints that the history of an entity names.
    async fn named(&self, of: &Key) -> Result<HashSet<String>> {
        let mut named = HashSet::new();
        for action in [Action::rollback(), Action::new("restore")?] {
            let mut query = HistoryQuery {
                action: Some(action),
                page: Page::first(PAGE),
                ..HistoryQuery::of(Scope::Entity(of.clone()))
            };
            loop {
                let page = self.store.history(&query).await?;
                for version in page.items {
                    let Some(metadata) = version?.metadata else { continue };
                    let metadata: serde_json::Value = metadata.decode()?;
                    let ids = NAMED.iter().filter_map(|name| metadata.get(*name)?.as_str());
                    named.extend(ids.map(str::to_owned));
                }
                let Some(next) = page.next else { break };
                query.page = query.page.after(next);
            }
        }
        Ok(named)
    }
}

fn decode(slot: Slot) -> Result<Option<(Stored<Checkpoint>, Doomed)>> {
    let Some(record) = slot.live()? else { return Ok(None) };
    let doomed = Doomed::of(&record);
    Ok(Some((Stored::decode(record)?, doomed)))
}
