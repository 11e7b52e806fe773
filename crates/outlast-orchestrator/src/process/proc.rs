//! Reading `/proc`.
//!
//! A process may vanish between any two reads. That is an answer (`None`), not an error.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read};
use std::thread;
use std::time::Duration;

use outlast_core::{Error, Result};
use rustix::io::Errno;
use rustix::process::Pid;

/// The mark of a thread of the kernel in the flags of `/proc/<pid>/stat`.
const KERNEL_THREAD: u64 = 0x0020_0000;

/// How often, and after which pause, an environment that is being replaced is read.
const EXEC_LOOKS: u32 = 100;
const EXEC_PAUSE: Duration = Duration::from_millis(2);

/// Where `/proc/<pid>/stat` tells where the code begins, and the bounds of the environment, counted
/// behind the program's name.
const CODE_FIELD: usize = 23;
const ENVIRON_FIELD: usize = 47;

/// Room for an environment of usual size.
const ENVIRON_BYTES: usize = 64 * 1024;

/// What `/proc/<pid>/stat` tells about one process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stat {
    /// One letter: `R`, `S`, `Z` and so on.
    pub(super) state: char,
    /// The process that it is a child of.
    pub(super) parent: u32,
    /// The process group; zero if it has none, or none any more because it is being reaped.
    pub(super) group: u32,
    /// Whether it is part of the kernel.
    pub(super) is_kernel: bool,
    /// How many threads are left.
    pub(super) threads: u32,
    /// When it started, in clock ticks since boot.
    pub(super) start_ticks: u64,
}

impl Stat {
    /// The process that holds `pid` now; `None` if nobody does.
    pub(super) fn of(pid: u32) -> Result<Option<Self>> {
        Self::read(pid).map_err(|cause| failure(&format!("/proc/{pid}/stat"), cause))
    }

    /// The same, but also `None` if it belongs to another user and `/proc` hides it.
    pub(super) fn visible(pid: u32) -> Result<Option<Self>> {
        match Self::read(pid) {
            Err(cause) if cause.kind() == ErrorKind::PermissionDenied => Ok(None),
            read => read.map_err(|cause| failure(&format!("/proc/{pid}/stat"), cause)),
        }
    }

    fn read(pid: u32) -> io::Result<Option<Self>> {
        match fs::read(format!("/proc/{pid}/stat")) {
            // The name of the program is in there, and may be any bytes.
            Ok(text) => match Self::parse(&String::from_utf8_lossy(&text)) {
                Some(stat) => Ok(Some(stat)),
                None => Err(io::Error::new(ErrorKind::InvalidData, "its form is unknown")),
            },
            Err(cause) if is_gone(&cause) => Ok(None),
            Err(cause) => Err(cause),
        }
    }

    /// The fields after the program's name, which stands in parentheses and may hold any itself.
    fn parse(text: &str) -> Option<Self> {
        let (_, fields) = text.rsplit_once(')')?;
        let fields: Vec<&str> = fields.split_ascii_whitespace().collect();
        Some(Self {
            state: fields.first()?.chars().next()?,
            parent: fields.get(1)?.parse().ok()?,
            group: u32::try_from(fields.get(2)?.parse::<i64>().ok()?).unwrap_or(0),
            is_kernel: fields.get(6)?.parse::<u64>().ok()? & KERNEL_THREAD != 0,
            threads: fields.get(17)?.parse().ok()?,
            start_ticks: fields.get(19)?.parse().ok()?,
        })
    }

    /// Whether it can still run code. A zombie cannot, unless only its first thread has ended.
    pub(super) fn is_live(&self) -> bool {
        match self.state {
            'Z' => self.threads > 1,
            'X' | 'x' => false,
            _ => true,
        }
    }
}

/// The pids of all processes that are visible now.
pub(super) fn pids() -> Result<Vec<u32>> {
    let mut pids = Vec::new();
    for entry in fs::read_dir("/proc").map_err(|cause| failure("/proc", cause))? {
        let name = entry.map_err(|cause| failure("/proc", cause))?.file_name();
        pids.extend(name.to_str().and_then(|name| name.parse::<u32>().ok()));
    }
    Ok(pids)
}

/// The live processes of one process group.
pub(super) fn members(group: u32) -> Result<Vec<u32>> {
    let mut members = Vec::new();
    for pid in pids()? {
        if Stat::visible(pid)?.is_some_and(|stat| stat.group == group && stat.is_live()) {
            members.push(pid);
        }
    }
    Ok(members)
}

/// Whether the environment a process was started with holds exactly `marker`, as `NAME=value`.
///
/// An environment that may not be read belongs to somebody else, so it does not.
pub(super) fn carries(pid: u32, marker: &[u8]) -> bool {
    environ(pid).is_ok_and(|environ| environ.split(|byte| *byte == 0).any(|entry| entry == marker))
}

/// The environment a process was started with.
///
/// While exec replaces it, it reads as empty or breaks off anywhere. So what was read counts only
/// if it is as long as the kernel says that the environment is, which says nothing during exec.
fn environ(pid: u32) -> io::Result<Vec<u8>> {
    // Read at once: in pieces it would break off more often.
    let mut environ = Vec::with_capacity(ENVIRON_BYTES);
    for _ in 0..EXEC_LOOKS {
        environ.clear();
        File::open(format!("/proc/{pid}/environ"))?.read_to_end(&mut environ)?;
        match environ_bytes(&fs::read(format!("/proc/{pid}/stat"))?) {
            Some(bytes) if bytes == environ.len() => break,
            Some(_) => {}
            None => thread::sleep(EXEC_PAUSE),
        }
    }
    Ok(environ)
}

