//! The right to drive runs, which one process holds at a time.
//!
//! It does not lapse by time: a holder that is stopped for an hour still holds it, and its next
//! write succeeds. It lapses when the holder's process is gone.

use outlast_core::{Action, Actor, Cause, Error, ErrorKind, Lease, Result};
use outlast_store::{Collection, Store, Stored};

use super::process::{Life, identify_self, life};

/// The name of the lease.
const RUN: &str = "run";

/// How often somebody else may be faster before that is an error.
const TRIES: u32 = 8;

/// Takes the lease, also from a holder that is gone. `Fenced`, naming it, if there is a holder.
pub(super) async fn acquire(store: &Store, take_over: bool) -> Result<Stored<Lease>> {
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
            other => return other,
        }
    }
    Err(Error::busy(format!("other runners took lease/{RUN} first {TRIES} times; try again")))
}

/// Who drives the runs of a store; `None` if nobody does, or whoever did is gone. A holder that
/// cannot be seen from here counts as driving.
///
/// Errors are those of reading. Cancel safe.
pub async fn driver(store: &Store) -> Result<Option<Lease>> {
    let held = store.kind::<Lease>().find(RUN).await?;
    let held = held.filter(|held| life(&held.holder) != Life::Dead);
    Ok(held.map(Stored::into_value))
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
pub(super) async fn lost(store: &Store) -> Error {
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
