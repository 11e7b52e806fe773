//! Reading a file of work: tasks, or a pipeline over hosts.

mod pipeline;
mod task;

use std::path::Path;

use outlast::tasks::TaskFile;
use outlast::{CommandLine, Error, PipelineRecovery, Result};
use serde::Deserialize;
use toml::Value;

use crate::config::Config;
use crate::jobs::pipeline::{HostTable, StageTable};
use crate::jobs::task::TaskTable;
use crate::text_file::{self, line_of};

pub(crate) use pipeline::{LocalHost, PipelineFile};

/// No file of work is longer.
const MOST_MIB: u64 = 16;

/// What a file asks for.
#[derive(Debug)]
pub(crate) enum Work {
    /// Tasks, each for itself.
    Tasks(TaskFile),
    /// One pipeline.
    Pipeline(PipelineFile),
}

/// The whole file: `[[task]]` tables, or `name`, `[[host]]` and `[[stage]]`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Jobs {
    #[serde(default)]
    task: Vec<TaskTable>,
    name: Option<String>,
    recovery: Option<PipelineRecovery>,
    #[serde(default)]
    host: Vec<HostTable>,
    #[serde(default)]
    stage: Vec<StageTable>,
}

impl Jobs {
    fn is_pipeline(&self) -> bool {
        let is_named = self.name.is_some() || self.recovery.is_some();
        is_named || !self.host.is_empty() || !self.stage.is_empty()
    }
}

/// What a file asks for; `Invalid`, in one line with the path, for anything else.
pub(crate) fn read(path: &Path, config: &Config) -> Result<Work> {
    let place = path.display().to_string();
    let text = text_file::read(path, "a file of tasks or of a pipeline", MOST_MIB)?;
    let jobs: Jobs = toml::from_str(&text).map_err(|cause| {
        let line = cause.span().map_or(1, |span| line_of(&text, span.start));
        let message = cause.message().replace('\n', " ");
        Error::invalid(format!("{place}: line {line}: {message}"))
    })?;
    match (jobs.task.is_empty(), jobs.is_pipeline()) {
        (true, false) => Err(Error::invalid(format!(
            "{place}: there is no [[task]] in it, and no [[host]] with a [[stage]] either"
        ))),
        (false, true) => Err(Error::invalid(format!(
            "{place}: [[task]] cannot stand beside name, recovery, [[host]] and [[stage]], which \
             make a pipeline: write two files"
        ))),
        (false, false) => task::file(place, jobs.task, config).map(Work::Tasks),
        (true, true) => pipeline::file(path, jobs).map(Work::Pipeline),
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Cli;
    use crate::config::Sources;
    use clap::Parser as _;
    use outlast::ErrorKind;

    fn read_text(text: impl AsRef<[u8]>) -> Result<Work> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        let cli = Cli::parse_from(["outlast", "ps"]);
        read(file.path(), &Config::load(&cli.global, &Sources::default()).unwrap())
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
