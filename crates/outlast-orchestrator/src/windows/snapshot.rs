//! All there is to go on from with one window, as one JSON value.
//!
//! It is put together from rows when it is asked for; nothing of it is stored as such. Its shape,
//! `format` 1, which is raised when one of these changes its meaning:
//!
//! | field | meaning |
//! |---|---|
//! | `format` | 1 |
//! | `id` | the id of the window |
//! | `version` | its version |
//! | `window` | the window as it is stored |
//! | `items` | what it holds as it is stored, in the order of arrival |

use outlast_core::{AttrName, Error, Filter, Result, Window, WindowItem};
use outlast_store::Store;
use serde_json::{Value, json};

/// The number of the shape.
const FORMAT: u32 = 1;

/// The snapshot of a window; the shape is described in the module `snapshot` of the source and in
/// the view `logic_operation_state`. `NotFound` if there is no such window. Cancel safe.
pub async fn snapshot(store: &Store, window_id: &str) -> Result<Value> {
    let window = store.kind::<Window>().get(window_id).await?;
    let kind = store.kind::<WindowItem>();
    let mut query = kind.query()?.filter(Filter::is(AttrName::group(), window_id));
    let mut items = Vec::new();
    loop {
        let page = kind.list(&query).await?;
        for item in page.items {
            items.push(item?.into_value());
        }
        let Some(next) = page.next else { break };
        query.page = query.page.after(next);
    }
    items.sort_by_key(|item| item.place);
    let id = window.id().to_owned();
    let version = window.version.n;
    let window = as_json(&window.into_value())?;
    let items = items.iter().map(as_json).collect::<Result<Vec<Value>>>()?;
    Ok(json!({ "format": FORMAT, "id": id, "version": version, "window": window, "items": items }))
}

fn as_json<T: serde::Serialize>(value: &T) -> Result<Value> {
    serde_json::to_value(value)
        .map_err(|cause| Error::invalid("a window cannot be written as JSON").with_source(cause))
}
