//! Finding the program before anything is spawned, so that a typing error is an error of the
//! caller and not a task that failed.

use std::env;
use std::ffi::OsString;
use std::path::{self, Path, PathBuf};

use outlast_core::{CommandLine, Error, Result};
use rustix::fs::{Access, access};

use super::spec::Spec;

/// The shell that runs the gate and [`CommandLine::Shell`].
pub(super) const SHELL: &str = "/bin/sh";

/// Where programs are looked for if there is no `PATH` at all, as exec does.
const DEFAULT_PATH: &str = "/bin:/usr/bin";

/// The program's full path and its arguments. `Invalid`, naming the culprit, if the directory or
/// the program does not exist or may not be entered or run.
pub(super) fn resolve(spec: &Spec) -> Result<Vec<OsString>> {
    spec.check()?;
    if let Some(cwd) = &spec.cwd {
        enterable(cwd)?;
    }
    let words: Vec<&str> = match &spec.command {
        CommandLine::Shell(line) => vec![SHELL, "-c", line],
        CommandLine::Direct(words) => words.iter().map(String::as_str).collect(),
    };
    let (program, arguments) = match words.split_first() {
        Some((program, arguments)) if !program.is_empty() => (program, arguments),
        _ => return Err(Error::invalid("the command names no program")),
    };
    let mut argv = vec![find(program, spec)?.into_os_string()];
    argv.extend(arguments.iter().map(OsString::from));
    Ok(argv)
}

fn find(program: &str, spec: &Spec) -> Result<PathBuf> {
    let cwd = directory(spec)?;
    if program.contains('/') {
        let path = cwd.join(program);
        return match is_runnable(&path) {
            true => Ok(path),
            false if path.is_file() => {
                Err(Error::invalid(format!("program {} is not executable", path.display())))
            }
            false if path.is_dir() => {
                Err(Error::invalid(format!("program {} is a directory", path.display())))
            }
            false => Err(Error::invalid(format!("program {} does not exist", path.display()))),
        };
    }
    let path = match spec.env.get("PATH") {
        Some(path) => OsString::from(path),
        None => env::var_os("PATH").unwrap_or_else(|| DEFAULT_PATH.into()),
    };
    env::split_paths(&path)
        .map(|place| cwd.join(place).join(program))
        .find(|path| is_runnable(path))
        .ok_or_else(|| Error::invalid(format!("program {program:?} is not in PATH")))
}

/// The directory the task runs in, as an absolute path.
fn directory(spec: &Spec) -> Result<PathBuf> {
    let cwd = spec.cwd.as_deref().unwrap_or(Path::new("."));
    path::absolute(cwd)
        .map_err(|cause| Error::invalid("the directory of this program is gone").with_source(cause))
}

fn enterable(cwd: &Path) -> Result<()> {
    let metadata = cwd.metadata().map_err(|cause| {
        Error::invalid(format!("directory {} cannot be entered", cwd.display())).with_source(cause)
    })?;
    if !metadata.is_dir() {
        return Err(Error::invalid(format!("{} is not a directory", cwd.display())));
    }
    access(cwd, Access::EXEC_OK).map_err(|cause| {
        Error::invalid(format!("directory {} may not be entered", cwd.display())).with_source(cause)
    })
}

fn is_runnable(path: &Path) -> bool {
    path.is_file() && access(path, Access::EXEC_OK).is_ok()
}
