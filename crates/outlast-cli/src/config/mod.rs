//! Settings: from the defaults, two files, the environment and the arguments.
//!
//! Each later one overrides the ones before, key by key. A value that cannot be read is refused
//! wherever it stands, also where it is overridden, and so is a key that does not exist.

mod file;
mod key;
mod retention;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use etcetera::BaseStrategy as _;
use outlast::migration::Flags;
use outlast::recovery::Table;
use outlast::retention::Policies;
use outlast::{Error, Location, OnIdle, RecoveryPolicy, Result};

use crate::args::Global;
use crate::config::key::Key;
use crate::exit;
pub(crate) use key::overrides;

/// What the program goes by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Config {
    /// Where the store is.
    pub(crate) db: Location,
    /// How many tasks run at once.
    pub(crate) max_concurrent: usize,
    /// How long a task may take to end after it was asked to.
    pub(crate) grace: Duration,
    /// What recovery does about a task whose file says nothing.
    pub(crate) recovery: RecoveryPolicy,
    /// After how long without output a task counts as idle.
    pub(crate) idle_threshold: Duration,
    /// What happens then.
    pub(crate) on_idle: OnIdle,
    /// How long captured output may wait before it is written.
    pub(crate) flush_interval: Duration,
    /// What recovery does about which state of which kind.
    pub(crate) recover: Table,
    /// Whether what was read has to be unchanged when it is written.
    pub(crate) locking: bool,
    /// Whether who changed something and why is recorded.
    pub(crate) audit: bool,
    /// Where it is noted which kinds are beyond memory.
    pub(crate) state_dir: PathBuf,
    /// Whether there is to be a database beside memory.
    pub(crate) persistence: bool,
    /// Which kinds are wished to be in it.
    pub(crate) use_database: Flags,
    /// How long what is over is kept.
    pub(crate) retention: Policies,
}

/// Where settings come from besides the arguments.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sources {
    /// The environment.
    pub(crate) env: Vec<(OsString, OsString)>,
    /// Files that need not be there, the weakest first.
    pub(crate) files: Vec<PathBuf>,
}

const FILE: &str = "outlast.toml";
const FILE_ENV: &str = "OUTLAST_CONFIG";

/// Set for the processes of a task, and no settings.
const MARKERS: [&str; 3] = ["OUTLAST_TASK_ID", "OUTLAST_RUN_ID", "OUTLAST_ATTEMPT"];

impl Sources {
    /// Those of this process.
    pub(crate) fn of_process() -> Self {
        let home = etcetera::choose_base_strategy().ok();
        let home = home.map(|home| home.config_dir().join("outlast").join("config.toml"));
        let files = home.into_iter().chain([PathBuf::from(FILE)]).collect();
        Self { env: std::env::vars_os().collect(), files }
    }

    fn named_file(&self) -> Option<&Path> {
        let mut env = self.env.iter();
        env.find(|(name, _)| name == FILE_ENV).map(|(_, path)| Path::new(path))
    }
}

impl Config {
    /// Puts all settings together; `Invalid`, naming where it stands, for one that is wrong.
    pub(crate) fn load(flags: &Global, sources: &Sources) -> Result<Self> {
        let mut config = Self::defaults()?;
        match flags.config.as_deref().or_else(|| sources.named_file()) {
            Some(path) => config.apply_file(path, true)?,
            None => sources.files.iter().try_for_each(|path| config.apply_file(path, false))?,
        }
        config.apply_env(&sources.env)?;
        if let Some(db) = &flags.db {
            config.db = db.parse().map_err(|error: Error| error.context("--db"))?;
        }
        Ok(config)
    }

    fn defaults() -> Result<Self> {
        let mut config = Self {
            db: Location::Memory,
            max_concurrent: 0,
            grace: Duration::ZERO,
            recovery: RecoveryPolicy::default(),
            idle_threshold: Duration::ZERO,
            on_idle: OnIdle::default(),
            flush_interval: Duration::ZERO,
            recover: Table::default(),
            locking: true,
            audit: true,
            state_dir: PathBuf::new(),
            persistence: true,
            use_database: Flags::default(),
            retention: Policies::default(),
        };
        Key::all().try_for_each(|key| (key.set)(&mut config, key.default))?;
        Ok(config)
    }

    fn apply_file(&mut self, path: &Path, must_be: bool) -> Result<()> {
        let Some(settings) = file::read(path, must_be)? else { return Ok(()) };
        for (name, value) in settings {
            let place = path.display();
            let key = Key::named(&name).ok_or_else(|| {
                let names: Vec<_> = Key::all().map(|key| key.name).collect();
                let names = names.join(", ");
                Error::invalid(format!("{place}: there is no setting {name:?}; there are {names}"))
            })?;
            (key.set)(self, &value).map_err(|error| error.context(format!("{place}: {name}")))?;
        }
        Ok(())
    }

    fn apply_env(&mut self, env: &[(OsString, OsString)]) -> Result<()> {
        for (name, value) in env {
            let Some(name) = name.to_str().filter(|name| name.starts_with("OUTLAST_")) else {
                continue;
            };
            if name == FILE_ENV || MARKERS.contains(&name) {
                continue;
            }
            let key = Key::all().find(|key| key.env == name).ok_or_else(|| {
                let names: Vec<_> = Key::all().map(|key| key.env).chain([FILE_ENV]).collect();
                let names = names.join(", ");
                Error::invalid(format!("there is no setting {name} to take; there are {names}"))
            })?;
            let value = value
                .to_str()
                .ok_or_else(|| Error::invalid(format!("{name}: the value is not UTF-8 text")))?;
            (key.set)(self, value).map_err(|error| error.context(name))?;
        }
        Ok(())
    }
}

/// The settings and the exit codes, for `--help`.
pub(crate) fn help() -> String {
    let lines = Key::all().map(|key| {
        let Key { name, env, default, about, .. } = key;
        format!("  {name}, {env}\n      {about} [default: {default}]\n")
    });
    let settings: String = lines.collect();
    format!("{ABOUT_SETTINGS}\n{settings}\n{}", exit::HELP)
}

const ABOUT_SETTINGS: &str = "\
Settings are taken from the arguments, else the environment, else ./outlast.toml, else
outlast/config.toml in $XDG_CONFIG_HOME or ~/.config. --config or OUTLAST_CONFIG names
one file to read instead of the two. A dot is a table: retention.tasks is tasks below
[retention]. Other settings, also in the environment, are refused. There are:
";

#[cfg(test)]
mod tests;
