//! Reading a file of tasks.

use std::collections::BTreeMap;
use std::env;
use std::path::{Path, PathBuf};

use outlast::tasks::TaskFile;
use outlast::{CommandLine, Error, OnIdle, RecoveryPolicy, Result, TaskSpec};
use serde::Deserialize;
use toml::Value;

use crate::config::Config;
use crate::text_file::{self, line_of};

/// No file of tasks is longer.
const MOST_MIB: u64 = 16;

/// The whole file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Jobs {
    #[serde(default)]
    task: Vec<Job>,
}

/// One `[[task]]`. What is absent is taken from the configuration.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Job {
    name: String,
    command: Value,
    cwd: Option<PathBuf>,
    #[serde(default)]
    env: BTreeMap<String, String>,
    recovery: Option<RecoveryPolicy>,
    max_attempts: Option<u32>,
    idle_threshold_ms: Option<u64>,
    on_idle: Option<OnIdle>,
}

/// The tasks of a file; `Invalid`, in one line with the path, for anything else.
pub(crate) fn read(path: &Path, config: &Config) -> Result<TaskFile> {
    let place = path.display().to_string();
    let text = text_file::read(path, "a file of tasks", MOST_MIB)?;
    let jobs: Jobs = toml::from_str(&text).map_err(|cause| {
        let line = cause.span().map_or(1, |span| line_of(&text, span.start));
        let message = cause.message().replace('\n', " ");
        Error::invalid(format!("{place}: line {line}: {message}"))
    })?;
    if jobs.task.is_empty() {
        return Err(Error::invalid(format!("{place}: there is no [[task]] in it")));
    }
    let specs = jobs.task.into_iter().map(|job| {
        let name = job.name.clone();
        spec(job, config).map_err(|error| error.context(format!("{place}: task {name:?}")))
    });
    let specs = specs.collect::<Result<_>>()?;
    TaskFile::new(place, specs)
}

fn spec(job: Job, config: &Config) -> Result<TaskSpec> {
    let default_threshold = u64::try_from(config.idle_threshold.as_millis()).unwrap_or(u64::MAX);
    Ok(TaskSpec {
        name: job.name,
        command: command(job.command)?,
        cwd: directory(job.cwd)?,
        env: job.env,
        recovery: job.recovery.unwrap_or(config.recovery),
        max_attempts: job.max_attempts,
        idle_threshold_ms: job.idle_threshold_ms.unwrap_or(default_threshold),
        on_idle: job.on_idle.unwrap_or(config.on_idle),
    })
}

fn command(value: Value) -> Result<CommandLine> {
    let other = || {
        Error::invalid(
            "command must be a text, which goes through sh -c, or a list of texts, which is a \
             program and its arguments",
        )
    };
    match value {
        Value::String(line) => Ok(CommandLine::Shell(line)),
        Value::Array(words) => {
            let words = words.into_iter().map(|word| match word {
                Value::String(word) => Ok(word),
                _ => Err(other()),
            });
            Ok(CommandLine::Direct(words.collect::<Result<_>>()?))
        }
        _ => Err(other()),
    }
}

/// Where the task runs, in full: resumed from elsewhere, it still runs there.
fn directory(cwd: Option<PathBuf>) -> Result<Option<String>> {
    let here = env::current_dir()
        .map_err(|cause| Error::invalid("the working directory is gone").with_source(cause))?;
    let cwd = cwd.map_or(here.clone(), |cwd| here.join(cwd));
    let text = cwd.into_os_string().into_string();
    text.map(Some).map_err(|_| Error::invalid("the directory it runs in is not UTF-8 text"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Cli;
    use crate::config::Sources;
    use clap::Parser as _;
    use outlast::ErrorKind;

    fn read_text(text: impl AsRef<[u8]>) -> Result<TaskFile> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        let cli = Cli::parse_from(["outlast", "ps"]);
        read(file.path(), &Config::load(&cli.global, &Sources::default()).unwrap())
    }

    #[test]
    fn a_whole_task_is_read() {
        let file = read_text(
            r#"
            [[task]]
            name = "a"
            command = "echo $A"
            [[task]]
            name = "b"
            command = ["ls", "-l"]
            cwd = "/tmp"
            env = { A = "1" }
            recovery = "restart"
            max_attempts = 3
            idle_threshold_ms = 5
            on_idle = "interrupt"
            "#,
        )
        .unwrap();
        let [a, b] = file.tasks() else { panic!("{file:?}") };
        assert_eq!(a.command, CommandLine::Shell("echo $A".into()));
        assert_eq!(a.cwd.as_deref(), env::current_dir().unwrap().to_str());
        assert_eq!((a.recovery, a.idle_threshold_ms), (RecoveryPolicy::Interrupted, 60_000));
        assert_eq!(b.command, CommandLine::Direct(vec!["ls".into(), "-l".into()]));
        assert_eq!((b.cwd.as_deref(), b.max_attempts), (Some("/tmp"), Some(3)));
        assert_eq!((b.recovery, b.on_idle), (RecoveryPolicy::Restart, OnIdle::Interrupt));
        assert_eq!((b.idle_threshold_ms, b.env["A"].as_str()), (5, "1"));
    }

    #[test]
    fn what_is_no_file_of_tasks_is_refused_in_one_line() {
        let table: [(&[u8], &str); 12] = [
            (b"", "no [[task]]"),
            (b"# nothing", "no [[task]]"),
            (b"\xff\xfe", "binary"),
            (b"[[task]", "line 1"),
            (b"[[task]]\ncommand = 'x'", "name"),
            (b"[[task]]\nname = 'a'", "command"),
            (b"[[task]]\nname = 'a'\ncommand = 3", "sh -c"),
            (b"[[task]]\nname = 'a'\ncommand = [1]", "sh -c"),
            (b"[[task]]\nname = ''\ncommand = 'x'", "empty name"),
            (b"[[task]]\nname = 'a'\ncommand = 'x'\nidle = 3", "`idle_threshold_ms`"),
            (b"[[job]]\nname = 'a'", "`task`"),
            (b"[[task]]\nname = 'a'\ncommand = 'x'\nrecovery = 'retry'", "`restart`"),
        ];
        for (text, what) in table {
            let error = read_text(text).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Invalid);
            let message = error.to_string();
            assert!(message.contains(what) && !message.contains('\n'), "{what}: {message}");
        }
    }

    #[test]
    fn paths_that_are_no_files_are_named() {
        let cli = Cli::parse_from(["outlast", "ps"]);
        let config = Config::load(&cli.global, &Sources::default()).unwrap();
        for path in ["/no/such/jobs.toml", "/tmp", "/dev/zero"] {
            let error = read(Path::new(path), &config).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Invalid);
            assert!(error.to_string().starts_with(path), "{error}");
        }
    }
}
