//! What every manifest says.

use std::fs;

use super::Finding;
use crate::Result;
use crate::workspace::{Package, Workspace};

const RULE: &str = "manifests";

pub(super) fn check(workspace: &Workspace) -> Result<Vec<Finding>> {
    let mut findings = check_root(&fs::read_to_string(workspace.root.join("Cargo.toml"))?);
    for package in &workspace.packages {
        let text = fs::read_to_string(&package.manifest_path)?;
        findings.extend(check_package(package, &text));
    }
    Ok(findings)
}

/// Forbidding it here forbids it in every crate that takes the lints of the workspace, which
/// the compiler checks better than any search.
fn check_root(text: &str) -> Vec<Finding> {
    if text.lines().any(|line| line.trim() == r#"unsafe_code = "forbid""#) {
        return Vec::new();
    }
    vec![Finding::new(RULE, "Cargo.toml", "unsafe code is not forbidden in the workspace lints")]
}

fn check_package(package: &Package, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut require = |held: bool, message: &str| {
        if !held {
            findings.push(Finding::new(RULE, &package.name, message));
        }
    };
    let description = package.description.as_deref().unwrap_or_default();
    require(
        description.len() > 20 && !description.ends_with('.'),
        "needs a description of one line without a full stop",
    );
    require(package.license.is_some(), "needs `license.workspace = true`");
    require(!package.keywords.is_empty(), "needs `keywords.workspace = true`");
    require(takes_lints(text), "needs `[lints]` with `workspace = true`");
    findings
}

fn takes_lints(text: &str) -> bool {
    let mut lines = text.lines().map(str::trim);
    lines.any(|line| line == "[lints]") && lines.next() == Some("workspace = true")
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINTS: &str = "[package]\nname = \"x\"\n\n[lints]\nworkspace = true\n";

    fn complete() -> Package {
        Package {
            name: "x".to_owned(),
            description: Some("What is kept, for how long, and why".to_owned()),
            license: Some("MIT".to_owned()),
            keywords: vec!["state".to_owned()],
            ..Package::default()
        }
    }

    #[test]
    fn a_complete_manifest_passes() {
        assert_eq!(check_package(&complete(), LINTS), []);
    }

    #[test]
    fn every_crate_takes_the_lints_of_the_workspace() {
        assert_eq!(check_package(&complete(), "[package]\n").len(), 1);
        assert_eq!(check_package(&complete(), "[lints]\nworkspace = false\n").len(), 1);
    }

    #[test]
    fn every_crate_says_what_it_is() {
        let placeholder = Package { description: Some("placeholder".to_owned()), ..complete() };
        assert_eq!(check_package(&placeholder, LINTS).len(), 1);
        let bare = Package { name: "x".to_owned(), ..Package::default() };
        assert_eq!(check_package(&bare, LINTS).len(), 3);
    }

    #[test]
    fn unsafe_code_is_forbidden_everywhere() {
        assert_eq!(check_root("[workspace.lints.rust]\nunsafe_code = \"forbid\"\n"), []);
        assert_eq!(check_root("[workspace.lints.rust]\nunsafe_code = \"warn\"\n").len(), 1);
    }
}
