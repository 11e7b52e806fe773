//! Tasks, as a file names them.

use std::collections::BTreeMap;
use std::env;
use std::path::PathBuf;

use outlast::tasks::TaskFile;
use outlast::{Error, OnIdle, RecoveryPolicy, Result, TaskSpec};
use serde::Deserialize;
use toml::Value;

use crate::config::Config;
use crate::jobs::command;

/// One `[[task]]`. What is absent is taken from the configuration.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TaskTable {
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

/// The tasks of the file at this place.
pub(super) fn file(place: String, tables: Vec<TaskTable>, config: &Config) -> Result<TaskFile> {
    let specs = tables.into_iter().map(|table| {
        let name = table.name.clone();
        spec(table, config).map_err(|error| error.context(format!("{place}: task {name:?}")))
    });
    let specs = specs.collect::<Result<_>>()?;
    TaskFile::new(place, specs)
}

fn spec(table: TaskTable, config: &Config) -> Result<TaskSpec> {
    let default_threshold = u64::try_from(config.idle_threshold.as_millis()).unwrap_or(u64::MAX);
    Ok(TaskSpec {
        name: table.name,
        command: command(table.command)?,
        cwd: directory(table.cwd)?,
        env: table.env,
        recovery: table.recovery.unwrap_or(config.recovery),
        max_attempts: table.max_attempts,
        idle_threshold_ms: table.idle_threshold_ms.unwrap_or(default_threshold),
        on_idle: table.on_idle.unwrap_or(config.on_idle),
    })
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
    use outlast::CommandLine;

    fn read_text(text: &str) -> Result<TaskFile> {
        let cli = Cli::parse_from(["outlast", "ps"]);
        let config = Config::load(&cli.global, &Sources::default()).unwrap();
        let mut table: BTreeMap<String, Vec<TaskTable>> = toml::from_str(text).unwrap();
        file("jobs.toml".into(), table.remove("task").unwrap(), &config)
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
}
