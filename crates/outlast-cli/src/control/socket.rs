//! Where the control socket is, and who may come to it.

use std::fs::{self, DirBuilder, Permissions};
use std::io::ErrorKind as IoKind;
use std::os::unix::fs::{
    DirBuilderExt as _, FileTypeExt as _, MetadataExt as _, PermissionsExt as _,
};
use std::path::{Path, PathBuf};
use std::time::Duration;

use outlast::{Error, Result};
use tokio::net::{UnixListener, UnixStream};
use tokio::time::timeout;

/// How long whoever listens may take to say hello.
const PATIENCE: Duration = Duration::from_secs(5);

/// A socket that is listened at, removed when it is no longer.
#[derive(Debug)]
pub(super) struct Socket {
    pub(super) listener: UnixListener,
    path: PathBuf,
    /// The file, to be recognised: another process may have replaced it.
    file: (u64, u64),
    pub(super) owner: u32,
}

impl Socket {
    /// Begins to listen. `Busy` if another process does; what a dead one left is replaced.
    /// `Invalid` for a folder that others can enter, and for a path where something else is.
    pub(super) async fn bind(path: &Path) -> Result<Self> {
        let failed = |verb: &str, cause: std::io::Error| {
            let message = format!("cannot {verb} the control socket {}: {cause}", path.display());
            Error::unavailable(message).with_source(cause)
        };
        folder_of(path)?;
        if connect(path).await?.is_some() {
            return Err(Error::busy(format!(
                "another process is controlled through {}; stop it, or choose another with \
                 --control",
                path.display()
            )));
        }
        match fs::symlink_metadata(path) {
            Ok(found) if found.file_type().is_socket() => {
                fs::remove_file(path).map_err(|cause| failed("replace", cause))?;
            }
            Ok(_) => {
                let place = path.display();
                return Err(Error::invalid(format!(
                    "{place} is there and is no socket; choose another with --control"
                )));
            }
            Err(_) => {}
        }
        let listener = UnixListener::bind(path).map_err(|cause| failed("make", cause))?;
        fs::set_permissions(path, Permissions::from_mode(0o600))
            .map_err(|cause| failed("close off", cause))?;
        let made = fs::symlink_metadata(path).map_err(|cause| failed("find", cause))?;
        let file = (made.dev(), made.ino());
        Ok(Self { listener, path: path.to_owned(), file, owner: made.uid() })
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        let is_ours = fs::symlink_metadata(&self.path)
            .is_ok_and(|found| (found.dev(), found.ino()) == self.file);
        if is_ours {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Makes the folder for its owner alone. `Invalid` if it is there and others can enter it.
fn folder_of(path: &Path) -> Result<()> {
    let folder = match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    let shown = folder.display();
    if !folder.exists() {
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(|cause| {
            Error::unavailable(format!("cannot make the folder {shown}")).with_source(cause)
        })?;
    }
    let found = fs::metadata(folder).map_err(|cause| {
        Error::unavailable(format!("cannot look at the folder {shown}")).with_source(cause)
    })?;
    if found.mode() & 0o077 != 0 {
        return Err(Error::invalid(format!(
            "others can enter {shown}, and a control socket in it would be theirs too: chmod 700 \
             it, or choose another place with --control"
        )));
    }
    Ok(())
}

/// Comes to whoever listens there; `None` if nobody does.
pub(super) async fn connect(path: &Path) -> Result<Option<UnixStream>> {
    let place = path.display();
    match timeout(PATIENCE, UnixStream::connect(path)).await {
        Ok(Ok(stream)) => Ok(Some(stream)),
        Ok(Err(cause)) if is_nobody(cause.kind()) => Ok(None),
        Ok(Err(cause)) => {
            let message = format!("the control socket {place} cannot be used: {cause}");
            Err(Error::unavailable(message).with_source(cause))
        }
        Err(_) => Err(Error::unavailable(format!(
            "whoever listens at the control socket {place} does not answer; is it stopped?"
        ))),
    }
}

fn is_nobody(kind: IoKind) -> bool {
    matches!(kind, IoKind::NotFound | IoKind::ConnectionRefused | IoKind::NotADirectory)
}
