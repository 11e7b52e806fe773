//! Why a host could not be taken.

use std::error::Error as StdError;
use std::fmt;

use outlast_core::{Claim, Command, Error, ErrorKind, Key, Result};
use outlast_store::{Store, Stored};

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

    pub(super) fn error(self) -> Error {
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
pub(super) fn claim_id(host_id: &str) -> String {
    format!("host/{host_id}")
}

/// The key of that claim. `TooLarge` for a host with too long an id.
pub(super) fn claim_key(host_id: &str) -> Result<Key> {
    Key::new(<Claim as outlast_core::Entity>::KIND, claim_id(host_id))
}

/// The claim on a host, if a command has it.
pub(super) async fn claim_on(store: &Store, host_id: &str) -> Result<Option<Stored<Claim>>> {
    store.kind::<Claim>().find(&claim_id(host_id)).await
}

/// `HostBusy` if a command has the host.
pub(super) async fn check_free(store: &Store, host_id: &str) -> Result<()> {
    match claim_on(store, host_id).await? {
        Some(claim) => {
            let (host_id, command_id) = (host_id.to_owned(), claim.holder.clone());
            Err(HostBusy { host_id, command_id }.error())
        }
        None => Ok(()),
    }
}

/// The same result, or `HostBusy` if somebody else took the host a moment before.
pub(super) async fn or_busy<T>(store: &Store, host_id: &str, result: Result<T>) -> Result<T> {
    if let Err(error) = &result
        && error.kind() == ErrorKind::Exists
        && HostBusy::of(error).is_none()
    {
        check_free(store, host_id).await?;
    }
    result
}

/// The claim of a command on its host, if it has it.
pub(super) async fn claim_of(
    store: &Store,
    command: &Stored<Command>,
) -> Result<Option<Stored<Claim>>> {
    if !holds_host(command.status) {
        return Ok(None);
    }
    let claim = claim_on(store, &command.host_id).await?;
    Ok(claim.filter(|claim| claim.holder == command.id()))
}
