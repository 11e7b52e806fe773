//! How much a task or a command wrote.

use std::fmt;

use outlast::{
    AttrName, AttrValue, Entry, Filter, Key, Page, Result, Store, StreamName, StreamQuery,
};
use serde::Serialize;

/// The size of captured output, what was pruned since included.
#[derive(Debug, Default, Serialize)]
pub(super) struct LogSize {
    entries: u64,
    stdout_bytes: u64,
    stderr_bytes: u64,
    system_bytes: u64,
}

impl LogSize {
    /// The size of the log of this kind and id.
    pub(super) async fn read(store: &Store, kind: &str, id: &str) -> Result<Self> {
        let log = Key::new(kind, id)?;
        let last = last_entry(store, &log, None).await?;
        Ok(Self {
            entries: last.map_or(0, |entry| entry.seq.0),
            stdout_bytes: written(store, &log, "stdout").await?,
            stderr_bytes: written(store, &log, "stderr").await?,
            system_bytes: written(store, &log, "system").await?,
        })
    }
}

impl fmt::Display for LogSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { entries, stdout_bytes, stderr_bytes, system_bytes } = self;
        write!(
            f,
            "{stdout_bytes} bytes of stdout, {stderr_bytes} of stderr, {system_bytes} of notes, \
             in {entries} entries"
        )
    }
}

/// Where the last fragment of one stream ends.
async fn written(store: &Store, log: &StreamName, stream: &str) -> Result<u64> {
    let Some(last) = last_entry(store, log, Some(stream)).await? else { return Ok(0) };
    let offset = match last.attrs.get(&AttrName::new("byte_offset")?) {
        Some(AttrValue::Int(offset)) => u64::try_from(*offset).unwrap_or(0),
        _ => 0,
    };
    Ok(offset + last.data.len() as u64)
}

async fn last_entry(
    store: &Store,
    log: &StreamName,
    stream: Option<&str>,
) -> Result<Option<Entry>> {
    let mut query = StreamQuery::of(log.clone());
    (query.newest_first, query.page) = (true, Page::first(1));
    if let Some(stream) = stream {
        query.filters.push(Filter::is(AttrName::new("stream")?, stream));
    }
    loop {
        let page = store.read(&query).await?;
        if let Some(entry) = page.items.into_iter().next() {
            return Ok(Some(entry?));
        }
        match page.next {
            Some(next) => query.page = query.page.after(next),
            None => return Ok(None),
        }
    }
}
