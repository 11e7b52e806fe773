//! Writing down what a process prints, while it prints it.
//!
//! Fragments are taken from the capture only as fast as the store takes them, so a slow store
//! slows the process down and nothing piles up. The last of them are not written here but handed
//! back, to be committed together with the end of it.

use std::sync::Arc;
use std::time::Duration;

use futures_util::{Stream, StreamExt};
use outlast_core::{AttrName, AttrValue, Attributes, Key, NewEntry, Result, StreamName, Timestamp};
use tokio::sync::Notify;
use tokio::time::timeout;

use crate::Instance;
use crate::process::Fragment;

/// How much output one commit takes.
const COMMIT_BYTES: usize = 256 * 1024;

/// How long to wait whether more comes, or the end.
const GATHER: Duration = Duration::from_millis(10);

/// How often the time of the last output is noted at most.
const TOUCH_INTERVAL: Duration = Duration::from_secs(1);

/// The output of one process.
#[derive(Debug)]
pub(crate) struct Output {
    pub(crate) instance: Instance,
    /// Where it goes.
    pub(crate) stream: StreamName,
    /// Whose process it is: the time of its last output is noted there.
    pub(crate) owner: Key,
    /// Rung whenever something was heard.
    pub(crate) heard: Arc<Notify>,
}

impl Output {
    /// Writes fragments down until the capture ends, and returns those that are left. An error is
    /// the store's; the fragments are then dropped, and with them the pipes of the process.
    pub(crate) async fn record<F>(&self, mut fragments: F) -> Result<Vec<NewEntry>>
    where
        F: Stream<Item = Vec<Fragment>> + Unpin,
    {
        let clock = self.instance.store().clock();
        let mut touched: Option<Duration> = None;
        while let Some(first) = fragments.next().await {
            let (entries, ended) = self.gather(first, &mut fragments).await?;
            if ended {
                return Ok(entries);
            }
            let now = clock.monotonic();
            let is_due = touched.is_none_or(|at| now.saturating_sub(at) >= TOUCH_INTERVAL);
            if is_due {
                touched = Some(now);
            }
            self.commit(entries, is_due).await?;
        }
        Ok(Vec::new())
    }

    /// What has come, together with what comes at once, and whether that was all.
    async fn gather<F>(
        &self,
        first: Vec<Fragment>,
        fragments: &mut F,
    ) -> Result<(Vec<NewEntry>, bool)>
    where
        F: Stream<Item = Vec<Fragment>> + Unpin,
    {
        let (mut entries, mut bytes) = (Vec::new(), 0);
        let mut next = Ok(Some(first));
        while let Ok(Some(flush)) = next {
            self.heard.notify_one();
            let now = self.instance.store().clock().now();
            for fragment in flush {
                bytes += fragment.data.len();
                entries.push(entry(fragment, now)?);
            }
            if bytes >= self.most_bytes() {
                return Ok((entries, false));
            }
            next = timeout(GATHER, fragments.next()).await;
        }
        Ok((entries, next.is_ok()))
    }

    /// A flush may come on top of it.
    fn most_bytes(&self) -> usize {
        COMMIT_BYTES.min(self.instance.store().info().limits.batch_bytes / 4)
    }

    async fn commit(&self, entries: Vec<NewEntry>, touch: bool) -> Result<()> {
        let store = self.instance.store();
        let mut draft = self.instance.draft(store.cause().clone());
        draft.append(self.stream.clone(), entries);
        if touch {
            let now = AttrValue::Int(store.clock().now().as_micros());
            let attrs = Attributes::from([(AttrName::new("last_activity_at")?, now)]);
            draft.touch(self.owner.clone(), attrs);
        }
        self.instance.commit(&draft).await.map(drop)
    }
}

/// A fragment as it is kept.
pub(crate) fn entry(fragment: Fragment, at: Timestamp) -> Result<NewEntry> {
    let number = |value: u64| AttrValue::Int(i64::try_from(value).unwrap_or(i64::MAX));
    let attrs = Attributes::from([
        (AttrName::new("stream")?, AttrValue::from(fragment.stream.as_str())),
        (AttrName::new("byte_offset")?, number(fragment.byte_offset)),
        (AttrName::new("line_count")?, number(fragment.line_count)),
    ]);
    Ok(NewEntry { at: Some(at), attrs, data: fragment.data })
}
