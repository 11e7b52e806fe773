//! Where things are: the numbers that stand for entities, streams and rows.
//!
//! A fetch leaves them behind for the write that follows, and a write for the next fetch, so that
//! only what is new is looked up. They hold as long as nobody else wrote or pruned: a fetch asks
//! for the last row and the number of prunings and begins anew if they are not those known, and a
//! write makes sure of them.

use std::collections::{HashMap, HashSet};

use outlast_core::{
    Attributes, Epoch, Error, Head, Key, ReadSet, Result, Revision, Seq, StreamName, Version,
    Versioned,
};

use crate::Sqlite;
use crate::codec::{Cells, MOST_PLACES, revision_of};
use crate::draft::Draft;
use crate::ids::Ids;
use crate::moment::Moment;
use crate::script::{Answer, MOST_ROWS, Script};
use crate::sum::sealed;

/// The newest version of an entity, as its head row states it.
#[derive(Clone, Debug)]
pub(crate) struct KnownHead {
    pub(crate) seq: i64,
    pub(crate) head: Head,
    /// What it is indexed by; `None` if that cannot be read.
    pub(crate) attrs: Option<Attributes>,
    /// Its transient attributes, as looked up for a write that touches them; none if they cannot be
    /// read.
    pub(crate) transient: Attributes,
}

impl KnownHead {
    fn of(seq: i64, version: &Versioned) -> Self {
        let (head, attrs) = (Head::of(version), Some(version.attrs.clone()));
        Self { seq, head, attrs, transient: Attributes::new() }
    }
}

/// An entity that has a number.
#[derive(Clone, Debug)]
pub(crate) struct KnownEntity {
    pub(crate) no: i64,
    pub(crate) head: Option<KnownHead>,
}

/// A stream that has a number.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KnownStream {
    pub(crate) no: i64,
    pub(crate) first: Seq,
    pub(crate) last: Seq,
}

/// One version in the chain of an entity.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Link {
    pub(crate) version: Version,
    pub(crate) seq: i64,
    pub(crate) prev: Option<i64>,
    pub(crate) checksum: u64,
}

/// What was looked up, as of one moment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Located {
    /// The last row of history there is.
    pub(crate) last_row: i64,
    /// How often something was pruned.
    pub(crate) generation: i64,
    /// The last row of history ever pruned.
    pub(crate) floor_row: i64,
    pub(crate) last_entity: i64,
    pub(crate) last_stream: i64,
    /// The layout the file has.
    pub(crate) layout: i64,
    /// The entities asked for; `None` has no number yet.
    pub(crate) entities: HashMap<Key, Option<KnownEntity>>,
    pub(crate) streams: HashMap<StreamName, Option<KnownStream>>,
    /// The chains asked for, the newest version first.
    pub(crate) chains: HashMap<Key, Vec<Link>>,
    /// Which commits there are.
    pub(crate) ids: Ids,
    /// When this was so, if that can be told; it is so as long as it is that moment.
    pub(crate) moment: Option<Moment>,
}

/// How many entities and streams are known at most, a few MiB.
const MOST_KNOWN: usize = 16_384;

impl Located {
    /// Whether as much again can be learnt; what has grown too large is forgotten whole.
    pub(crate) fn has_room_for(&self, reads: &ReadSet) -> bool {
        self.entities.len() + reads.keys.len() <= MOST_KNOWN
            && self.streams.len() + reads.streams.len() <= MOST_KNOWN
    }

    /// Whether nothing was written or pruned between what is known and this. Of nothing known
    /// nothing can be of the past.
    pub(crate) fn is_of_the_moment(&self, known: &Self) -> bool {
        (known.entities.is_empty() && known.streams.is_empty())
            || (self.last_row == known.last_row && self.generation == known.generation)
    }

    /// All that is known when this was found at the same moment.
    pub(crate) fn with(mut self, found: Self) -> Self {
        self.entities.extend(found.entities);
        self.streams.extend(found.streams);
        let same = (self.last_row, self.generation) == (found.last_row, found.generation);
        let ids = if same && self.ids.are_known() { self.ids } else { found.ids };
        Self { entities: self.entities, streams: self.streams, ids, ..found }
    }

