//! Reading everything there is and checking it, in one snapshot.
//!
//! Records are checked one by one against their checksums. What has no checksum is checked
//! against the records: heads, chains, the attribute index, the extent of streams, the feed.

use outlast_core::{Damage, Result, Revision, Verification};
use sqlx::sqlite::SqliteRow;

use crate::Sqlite;
use crate::codec::{AFTER_HEAD, AFTER_VERSION, Cells, HEAD, VERSION, damage, revision_of};
use crate::connections::Reader;
use crate::error::Doing;
use crate::script::Script;
use crate::sum::commit_checksum;

/// Rows of one step of the walk.
const STEP: i64 = 256;
/// Chains of one step of the walk.
const CHAINS: i64 = 64;

struct Walk<'a> {
    store: &'a Sqlite,
    reader: Reader<'a>,
    found: Verification,
}

impl Sqlite {
    pub(crate) async fn verify_all(&self) -> Result<Verification> {
        let reader = self.connections.reader().await?;
        let mut walk = Walk { store: self, reader, found: Verification::default() };
        walk.rows(Script::of("BEGIN")).await?;
        walk.pages().await?;
        walk.history().await?;
        walk.entities().await?;
        walk.chains().await?;
        walk.names().await?;
        walk.attributes().await?;
        walk.streams().await?;
        walk.entries().await?;
        walk.rows(Script::of("COMMIT")).await?;
        walk.reader.keep();
        Ok(walk.found)
    }
}

