//! Reading a file that somebody wrote by hand.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::Path;

use outlast::{Error, Result};

/// The text of a file, which is `what` and has at most so many MiB.
///
/// `Invalid`, in one line with the path, if it cannot be read, is longer, or is no text.
pub(crate) fn read(path: &Path, what: &str, most_mib: u64) -> Result<String> {
    let refused = |why: &str| Error::invalid(format!("{}: {why}", path.display()));
    let unreadable =
        |cause: io::Error| Error::invalid(format!("{} cannot be read: {cause}", path.display()));
    // Before it is opened: opening a pipe waits for whoever writes to it.
    let kind = fs::metadata(path).map_err(unreadable)?;
    if kind.is_dir() {
        return Err(refused(&format!("this is a directory, not {what}")));
    }
    if !kind.is_file() {
        return Err(refused(&format!("this is a pipe or a device: write {what} to a file first")));
    }
    let most = most_mib << 20;
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(unreadable)?;
    file.take(most + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > most {
        return Err(refused(&format!("this is longer than {most_mib} MiB, and not {what}")));
    }
    String::from_utf8(bytes).map_err(|_| refused(&format!("this is binary, not {what}")))
}

/// The place of a byte as people count lines.
pub(crate) fn line_of(text: &str, at: usize) -> usize {
    text.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1
}
