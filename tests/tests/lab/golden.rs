//! Stores that older releases wrote: opened with everything in them, and those of newer ones
//! refused untouched.

use std::fs;
use std::path::{Path, PathBuf};

use outlast_core::{ErrorKind, OpenOptions};
use outlast_tests::lab::Kept;
use outlast_tests::lab::report::Report;

use crate::support::{Seen, copy, files, fill, look, open};

const ITEMS: usize = 5;

/// One folder per release: `ledger` as that release wrote it, and `seen.txt`, what was in it.
fn releases(kept: Kept) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden").join(kept.name());
    let mut found: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    found.sort();
    found
}

fn text(seen: &Seen) -> String {
    format!("{seen:#?}\n")
}

#[tokio::test]
async fn stores_of_older_releases_open_whole_on_sqlite() {
    older(Kept::Sqlite).await;
}

#[tokio::test]
async fn stores_of_older_releases_open_whole_on_sled() {
    older(Kept::Sled).await;
}

async fn older(kept: Kept) {
    let mut report = Report::new("P12", kept.name(), None);
    for release in releases(kept) {
        report.round(release.display().to_string());
        let folder = tempfile::tempdir().unwrap();
        copy(&release.join("ledger"), &folder.path().join("ledger"));
        if let Kept::Sled = kept {
            // Empty, and git keeps no empty folder.
            fs::create_dir_all(folder.path().join("ledger/blobs")).unwrap();
        }
        let store = open(&kept.url(folder.path()), OpenOptions::existing()).await.unwrap();
        let seen = text(&look(&store, ITEMS).await.unwrap());
        assert_eq!(seen, fs::read_to_string(release.join("seen.txt")).unwrap());
        assert_eq!(store.verify().await.unwrap().damaged, 0);
        fill(&store, 1).await;
        store.close().await.unwrap();
    }
    report.round("a newer one");
    newer(kept).await;
    report.pass();
}

/// A store whose layout is newer than this program: refused, not a byte changed.
async fn newer(kept: Kept) {
    let folder = tempfile::tempdir().unwrap();
    let release = releases(kept).pop().expect("a golden store");
    let place = folder.path().join("ledger");
    copy(&release.join("ledger"), &place);
    match kept {
        Kept::Sqlite => {
            let mut bytes = fs::read(&place).unwrap();
            bytes[60..64].copy_from_slice(&99_u32.to_be_bytes());
            fs::write(&place, bytes).unwrap();
        }
        Kept::Sled => {
            let marker = place.join("FORMAT");
            let text = fs::read_to_string(&marker).unwrap();
            fs::write(&marker, text.replace("layout 1", "layout 99")).unwrap();
        }
    }
    let before: Vec<_> =
        files(&place).iter().map(|file| (file.clone(), fs::read(file).unwrap())).collect();
    let error = open(&kept.url(folder.path()), OpenOptions::default()).await.unwrap_err();
    let expected = match kept {
        Kept::Sqlite => &[ErrorKind::Incompatible][..],
        // Its marker has a checksum of its own, so a number that was edited is damage.
        Kept::Sled => &[ErrorKind::Incompatible, ErrorKind::Corrupt][..],
    };
    assert!(expected.contains(&error.kind()), "{error:?}");
    let after: Vec<_> =
        files(&place).iter().map(|file| (file.clone(), fs::read(file).unwrap())).collect();
    assert!(before == after, "a store that was refused was changed");
}

/// Writes the golden stores of this release; for whoever makes one:
/// `OUTLAST_GOLDEN=0.1.0 cargo test -p outlast-tests --test lab golden`.
#[tokio::test]
async fn golden_stores_are_written_on_request() {
    let Ok(release) = std::env::var("OUTLAST_GOLDEN") else { return };
    for kept in [Kept::Sqlite, Kept::Sled] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden").join(kept.name());
        let folder = folder.join(&release);
        fs::create_dir_all(&folder).unwrap();
        let store = open(&kept.url(&folder), OpenOptions::default()).await.unwrap();
        fill(&store, ITEMS).await;
        fs::write(folder.join("seen.txt"), text(&look(&store, ITEMS).await.unwrap())).unwrap();
        store.close().await.unwrap();
    }
}
