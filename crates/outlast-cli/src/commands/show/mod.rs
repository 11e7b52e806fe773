//! `outlast show`: one entity whole, of any kind.

mod fields;
mod log;
mod parts;
mod task;
mod transitions;

use clap::Args;
use outlast::{
    Attributes, Entity, Error, ErrorKind, Json, Key, Kind, Record, Store, Task, Timestamp,
};
use serde::Serialize;

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::output::{Output, moment};
use crate::target;
use parts::Parts;
use transitions::Transition;

/// Show an entity of any kind with its changes of status and what belongs to it
///
/// With --json of a task: {"task": as in ps, "attempts": [{"id", "attempt", "status"}],
/// "transitions": [{"from": status or null, "to", "at", "version", "actor", "reason"}], "log":
/// {"entries", "stdout_bytes", "stderr_bytes", "system_bytes"}}. Of anything else: {"kind", "id",
/// "version", "epoch", "updated_at", "attributes", "transient": what is known without history,
/// "state": its fields, "transitions": as of a task, the newest 1000, and what belongs to it: to a
/// swarm "agents_by_status": {status: count}, to a host that is taken "busy_with": the id of the
/// command that has it, to a command "log" as of a task, to a pipeline "outcomes": [{"stage", "op",
/// "host_id", "status", "pipeline_id", and where there is one "command_id", "started_at",
/// "finished_at", "exit_code", "error"}], and to a window "items": [{"window_id", "place", "seq",
/// "artifact_ids": [ID], "type_name", "added_at"}], the first 1000}.
#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    /// Its id, or the beginning of it; of a task also its name in the newest run
    id: String,

    /// The kind to look among, such as swarm, agent, command or one of your own
    #[arg(long, value_parser = target::kind)]
    kind: Option<Kind>,
}

#[derive(Serialize)]
struct View<'a> {
    kind: &'a str,
    id: &'a str,
    version: u64,
    epoch: u64,
    updated_at: Timestamp,
    attributes: &'a Attributes,
    transient: &'a Attributes,
    state: &'a Json,
    transitions: Vec<Transition>,
    #[serde(flatten)]
    parts: Parts,
}

pub(crate) async fn run(args: &ShowArgs, store: &Store, context: &mut Context) -> Outcome {
    let kinds = match &args.kind {
        Some(kind) => vec![kind.clone()],
        None => target::kinds(store).await?,
    };
    let key = target::entity(store, &args.id, &kinds).await?;
    show(&key, store, context).await
}

/// Shows one of a kind.
pub(crate) async fn one<T: Entity>(id: &str, store: &Store, context: &mut Context) -> Outcome {
    let key = target::entity(store, id, &[Kind::new(T::KIND)?]).await?;
    show(&key, store, context).await
}

async fn show(key: &Key, store: &Store, context: &mut Context) -> Outcome {
    if key.kind.as_str() == Task::KIND {
        return task::show(key.id(), store, context).await;
    }
    let slot = store.get(std::slice::from_ref(key)).await?.pop();
    let record = slot.map(outlast::Slot::live).transpose()?.flatten();
    let record = record.ok_or_else(|| {
        Error::new(ErrorKind::NotFound, format!("{key} was deleted a moment ago"))
    })?;
    let transitions = transitions::read(store, key).await?;
    let parts = Parts::read(store, key).await?;
    if context.out.is_json() {
        context.out.json(&View {
            kind: key.kind.as_str(),
            id: key.id(),
            version: record.version.n,
            epoch: record.version.epoch.0,
            updated_at: record.updated_at,
            attributes: &record.attrs,
            transient: &record.transient,
            state: &record.state,
            transitions,
            parts,
        })?;
    } else {
        print(&mut context.out, &record, &transitions, &parts)?;
    }
    Ok(Exit::Completed)
}

fn print(
    out: &mut Output,
    record: &Record,
    transitions: &[Transition],
    parts: &Parts,
) -> Result<(), Failure> {
    let mut facts = vec![
        (record.key.kind.to_string(), record.key.id().to_owned()),
        ("version".to_owned(), record.version.to_string()),
        ("updated".to_owned(), moment(record.updated_at)),
    ];
    facts.extend(fields::of(&record.state));
    let transient = record.transient.iter();
    facts.extend(transient.map(|(name, value)| fields::transient(name, value)));
    facts.extend(parts.facts());
    fields::print(out, &facts)?;
    transitions::print(out, transitions)?;
    parts.print(out)
}
