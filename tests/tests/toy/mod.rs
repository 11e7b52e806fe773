//! A backend as a stranger might write it: JSON text in sorted maps, read in full each time.
//!
//! It stands for a disk: what it holds outlives closing, can be held by one opener at a time, and
//! can rot.

mod prune;
mod read;
mod store;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use outlast_conformance::Target;
use outlast_core::{
    Attributes, BackendInfo, Capability, CommitId, Damage, Durability, Entry, Epoch, Error,
    IdSource, Incarnation, Json, Key, Limits, RandomIds, Remembered, Result, Revision, Seq,
    StreamName, Timestamp, Verified, Version, Versioned,
};

/// Text as it was stored, with the checksum of what it means.
#[derive(Clone, Debug)]
pub(crate) struct Text {
    pub(crate) json: String,
    pub(crate) sum: u64,
}

/// One version: its place in the history of all, what is said of it without decoding, and itself.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) order: u64,
    pub(crate) revision: Revision,
    pub(crate) live: bool,
    pub(crate) status: Option<Arc<str>>,
    pub(crate) text: Text,
}

/// Everything that is stored.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    pub(crate) versions: BTreeMap<(Key, Version), Row>,
    pub(crate) heads: BTreeMap<Key, Version>,
    pub(crate) transient: BTreeMap<Key, Attributes>,
    pub(crate) lasts: BTreeMap<StreamName, Seq>,
    pub(crate) entries: BTreeMap<(StreamName, Seq), Text>,
    pub(crate) commits: BTreeMap<Revision, (CommitId, Remembered)>,
    pub(crate) order: u64,
    pub(crate) compacted: Revision,
    /// A planted flaw: what fails verification is passed over.
    pub(crate) hides_damage: bool,
}

/// What stands for a disk.
#[derive(Debug)]
pub(crate) struct Disk {
    rows: Mutex<Rows>,
    held: AtomicBool,
    identity: BackendInfo,
}

/// The disk, opened.
#[derive(Debug)]
pub(crate) struct Toy {
    disk: Arc<Disk>,
    open: AtomicBool,
}

impl Disk {
    pub(crate) fn empty() -> Arc<Self> {
        let identity = BackendInfo {
            name: "toy",
            location: "nowhere".to_owned(),
            store: RandomIds.uuid(),
            incarnation: Incarnation(RandomIds.uuid()),
            epoch: Epoch(1),
            schema_version: 1,
            durability: Durability::Volatile,
            capabilities: vec![Capability::Persistent],
            limits: Limits::FLOOR,
            read_only: false,
        };
        Arc::new(Self { rows: Mutex::default(), held: AtomicBool::new(false), identity })
    }

    /// One that passes over what fails verification.
    pub(crate) fn hiding_damage() -> Arc<Self> {
        let disk = Self::empty();
        disk.rows.lock().unwrap().hides_damage = true;
        disk
    }

    /// Flips a bit in the middle of a stored text.
    pub(crate) fn rot(&self, target: &Target) {
        let mut rows = self.rows.lock().unwrap();
        let text = match target {
            Target::Head(key) => {
                let version = rows.heads[key];
                rows.versions.get_mut(&(key.clone(), version)).map(|row| &mut row.text)
            }
            Target::Version(key, n) => {
                let place = (key.clone(), Version::new(self.identity.epoch, *n));
                rows.versions.get_mut(&place).map(|row| &mut row.text)
            }
            Target::Entry(stream, seq) => rows.entries.get_mut(&(stream.clone(), *seq)),
        };
        let text = text.expect("what is to rot is there");
        let mut bytes = text.json.clone().into_bytes();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        text.json = String::from_utf8(bytes).unwrap();
    }
}

impl Toy {
    pub(crate) fn open(disk: &Arc<Disk>) -> Result<Self> {
        if disk.held.swap(true, Ordering::SeqCst) {
            return Err(Error::busy("the toy is open elsewhere; close it there first"));
        }
        Ok(Self { disk: disk.clone(), open: AtomicBool::new(true) })
    }

    fn info(&self) -> BackendInfo {
        self.disk.identity.clone()
    }

    fn rows(&self) -> Result<MutexGuard<'_, Rows>> {
        if !self.open.load(Ordering::SeqCst) {
            return Err(Error::closed("the toy was closed"));
        }
        Ok(self.disk.rows.lock().unwrap())
    }

    fn let_go(&self) {
        if self.open.swap(false, Ordering::SeqCst) {
            self.disk.held.store(false, Ordering::SeqCst);
        }
    }
}

impl Drop for Toy {
    fn drop(&mut self) {
        self.let_go();
    }
}

impl Text {
    fn of_version(version: &Versioned) -> Self {
        Self { json: Json::encode(version).unwrap().to_string(), sum: version.checksum() }
    }

    fn of_entry(entry: &Entry) -> Self {
        let fields = (entry.at, &entry.attrs, &entry.data);
        Self { json: Json::encode(&fields).unwrap().to_string(), sum: entry.checksum() }
    }

    fn version(&self, key: &Key, at: Version) -> Verified<Versioned> {
        let read: Result<Versioned> = Json::trusted(self.json.as_str()).decode();
        match read {
            Ok(version) if version.checksum() == self.sum && version.key == *key => Ok(version),
            _ => Err(self.damage(format!("{key} version {at}"))),
        }
    }

    fn entry(&self, stream: &StreamName, seq: Seq) -> Verified<Entry> {
        let read: Result<(Timestamp, Attributes, Vec<u8>)> =
            Json::trusted(self.json.as_str()).decode();
        let entry = read.map(|(at, attrs, data)| {
            let stream = stream.clone();
            Entry { stream, seq, at, attrs, data }
        });
        match entry {
            Ok(entry) if entry.checksum() == self.sum => Ok(entry),
            _ => Err(self.damage(format!("{stream} entry {}", seq.0))),
        }
    }

    fn damage(&self, what: String) -> Damage {
        Damage::new(what, "the toy", "its checksum differs", self.json.as_bytes())
    }
}
