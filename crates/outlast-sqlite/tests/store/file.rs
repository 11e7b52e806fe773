//! How a store comes into being, which files are refused, and that those stay as they are.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::SystemTime;

use outlast_core::{Admin, Backend, ErrorKind, OpenOptions, RandomIds};
use outlast_sqlite::Sqlite;
use sqlx::Row;

use crate::house::{House, apply, assert_whole, key, live, put};

async fn refused(path: &Path, options: &OpenOptions) -> ErrorKind {
    match Sqlite::open(path, options, &RandomIds).await {
        Err(error) => {
            let message = error.to_string();
            let name = path.file_name().unwrap().to_str().unwrap();
            assert!(message.contains(name), "{message} does not name the file");
            error.kind()
        }
        Ok(store) => panic!("opened {store:?}"),
    }
}

#[tokio::test]
async fn a_new_store_is_one_file_for_its_owner() {
    let house = House::new();
    let store = house.open().await;
    store.close().await.unwrap();
    assert_eq!(house.names(), ["state.db", "state.db-mark"]);
    let mode = std::fs::metadata(house.file()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[tokio::test]
async fn nothing_is_created_unless_asked_for() {
    let house = House::new();
    for options in [OpenOptions::existing(), OpenOptions::read_only()] {
        assert_eq!(refused(&house.file(), &options).await, ErrorKind::Unavailable);
    }
    let nowhere = house.path("missing").join("state.db");
    assert_eq!(refused(&nowhere, &OpenOptions::default()).await, ErrorKind::Unavailable);
    assert_eq!(house.names(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn openers_at_once_share_one_store() {
    let house = House::new();
    let openings = (0..8).map(|_| {
        let file = house.file();
        tokio::spawn(async move {
            Sqlite::open(&file, &OpenOptions::default(), &RandomIds).await.unwrap()
        })
    });
    let mut stores = Vec::new();
    for opening in openings.collect::<Vec<_>>() {
        stores.push(opening.await.unwrap());
    }
    for store in &stores {
        assert_eq!(store.info().store, stores[0].info().store);
        store.close().await.unwrap();
    }
    assert_eq!(house.names(), ["state.db", "state.db-mark"]);
}

fn state_of(path: &Path) -> (Vec<u8>, SystemTime) {
    (std::fs::read(path).unwrap(), std::fs::metadata(path).unwrap().modified().unwrap())
}

#[tokio::test]
async fn what_is_not_ours_is_refused_untouched() {
    let header = |application: u32, layout: u32| {
        let mut bytes = b"SQLite format 3\0".to_vec();
        bytes.resize(4096, 0);
        bytes[60..64].copy_from_slice(&layout.to_be_bytes());
        bytes[68..72].copy_from_slice(&application.to_be_bytes());
        bytes
    };
    let table = [
        ("empty", Vec::new(), ErrorKind::Incompatible),
        ("junk", b"not a database at all".repeat(100), ErrorKind::Corrupt),
        ("short", b"SQLite format 3\0".to_vec(), ErrorKind::Corrupt),
        ("foreign", header(0, 0), ErrorKind::Incompatible),
        ("another", header(0x1234_5678, 1), ErrorKind::Incompatible),
        ("newer", header(0x4f75_744c, 999), ErrorKind::Incompatible),
    ];
    for (name, bytes, kind) in table {
        let house = House::new();
        std::fs::write(house.path(name), &bytes).unwrap();
        let before = state_of(&house.path(name));
        let options = [OpenOptions::default(), OpenOptions::existing(), OpenOptions::read_only()];
        for options in options {
            assert_eq!(refused(&house.path(name), &options).await, kind, "{name}");
        }
        assert_eq!(state_of(&house.path(name)), before, "{name} was touched");
        assert_eq!(house.names(), [name], "something was left beside {name}");
    }
}

#[tokio::test]
async fn a_torn_file_is_corrupt() {
    let house = House::new();
    let store = house.open().await;
    for n in 0..200 {
        apply(&store, [put(&key("item", &n.to_string()), "{\"a\":1}")]).await;
    }
    store.close().await.unwrap();
    let bytes = std::fs::read(house.file()).unwrap();
    std::fs::write(house.file(), &bytes[..bytes.len() / 2]).unwrap();
    match Sqlite::open(&house.file(), &OpenOptions::existing(), &RandomIds).await {
        Err(error) => assert_eq!(error.kind(), ErrorKind::Corrupt, "{error:?}"),
        Ok(store) => match store.verify().await {
            Err(error) => assert_eq!(error.kind(), ErrorKind::Corrupt, "{error:?}"),
            Ok(found) => assert!(found.damaged > 0),
        },
    }
}

#[tokio::test]
async fn a_reader_reads_beside_a_writer_and_never_writes() {
    let house = House::new();
    let writer = house.open().await;
    let item = key("item", "a");
    apply(&writer, [put(&item, "1")]).await;
    let reader = Sqlite::open(&house.file(), &OpenOptions::read_only(), &RandomIds).await.unwrap();
    assert!(reader.info().read_only);
    assert_eq!(live(&reader, &item).await.unwrap().1, "1");
    apply(&writer, [put(&item, "2")]).await;
    assert_eq!(live(&reader, &item).await.unwrap().1, "2");
    let refused = reader.write(&outlast_core::WriteSet::default()).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Unsupported);
    assert_eq!(reader.compact().await.unwrap_err().kind(), ErrorKind::Unsupported);
    assert_whole(&reader).await;
    reader.close().await.unwrap();
    writer.close().await.unwrap();
}

#[tokio::test]
async fn a_closed_file_is_read_without_being_changed() {
    let house = House::new();
    let store = house.open().await;
    apply(&store, [put(&key("item", "a"), "1")]).await;
    store.close().await.unwrap();
    let before = state_of(&house.file());
    let reader = Sqlite::open(&house.file(), &OpenOptions::read_only(), &RandomIds).await.unwrap();
    assert_eq!(live(&reader, &key("item", "a")).await.unwrap().1, "1");
    reader.close().await.unwrap();
    assert_eq!(state_of(&house.file()), before);
}

#[tokio::test]
async fn the_file_is_in_the_mode_that_lasts() {
    let house = House::new();
    let store = house.open().await;
    let read = |name: &'static str| {
        let house = &house;
        async move {
            let rows = house.sql(&format!("PRAGMA {name}")).await;
            rows[0].try_get_unchecked::<String, _>(0).unwrap()
        }
    };
    assert_eq!(read("journal_mode").await, "wal");
    assert_eq!(read("page_size").await, "4096");
    assert_eq!(read("application_id").await, 0x4f75_744c.to_string());
    assert_eq!(read("user_version").await, "2");
    store.close().await.unwrap();
}

#[tokio::test]
async fn a_copy_is_a_store_and_never_overwrites() {
    let house = House::new();
    let store = house.open().await;
    let item = key("item", "a");
    apply(&store, [put(&item, "1")]).await;
    store.backup(&house.path("copy.db")).await.unwrap();
    apply(&store, [put(&item, "2")]).await;
    let taken = store.backup(&house.path("copy.db")).await.unwrap_err();
    assert_eq!(taken.kind(), ErrorKind::Invalid);
    let nowhere = store.backup(&house.path("missing").join("copy.db")).await.unwrap_err();
    assert_eq!(nowhere.kind(), ErrorKind::Unavailable);
    let copy =
        Sqlite::open(&house.path("copy.db"), &OpenOptions::read_only(), &RandomIds).await.unwrap();
    assert_eq!(live(&copy, &item).await.unwrap().1, "1");
    assert_eq!(copy.info().store, store.info().store);
    assert_whole(&copy).await;
    let mode = std::fs::metadata(house.path("copy.db")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    copy.close().await.unwrap();
    store.close().await.unwrap();
    assert!(house.names().iter().all(|name| !name.contains(".new")), "{:?}", house.names());
}

#[tokio::test]
async fn compaction_gives_space_back() {
    let house = House::new();
    let store = house.open().await;
    let item = key("item", "a");
    let large = format!("{:?}", "x".repeat(100_000));
    for _ in 0..40 {
        apply(&store, [put(&item, &large)]).await;
    }
    let plan = outlast_core::PrunePlan {
        items: vec![outlast_core::Prune::History { key: item.clone(), below: 1000 }],
    };
    while !store.prune(&plan, 10).await.unwrap().done {}
    let before = store.size().await.unwrap();
    assert!(before.free > 1 << 20, "{before:?}");
    store.compact().await.unwrap();
    let after = store.size().await.unwrap();
    assert!(after.bytes < before.bytes / 2 && after.free == 0, "{before:?} {after:?}");
    assert_eq!(live(&store, &item).await.unwrap().1, large);
    apply(&store, [put(&item, "1")]).await;
    assert_whole(&store).await;
}

#[tokio::test]
async fn names_that_mean_something_to_sqlite_are_files() {
    let house = House::new();
    for name in [":memory:", "file:a.db", "a?mode=memory", "100%25.db", "b#c.db"] {
        let open = || async {
            Sqlite::open(&house.path(name), &OpenOptions::default(), &RandomIds).await.unwrap()
        };
        let store = open().await;
        apply(&store, [put(&key("item", "a"), "1")]).await;
        store.close().await.unwrap();
        assert!(house.path(name).exists(), "{name}");
        let store = open().await;
        assert_eq!(live(&store, &key("item", "a")).await.unwrap().1, "1", "{name}");
        store.close().await.unwrap();
    }
}

/// Root may write wherever it likes, so the case runs as nobody.
fn as_nobody(test: &str) -> bool {
    use std::os::unix::process::CommandExt;
    let marker = std::env::temp_dir();
    let owner = std::os::unix::fs::MetadataExt::uid(&std::fs::metadata("/proc/self").unwrap());
    if owner != 0 {
        return true;
    }
    let mut command = std::process::Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture"]).current_dir(marker).uid(65_534).gid(65_534);
    match command.output() {
        Ok(output) => assert!(output.status.success(), "{output:?}"),
        Err(error) => println!("NOT RUN: {test} cannot start as nobody: {error}"),
    }
    false
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_to_can_be_read() {
    if !as_nobody("file::a_folder_that_cannot_be_written_to_can_be_read") {
        return;
    }
    let house = House::new();
    let store = house.open().await;
    apply(&store, [put(&key("item", "a"), "1")]).await;
    store.close().await.unwrap();
    let folder = house.file().parent().unwrap().to_owned();
    let mode = |mode| std::fs::Permissions::from_mode(mode);
    std::fs::set_permissions(house.file(), mode(0o444)).unwrap();
    std::fs::set_permissions(&folder, mode(0o555)).unwrap();
    let before = state_of(&house.file());
    let reader = Sqlite::open(&house.file(), &OpenOptions::read_only(), &RandomIds).await.unwrap();
    assert_eq!(live(&reader, &key("item", "a")).await.unwrap().1, "1");
    assert_whole(&reader).await;
    reader.close().await.unwrap();
    assert_eq!(refused(&house.file(), &OpenOptions::default()).await, ErrorKind::Unavailable);
    assert_eq!(
        refused(&folder.join("new.db"), &OpenOptions::default()).await,
        ErrorKind::Unavailable
    );
    assert_eq!(state_of(&house.file()), before);
    std::fs::set_permissions(&folder, mode(0o755)).unwrap();
    assert_eq!(house.names(), ["state.db", "state.db-mark"]);
}

#[tokio::test]
async fn an_older_copy_in_the_place_of_a_store_is_noticed() {
    let house = House::new();
    let (item, old) = (key("item", "a"), house.path("old.db"));
    let store = house.open().await;
    apply(&store, [put(&item, "1")]).await;
    store.close().await.unwrap();
    std::fs::copy(house.file(), &old).unwrap();
    let store = house.open().await;
    apply(&store, [put(&item, "2")]).await;
    store.close().await.unwrap();
    std::fs::copy(&old, house.file()).unwrap();
    for options in [OpenOptions::existing(), OpenOptions::read_only()] {
        assert_eq!(refused(&house.file(), &options).await, ErrorKind::Corrupt);
    }
    // Whoever means it removes the mark; the store goes on from there and is marked anew.
    std::fs::remove_file(house.path("state.db-mark")).unwrap();
    let store = house.open().await;
    assert_eq!(live(&store, &item).await.unwrap().1, "1");
    store.sync().await.unwrap();
    assert!(house.path("state.db-mark").exists());
    store.close().await.unwrap();
}

/// The log is what SQLite believes only up to the first frame that is damaged.
#[tokio::test]
async fn a_log_that_is_cut_off_is_noticed_up_to_the_last_sync() {
    let house = House::new();
    let item = key("item", "a");
    let store = house.open().await;
    for n in 0..5 {
        apply(&store, [put(&item, &n.to_string())]).await;
    }
    store.sync().await.unwrap();
    let (copy, log) = (house.path("copy.db"), house.path("copy.db-wal"));
    std::fs::copy(house.file(), &copy).unwrap();
    std::fs::copy(house.path("state.db-mark"), house.path("copy.db-mark")).unwrap();
    let whole = std::fs::read(house.path("state.db-wal")).unwrap();
    store.close().await.unwrap();
    for (bytes, expected) in
        [(whole.len(), true), (whole.len() - 1, false), (whole.len() / 2, false)]
    {
        std::fs::write(&log, &whole[..bytes]).unwrap();
        let opened = Sqlite::open(&copy, &OpenOptions::read_only(), &RandomIds).await;
        assert_eq!(opened.is_ok(), expected, "{bytes} of {} bytes: {opened:?}", whole.len());
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_store_stays_locked_when_it_is_opened_again_and_closed() {
    use std::os::unix::fs::MetadataExt;

    let house = House::new();
    let store = house.open().await;
    let file = std::fs::metadata(house.file()).unwrap().ino();
    let is_locked = || {
        let locks = std::fs::read_to_string("/proc/locks").unwrap();
        let (process, file) = (format!(" {} ", std::process::id()), format!(":{file} "));
        locks.lines().any(|lock| lock.contains(&process) && lock.contains(&file))
    };
    assert!(is_locked());
    house.open().await.close().await.unwrap();
    assert!(is_locked(), "another process would take itself for the last and remove the log");
    store.compact().await.unwrap();
    assert!(is_locked());
    store.close().await.unwrap();
}
