//! What is done about a window that cannot go on as it was.

use outlast_core::{
    Action, Actor, Artifact, AttrName, AttrValue, Cause, Claim, Consumption, Entity, ErrorKind,
    Event, EventCategory, EventLevel, Expect, Filter, Key, Op, Query, Result, Slot, Test, Window,
    WindowItem, WindowStatus,
};
use outlast_store::{Draft, Stored};
use serde_json::json;

use super::engine::{Engine, claim_id};
use super::open::{Item, Open};
use super::outcome::advanced;
use super::restore::Around;

/// How many items are removed in one commit.
const AT_ONCE: usize = 200;

impl Engine {
    /// Reads what belongs to some windows.
    pub(super) async fn around(&self, windows: &[Stored<Window>]) -> Result<Around> {
        let mut around = Around::default();
        let ids: Vec<&str> = windows.iter().map(Stored::id).collect();
        if ids.is_empty() {
            return Ok(around);
        }
        let mut artifacts = Vec::new();
        for item in self.items(&ids).await? {
            artifacts.extend(item.artifact_ids.iter().cloned());
            around.items.entry(item.window_id.clone()).or_default().push(item);
        }
        let artifacts: Vec<&str> = artifacts.iter().map(String::as_str).collect();
        for ids in artifacts.chunks(AT_ONCE) {
            let keys: Vec<Key> =
                ids.iter().map(|id| Key::new(Artifact::KIND, *id)).collect::<Result<_>>()?;
            let found = ids.iter().zip(self.store().get(&keys).await?);
            // One that is damaged is there: handing it over will say what is wrong with it.
            let found = found.filter(|(_, slot)| matches!(slot, Slot::Live(_) | Slot::Damaged(_)));
            around.artifacts.extend(found.map(|(id, _)| (*id).to_owned()));
            for one in self.consumptions(ids).await? {
                around.consumptions.entry(one.artifact_id.clone()).or_default().push(one);
            }
        }
        for windows in windows.chunks(AT_ONCE) {
            let claims: Vec<Key> = windows
                .iter()
                .map(|window| Key::new(Claim::KIND, claim_of(window)))
                .collect::<Result<_>>()?;
            for (window, slot) in windows.iter().zip(self.store().get(&claims).await?) {
                let claim = slot.live()?.map(Stored::<Claim>::decode).transpose()?;
                let holder = claim.map(|claim| claim.holder.clone());
                around.holders.insert(window.id().to_owned(), holder);
            }
        }
        Ok(around)
    }

    async fn consumptions(&self, artifacts: &[&str]) -> Result<Vec<Consumption>> {
        let kind = self.store().kind::<Consumption>();
        let groups = artifacts.iter().map(|id| AttrValue::from(*id)).collect();
        let filter = Filter { name: AttrName::group(), test: Test::AnyOf(groups) };
        let mut query = Query { filters: vec![filter], ..kind.query()? };
        let mut found = Vec::new();
        loop {
            let page = kind.list(&query).await?;
            for consumption in page.items {
                found.push(consumption?.into_value());
            }
            let Some(next) = page.next else { return Ok(found) };
            query.page = query.page.after(next);
        }
    }

    /// Claims the place of a window, if nobody has. Says whether it is its own now.
    pub(super) async fn claim_again(&self, window: &Stored<Window>, is_free: bool) -> Result<bool> {
        if !is_free {
            return Ok(false);
        }
        let mut draft = self.instance.draft(recovery());
        let claim = Claim { holder: window.id().to_owned(), claimed_at: self.now() };
        draft.create(&claim_of(window), &claim)?.fence(window);
        match self.instance.commit(&draft).await {
            Err(error) if error.kind() == ErrorKind::Exists => Ok(false),
            claimed => claimed.map(|_| true),
        }
    }

    /// Takes items out of a window whose artifacts are gone or consumed. Says whether it waits on.
    pub(super) async fn remove(
        &self,
        window: &Stored<Window>,
        mut open: Open,
        gone: Vec<Item>,
    ) -> Result<bool> {
        let mut rows: Vec<Key> = gone
            .iter()
            .map(|item| Key::new(WindowItem::KIND, item.row.to_string()))
            .collect::<Result<_>>()?;
        let last = rows.split_off(rows.len().saturating_sub(AT_ONCE));
        for rows in rows.chunks(AT_ONCE) {
            let mut draft = self.instance.draft(recovery());
            delete(&mut draft, rows);
            self.instance.commit(&draft).await?;
        }
        let goes_on = !open.items.is_empty();
        let status = if goes_on { WindowStatus::Waiting } else { WindowStatus::Cancelled };
        let mut next = open.row(status);
        let mut draft = self.instance.draft(recovery());
        delete(&mut draft, &last);
        if !goes_on {
            next.finished_at = Some(self.now());
            next.error = Some("nothing of what it held is left".to_owned());
            release(&mut draft, window)?;
        }
        draft.replace(window, &next)?;
        let count = gone.len();
        let message = format!("{count} items of {} are gone or consumed", window.key);
        draft.report(&warning("window:items_removed", message).about(window.key.clone()))?;
        let receipt = self.instance.commit(&draft).await?;
        if goes_on {
            open.version = Some(advanced(window, next, &receipt)?.version);
            self.adopt(open).await?;
        }
        Ok(goes_on)
    }

    /// Sets a window aside, and lets its place go.
    pub(super) async fn orphan(
        &self,
        window: &Stored<Window>,
        why: &str,
        is_holder: bool,
    ) -> Result<()> {
        let next = Window {
            status: WindowStatus::Orphaned,
            error: Some(why.to_owned()),
            ..(**window).clone()
        };
        let mut draft = self.instance.draft(recovery());
        draft.replace(window, &next)?;
        if is_holder {
            release(&mut draft, window)?;
        }
        let message = format!("{} is set aside: {why}", window.key);
        let event = warning("window:orphaned", message).about(window.key.clone());
        draft.report(&event.with(json!({ "fingerprint": window.fingerprint })))?;
        self.instance.commit(&draft).await.map(drop)
    }
}

/// The name that a window has claimed.
pub(crate) fn claim_of(window: &Window) -> String {
    let group = Window::group_of(&window.agent_name, &window.subscription);
    claim_id(&group, window.operation, window.correlation_key.as_deref())
}

fn release(draft: &mut Draft, window: &Window) -> Result<()> {
    let key = Key::new(Claim::KIND, claim_of(window))?;
    draft.op(Op::Delete { key, expect: Expect::Live });
    Ok(())
}

fn delete(draft: &mut Draft, rows: &[Key]) {
    for key in rows {
        draft.op(Op::Delete { key: key.clone(), expect: Expect::Live });
    }
}

fn recovery() -> Cause {
    Cause::by(Actor::Recovery).called(Action::recovery())
}

pub(super) fn warning(action: &str, message: String) -> Event {
    Event::new(EventCategory::System, EventLevel::Warn, message).called(action)
}
