//! A store that moves, over each of the databases.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use outlast_core::{Backend, Entity, Kind, NoStatus, OpenOptions, RandomIds, Result};
use outlast_memory::Memory;
use outlast_orchestrator::migration::{Connect, Flags, Migration, Near, Options, Pace, Phase};
use outlast_sled::Sled;
use outlast_sqlite::Sqlite;
use serde::{Deserialize, Serialize};
use tempfile::TempDir;

/// The databases a kind can move to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Engine {
    Sqlite,
    Sled,
}

impl Engine {
    pub(crate) const ALL: [Self; 2] = [Self::Sqlite, Self::Sled];
}

#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) engine: Engine,
    pub(crate) path: PathBuf,
}

#[async_trait]
impl Connect for Place {
    async fn connect(&self) -> Result<Arc<dyn Backend>> {
        let options = OpenOptions::default();
        Ok(match self.engine {
            Engine::Sqlite => Arc::new(Sqlite::open(&self.path, &options, &RandomIds).await?),
            Engine::Sled => Arc::new(Sled::open(&self.path, &options, &RandomIds).await?),
        })
    }

    fn location(&self) -> String {
        format!("{:?}:{}", self.engine, self.path.display()).to_lowercase()
    }
}

/// A folder with a database and a state directory.
pub(crate) struct World {
    folder: PathBuf,
    pub(crate) engine: Engine,
    /// Removes the folder, if it is ours.
    _own: Option<TempDir>,
}

impl World {
    pub(crate) fn new(engine: Engine) -> Self {
        let own = tempfile::tempdir().unwrap();
        Self { folder: own.path().to_owned(), engine, _own: Some(own) }
    }

    /// One in the folder of somebody else.
    pub(crate) fn at(engine: Engine, folder: PathBuf) -> Self {
        Self { folder, engine, _own: None }
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(crate) fn place(&self) -> Place {
        Place { engine: self.engine, path: self.folder.join("state.db") }
    }

    pub(crate) fn state_dir(&self) -> PathBuf {
        self.folder.join("state")
    }

    /// Nothing is wished for, everything can be moved.
    pub(crate) fn options(&self) -> Options {
        Options {
            flags: Flags::all(false),
            standby: true,
            state_dir: self.state_dir(),
            pace: Pace {
                patience: Duration::from_secs(10),
                probe: Duration::from_millis(5),
                ..Pace::default()
            },
            ..Options::default()
        }
    }

    pub(crate) async fn open(&self, options: Options) -> Result<Migration> {
        Migration::open(memory(), Some(Arc::new(self.place())), options).await
    }
}

pub(crate) fn memory() -> Near {
    Arc::new(|epoch| Arc::new(Memory::after(&RandomIds, epoch)))
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Note {
    pub(crate) text: String,
}

impl Entity for Note {
    type Status = NoStatus;
    const KIND: &'static str = "note";
}

pub(crate) fn note(text: &str) -> Note {
    Note { text: text.to_owned() }
}

pub(crate) fn kind() -> Kind {
    Kind::new("note").unwrap()
}

pub(crate) async fn to(migration: &Migration, phase: Phase) {
    let kind = kind();
    if migration.phase(&kind) < phase {
        migration.advance(&kind, phase, true, |_| {}).await.unwrap();
    } else {
        migration.rollback(&kind, phase, true).await.unwrap();
    }
    assert_eq!(migration.phase(&kind), phase);
}
