//! The checksums of sled's files, which stand while the store is closed.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, Read, Write as _};
use std::path::Path;

use outlast_core::Result;
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use crate::config::{SEAL_FILE, SLED_BLOBS, SLED_LOG, SLED_PARAMETERS, SLED_SNAPSHOT};
use crate::error;

/// What identifies the content of a file.
#[derive(Debug, PartialEq, Eq)]
struct Print {
    bytes: u64,
    sum: u64,
}

/// `Corrupt`, naming the file, if one is not what it was; `false` if there is no seal.
pub(crate) fn check(dir: &Path) -> Result<bool> {
    let path = dir.join(SEAL_FILE);
    let text = match fs::read(&path) {
        Ok(text) => text,
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(cause) => return Err(error::io(&path.display().to_string(), cause)),
    };
    let sealed = parse(&text)
        .ok_or_else(|| error::damaged(dir, "its SEAL file does not match its own checksum"))?;
    let found = prints(dir).map_err(|cause| error::io(&dir.display().to_string(), cause))?;
    for (name, print) in &sealed {
        let why = match found.get(name) {
            None => format!("its file {name} is gone"),
            Some(now) if now.bytes != print.bytes => {
                format!("its file {name} has {} bytes instead of {}", now.bytes, print.bytes)
            }
            Some(now) if now.sum != print.sum => {
                format!("its file {name} was changed while the store was closed")
            }
            Some(_) => continue,
        };
        return Err(error::damaged(dir, why));
    }
    match found.keys().find(|name| !sealed.contains_key(*name)) {
        Some(name) => Err(error::damaged(dir, format!("its file {name} does not belong to it"))),
        None => Ok(true),
    }
}

/// Breaks the seal, durably, so that it is never found beside files that were written since.
pub(crate) fn remove(dir: &Path) -> Result<()> {
    let path = dir.join(SEAL_FILE);
    let failed = |cause| error::io(&path.display().to_string(), cause);
    match fs::remove_file(&path) {
        Ok(()) => File::open(dir).and_then(|dir| dir.sync_all()).map_err(failed),
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(cause) => Err(failed(cause)),
    }
}

/// Seals the files as they are.
pub(crate) fn write(dir: &Path) -> Result<()> {
    let failed = |cause| error::io(&dir.join(SEAL_FILE).display().to_string(), cause);
    let prints = prints(dir).map_err(failed)?;
    let mut text = String::new();
    for (name, Print { bytes, sum }) in &prints {
        // Writing to a text cannot fail.
        let _ = writeln!(text, "{sum:016x} {bytes} {name}");
    }
    let _ = writeln!(text, "{:016x} sum", xxh3_64(text.as_bytes()));
    replace(dir, text.as_bytes()).map_err(failed)
}

fn replace(dir: &Path, text: &[u8]) -> io::Result<()> {
    let new = dir.join(format!("{SEAL_FILE}.new"));
    let mut file = File::create(&new)?;
    file.write_all(text)?;
    file.sync_all()?;
    fs::rename(&new, dir.join(SEAL_FILE))?;
    File::open(dir)?.sync_all()
}

fn parse(bytes: &[u8]) -> Option<BTreeMap<String, Print>> {
    let text = std::str::from_utf8(bytes).ok()?.strip_suffix(" sum\n")?;
    let (body, sum) = match text.rfind('\n') {
        Some(end) => text.split_at_checked(end + 1)?,
        None => ("", text),
    };
    if sum != format!("{:016x}", xxh3_64(body.as_bytes())) {
        return None;
    }
    let print = |line: &str| {
        let mut words = line.splitn(3, ' ');
        let sum = u64::from_str_radix(words.next()?, 16).ok()?;
        let bytes = words.next()?.parse().ok()?;
        Some((words.next()?.to_owned(), Print { bytes, sum }))
    };
    body.lines().map(print).collect()
}

fn prints(dir: &Path) -> io::Result<BTreeMap<String, Print>> {
    let mut prints = BTreeMap::new();
    for entry in fs::read_dir(dir)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name == SLED_LOG || name == SLED_PARAMETERS || name.starts_with(SLED_SNAPSHOT) {
            prints.insert(name.clone(), print(&dir.join(&name))?);
        }
    }
    for entry in fs::read_dir(dir.join(SLED_BLOBS))? {
        let entry = entry?;
        let name = format!("{SLED_BLOBS}/{}", entry.file_name().to_string_lossy());
        prints.insert(name, print(&entry.path())?);
    }
    Ok(prints)
}

fn print(path: &Path) -> io::Result<Print> {
    let mut file = File::open(path)?;
    let mut sum = Xxh3::new();
    let mut bytes = 0;
    let mut block = vec![0; 1 << 16];
    loop {
        let read = file.read(&mut block)?;
        if read == 0 {
            return Ok(Print { bytes, sum: sum.digest() });
        }
        bytes += read as u64;
        sum.update(block.get(..read).unwrap_or_default());
    }
}
