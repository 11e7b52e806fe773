//! `features`: each crate is checked alone, since a build of the whole workspace gives every crate
//! the features that any other asks for, and so hides what is missing.

use outlast_core::{Clock, SystemClock};

use crate::Result;
use crate::report::{Part, print_json};
use crate::workspace::{Package, Workspace, cargo, succeeds};

/// The crate users depend on. They choose a backend and an engine, so it is tried in such pairs
/// too.
const FACADE: &str = "outlast";
const BACKENDS: [&str; 3] = ["memory", "sled", "sqlite"];

#[derive(clap::Args)]
pub(crate) struct Args {
    /// One line of JSON per combination
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args) -> Result<bool> {
    let clock = SystemClock::default();
    let mut held = true;
    for package in Workspace::read()?.packages {
        for features in combinations(&package) {
            let start = clock.monotonic();
            let verdict = succeeds(&mut check(&package.name, &features), args.json)?.into();
            let name = format!("{} [{}]", package.name, features.join(" "));
            let part = Part::new(&name, verdict, clock.monotonic().saturating_sub(start));
            held &= !part.failed();
            if args.json {
                print_json(&part)?;
            } else {
                println!("{}", part.line());
            }
        }
    }
    Ok(held)
}

/// Linted as `ci` lints the workspace, so that what both need is checked once.
fn check(package: &str, features: &[&str]) -> std::process::Command {
    let mut command = cargo(&["clippy", "--quiet", "--locked", "--no-default-features"]);
    command.args(["--package", package, "--features", &features.join(",")]);
    command.args(["--", "-D", "warnings"]);
    command
}

/// No feature, each alone, what is on by default, all; of the facade each backend with each other
/// feature too.
fn combinations(package: &Package) -> Vec<Vec<&str>> {
    let features = package.features.keys().map(String::as_str);
    let features: Vec<&str> = features.filter(|name| *name != "default").collect();
    if features.is_empty() {
        return Vec::new();
    }
    let mut found = vec![Vec::new()];
    found.extend(features.iter().map(|feature| vec![*feature]));
    if package.name == FACADE {
        let (backends, others): (Vec<&str>, Vec<&str>) =
            features.iter().partition(|name| BACKENDS.contains(*name));
        let pairs = backends.iter().flat_map(|one| others.iter().map(|other| vec![*one, *other]));
        found.extend(pairs);
    }
    if package.features.contains_key("default") {
        found.push(vec!["default"]);
    }
    if !found.contains(&features) {
        found.push(features);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(name: &str, features: &[&str]) -> Package {
        let features = features.iter().map(|name| ((*name).to_owned(), Vec::new())).collect();
        Package { name: name.to_owned(), features, ..Package::default() }
    }

    fn check(name: &str, features: &[&str], expected: &[&[&str]]) {
        assert_eq!(combinations(&package(name, features)), expected);
    }

    #[test]
    fn every_feature_is_tried_alone_and_with_all_others() {
        check("outlast-core", &[], &[]);
        check("outlast-core", &["a"], &[&[], &["a"]]);
        check(
            "outlast-core",
            &["a", "b", "c", "default"],
            &[&[], &["a"], &["b"], &["c"], &["default"], &["a", "b", "c"]],
        );
    }

    #[test]
    fn each_backend_of_the_facade_is_tried_with_each_engine() {
        check(
            FACADE,
            &["a", "b", "sled", "sqlite"],
            &[
                &[],
                &["a"],
                &["b"],
                &["sled"],
                &["sqlite"],
                &["sled", "a"],
                &["sled", "b"],
                &["sqlite", "a"],
                &["sqlite", "b"],
                &["a", "b", "sled", "sqlite"],
            ],
        );
    }
}
