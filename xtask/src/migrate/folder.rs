//! The migrations as files: `NNNN_name.up.sql` and what undoes it, `NNNN_name.down.sql`.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::Result;

/// One step of the schema.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Migration {
    pub(super) number: u32,
    pub(super) name: String,
    pub(super) up: String,
    pub(super) down: String,
}

impl Migration {
    /// The names of its files, up and down.
    pub(super) fn files(&self) -> [String; 2] {
        ["up", "down"].map(|way| format!("{:04}_{}.{way}.sql", self.number, self.name))
    }
}

/// Reads the migrations of a folder in their order. The error lists everything that is wrong with
/// their names.
pub(super) fn read(folder: &Path) -> Result<Vec<Migration>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "sql") {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            files.insert(name, fs::read_to_string(&path)?);
        }
    }
    pair(&files).map_err(|problems| problems.join("\n").into())
}

/// The migrations that files by these names make, or all that is wrong with them.
fn pair(files: &BTreeMap<String, String>) -> std::result::Result<Vec<Migration>, Vec<String>> {
    let mut problems = Vec::new();
    let mut found: BTreeMap<u32, Migration> = BTreeMap::new();
    for (file, text) in files {
        let Some((number, name, way)) = parse(file) else {
            problems.push(format!("{file} is not called like 0001_name.up.sql"));
            continue;
        };
        let migration = found.entry(number).or_insert_with(|| Migration {
            number,
            name: name.to_owned(),
            ..Migration::default()
        });
        if migration.name != name {
            problems.push(format!("{file} has the number of {}", migration.name));
        } else if text.trim().is_empty() {
            problems.push(format!("{file} is empty"));
        } else if way == "up" {
            migration.up.clone_from(text);
        } else {
            migration.down.clone_from(text);
        }
    }
    for (place, migration) in (1..).zip(found.values()) {
        let [up, down] = migration.files();
        if migration.number != place {
            problems.push(format!("{up} should have the number {place:04}"));
        }
        for file in [up, down].iter().filter(|file| !files.contains_key(*file)) {
            problems.push(format!("{file} is missing"));
        }
    }
    if found.is_empty() {
        problems.push("there are no migrations".to_owned());
    }
    if problems.is_empty() { Ok(found.into_values().collect()) } else { Err(problems) }
}

fn parse(file: &str) -> Option<(u32, &str, &str)> {
    let (stem, way) = file.strip_suffix(".sql")?.rsplit_once('.')?;
    let (number, name) = stem.split_once('_')?;
    let known = number.len() == 4 && is_name(name) && (way == "up" || way == "down");
    Some((number.parse().ok()?, name, way)).filter(|_| known)
}

/// Whether a migration may be called so.
pub(super) fn is_name(name: &str) -> bool {
    let plain = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'_';
    !name.is_empty() && name.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(files: &[&str]) -> Vec<String> {
        let files = files.iter().map(|file| ((*file).to_owned(), "SELECT 1;".to_owned()));
        pair(&files.collect()).err().unwrap_or_default()
    }

    #[test]
    fn pairs_are_numbered_without_a_gap() {
        let first = ["0001_init.up.sql", "0001_init.down.sql"];
        assert_eq!(problems(&first), Vec::<String>::new());
        let gap = [&first[..], &["0003_more.up.sql", "0003_more.down.sql"]].concat();
        assert_eq!(problems(&gap), ["0003_more.up.sql should have the number 0002"]);
    }

    #[test]
    fn what_goes_up_comes_down() {
        assert_eq!(problems(&["0001_init.up.sql"]), ["0001_init.down.sql is missing"]);
        assert_eq!(problems(&["0001_init.down.sql"]), ["0001_init.up.sql is missing"]);
        assert_eq!(problems(&[]), ["there are no migrations"]);
    }

    #[test]
    fn a_number_is_given_once() {
        let files = ["0001_a.up.sql", "0001_a.down.sql", "0001_b.up.sql"];
        assert_eq!(problems(&files), ["0001_b.up.sql has the number of a"]);
    }

    #[test]
    fn other_names_are_refused() {
        for file in ["1_a.up.sql", "0001_A.up.sql", "0001_a.sql", "0001_.up.sql", "a.up.sql"] {
            assert!(problems(&[file])[0].contains("is not called like"), "{file}");
        }
    }

    #[test]
    fn an_empty_file_is_no_migration() {
        let files = [("0001_a.up.sql", "\n"), ("0001_a.down.sql", "DROP TABLE a;")];
        let files = files.map(|(file, text)| (file.to_owned(), text.to_owned()));
        assert_eq!(pair(&files.into()).unwrap_err(), ["0001_a.up.sql is empty"]);
    }
}
