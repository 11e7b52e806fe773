//! A disk that keeps only what was synced, and may keep anything of the rest.
//!
//! What is assumed is what ext4 and XFS promise, and no more of it than this:
//!
//! - What was written to a file before a sync of that file returned is there, unless a sync of
//!   it failed in between: what was waiting then may be lost for good.
//! - Of what was not synced any part may be there, in any order, torn at sectors of 512 bytes.
//! - Changes of names happen in the order they were made; a sync of a folder brings all up to the
//!   last one in that folder. A sync of a file makes no name durable.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::trace::Event;

/// What a disk writes whole or not at all.
pub const SECTOR: usize = 512;

/// The files of a folder, with empty ones for folders.
pub type Image = BTreeMap<PathBuf, Option<Vec<u8>>>;

/// What becomes of a change that was not synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is lost.
    Lost,
    /// It is there.
    Kept,
    /// Of its sectors those are there whose bit is set, by turns of 64.
    Torn(u64),
}

#[derive(Clone, Debug)]
enum Change {
    Write { offset: u64, data: Rc<[u8]> },
    Cut(u64),
}

#[derive(Debug, Default)]
struct File {
    durable: Vec<u8>,
    waiting: Vec<Change>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Node {
    File(usize),
    Folder,
}

type Names = BTreeMap<PathBuf, Node>;

#[derive(Clone, Debug)]
enum NameChange {
    Made(PathBuf, Node),
    Renamed(PathBuf, PathBuf),
    Removed(PathBuf),
}

/// The disk below one folder, which is empty at first.
#[derive(Debug)]
pub struct Disk {
    root: PathBuf,
    files: Vec<File>,
    inodes: HashMap<u64, usize>,
    names: Names,
    durable_names: Names,
    waiting_names: Vec<NameChange>,
}

impl Disk {
    /// An empty folder.
    pub fn new(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
            files: Vec::new(),
            inodes: HashMap::new(),
            names: Names::new(),
            durable_names: Names::new(),
            waiting_names: Vec::new(),
        }
    }

    /// Lets something happen.
    pub fn play(&mut self, event: &Event) {
        match event {
            Event::Created { path, inode } => {
                self.inodes.insert(*inode, self.files.len());
                let made = NameChange::Made(path.clone(), Node::File(self.files.len()));
                self.files.push(File::default());
                self.rename(made);
            }
            Event::Wrote { inode, offset, data } => {
                self.change(*inode, Change::Write { offset: *offset, data: data.clone() });
            }
            Event::Cut { inode, bytes } => self.change(*inode, Change::Cut(*bytes)),
            Event::Synced { path, inode } => self.sync(path, *inode),
            Event::FailedSync { inode } => {
                if let Some(file) = self.file(*inode) {
                    file.waiting.clear();
                }
            }
            Event::Renamed(from, to) => self.rename(NameChange::Renamed(from.clone(), to.clone())),
            Event::Linked(from, to) => {
                let node = *self.names.get(from).expect("a link to what is there");
                self.rename(NameChange::Made(to.clone(), node));
            }
            Event::Removed(path) => self.rename(NameChange::Removed(path.clone())),
            Event::MadeFolder(path) => self.rename(NameChange::Made(path.clone(), Node::Folder)),
            Event::Said(_) => {}
        }
    }

    fn file(&mut self, inode: u64) -> Option<&mut File> {
        self.inodes.get(&inode).and_then(|file| self.files.get_mut(*file))
    }

    fn change(&mut self, inode: u64, change: Change) {
        let file = self.file(inode).expect("a change to a file that was created");
        file.waiting.push(change);
    }

    fn rename(&mut self, change: NameChange) {
        apply_name(&mut self.names, &change);
        self.waiting_names.push(change);
    }

    fn sync(&mut self, path: &Path, inode: u64) {
        if path == self.root || self.names.get(path) == Some(&Node::Folder) {
            let last = self.waiting_names.iter().rposition(|change| change.is_in(path));
            for change in self.waiting_names.drain(..last.map_or(0, |last| last + 1)) {
                apply_name(&mut self.durable_names, &change);
            }
        } else if let Some(file) = self.file(inode) {
            for change in std::mem::take(&mut file.waiting) {
                apply(&mut file.durable, &change, Fate::Kept);
            }
        }
    }

    /// How many changes of names wait for a sync.
    pub fn names_waiting(&self) -> usize {
        self.waiting_names.len()
    }

    /// The changes of content that wait for a sync: the number of the file of each.
    pub fn waiting(&self) -> Vec<usize> {
        let of = |(n, file): (usize, &File)| std::iter::repeat_n(n, file.waiting.len());
        self.files.iter().enumerate().flat_map(of).collect()
    }