    /// Whether all of this is known, and the commits are known not to be there.
    pub(crate) fn covers(&self, reads: &ReadSet) -> bool {
        reads.versions.is_empty()
            && reads.keys.iter().all(|key| self.entities.contains_key(key))
            && reads.streams.iter().all(|name| self.streams.contains_key(name))
            && reads.commits.iter().all(|id| self.ids.lack(id))
    }

    /// What is known once a draft was written, `now` if nobody else has written since.
    pub(crate) fn advanced(mut self, draft: &Draft<'_>, now: Option<Moment>) -> Self {
        self.chains.clear();
        self.moment = now;
        draft
            .history
            .iter()
            .filter(|row| row.opening)
            .for_each(|row| self.ids.note(&row.commit.id));
        self.last_entity += count(draft.entities.len());
        for row in &draft.history {
            self.last_row = row.seq;
            let Some((no, version)) = row.version else { continue };
            if !row.beneath {
                let head = Some(KnownHead::of(row.seq, version));
                self.entities.insert(version.key.clone(), Some(KnownEntity { no, head }));
            }
        }
        for row in &draft.streams {
            self.last_stream = self.last_stream.max(row.no);
            let known = KnownStream { no: row.no, first: row.first, last: row.last };
            self.streams.insert(row.stream.clone(), Some(known));
        }
        self
    }

    /// The last commit.
    pub(crate) fn revision(&self) -> Revision {
        revision_of(self.last_row.max(self.floor_row))
    }

    /// The head of an entity that was asked for.
    pub(crate) fn head(&self, key: &Key) -> Option<&KnownHead> {
        self.entities.get(key)?.as_ref()?.head.as_ref()
    }

    /// The chain of an entity, empty if there is none.
    pub(crate) fn chain(&self, key: &Key) -> &[Link] {
        self.chains.get(key).map_or(&[], Vec::as_slice)
    }
}

/// What to look up.
#[derive(Debug, Default)]
pub(crate) struct Wanted {
    keys: Vec<Key>,
    streams: Vec<StreamName>,
    chains: Vec<Key>,
    statements: usize,
}

impl Wanted {
    pub(crate) fn new(
        keys: impl IntoIterator<Item = Key>,
        streams: impl IntoIterator<Item = StreamName>,
        chains: HashSet<Key>,
    ) -> Self {
        Self {
            keys: keys.into_iter().collect(),
            streams: streams.into_iter().collect(),
            chains: chains.into_iter().collect(),
            statements: 0,
        }
    }

    /// Adds the statements that look it all up.
    pub(crate) fn ask(&mut self, script: &mut Script) {
        let before = script.statements();
        script
            .sql(
                "SELECT coalesce((SELECT max(seq) FROM history), 0), generation, floor_seq, \
                 coalesce((SELECT max(no) FROM entity), 0), \
                 coalesce((SELECT max(no) FROM stream), 0), \
                 (SELECT user_version FROM pragma_user_version), \
                 max(coalesce((SELECT max(commit_id) FROM history \
                 WHERE digest IS NOT NULL), x''), \
                 coalesce((SELECT max(commit_id) FROM remembered), x'')) FROM meta",
            )
            .end();
        for keys in self.keys.chunks(MOST_ROWS) {
            script.sql(
                "SELECT v.column1, e.no, d.seq, d.epoch, d.version, d.live, d.checksum, d.attrs, \
                 d.transient, d.transient_checksum, ",
            );
            script.sql(SOUND).sql(" FROM ");
            push_names(script, keys);
            script
                .sql(
                    " v CROSS JOIN entity e ON e.space = v.column2 AND e.kind = v.column3 \
                     AND e.id = v.column4 LEFT JOIN head d ON d.entity = e.no \
                     LEFT JOIN history h ON h.seq = d.seq",
                )
                .end();
        }
        for streams in self.streams.chunks(MOST_ROWS) {
            script.sql(
                "SELECT v.column1, s.no, s.first_seq, s.last_seq, (SELECT max(x.id) \
                 FROM stream_entry x WHERE x.id BETWEEN s.no << 32 \
                 AND (s.no << 32) + 4294967295) & 4294967295 FROM ",
            );
            push_names(script, streams);
            script
                .sql(
                    " v CROSS JOIN stream s ON s.space = v.column2 AND s.kind = v.column3 \
                     AND s.id = v.column4",
                )
                .end();
        }
        for keys in self.chains.chunks(MOST_ROWS) {
            ask_chains(script, keys);
        }
        self.statements = (script.statements() - before) as usize;
    }

