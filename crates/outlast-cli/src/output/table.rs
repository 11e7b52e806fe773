//! Rows of text in columns.

use unicode_width::UnicodeWidthStr as _;

use crate::failure::Failure;
use crate::output::{Output, printable};

/// Rows under a heading, each column as wide as its widest cell.
#[derive(Debug)]
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new(heading: &[&str]) -> Self {
        Self { rows: vec![heading.iter().map(|name| (*name).to_owned()).collect()] }
    }

    /// Adds a row, made harmless.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().map(|cell| printable(&cell).into_owned()).collect());
    }

    pub(crate) fn print(&self, out: &mut Output) -> Result<(), Failure> {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.width()).max().unwrap_or(0)
        };
        let widths: Vec<_> = (0..columns).map(width).collect();
        for row in &self.rows {
            let cells = row.iter().zip(&widths);
            let padded = cells.map(|(cell, width)| {
                // Counted as a terminal shows it: some letters take two columns, some none.
                let gap = width.saturating_sub(cell.width());
                format!("{cell}{:gap$}", "")
            });
            let line: Vec<_> = padded.collect();
            out.line(line.join("  ").trim_end())?;
        }
        Ok(())
    }
}
