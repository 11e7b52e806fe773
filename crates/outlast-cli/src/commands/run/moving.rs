//! The store of a run: one as it is configured, or one that moves while tasks run.

use outlast::migration::Migration;
use outlast::{Result, Store};

use super::RunArgs;
use crate::commands::migrate;
use crate::context::{Context, close};
use crate::control::{Control, SOCKET};
use crate::failure::Outcome;
use crate::output::note;

/// What a run is kept in.
#[derive(Debug)]
pub(super) enum Opened {
    /// A store that stays where it is.
    Store(Store),
    /// One in memory, that moves as it is told to.
    Moving(Migration, Option<Control>),
}

/// Opens a store in memory, beside the database it may move to, and begins to listen for orders.
pub(super) async fn open(args: &RunArgs, context: &Context) -> Result<Opened> {
    let config = &context.config;
    let database = args.migrate_to.as_ref();
    let socket = args.control.clone().unwrap_or_else(|| config.state_dir.join(SOCKET));
    let control = database.map(|_| socket.clone());
    let migration = migrate::open(config, database, control, args.take_over).await?;
    if migration.database().await.is_err() {
        return Ok(Opened::Moving(migration, None));
    }
    match Control::listen(&socket, &migration).await {
        Ok(control) => {
            if !context.out.is_json() {
                note(&format!(
                    "outlast migrate state --control {} moves kinds while this runs",
                    socket.display()
                ));
            }
            Ok(Opened::Moving(migration, Some(control)))
        }
        Err(error) => {
            let _ = migration.close().await;
            Err(error)
        }
    }
}

impl Opened {
    /// The store.
    pub(super) fn store(&self) -> &Store {
        match self {
            Self::Store(store) => store,
            Self::Moving(migration, _) => migration.store(),
        }
    }

    /// Settles everything, gives the ledger up and closes; the run's own failure goes first.
    pub(super) async fn close(self, outcome: Outcome) -> Outcome {
        match self {
            Self::Store(store) => close(store, outcome).await,
            Self::Moving(migration, control) => {
                if let Some(control) = control {
                    control.stop().await;
                }
                let closed = migration.close().await;
                let exit = outcome?;
                closed?;
                Ok(exit)
            }
        }
    }
}
