//! Names are nouns of the field and verbs that say what happens.

use super::Finding;

const RULE: &str = "names";

/// A file called so is where things go that have no place.
const EMPTY_WORDS: &[&str] =
    &["util", "utils", "helper", "helpers", "manager", "misc", "common", "types"];

/// A function that begins so does not say what it does.
const EMPTY_VERBS: &[&str] = &["get_", "do_", "handle_", "process_", "perform_", "manage_"];

/// Names where the word means something of the field. Take one off when it is gone; add none.
const ALLOWED: &[&str] = &[];

pub(super) fn check(sources: &[(String, String)]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (file, text) in sources {
        findings.extend(check_file(file));
        if file.contains("/src/") {
            findings.extend(functions(text).filter(|name| is_empty(name)).map(|name| {
                Finding::new(RULE, file, format!("fn {name} does not say what it does"))
            }));
        }
    }
    findings
}

fn check_file(file: &str) -> Option<Finding> {
    let parts = file.trim_end_matches(".rs").split('/');
    let empty =
        parts.flat_map(|part| part.split(['_', '-'])).find(|word| EMPTY_WORDS.contains(word))?;
    Some(Finding::new(RULE, file, format!("{empty:?} does not say what is in it")))
}

fn is_empty(function: &str) -> bool {
    let words: Vec<&str> = function.split('_').collect();
    let empty_word = words.iter().any(|word| ["util", "helper", "manager"].contains(word));
    let empty_verb = EMPTY_VERBS.iter().any(|verb| function.starts_with(verb));
    (empty_word || empty_verb) && !ALLOWED.contains(&function)
}

/// The names of the functions in a file, its unit tests aside: those are whole sentences.
fn functions(text: &str) -> impl Iterator<Item = &str> {
    text.lines()
        .take_while(|line| *line != "#[cfg(test)]")
        .filter_map(|line| {
            let line = line.trim_start();
            let (before, after) = line.split_once("fn ")?;
            let begins = before.is_empty() || before.ends_with(' ');
            (begins && !line.starts_with("//")).then_some(after)
        })
        .filter_map(|after| after.split(|c: char| !c.is_alphanumeric() && c != '_').next())
        .filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_one(file: &str, text: &str) -> usize {
        check(&[(file.to_owned(), text.to_owned())]).len()
    }

    #[test]
    fn a_function_says_what_it_does() {
        let file = "crates/x/src/lease.rs";
        assert_eq!(check_one(file, "pub fn renew(&self) {}\nfn target() {}\n"), 0);
        assert_eq!(check_one(file, "pub(crate) async fn get_lease() {}\n"), 1);
        assert_eq!(check_one(file, "    fn do_it() {}\n    const fn path_helper() {}\n"), 2);
        assert_eq!(check_one(file, "/// like fn get_lease()\nlet f: fn (u8) -> u8;\n"), 0);
    }

    #[test]
    fn a_test_is_named_for_its_property() {
        let text = "fn renew() {}\n#[cfg(test)]\nmod tests {\n    fn process_dies_late() {}\n}\n";
        assert_eq!(check_one("crates/x/src/lease.rs", text), 0);
        assert_eq!(check_one("crates/x/tests/lease.rs", "fn process_dies_late() {}\n"), 0);
    }

    #[test]
    fn a_file_says_what_is_in_it() {
        assert_eq!(check_one("crates/x/src/utils.rs", ""), 1);
        assert_eq!(check_one("crates/x/src/lease/lease_manager.rs", ""), 1);
        assert_eq!(check_one("crates/x/src/managers_of_none.rs", ""), 0);
    }
}