impl Walk<'_> {
    async fn rows(&mut self, mut script: Script) -> Result<Vec<SqliteRow>> {
        script.end();
        match script.run(&mut self.reader).await? {
            Ok(answers) => Ok(answers.into_iter().next().unwrap_or_default().rows),
            Err(stopped) => Err(self.store.connections.place.error(stopped.cause, Doing::Reading)),
        }
    }

    fn report(&mut self, what: impl std::fmt::Display, table: &str, why: &str) {
        let place = &self.store.connections.place;
        self.found.report(damage(what, table, place, why, None));
    }

    fn keep(&mut self, damage: Option<Damage>) {
        if let Some(damage) = damage {
            self.found.report(damage);
        }
    }

    /// Where a step ended, numbers being in a column. In a damaged table rows may come in any order,
    /// and a walk that does not get on would never end.
    fn end(&mut self, rows: &[SqliteRow], column: usize, after: i64) -> Option<i64> {
        let end = rows.iter().filter_map(|row| Cells(row).int(column)).max();
        if !rows.is_empty() && end.is_none_or(|end| end <= after) {
            self.report("a page", "structure", "its rows are not in order");
            return None;
        }
        end
    }

    async fn pages(&mut self) -> Result<()> {
        for row in self.rows(Script::of("PRAGMA integrity_check(100)")).await? {
            let text = Cells(&row).any_text(0);
            if text != "ok" {
                self.report("a page", "structure", &text);
            }
        }
        Ok(())
    }

    /// Every version against its checksum, and the feed for what is missing from it.
    async fn history(&mut self) -> Result<()> {
        let meta = self.rows(Script::of("SELECT floor_seq FROM meta")).await?;
        let floor = meta.first().map_or(0, |row| Cells(row).int(0).unwrap_or_default());
        let mut last = revision_of(floor);
        let mut after = -1;
        loop {
            let mut script = Script::of("SELECT ");
            script
                .sql(VERSION)
                .sql(
                    ", h.entity, h.digest, h.commit_checksum, h.appended FROM history h \
                     LEFT JOIN entity e ON e.no = h.entity WHERE h.seq > ",
                )
                .value(after)
                .sql(" ORDER BY h.seq LIMIT ")
                .value(STEP);
            let rows = self.rows(script).await?;
            let Some(end) = self.end(&rows, 0, after) else { return Ok(()) };
            after = end;
            for row in &rows {
                let cells = Cells(row);
                self.version(cells);
                last = self.feed(cells, last);
            }
        }
    }

    fn version(&mut self, cells: Cells<'_>) {
        if cells.int(AFTER_VERSION).is_some() {
            self.found.versions += 1;
            self.keep(cells.versioned(&self.store.connections.place).err());
        }
        if let Some(digest) = cells.int(AFTER_VERSION + 1) {
            let revision = revision_of(cells.int(0).unwrap_or_default()).0;
            let at = cells.int(8).unwrap_or_default();
            let appended = cells.bytes(AFTER_VERSION + 3);
            let sum =
                cells.commit_id(7).map(|id| commit_checksum(revision, id, (at, digest), appended));
            if sum.ok() != cells.int(AFTER_VERSION + 2) {
                let what = format!("commit {revision} of the feed");
                self.report(what, "history", "its own checksum does not match");
            }
        }
    }

    /// The revision up to which the feed was walked, `last` before this row.
    fn feed(&mut self, cells: Cells<'_>, last: Revision) -> Revision {
        let revision = revision_of(cells.int(0).unwrap_or_default());
        if revision <= last || cells.int(1).is_some() {
            return last;
        }
        let opens = cells.int(AFTER_VERSION + 1).is_some();
        let what = || format!("commit {} of the feed", last.next().0);
        if revision != last.next() {
            self.report(what(), "history", "it is missing");
        } else if !opens {
            self.report(what(), "history", "the row that opens it is missing");
        }
        revision
    }

    /// Every head against its newest version.
    async fn entities(&mut self) -> Result<()> {
        let mut after = -1;
        loop {
            let mut script = Script::of("SELECT ");
            script
                .sql(VERSION)
                .sql(", ")
                .sql(HEAD)
                .sql(
                    ", e.no FROM entity e LEFT JOIN head d ON d.entity = e.no \
                     LEFT JOIN history h ON h.seq = d.seq WHERE e.no > ",
                )
                .value(after)
                .sql(" ORDER BY e.no LIMIT ")
                .value(STEP);
            let rows = self.rows(script).await?;
            let Some(end) = self.end(&rows, AFTER_HEAD, after) else { return Ok(()) };
            after = end;
            for row in &rows {
                self.found.entities += 1;
                let cells = Cells(row);
                // A version that fails its checksum was reported with the history.
                let whole = cells.int(0).is_none() || cells.versioned(self.place()).is_ok();
                if let outlast_core::Slot::Damaged(damage) = cells.slot(self.place())
                    && whole
                {
                    self.found.report(*damage);
                }
            }
        }
    }

    fn place(&self) -> &crate::error::Place {
        &self.store.connections.place
    }

    /// Every chain for what is missing, in disorder or another entity's, and whether all rows of
    /// history are in one. Numbers may have gaps: merges bring some versions and not others.
    async fn chains(&mut self) -> Result<()> {
        let (mut after, mut linked) = (-1, 0);
        loop {
            let mut script = Script::of(
                "WITH RECURSIVE chain(entity, seq, epoch, version) AS ( \
                 SELECT entity, seq, NULL, NULL FROM (SELECT entity, seq FROM head \
                 WHERE entity > ",
            );
            script.value(after).sql(" ORDER BY entity LIMIT ").value(CHAINS).sql(
                ") UNION SELECT chain.entity, p.prev_seq, p.epoch, p.version FROM chain \
                     CROSS JOIN history p ON p.seq = chain.seq WHERE p.prev_seq IS NOT NULL) \
                     SELECT chain.entity, count(h.seq), sum(h.seq IS NULL), \
                     sum(h.entity IS NOT NULL AND h.entity <> chain.entity), \
                     sum((h.epoch, h.version) >= (chain.epoch, chain.version)), \
                     count(*) - count(DISTINCT chain.seq), max(e.kind), max(e.id) \
                     FROM chain LEFT JOIN history h ON h.seq = chain.seq \
                     LEFT JOIN entity e ON e.no = chain.entity \
                     GROUP BY chain.entity ORDER BY chain.entity",
            );
            let rows = self.rows(script).await?;
            let Some(end) = self.end(&rows, 0, after) else { break };
            after = end;
            for row in &rows {
                let cells = Cells(row);
                linked += cells.count(1);
                let name = format!("{}/{}", cells.any_text(6), cells.any_text(7));
                let flaws = [
                    (2, "a version is missing from its chain"),
                    (3, "its chain holds another entity's version"),
                    (4, "its chain is not in the order of versions"),
                    (5, "its chain runs in a circle"),
                ];
                for (column, why) in flaws {
                    if cells.count(column) > 0 {
                        self.report(&name, "history", why);
                    }
                }
            }
        }
        if linked != self.found.versions {
            let rows = self.found.versions.abs_diff(linked);
            self.report(format!("{rows} versions"), "history", "they are in no entity's chain");
        }
        Ok(())
    }

    /// Names that stand for nothing, or twice.
    async fn names(&mut self) -> Result<()> {
        let checks = [
            (
                "SELECT d.entity FROM head d LEFT JOIN entity e ON e.no = d.entity \
                 WHERE e.no IS NULL LIMIT 1000",
                "head",
                "it belongs to no entity",
            ),
            (
                "SELECT kind || '/' || id FROM entity GROUP BY space, kind, id \
                 HAVING count(*) > 1 LIMIT 1000",
                "entity",
                "two entities bear this name",
            ),
            (
                "SELECT kind || '/' || id FROM stream GROUP BY kind, space, id \
                 HAVING count(*) > 1 LIMIT 1000",
                "stream",
                "two streams bear this name",
            ),
        ];
        self.all(&checks).await
    }

    /// The index against the heads, in both directions.
    async fn attributes(&mut self) -> Result<()> {
        let checks = [
            (
                "SELECT e.kind || '/' || e.id FROM head d CROSS JOIN entity e ON e.no = d.entity \
                 CROSS JOIN json_each(CASE WHEN json_valid(d.attrs) THEN d.attrs ELSE '{}' END) j \
                 WHERE d.live AND NOT EXISTS (SELECT 1 FROM attribute a WHERE a.space = e.space \
                 AND a.kind = e.kind AND a.name = j.key AND a.value = j.atom \
                 AND a.entity = d.entity) LIMIT 1000",
                "attribute",
                "an attribute is missing from the index",
            ),
            (
                "SELECT a.kind || '/' || coalesce(e.id, a.entity) FROM attribute a \
                 LEFT JOIN head d ON d.entity = a.entity LEFT JOIN entity e ON e.no = a.entity \
                 WHERE d.live IS NOT 1 OR e.space <> a.space OR e.kind <> a.kind OR \
                 CASE WHEN json_valid(d.attrs) THEN d.attrs ->> a.name END IS NOT a.value \
                 LIMIT 1000",
                "attribute",
                "the index holds an attribute the entity does not have",
            ),
        ];
        self.all(&checks).await
    }

    /// Every stream for what is missing between its first and its last place.
    async fn streams(&mut self) -> Result<()> {
        let checks = [
            (
                "SELECT s.kind || '/' || s.id FROM stream s WHERE \
                 (SELECT count(*) FROM stream_entry x WHERE x.id BETWEEN (s.no << 32) + s.first_seq \
                 AND (s.no << 32) + s.last_seq) <> s.last_seq - s.first_seq + 1 LIMIT 1000",
                "stream",
                "an entry is missing",
            ),
            (
                "SELECT x.id >> 32 FROM stream_entry x LEFT JOIN stream s ON s.no = x.id >> 32 \
                 WHERE s.no IS NULL OR x.id & 4294967295 NOT BETWEEN s.first_seq AND s.last_seq \
                 LIMIT 1000",
                "stream_entry",
                "an entry lies outside of its stream",
            ),
        ];
        self.all(&checks).await
    }

    async fn all(&mut self, checks: &[(&'static str, &str, &str)]) -> Result<()> {
        for (sql, table, why) in checks {
            for row in self.rows(Script::of(sql)).await? {
                self.report(Cells(&row).any_text(0), table, why);
            }
        }
        Ok(())
    }

    /// Every entry against its checksum.
    async fn entries(&mut self) -> Result<()> {
        let mut after = -1;
        loop {
            let mut script = Script::of(
                "SELECT x.id, x.at, x.checksum, x.attrs, x.data, s.space, s.kind, s.id \
                 FROM stream_entry x LEFT JOIN stream s ON s.no = x.id >> 32 WHERE x.id > ",
            );
            script.value(after).sql(" ORDER BY x.id LIMIT ").value(STEP);
            let rows = self.rows(script).await?;
            let Some(end) = self.end(&rows, 0, after) else { return Ok(()) };
            after = end;
            for row in &rows {
                self.found.entries += 1;
                let cells = Cells(row);
                match cells.key(5) {
                    Ok(stream) => self.keep(cells.entry(&stream, self.place()).err()),
                    Err(why) => {
                        let what = format!("entry {after}");
                        self.report(what, "stream", why);
                    }
                }
            }
        }
    }
}
