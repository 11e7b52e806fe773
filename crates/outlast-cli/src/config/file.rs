//! Reading a configuration file into names and values.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use outlast::{Error, Result};
use toml::Value;

use crate::text_file::{self, line_of};

/// No configuration is longer.
const MOST_MIB: u64 = 1;

/// The settings of a file in its order; `None` if it is not there and need not be.
///
/// `Invalid`, in one line with the path, for anything that is not a configuration.
pub(super) fn read(path: &Path, must_be: bool) -> Result<Option<Vec<(String, String)>>> {
    if !must_be && fs::metadata(path).is_err_and(|cause| is_absent(&cause)) {
        return Ok(None);
    }
    let place = path.display();
    let refused = |why: &str| Error::invalid(format!("{place}: {why}"));
    let text = text_file::read(path, "a configuration file", MOST_MIB)?;
    if text.is_empty() {
        return Err(refused("the configuration is empty; add a setting or remove the file"));
    }
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

/// Joins the names of tables with dots.
fn flatten(prefix: &str, table: toml::Table, settings: &mut Vec<(String, String)>) -> Result<()> {
    for (name, value) in table {
        let name = format!("{prefix}{name}");
        match value {
            Value::Table(inner) => flatten(&format!("{name}."), inner, settings)?,
            Value::String(text) => settings.push((name, text)),
            Value::Boolean(switch) => settings.push((name, switch.to_string())),
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