    /// Reads the answers to [`ask`](Self::ask), and hands back how many there were.
    fn read(self, answers: &[Answer]) -> Result<(Located, usize)> {
        let mut located = Located::default();
        let mut rest = answers.iter();
        if let Some(row) = rest.next().and_then(|answer| answer.rows.first()) {
            let cells = Cells(row);
            located.last_row = cells.int(0).unwrap_or_default();
            located.generation = cells.int(1).unwrap_or_default();
            located.floor_row = cells.int(2).unwrap_or_default();
            located.last_entity = cells.int(3).unwrap_or_default();
            located.last_stream = cells.int(4).unwrap_or_default();
            located.layout = cells.int(5).unwrap_or_default();
            located.ids = cells.bytes(6).map(Ids::up_to).unwrap_or_default();
        } else {
            return Err(Error::corrupt("table meta is empty; restore a backup"));
        }
        for keys in self.keys.chunks(MOST_ROWS) {
            let known = rest.next().map(|answer| read_entities(keys, answer)).transpose()?;
            located.entities.extend(keys.iter().map(|key| (key.clone(), None)));
            let known = known.unwrap_or_default().into_iter();
            located.entities.extend(known.map(|(key, known)| (key, Some(known))));
        }
        for streams in self.streams.chunks(MOST_ROWS) {
            let known = rest.next().map(|answer| read_streams(streams, answer)).transpose()?;
            located.streams.extend(streams.iter().map(|name| (name.clone(), None)));
            let known = known.unwrap_or_default().into_iter();
            located.streams.extend(known.map(|(name, known)| (name, Some(known))));
        }
        for keys in self.chains.chunks(MOST_ROWS) {
            located.chains.extend(keys.iter().map(|key| (key.clone(), Vec::new())));
            for row in rest.next().map(|answer| &answer.rows).into_iter().flatten() {
                if let Some((key, link)) = read_link(keys, Cells(row)) {
                    located.chains.entry(key.clone()).or_default().push(link);
                }
            }
        }
        let broken = |chain: &Vec<Link>| chain.last().is_some_and(|oldest| oldest.prev.is_some());
        if let Some((key, _)) = located.chains.iter().find(|(_, chain)| broken(chain)) {
            return Err(damaged(key, "an older version is missing from its chain"));
        }
        Ok((located, self.statements))
    }
}

impl Sqlite {
    /// What was looked up and how many answers said so, if it is sound and in the layout that this
    /// program writes: a newer one may have changed the file while it was open here.
    pub(crate) fn located(&self, wanted: Wanted, answers: &[Answer]) -> Result<(Located, usize)> {
        let place = &self.connections.place;
        let (located, used) = wanted.read(answers).map_err(|error| error.context(place))?;
        if located.layout == i64::from(self.info.schema_version) {
            return Ok((located, used));
        }
        Err(Error::incompatible(format!(
            "{place} was changed to layout {} while it was open; open it with a program that \
             writes that",
            located.layout
        )))
    }
}

/// Whether a head says what its version says. Nothing is planned from one that does not.
const SOUND: &str = "h.entity IS d.entity AND h.epoch IS d.epoch AND h.version IS d.version \
     AND h.checksum IS d.checksum AND h.attrs IS d.attrs AND (h.state IS NOT NULL) IS d.live";

fn damaged(name: &Key, why: &str) -> Error {
    Error::corrupt(format!("{name} is damaged: {why}; restore it from a backup"))
}

/// Adds a list of names as `(VALUES (place, space, kind, id), ...)`.
pub(crate) fn push_names(script: &mut Script, names: &[Key]) {
    script.values(4, names, |script, place, name| {
        script.bind(place).bind(i64::from(name.space.0));
        script.bind(name.kind.as_str()).bind(name.id());
    });
}

