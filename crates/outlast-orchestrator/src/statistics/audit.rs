//! How much was audited lately.

use std::time::Duration;

use outlast_core::{HistoryQuery, Page, Result, Scope, Timestamp};
use outlast_store::Store;

/// How many audit entries are counted at most.
pub const MOST_AUDIT_ENTRIES: u64 = 10_000;

/// How long ago an audit entry may have been made to count as recent.
const RECENT: Duration = Duration::from_hours(1);

/// How many are read at once: few at first, since often there are few.
const PAGES: [u32; 2] = [100, 1000];

/// How many audit entries were made within an hour before a moment.
///
/// History is in the order of commits, and so nearly in that of time: a page that ends with an
/// older entry is the last.
pub(super) async fn recent(store: &Store, now: Timestamp) -> Result<u64> {
    let since = now.minus(RECENT);
    let [first, later] = PAGES;
    let mut query = HistoryQuery {
        newest_first: true,
        page: Page::first(first),
        ..HistoryQuery::of(Scope::All(None))
    };
    let mut count = 0;
    loop {
        let page = store.history(&query).await?;
        let versions = page.items.iter().flatten();
        let audited = versions.filter(|version| version.at >= since && version.actor.is_some());
        count += audited.count() as u64;
        let last = page.items.iter().flatten().next_back();
        let is_past = last.is_some_and(|version| version.at < since);
        match page.next {
            Some(next) if !is_past && count < MOST_AUDIT_ENTRIES => {
                query.page = Page { limit: later, after: Some(next) };
            }
            _ => return Ok(count.min(MOST_AUDIT_ENTRIES)),
        }
    }
}
