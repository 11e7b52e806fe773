//! What is to be run, and how.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use outlast_core::{CommandLine, Error, Result};

/// The environment variable every process of a task carries.
const MARKER: &str = "OUTLAST_TASK_ID";

/// What becomes of processes that are still in the task's group after its leader has exited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stragglers {
    /// They are killed, so that nothing outlives its task.
    #[default]
    Kill,
    /// They are left alone, and run on without anybody reading what they write.
    Leave,
}

/// One process to be spawned.
///
/// ```
/// use outlast_core::CommandLine;
/// use outlast_orchestrator::process::Spec;
///
/// let mut spec = Spec::new("task-1", CommandLine::Direct(vec!["ls".into(), "-l".into()]));
/// spec.cwd = Some("/tmp".into());
/// spec.env.insert("OUTLAST_RUN_ID".into(), "run-1".into());
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Spec {
    /// The task. Its processes carry it as `OUTLAST_TASK_ID`, which is how they are found again.
    pub task_id: String,
    /// What to run. A program without a slash is looked up in the task's `PATH`; one with a slash
    /// is relative to the task's directory. It is given its full path as its own name.
    pub command: CommandLine,
    /// The directory to run it in; this program's own if `None`.
    pub cwd: Option<PathBuf>,
    /// Variables added to this program's own environment. A name is letters, digits and `_`: the
    /// shell of the gate cannot pass on any other, and drops those this program inherited.
    pub env: BTreeMap<String, String>,
    /// What becomes of processes the leader leaves behind.
    pub stragglers: Stragglers,
}

impl Spec {
    /// `command` as the task `task_id`, in this program's directory and environment.
    pub fn new(task_id: impl Into<String>, command: CommandLine) -> Self {
        Self {
            task_id: task_id.into(),
            command,
            cwd: None,
            env: BTreeMap::new(),
            stragglers: Stragglers::default(),
        }
    }

    /// `Invalid`, naming the culprit, for what no process could be given: a NUL byte anywhere, or a
    /// variable with another name than a shell can hold. Asks the system nothing.
    pub fn check(&self) -> Result<()> {
        self.environment()?;
        let has_nul = match &self.command {
            CommandLine::Shell(line) => line.contains('\0'),
            CommandLine::Direct(words) => words.iter().any(|word| word.contains('\0')),
        };
        if has_nul {
            return Err(Error::invalid("the command holds a NUL byte"));
        }
        if self.cwd.as_ref().is_some_and(|cwd| cwd.as_os_str().as_encoded_bytes().contains(&0)) {
            return Err(Error::invalid("the directory holds a NUL byte"));
        }
        Ok(())
    }

    /// The whole addition to the environment. The marker comes last, so nothing replaces it.
    pub(super) fn environment(&self) -> Result<BTreeMap<&str, &str>> {
        let mut environment = BTreeMap::new();
        for (name, value) in &self.env {
            if !is_name(name) {
                return Err(Error::invalid(format!(
                    "{name:?} is no name of an environment variable: use letters, digits and _"
                )));
            }
            if value.contains('\0') {
                return Err(Error::invalid(format!("variable {name} holds a NUL byte")));
            }
            environment.insert(name.as_str(), value.as_str());
        }
        marker(&self.task_id)?;
        environment.insert(MARKER, &self.task_id);
        Ok(environment)
    }
}

/// Values are left out: an environment is where secrets are passed.
impl fmt::Debug for Spec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Spec")
            .field("task_id", &self.task_id)
            .field("command", &self.command)
            .field("cwd", &self.cwd)
            .field("env", &self.env.keys())
            .field("stragglers", &self.stragglers)
            .finish()
    }
}

/// What the environment of every process of the task holds, byte for byte.
pub(super) fn marker(task_id: &str) -> Result<Vec<u8>> {
    if task_id.is_empty() || task_id.contains('\0') {
        return Err(Error::invalid(format!("task id {task_id:?} is empty or holds a NUL byte")));
    }
    Ok(format!("{MARKER}={task_id}").into_bytes())
}

fn is_name(name: &str) -> bool {
    let is_letter = |first: char| first.is_ascii_alphabetic() || first == '_';
    name.starts_with(is_letter) && name.chars().all(|c| is_letter(c) || c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_a_shell_can_hold_are_taken() {
        for (name, good) in [("A", true), ("_a1", true), ("", false), ("1A", false)] {
            assert_eq!(is_name(name), good, "{name:?}");
        }
        for name in ["a.b", "a=b", "a b", "a\0", "ä"] {
            assert!(!is_name(name), "{name:?}");
        }
    }

    #[test]
    fn values_of_the_environment_are_not_shown() {
        let mut spec = Spec::new("t", CommandLine::Shell("true".into()));
        spec.env.insert("TOKEN".into(), "secret".into());
        let shown = format!("{spec:?}");
        assert!(shown.contains("TOKEN") && !shown.contains("secret"), "{shown}");
    }
}
