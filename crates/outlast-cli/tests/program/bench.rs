//! A folder to run the program in, and a store with known content.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use outlast::{
    AttrName, AttrValue, Attributes, CommandLine, Key, Lease, NewEntry, OnIdle, OpenOptions,
    ProcessIdentity, RecoveryPolicy, Run, Store, StoreOptions, Task, TaskSpec, TaskStatus,
    Timestamp,
};
use serde_json::Value;

/// A folder of its own, with a home in which nothing is configured.
pub(crate) struct Bench {
    folder: tempfile::TempDir,
}

/// What the program did.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    /// The program, with nothing of this environment that it could take for a setting, and with
    /// the signals as a shell would hand them on: the program minds a hangup that was ignored.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new("/usr/bin/env");
        command.env_clear().env("PATH", "/usr/bin:/bin").env("HOME", self.path("home"));
        command.arg("--default-signal=HUP,INT,TERM").arg(env!("CARGO_BIN_EXE_outlast"));
        command.current_dir(self.folder.path()).args(args).stdin(Stdio::null());
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> Ran {
        Ran::of(&self.command(args).output().unwrap())
    }

    /// The one JSON document that the program writes with `--json`.
    pub(crate) fn json(&self, args: &[&str]) -> Value {
        let ran = self.run(&[args, &["--json"]].concat());
        assert_eq!(ran.code, 0, "{args:?}: {ran:?}");
        serde_json::from_str(&ran.out).unwrap()
    }

    /// Every file below the folder, with what is in it.
    pub(crate) fn listing(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut files = BTreeMap::new();
        list(self.folder.path(), &mut files);
        files
    }

    /// Fills the store at `url`, a location relative to the folder, or makes it first.
    pub(crate) fn fill(&self, url: &str, work: impl AsyncFnOnce(&Store)) {
        let (scheme, path) = url.split_once(':').unwrap();
        let url = format!("{scheme}:{}", self.path(path).display());
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let (open, options) = (OpenOptions::default(), StoreOptions::default());
            let store = outlast::open_with(&url, open, options).await.unwrap();
            work(&store).await;
            store.close().await.unwrap();
        });
    }
}

fn list(folder: &Path, files: &mut BTreeMap<PathBuf, Vec<u8>>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.insert(path.clone(), Vec::new());
            list(&path, files);
        } else {
            files.insert(path.clone(), fs::read(&path).unwrap());
        }
    }
}

impl Ran {
    pub(crate) fn of(output: &Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// It failed with `code`, said why in one or two lines, and where it says so, `what`.
    #[track_caller]
    pub(crate) fn refused(&self, code: i32, what: &str) {
        assert_eq!(self.code, code, "{self:?}");
        assert!(self.err.starts_with("outlast: "), "{self:?}");
        assert!(matches!(self.err.lines().count(), 1 | 2), "{self:?}");
        assert!(self.err.contains(what), "{what:?} is not in {self:?}");
        for trace in ["panicked", "RUST_BACKTRACE", ".rs:"] {
            assert!(!self.err.contains(trace), "{self:?}");
        }
    }
}

pub(crate) fn spec(name: &str) -> TaskSpec {
    TaskSpec {
        name: name.to_owned(),
        command: CommandLine::Shell(format!("echo {name}")),
        cwd: None,
        env: BTreeMap::new(),
        recovery: RecoveryPolicy::Restart,
        max_attempts: None,
        idle_threshold_ms: 60_000,
        on_idle: OnIdle::Mark,
    }
}

pub(crate) fn at(second: i64) -> Timestamp {
    Timestamp::from_micros(1_700_000_000_000_000 + second * 1_000_000)
}

/// Records a run of so many tasks.
pub(crate) async fn add_run(store: &Store, id: &str, task_count: u64) {
    let run = Run { file: "jobs.toml".into(), created_at: at(0), task_count };
    store.kind::<Run>().create(id, &run).await.unwrap();
}

/// Records a task and moves it through these states.
pub(crate) async fn add_task(store: &Store, id: &str, run: &str, name: &str, path: &[TaskStatus]) {
    let tasks = store.kind::<Task>();
    tasks.create(id, &Task::new(run, spec(name), at(0))).await.unwrap();
    for status in path {
        let move_on = |task: &mut Task| {
            task.status = *status;
            match status {
                TaskStatus::Running => task.started_at = Some(at(1)),
                TaskStatus::Completed => {
                    task.finished_at = Some(at(62));
                    task.exit_code = Some(0);
                }
                _ => {}
            }
            Ok(())
        };
        tasks.update(id, move_on).await.unwrap();
    }
}

/// Adds output, as the capture does.
pub(crate) async fn add_output(store: &Store, id: &str, pieces: &[(&str, &[u8])]) {
    let mut offsets = BTreeMap::new();
    let entries = pieces.iter().map(|(stream, data)| {
        let offset = offsets.entry(*stream).or_insert(0_i64);
        let lines = data.split(|byte| *byte == b'\n').count() - 1;
        let attrs = Attributes::from([
            (AttrName::new("stream").unwrap(), AttrValue::from(*stream)),
            (AttrName::new("byte_offset").unwrap(), AttrValue::Int(*offset)),
            (AttrName::new("line_count").unwrap(), AttrValue::Int(i64::try_from(lines).unwrap())),
        ]);
        *offset += i64::try_from(data.len()).unwrap();
        NewEntry { at: Some(at(2)), attrs, data: data.to_vec() }
    });
    let entries = entries.collect();
    let mut draft = store.draft();
    draft.append(Key::new("log", id).unwrap(), entries);
    draft.commit().await.unwrap();
}

/// Somebody drives the runs of the store.
pub(crate) async fn hold(store: &Store, holder: ProcessIdentity) {
    let lease = Lease { holder, acquired_at: at(0) };
    store.kind::<Lease>().create("run", &lease).await.unwrap();
}

/// Two runs: an old one with one task, and the newest with one completed and one failed task, the
/// latter in its second attempt. The completed one has output.
pub(crate) async fn two_runs(store: &Store) {
    use TaskStatus::{Completed, Failed, Interrupted, Running};

    add_run(store, "run-1", 1).await;
    add_task(store, "aaa-1", "run-1", "old", &[Running, Completed]).await;
    add_run(store, "run-2", 2).await;
    add_task(store, "bbb-1", "run-2", "build", &[Running, Completed]).await;
    add_task(store, "bbb-2", "run-2", "test", &[Running, Interrupted]).await;
    let tasks = store.kind::<Task>();
    let first = tasks.get("bbb-2").await.unwrap();
    tasks.create("bbb-3", &first.retry("bbb-2", at(70))).await.unwrap();
    tasks.transition("bbb-3", Running).await.unwrap();
    tasks.transition("bbb-3", Failed).await.unwrap();
    add_output(store, "bbb-1", OUTPUT).await;
}

pub(crate) const OUTPUT: &[(&str, &[u8])] = &[
    ("stdout", b"one\ntwo\n"),
    ("stderr", b"warning \x1b[31mred\x1b[0m\n"),
    ("stdout", b"thr\xe2\x82"),
    ("system", b"a note\n"),
    ("stdout", b"\xac\xffee\nfour"),
];
