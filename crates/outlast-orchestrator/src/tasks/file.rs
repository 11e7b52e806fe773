//! The tasks that are to be run together.

use std::collections::HashSet;

use outlast_core::{CommandLine, Error, Result, TaskSpec};

/// Named tasks in their order, checked: there is at least one, and no name is given twice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskFile {
    name: String,
    tasks: Vec<TaskSpec>,
}

impl TaskFile {
    /// Checks the tasks of the file called `name`; `Invalid`, naming the culprit, for no tasks at
    /// all, an empty or repeated name, an empty command, or bounds of zero.
    pub fn new(name: impl Into<String>, tasks: Vec<TaskSpec>) -> Result<Self> {
        let name = name.into();
        if tasks.is_empty() {
            return Err(Error::invalid(format!("{name} names no task")));
        }
        let mut names = HashSet::new();
        for (task, place) in tasks.iter().zip(1..) {
            if task.name.trim().is_empty() {
                return Err(Error::invalid(format!("task {place} of {name} has an empty name")));
            }
            if !names.insert(&task.name) {
                return Err(Error::invalid(format!("{name} names task {:?} twice", task.name)));
            }
            check(task).map_err(|error| error.context(format!("task {:?}", task.name)))?;
        }
        Ok(Self { name, tasks })
    }

    /// What the file is called.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The tasks, in their order.
    pub fn tasks(&self) -> &[TaskSpec] {
        &self.tasks
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
    Ok(())
}
