//! How a chore tells what came of its parts.

use std::time::Duration;

use serde::Serialize;

use crate::tally::Tally;

/// What came of one part of a chore.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "result", content = "reason")]
pub(crate) enum Verdict {
    Passed,
    Failed,
    /// It could not be tried, for this reason. Never shown as passed.
    NotRun(String),
}

/// One part of a chore, when it is over.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Part {
    pub(crate) name: String,
    #[serde(flatten)]
    pub(crate) verdict: Verdict,
    pub(crate) seconds: f64,
    /// If it ran tests, how many.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tests: Option<Tally>,
}

impl Part {
    pub(crate) fn new(name: &str, verdict: Verdict, took: Duration) -> Self {
        Self { name: name.to_owned(), verdict, seconds: tenths(took), tests: None }
    }

    /// As a person reads it.
    pub(crate) fn line(&self) -> String {
        let Self { name, verdict, seconds, tests } = self;
        let tests = tests.map_or_else(String::new, |Tally { passed, failed, ignored }| {
            format!("  {passed} passed, {failed} failed, {ignored} ignored")
        });
        match verdict {
            Verdict::Passed => format!("{name:<32} passed   {seconds:>7.1} s{tests}"),
            Verdict::Failed => format!("{name:<32} FAILED   {seconds:>7.1} s{tests}"),
            Verdict::NotRun(reason) => format!("{name:<32} NOT RUN  {reason}"),
        }
    }

    pub(crate) fn failed(&self) -> bool {
        self.verdict == Verdict::Failed
    }
}

impl From<bool> for Verdict {
    fn from(held: bool) -> Self {
        if held { Self::Passed } else { Self::Failed }
    }
}

/// Prints one line of a report in JSON.
pub(crate) fn print_json(item: &impl Serialize) -> crate::Result<()> {
    println!("{}", serde_json::to_string(item)?);
    Ok(())
}

fn tenths(took: Duration) -> f64 {
    (took.as_secs_f64() * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_run_never_reads_as_passed() {
        let part =
            Part::new("licences", Verdict::NotRun("no cargo-deny".to_owned()), Duration::ZERO);
        assert!(part.line().contains("NOT RUN  no cargo-deny"));
        let json = serde_json::to_string(&part).unwrap();
        assert_eq!(
            json,
            r#"{"name":"licences","result":"not_run","reason":"no cargo-deny","seconds":0.0}"#
        );
        let part = Part::new("tests", Verdict::Passed, Duration::from_millis(1460));
        assert_eq!(
            serde_json::to_string(&part).unwrap(),
            r#"{"name":"tests","result":"passed","seconds":1.5}"#
        );
    }
}
