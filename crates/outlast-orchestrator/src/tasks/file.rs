//! The tasks that are to be run together.

use std::collections::HashMap;

use outlast_core::{CommandLine, Error, Result, TaskSpec};

use crate::process::Spec;

/// No name of a task is longer, in bytes.
const NAME_BYTES: usize = 256;

/// No task says more, in bytes. Systems do not pass much more on to a process, and no store has to
/// be asked whether it takes it.
const TASK_BYTES: usize = 1 << 20;

/// Named tasks in their order, checked: there is at least one, and no name is given twice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskFile {
    name: String,
    tasks: Vec<TaskSpec>,
    places: HashMap<String, usize>,
}

impl TaskFile {
    /// Checks the tasks of the file called `name`; `Invalid`, naming the culprit, for no tasks at
    /// all, an empty or repeated name, an empty command, bounds of zero, what no process can be
    /// given, and what is too long.
    pub fn new(name: impl Into<String>, tasks: Vec<TaskSpec>) -> Result<Self> {
        let name = name.into();
        if tasks.is_empty() {
            return Err(Error::invalid(format!("{name} names no task")));
        }
        let mut places = HashMap::new();
        for (place, task) in tasks.iter().enumerate() {
            if task.name.trim().is_empty() {
                let number = place + 1;
                return Err(Error::invalid(format!("task {number} of {name} has an empty name")));
            }
            if task.name.len() > NAME_BYTES {
                let number = place + 1;
                return Err(Error::invalid(format!(
                    "the name of task {number} of {name} is longer than {NAME_BYTES} bytes"
                )));
            }
            if places.insert(task.name.clone(), place).is_some() {
                return Err(Error::invalid(format!("{name} names task {:?} twice", task.name)));
            }
            check(task).map_err(|error| error.context(format!("task {:?}", task.name)))?;
        }
        Ok(Self { name, tasks, places })
    }

    /// What the file is called.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The tasks, in their order.
    pub fn tasks(&self) -> &[TaskSpec] {
        &self.tasks
    }

    /// The task of this name.
    pub fn task(&self, name: &str) -> Option<&TaskSpec> {
        self.places.get(name).and_then(|place| self.tasks.get(*place))
    }
}

fn check(task: &TaskSpec) -> Result<()> {
    let is_empty = match &task.command {
        CommandLine::Shell(line) => line.trim().is_empty(),
        CommandLine::Direct(words) => words.first().is_none_or(String::is_empty),
    };
    if is_empty {
        return Err(Error::invalid("the command is empty"));
    }
    if task.idle_threshold_ms == 0 {
        return Err(Error::invalid("idle_threshold_ms must be 1 or more"));
    }
    if task.max_attempts == Some(0) {
        return Err(Error::invalid("max_attempts must be 1 or more"));
    }
    if bytes(task) > TASK_BYTES {
        return Err(Error::invalid(format!(
            "command and environment are longer than {TASK_BYTES} bytes: put them into files"
        )));
    }
    spec_of("any", task).check()
}

fn bytes(task: &TaskSpec) -> usize {
    let command = match &task.command {
        CommandLine::Shell(line) => line.len(),
        CommandLine::Direct(words) => words.iter().map(|word| word.len() + 1).sum(),
    };
    let env: usize = task.env.iter().map(|(name, value)| name.len() + value.len() + 2).sum();
    command + env + task.cwd.as_ref().map_or(0, String::len)
}

/// The process that a task asks for.
pub(super) fn spec_of(task_id: &str, task: &TaskSpec) -> Spec {
    let mut spec = Spec::new(task_id, task.command.clone());
    spec.cwd = task.cwd.as_ref().map(Into::into);
    spec.env.clone_from(&task.env);
    spec
}
