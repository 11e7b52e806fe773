//! Dependencies point one way.

use super::Finding;
use crate::workspace::Package;

const RULE: &str = "layers";

/// The crates of this workspace that each of its crates may build on. Packages that nobody
/// depends on (tests, benches, these chores) may build on all, and are not listed.
const MAY_USE: &[(&str, &[&str])] = &[
    ("outlast-core", &[]),
    ("outlast-memory", &["outlast-core"]),
    ("outlast-sqlite", &["outlast-core"]),
    ("outlast-sled", &["outlast-core"]),
    ("outlast-store", &["outlast-core"]),
    // The volatile store is what a harness is shown with.
    ("outlast-conformance", &["outlast-core", "outlast-store", "outlast-memory"]),
    ("outlast-orchestrator", &["outlast-core", "outlast-store"]),
    (
        "outlast",
        &[
            "outlast-core",
            "outlast-store",
            "outlast-conformance",
            "outlast-orchestrator",
            "outlast-memory",
            "outlast-sqlite",
            "outlast-sled",
        ],
    ),
    ("outlast-cli", &["outlast"]),
];

const UNLISTED: &[&str] = &["outlast-tests", "outlast-benches", "xtask"];

/// The crates from outside that belong to one crate of this workspace alone.
const OWNED: &[(&str, &str)] = &[("sqlx", "outlast-sqlite"), ("sled", "outlast-sled")];

/// The core does no I/O and starts no task: it is planned by it, not done.
const NOT_IN_CORE: &[&str] = &["tokio", "rustix", "tempfile", "futures-util"];

pub(super) fn check(packages: &[Package]) -> Vec<Finding> {
    packages.iter().flat_map(check_package).collect()
}

fn check_package(package: &Package) -> Vec<Finding> {
    let name = package.name.as_str();
    if UNLISTED.contains(&name) {
        return Vec::new();
    }
    let Some((_, allowed)) = MAY_USE.iter().find(|(listed, _)| *listed == name) else {
        let message = "is in no layer; say in xtask/src/tidy/layers.rs what it may build on";
        return vec![Finding::new(RULE, name, message)];
    };
    let needed = package.dependencies.iter().filter(|dependency| dependency.kind.is_none());
    needed
        .map(|dependency| dependency.name.as_str())
        .filter(|needed| is_foreign(name, allowed, needed))
        .map(|needed| Finding::new(RULE, name, format!("may not depend on {needed}")))
        .collect()
}

fn is_foreign(name: &str, allowed: &[&str], needed: &str) -> bool {
    let is_ours = needed == "outlast" || needed.starts_with("outlast-");
    (is_ours && !allowed.contains(&needed))
        || OWNED.iter().any(|(owned, owner)| *owned == needed && *owner != name)
        || (name == "outlast-core" && NOT_IN_CORE.contains(&needed))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::Dependency;

    fn package(name: &str, needs: &[&str]) -> Package {
        let needs = needs.iter().map(|name| Dependency { name: (*name).to_owned(), kind: None });
        Package { name: name.to_owned(), dependencies: needs.collect(), ..Package::default() }
    }

    fn refused(name: &str, needs: &[&str]) -> Vec<String> {
        let found = check(&[package(name, needs)]);
        found.into_iter().map(|finding| finding.message).collect()
    }

    #[test]
    fn a_layer_may_use_only_what_is_below_it() {
        assert!(refused("outlast-store", &["outlast-core", "tokio"]).is_empty());
        assert_eq!(refused("outlast-core", &["outlast-store"]).len(), 1);
        assert_eq!(refused("outlast-cli", &["outlast", "outlast-core"]).len(), 1);
        assert_eq!(refused("outlast-orchestrator", &["outlast-sqlite"]).len(), 1);
    }

    #[test]
    fn backends_know_neither_each_other_nor_anything_above() {
        for backend in ["outlast-memory", "outlast-sqlite", "outlast-sled"] {
            for other in ["outlast-memory", "outlast-sqlite", "outlast-sled", "outlast-store"] {
                assert_eq!(refused(backend, &[other]).len(), 1, "{backend} -> {other}");
            }
        }
    }

    #[test]
    fn each_storage_engine_stays_in_its_backend() {
        assert!(refused("outlast-sqlite", &["sqlx"]).is_empty());
        assert_eq!(refused("outlast-store", &["sqlx", "sled"]).len(), 2);
    }

    #[test]
    fn core_does_no_io() {
        assert_eq!(refused("outlast-core", &["tokio", "sqlx", "sled"]).len(), 3);
    }

    #[test]
    fn a_new_crate_has_to_be_given_a_layer() {
        assert_eq!(refused("outlast-new", &[]).len(), 1);
    }

    #[test]
    fn tests_of_a_crate_may_use_any_other() {
        let mut package = package("outlast-store", &["outlast-memory"]);
        package.dependencies[0].kind = Some("dev".to_owned());
        assert!(check(&[package]).is_empty());
    }
}