/// The chains of some entities. UNION ends the walk even where damage made it run in a circle.
fn ask_chains(script: &mut Script, keys: &[Key]) {
    script.sql("WITH RECURSIVE chain(place, seq) AS (SELECT v.column1, d.seq FROM ");
    push_names(script, keys);
    script
        .sql(
            " v CROSS JOIN entity e ON e.space = v.column2 AND e.kind = v.column3 \
             AND e.id = v.column4 CROSS JOIN head d ON d.entity = e.no \
             UNION SELECT chain.place, h.prev_seq FROM chain CROSS JOIN history h \
             ON h.seq = chain.seq WHERE h.prev_seq IS NOT NULL) \
             SELECT chain.place, h.seq, h.epoch, h.version, h.prev_seq, h.checksum, h.beneath \
             FROM chain CROSS JOIN history h ON h.seq = chain.seq",
        )
        .end();
}

fn named<'a>(names: &'a [Key], cells: Cells<'_>) -> Option<&'a Key> {
    names.get(usize::try_from(cells.int(0)?).ok()?)
}

fn read_entities(keys: &[Key], answer: &Answer) -> Result<Vec<(Key, KnownEntity)>> {
    let mut known = Vec::with_capacity(answer.rows.len());
    for row in &answer.rows {
        let cells = Cells(row);
        let (Some(key), Some(no)) = (named(keys, cells), cells.int(1)) else { continue };
        let head = read_head(cells).filter(|_| cells.int(10) == Some(1));
        let head =
            head.ok_or_else(|| damaged(key, "its head is not that of its newest version"))?;
        known.push((key.clone(), KnownEntity { no, head: Some(head) }));
    }
    Ok(known)
}

fn read_head(cells: Cells<'_>) -> Option<KnownHead> {
    let version = cells.version(3).ok()?;
    let attrs = cells.attributes(7).ok();
    let status = attrs.as_ref().and_then(|attrs| match attrs.get(&status_name())? {
        outlast_core::AttrValue::Text(status) => Some(status.clone()),
        outlast_core::AttrValue::Int(_) => None,
    });
    let live = cells.int(5) == Some(1);
    let seq = cells.int(2)?;
    let checksum = sealed(cells.int(6)?.cast_unsigned(), seq, false);
    let transient = cells.transient(8).unwrap_or_default();
    let head = Head { version, live, checksum, status };
    Some(KnownHead { seq, head, attrs, transient })
}

fn status_name() -> outlast_core::AttrName {
    outlast_core::AttrName::status()
}

fn read_streams(streams: &[StreamName], answer: &Answer) -> Result<Vec<(StreamName, KnownStream)>> {
    let mut known = Vec::with_capacity(answer.rows.len());
    for row in &answer.rows {
        let cells = Cells(row);
        let (Some(name), Some(no)) = (named(streams, cells), cells.int(1)) else { continue };
        let (first, last) = (Seq(cells.count(2)), Seq(cells.count(3)));
        let newest = (first <= last).then_some(last.0.cast_signed());
        if cells.int(4) != newest {
            return Err(damaged(name, "it does not end where its newest entry is"));
        }
        known.push((name.clone(), KnownStream { no, first, last }));
    }
    Ok(known)
}

fn read_link<'a>(keys: &'a [Key], cells: Cells<'_>) -> Option<(&'a Key, Link)> {
    let version = Version::new(Epoch(cells.count(2)), cells.count(3));
    let (seq, prev) = (cells.int(1)?, cells.int(4));
    let checksum = sealed(cells.int(5)?.cast_unsigned(), seq, cells.int(6).is_some());
    Some((named(keys, cells)?, Link { version, seq, prev, checksum }))
}

/// The first row of the commit after `revision`; an error if that number cannot be held.
pub(crate) fn first_row_after(revision: Revision) -> Result<i64> {
    let last = crate::codec::last_row_of(revision);
    if last > i64::MAX - MOST_PLACES - 1 {
        return Err(Error::too_large("the store holds no more commits"));
    }
    Ok(last + 1)
}

fn count(rows: usize) -> i64 {
    i64::try_from(rows).unwrap_or(i64::MAX)
}
