//! What was acknowledged, and what was found.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;

/// What the program said, from all its lives.
#[derive(Clone, Default)]
pub(super) struct Log(Arc<Mutex<Content>>);

#[derive(Default)]
struct Content {
    durable: BTreeSet<(String, String)>,
    volatile: BTreeSet<(String, String)>,
    found: BTreeSet<(String, String)>,
    refused: HashMap<String, u64>,
    longest_us: u64,
}

/// What it comes to.
pub(super) struct Verdict {
    durable: (usize, usize),
    volatile: (usize, usize),
    refused: Vec<(String, u64)>,
    missing: Vec<String>,
    longest_us: u64,
}

/// The same as one line.
#[derive(Serialize)]
pub(super) struct Line {
    acknowledged: usize,
    found: usize,
    missing: usize,
    longest_pause_ms: f64,
}

impl Log {
    fn content(&self) -> MutexGuard<'_, Content> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a line; `false` if it is an answer to an order.
    pub(super) fn note(&self, line: &str) -> bool {
        let words: Vec<&str> = line.split(' ').collect();
        let mut content = self.content();
        match words.as_slice() {
            ["ack", id, version, durability, micros] => {
                let name = ((*id).to_owned(), (*version).to_owned());
                if *durability == "durable" {
                    content.durable.insert(name);
                } else {
                    content.volatile.insert(name);
                }
                content.waited(micros);
            }
            ["refused", kind, micros] => {
                *content.refused.entry((*kind).to_owned()).or_default() += 1;
                content.waited(micros);
            }
            ["found", id, version] => {
                content.found.insert(((*id).to_owned(), (*version).to_owned()));
            }
            _ => return false,
        }
        true
    }

    /// How much was acknowledged as durable, and as volatile.
    pub(super) fn acknowledged(&self) -> (usize, usize) {
        let content = self.content();
        (content.durable.len(), content.volatile.len())
    }

    /// What it comes to.
    pub(super) fn verdict(&self) -> Verdict {
        let content = self.content();
        let there = |names: &BTreeSet<_>| names.intersection(&content.found).count();
        let missing = content.durable.difference(&content.found);
        let mut refused: Vec<_> =
            content.refused.iter().map(|(kind, count)| (kind.clone(), *count)).collect();
        refused.sort();
        Verdict {
            durable: (content.durable.len(), there(&content.durable)),
            volatile: (content.volatile.len(), there(&content.volatile)),
            refused,
            missing: missing.map(|(id, version)| format!("{id} {version}")).collect(),
            longest_us: content.longest_us,
        }
    }
}

impl Content {
    fn waited(&mut self, micros: &str) {
        self.longest_us = self.longest_us.max(micros.parse().unwrap_or(u64::MAX));
    }
}

impl Verdict {
    /// Whether nothing is missing, and something was there to be missed.
    pub(super) fn holds(&self) -> bool {
        self.missing.is_empty() && self.durable.0 > 0
    }

    #[allow(clippy::cast_precision_loss)]
    fn longest_ms(&self) -> f64 {
        (self.longest_us / 100) as f64 / 10.0
    }

    pub(super) fn line(&self) -> Line {
        Line {
            acknowledged: self.durable.0,
            found: self.durable.1,
            missing: self.missing.len(),
            longest_pause_ms: self.longest_ms(),
        }
    }

    pub(super) fn print(&self) {
        println!("\n{:<34} {:>12} {:>12} {:>8}", "", "ACKNOWLEDGED", "FOUND", "MISSING");
        for (name, (acknowledged, found)) in
            [("durable", self.durable), ("volatile", self.volatile)]
        {
            let missing = acknowledged - found;
            println!("{name:<34} {acknowledged:>12} {found:>12} {missing:>8}");
        }
        for (kind, count) in &self.refused {
            println!("refused while the database was away {count:>11} ({kind})");
        }
        println!("the longest that any caller waited {:>12} ms", self.longest_ms());
        for name in self.missing.iter().take(20) {
            println!("MISSING {name}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_acknowledged_and_is_not_found_is_missing() {
        let log = Log::default();
        for line in ["ack a 1.1 durable 20", "ack a 1.2 durable 900", "ack b 1.1 volatile 10"] {
            assert!(log.note(line));
        }
        assert!(log.note("found a 1.1") && !log.note("done live"));
        let verdict = log.verdict();
        assert!(!verdict.holds());
        let line = serde_json::to_string(&verdict.line()).unwrap();
        let expected = r#"{"acknowledged":2,"found":1,"missing":1,"longest_pause_ms":0.9}"#;
        assert_eq!(line, expected);
        assert!(log.note("found a 1.2"));
        assert!(log.verdict().holds());
    }
}
