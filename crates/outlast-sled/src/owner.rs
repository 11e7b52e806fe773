//! The one place that holds the engine: many readers, or one writer.
//!
//! A writer keeps readers out until its transaction is durable, so that nobody sees half of it,
//! nor anything that a loss of power could still take back.

use std::fmt;
use std::mem;
use std::sync::{PoisonError, RwLock, RwLockWriteGuard};

use outlast_core::{Error, ErrorKind, Result};

use crate::draft::Transaction;
use crate::engine::{Broken, Engine, Nudge, full};
use crate::error;
use crate::home::Home;

/// The engine and its state of health.
pub(crate) struct Owner {
    life: RwLock<Life>,
}

enum Life {
    /// In use.
    Open { engine: Box<Engine>, home: Home },
    /// Dropped because the disk was full; opened again by the next call that can.
    Down { home: Home },
    /// Not to be used until the store is opened anew.
    Poisoned { why: String, _home: Home },
    /// Closed.
    Closed,
}

impl Owner {
    pub(crate) fn new(engine: Engine, home: Home) -> Self {
        Self { life: RwLock::new(Life::Open { engine: Box::new(engine), home }) }
    }

    /// Reads, beside other readers.
    pub(crate) fn read<T>(&self, look: impl FnOnce(&Engine) -> Result<T>) -> Result<T> {
        let life = self.life.read().unwrap_or_else(PoisonError::into_inner);
        if !matches!(*life, Life::Down { .. }) {
            return life.read(look);
        }
        drop(life);
        let mut life = self.lock();
        life.0.revive()?;
        life.0.read(look)
    }

    /// Takes the lock that writing needs.
    pub(crate) fn lock(&self) -> Writing<'_> {
        Writing(self.life.write().unwrap_or_else(PoisonError::into_inner))
    }
}

impl fmt::Debug for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Owner").finish_non_exhaustive()
    }
}

/// The engine, held by one writer.
pub(crate) struct Writing<'a>(RwLockWriteGuard<'a, Life>);

impl Writing<'_> {
    /// What wakes a write that is about to be made.
    pub(crate) fn nudge(&self) -> Nudge {
        match &*self.0 {
            Life::Open { engine, .. } => engine.nudge(),
            _ => Nudge::default(),
        }
    }

    /// Applies the transaction that `plan` makes, if it makes one, and returns its answer; `None`
    /// if another writer was faster.
    ///
    /// An error says that nothing was applied, except for `Indeterminate`.
    pub(crate) fn change<T>(
        &mut self,
        plan: impl FnOnce(&Engine) -> Result<(Option<Transaction>, T)>,
    ) -> Result<Option<T>> {
        let life = &mut *self.0;
        life.revive()?;
        let (transaction, answer) = life.read(plan)?;
        let Some(transaction) = transaction else { return Ok(Some(answer)) };
        life.read(|engine| engine.check_room(&transaction))?;
        match life.engine()?.apply(&transaction) {
            Ok(true) => Ok(Some(answer)),
            Ok(false) => Ok(None),
            Err(Broken::Full) => life.reopen(&transaction).map(|()| Some(answer)),
            Err(broken) => Err(life.poison(broken)),
        }
    }

    /// Makes everything durable.
    pub(crate) fn sync(&mut self) -> Result<()> {
        self.0.revive()?;
        let synced = self.0.engine()?.sync();
        synced.map_err(|broken| self.0.poison(broken))
    }

    /// Syncs and lets go of everything but the directory, which is to be sealed.
    pub(crate) fn close(&mut self) -> Result<Option<Home>> {
        let synced = match *self.0 {
            Life::Open { .. } => self.sync(),
            Life::Poisoned { .. } | Life::Down { .. } | Life::Closed => Ok(()),
        };
        let Life::Open { engine, home } = mem::replace(&mut *self.0, Life::Closed) else {
            return synced.map(|()| None);
        };
        // Everything is durable by now. A panic costs the seal, and no data.
        let dropped = error::catch(|| drop(engine));
        synced.map(|()| dropped.is_ok().then_some(home))
    }

    /// The engine, for tests that harm it.
    #[cfg(test)]
    pub(crate) fn engine(&mut self) -> &mut Engine {
        self.0.engine().unwrap()
    }
}

