//! The rows a write set becomes, with every number filled in.

use std::collections::{HashMap, HashSet};

use outlast_core::{
    AttrName, AttrValue, Attributes, Commit, Entry, Error, Key, Result, Revision, Seq, StreamName,
    Version, Versioned, WriteSet,
};

use crate::codec::{MOST_PLACES, STREAM_BITS};
use crate::lookup::{Located, first_row_after};

/// A row of history.
#[derive(Debug)]
pub(crate) struct HistoryRow<'a> {
    pub(crate) seq: i64,
    pub(crate) beneath: bool,
    /// The entity's number and its version, unless the row only marks a commit.
    pub(crate) version: Option<(i64, &'a Versioned)>,
    pub(crate) prev: Option<i64>,
    pub(crate) commit: &'a Commit,
    pub(crate) opening: bool,
}

/// A stream to create or to extend.
#[derive(Debug)]
pub(crate) struct StreamRow<'a> {
    pub(crate) no: i64,
    pub(crate) stream: &'a StreamName,
    pub(crate) first: Seq,
    pub(crate) last: Seq,
}

/// A row of the attribute index.
#[derive(Debug)]
pub(crate) struct AttributeRow<'a> {
    pub(crate) key: &'a Key,
    pub(crate) entity: i64,
    pub(crate) name: AttrName,
    pub(crate) value: AttrValue,
}

