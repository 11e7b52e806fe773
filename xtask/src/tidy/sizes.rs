//! Files stay short enough to be read at one sitting.

use super::Finding;

const RULE: &str = "sizes";

/// No file is longer.
const MOST_LINES: usize = 800;

/// From here on a file is long, and there may be few of them.
const LONG: usize = 400;

/// How many long files there may be. Lower it when one was taken apart; raise it never.
const MOST_LONG: usize = 8;

pub(super) fn check(sources: &[(String, String)]) -> Vec<Finding> {
    let lengths = sources.iter().map(|(name, text)| (name.as_str(), text.lines().count()));
    let long: Vec<(&str, usize)> = lengths.filter(|(_, lines)| *lines > LONG).collect();
    let mut findings: Vec<Finding> = long
        .iter()
        .filter(|(_, lines)| *lines > MOST_LINES)
        .map(|(name, lines)| {
            let message = format!("has {lines} lines, {MOST_LINES} are the most; take it apart");
            Finding::new(RULE, name, message)
        })
        .collect();
    if long.len() > MOST_LONG {
        let all: Vec<_> = long.iter().map(|(name, lines)| format!("{name} {lines}")).collect();
        let message = format!(
            "{} files have over {LONG} lines, {MOST_LONG} may: {}",
            long.len(),
            all.join(", ")
        );
        findings.push(Finding::new(RULE, "workspace", message));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(count: usize, lines: usize) -> Vec<(String, String)> {
        (0..count).map(|n| (format!("{n}.rs"), "// line\n".repeat(lines))).collect()
    }

    #[test]
    fn a_file_has_a_longest_length() {
        assert_eq!(check(&files(1, MOST_LINES)), []);
        assert_eq!(check(&files(1, MOST_LINES + 1)).len(), 1);
    }

    #[test]
    fn few_files_may_be_long() {
        assert_eq!(check(&files(MOST_LONG, LONG + 1)), []);
        assert_eq!(check(&files(MOST_LONG + 1, LONG + 1)).len(), 1);
        assert_eq!(check(&files(100, LONG)), []);
    }
}
