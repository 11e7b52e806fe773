//! One call per group of commits: begin, insert if nothing changed, commit.
//!
//! The first statement compares the last row of history and the number of prunings with those the
//! rows were numbered from, and keeps the outcome in a table of the connection's own; every other
//! statement writes nothing unless it held. So a race costs one call, and nothing else.
//!
//! A set that was not planned from the last fetch, or that touches transient attributes (which no
//! revision guards), is numbered inside its own transaction instead: two calls.

use outlast_core::{Error, ErrorKind, Result, WriteSet, Written, planted};

use crate::Sqlite;
use crate::connections::Writer;
use crate::draft::{Draft, chained_keys};
use crate::insert;
use crate::lookup::{Located, Wanted};
use crate::script::{Answer, Script};

impl Sqlite {
    pub(crate) async fn write_set(&self, set: &WriteSet) -> Result<Written> {
        self.recent().writing = true;
        let written = self.write_rows(set).await;
        self.recent().writing = false;
        written
    }

    async fn write_rows(&self, set: &WriteSet) -> Result<Written> {
        let mut writer = self.connections.writer().await?;
        let mut script = Script::new();
        let located = match self.recall(set) {
            Some(located) => {
                script.sql("BEGIN IMMEDIATE").end();
                located
            }
            None => self.locate(&mut writer, set).await?,
        };
        if located.revision() != set.base {
            script.sql("ROLLBACK").end();
            self.run_write(&mut writer, script).await?;
            writer.keep();
            return Ok(Written::Raced);
        }
        let draft = Draft::of(set, &located)?;
        let inserts = insert::push(&mut script, &draft, &located)?;
        script.sql("COMMIT").end();
        if planted("counter-outside") {
            insert::push_streams(&mut script, &draft);
        }
        let answers = match self.run_write(&mut writer, script).await {
            Err(full) if full.kind() == ErrorKind::StorageFull && planted("full-swallowed") => {
                return Ok(Written::Applied(self.durability()));
            }
            answers => answers?,
        };
        writer.keep();
        let inserted = answers.get(inserts).unwrap_or_default().iter();
        match inserted.map(|answer| answer.affected).sum::<u64>() {
            0 if !draft.history.is_empty() => Ok(Written::Raced),
            some if some == draft.history.len() as u64 => {
                self.advance(set, located, &draft);
                Ok(Written::Applied(self.durability()))
            }
            some => {
                let rows = draft.history.len();
                Err(Error::internal(format!("{some} rows of history were written, not {rows}")))
            }
        }
    }

    /// Brings what is known from the moment before a write to the one after it.
    fn advance(&self, set: &WriteSet, located: Located, draft: &Draft<'_>) {
        let now = self.connections.moment_after_write();
        let now = now.filter(|now| located.moment.is_some_and(|then| now.is_next_of(&then)));
        self.recent().advance(set, &located, now);
        self.remember_located(located.advanced(draft, now));
    }

    /// What the last fetch located, if the set was planned from it.
    fn recall(&self, set: &WriteSet) -> Option<Located> {
        let located = self.take_located()?;
        let covered = set.touches.is_empty()
            && located.revision() == set.base
            && set.commits.iter().all(|commit| {
                let known = |key| located.entities.contains_key(key);
                commit.versions.iter().all(|version| known(&version.key))
                    && commit.history.iter().all(|version| {
                        known(&version.key) && located.chains.contains_key(&version.key)
                    })
                    && commit
                        .entries
                        .iter()
                        .all(|entry| located.streams.contains_key(&entry.stream))
            });
        covered.then_some(located)
    }

    /// Begins a transaction and locates what the set writes to.
    async fn locate(&self, writer: &mut Writer<'_>, set: &WriteSet) -> Result<Located> {
        let versions = set.commits.iter().flat_map(|c| c.versions.iter().chain(&c.history));
        let keys = versions.map(|v| &v.key).chain(set.touches.iter().map(|(key, _)| key));
        let keys: std::collections::HashSet<_> = keys.cloned().collect();
        let entries = set.commits.iter().flat_map(|commit| &commit.entries);
        let streams: std::collections::HashSet<_> = entries.map(|e| e.stream.clone()).collect();
        let mut wanted = Wanted::new(keys, streams, chained_keys(set));
        let mut script = Script::new();
        script.sql("BEGIN IMMEDIATE").end();
        wanted.ask(&mut script);
        let answers = self.run_write(writer, script).await?;
        let (located, _) = self.located(wanted, answers.get(1..).unwrap_or_default())?;
        // Nobody else can write before this transaction ends.
        Ok(Located { moment: self.connections.moment(), ..located })
    }

    /// Runs a script that writes; its last statement is the commit if it has one.
    pub(crate) async fn run_write(
        &self,
        writer: &mut Writer<'_>,
        script: Script,
    ) -> Result<Vec<Answer>> {
        let commit = script.commit_at();
        match script.run(writer).await? {
            Ok(answers) => Ok(answers),
            Err(stopped) => Err(self.connections.write_error(stopped, commit)),
        }
    }
}
