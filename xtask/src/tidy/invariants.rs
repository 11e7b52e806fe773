//! Every numbered invariant of ARCHITECTURE.md, and every threat of docs/threats.md, names a test that
//! would fail without it.
//!
//! Each is an item of the numbered list under the heading `Invariants` or `Threats`, and cites like
//! this: `(test: outlast_core::plan::stale_version_is_refused)`. The first part of the path is
//! the crate, the last the function; several are separated by commas.

use std::fs;

use super::Finding;
use crate::workspace::Workspace;

const RULE: &str = "invariants";
/// The files that hold such a list, and the heading it stands under.
const LISTS: [(&str, &str); 2] =
    [("ARCHITECTURE.md", "Invariants"), ("docs/threats.md", "Threats")];

pub(super) fn check(workspace: &Workspace, sources: &[(String, String)]) -> Vec<Finding> {
    let folders: Vec<(String, String)> = workspace
        .packages
        .iter()
        .filter_map(|package| {
            let folder = package.manifest_path.parent()?.strip_prefix(&workspace.root).ok()?;
            Some((package.name.replace('-', "_"), format!("{}/", folder.display())))
        })
        .collect();
    let mut findings = Vec::new();
    for list in LISTS {
        match fs::read_to_string(workspace.root.join(list.0)) {
            Ok(text) => {
                findings.extend(check_text(list, &text, |test| exists(test, &folders, sources)));
            }
            Err(_) => findings.push(Finding::new(RULE, list.0, "is missing")),
        }
    }
    findings
}

fn exists(test: &str, folders: &[(String, String)], sources: &[(String, String)]) -> bool {
    let (Some((first, _)), Some((_, function))) = (test.split_once("::"), test.rsplit_once("::"))
    else {
        return false;
    };
    let named = first.replace('-', "_");
    let Some((_, folder)) = folders.iter().find(|(name, _)| *name == named) else {
        return false;
    };
    let definition = format!("fn {function}(");
    let mut own = sources.iter().filter(|(file, _)| file.starts_with(folder));
    own.any(|(_, text)| text.contains(&definition))
}

fn check_text(
    (file, heading): (&str, &str),
    text: &str,
    exists: impl Fn(&str) -> bool,
) -> Vec<Finding> {
    let items = items_under(heading, text);
    if items.is_empty() {
        let message = format!("has no numbered list under a heading `{heading}`");
        return vec![Finding::new(RULE, file, message)];
    }
    let mut findings = Vec::new();
    for item in items {
        let number = item.split('.').next().unwrap_or_default();
        let tests = cited(&item);
        if tests.is_empty() {
            let message = format!("item {number} cites no test; add `(test: crate::name)`");
            findings.push(Finding::new(RULE, file, message));
        }
        findings.extend(tests.into_iter().filter(|test| !exists(test)).map(|test| {
            Finding::new(RULE, file, format!("item {number}: there is no test {test}"))
        }));
    }
    findings
}

/// The items of the numbered list, each with the lines that belong to it.
fn items_under(heading: &str, text: &str) -> Vec<String> {
    let heading = |line: &&str| line.starts_with("##") && line.ends_with(heading);
    let section = text.lines().skip_while(|line| !heading(line)).skip(1);
    let mut items: Vec<String> = Vec::new();
    for line in section.take_while(|line| !line.starts_with('#')) {
        let numbered =
            line.split_once(". ").is_some_and(|(number, _)| number.parse::<u32>().is_ok());
        if numbered {
            items.push(line.to_owned());
        } else if let Some(item) = items.last_mut() {
            item.push(' ');
            item.push_str(line.trim());
        }
    }
    items
}

fn cited(item: &str) -> Vec<String> {
    item.split("(test: ")
        .skip(1)
        .filter_map(|after| after.split(')').next())
        .flat_map(|names| names.split(','))
        .map(|name| name.trim().trim_matches('`').to_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(text: &str) -> Vec<String> {
        let found = check_text(LISTS[0], text, |test| test == "a::b::holds" || test == "a::stays");
        found.into_iter().map(|finding| finding.message).collect()
    }

    #[test]
    fn an_invariant_that_cites_real_tests_passes() {
        let text = "# X\n\n## Invariants\n\n1. It holds\n   and stays (test: `a::b::holds`,\n   \
                    `a::stays`).\n2. Again (test: a::stays)\n\n## Next\n\n1. No invariant\n";
        assert_eq!(messages(text), Vec::<String>::new());
    }

    #[test]
    fn an_invariant_without_a_test_is_found() {
        let found = messages("## Invariants\n1. It holds.\n2. It stays (test: a::stays).\n");
        assert_eq!(found, ["item 1 cites no test; add `(test: crate::name)`"]);
    }

    #[test]
    fn a_test_that_is_gone_is_found() {
        let found = messages("## Invariants\n1. It holds (test: a::b::held).\n");
        assert_eq!(found, ["item 1: there is no test a::b::held"]);
    }

    #[test]
    fn a_list_that_is_gone_is_found() {
        assert_eq!(messages("# Architecture\n").len(), 1);
    }

    #[test]
    fn a_test_is_looked_for_in_the_crate_it_names() {
        let folders = [("a".to_owned(), "crates/a/".to_owned())];
        let sources = [("crates/a/src/b.rs".to_owned(), "    fn holds() {}\n".to_owned())];
        assert!(exists("a::b::holds", &folders, &sources));
        assert!(!exists("b::holds", &folders, &sources));
        assert!(!exists("a::b::hold", &folders, &sources));
        assert!(!exists("holds", &folders, &sources));
    }
}
