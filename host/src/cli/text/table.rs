//! Columns of text, each as wide as the widest of its cells. Nothing is wrapped.

use std::fmt;

use unicode_width::UnicodeWidthStr;

use super::words::{DIM, paint};

/// What is between two columns.
const GAP: usize = 2;

/// Rows of cells; a cell may have several lines.
pub(super) struct Table(Vec<Vec<String>>);

impl Table {
    pub(super) fn new(header: &[&str]) -> Self {
        Self(vec![header.iter().map(|title| paint(DIM, title)).collect()])
    }

    pub(super) fn add_row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.0.push(cells.into_iter().collect());
    }

    fn widths(&self) -> Vec<usize> {
        let mut widths = Vec::new();
        for row in &self.0 {
            widths.resize(widths.len().max(row.len()), 1);
            for (known, cell) in widths.iter_mut().zip(row) {
                *known = cell.split('\n').map(width).fold(*known, usize::max);
            }
        }
        widths
    }

    /// A line for each line of the row's highest cell.
    fn lines(row: &[String], widths: &[usize]) -> Vec<String> {
        let height = row.iter().map(|cell| cell.split('\n').count()).max().unwrap_or_default();
        let line = |number: usize| {
            let mut line = String::new();
            for (cell, most) in row.iter().zip(widths) {
                let cell = cell.split('\n').nth(number).unwrap_or_default();
                line.push_str(cell);
                line.extend(std::iter::repeat_n(' ', most + GAP - width(cell)));
            }
            line.truncate(line.trim_end().len());
            line
        };
        (0..height).map(line).collect()
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let widths = self.widths();
        let lines: Vec<String> = self.0.iter().flat_map(|row| Self::lines(row, &widths)).collect();
        f.write_str(&lines.join("\n"))
    }
}

/// How wide a terminal shows a text. What is in it that a terminal would obey is ours, and a style: all
/// else was made harmless.
fn width(text: &str) -> usize {
    let (mut width, mut rest) = (0, text);
    while let Some((before, after)) = rest.split_once('\x1b') {
        width += before.width();
        rest = after.split_once('m').map_or("", |(_, rest)| rest);
    }
    width + rest.width()
}

#[cfg(test)]
mod tests {
    use super::{
        super::words::{BOLD, paint},
        Table,
    };

    #[test]
    fn columns_are_as_wide_as_what_is_seen_of_their_cells() {
        let mut table = Table::new(&["A", "BB", ""]);
        table.add_row([paint(BOLD, "x"), "文字\nlonger".to_owned(), String::new()]);
        table.add_row(["yyyy".to_owned(), "é".to_owned(), "z".to_owned()]);
        let styled = table.to_string();
        let plain = anstream::adapter::strip_str(&styled).to_string();
        assert_eq!(plain, "A     BB      \nx     文字\n      longer\nyyyy  é       z");
        assert!(styled.contains("\x1b[1mx\x1b[0m     文字\n"), "{styled:?}");
    }
}