impl Life {
    fn read<T>(&self, look: impl FnOnce(&Engine) -> Result<T>) -> Result<T> {
        match self {
            Self::Open { engine, .. } => error::catch(|| look(engine)).unwrap_or_else(|why| {
                Err(error::damaged(engine.path(), format!("sled panicked while reading: {why}")))
            }),
            other => Err(other.refusal()),
        }
    }

    fn engine(&mut self) -> Result<&mut Engine> {
        match self {
            Self::Open { engine, .. } => Ok(engine),
            other => Err(other.refusal()),
        }
    }

    fn refusal(&self) -> Error {
        match self {
            Self::Closed => error::closed(),
            Self::Poisoned { why, .. } => poisoned(why),
            Self::Open { .. } => Error::internal("a store in use was refused"),
            Self::Down { home } => full(home.path(), "the store could not be opened again"),
        }
    }

    /// Opens the files again, if a full disk made that necessary.
    fn revive(&mut self) -> Result<()> {
        let Self::Down { home } = self else { return Ok(()) };
        let engine = Engine::open(home)?;
        if let Self::Down { home } = mem::replace(self, Self::Closed) {
            *self = Self::Open { engine: Box::new(engine), home };
        }
        Ok(())
    }

    /// Drops an engine that met a full disk and opens its files again, to learn what became of
    /// the transaction that failed.
    fn reopen(&mut self, failed: &Transaction) -> Result<()> {
        if self.engine()?.knows_failure() {
            self.replace_engine(failed)
        } else {
            Err(self.poison(Broken::Panicked("the disk is full".to_owned())))
        }
    }

    fn replace_engine(&mut self, failed: &Transaction) -> Result<()> {
        let Self::Open { engine, home } = mem::replace(self, Self::Closed) else {
            return Err(error::closed());
        };
        let path = home.path().to_owned();
        let reserved = engine.reserved;
        // It may panic while it lets go: what it leaves on the disk is looked at next.
        let _ = error::catch(|| drop(engine));
        match Engine::open(&home) {
            Ok(mut engine) => {
                engine.reserved = reserved;
                let applied = engine.state.transaction == failed.state.transaction;
                *self = Self::Open { engine: Box::new(engine), home };
                if applied { Ok(()) } else { Err(full(&path, "the write was taken back")) }
            }
            Err(cause) => {
                *self = Self::Down { home };
                let place = path.display();
                Err(Error::indeterminate(format!(
                    "the disk of {place} became full in the middle of a write; free space and \
                     repeat it with the same commit id"
                ))
                .with_source(cause))
            }
        }
    }

    /// Gives up the engine: whether its last transaction is on the disk cannot be known.
    fn poison(&mut self, broken: Broken) -> Error {
        let (why, can_drop) = match broken {
            Broken::Full => ("the disk is full".to_owned(), true),
            Broken::Unknown(why) => (why, true),
            Broken::Panicked(why) => (why, false),
        };
        if let Self::Open { engine, home } = mem::replace(self, Self::Closed) {
            if can_drop {
                // Nothing of it is relied on any more, so neither is a panic while it goes.
                let _ = error::catch(|| drop(engine));
            } else {
                // Dropping it might wait for ever, and hold a lock that all sled stores of the
                // process share. What it leaks is bounded by the store being useless now.
                Box::leak(engine);
            }
            *self = Self::Poisoned { why: why.clone(), _home: home };
        }
        Error::indeterminate(format!(
            "the write may or may not be durable: {why}; open the store anew and repeat it with \
             the same commit id"
        ))
    }
}

/// The answer to every call after a failure that durability did not survive.
pub(crate) fn poisoned(why: &str) -> Error {
    Error::new(
        ErrorKind::Poisoned,
        format!("the sled store can no longer promise durability: {why}; open it anew"),
    )
}
