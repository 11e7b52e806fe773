//! Which of the states that a loss of power may leave are looked at.
//!
//! After every event the two ends (nothing that waits arrived, all of it did), and of what lies
//! between a random choice: one change lost, only one there, the last one torn, the changes of one
//! file alone, any subset with torn pieces; each with some of the changes of names. A state that
//! was seen already is not counted again.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::Path;

use super::disk::{Disk, Fate, Image};
use super::trace::Event;

/// A state of the disk after a loss of power.
#[derive(Debug)]
pub struct Crash<'a> {
    /// What is on the disk.
    pub image: Image,
    /// What had been said by then, line by line.
    pub said: &'a [String],
    /// After how many events, and what was lost.
    pub what: String,
}

/// Calls `check` with at most about `limit` different states, and says how many there were.
pub fn replay(
    root: &Path,
    events: &[Event],
    limit: u64,
    random: &mut fastrand::Rng,
    check: &mut dyn FnMut(Crash<'_>),
) -> u64 {
    let mut disk = Disk::new(root);
    let mut seen = HashSet::new();
    let mut said = Vec::new();
    for (n, event) in events.iter().enumerate() {
        disk.play(event);
        if let Event::Said(text) = event {
            said.extend(text.lines().map(str::to_owned));
        }
        // What is left of the budget is spread over what is left of the events, the last included.
        let left = limit.saturating_sub(seen.len() as u64);
        let quota = (left + random.u64(0..(events.len() - n) as u64)) / (events.len() - n) as u64;
        for variant in 0..quota * 2 {
            let (names, fates, what) = choose(&disk, variant, random);
            let image = disk.image(names, &|n| fates.get(n).copied().unwrap_or(Fate::Kept));
            if !seen.insert(print(&image, &said)) {
                continue;
            }
            check(Crash { image, said: &said, what: format!("event {n}, {what}") });
            if variant + 1 >= quota {
                break;
            }
        }
    }
    seen.len() as u64
}

fn print(image: &Image, said: &[String]) -> u64 {
    let mut hash = DefaultHasher::new();
    (image, said.len()).hash(&mut hash);
    hash.finish()
}

/// The changes of names that arrive, what becomes of each change of content, and how to say that.
fn choose(disk: &Disk, variant: u64, random: &mut fastrand::Rng) -> (usize, Vec<Fate>, String) {
    let waiting = disk.waiting();
    let count = waiting.len();
    let all = disk.names_waiting();
    let names = random.usize(0..=all);
    let one = random.usize(0..count.max(1));
    let kept = |keep: &dyn Fn(usize) -> bool| -> Vec<Fate> {
        (0..count).map(|n| if keep(n) { Fate::Kept } else { Fate::Lost }).collect()
    };
    // The end that finds most comes first: the quota may be one.
    let kind = if variant == 0 { random.u64(0..3) } else { random.u64(0..8) };
    match kind {
        0 | 1 => (0, kept(&|_| false), "nothing that waited is there".to_owned()),
        2 => (all, kept(&|_| true), "everything is there".to_owned()),
        3 => (names, kept(&|n| n != one), format!("change {one} of {count} is lost")),
        4 => (names, kept(&|n| n == one), format!("only change {one} of {count} is there")),
        5 => {
            let file = waiting.get(one).copied();
            let only = kept(&|n| waiting.get(n).copied() == file);
            (names, only, format!("only the changes of the file of change {one} are there"))
        }
        6 => {
            let mut fates = kept(&|n| n < one);
            if let Some(fate) = fates.get_mut(one) {
                *fate = Fate::Torn(random.u64(..));
            }
            (all, fates, format!("change {one} of {count} is torn, what follows is lost"))
        }
        _ => {
            let seed = random.u64(..);
            let mut random = fastrand::Rng::with_seed(seed);
            let any = |_| match random.u8(0..3) {
                0 => Fate::Lost,
                1 => Fate::Kept,
                _ => Fate::Torn(random.u64(..)),
            };
            (names, (0..count).map(any).collect(), format!("any of {count} changes (seed {seed})"))
        }
    }
}

/// Writes an image into a folder, in the place of the one that was recorded.
pub fn lay_out(image: &Image, root: &Path, folder: &Path) {
    for (path, content) in image {
        let place = folder.join(path.strip_prefix(root).expect("a path below the folder"));
        match content {
            None => std::fs::create_dir_all(&place).unwrap(),
            Some(content) => {
                std::fs::create_dir_all(place.parent().unwrap()).unwrap();
                std::fs::write(&place, content).unwrap();
            }
        }
    }
}
