//! Where the last lines of a log begin.

use outlast::{Result, Seq, Store, StreamQuery};

use super::printer::is_note;

/// A place within a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Start {
    /// The entry.
    pub(super) seq: Seq,
    /// How many of its bytes come before the place.
    pub(super) skip: usize,
}

/// Where the last `lines` lines begin. A line without an end counts; notes count only on demand.
///
/// Reads backwards and keeps nothing, so that a log of any size and any number of lines will do.
pub(super) async fn find(
    store: &Store,
    query: &StreamQuery,
    lines: u64,
    notes_count: bool,
) -> Result<Start> {
    let mut query = StreamQuery { newest_first: true, ..query.clone() };
    let mut counter = Counter { missing: lines, begun: false };
    loop {
        let page = store.read(&query).await?;
        // What is damaged is told when it is to be printed.
        for entry in page.items.into_iter().flatten() {
            if lines == 0 {
                return Ok(Start { seq: Seq(entry.seq.0 + 1), skip: 0 });
            }
            if is_note(&entry) && !notes_count {
                continue;
            }
            if let Some(skip) = counter.count_back(&entry.data) {
                return Ok(Start { seq: entry.seq, skip });
            }
        }
        match page.next {
            Some(next) => query.page = query.page.after(next),
            None => return Ok(Start { seq: Seq(1), skip: 0 }),
        }
    }
}

/// Counts lines from the end.
struct Counter {
    missing: u64,
    /// Whether any byte was seen: the very last one ends its line and begins none.
    begun: bool,
}

impl Counter {
    /// Where in these bytes, which come before all that were counted, the lines begin.
    fn count_back(&mut self, data: &[u8]) -> Option<usize> {
        for (place, byte) in data.iter().enumerate().rev() {
            if *byte == b'\n' && self.begun {
                self.missing -= 1;
                if self.missing == 0 {
                    return Some(place + 1);
                }
            }
            self.begun = true;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The last lines of text cut into pieces, by the counter.
    fn tail(pieces: &[&str], lines: u64) -> String {
        let mut counter = Counter { missing: lines, begun: false };
        for (place, piece) in pieces.iter().enumerate().rev() {
            if let Some(skip) = counter.count_back(piece.as_bytes()) {
                return piece[skip..].to_owned() + &pieces[place + 1..].concat();
            }
        }
        pieces.concat()
    }

    #[test]
    fn the_last_lines_are_the_last_lines_wherever_the_text_is_cut() {
        for text in ["", "\n", "a", "a\n", "a\nb", "a\nb\n", "\n\n\n", "one\ntwo\n\nfour\nfive"] {
            let lines: Vec<_> = text.split_inclusive('\n').collect();
            for count in 1..6 {
                let expected = lines[lines.len().saturating_sub(count)..].concat();
                for cut in 0..=text.len() {
                    let pieces = [&text[..cut], &text[cut..]];
                    assert_eq!(tail(&pieces, count as u64), expected, "{text:?} {count} {cut}");
                }
            }
        }
    }
}
