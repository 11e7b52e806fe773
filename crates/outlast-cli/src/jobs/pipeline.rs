//! A pipeline over local hosts, as a file describes it.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use outlast::fleet::pipeline::Definition;
use outlast::process::Spec;
use outlast::{CommandLine, Error, OpSpec, PipelineRecovery, Result};
use serde::Deserialize;
use toml::Value;

use crate::jobs::{Jobs, command};

/// One `[[host]]`: a folder of this machine.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HostTable {
    name: String,
    cwd: PathBuf,
    #[serde(default)]
    create: bool,
}

/// One `[[stage]]`. What is absent is as an operation has it by itself.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StageTable {
    name: String,
    command: Value,
    #[serde(default)]
    env: BTreeMap<String, String>,
    warning_ms: Option<u64>,
    timeout_ms: Option<u64>,
    #[serde(default)]
    retryable: bool,
}

/// A pipeline and the hosts it runs on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PipelineFile {
    /// The file, as it was named.
    pub(crate) place: String,
    /// The pipeline. Its hosts are known by their names.
    pub(crate) definition: Definition,
    /// Where each stage runs.
    pub(crate) hosts: Vec<LocalHost>,
}

/// A folder of this machine that commands run in, as if it were a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LocalHost {
    /// What it is called.
    pub(crate) name: String,
    /// The folder, in full: resumed from elsewhere, the pipeline still runs there.
    pub(crate) cwd: String,
    /// Whether the folder is made if it is not there.
    pub(crate) create: bool,
}

/// The pipeline of a file. A folder that is not there is refused, unless it is to be made.
pub(super) fn file(path: &Path, jobs: Jobs) -> Result<PipelineFile> {
    let place = path.display().to_string();
    let name = jobs.name.ok_or_else(|| {
        Error::invalid(format!("{place}: the pipeline has no name: write name = \"...\" on top"))
    })?;
    if jobs.host.is_empty() {
        return Err(Error::invalid(format!("{place}: there is no [[host]] for its stages")));
    }
    if jobs.stage.is_empty() {
        return Err(Error::invalid(format!("{place}: there is no [[stage]] for its hosts")));
    }
    let folder = folder_of(path)?;
    let hosts = jobs.host.into_iter().map(|table| {
        let name = table.name.clone();
        host(table, &folder).map_err(|error| error.context(format!("{place}: host {name:?}")))
    });
    let hosts: Vec<LocalHost> = hosts.collect::<Result<_>>()?;
    let stages = jobs.stage.into_iter().map(|table| {
        let name = table.name.clone();
        stage(table).map_err(|error| error.context(format!("{place}: stage {name:?}")))
    });
    let stages: Vec<OpSpec> = stages.collect::<Result<_>>()?;
    let names = hosts.iter().map(|host| host.name.as_str());
    let definition = Definition::new(name, names, stages).map_err(|error| error.context(&place))?;
    // Somebody has to ask for it, so it is not done again by itself.
    let recovery = jobs.recovery.unwrap_or(PipelineRecovery::Resume);
    Ok(PipelineFile { definition: definition.recovery(recovery), place, hosts })
}

/// The folder a file lies in, in full.
fn folder_of(path: &Path) -> Result<PathBuf> {
    let here = env::current_dir()
        .map_err(|cause| Error::invalid("the working directory is gone").with_source(cause))?;
    Ok(here.join(path).parent().map_or(here.clone(), Path::to_path_buf))
}

fn host(table: HostTable, folder: &Path) -> Result<LocalHost> {
    let cwd = folder.join(table.cwd);
    match fs::metadata(&cwd) {
        Ok(found) if found.is_dir() => {}
        Ok(_) => return Err(Error::invalid(format!("{} is not a folder", cwd.display()))),
        Err(_) if table.create => {}
        Err(cause) => {
            let message =
                format!("there is no folder {}: make it, or say create = true", cwd.display());
            return Err(Error::invalid(message).with_source(cause));
        }
    }
    let cwd = cwd.into_os_string().into_string();
    let cwd = cwd.map_err(|_| Error::invalid("its folder is not UTF-8 text"))?;
    Ok(LocalHost { name: table.name, cwd, create: table.create })
}

fn stage(table: StageTable) -> Result<OpSpec> {
    let usual = OpSpec::new(&table.name);
    let timeout_ms = table.timeout_ms.unwrap_or(usual.timeout_ms);
    let spec = OpSpec {
        run: Some(command(table.command)?),
        env: table.env,
        warning_ms: table.warning_ms.unwrap_or(usual.warning_ms.min(timeout_ms)),
        timeout_ms,
        retryable: table.retryable,
        ..usual
    };
    check(&spec)?;
    Ok(spec)
}

