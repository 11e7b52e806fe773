//! Removing what a plan names, in slices of a transaction each.
//!
//! Versions go from the boundary downwards, so that a slice walks only what is kept and what it
//! removes, never the whole chain; the chain stays linked after every slice.

use outlast_core::{
    Error, Key, Prune, PrunePlan, Pruned, Result, Seq, StreamName, Timestamp, Version,
};

use crate::Sqlite;
use crate::codec::{Cells, STREAM_BITS};
use crate::connections::Writer;
use crate::lookup::{KnownStream, Wanted};
use crate::script::{Answer, MOST_ROWS, Script};

/// How many kept versions are first walked in search of those to remove.
const FIRST_WALK: u64 = 1024;

/// One link of a chain, as far as pruning needs it.
#[derive(Clone, Copy)]
struct Link {
    seq: i64,
    prev: Option<i64>,
    version: Version,
}

impl Sqlite {
    pub(crate) async fn prune_slices(&self, plan: &PrunePlan, limit: u32) -> Result<Pruned> {
        if limit == 0 {
            return Err(Error::invalid("pruning 0 rows at a time never ends"));
        }
        // An empty plan is refused by a store that could not carry it out, too.
        self.connections.writer().await?.keep();
        let limit = u64::from(limit);
        let mut pruned = Pruned { rows: 0, done: false };
        for item in &plan.items {
            loop {
                let budget = limit.saturating_sub(pruned.rows);
                if budget == 0 {
                    return Ok(pruned);
                }
                let (rows, done) = self.prune_item(item, budget).await?;
                pruned.rows += rows;
                if done {
                    break;
                }
            }
        }
        pruned.done = true;
        Ok(pruned)
    }

    /// One slice of one item: how many rows went, and whether none is left.
    async fn prune_item(&self, item: &Prune, budget: u64) -> Result<(u64, bool)> {
        self.take_located();
        let mut writer = self.connections.writer().await?;
        let pruned = match item {
            Prune::Entries { stream, up_to } => {
                self.prune_entries(&mut writer, stream, Some(*up_to), budget).await?
            }
            Prune::Stream(stream) => self.prune_entries(&mut writer, stream, None, budget).await?,
            Prune::History { key, below } => {
                self.prune_history(&mut writer, key, *below, budget).await?
            }
            Prune::Tombstone { key, version } => {
                self.prune_tombstone(&mut writer, key, *version, budget).await?
            }
            Prune::Commits { before } => self.prune_commits(&mut writer, *before, budget).await?,
        };
        writer.keep();
        Ok(pruned)
    }

    /// Entries up to a place; without one, all and then the stream itself.
    async fn prune_entries(
        &self,
        writer: &mut Writer<'_>,
        stream: &StreamName,
        up_to: Option<Seq>,
        budget: u64,
    ) -> Result<(u64, bool)> {
        let mut wanted = Wanted::new([], [stream.clone()], std::collections::HashSet::new());
        let answers = self.begin(writer, |script| wanted.ask(script)).await?;
        let (located, _) = self.located(wanted, answers.get(1..).unwrap_or_default())?;
        let known = located.streams.get(stream).copied().flatten();
        let Some(KnownStream { no, first, last }) = known else {
            return self.end(writer, Script::new(), 0, true).await;
        };
        let end = up_to.map_or(last.0, |up_to| up_to.0.min(last.0));
        let stop = end.min(first.0.saturating_add(budget - 1));
        let whole = up_to.is_none() && stop == last.0;
        let mut script = Script::new();
        if stop >= first.0 {
            let id = |seq: u64| no << STREAM_BITS | seq.cast_signed();
            script.sql("DELETE FROM stream_entry WHERE id BETWEEN ").value(id(first.0));
            script.sql(" AND ").value(id(stop)).end();
            script.sql("UPDATE stream SET first_seq = ").value((stop + 1).cast_signed());
            script.sql(" WHERE no = ").value(no).end();
        }
        if whole {
            script.sql("DELETE FROM stream WHERE no = ").value(no).end();
        }
        let rows = (stop + 1).saturating_sub(first.0) + u64::from(whole);
        self.end(writer, script, rows, stop >= end).await
    }

