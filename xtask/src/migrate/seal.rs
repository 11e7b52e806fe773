//! What was released does not change: the file CHECKSUMS holds a sum of every migration.
//!
//! A migration that some file of a user has applied must stay as it is, or two files that say
//! they have the same schema would differ. So a sum is added once and never replaced; a mistake
//! is mended by a further migration.

use std::collections::BTreeMap;
use std::fmt::Write;

use xxhash_rust::xxh3::xxh3_64;

use super::folder::Migration;

/// Where the sums are, beside the migrations.
pub(super) const FILE: &str = "CHECKSUMS";

/// What differs between the migrations and the sums they were sealed with.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Differences {
    /// Sealed and since changed or taken away.
    pub(super) broken: Vec<String>,
    /// Not sealed yet.
    pub(super) unsealed: Vec<String>,
}

/// The sums of these migrations as the text of the file.
pub(super) fn text(migrations: &[Migration]) -> String {
    sums(migrations).into_iter().fold(String::new(), |mut text, (file, sum)| {
        let _ = writeln!(text, "{sum:016x}  {file}");
        text
    })
}

/// Compares the migrations with the text of the file.
pub(super) fn compare(migrations: &[Migration], sealed: &str) -> Differences {
    let present = sums(migrations);
    let sealed: BTreeMap<&str, &str> = sealed
        .lines()
        .filter_map(|line| line.split_once("  "))
        .map(|(sum, file)| (file, sum))
        .collect();
    let mut differences = Differences::default();
    for (file, sum) in &sealed {
        let now = present.get(*file).map(|sum| format!("{sum:016x}"));
        if now.as_deref() != Some(*sum) {
            differences.broken.push((*file).to_owned());
        }
    }
    let unsealed = present.into_keys().filter(|file| !sealed.contains_key(file.as_str()));
    differences.unsealed.extend(unsealed);
    differences
}

fn sums(migrations: &[Migration]) -> BTreeMap<String, u64> {
    let sums = migrations.iter().flat_map(|migration| {
        let [up, down] = migration.files();
        [(up, xxh3_64(migration.up.as_bytes())), (down, xxh3_64(migration.down.as_bytes()))]
    });
    sums.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn migration(number: u32, up: &str) -> Migration {
        Migration { number, name: "step".to_owned(), up: up.to_owned(), down: "DROP".to_owned() }
    }

    #[test]
    fn sealed_migrations_compare_equal() {
        let migrations = [migration(1, "CREATE"), migration(2, "ALTER")];
        assert_eq!(compare(&migrations, &text(&migrations)), Differences::default());
    }

    #[test]
    fn a_sealed_migration_that_changed_is_found() {
        let sealed = text(&[migration(1, "CREATE")]);
        let found = compare(&[migration(1, "CREATE TABLE")], &sealed);
        assert_eq!(found.broken, ["0001_step.up.sql"]);
        assert_eq!(compare(&[], &sealed).broken.len(), 2);
    }

    #[test]
    fn a_new_migration_is_not_sealed() {
        let first = migration(1, "CREATE");
        let found = compare(&[first.clone(), migration(2, "ALTER")], &text(&[first]));
        assert_eq!(found.broken, Vec::<String>::new());
        assert_eq!(found.unsealed, ["0002_step.down.sql", "0002_step.up.sql"]);
    }
}
