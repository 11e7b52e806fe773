//! Claims: what is claimed is held, and what is held is claimed.
//!
//! A claim that nobody holds keeps its name taken for ever; a holder without a claim lets a second
//! one in.

use outlast_core::{Claim, Command, CommandStatus, Host, Key, Result, Status, Window};
use outlast_store::{Store, Stored};

/// What claims are of.
const HOST: &str = "host/";
const HOSTNAME: &str = "hostname/";
const WINDOW: &str = "window/";

/// Why a claim is not held, if it is not. Claims of the user's own are not judged.
pub(super) async fn unheld(store: &Store, claim: &Stored<Claim>) -> Result<Option<String>> {
    let (id, holder) = (claim.id(), claim.holder.as_str());
    let is_held = if let Some(host) = id.strip_prefix(HOST) {
        let command = store.kind::<Command>().find(holder).await?;
        command.is_some_and(|command| holds_host(&command) && command.host_id == host)
    } else if let Some(hostname) = id.strip_prefix(HOSTNAME) {
        let host = store.kind::<Host>().find(holder).await?;
        host.is_some_and(|host| host.hostname == hostname)
    } else if id.starts_with(WINDOW) {
        let window = store.kind::<Window>().find(holder).await?;
        window.is_some_and(|window| !window.status.is_settled())
    } else {
        true
    };
    Ok((!is_held).then(|| format!("is held by {holder}, which does not have or need it")))
}

/// Why a command runs on a host that it has not claimed, if it does.
pub(super) async fn unclaimed(store: &Store, command: &Stored<Command>) -> Result<Option<String>> {
    if !holds_host(command) {
        return Ok(None);
    }
    let claim = Key::new("claim", format!("{HOST}{}", command.host_id))?;
    let held = store.kind::<Claim>().find(claim.id()).await?;
    let is_held = held.is_some_and(|held| held.holder == command.id());
    Ok((!is_held).then(|| format!("is {} without holding {claim}", command.status.as_str())))
}

fn holds_host(command: &Command) -> bool {
    !command.status.is_settled() && command.status != CommandStatus::Queued
}
