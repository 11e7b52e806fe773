//! The one process that drives a store: its runs, pipelines, timers and recovery.
//!
//! Its right is a lease, and what it writes as the driver asserts the lease: two processes never
//! drive one store at once. A lease does not lapse by time: a holder that is stopped for an hour
//! still holds it, and its next write succeeds. It lapses when the holder's process is gone.

use std::time::Duration;

use outlast_core::{
    Action, Actor, Cause, Durability, Error, ErrorKind, Key, Lease, Receipt, Result,
};
use outlast_store::{Collection, Draft, Store, Stored};
use tokio::time::sleep;

use crate::process::{Life, identify_self, life};

/// The name of the lease.
const RUN: &str = "run";

/// How often somebody else may be faster before that is an error.
const TRIES: u32 = 8;

/// How often a commit is repeated that met a busy store, or whose answer was lost.
const COMMIT_TRIES: u32 = 3;

/// The first pause between two tries.
const PAUSE: Duration = Duration::from_millis(100);

/// The right to drive a store. Cheap to clone; clones share the right, and lose it together.
///
/// Dropping it keeps the right for as long as this process lives; [`release`](Instance::release)
/// it.
///
/// ```
/// # use std::sync::Arc;
/// # use outlast_core::RandomIds;
/// # use outlast_store::{Store, StoreOptions};
/// use outlast_orchestrator::Instance;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> outlast_core::Result<()> {
/// # let backend = Arc::new(outlast_memory::Memory::new(&RandomIds));
/// # let store = Store::open(backend, StoreOptions::default());
/// let instance = Instance::acquire(&store, false).await?;
/// assert!(Instance::acquire(&store, false).await.is_err());
/// instance.release().await
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Instance {
    store: Store,
    lease: Stored<Lease>,
}

impl Instance {
    /// Takes the right to drive a store, also from a process that is gone, and with `take_over`
    /// from one that cannot be seen from here.
    ///
    /// `Fenced` if another process has it, naming the process and since when. Cancel safe: the
    /// right is taken or not, and taking it again fails only while this process lives.
    pub async fn acquire(store: &Store, take_over: bool) -> Result<Self> {
        // Who drives decides from what it read, whatever the store's options.
        let store = store.comparing();
        let leases = store.kind::<Lease>();
        let holder = identify_self()?;
        for _ in 0..TRIES {
            let lease = Lease { holder: holder.clone(), acquired_at: store.clock().now() };
            let taken = match leases.find(RUN).await? {
                None => leases.create(RUN, &lease).await,
                Some(held) => replace(&leases, &held, lease, take_over).await,
            };
            match taken {
                Err(error) if matches!(error.kind(), ErrorKind::Exists | ErrorKind::Conflict) => {}
                other => return Ok(Self { store, lease: other? }),
            }
        }
        Err(Error::busy(format!("other processes took lease/{RUN} first {TRIES} times; try again")))
    }

    /// The store it drives.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// An empty draft under the right, as durable as the store can be.
    pub fn draft(&self, cause: Cause) -> Draft {
        let mut draft = self.store.draft();
        draft.cause(cause).fence(&self.lease);
        if self.store.info().durability == Durability::Durable {
            draft.at_least(Durability::Durable);
        }
        draft
    }

    /// Commits such a draft. `Fenced` once the right was lost; a commit that may or may not have
    /// been applied is repeated under its id, and one that met a busy store is tried again.
    /// Otherwise as [`Draft::commit`].
    pub async fn commit(&self, draft: &Draft) -> Result<Receipt> {
        let mut tries = 1;
        loop {
            match draft.commit().await {
                Err(error) if tries < COMMIT_TRIES && is_worth_repeating(&error) => {
                    sleep(PAUSE * tries).await;
                    tries += 1;
                }
                Err(error) => return Err(self.fenced(error).await),
                Ok(receipt) => return Ok(receipt),
            }
        }
    }

    /// The same error, or `Fenced` if it is a conflict on the lease: somebody else has the right.
    pub async fn fenced(&self, error: Error) -> Error {
        if is_conflict_on(&error, &self.lease.key) {
            lost(&self.store).await.with_source(error)
        } else {
            error
        }
    }

    /// Gives the right up, so that another can take it at once.
    pub async fn release(&self) -> Result<()> {
        let mut draft = self.store.draft();
        draft.delete(&self.lease);
        self.commit(&draft).await.map(drop)
    }
}

/// Who drives a store; `None` if nobody does, or whoever did is gone. A holder that cannot be seen
/// from here counts as driving.
///
/// Errors are those of reading. Cancel safe.
pub async fn driver(store: &Store) -> Result<Option<Lease>> {
    let held = store.kind::<Lease>().find(RUN).await?;
    let held = held.filter(|held| life(&held.holder) != Life::Dead);
    Ok(held.map(Stored::into_value))
}

/// Whether a commit failed because this entity was not at the version it was read at.
pub(crate) fn is_conflict_on(error: &Error, key: &Key) -> bool {
    error.kind() == ErrorKind::Conflict
        && error.mismatch().is_some_and(|mismatch| mismatch.key == *key)
}

async fn replace(
    leases: &Collection<Lease>,
    held: &Stored<Lease>,
    lease: Lease,
    take_over: bool,
) -> Result<Stored<Lease>> {
    let life = life(&held.holder);
    let is_free = life == Life::Dead || (life == Life::Unknown && take_over);
    if !is_free {
        return Err(refusal(held, life));
    }
    let reason = format!("its holder, process {}, is gone", held.holder.pid);
    let cause = Cause::by(Actor::Recovery).called(Action::recovery()).because(reason);
    leases.with_cause(cause).replace(held, lease).await
}

fn refusal(held: &Lease, life: Life) -> Error {
    let Lease { holder, acquired_at } = held;
    let pid = holder.pid;
    let message = if life == Life::Unknown {
        format!(
            "process {pid} of another pid namespace drives the runs of this store since \
             {acquired_at}, and cannot be seen from here: stop it there, or take over \
             (--take-over) if it is certainly gone"
        )
    } else {
        format!(
            "process {pid} drives the runs of this store since {acquired_at}: wait for it to end, \
             or stop it"
        )
    };
    Error::new(ErrorKind::Fenced, message)
}

/// The error for a write that came after the lease was lost.
async fn lost(store: &Store) -> Error {
    let message = match store.kind::<Lease>().find(RUN).await {
        Ok(Some(held)) => format!(
            "process {} drives the runs of this store since {}: this one has lost the right to, \
             and has to stop",
            held.holder.pid, held.acquired_at
        ),
        _ => "the right to drive the runs of this store was lost: stop, and begin anew".to_owned(),
    };
    Error::new(ErrorKind::Fenced, message)
}

fn is_worth_repeating(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Busy | ErrorKind::Indeterminate)
}