/// How many bytes of environment a process has, by its `/proc/<pid>/stat`; `None` in the middle of
/// exec, which sets the bounds of the code after those of the environment.
fn environ_bytes(stat: &[u8]) -> Option<usize> {
    let text = String::from_utf8_lossy(stat);
    let (_, fields) = text.rsplit_once(')')?;
    let mut fields = fields.split_ascii_whitespace();
    let code = fields.nth(CODE_FIELD)?;
    let first: usize = fields.nth(ENVIRON_FIELD - CODE_FIELD - 1)?.parse().ok()?;
    let end: usize = fields.next()?.parse().ok()?;
    if code == "0" { None } else { end.checked_sub(first) }
}

/// Which run of the kernel this is.
pub(super) fn boot_id() -> Result<String> {
    let path = "/proc/sys/kernel/random/boot_id";
    let text = fs::read_to_string(path).map_err(|cause| failure(path, cause))?;
    Ok(text.trim_end().to_owned())
}

/// The pid namespace this program runs in.
pub(super) fn pid_namespace() -> Result<String> {
    let path = "/proc/self/ns/pid";
    let link = fs::read_link(path).map_err(|cause| failure(path, cause))?;
    Ok(link.to_string_lossy().into_owned())
}

/// A pid as the system calls take it; `None` for zero and what no process can have.
pub(super) fn raw(pid: u32) -> Option<Pid> {
    i32::try_from(pid).ok().filter(|pid| *pid > 0).and_then(Pid::from_raw)
}

fn is_gone(cause: &io::Error) -> bool {
    cause.kind() == ErrorKind::NotFound || cause.raw_os_error() == Some(Errno::SRCH.raw_os_error())
}

fn failure(path: &str, cause: io::Error) -> Error {
    Error::unavailable(format!("{path} cannot be read")).with_source(cause)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stat(comm: &str, state: char, threads: u32) -> Option<Stat> {
        let text = format!(
            "42 ({comm}) {state} 1 7 7 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 {threads} 0 991 1 2 3\n"
        );
        Stat::parse(&text)
    }

    #[test]
    fn names_with_spaces_and_parentheses_are_read_past() {
        for comm in ["sh", "a b", ") Z 1 2 (", "((", "))", ""] {
            let expected = Stat {
                state: 'S',
                parent: 1,
                group: 7,
                is_kernel: false,
                threads: 1,
                start_ticks: 991,
            };
            assert_eq!(stat(comm, 'S', 1), Some(expected), "{comm:?}");
        }
    }

    #[test]
    fn threads_of_the_kernel_are_told_apart() {
        let text = "2 (kthreadd) S 0 0 0 0 -1 2129984 0 0 0 0 0 0 0 0 20 0 1 0 6 0 0\n";
        assert!(Stat::parse(text).unwrap().is_kernel);
    }

    #[test]
    fn text_of_another_form_is_no_process() {
        for text in ["", "42", "42 (sh)", "42 (sh) S 1 7", "42 (sh) S x x x"] {
            assert_eq!(Stat::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_zombie_is_dead_unless_other_threads_run_on() {
        assert!(stat("sh", 'R', 1).unwrap().is_live());
        assert!(stat("sh", 'D', 1).unwrap().is_live());
        assert!(stat("sh", 'T', 1).unwrap().is_live());
        assert!(!stat("sh", 'Z', 1).unwrap().is_live());
        assert!(stat("sh", 'Z', 2).unwrap().is_live());
        assert!(!stat("sh", 'X', 0).unwrap().is_live());
    }

    #[test]
    fn a_process_that_is_being_reaped_is_dead_and_in_no_group() {
        let text = "42 (sh) Z 1 -1 -1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 0 0 991 1 2 3\n";
        let stat = Stat::parse(text).unwrap();
        assert_eq!((stat.group, stat.start_ticks, stat.is_live()), (0, 991, false));
    }

    #[test]
    fn a_marker_is_seen_also_while_its_process_is_in_exec() {
        let mut restless = std::process::Command::new("/bin/sh")
            .args(["-c", "exec \"$0\" -c \"$1\" \"$0\" \"$1\"", "/bin/sh"])
            .arg("exec \"$0\" -c \"$1\" \"$0\" \"$1\"")
            .env("OUTLAST_TASK_ID", "restless")
            .spawn()
            .unwrap();
        let seen = (0..5000).filter(|_| carries(restless.id(), b"OUTLAST_TASK_ID=restless"));
        let seen = seen.count();
        restless.kill().unwrap();
        restless.wait().unwrap();
        assert_eq!(seen, 5000);
    }

    #[test]
    fn this_very_process_is_found() {
        let pid = std::process::id();
        assert!(pids().unwrap().contains(&pid));
        let stat = Stat::of(pid).unwrap().unwrap();
        assert!(stat.is_live());
        assert!(members(stat.group).unwrap().contains(&pid));
    }
}
