//! Reading a configuration file into names and values.

use std::fs::File;
use std::io::{ErrorKind, Read as _};
use std::path::Path;

use outlast::{Error, Result};
use toml::Value;

/// No configuration is longer.
const MOST_BYTES: u64 = 1 << 20;

/// The settings of a file in its order; `None` if it is not there and need not be.
///
/// `Invalid`, in one line with the path, for anything that is not a configuration.
pub(super) fn read(path: &Path, must_be: bool) -> Result<Option<Vec<(String, String)>>> {
    let place = path.display();
    let refused = |why: &str| Error::invalid(format!("{place}: {why}"));
    let file = match File::open(path) {
        Ok(file) => file,
        Err(cause) if !must_be && is_absent(&cause) => return Ok(None),
        Err(cause) => {
            return Err(refused("the configuration cannot be read").with_source(cause));
        }
    };
    if file.metadata().is_ok_and(|found| found.is_dir()) {
        return Err(refused("this is a directory, not a configuration file"));
    }
    let mut bytes = Vec::new();
    file.take(MOST_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(|cause| refused("the configuration cannot be read").with_source(cause))?;
    if bytes.is_empty() {
        return Err(refused("the configuration is empty; add a setting or remove the file"));
    }
    if bytes.len() as u64 > MOST_BYTES {
        return Err(refused("the configuration is longer than 1 MiB"));
    }
    let text = String::from_utf8(bytes).map_err(|_| refused("this is binary, not text"))?;
    let table: toml::Table = text.parse().map_err(|cause: toml::de::Error| {
        let line = cause.span().map_or(1, |span| line_of(&text, span.start));
        let message = cause.message().replace('\n', " ");
        refused(&format!("line {line} is not a setting: {message}"))
    })?;
    let mut settings = Vec::new();
    flatten("", table, &mut settings).map_err(|error| error.context(place))?;
    Ok(Some(settings))
}

fn is_absent(cause: &std::io::Error) -> bool {
    matches!(cause.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}

fn line_of(text: &str, at: usize) -> usize {
    text.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1
}

/// Joins the names of tables with dots.
fn flatten(prefix: &str, table: toml::Table, settings: &mut Vec<(String, String)>) -> Result<()> {
    for (name, value) in table {
        let name = format!("{prefix}{name}");
        match value {
            Value::Table(inner) => flatten(&format!("{name}."), inner, settings)?,
            Value::String(text) => settings.push((name, text)),
            Value::Integer(number) => settings.push((name, number.to_string())),
            other => {
                let found = other.type_str();
                let message = format!("{name}: a {found} is no value for a setting");
                return Err(Error::invalid(message));
            }
        }
    }
    Ok(())
}
