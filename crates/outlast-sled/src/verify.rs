//! Reading everything and checking it: every row against its checksum, and rows against each
//! other, since sled may lose rows without a trace.

use outlast_core::{Entry, Result, Revision, Verification};

use crate::codec::{CommitRow, Content, Extent, Flaw, HeadRow, State, VersionRow, key, name};
use crate::read::current;
use crate::tables::{Table, Tables};

/// Walks all tables. Writers wait meanwhile.
pub(crate) fn verify(tables: &Tables, state: &State) -> Result<Verification> {
    let mut walk = Walk { tables, found: Verification::default() };
    walk.heads()?;
    walk.history()?;
    walk.index()?;
    walk.audit()?;
    walk.streams()?;
    walk.feed(state)?;
    walk.commits()?;
    for table in state.tallies.broken(tables)? {
        walk.report(table, &[], Flaw::new("rows of it are gone or old ones are back"));
    }
    Ok(walk.found)
}

struct Walk<'a> {
    tables: &'a Tables,
    found: Verification,
}

impl Walk<'_> {
    /// Visits the rows of a table whose bytes are whole; the others are reported.
    fn each<C: Content>(
        &mut self,
        table: Table,
        prefix: &[u8],
        mut check: impl FnMut(&mut Self, &[u8], C) -> Result<()>,
    ) -> Result<()> {
        let tables = self.tables;
        for pair in tables.under(table, prefix)? {
            let (key, bytes) = pair?;
            match Tables::met(table, &key, bytes) {
                Ok(content) => check(self, &key, content)?,
                Err(flaw) => self.report(table, &key, flaw),
            }
        }
        Ok(())
    }

    fn report(&mut self, table: Table, place: &[u8], flaw: Flaw) {
        self.found.report(self.tables.damage(table, place, flaw));
    }

    fn heads(&mut self) -> Result<()> {
        self.each(Table::Heads, &[], |walk, place, head: HeadRow| {
            walk.found.entities += 1;
            let entity = match key::to_entity(place) {
                Ok(entity) => entity,
                Err(flaw) => {
                    walk.report(Table::Heads, place, flaw);
                    return Ok(());
                }
            };
            // A version with a flaw of its own is reported when the history is walked.
            let version = key::version(&entity, head.version);
            let flawed = matches!(walk.tables.row(Table::History, &version)?, Some(Err(_)));
            if !flawed && let Err(damage) = current(walk.tables, &entity, &head)? {
                walk.found.report(damage);
            }
            for (name, value) in head.indexed() {
                let index = key::index(&entity, name, value);
                if walk.tables.row(Table::Index, &index)?.is_none() {
                    walk.report(Table::Heads, place, Flaw::new(format!("no index has its {name}")));
                }
            }
            Ok(())
        })
    }

    fn history(&mut self) -> Result<()> {
        self.each(Table::History, &[], |walk, place, row: VersionRow| {
            walk.found.versions += 1;
            let head = key::entity(&row.version.key);
            let head = walk.tables.content::<HeadRow>(Table::Heads, &head)?;
            match head {
                None => walk.report(Table::History, place, Flaw::new("its entity is gone")),
                Some(Ok(head)) if head.version < row.version.version => {
                    walk.report(Table::History, place, Flaw::new("its entity is older than it"));
                }
                Some(_) => {}
            }
            let position = row.position.to_be_bytes();
            let audit = walk.tables.content::<Vec<u8>>(Table::Audit, &position)?;
            if !audit.is_some_and(|found| found.is_err() || found.as_deref() == Ok(place)) {
                walk.report(Table::History, place, Flaw::new("the audit trail does not name it"));
            }
            Ok(())
        })
    }

    fn index(&mut self) -> Result<()> {
        self.each(Table::Index, &[], |walk, place, (): ()| {
            let (entity, attribute, value) = match key::to_index(place) {
                Ok(row) => row,
                Err(flaw) => {
                    walk.report(Table::Index, place, flaw);
                    return Ok(());
                }
            };
            let head = walk.tables.content::<HeadRow>(Table::Heads, &key::entity(&entity))?;
            let agrees = head.is_some_and(|head| match head {
                Ok(head) => head.live && head.attrs.get(&attribute) == Some(&value),
                Err(_) => true,
            });
            if !agrees {
                walk.report(Table::Index, place, Flaw::new(format!("{entity} is not so")));
            }
            Ok(())
        })
    }

    fn audit(&mut self) -> Result<()> {
        self.each(Table::Audit, &[], |walk, position, place: Vec<u8>| {
            if walk.tables.row(Table::History, &place)?.is_none() {
                let why = format!("{} is gone", name(Table::History, &place));
                walk.report(Table::Audit, position, Flaw::new(why));
            }
            Ok(())
        })
    }

    fn streams(&mut self) -> Result<()> {
        self.each(Table::Streams, &[], |walk, place, extent: Extent| {
            let mut prefix = place.to_vec();
            prefix.push(0);
            let mut expected = extent.first.0;
            for pair in walk.tables.under(Table::Entries, &prefix)? {
                let (place, bytes) = pair?;
                walk.found.entries += 1;
                match Tables::met::<Entry>(Table::Entries, &place, bytes) {
                    Ok(entry) if entry.seq.0 != expected => {
                        let why = format!("it follows a gap: {expected} is gone");
                        walk.report(Table::Entries, &place, Flaw::new(why));
                        expected = entry.seq.0;
                    }
                    Ok(_) => {}
                    Err(flaw) => walk.report(Table::Entries, &place, flaw),
                }
                expected = expected.saturating_add(1);
            }
            if expected != extent.last.0.saturating_add(1) {
                let why =
                    format!("its entries end before {expected} instead of at {}", extent.last.0);
                walk.report(Table::Streams, place, Flaw::new(why));
            }
            Ok(())
        })
    }

    fn feed(&mut self, state: &State) -> Result<()> {
        // Up to the floor, commits that hold no version any more may be gone.
        let mut expected = state.floor.next();
        self.each(Table::Feed, &[], |walk, place, row: CommitRow| {
            let revision = row.known.revision;
            if revision > state.floor {
                if revision != expected {
                    let why = format!("it follows a gap: commit {} is gone", expected.0);
                    walk.report(Table::Feed, place, Flaw::new(why));
                }
                expected = revision.next();
            }
            walk.commit(place, &row)
        })?;
        if expected != state.revision.next() {
            let why = format!("the feed ends before commit {}", state.revision.0);
            self.report(Table::Feed, &state.revision.0.to_be_bytes(), Flaw::new(why));
        }
        Ok(())
    }

    fn commit(&mut self, place: &[u8], row: &CommitRow) -> Result<()> {
        let revision = row.known.revision;
        let id = self.tables.content::<Revision>(Table::Commits, row.id.as_bytes())?;
        if !id.is_some_and(|found| found.is_err() || found == Ok(revision)) {
            self.report(Table::Feed, place, Flaw::new("its commit id is not remembered"));
        }
        let spent = key::spent(row.known.at, revision);
        if row.known.versions.is_empty() && self.tables.row(Table::Spent, &spent)?.is_none() {
            self.report(Table::Feed, place, Flaw::new("it is not known to hold no version"));
        }
        Ok(())
    }

    fn commits(&mut self) -> Result<()> {
        self.each(Table::Commits, &[], |walk, id, revision: Revision| {
            walk.has_commit(Table::Commits, id, revision)
        })?;
        self.each(Table::Spent, &[], |walk, place, (): ()| match key::to_spent(place) {
            Ok(revision) => walk.has_commit(Table::Spent, place, revision),
            Err(flaw) => {
                walk.report(Table::Spent, place, flaw);
                Ok(())
            }
        })
    }

    fn has_commit(&mut self, table: Table, place: &[u8], revision: Revision) -> Result<()> {
        if self.tables.row(Table::Feed, &revision.0.to_be_bytes())?.is_none() {
            self.report(table, place, Flaw::new(format!("its commit {} is gone", revision.0)));
        }
        Ok(())
    }
}
