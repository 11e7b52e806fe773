//! Who has a host, and why it could not be taken.

use std::error::Error as StdError;
use std::fmt;

use outlast_core::{Claim, Command, Entity, Error, ErrorKind, Expect, Key, Op, Result};
use outlast_store::{Draft, Store, Stored};

use super::commands::holds_host;

/// A command runs on the host already. It is the source of an error of kind `Exists`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostBusy {
    /// The host.
    pub host_id: String,
    /// The command that has it.
    pub command_id: String,
}

impl HostBusy {
    /// What an error says about a busy host, if that is what it is about.
    pub fn of(error: &Error) -> Option<&Self> {
        error.source()?.downcast_ref()
    }

    fn error(self) -> Error {
        Error::new(ErrorKind::Exists, self.to_string()).with_source(self)
    }
}

impl fmt::Display for HostBusy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host_id, command_id } = self;
        write!(f, "host/{host_id} is busy with command/{command_id}: wait for it, or kill it")
    }
}

impl StdError for HostBusy {}

/// The id of the claim that a command has on its host.
fn claim_id(host_id: &str) -> String {
    format!("host/{host_id}")
}

/// The key of that claim. `TooLarge` for a host with too long an id.
pub(super) fn claim_key(host_id: &str) -> Result<Key> {
    Key::new(Claim::KIND, claim_id(host_id))
}

/// Who has a host.
enum Hold {
    /// Nobody.
    Free,
    /// Nobody, but a claim was left behind by a command that was settled past this engine, or is
    /// gone.
    Left(Stored<Claim>),
    /// A command.
    Taken(Stored<Claim>),
}

async fn hold_on(store: &Store, host_id: &str) -> Result<Hold> {
    let Some(claim) = store.kind::<Claim>().find(&claim_id(host_id)).await? else {
        return Ok(Hold::Free);
    };
    let is_held = match store.kind::<Command>().find(&claim.holder).await {
        Ok(command) => command.is_some_and(|command| holds_host(command.status)),
        // What cannot be read may well run.
        Err(error) if error.is_of_one_record() => true,
        Err(error) => return Err(error),
    };
    Ok(if is_held { Hold::Taken(claim) } else { Hold::Left(claim) })
}

/// Whether no command has a host.
pub(super) async fn is_free(store: &Store, host_id: &str) -> Result<bool> {
    Ok(!matches!(hold_on(store, host_id).await?, Hold::Taken(_)))
}

/// Takes a host in a draft. `HostBusy` if a command has it.
pub(super) async fn take(
    store: &Store,
    draft: &mut Draft,
    host_id: &str,
    claim: &Claim,
) -> Result<()> {
    match hold_on(store, host_id).await? {
        Hold::Free => draft.create(&claim_id(host_id), claim)?,
        Hold::Left(left) => draft.replace(&left, claim)?,
        Hold::Taken(by) => return Err(busy(host_id, &by)),
    };
    Ok(())
}

/// Lets a draft apply only if no command takes the host meanwhile. `HostBusy` if one has it.
pub(super) async fn keep_free(store: &Store, draft: &mut Draft, host_id: &str) -> Result<()> {
    match hold_on(store, host_id).await? {
        Hold::Free => draft.op(Op::Assert { key: claim_key(host_id)?, expect: Expect::Absent }),
        Hold::Left(left) => draft.delete(&left),
        Hold::Taken(by) => return Err(busy(host_id, &by)),
    };
    Ok(())
}

fn busy(host_id: &str, claim: &Claim) -> Error {
    HostBusy { host_id: host_id.to_owned(), command_id: claim.holder.clone() }.error()
}

/// The same result, or `HostBusy` if somebody else took the host a moment before.
pub(super) async fn or_busy<T>(store: &Store, host_id: &str, result: Result<T>) -> Result<T> {
    if let Err(error) = &result
        && error.kind() == ErrorKind::Exists
        && HostBusy::of(error).is_none()
        && let Hold::Taken(by) = hold_on(store, host_id).await?
    {
        return Err(busy(host_id, &by));
    }
    result
}

/// Gives the host of a command back in a draft, if the command has it.
pub(super) async fn give_back(
    store: &Store,
    draft: &mut Draft,
    command: &Stored<Command>,
) -> Result<()> {
    let claim = store.kind::<Claim>().find(&claim_id(&command.host_id)).await?;
    if let Some(claim) = claim.filter(|claim| claim.holder == command.id()) {
        draft.delete(&claim);
    }
    Ok(())
}
