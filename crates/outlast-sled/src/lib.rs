//! The sled backend, for programs that keep their state in sled already.
//!
//! sled 0.34 keeps the contract only with help, which is what this crate consists of:
//!
//! - `flush` does not wait for the disk, so every transaction is followed by a sync of our own.
//! - Values are not protected, so every row carries a checksum that is compared on every read.
//! - What follows a damaged record is cut off without a word while opening, or skipped. A store
//!   that was closed is sealed with the checksums of its files, which are compared before sled
//!   touches them; one that was not knows how far it had come and what its tables hold.
//! - A full disk breaks an open store for good, so it is opened again inside the process.
//! - A failure may be a panic or an endless wait: both become errors.
//!
//! One process uses a store at a time. A write holds readers off until it is durable: nobody
//! sees half a commit, nor one that a loss of power could take back.

mod backend;
mod codec;
mod config;
mod draft;
mod engine;
mod error;
mod fetch;
mod guard;
mod home;
mod owner;
mod prune;
mod read;
mod tables;
mod tally;
#[cfg(test)]
mod tests;
mod verify;
mod write;

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use outlast_core::{
    BackendInfo, Capability, Durability, Epoch, Error, IdSource, Incarnation, OpenOptions, Result,
};

use crate::config::{LAYOUT, LIMITS, WRITE_LIMIT};
use crate::engine::Engine;
use crate::guard::Guard;
use crate::home::{Birth, Found, Home, Marker};
use crate::owner::Owner;

/// A store in a directory, kept by sled.
///
/// Offers [`Durability::Durable`] and [`Capability::Persistent`]. Dropping it without closing
/// loses nothing that was acknowledged, but leaves it unsealed: damage done to its files before
/// it is opened again may cost more records than those it touches, and is then an error. Closing
/// and opening read all of the files once.
///
/// ```
/// use outlast_core::{Backend, OpenOptions, RandomIds, Revision};
/// use outlast_sled::Sled;
///
/// # let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
/// # runtime.block_on(async {
/// # let folder = tempfile::tempdir()?;
/// let path = folder.path().join("state");
/// let store = Sled::open(&path, &OpenOptions::default(), &RandomIds).await?;
/// assert!(store.changes(Revision::ZERO, 10).await?.items.is_empty());
/// store.close().await?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Sled {
    info: BackendInfo,
    owner: Arc<Owner>,
    guard: Guard,
}

impl Sled {
    /// Opens the store in a directory, or makes one if the options allow it.
    ///
    /// - `Unavailable`: nothing is there and nothing may be made, or the file system failed.
    /// - `Incompatible`: what is there is another's or a newer program's. It is not touched.
    /// - `Corrupt`: its files are damaged. A store that was closed is not touched then.
    /// - `Busy`: another process uses it; the message names it.
    /// - `Unsupported`: to be opened for reading only, which sled cannot do.
    /// - `StorageFull`: there is no room to open it.
    ///
    /// Dropping the future leaves a store as it was, or closed after it was opened.
    pub async fn open(path: &Path, options: &OpenOptions, ids: &dyn IdSource) -> Result<Self> {
        let marker = Marker::draw(ids);
        let (path, options) = (path.to_owned(), *options);
        let guard = Guard::new(WRITE_LIMIT);
        guard.reading(move || open(&path, &options, marker)).await
    }
}

impl fmt::Debug for Sled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sled").field("location", &self.info.location).finish_non_exhaustive()
    }
}

fn open(path: &Path, options: &OpenOptions, marker: Marker) -> Result<Sled> {
    if options.read_only {
        let place = path.display();
        return Err(Error::unsupported(format!(
            "sled cannot open {place} for reading only; open it for reading and writing"
        )));
    }
    let home = match Home::find(path, options)? {
        Found::Store(home) => home,
        Found::Nothing => {
            create(path, marker)?;
            match Home::find(path, options)? {
                Found::Store(home) => home,
                Found::Nothing => {
                    let place = path.display();
                    return Err(Error::unavailable(format!("the new store at {place} is gone")));
                }
            }
        }
    };
    let sealed = home.unseal()?;
    let engine = if sealed { Engine::open(&home)? } else { Engine::open_unsealed(&home)? };
    if !sealed {
        engine.check()?;
    }
    let info = info(&home);
    Ok(Sled { info, owner: Arc::new(Owner::new(engine, home)), guard: Guard::new(WRITE_LIMIT) })
}

fn create(path: &Path, marker: Marker) -> Result<()> {
    let birth = Birth::begin(path, marker)?;
    match Engine::create(birth.path(), marker.identity) {
        Ok(()) => birth.finish(),
        Err(error) => {
            birth.abandon();
            Err(error)
        }
    }
}

fn info(home: &Home) -> BackendInfo {
    let identity = home.marker().identity;
    BackendInfo {
        name: "sled",
        location: home.path().display().to_string(),
        store: identity.store,
        incarnation: Incarnation(identity.incarnation),
        epoch: Epoch(1),
        schema_version: LAYOUT,
        durability: Durability::Durable,
        capabilities: vec![Capability::Persistent],
        limits: LIMITS,
        read_only: false,
    }
}
