//! A mounted ext4 whose image is copied while a process writes: what was acknowledged before the
//! copy is in it, as if the power had gone at that moment.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use outlast_core::OpenOptions;
use outlast_tests::lab::report::Report;
use outlast_tests::lab::{Kept, number, seed};
use outlast_tests::ledger;

use crate::support::open;

/// A file system in a file, mounted.
struct Mounted {
    image: PathBuf,
    folder: PathBuf,
}

impl Mounted {
    /// `None` where loop devices or the right to use them are missing.
    fn image(image: &Path, folder: &Path) -> Option<Self> {
        std::fs::create_dir_all(folder).unwrap();
        let args = ["-o".as_ref(), "loop".as_ref(), image.as_os_str(), folder.as_os_str()];
        let mounted = run("mount", &args);
        mounted.then(|| Self { image: image.to_owned(), folder: folder.to_owned() })
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        assert!(
            run("umount", &[self.folder.as_os_str()]),
            "{} stays mounted",
            self.folder.display()
        );
    }
}

fn run(program: &str, args: &[&std::ffi::OsStr]) -> bool {
    let mut command = Command::new(program);
    let status = command.args(args).stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "the disk cannot be taken away while SQLite files stay open"]
async fn what_was_acknowledged_is_in_the_image_of_a_disk_on_sqlite() {
    snapshots(Kept::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_is_in_the_image_of_a_disk_on_sled() {
    snapshots(Kept::Sled).await;
}

async fn snapshots(kept: Kept) {
    let rounds = number("OUTLAST_SNAPSHOTS").unwrap_or(2);
    let seed = seed();
    println!("seed {seed}: again with OUTLAST_SEED={seed} cargo test --test lab snapshot");
    let mut random = fastrand::Rng::with_seed(seed);
    let mut report = Report::new("P2", kept.name(), Some(seed));
    let folder = tempfile::tempdir().unwrap();
    for round in 0..rounds {
        let image = folder.path().join(format!("{round}.img"));
        std::fs::File::create(&image).unwrap().set_len(64 << 20).unwrap();
        if !run("mkfs.ext4", &["-q".as_ref(), image.as_os_str()]) {
            return report.not_run("mkfs.ext4 is not installed");
        }
        let Some(disk) = Mounted::image(&image, &folder.path().join("disk")) else {
            return report.not_run("nothing can be mounted: it takes root and loop devices");
        };
        report.round(format!("{} image {round}", kept.name()));
        let copied = folder.path().join("copy.img");
        let told = copy_while_writing(kept, &disk, &copied, random.u64(5..60));
        drop(disk);
        let copy = Mounted::image(&copied, &folder.path().join("copy")).expect("the copy mounts");
        let store = open(&kept.url(&copy.folder), OpenOptions::existing()).await.unwrap();
        let wrong = ledger::audit(&store, &told).await.unwrap();
        assert!(wrong.is_empty(), "{}, round {round}, seed {seed}: {wrong:?}", kept.name());
        assert_eq!(store.verify().await.unwrap().damaged, 0);
        store.close().await.unwrap();
    }
    report.pass();
}

/// Copies the image once so many transfers were acknowledged, while more are under way; returns
/// what each clerk was told before that.
fn copy_while_writing(kept: Kept, disk: &Mounted, to: &Path, transfers: u64) -> BTreeMap<u64, u64> {
    let mut teller = Command::new(env!("CARGO_BIN_EXE_teller"));
    let mut teller = teller
        .arg(kept.url(&disk.folder))
        .args(["1", "1000000", "3"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut told = BTreeMap::new();
    let mut count = 0;
    for line in BufReader::new(teller.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        let Some((clerk, made)) = line.split_once(' ') else { continue };
        let (Ok(clerk), Ok(made)) = (clerk.parse(), made.parse()) else { panic!("{line}") };
        told.insert(clerk, made);
        count += 1;
        if count == transfers {
            break;
        }
    }
    // The copy sees what the file system wrote to its device, and nothing it keeps in memory.
    std::fs::copy(&disk.image, to).unwrap();
    teller.kill().unwrap();
    teller.wait().unwrap();
    assert_eq!(count, transfers, "the teller ended by itself");
    told
}
