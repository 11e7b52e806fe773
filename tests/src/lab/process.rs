//! Running a process under the library that stands between it and its disk.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

/// How long a process may take before it counts as hanging.
const LIMIT: Duration = Duration::from_mins(2);

/// The library, built once beside the tests.
pub fn library() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("lab/interpose.c");
        let tests = std::env::current_exe().unwrap();
        let folder = tests.parent().unwrap();
        let built = folder.join(format!("interpose-{}.so", std::process::id()));
        let mut compiler = Command::new(std::env::var_os("CC").unwrap_or_else(|| "cc".into()));
        compiler.args(["-shared", "-fPIC", "-O1", "-o"]).arg(&built).arg(&source);
        let status = compiler.status().expect("a C compiler, as SQLite needs one too");
        assert!(status.success(), "{} does not compile", source.display());
        // Tests of several programs may build it at once; each finds it whole.
        let library = folder.join("interpose.so");
        std::fs::rename(&built, &library).unwrap();
        library
    })
}

/// What a process did.
#[derive(Debug)]
pub struct Ended {
    /// How it ended; `None` if it had to be killed because it hung.
    pub status: Option<ExitStatus>,
    /// What it said, line by line.
    pub said: Vec<String>,
    /// What it complained of.
    pub complained: String,
}

/// Lets the library watch what a process does below `folder`, note it, and let calls fail.
pub fn watch(command: &mut Command, folder: &Path, notes: Option<&Path>, fault: Option<&str>) {
    command.env("LD_PRELOAD", library()).env("OUTLAST_LAB_DIR", folder);
    command.env_remove("OUTLAST_LAB_TRACE").env_remove("OUTLAST_LAB_FAULT");
    if let Some(notes) = notes {
        command.env("OUTLAST_LAB_TRACE", notes);
    }
    if let Some(fault) = fault {
        command.env("OUTLAST_LAB_FAULT", fault);
    }
}

/// Runs a process to its end, or ends it if it hangs.
pub fn run(command: &mut Command) -> Ended {
    let command = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let (out, err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    let (said, complained) = (collect(out), collect(err));
    let mut status = None;
    let step = Duration::from_millis(2);
    for _ in 0..LIMIT.as_millis() / step.as_millis() {
        status = child.try_wait().unwrap();
        if status.is_some() {
            break;
        }
        std::thread::sleep(step);
    }
    if status.is_none() {
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let said = said.join().unwrap().lines().map(str::to_owned).collect();
    Ended { status, said, complained: complained.join().unwrap() }
}

fn collect(mut from: impl std::io::Read + Send + 'static) -> std::thread::JoinHandle<String> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        from.read_to_end(&mut bytes).unwrap();
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

/// A folder in memory if there is such, to lay images out in.
pub fn quick_folder() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() {
        tempfile::tempdir_in(memory).unwrap()
    } else {
        tempfile::tempdir().unwrap()
    }
}
