//! Files that are harmed while nobody looks: an error that names what is wrong or the right value,
//! and never a panic, a hang or a wrong value.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use outlast_core::{ErrorKind, OpenOptions};
use outlast_tests::lab::report::Report;
use outlast_tests::lab::{Kept, number, process, seed};
use tokio::time::timeout;

use crate::support::{Seen, copy, files, fill, item, look, open};

const ITEMS: usize = 30;
/// What is exchanged by a swap.
const PAGE: usize = 4096;

#[tokio::test(flavor = "multi_thread")]
async fn harm_is_never_a_wrong_value_on_sqlite() {
    harm_all(Kept::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn harm_is_never_a_wrong_value_on_sled() {
    harm_all(Kept::Sled).await;
}

async fn harm_all(kept: Kept) {
    let flips = number("OUTLAST_FLIPS").unwrap_or(100);
    let cuts = number("OUTLAST_CUTS").unwrap_or(20);
    let seed = seed();
    println!("seed {seed}: again with OUTLAST_SEED={seed} cargo test --test lab damage");
    let mut random = fastrand::Rng::with_seed(seed);
    let mut report = Report::new("P6", kept.name(), Some(seed));
    let folder = process::quick_folder();
    let whole = folder.path().join("ledger");
    let seen = prepare(kept, folder.path()).await;
    let mut noticed = 0;
    for n in 0..flips + 3 * cuts {
        let target = folder.path().join(format!("{n}")).join("ledger");
        fs::create_dir(target.parent().unwrap()).unwrap();
        copy(&whole, &target);
        let kind = match n {
            n if n < flips => Harm::Flip,
            n if n < flips + cuts => Harm::Cut,
            n if n < flips + 2 * cuts => Harm::Swap,
            _ => Harm::Loss,
        };
        let what = harm(kind, &mut random, &files(&target));
        report.round(format!("{} {what}", kept.name()));
        let found = timeout(Duration::from_mins(1), check(kept, &target, &seen, &what)).await;
        noticed += u64::from(found.unwrap_or_else(|_| panic!("{what}: it hangs")));
        fs::remove_dir_all(target.parent().unwrap()).unwrap();
    }
    assert!(noticed > flips / 10, "only {noticed} of {flips} were noticed");
    report.pass();
}

async fn prepare(kept: Kept, folder: &Path) -> Seen {
    let store = open(&kept.url(folder), OpenOptions::default()).await.unwrap();
    fill(&store, ITEMS).await;
    let seen = look(&store, ITEMS).await.unwrap();
    assert_eq!((seen.versions.len(), seen.entries.len(), seen.damaged), (90, 90, 0));
    store.close().await.unwrap();
    seen
}

#[derive(Clone, Copy, Debug)]
enum Harm {
    /// One bit is another.
    Flip,
    /// The end is missing.
    Cut,
    /// Two pages lie in each other's place.
    Swap,
    /// A file is gone.
    Loss,
}

fn harm(kind: Harm, random: &mut fastrand::Rng, files: &[PathBuf]) -> String {
    // Mostly where the data is: the larger a file, the more often.
    let sizes: Vec<u64> = files.iter().map(|file| fs::metadata(file).unwrap().len()).collect();
    let mut at = random.u64(0..sizes.iter().sum());
    let mut chosen = 0;
    while at >= sizes[chosen] {
        at -= sizes[chosen];
        chosen += 1;
    }
    if matches!(kind, Harm::Loss) {
        chosen = random.usize(..files.len());
    }
    let (file, at) = (&files[chosen], usize::try_from(at).unwrap());
    let name = file.file_name().unwrap().to_string_lossy().into_owned();
    let mut bytes = fs::read(file).unwrap();
    match kind {
        Harm::Flip => bytes[at] ^= 1 << random.u8(..8),
        Harm::Cut => bytes.truncate(at),
        Harm::Swap => {
            let pages = bytes.len() / PAGE;
            let (one, other) = (random.usize(0..=pages), random.usize(0..=pages));
            let end = bytes.len();
            for n in 0..PAGE {
                let (a, b) = (one * PAGE + n, other * PAGE + n);
                if a < end && b < end {
                    bytes.swap(a, b);
                }
            }
        }
        Harm::Loss => {
            fs::remove_file(file).unwrap();
            return format!("{name} lost");
        }
    }
    fs::write(file, bytes).unwrap();
    format!("{kind:?} of {name} at {at}")
}

/// Whether the harm was noticed at all; fails if it is believed.
async fn check(kept: Kept, place: &Path, whole: &Seen, what: &str) -> bool {
    let url = kept.url(place.parent().unwrap());
    let store = match open(&url, OpenOptions::existing()).await {
        Ok(store) => store,
        Err(error) => {
            let kinds = [ErrorKind::Corrupt, ErrorKind::Incompatible, ErrorKind::Unavailable];
            assert!(kinds.contains(&error.kind()), "{what}: {error:?}");
            let named = error.to_string().contains("ledger");
            assert!(named, "{what}: {error} does not say which file");
            return true;
        }
    };
    let verified = store.verify().await;
    let damaged = !verified.as_ref().is_ok_and(|found| found.damaged == 0);
    for damage in verified.iter().flat_map(|found| &found.damages) {
        assert!(!format!("{damage:?}").is_empty(), "{what}");
    }
    let Ok(seen) = look(&store, ITEMS).await else {
        drop(store.close().await);
        return true;
    };
    for (n, (seen, was)) in seen.items.iter().zip(&whole.items).enumerate() {
        match seen {
            Some(_) => assert_eq!(seen, was, "{what}: {} has a wrong value", item(n)),
            None => assert!(damaged, "{what}: {} is lost and verify misses it", item(n)),
        }
    }
    let lists = [
        (&seen.listed, &whole.listed),
        (&seen.versions, &whole.versions),
        (&seen.entries, &whole.entries),
    ];
    for (seen, whole) in lists {
        for one in seen {
            assert!(whole.contains(one), "{what} shows {one}");
        }
        assert!(seen.len() == whole.len() || damaged, "{what}: verify misses what is lost");
    }
    drop(store.close().await);
    damaged
}

#[tokio::test(flavor = "multi_thread")]
async fn side_files_of_another_moment_bring_nothing_back() {
    let folder = tempfile::tempdir().unwrap();
    let seen = prepare(Kept::Sqlite, folder.path()).await;
    // A log that was left by a kill, of the same store at an earlier time.
    let url = Kept::Sqlite.url(folder.path());
    let old = folder.path().join("old-ledger");
    let store = open(&url, OpenOptions::existing()).await.unwrap();
    fill(&store, 2).await;
    copy(&folder.path().join("ledger"), &old);
    store.close().await.unwrap();
    let store = open(&url, OpenOptions::existing()).await.unwrap();
    fill(&store, 4).await;
    let after = look(&store, ITEMS).await.unwrap();
    store.close().await.unwrap();
    assert!(after.versions.len() > seen.versions.len());
    for suffix in ["-wal", "-shm"] {
        let stale = folder.path().join(format!("old-ledger{suffix}"));
        fs::copy(stale, folder.path().join(format!("ledger{suffix}"))).unwrap();
    }
    match open(&url, OpenOptions::existing()).await {
        Err(error) => assert_eq!(error.kind(), ErrorKind::Corrupt, "{error:?}"),
        Ok(store) => {
            let damaged = !store.verify().await.is_ok_and(|found| found.damaged == 0);
            let same = look(&store, ITEMS).await.is_ok_and(|seen| seen == after);
            assert!(damaged || same, "a stale log changed the store and nobody noticed");
            drop(store.close().await);
        }
    }
}

#[tokio::test]
async fn a_folder_of_another_sled_is_refused_untouched() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("ledger");
    fs::create_dir_all(place.join("heap")).unwrap();
    fs::write(place.join("CONFIG"), b"marble").unwrap();
    fs::write(place.join("heap/0"), [0; 64]).unwrap();
    let before = files(&place);
    let error = open(&Kept::Sled.url(folder.path()), OpenOptions::default()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Incompatible, "{error:?}");
    assert_eq!(files(&place), before, "nothing was made or removed");
}
