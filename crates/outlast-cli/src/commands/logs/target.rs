//! Whose log is written.

use clap::ValueEnum;
use outlast::{Command, Entity, Key, Kind, Result, Status, Store, StreamName, Task};

use crate::output::note;
use crate::target;

/// What has a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Writer {
    Task,
    Command,
}

impl Writer {
    const ALL: [Self; 2] = [Self::Task, Self::Command];

    fn kind(self) -> Result<Kind> {
        Kind::new(match self {
            Self::Task => Task::KIND,
            Self::Command => Command::KIND,
        })
    }

    /// The kind of its log.
    fn log(self) -> &'static str {
        match self {
            Self::Task => Task::LOG,
            Self::Command => Command::LOG,
        }
    }
}

/// What is followed: a task or a command.
#[derive(Debug)]
pub(super) struct Target {
    writer: Writer,
    key: Key,
    /// What to call it.
    name: String,
}

impl Target {
    /// Errors as for [`target::entity`].
    pub(super) async fn find(store: &Store, id: &str, kind: Option<Writer>) -> Result<Self> {
        let kinds = match kind {
            Some(writer) => vec![writer.kind()?],
            None => Writer::ALL.iter().map(|writer| writer.kind()).collect::<Result<_>>()?,
        };
        let key = target::entity(store, id, &kinds).await?;
        if key.kind == Writer::Task.kind()? {
            let name = store.kind::<Task>().get(key.id()).await?.spec.name.clone();
            return Ok(Self { writer: Writer::Task, key, name });
        }
        let command = store.kind::<Command>().get(key.id()).await?;
        if let Some(file) = &command.output_file {
            note(&format!("what this command wrote went to the file {file}"));
        }
        Ok(Self { writer: Writer::Command, name: key.id().to_owned(), key })
    }

    /// The name of its log.
    pub(super) fn log(&self) -> Result<StreamName> {
        Key::new(self.writer.log(), self.key.id())
    }

    /// Whether nothing more is written.
    pub(super) async fn is_over(&self, store: &Store) -> Result<bool> {
        Ok(match self.writer {
            Writer::Task => is_over::<Task>(store, &self.key).await?,
            Writer::Command => is_over::<Command>(store, &self.key).await?,
        })
    }

    /// What to do once nobody would settle it any more.
    pub(super) fn left(&self) -> String {
        let name = &self.name;
        match self.writer {
            Writer::Task => format!(
                "nobody runs task {name} any more; outlast run --resume takes its run up again"
            ),
            Writer::Command => format!(
                "nobody drives command {name} any more; outlast recover decides what becomes of it"
            ),
        }
    }
}

/// Whether it is settled or gone.
async fn is_over<T: Entity>(store: &Store, key: &Key) -> Result<bool> {
    let found = store.kind::<T>().find(key.id()).await?;
    let status = found.and_then(|found| found.status());
    Ok(status.is_none_or(Status::is_settled))
}
