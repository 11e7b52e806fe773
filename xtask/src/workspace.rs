//! What `cargo metadata` and the files say about this workspace, and how cargo is called.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fs, io};

use serde::Deserialize;

use crate::Result;

/// The members of the workspace, as `cargo metadata` lists them.
#[derive(Debug, Deserialize)]
pub(crate) struct Workspace {
    pub(crate) packages: Vec<Package>,
    #[serde(rename = "workspace_root")]
    pub(crate) root: PathBuf,
    #[serde(rename = "target_directory")]
    pub(crate) target: PathBuf,
}

#[derive(Debug, Default, Deserialize)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) description: Option<String>,
    pub(crate) license: Option<String>,
    pub(crate) keywords: Vec<String>,
    pub(crate) dependencies: Vec<Dependency>,
    pub(crate) features: std::collections::BTreeMap<String, Vec<String>>,
    pub(crate) targets: Vec<Target>,
    pub(crate) manifest_path: PathBuf,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Target {
    kind: Vec<String>,
    name: String,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    /// Absent for what the library itself needs; `dev` or `build` for the others.
    pub(crate) kind: Option<String>,
}

impl Workspace {
    pub(crate) fn read() -> Result<Self> {
        let mut command = cargo(&["metadata", "--format-version", "1", "--no-deps"]);
        let output = command.stderr(Stdio::inherit()).output()?;
        if !output.status.success() {
            return Err("cargo metadata failed; mend the manifest it names".into());
        }
        Ok(serde_json::from_slice(&output.stdout)?)
    }

    /// Every Rust file of the members, as a path from the root and its text.
    pub(crate) fn sources(&self) -> Result<Vec<(String, String)>> {
        let mut found = Vec::new();
        for package in &self.packages {
            let folder = package.manifest_path.parent().unwrap_or(&self.root);
            collect(folder, &mut found)?;
        }
        let mut sources = found
            .into_iter()
            .map(|path| {
                let name = path.strip_prefix(&self.root).unwrap_or(&path);
                Ok((name.display().to_string(), fs::read_to_string(&path)?))
            })
            .collect::<Result<Vec<_>>>()?;
        sources.sort();
        Ok(sources)
    }
}

impl Package {
    /// Whether it has an integration test of this name.
    pub(crate) fn has_test(&self, name: &str) -> bool {
        let mut tests = self.targets.iter().filter(|target| target.kind == ["test"]);
        tests.any(|target| target.name == name)
    }
}

fn collect(folder: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let (path, kind) = entry.and_then(|entry| Ok((entry.path(), entry.file_type()?)))?;
        if kind.is_dir() {
            collect(&path, found)?;
        } else if kind.is_file() && path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    Ok(())
}

/// The root of the workspace, where the chores run whatever folder they are called from.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_owned()
}

/// A call of the cargo that built this program, in the root.
pub(crate) fn cargo(args: &[&str]) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(args).current_dir(root()).stdin(Stdio::null());
    command
}

/// Runs a command to its end and says whether it succeeded. Its output is shown; on standard
/// error when standard output belongs to a report.
pub(crate) fn succeeds(command: &mut Command, json: bool) -> Result<bool> {
    if json {
        command.stdout(Stdio::from(io::stderr()));
    }
    let status = command.status().map_err(|error| {
        format!("{} did not start: {error}", command.get_program().to_string_lossy())
    })?;
    Ok(status.success())
}