    /// What is on the disk if so many changes of names arrived, and of the changes of content
    /// what `fate` says, numbered as in [`waiting`](Self::waiting). Memory that SQLite shares
    /// through a file is left out: a restart empties it.
    pub fn image(&self, names: usize, fate: &dyn Fn(usize) -> Fate) -> Image {
        let mut after = self.durable_names.clone();
        self.waiting_names.iter().take(names).for_each(|change| apply_name(&mut after, change));
        let mut first = Vec::new();
        let mut count = 0;
        for file in &self.files {
            first.push(count);
            count += file.waiting.len();
        }
        let shared = |path: &Path| path.to_string_lossy().ends_with("-shm");
        let mut image = Image::new();
        for (path, node) in after.into_iter().filter(|(path, _)| !shared(path)) {
            let Node::File(number) = node else {
                image.insert(path, None);
                continue;
            };
            let (Some(file), Some(first)) = (self.files.get(number), first.get(number)) else {
                continue;
            };
            let mut content = file.durable.clone();
            for (n, change) in file.waiting.iter().enumerate() {
                apply(&mut content, change, fate(first + n));
            }
            image.insert(path, Some(content));
        }
        image
    }
}

impl NameChange {
    fn is_in(&self, folder: &Path) -> bool {
        match self {
            Self::Made(path, _) | Self::Removed(path) => path.parent() == Some(folder),
            Self::Renamed(from, to) => from.parent() == Some(folder) || to.parent() == Some(folder),
        }
    }
}

fn apply_name(names: &mut Names, change: &NameChange) {
    match change {
        NameChange::Made(path, node) => drop(names.insert(path.clone(), *node)),
        NameChange::Removed(path) => drop(names.remove(path)),
        NameChange::Renamed(from, to) => {
            let moved: Vec<_> =
                names.keys().filter(|path| path.starts_with(from)).cloned().collect();
            for path in moved {
                let Some(node) = names.remove(&path) else { continue };
                let below = path.strip_prefix(from).unwrap_or(&path);
                let place = if below.as_os_str().is_empty() { to.clone() } else { to.join(below) };
                names.insert(place, node);
            }
        }
    }
}

fn apply(content: &mut Vec<u8>, change: &Change, fate: Fate) {
    if fate == Fate::Lost {
        return;
    }
    let place = |number: u64| usize::try_from(number).expect("a file that fits into memory");
    match change {
        Change::Cut(bytes) => content.resize(place(*bytes), 0),
        Change::Write { offset, data } => {
            let start = place(*offset);
            if content.len() < start + data.len() {
                content.resize(start + data.len(), 0);
            }
            for (at, byte) in (start..).zip(data.iter()) {
                let sector = at / SECTOR - start / SECTOR;
                let there = !matches!(fate, Fate::Torn(mask) if mask >> (sector % 64) & 1 == 0);
                if let Some(place) = content.get_mut(at).filter(|_| there) {
                    *place = *byte;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn play(disk: &mut Disk, events: &[Event]) {
        for event in events {
            disk.play(event);
        }
    }

    fn wrote(offset: u64, data: &[u8]) -> Event {
        Event::Wrote { inode: 1, offset, data: data.into() }
    }

    fn content(image: &Image, path: &str) -> Option<Vec<u8>> {
        image.get(Path::new(path)).cloned().flatten()
    }

    #[test]
    fn only_what_was_synced_is_certain() {
        let mut disk = Disk::new(Path::new("/d"));
        let synced = |path: &str| Event::Synced { path: path.into(), inode: 1 };
        play(&mut disk, &[Event::Created { path: "/d/a".into(), inode: 1 }, wrote(0, b"one")]);
        play(&mut disk, &[synced("/d/a")]);
        assert!(disk.image(0, &|_| Fate::Lost).is_empty(), "a name is not durable by itself");
        play(&mut disk, &[synced("/d"), wrote(0, b"two"), wrote(3, b"!")]);
        let image = |fate: &dyn Fn(usize) -> Fate| content(&disk.image(0, fate), "/d/a").unwrap();
        assert_eq!(image(&|_| Fate::Lost), b"one");
        assert_eq!(image(&|_| Fate::Kept), b"two!");
        assert_eq!(image(&|n| if n == 1 { Fate::Kept } else { Fate::Lost }), b"one!");
        assert_eq!(image(&|_| Fate::Torn(0)), b"one\0");
    }

    #[test]
    fn what_a_failed_sync_dropped_no_later_one_brings() {
        let mut disk = Disk::new(Path::new("/d"));
        let synced = |path: &str| Event::Synced { path: path.into(), inode: 1 };
        play(&mut disk, &[Event::Created { path: "/d/a".into(), inode: 1 }, synced("/d")]);
        play(&mut disk, &[wrote(0, b"lost"), Event::FailedSync { inode: 1 }, synced("/d/a")]);
        assert_eq!(content(&disk.image(0, &|_| Fate::Kept), "/d/a").unwrap(), b"");
    }

    #[test]
    fn a_folder_takes_what_is_in_it_along() {
        let mut disk = Disk::new(Path::new("/d"));
        play(&mut disk, &[Event::MadeFolder("/d/n".into())]);
        play(&mut disk, &[Event::Created { path: "/d/n/a".into(), inode: 1 }]);
        play(&mut disk, &[Event::Renamed("/d/n".into(), "/d/m".into())]);
        let image = disk.image(3, &|_| Fate::Kept);
        assert_eq!(image.keys().collect::<Vec<_>>(), [Path::new("/d/m"), Path::new("/d/m/a")]);
        assert_eq!(disk.image(2, &|_| Fate::Kept).len(), 2);
    }
}
