//! From one store to another in one go.

use outlast_core::Result;
use outlast_store::Store;
use tokio::fs::File;
use tokio::io::{AsyncSeekExt, AsyncWriteExt, BufReader};

use super::export::export;
use super::file::{blocking, unspoolable};
use super::import::{Imported, import};
use super::tally::Listener;

/// Adds everything one store holds to another, as an [`export`] and an [`import`](super::import())
/// would: versions and entries it lacks are added under their numbers, the newest version of an
/// entity wins, and copying the same again changes nothing.
///
/// What is copied lies in an unnamed file in the folder for temporary files meanwhile, and is
/// checked before the first record is written.
///
/// Errors are those of both. Cancel safety: what was copied stays, and copying again completes it.
pub async fn copy(from: &Store, to: &Store, progress: Listener<'_>) -> Result<Imported> {
    let file = blocking(tempfile::tempfile).await.map_err(unspoolable)?;
    let mut file = File::from_std(file);
    export(from, &mut file, progress).await?;
    file.flush().await.map_err(unspoolable)?;
    file.rewind().await.map_err(unspoolable)?;
    import(to, BufReader::new(file), progress).await
}
