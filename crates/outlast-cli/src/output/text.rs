//! Text that other programs wrote, made harmless for a terminal.
//!
//! Captured output, names and file names can hold control sequences that recolour, rename or
//! reprogram a terminal. They are shown instead of obeyed.

use std::borrow::Cow;

/// One line of text with everything a terminal might obey written as an escape.
pub(crate) fn printable(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_obeyed) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    text.chars().for_each(|letter| push(&mut shown, letter));
    Cow::Owned(shown)
}

fn push(shown: &mut String, letter: char) {
    if is_obeyed(letter) {
        shown.extend(letter.escape_default());
    } else {
        shown.push(letter);
    }
}

/// Control characters, and those that reorder the text around them.
fn is_obeyed(letter: char) -> bool {
    letter.is_control()
        || matches!(letter, '\u{200e}' | '\u{200f}' | '\u{061c}')
        || matches!(letter, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Makes a stream of bytes harmless, piece by piece, keeping its lines and tabs. A character
/// may be cut between two pieces.
#[derive(Debug, Default)]
pub(crate) struct Cleaner {
    /// The beginning of a character, or a carriage return that may yet end a line.
    held: Vec<u8>,
}

impl Cleaner {
    /// The text of the next piece. Bytes that are no UTF-8 become replacement characters.
    pub(crate) fn clean(&mut self, piece: &[u8]) -> String {
        let mut bytes = std::mem::take(&mut self.held);
        bytes.extend_from_slice(piece);
        self.held = bytes.split_off(bytes.len() - unfinished(&bytes));
        shown(&bytes)
    }

    /// What was held back for a next piece that never came.
    pub(crate) fn finish(&mut self) -> String {
        shown(&std::mem::take(&mut self.held))
    }
}

/// How many bytes at the end cannot be judged without the next ones.
fn unfinished(bytes: &[u8]) -> usize {
    if bytes.last() == Some(&b'\r') {
        return 1;
    }
    let last = bytes.utf8_chunks().last().map_or(&b""[..], |chunk| chunk.invalid());
    // An error with a length has been decided; one without is an unfinished character.
    match std::str::from_utf8(last) {
        Err(error) if error.error_len().is_none() => last.len(),
        _ => 0,
    }
}

fn shown(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let mut shown = String::with_capacity(text.len());
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '\n' | '\t' => shown.push(letter),
            '\r' if letters.peek() == Some(&'\n') => {}
            _ => push(&mut shown, letter),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_shown() {
        assert_eq!(printable("plain ä €"), "plain ä €");
        assert_eq!(printable("\u{1b}[31mred\u{7}"), "\\u{1b}[31mred\\u{7}");
        assert_eq!(printable("a\nb\tc"), "a\\nb\\tc");
        assert_eq!(printable("\u{9b}1m \u{202e}x"), "\\u{9b}1m \\u{202e}x");
    }

    #[test]
    fn a_stream_keeps_its_lines_and_tabs() {
        let mut cleaner = Cleaner::default();
        assert_eq!(cleaner.clean(b"one\ttwo\r\nthree\n"), "one\ttwo\nthree\n");
        assert_eq!(cleaner.clean(b"50%\r100%\n"), "50%\\r100%\n");
        assert_eq!(cleaner.clean(b"\x1b]0;title\x07"), "\\u{1b}]0;title\\u{7}");
        assert_eq!(cleaner.clean(b"\xff!"), "\u{fffd}!");
        assert_eq!(cleaner.finish(), "");
    }

    #[test]
    fn the_cuts_between_pieces_do_not_show() {
        let text = "aä€𝄞\r\n\u{1b}[1m\n".as_bytes();
        let whole = Cleaner::default().clean(text);
        for first in 0..=text.len() {
            for second in first..=text.len() {
                let mut cleaner = Cleaner::default();
                let pieces = [&text[..first], &text[first..second], &text[second..]];
                let mut shown: String = pieces.iter().map(|piece| cleaner.clean(piece)).collect();
                shown.push_str(&cleaner.finish());
                assert_eq!(shown, whole, "cut at {first} and {second}");
            }
        }
    }

    #[test]
    fn a_character_that_never_ends_is_replaced() {
        let mut cleaner = Cleaner::default();
        assert_eq!(cleaner.clean(b"a\xe2\x82"), "a");
        assert_eq!(cleaner.finish(), "\u{fffd}");
        assert_eq!(cleaner.clean(b"b\r"), "b");
        assert_eq!(cleaner.finish(), "\\r");
    }
}
