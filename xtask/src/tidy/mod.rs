//! `tidy`: the rules of the layout that no compiler checks.
//!
//! A rule is a function from what is there to what is wrong with it, so that its tests can show
//! it things that are wrong.

mod invariants;
mod layers;
mod manifests;
mod names;
mod sizes;

use serde::Serialize;

use crate::Result;
use crate::report::print_json;
use crate::workspace::Workspace;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// One line of JSON per finding
    #[arg(long)]
    json: bool,
}

/// A place where a rule does not hold.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Finding {
    rule: &'static str,
    /// The file or crate.
    place: String,
    /// What is wrong, and what to do.
    message: String,
}

impl Finding {
    fn new(rule: &'static str, place: &str, message: impl Into<String>) -> Self {
        Self { rule, place: place.to_owned(), message: message.into() }
    }
}

pub(crate) fn run(args: &Args) -> Result<bool> {
    let findings = findings(&Workspace::read()?)?;
    for finding in &findings {
        if args.json {
            print_json(finding)?;
        } else {
            println!("{}: {} ({})", finding.place, finding.message, finding.rule);
        }
    }
    if !args.json {
        println!("tidy: {} findings", findings.len());
    }
    Ok(findings.is_empty())
}

fn findings(workspace: &Workspace) -> Result<Vec<Finding>> {
    let sources = workspace.sources()?;
    let mut findings = layers::check(&workspace.packages);
    findings.extend(manifests::check(workspace)?);
    findings.extend(sizes::check(&sources));
    findings.extend(names::check(&sources));
    findings.extend(invariants::check(workspace, &sources));
    Ok(findings)
}
