//! One task whole.

use outlast::{Status as _, Store, Stored, Task};
use serde::Serialize;

use super::log::LogSize;
use super::transitions::{self, Transition};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::listing::EntityView;
use crate::output::{Output, Table, moment};
use crate::target;
use crate::view::{TASK_HEADINGS, ending, task_row, took};

#[derive(Serialize)]
struct View<'a> {
    task: EntityView<'a, Task>,
    attempts: Vec<AttemptView<'a>>,
    transitions: Vec<Transition>,
    log: LogSize,
}

#[derive(Serialize)]
struct AttemptView<'a> {
    id: &'a str,
    attempt: u32,
    status: &'static str,
}

impl<'a> AttemptView<'a> {
    fn of(task: &'a Stored<Task>) -> Self {
        Self { id: task.id(), attempt: task.attempt, status: task.status.as_str() }
    }
}

pub(super) async fn show(id: &str, store: &Store, context: &mut Context) -> Outcome {
    let task = store.kind::<Task>().get(id).await?;
    let attempts = target::attempts(store, &task.run_id, &task.spec.name).await?;
    let transitions = transitions::read(store, &task.key).await?;
    let log = LogSize::read(store, Task::LOG, task.id()).await?;
    if context.out.is_json() {
        let attempts = attempts.iter().map(AttemptView::of).collect();
        let view = View { task: EntityView::of(&task), attempts, transitions, log };
        context.out.json(&view)?;
    } else {
        print(&mut context.out, &task, &attempts, &transitions, &log)?;
    }
    Ok(Exit::Completed)
}

fn print(
    out: &mut Output,
    task: &Stored<Task>,
    attempts: &[Stored<Task>],
    transitions: &[Transition],
    log: &LogSize,
) -> Result<(), Failure> {
    let mut facts = vec![
        ("task", task.spec.name.clone()),
        ("id", task.id().to_owned()),
        ("run", task.run_id.clone()),
        ("command", task.spec.command.to_string()),
        ("status", task.status.as_str().to_owned()),
        ("attempt", task.attempt.to_string()),
        ("version", task.version.to_string()),
        ("created", moment(task.created_at)),
    ];
    let mut known = |name, fact: Option<String>| facts.extend(fact.map(|fact| (name, fact)));
    known("folder", task.spec.cwd.clone());
    known("started", task.started_at.map(moment));
    known("finished", task.finished_at.map(moment));
    known("took", took(task));
    known("process", task.process.as_ref().map(|process| process.pid.to_string()));
    known("exit", ending(task));
    known("error", task.error.clone());
    known("retry of", task.retry_of.clone());
    facts.push(("output", log.to_string()));
    for (name, fact) in facts {
        out.line(&format!("{name:<9} {fact}"))?;
    }
    transitions::print(out, transitions)?;
    if attempts.len() > 1 {
        out.line("")?;
        let mut table = Table::new(&TASK_HEADINGS);
        for task in attempts {
            table.row(task_row(task));
        }
        table.print(out)?;
    }
    Ok(())
}
