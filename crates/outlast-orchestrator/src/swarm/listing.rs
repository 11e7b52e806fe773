//! How pages are asked for.

use outlast_core::{AttrName, AttrValue, Entity, Filter, Order, Page, Query, Result, Status, Test};
use outlast_store::Collection;

/// Those that match, the newest first.
pub(super) fn newest<T: Entity>(
    kind: &Collection<T>,
    filters: Vec<Filter>,
    page: Page,
) -> Result<Query> {
    let order = Order::Attr(AttrName::new("created")?);
    Ok(Query { filters, order, descending: true, page, ..kind.query()? })
}

/// Those in one of the states that fit.
pub(super) fn of_status<T: Entity>(fits: impl Fn(T::Status) -> bool) -> Filter {
    let states = T::Status::ALL.iter().filter(|status| fits(**status));
    let states = states.map(|status| AttrValue::from(status.as_str())).collect();
    Filter { name: AttrName::status(), test: Test::AnyOf(states) }
}
