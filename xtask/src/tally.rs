//! How many tests ran, over all the programs a test run consists of.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use serde::Serialize;

use crate::Result;

/// The sum of the runner's own summary lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Tally {
    pub(crate) passed: u32,
    pub(crate) failed: u32,
    pub(crate) ignored: u32,
}

/// Runs tests, copies what they print to `show`, sums up, and says whether they held. A run of
/// nothing proves nothing, and so did not hold.
pub(crate) fn run(command: &mut Command, show: &mut impl Write) -> Result<(Tally, bool)> {
    let mut child = command.stdout(Stdio::piped()).spawn()?;
    let mut tally = Tally::default();
    if let Some(printed) = child.stdout.take() {
        for line in BufReader::new(printed).split(b'\n') {
            let line = line?;
            tally.add(&String::from_utf8_lossy(&line));
            show.write_all(&line)?;
            show.write_all(b"\n")?;
        }
    }
    let ended_well = child.wait()?.success();
    Ok((tally, ended_well && tally.failed == 0 && tally.passed > 0))
}

impl Tally {
    /// Adds a line like `test result: ok. 5 passed; 0 failed; 1 ignored; ...`.
    fn add(&mut self, line: &str) {
        let Some((_, counts)) =
            line.strip_prefix("test result: ").and_then(|rest| rest.split_once(". "))
        else {
            return;
        };
        for (number, what) in counts.split("; ").filter_map(|count| count.split_once(' ')) {
            let number = number.parse().unwrap_or(0);
            match what {
                "passed" => self.passed += number,
                "failed" => self.failed += number,
                "ignored" => self.ignored += number,
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(script: &str) -> (Tally, bool, String) {
        let mut shown = Vec::new();
        let (tally, held) = run(Command::new("sh").args(["-c", script]), &mut shown).unwrap();
        (tally, held, String::from_utf8(shown).unwrap())
    }

    #[test]
    fn summaries_are_shown_and_summed() {
        let line = "test result: ok. 5 passed; 0 failed; 1 ignored; 0 measured; 7 filtered out";
        let (tally, held, shown) = check(&format!("echo '{line}'; echo; echo '{line}'"));
        assert_eq!(tally, Tally { passed: 10, failed: 0, ignored: 2 });
        assert!(held);
        assert_eq!(shown, format!("{line}\n\n{line}\n"));
    }

    #[test]
    fn a_failure_is_never_outweighed() {
        let (tally, held, _) = check(
            "echo 'test result: ok. 5 passed; 0 failed; 0 ignored'; \
             echo 'test result: FAILED. 1 passed; 1 failed; 0 ignored'",
        );
        assert_eq!((tally.passed, tally.failed, held), (6, 1, false));
        assert!(!check("echo 'test result: ok. 5 passed; 0 failed'; exit 1").1);
    }

    #[test]
    fn a_run_of_nothing_is_no_pass() {
        assert!(!check("echo 'test result: ok. 0 passed; 0 failed; 0 ignored'").1);
    }
}
