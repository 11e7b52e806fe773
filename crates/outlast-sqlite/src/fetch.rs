//! What a plan needs to know, in one call and one snapshot.

use std::collections::{HashMap, HashSet};

use outlast_core::{
    CommitId, Head, Key, ReadSet, Remembered, Result, Seq, StreamName, Timestamp, Version, View,
};
use serde_json::from_slice;

use crate::Sqlite;
use crate::codec::{Cells, revision_of};
use crate::lookup::{Located, Wanted};
use crate::script::{MOST_ROWS, Script};
use crate::sum::commit_checksum;

/// Streams appended to, with the first and last place filled.
pub(crate) type Appended = Vec<(StreamName, Seq, Seq)>;

impl Sqlite {
    pub(crate) async fn fetch_view(&self, reads: &ReadSet) -> Result<View> {
        let known = self.take_located().filter(|known| known.has_room_for(reads));
        let known = known.unwrap_or_default();
        let now = known.moment.and_then(|_| self.connections.usable_moment());
        if now.is_some() && now == known.moment && known.covers(reads) {
            let view = view_of(&known, reads);
            self.remember_located(known);
            return Ok(view);
        }
        let before = self.connections.moment();
        let (mut view, found) = self.look_up(reads, &known).await?;
        let mut located = if found.is_of_the_moment(&known) {
            known.with(found)
        } else {
            // Somebody else wrote: what was known is of the past.
            let located;
            (view, located) = self.look_up(reads, &Located::default()).await?;
            located
        };
        located.moment = before.filter(|_| self.connections.moment() == before);
        let View { commits, versions, .. } = view;
        view = View { commits, versions, ..view_of(&located, reads) };
        self.remember_located(located);
        Ok(view)
    }

    /// Looks up what is not known yet; the view holds commits and versions.
    async fn look_up(&self, reads: &ReadSet, known: &Located) -> Result<(View, Located)> {
        let chains: HashSet<_> = reads.versions.iter().map(|(key, _)| key.clone()).collect();
        let keys = reads.keys.iter().filter(|key| !known.entities.contains_key(key));
        let streams = reads.streams.iter().filter(|name| !known.streams.contains_key(name));
        let mut wanted = Wanted::new(keys.cloned(), streams.cloned(), chains);
        let commits: Vec<CommitId> = reads.commits.iter().copied().collect();
        let mut script = Script::new();
        script.sql("BEGIN").end();
        wanted.ask(&mut script);
        for commits in commits.chunks(MOST_ROWS) {
            ask_commits(&mut script, commits);
        }
        script.sql("COMMIT").end();
        let answers = self.connections.read(script).await?;
        let answers = answers.get(1..).unwrap_or_default();
        let (located, used) = self.located(wanted, answers)?;
        let versions = reads.versions.iter().filter_map(|(key, version)| {
            let link = located.chain(key).iter().find(|link| link.version == *version)?;
            Some(((key.clone(), *version), link.checksum))
        });
        let mut view = View { versions: versions.collect(), ..View::default() };
        for (commits, answer) in commits.chunks(MOST_ROWS).zip(answers.iter().skip(used)) {
            for row in &answer.rows {
                read_commit(&mut view, commits, Cells(row), self)?;
            }
        }
        Ok((view, located))
    }
}

/// What is located of what was asked for.
fn view_of(located: &Located, reads: &ReadSet) -> View {
    View {
        revision: located.revision(),
        heads: heads_of(located, reads),
        streams: streams_of(located, reads),
        ..View::default()
    }
}

fn heads_of(located: &Located, reads: &ReadSet) -> HashMap<Key, Head> {
    let heads = reads.keys.iter().filter_map(|key| {
        let known = located.head(key)?;
        Some((key.clone(), known.head.clone()))
    });
    heads.collect()
}

fn streams_of(located: &Located, reads: &ReadSet) -> HashMap<StreamName, Seq> {
    let streams = reads.streams.iter().filter_map(|name| {
        let known = located.streams.get(name)?.as_ref()?;
        Some((name.clone(), known.last))
    });
    streams.collect()
}

/// Looks commits up by their ids: in history, or among those that were pruned not long ago.
///
/// One row per version written, and one with NULLs for a commit that wrote none.
fn ask_commits(script: &mut Script, commits: &[CommitId]) {
    script.sql(
        "SELECT v.column1, coalesce(r.seq, o.seq), coalesce(r.at, o.at), \
         coalesce(r.digest, o.digest), CASE WHEN r.seq IS NULL THEN o.appended ELSE r.appended \
         END, r.versions, e.space, e.kind, e.id, h.epoch, h.version, r.seq IS NULL, \
         o.commit_checksum FROM ",
    );
    script.values(2, commits, |script, place, commit| {
        script.bind(place).bind(commit.as_bytes().as_slice());
    });
    script
        .sql(
            " v LEFT JOIN history o ON o.commit_id = v.column2 AND o.digest IS NOT NULL \
             LEFT JOIN remembered r ON r.commit_id = v.column2 \
             LEFT JOIN history h ON r.seq IS NULL AND h.seq BETWEEN o.seq AND (o.seq | 65535) \
             AND h.entity IS NOT NULL AND h.beneath IS NULL \
             LEFT JOIN entity e ON e.no = h.entity \
             WHERE o.seq IS NOT NULL OR r.seq IS NOT NULL ORDER BY v.column1, h.seq",
        )
        .end();
}

fn read_commit(
    view: &mut View,
    commits: &[CommitId],
    cells: Cells<'_>,
    store: &Sqlite,
) -> Result<()> {
    let place = cells.int(0).and_then(|place| usize::try_from(place).ok());
    let Some(id) = place.and_then(|place| commits.get(place)) else { return Ok(()) };
    let damaged = |what: &str| {
        let place = &store.connections.place;
        outlast_core::Error::corrupt(format!("commit {id} in {place} is damaged: {what}"))
    };
    let revision = revision_of(cells.int(1).unwrap_or_default());
    let (at, digest) = (cells.int(2).unwrap_or_default(), cells.int(3).unwrap_or_default());
    let sum = commit_checksum(revision.0, *id, (at, digest), cells.bytes(4));
    if cells.int(11) == Some(1) && cells.int(12) != Some(sum) {
        return Err(damaged("its own checksum does not match"));
    }
    let appended = match cells.bytes(4) {
        None => Appended::new(),
        Some(text) => from_slice(text).map_err(|_| damaged("what it appended is not JSON"))?,
    };
    let versions = match cells.bytes(5) {
        None => Vec::new(),
        Some(text) => from_slice(text).map_err(|_| damaged("its versions are not JSON"))?,
    };
    let known = view.commits.entry(*id).or_insert_with(|| Remembered {
        digest: digest.cast_unsigned(),
        revision,
        at: Timestamp::from_micros(at),
        versions,
        appended,
    });
    if cells.int(7).is_some() {
        let key = cells.key(6).map_err(damaged)?;
        let version: Version = cells.version(9).map_err(damaged)?;
        known.versions.push((key, version));
    }
    Ok(())
}