    async fn prune_history(
        &self,
        writer: &mut Writer<'_>,
        key: &Key,
        below: u64,
        budget: u64,
    ) -> Result<(u64, bool)> {
        self.begin(writer, |_| {}).await?;
        let gone = |link: &Link| link.version.n < below;
        let chain = self.chain(writer, key, gone, budget).await?;
        let mut script = Script::new();
        let removed = unlink(&mut script, &chain, gone, budget);
        let done = (removed as u64) < budget;
        self.end(writer, script, removed as u64, done).await
    }

    async fn prune_tombstone(
        &self,
        writer: &mut Writer<'_>,
        key: &Key,
        version: Version,
        budget: u64,
    ) -> Result<(u64, bool)> {
        let keys = [key.clone()];
        let mut wanted = Wanted::new(keys, [], std::collections::HashSet::new());
        let answers = self.begin(writer, |script| wanted.ask(script)).await?;
        let (located, _) = self.located(wanted, answers.get(1..).unwrap_or_default())?;
        let known = located.entities.get(key).and_then(Option::as_ref);
        let head = located.head(key).map(|known| (&known.head, known.seq));
        let (Some(known), Some((head, seq))) = (known, head) else {
            return self.end(writer, Script::new(), 0, true).await;
        };
        if head.live || head.version != version {
            return self.end(writer, Script::new(), 0, true).await;
        }
        let chain = self.chain(writer, key, |_| true, budget).await?;
        let mut script = Script::new();
        let removed = unlink(&mut script, &chain, |_| true, budget) as u64;
        if removed >= budget {
            return self.end(writer, script, removed, false).await;
        }
        remove_rows(&mut script, &[seq]);
        for table in ["DELETE FROM head WHERE entity = ", "DELETE FROM entity WHERE no = "] {
            script.sql(table).value(known.no).end();
        }
        self.end(writer, script, removed + 1, true).await
    }

    /// The newest links of a chain, at least until as many as the budget are to go.
    async fn chain(
        &self,
        writer: &mut Writer<'_>,
        key: &Key,
        gone: impl Fn(&Link) -> bool,
        budget: u64,
    ) -> Result<Vec<Link>> {
        let mut walk = FIRST_WALK.saturating_add(budget);
        loop {
            let mut script = Script::new();
            push_walk(&mut script, key, walk);
            let answers = self.run_write(writer, script).await?;
            let rows = answers.first().map(|answer| &answer.rows).into_iter().flatten();
            let links: Vec<Link> = rows.filter_map(|row| link(Cells(row))).collect();
            let found = links.iter().skip(1).filter(|link| gone(link)).count() as u64;
            if found > budget || (links.len() as u64) < walk {
                return Ok(links);
            }
            walk = walk.saturating_mul(4);
        }
    }

    /// Rows that mark commits, and what is remembered of commits whose rows were pruned.
    async fn prune_commits(
        &self,
        writer: &mut Writer<'_>,
        before: Timestamp,
        budget: u64,
    ) -> Result<(u64, bool)> {
        let answers = self.begin(writer, |script| ask_forgettable(script, before, budget)).await?;
        let rows = |answer: usize| answers.get(answer).map(|answer| &answer.rows);
        let markers = rows(1).into_iter().flatten();
        let markers: Vec<i64> = markers.filter_map(|row| Cells(row).int(0)).collect();
        let left = budget.saturating_sub(markers.len() as u64);
        let ids = rows(2).into_iter().flatten().filter_map(|row| Cells(row).bytes(0));
        let ids: Vec<&[u8]> = ids.take(usize::try_from(left).unwrap_or(usize::MAX)).collect();
        let mut script = Script::new();
        delete_rows(&mut script, &markers);
        for ids in ids.chunks(MOST_ROWS) {
            script.sql("DELETE FROM remembered WHERE commit_id IN (SELECT column1 FROM ");
            script.values(1, ids, |script, _, id| {
                script.bind(id.to_vec());
            });
            script.sql(" WHERE column1 IS NOT NULL)").end();
        }
        let removed = (markers.len() + ids.len()) as u64;
        self.end(writer, script, removed, removed < budget).await
    }

