//! What came of a measurement, kept as JSON between the program that measures and the page.

use std::{collections::BTreeMap, fs, path::Path};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

/// Figures by table, row and column, in the order in which they came.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
pub struct Figures {
    figures: Vec<Figure>,
    /// What is to be said of a table: what is missing in it, and why.
    notes: BTreeMap<String, Vec<String>>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Figure {
    table: String,
    row: String,
    column: String,
    value: f64,
}

impl Figures {
    /// Adds a figure.
    pub fn add(&mut self, table: &str, row: &str, column: impl ToString, value: f64) {
        let [table, row] = [table, row].map(str::to_owned);
        self.figures.push(Figure { table, row, column: column.to_string(), value });
    }

    /// Says something of a table, once.
    pub fn note(&mut self, table: &str, text: impl Into<String>) {
        let (notes, text) = (self.notes.entry(table.to_owned()).or_default(), text.into());
        if !notes.contains(&text) {
            notes.push(text);
        }
    }

    /// A figure.
    #[must_use]
    pub fn get(&self, table: &str, row: &str, column: &str) -> Option<f64> {
        let is_it = |figure: &&Figure| {
            figure.table == table && figure.row == row && figure.column == column
        };
        self.figures.iter().find(is_it).map(|figure| figure.value)
    }

    /// What is said of a table.
    #[must_use]
    pub fn notes(&self, table: &str) -> &[String] {
        self.notes.get(table).map_or(&[], Vec::as_slice)
    }

    /// The rows of a table, in their order.
    #[must_use]
    pub fn rows(&self, table: &str) -> Vec<&str> {
        self.distinct(table, |figure| &figure.row)
    }

    /// The columns of a table, in their order.
    #[must_use]
    pub fn columns(&self, table: &str) -> Vec<&str> {
        self.distinct(table, |figure| &figure.column)
    }

    fn distinct<'f>(&'f self, table: &str, of: impl Fn(&'f Figure) -> &'f str) -> Vec<&'f str> {
        let mut found = Vec::new();
        for figure in self.figures.iter().filter(|figure| figure.table == table) {
            if !found.contains(&of(figure)) {
                found.push(of(figure));
            }
        }
        found
    }

    /// Takes in the figures of another.
    pub fn extend(&mut self, other: Self) {
        self.figures.extend(other.figures);
        self.notes.extend(other.notes);
    }

    /// Keeps them in a file.
    ///
    /// # Errors
    ///
    /// Where it cannot be written.
    pub fn save(&self, path: &Path) -> Result<()> {
        let failed = || format!("cannot write {}", path.display());
        fs::create_dir_all(path.parent().unwrap_or(path)).with_context(failed)?;
        fs::write(path, serde_json::to_string_pretty(self)?).with_context(failed)
    }

    /// Reads them back.
    ///
    /// # Errors
    ///
    /// Where the file is missing, or holds something else.
    pub fn load(path: &Path) -> Result<Self> {
        let failed = || format!("cannot use {}; benches/run makes it", path.display());
        serde_json::from_str(&fs::read_to_string(path).with_context(failed)?).with_context(failed)
    }
}
