//! kill -9 of the whole program while real tasks run, and what `run --resume` makes of it.
//!
//! Each task takes a file lock that the kernel releases with its last process, so "twice at once"
//! is seen by the tasks themselves; and notes each start, so "never again" can be counted.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::print_stdout)]

use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use outlast::core::{OpenOptions, StreamQuery, Task, TaskStatus};
use outlast::store::{Store, StoreOptions};

const TASKS: usize = 6;
const LINES: usize = 40;

/// How the tasks run, which go on when nobody reads what they write: also deaf to being asked to
/// end, and hidden by their group and their environment.
const HOW: [&str; 4] =
    ["exec", "trap '' TERM; exec", "setsid -w", "trap '' TERM; env -i setsid -w"];

struct Bench {
    dir: tempfile::TempDir,
    url: String,
}

impl Bench {
    fn new(url: impl Fn(&Path) -> String) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut jobs = String::new();
        for n in 0..TASKS {
            let place = dir.path().display();
            let how = HOW[n % HOW.len()];
            let script = format!(
                r#"
trap '' PIPE
exec 9>"{place}/t{n}.lock"
flock -n 9 || echo t{n} >> "{place}/twice"
echo t{n} >> "{place}/starts"
for i in $(seq {LINES}); do echo "t{n} line $i"; sleep 0.01 9>&-; done
echo t{n} >> "{place}/ends"
"#
            );
            fs::write(dir.path().join(format!("t{n}.sh")), script).unwrap();
            write!(
                jobs,
                "[[task]]\nname = 't{n}'\nrecovery = 'restart'\n\
                 command = \"\"\"{how} sh '{place}/t{n}.sh'\"\"\"\n"
            )
            .unwrap();
        }
        fs::write(dir.path().join("jobs.toml"), jobs).unwrap();
        let url = url(dir.path());
        Self { dir, url }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn spawn(&self, args: &[&str]) -> Child {
        Command::new(env!("CARGO_BIN_EXE_outlast"))
            .current_dir(self.dir.path())
            // They are the tests', and the program takes no setting it does not know.
            .env_remove("OUTLAST_SEED")
            .env_remove("OUTLAST_CRASH_ROUNDS")
            .env_remove("OUTLAST_WINDOWS")
            .args(args)
            .args(["--db", &self.url, "--max-concurrent", "6"])
            .env("OUTLAST_GRACE", "50ms")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(self.path("stderr")).unwrap())
            .spawn()
            .unwrap()
    }

    fn resume(&self) -> Child {
        // Until the first run was recorded there is nothing to resume, and the file is started.
        self.spawn(&["run", "--resume", "jobs.toml"])
    }

    fn finish(&self, mut child: Child) -> ExitStatus {
        let status = child.wait().unwrap();
        if !status.success() {
            println!("{status}: {}", fs::read_to_string(self.path("stderr")).unwrap());
        }
        status
    }

    fn noted(&self, file: &str) -> HashMap<String, usize> {
        let mut counts = HashMap::new();
        for line in fs::read_to_string(self.path(file)).unwrap_or_default().lines() {
            *counts.entry(line.to_owned()).or_default() += 1;
        }
        counts
    }

    fn with_store<T>(&self, look: impl AsyncFnOnce(&Store) -> T) -> T {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let options = OpenOptions::existing();
            let store =
                outlast::open_with(&self.url, options, StoreOptions::default()).await.unwrap();
            let seen = look(&store).await;
            store.close().await.unwrap();
            seen
        })
    }

    /// Every attempt on record; none when there is no store yet.
    fn attempts(&self) -> Vec<(String, Task)> {
        if !self.path("state").exists() {
            return Vec::new();
        }
        self.with_store(async |store| {
            let tasks = store.kind::<Task>();
            let page = tasks.list(&tasks.query().unwrap()).await.unwrap();
            let attempts = page.items.into_iter().map(Result::unwrap);
            attempts.map(|task| (task.id().to_owned(), task.into_value())).collect()
        })
    }

    fn output(&self, id: &str) -> String {
        self.with_store(async |store| {
            let mut query = StreamQuery::of(outlast::core::Key::new("log", id).unwrap());
            query.page.limit = 1000;
            let entries = store.read(&query).await.unwrap().items;
            let bytes = entries.into_iter().flat_map(|entry| entry.unwrap().data).collect();
            String::from_utf8(bytes).unwrap()
        })
    }
}