fn check(spec: &OpSpec) -> Result<()> {
    let line = spec.run.clone().unwrap_or(CommandLine::Direct(Vec::new()));
    let mut process = Spec::new("any", line);
    process.env.clone_from(&spec.env);
    process.check()
}

impl LocalHost {
    /// Makes its folder, if it is to be made.
    pub(crate) fn prepare(&self) -> Result<()> {
        if !self.create {
            return Ok(());
        }
        fs::create_dir_all(&self.cwd).map_err(|cause| {
            let message = format!("folder {} of host {:?} cannot be made", self.cwd, self.name);
            Error::invalid(message).with_source(cause)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Cli;
    use crate::config::{Config, Sources};
    use crate::jobs::{Work, read};
    use clap::Parser as _;

    fn read_text(folder: &Path, text: &str) -> Result<PipelineFile> {
        let path = folder.join("pipeline.toml");
        fs::write(&path, text).unwrap();
        let cli = Cli::parse_from(["outlast", "ps"]);
        match read(&path, &Config::load(&cli.global, &Sources::default()).unwrap())? {
            Work::Pipeline(file) => Ok(file),
            Work::Tasks(file) => panic!("{file:?}"),
        }
    }

    #[test]
    fn a_whole_pipeline_is_read() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("a")).unwrap();
        let file = read_text(
            folder.path(),
            r#"
            name = "deploy"
            recovery = "resume"
            [[host]]
            name = "a"
            cwd = "a"
            [[host]]
            name = "b"
            cwd = "made/b"
            create = true
            [[stage]]
            name = "pull"
            command = "git pull"
            [[stage]]
            name = "test"
            command = ["cargo", "test"]
            env = { A = "1" }
            warning_ms = 5
            timeout_ms = 7
            retryable = true
            "#,
        )
        .unwrap();
        assert_eq!(file.definition.name(), "deploy");
        assert_eq!(file.definition.hosts(), ["a", "b"]);
        let [a, b] = &file.hosts[..] else { panic!("{file:?}") };
        let in_folder = |name| folder.path().join(name).to_str().unwrap().to_owned();
        assert_eq!((a.cwd.clone(), a.create), (in_folder("a"), false));
        assert_eq!((b.cwd.clone(), b.create), (in_folder("made/b"), true));
        assert!(!Path::new(&b.cwd).exists(), "reading makes nothing");
        b.prepare().unwrap();
        assert!(Path::new(&b.cwd).is_dir());
        let [pull, test] = file.definition.stages() else { panic!("{file:?}") };
        assert_eq!(pull.run, Some(CommandLine::Shell("git pull".into())));
        assert_eq!((pull.timeout_ms, pull.retryable), (OpSpec::new("pull").timeout_ms, false));
        assert_eq!((test.warning_ms, test.timeout_ms, test.retryable), (5, 7, true));
    }

    #[test]
    fn what_is_no_pipeline_is_refused_in_one_line() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("file"), "").unwrap();
        let host = "[[host]]\nname = 'a'\ncwd = '.'\n";
        let stage = "[[stage]]\nname = 's'\ncommand = 'true'\n";
        let table = [
            (format!("{host}{stage}"), "no name"),
            ("name = 'p'".to_owned(), "no [[host]]"),
            (format!("name = 'p'\n{host}"), "no [[stage]]"),
            (format!("name = 'p'\n{stage}"), "no [[host]]"),
            (format!("name = 'p'\n{host}{host}{stage}"), "names host \"a\" twice"),
            (format!("name = 'p'\n[[host]]\nname = 'a'\ncwd = 'gone'\n{stage}"), "no folder"),
            (format!("name = 'p'\n[[host]]\nname = 'a'\ncwd = 'file'\n{stage}"), "not a folder"),
            (format!("name = 'p'\n[[host]]\nname = 'a'\nip = '1'\n{stage}"), "`cwd`"),
            (format!("name = 'p'\n{host}[[stage]]\nname = 's'\nrun = 'x'"), "`command`"),
            (format!("name = 'p'\n{host}[[stage]]\nname = 's'\ncommand = 1"), "sh -c"),
            (format!("name = 'p'\n{host}{stage}env = {{ 'a b' = '1' }}"), "environment variable"),
            (format!("name = 'p'\nrecovery = 'retry'\n{host}{stage}"), "`resume`"),
            (format!("name = 'p'\n{host}{stage}[[task]]\nname = 't'\ncommand = 'x'"), "two files"),
        ];
        for (text, what) in table {
            let error = read_text(folder.path(), &text).unwrap_err();
            assert_eq!(error.kind(), outlast::ErrorKind::Invalid);
            let message = error.to_string();
            assert!(message.contains(what) && !message.contains('\n'), "{what}: {message}");
        }
    }
}
