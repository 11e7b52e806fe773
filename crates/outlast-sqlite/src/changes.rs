//! The feed: whole commits, in order, none left out.

use outlast_core::{
    Change, CommitId, Cursor, Error, ErrorKind, Limits, Listed, Page, Result, Revision, Timestamp,
};

use crate::Sqlite;
use crate::codec::{AFTER_VERSION, Cells, STATE, VERSION, damage, last_row_of, revision_of};
use crate::script::{Answer, Script};
use crate::sum::commit_checksum;

impl Sqlite {
    pub(crate) async fn changes_page(&self, after: Revision, limit: u32) -> Result<Listed<Change>> {
        Page::first(limit).validate(Limits::EMBEDDED.page)?;
        let last = last_row_of(after);
        let mut script = Script::new();
        script.heavy(STATE).sql("BEGIN").end();
        script.sql("SELECT floor_seq, (SELECT max(seq) FROM history) FROM meta").end();
        script.sql("SELECT ").sql(VERSION);
        script
            .sql(
                ", h.entity, h.digest, h.commit_checksum, h.appended FROM history h \
                 LEFT JOIN entity e ON e.no = h.entity WHERE h.seq > ",
            )
            .value(last)
            .sql(" AND h.beneath IS NULL AND h.seq < coalesce((SELECT o.seq FROM history o WHERE o.seq > ")
            .value(last)
            .sql(" AND o.digest IS NOT NULL ORDER BY o.seq LIMIT 1 OFFSET ")
            .value(i64::from(limit))
            .sql("), 9223372036854775807) ORDER BY h.seq")
            .end();
        script.sql("COMMIT").end();
        let answers = self.connections.read(script).await?;
        let mut answers = answers.into_iter().skip(1);
        let (Some(floor), Some(rows)) = (answers.next(), answers.next()) else {
            return Ok(Listed::empty());
        };
        let number = |column| floor.rows.first().and_then(|row| Cells(row).int(column));
        let floor = revision_of(number(0).unwrap_or_default());
        let last = revision_of(number(1).unwrap_or_default());
        if after < floor {
            return Err(Error::new(
                ErrorKind::Compacted,
                format!(
                    "commits up to {} were pruned, so those after {} are not all there; \
                     start from a snapshot",
                    floor.0, after.0
                ),
            ));
        }
        self.feed_of(after, last, &rows)
    }

    fn feed_of(&self, after: Revision, end: Revision, answer: &Answer) -> Result<Listed<Change>> {
        let mut changes: Vec<Change> = Vec::new();
        for row in &answer.rows {
            let cells = Cells(row);
            let revision = revision_of(cells.int(0).unwrap_or_default());
            let last = changes.last().map_or(after, |change| change.revision);
            if changes.is_empty() || revision != last {
                if revision != last.next() {
                    return Err(self.hole(last.next()));
                }
                changes.push(self.opened(revision, cells)?);
            }
            let Some(change) = changes.last_mut() else { continue };
            if cells.int(AFTER_VERSION).is_some() {
                change.versions.push(cells.versioned(&self.connections.place));
            }
        }
        // A page that was cut off for its size may lack rows of its last commit.
        if answer.cut && changes.len() > 1 {
            changes.pop();
        }
        let next = changes.last().filter(|change| change.revision < end);
        let next = next.map(|change| Cursor::number(change.revision.0));
        Ok(Listed { items: changes, next })
    }

    /// The commit that a row opens, without versions yet.
    fn opened(&self, revision: Revision, cells: Cells<'_>) -> Result<Change> {
        let place = &self.connections.place;
        let what = || format!("commit {} of the feed", revision.0);
        let corrupt = |why| Error::from(damage(what(), "history", place, why, None));
        let commit: CommitId = cells.commit_id(7).map_err(corrupt)?;
        let at = cells.int(8).ok_or("its time is missing").map_err(corrupt)?;
        let digest = cells.int(AFTER_VERSION + 1);
        let digest = digest.ok_or("the row that opens it is missing").map_err(corrupt)?;
        let appended = cells.bytes(AFTER_VERSION + 3);
        let sum = commit_checksum(revision.0, commit, (at, digest), appended);
        let mut change = Change {
            revision,
            commit,
            at: Timestamp::from_micros(at),
            versions: Vec::new(),
            appended: Vec::new(),
        };
        let parsed = appended.map(serde_json::from_slice).transpose();
        match parsed {
            Ok(parsed) if cells.int(AFTER_VERSION + 2) == Some(sum) => {
                change.appended = parsed.unwrap_or_default();
            }
            _ => {
                let why = "its own checksum does not match";
                change.versions.push(Err(damage(what(), "history", place, why, appended)));
            }
        }
        Ok(change)
    }

    fn hole(&self, revision: Revision) -> Error {
        let place = &self.connections.place;
        let what = format!("commit {} of the feed", revision.0);
        damage(what, "history", place, "it is missing", None).into()
    }
}