fn completed(attempts: &[(String, Task)]) -> Vec<String> {
    let completed = attempts.iter().filter(|(_, task)| task.status == TaskStatus::Completed);
    completed.map(|(_, task)| task.spec.name.clone()).collect()
}

fn survives_kills(backend: &str, url: fn(&Path) -> String) {
    let seed =
        std::env::var("OUTLAST_SEED").map_or_else(|_| fastrand::u64(..), |s| s.parse().unwrap());
    println!(
        "{backend}: seed {seed}; again with OUTLAST_SEED={seed} cargo test -p outlast-cli --test kill"
    );
    let mut random = fastrand::Rng::with_seed(seed);
    let mut kills = 0;
    for _ in 0..4 {
        let bench = Bench::new(url);
        let mut settled: HashMap<String, usize> = HashMap::new();
        loop {
            let mut child = bench.resume();
            std::thread::sleep(Duration::from_millis(random.u64(0..500)));
            if let Some(status) = child.try_wait().unwrap() {
                assert!(status.success(), "{status}");
                break;
            }
            child.kill().unwrap();
            child.wait().unwrap();
            kills += 1;
            let starts = bench.noted("starts");
            for name in completed(&bench.attempts()) {
                let started = starts[&name];
                let before = *settled.entry(name.clone()).or_insert(started);
                assert_eq!(before, started, "{name} was completed and ran again, seed {seed}");
            }
            if kills % 8 == 0 {
                // Let it come to an end in any case.
                assert!(bench.finish(bench.resume()).success(), "seed {seed}");
                break;
            }
        }
        assert_outcome(&bench, seed);
    }
    assert!(kills >= 4, "only {kills} kills: nothing was tested");
    println!("{backend}: {kills} kills");
}

fn assert_outcome(bench: &Bench, seed: u64) {
    assert_eq!(bench.noted("twice"), HashMap::new(), "ran twice at once, seed {seed}");
    let attempts = bench.attempts();
    let names = completed(&attempts);
    for n in 0..TASKS {
        let name = format!("t{n}");
        let times = names.iter().filter(|completed| **completed == name).count();
        assert_eq!(times, 1, "{name} completed {times} times, seed {seed}");
    }
    for (id, task) in &attempts {
        assert!(
            matches!(task.status, TaskStatus::Completed | TaskStatus::Interrupted),
            "{id}: {task:?}, seed {seed}"
        );
        let name = &task.spec.name;
        let mut whole = String::new();
        for line in 1..=LINES {
            writeln!(whole, "{name} line {line}").unwrap();
        }
        let output = bench.output(id);
        if task.status == TaskStatus::Completed {
            assert_eq!(output, whole, "output of {id}, seed {seed}");
        } else {
            let lines = output.split_inclusive('\n').filter(|line| line.contains(" line "));
            let captured: String = lines.collect();
            assert!(whole.starts_with(&captured), "output of {id}: {output:?}, seed {seed}");
        }
    }
}

#[test]
fn a_killed_run_resumes_without_running_anything_twice_on_sqlite() {
    survives_kills("sqlite", |dir| format!("sqlite:{}", dir.join("state").display()));
}

#[test]
fn a_killed_run_resumes_without_running_anything_twice_on_sled() {
    survives_kills("sled", |dir| format!("sled:{}", dir.join("state").display()));
}

#[test]
fn of_two_resumes_started_together_one_is_refused() {
    let bench = Bench::new(|dir| format!("sqlite:{}", dir.join("state").display()));
    let mut child = bench.resume();
    while bench.noted("starts").len() < 2 {
        std::thread::sleep(Duration::from_millis(5));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let (first, second) = (bench.resume(), bench.resume());
    let codes = [first, second].map(|mut child| child.wait().unwrap().code());
    assert!(codes.contains(&Some(0)), "{codes:?}");
    assert!(codes.contains(&Some(4)), "{codes:?}");
    assert_outcome(&bench, 0);
}