    async fn begin(
        &self,
        writer: &mut Writer<'_>,
        ask: impl FnOnce(&mut Script),
    ) -> Result<Vec<Answer>> {
        let mut script = Script::new();
        script.sql("BEGIN IMMEDIATE").end();
        ask(&mut script);
        self.run_write(writer, script).await
    }

    /// Commits a slice, if it changes anything.
    async fn end(
        &self,
        writer: &mut Writer<'_>,
        mut script: Script,
        rows: u64,
        done: bool,
    ) -> Result<(u64, bool)> {
        if rows > 0 {
            script.sql("UPDATE meta SET generation = generation + 1").end();
        }
        script.sql("COMMIT").end();
        self.run_write(writer, script).await?;
        Ok((rows, done))
    }
}

/// Commits older than a moment of which no version is kept: their markers, then the ids of those
/// that are remembered apart from history.
fn ask_forgettable(script: &mut Script, before: Timestamp, budget: u64) {
    let budget = i64::try_from(budget).unwrap_or(i64::MAX);
    // An id begins with its milliseconds, so it is of before the moment iff it sorts below these.
    let id = u64::try_from(before.as_millis()).unwrap_or(0) << 16;
    let id = id.to_be_bytes().into_iter().take(6).collect::<Vec<u8>>();
    script
        .sql("SELECT o.seq FROM history o WHERE o.entity IS NULL AND o.at < ")
        .value(before.as_micros())
        .sql(" AND o.commit_id < ")
        .value(id.clone());
    script.sql(HOLDS_NOTHING).sql(" ORDER BY o.at LIMIT ").value(budget).end();
    script.sql("SELECT o.commit_id FROM remembered o WHERE o.commit_id < ").value(id);
    script.sql(" AND o.at < ").value(before.as_micros());
    script.sql(HOLDS_NOTHING).sql(" LIMIT ").value(budget).end();
}

/// Of the commit that the row `o` stands for, no version is kept.
const HOLDS_NOTHING: &str = " AND NOT EXISTS (SELECT 1 FROM history h \
     WHERE h.seq BETWEEN (o.seq >> 16 << 16) AND (o.seq | 65535) \
     AND h.entity IS NOT NULL AND h.beneath IS NULL)";

/// Removes links and ties the kept ones together; the head always stays.
fn unlink(script: &mut Script, chain: &[Link], gone: impl Fn(&Link) -> bool, budget: u64) -> usize {
    let budget = usize::try_from(budget).unwrap_or(usize::MAX);
    let Some((head, older)) = chain.split_first() else { return 0 };
    let mut removed: Vec<i64> = Vec::new();
    let mut kept = *head;
    let mut relinked: Vec<(i64, Option<i64>)> = Vec::new();
    for link in older {
        if gone(link) && removed.len() < budget {
            removed.push(link.seq);
            // What the kept link before points to now, until another kept one is met.
            match relinked.last_mut() {
                Some((seq, prev)) if *seq == kept.seq => *prev = link.prev,
                _ => relinked.push((kept.seq, link.prev)),
            }
        } else {
            kept = *link;
        }
    }
    remove_rows(script, &removed);
    for rows in relinked.chunks(MOST_ROWS) {
        script.sql("UPDATE history SET prev_seq = v.column2 FROM ");
        script.values(2, rows, |script, _, (seq, prev)| {
            script.bind(*seq).bind(*prev);
        });
        script.sql(" v WHERE seq = v.column1").end();
    }
    removed.len()
}

