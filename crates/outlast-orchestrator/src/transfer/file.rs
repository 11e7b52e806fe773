//! Exports to files and imports from files and pipes.

use std::path::Path;

use outlast_core::{Error, ErrorKind, Result};
use outlast_store::Store;
use tempfile::NamedTempFile;
use tokio::fs::File;
use tokio::io::{AsyncRead, AsyncSeekExt, BufReader};
use tokio::task::spawn_blocking;

use super::export::{Exported, export};
use super::import::{Imported, import};
use super::lines::unreadable;
use super::tally::Listener;
use super::writer::failed;

/// Exports to a file, as [`export`] does. The file appears under its name, in place of what was
/// there, only once it is whole and on the disk; only its owner may read it.
///
/// Errors as for [`export`].
///
/// Cancel safety: dropping the future leaves what was at the path; at most an unfinished file
/// with a name of its own stays beside it, if the process is killed.
pub async fn export_file(store: &Store, path: &Path, progress: Listener<'_>) -> Result<Exported> {
    let at = |error: Error| error.context(path.display());
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => Path::new(".").to_owned(),
    };
    let made = blocking({
        let folder = folder.clone();
        move || NamedTempFile::new_in(folder)
    });
    let (file, temporary) = made.await.map_err(failed).map_err(at)?.into_parts();
    let mut file = File::from_std(file);
    let exported = export(store, &mut file, progress).await.map_err(at)?;
    file.sync_all().await.map_err(failed).map_err(at)?;
    let target = path.to_owned();
    let placed = blocking(move || {
        temporary.persist(&target).map_err(|error| error.error)?;
        // Otherwise the name may be gone after a loss of power.
        std::fs::File::open(folder)?.sync_all()
    });
    placed.await.map_err(failed).map_err(at)?;
    Ok(exported)
}

/// Imports a file, as [`import`] does, with its errors and cancel safety.
pub async fn import_file(store: &Store, path: &Path, progress: Listener<'_>) -> Result<Imported> {
    let at = |error: Error| error.context(path.display());
    let file = File::open(path).await.map_err(unreadable).map_err(at)?;
    import(store, BufReader::new(file), progress).await.map_err(at)
}

/// Copies what can be read only once, a pipe say, to an unnamed file in the folder for temporary
/// files, so that it can be checked and imported. The file is gone with the last handle to it.
///
/// `StorageFull` and `Unavailable` if it cannot be copied. Cancel safe: nothing stays.
pub async fn spool<R: AsyncRead + Unpin + Send>(mut input: R) -> Result<File> {
    let file = blocking(tempfile::tempfile).await.map_err(unspoolable)?;
    let mut file = File::from_std(file);
    tokio::io::copy(&mut input, &mut file).await.map_err(unspoolable)?;
    file.rewind().await.map_err(unspoolable)?;
    Ok(file)
}

pub(super) fn unspoolable(cause: std::io::Error) -> Error {
    let kind = match cause.kind() {
        std::io::ErrorKind::StorageFull => ErrorKind::StorageFull,
        _ => ErrorKind::Unavailable,
    };
    let folder = std::env::temp_dir();
    let message = format!("the input cannot be copied to {}: {cause}", folder.display());
    Error::new(kind, message).with_source(cause)
}

pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> std::io::Result<T> {
    spawn_blocking(work).await.unwrap_or_else(|cause| Err(std::io::Error::other(cause)))
}