/// All rows to write.
#[derive(Debug, Default)]
pub(crate) struct Draft<'a> {
    pub(crate) history: Vec<HistoryRow<'a>>,
    /// Versions that get another predecessor: row and predecessor.
    pub(crate) relinked: Vec<(i64, Option<i64>)>,
    pub(crate) entities: Vec<(i64, &'a Key)>,
    pub(crate) added: Vec<AttributeRow<'a>>,
    pub(crate) removed: Vec<AttributeRow<'a>>,
    /// Rows that get another value.
    pub(crate) changed: Vec<(AttributeRow<'a>, AttrValue)>,
    /// Entities whose rows cannot be told: all that there are go.
    pub(crate) wiped: Vec<(i64, &'a Key)>,
    pub(crate) streams: Vec<StreamRow<'a>>,
    pub(crate) entries: Vec<(i64, &'a Entry)>,
    pub(crate) touches: Vec<(i64, Attributes)>,
}

impl<'a> Draft<'a> {
    /// Lays out a write set; `located` holds all its keys, streams and chains.
    pub(crate) fn of(set: &'a WriteSet, located: &Located) -> Result<Self> {
        let mut layout = Layout::new(set, located);
        for commit in &set.commits {
            layout.commit(commit)?;
        }
        layout.link_chains();
        layout.index(set);
        layout.touch(set)?;
        Ok(layout.draft)
    }
}

/// The keys whose whole chain a set needs: those that get versions beneath their head.
pub(crate) fn chained_keys(set: &WriteSet) -> HashSet<Key> {
    let beneath = set.commits.iter().flat_map(|commit| &commit.history);
    beneath.map(|version| version.key.clone()).collect()
}

struct Layout<'a, 'l> {
    located: &'l Located,
    draft: Draft<'a>,
    numbers: HashMap<&'a Key, i64>,
    last_entity: i64,
    last_stream: i64,
    /// The newest row of each entity, as far as the set was laid out.
    tips: HashMap<&'a Key, i64>,
    chained: HashMap<&'a Key, Vec<(Version, usize)>>,
    streams: HashMap<&'a StreamName, usize>,
}

impl<'a, 'l> Layout<'a, 'l> {
    fn new(set: &'a WriteSet, located: &'l Located) -> Self {
        let beneath = set.commits.iter().flat_map(|commit| &commit.history);
        Self {
            located,
            draft: Draft::default(),
            numbers: HashMap::new(),
            last_entity: located.last_entity,
            last_stream: located.last_stream,
            tips: HashMap::new(),
            chained: beneath.map(|version| (&version.key, Vec::new())).collect(),
            streams: HashMap::new(),
        }
    }

    fn commit(&mut self, commit: &'a Commit) -> Result<()> {
        let first = first_row_after(Revision(commit.revision.0.saturating_sub(1)))?;
        let own = |version: &Versioned| version.commit == commit.id && version.at == commit.at;
        let marker = !commit.versions.first().is_some_and(own);
        let rows = commit.history.len() + commit.versions.len() + usize::from(marker);
        if rows > usize::try_from(MOST_PLACES).unwrap_or(usize::MAX) {
            return Err(Error::too_large(format!(
                "{rows} versions in one commit are over the limit of {MOST_PLACES}"
            )));
        }
        let mut seqs = first..;
        let mut next = || seqs.next().unwrap_or(i64::MAX);
        if marker {
            let (version, prev) = (None, None);
            let seq = next();
            let row = HistoryRow { seq, beneath: false, version, prev, commit, opening: true };
            self.draft.history.push(row);
        }
        for (place, version) in commit.versions.iter().enumerate() {
            self.version(next(), version, commit, (false, place == 0 && !marker));
        }
        for version in &commit.history {
            self.version(next(), version, commit, (true, false));
        }
        commit.entries.iter().try_for_each(|entry| self.entry(entry))
    }

    fn version(
        &mut self,
        seq: i64,
        version: &'a Versioned,
        commit: &'a Commit,
        (beneath, opening): (bool, bool),
    ) {
        let key = &version.key;
        let no = self.number(key);
        let prev = if let Some(chain) = self.chained.get_mut(key) {
            chain.push((version.version, self.draft.history.len()));
            None
        } else {
            let located = self.located.head(key).map(|head| head.seq);
            self.tips.insert(key, seq).or(located)
        };
        let version = Some((no, version));
        self.draft.history.push(HistoryRow { seq, beneath, version, prev, commit, opening });
    }

    fn number(&mut self, key: &'a Key) -> i64 {
        if let Some(no) = self.numbers.get(key) {
            return *no;
        }
        let known = self.located.entities.get(key).and_then(Option::as_ref);
        let no = known.map_or_else(
            || {
                self.last_entity += 1;
                self.draft.entities.push((self.last_entity, key));
                self.last_entity
            },
            |known| known.no,
        );
        self.numbers.insert(key, no);
        no
    }

    /// Where among the streams to write this one is.
    fn stream(&mut self, stream: &'a StreamName, seq: Seq) -> usize {
        if let Some(at) = self.streams.get(stream) {
            return *at;
        }
        let known = self.located.streams.get(stream).and_then(Option::as_ref);
        let (no, first) = known.map_or_else(
            || {
                self.last_stream += 1;
                (self.last_stream, seq)
            },
            |known| (known.no, known.first),
        );
        let at = self.draft.streams.len();
        self.draft.streams.push(StreamRow { no, stream, first, last: seq });
        self.streams.insert(stream, at);
        at
    }

    fn entry(&mut self, entry: &'a Entry) -> Result<()> {
        let stream = &entry.stream;
        let at = self.stream(stream, entry.seq);
        let Some(row) = self.draft.streams.get_mut(at) else { return Ok(()) };
        row.last = entry.seq;
        let place = u32::try_from(entry.seq.0);
        let (Ok(place), Ok(no)) = (place, i32::try_from(row.no)) else {
            return Err(Error::too_large(format!("{stream} holds no entry {}", entry.seq.0)));
        };
        let id = i64::from(no) << STREAM_BITS | i64::from(place);
        self.draft.entries.push((id, entry));
        Ok(())
    }

    /// Puts the versions of entities that grew beneath their heads into one chain, in order.
    fn link_chains(&mut self) {
        for (key, rows) in std::mem::take(&mut self.chained) {
            let stored = self.located.chain(key).iter();
            let stored = stored.map(|link| (link.version, link.seq, Err(link.prev)));
            let laid = rows.into_iter().filter_map(|(version, at)| {
                Some((version, self.draft.history.get(at)?.seq, Ok(at)))
            });
            let mut chain: Vec<_> = stored.chain(laid).collect();
            chain.sort_by_key(|(version, ..)| *version);
            let mut prev = None;
            for (_, seq, row) in chain {
                match row {
                    Ok(at) => {
                        if let Some(row) = self.draft.history.get_mut(at) {
                            row.prev = prev;
                        }
                    }
                    Err(stored) if stored != prev => self.draft.relinked.push((seq, prev)),
                    Err(_) => {}
                }
                prev = Some(seq);
            }
        }
    }

    /// Brings the attribute index from the old heads to the new.
    fn index(&mut self, set: &'a WriteSet) {
        let versions = set.commits.iter().flat_map(|commit| &commit.versions);
        let newest: HashMap<&Key, &Versioned> = versions.map(|v| (&v.key, v)).collect();
        let mut newest: Vec<_> = newest.into_iter().collect();
        newest.sort_by_key(|(key, _)| *key);
        let none = Attributes::new();
        for (key, version) in newest {
            let entity = self.number(key);
            let located = self.located;
            let old = match located.head(key).filter(|known| known.head.live) {
                None => &none,
                Some(known) => known.attrs.as_ref().unwrap_or_else(|| {
                    self.draft.wiped.push((entity, key));
                    &none
                }),
            };
            let new = if version.is_live() { &version.attrs } else { &none };
            self.differ(key, entity, (old, new));
        }
    }

    fn differ(&mut self, key: &'a Key, entity: i64, (old, new): (&Attributes, &Attributes)) {
        let row = |name: &AttrName, value: &AttrValue| AttributeRow {
            key,
            entity,
            name: name.clone(),
            value: value.clone(),
        };
        for (name, value) in old {
            match new.get(name) {
                None => self.draft.removed.push(row(name, value)),
                Some(now) if now != value => {
                    self.draft.changed.push((row(name, value), now.clone()));
                }
                Some(_) => {}
            }
        }
        let added = new.iter().filter(|(name, _)| !old.contains_key(name));
        self.draft.added.extend(added.map(|(name, value)| row(name, value)));
    }

    fn touch(&mut self, set: &'a WriteSet) -> Result<()> {
        for (key, attrs) in &set.touches {
            let written = || set.commits.iter().flat_map(|commit| &commit.versions);
            let ended = written().any(|version| version.key == *key && !version.is_live());
            let live = written().any(|version| version.key == *key && version.is_live());
            let known = self.located.head(key).filter(|known| known.head.live);
            if known.is_none() && !live {
                return Err(Error::internal(format!("{key} is touched but does not live")));
            }
            let mut touched = match known {
                Some(known) if !ended => known.transient.clone(),
                _ => Attributes::new(),
            };
            touched.extend(attrs.clone());
            let entity = self.number(key);
            self.draft.touches.push((entity, touched));
        }
        Ok(())
    }
}