fn link(cells: Cells<'_>) -> Option<Link> {
    let version = cells.version(2).ok()?;
    Some(Link { seq: cells.int(0)?, prev: cells.int(1), version })
}

fn push_walk(script: &mut Script, key: &Key, limit: u64) {
    script
        .sql(
            "WITH RECURSIVE chain(seq) AS (SELECT d.seq FROM entity e \
             CROSS JOIN head d ON d.entity = e.no WHERE e.space = ",
        )
        .value(i64::from(key.space.0))
        .sql(" AND e.kind = ")
        .value(key.kind.as_str())
        .sql(" AND e.id = ")
        .value(key.id())
        .sql(
            " UNION SELECT h.prev_seq FROM chain CROSS JOIN history h ON h.seq = chain.seq \
             WHERE h.prev_seq IS NOT NULL) SELECT h.seq, h.prev_seq, h.epoch, h.version \
             FROM chain CROSS JOIN history h ON h.seq = chain.seq LIMIT ",
        )
        .value(i64::try_from(limit).unwrap_or(i64::MAX))
        .end();
}

/// Removes versions. Their commits may be repeated, so they are remembered first.
fn remove_rows(script: &mut Script, seqs: &[i64]) {
    for seqs in seqs.chunks(MOST_ROWS) {
        push_remembered(script, seqs);
    }
    delete_rows(script, seqs);
}

/// Deletes rows of history. The feed's floor rises to the newest that was part of it.
fn delete_rows(script: &mut Script, seqs: &[i64]) {
    for seqs in seqs.chunks(MOST_ROWS) {
        script.sql("UPDATE meta SET floor_seq = max(floor_seq, coalesce((SELECT max(h.seq) FROM ");
        push_seqs(script, seqs);
        script.sql(" v CROSS JOIN history h ON h.seq = v.column1 WHERE h.beneath IS NULL), 0))");
        script.end();
        script.sql("DELETE FROM history WHERE seq IN (SELECT column1 FROM ");
        push_seqs(script, seqs);
        script.sql(" WHERE column1 IS NOT NULL)").end();
    }
}

fn push_seqs(script: &mut Script, seqs: &[i64]) {
    script.values(1, seqs, |script, _, seq| {
        script.bind(*seq);
    });
}

/// The first id of a commit made so long before the last row was written: 48 bits of milliseconds.
const CUTOFF: &str = "(SELECT unhex(printf('%012x', max(0, at / 1000 - 7200000))) \
     FROM history WHERE seq = (SELECT max(seq) FROM history))";

fn push_remembered(script: &mut Script, seqs: &[i64]) {
    script.sql("DELETE FROM remembered WHERE commit_id < ").sql(CUTOFF).end();
    script.sql(
        "INSERT OR IGNORE INTO remembered (commit_id, seq, at, digest, versions, appended) \
             SELECT o.commit_id, o.seq, o.at, o.digest, \
             (SELECT json_group_array(json_array( \
                 json_object('space', e.space, 'kind', e.kind, 'id', e.id), \
                 json_object('epoch', h.epoch, 'n', h.version)) ORDER BY h.seq) \
              FROM history h CROSS JOIN entity e ON e.no = h.entity \
              WHERE h.seq BETWEEN o.seq AND (o.seq | 65535) AND h.beneath IS NULL), \
             o.appended FROM ",
    );
    push_seqs(script, seqs);
    script
        .sql(
            " v CROSS JOIN history o ON o.seq = (SELECT p.seq FROM history p \
             WHERE p.seq <= v.column1 AND p.seq >= (v.column1 >> 16 << 16) \
             AND p.digest IS NOT NULL ORDER BY p.seq DESC LIMIT 1) WHERE o.commit_id >= ",
        )
        .sql(CUTOFF)
        .end();
}
