//! Cutting a walk over a table into pages.

use outlast_core::{Cursor, Listed, Page, Result};

use crate::codec::key;
use crate::config::{LIMITS, MOST_EXAMINED};
use crate::tables::{Table, Tables, Walk};

/// A page being filled.
pub(crate) struct Filling<T> {
    limit: usize,
    examined: usize,
    items: Vec<T>,
    /// Where a next page would begin.
    last: Option<Cursor>,
    next: Option<Cursor>,
}

impl<T> Filling<T> {
    /// An empty page; `Invalid` or `TooLarge` if its limit is.
    pub(crate) fn new(page: &Page) -> Result<Self> {
        page.validate(LIMITS.page)?;
        let limit = usize::try_from(page.limit).unwrap_or(usize::MAX);
        Ok(Self { limit, examined: 0, items: Vec::new(), last: None, next: None })
    }

    /// Takes what was found at a place, if it was asked for; `false` ends the page there.
    ///
    /// A full page goes on until one more is found: only then is there a next page.
    pub(crate) fn take(&mut self, found: Option<T>, place: impl FnOnce() -> Cursor) -> bool {
        let full = self.items.len() >= self.limit;
        if (full && found.is_some()) || self.examined >= MOST_EXAMINED {
            self.next = self.last.take();
            return false;
        }
        self.examined += 1;
        self.items.extend(found);
        if !full {
            self.last = Some(place());
        }
        true
    }

    pub(crate) fn finish(self) -> Listed<T> {
        Listed { items: self.items, next: self.next }
    }
}

/// Walks the keys that begin with a prefix, beyond a key.
pub(crate) fn beyond<'a>(
    tables: &'a Tables,
    table: Table,
    prefix: &[u8],
    from: Option<&[u8]>,
    down: bool,
) -> Result<Walk<'a>> {
    let end = key::after(prefix);
    match from {
        None => tables.walk(table, prefix, end.as_deref(), down),
        Some(from) if down => tables.walk(table, prefix, Some(from), true),
        Some(from) => {
            let mut low = from.to_vec();
            low.push(0);
            tables.walk(table, &low, end.as_deref(), false)
        }
    }
}
