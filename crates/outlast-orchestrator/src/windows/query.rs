//! Asking for windows: those that are open, those about to end, those that are over.

use std::ops::Bound;
use std::time::Duration;

use outlast_core::{
    AttrName, AttrValue, Filter, Listed, Order, Page, Query, Result, Status, Test, Timestamp,
    Window, WindowItem, WindowKind, WindowStatus,
};
use outlast_store::Stored;

use super::engine::Engine;
use super::state::WindowState;
use super::turns::Slot;

/// Which windows of the past.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PastWindows {
    /// Those of this agent.
    pub agent_name: Option<String>,
    /// That ended at this moment or later.
    pub since: Option<Timestamp>,
    /// That ended before this moment.
    pub until: Option<Timestamp>,
    /// Which page.
    pub page: Page,
}

impl Engine {
    /// One page of open windows, by when they were opened.
    pub(super) async fn active(
        &self,
        operation: WindowKind,
        agent_name: Option<&str>,
        page: Page,
    ) -> Result<Listed<WindowState>> {
        let operation = match operation {
            WindowKind::Join => "join",
            WindowKind::Batch => "batch",
        };
        let mut filters = vec![waiting(), Filter::is(AttrName::new("operation")?, operation)];
        if let Some(agent) = agent_name {
            filters.push(Filter::is(AttrName::new("agent")?, agent));
        }
        self.states(filters, Order::Attr(AttrName::new("created")?), page).await
    }

    /// One page of windows that time ends within so long, the first to end first.
    pub(super) async fn expiring(
        &self,
        within: Duration,
        page: Page,
    ) -> Result<Listed<WindowState>> {
        let end = self.now().plus(within);
        let filters = vec![waiting(), Filter::at_most(AttrName::deadline(), end)];
        self.states(filters, Order::Attr(AttrName::deadline()), page).await
    }

    async fn states(
        &self,
        filters: Vec<Filter>,
        order: Order,
        page: Page,
    ) -> Result<Listed<WindowState>> {
        let kind = self.store().kind::<Window>();
        let found = kind.list(&Query { filters, order, page, ..kind.query()? }).await?;
        let now = self.now();
        let mut items = Vec::with_capacity(found.items.len());
        for window in found.items {
            let window = window?;
            let seq = self.sequence_of(&window).await;
            items.push(WindowState::of(window.id(), &window, now, seq));
        }
        Ok(Listed { items, next: found.next })
    }

    /// How many artifacts matched the subscription of a window that a number ends.
    async fn sequence_of(&self, window: &Window) -> u64 {
        let group = Window::group_of(&window.agent_name, &window.subscription);
        let counted = self.subscription(&group).filter(|one| one.count_window().is_some());
        let Some(registered) = counted.filter(|_| window.window_count.is_some()) else {
            return 0;
        };
        let slot = Slot::join(registered, None);
        let mut turns = self.joins.take([&slot]).await;
        turns.cells(&slot).map_or(0, |cells| cells.sequence(registered.number))
    }

    /// One page of windows that are over, the last to end first.
    pub(super) async fn past(&self, past: &PastWindows) -> Result<Listed<Result<Stored<Window>>>> {
        let kind = self.store().kind::<Window>();
        let finished = AttrName::new("finished")?;
        let low = past.since.map_or(Bound::Unbounded, |at| Bound::Included(AttrValue::from(at)));
        let high = past.until.map_or(Bound::Unbounded, |at| Bound::Excluded(AttrValue::from(at)));
        let mut filters = Vec::new();
        if past.since.is_some() || past.until.is_some() {
            filters.push(Filter { name: finished.clone(), test: Test::Within(low, high) });
        }
        if let Some(agent) = &past.agent_name {
            filters.push(Filter::is(AttrName::new("agent")?, agent.as_str()));
        }
        let query = Query {
            filters,
            order: Order::Attr(finished),
            descending: true,
            page: past.page.clone(),
            ..kind.query()?
        };
        kind.list(&query).await
    }

    /// One page of windows that were set aside.
    pub(super) async fn orphans(&self, page: Page) -> Result<Listed<Result<Stored<Window>>>> {
        let kind = self.store().kind::<Window>();
        let filters = vec![Filter::is(AttrName::status(), WindowStatus::Orphaned.as_str())];
        kind.list(&Query { filters, page, ..kind.query()? }).await
    }

    /// What a window holds or held, in the order of arrival.
    pub(super) async fn held_by(&self, window_id: &str) -> Result<Vec<Stored<WindowItem>>> {
        let mut items = self.items(&[window_id]).await?;
        items.sort_by_key(|item| item.place);
        Ok(items)
    }
}

fn waiting() -> Filter {
    Filter::is(AttrName::status(), WindowStatus::Waiting.as_str())
}
