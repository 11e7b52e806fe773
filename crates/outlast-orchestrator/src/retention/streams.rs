//! Streams: events that are old, and output of what is over and stays.

use std::time::Duration;

use outlast_core::{
    Checkpoint, Command, Cursor, Entity, Event, Kind, Page, Prune, REMEMBERED_FOR, Result, Run,
    Seq, Status, StreamExtent, StreamName, StreamQuery, Task, Timestamp,
};

use super::finished::{Verdict, judge};
use super::pass::Pass;
use super::prune::{Retention, prune};

/// Entries may be large, so few are read at once.
const ENTRIES: u32 = 64;

impl Pass<'_> {
    /// Removes the events before the first that is young. Says that there are more if there was no
    /// room for them.
    pub(super) async fn events(&mut self) -> Result<Option<Cursor>> {
        let Some(cutoff) = self.cutoff(Event::KIND) else { return Ok(None) };
        let log = Event::log()?;
        let Some(last) = self.last_before(&log, cutoff).await? else { return Ok(None) };
        let (up_to, count, bytes) = self.stretch(&log, last).await?;
        self.sweep.add(Event::KIND, count, bytes);
        self.prune(vec![Prune::Entries { stream: log, up_to }]).await?;
        let has_room = self.use_up(count);
        Ok((!has_room && up_to < last).then(|| Cursor::number(up_to.0)))
    }

    /// The place before the first entry that is younger than a moment; `None` if there is nothing
    /// before.
    async fn last_before(&self, stream: &StreamName, moment: Timestamp) -> Result<Option<Seq>> {
        let page = Page::first(1);
        let moment = moment.plus(Duration::from_micros(1));
        let young = StreamQuery { since: Some(moment), page, ..StreamQuery::of(stream.clone()) };
        // Damage there is young for all that is known.
        let last = if let Some(entry) = self.store.read(&young).await?.items.into_iter().next() {
            Seq(entry?.seq.0.saturating_sub(1))
        } else {
            let page = Page::first(1);
            let newest =
                StreamQuery { newest_first: true, page, ..StreamQuery::of(stream.clone()) };
            match self.store.read(&newest).await?.items.into_iter().next() {
                Some(entry) => entry?.seq,
                None => return Ok(None),
            }
        };
        let old =
            StreamQuery { to: Some(last), page: Page::first(1), ..StreamQuery::of(stream.clone()) };
        Ok((!self.store.read(&old).await?.items.is_empty()).then_some(last))
    }

    /// From the beginning of a stream, as much as there is room for: up to where, how many entries
    /// and how many bytes.
    async fn stretch(&self, stream: &StreamName, last: Seq) -> Result<(Seq, u64, u64)> {
        let (mut up_to, mut count, mut bytes) = (last, 0, 0);
        let page = Page::first(ENTRIES);
        let mut query = StreamQuery { to: Some(last), page, ..StreamQuery::of(stream.clone()) };
        loop {
            let page = self.store.read(&query).await?;
            for entry in page.items {
                count += 1;
                // Damaged entries are removed like any other.
                if let Ok(entry) = entry {
                    up_to = entry.seq;
                    bytes += entry.data.len() as u64;
                }
            }
            match page.next {
                Some(next) if count < self.room => query.page = query.page.after(next),
                Some(_) => return Ok((up_to, count, bytes)),
                None => return Ok((last, count, bytes)),
            }
        }
    }

    /// How many entries of a stream there are, and how many bytes.
    pub(super) async fn measure(&self, stream: &StreamName) -> Result<(u64, u64)> {
        self.measure_up_to(stream, None).await
    }

    async fn measure_up_to(&self, stream: &StreamName, to: Option<Seq>) -> Result<(u64, u64)> {
        let (mut count, mut bytes) = (0, 0);
        let page = Page::first(ENTRIES);
        let mut query = StreamQuery { to, page, ..StreamQuery::of(stream.clone()) };
        loop {
            let page = self.store.read(&query).await?;
            for entry in page.items {
                count += 1;
                bytes += entry.map_or(0, |entry| entry.data.len() as u64);
            }
            let Some(next) = page.next else { return Ok((count, bytes)) };
            query.page = query.page.after(next);
        }
    }

    /// Bounds the output of tasks and commands that are over and stay.
    pub(super) async fn logs(&mut self) -> Result<()> {
        for kind in [Task::LOG, Command::LOG] {
            let kind = Kind::new(kind)?;
            let mut page = Page::first(super::prune::PAGE);
            loop {
                let extents = self.store.streams(&kind, &page).await?;
                for extent in extents.items {
                    if let Err(error) = self.log(extent).await {
                        self.keep(error)?;
                    }
                }
                let Some(next) = extents.next else { break };
                page = page.after(next);
            }
        }
        Ok(())
    }

    async fn log(&mut self, extent: StreamExtent) -> Result<()> {
        self.use_up(1);
        if extent.first > extent.last || !self.is_over(&extent.stream).await? {
            return Ok(());
        }
        let bounds =
            [self.too_old(&extent).await?, self.too_many(&extent), self.too_large(&extent).await?];
        let Some(up_to) = bounds.into_iter().flatten().max() else { return Ok(()) };
        let (count, bytes) = self.measure_up_to(&extent.stream, Some(up_to)).await?;
        self.sweep.add("log", count, bytes);
        self.prune(vec![Prune::Entries { stream: extent.stream, up_to }]).await
    }

    /// Whether what wrote an output is over and stays. What nobody wrote is left alone.
    async fn is_over(&mut self, stream: &StreamName) -> Result<bool> {
        if stream.kind.as_str() == Command::LOG {
            let command = self.store.kind::<Command>().find(stream.id()).await?;
            return Ok(command.is_some_and(|command| {
                command.status.is_settled()
                    && !self.gone.contains(&Checkpoint::group_of(&command.key))
            }));
        }
        let Some(task) = self.store.kind::<Task>().find(stream.id()).await? else {
            return Ok(false);
        };
        Ok(task.status.is_settled() && !(self.dry_run && self.would_go(&task.run_id).await?))
    }

    /// Whether a run would be gone by now.
    async fn would_go(&mut self, run_id: &str) -> Result<bool> {
        if let Some(known) = self.runs.get(run_id) {
            return Ok(*known);
        }
        let run = self.store.kind::<Run>().find(run_id).await?;
        let would_go = match (run, self.cutoff(Run::KIND)) {
            (Some(run), Some(cutoff)) => {
                matches!(judge(self.store, &run, cutoff).await?, Verdict::Goes)
            }
            _ => false,
        };
        self.runs.insert(run_id.to_owned(), would_go);
        Ok(would_go)
    }

    async fn too_old(&self, extent: &StreamExtent) -> Result<Option<Seq>> {
        let Some(cutoff) = self.cutoff("log") else { return Ok(None) };
        self.last_before(&extent.stream, cutoff).await
    }

    fn too_many(&self, extent: &StreamExtent) -> Option<Seq> {
        let most = self.policies.log_entries?;
        let up_to = extent.last.0.saturating_sub(most);
        (up_to >= extent.first.0).then_some(Seq(up_to))
    }

    /// Measured from the newest entry back, unless even the largest would fit.
    async fn too_large(&self, extent: &StreamExtent) -> Result<Option<Seq>> {
        let Some(most) = self.policies.log_bytes else { return Ok(None) };
        let count = extent.last.0 - extent.first.0 + 1;
        if count.saturating_mul(self.store.info().limits.entry_bytes as u64) <= most {
            return Ok(None);
        }
        let page = Page::first(ENTRIES);
        let query =
            StreamQuery { newest_first: true, page, ..StreamQuery::of(extent.stream.clone()) };
        let (mut query, mut bytes) = (query, 0_u64);
        loop {
            let page = self.store.read(&query).await?;
            for entry in page.items.into_iter().flatten() {
                bytes += entry.data.len() as u64;
                if bytes > most {
                    return Ok(Some(entry.seq));
                }
            }
            let Some(next) = page.next else { return Ok(None) };
            query.page = query.page.after(next);
        }
    }

    /// Runs that are over, with their tasks and their output.
    pub(super) async fn runs(&mut self) -> Result<()> {
        let Some(age) = self.policies.age(Run::KIND) else { return Ok(()) };
        let retention = Retention { age, now: self.now, dry_run: self.dry_run };
        let report = prune(self.store, &retention).await?;
        self.sweep.add(Run::KIND, report.runs, 0);
        self.sweep.add(Task::KIND, report.tasks, 0);
        self.sweep.add("log", report.log_entries, report.log_bytes);
        self.sweep.unreadable += report.unreadable;
        self.sweep.problems.extend(report.problems);
        self.use_up(report.tasks.saturating_add(report.log_entries));
        Ok(())
    }

    /// Forgets commits that nothing is left of.
    pub(super) async fn commits(&mut self) -> Result<()> {
        let Some(cutoff) = self.cutoff("commit") else { return Ok(()) };
        // The store's own clock: it is what a repeated commit is judged by.
        let remembered = self.store.clock().now().minus(REMEMBERED_FOR);
        self.prune(vec![Prune::Commits { before: cutoff.min(remembered) }]).await
    }
}
