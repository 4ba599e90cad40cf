//! The tables of what was measured, in the terminal as on the page.

use crate::{Figures, words};

/// The contestant that the others are compared with.
pub const NATIVE: &str = "native";
/// The contestant that this is about.
pub const OURS: &str = "precedent";

/// Nanoseconds of a decision, by contestant and places.
pub const TIME: &str = "time";
/// The same, the native policy's being 1.
pub const TO_NATIVE: &str = "to native";
/// The same, our isolated decision's being 1.
pub const TO_OURS: &str = "to ours";
/// Decisions a second, by contestant and threads.
pub const RATE: &str = "rate";
/// Bytes of a decision, by contestant and what they are.
pub const MEMORY: &str = "memory";
/// Column of [`MEMORY`]: the heap at its peak.
pub const HEAP: &str = "heap";
/// Column of [`MEMORY`]: pages that were mapped anew.
pub const PAGES: &str = "pages";

/// A process that does nothing.
pub const TRUE: &str = "true";
/// One of Node.js that does nothing.
pub const NODE: &str = "node -e 0";
/// Nanoseconds, bytes and ratios of a whole process.
pub const PROCESS: &str = "process";
/// Bytes of a program.
pub const SIZE: &str = "size";
/// Cases a second.
pub const CASES: &str = "cases";
/// Nanoseconds for a state directory, by how many there are.
pub const DIRECTORIES: &str = "directories";
/// What of a process waits for the disk.
pub const DISK: &str = "disk";

/// Nanoseconds of what a fleet does, by the number of its nodes.
pub const FLEET: &str = "fleet";
/// Bytes of what stands in its store.
pub const FLEET_BYTES: &str = "fleet bytes";

/// Times by places, each with how many times the native policy's it is.
#[must_use]
pub fn times(figures: &Figures) -> String {
    let cell = |row: &str, places: &str, value: f64| {
        let ratio = figures.get(TO_NATIVE, row, places).map(words::times).unwrap_or_default();
        format!("{} {ratio:>6}", words::time(value))
    };
    table(figures, TIME, "places", cell)
}

/// How many times our isolated decision's each is.
#[must_use]
pub fn ratios(figures: &Figures) -> String {
    table(figures, TO_OURS, "precedent = 1", |_, _, value| words::times(value))
}

/// Decisions a second by threads.
#[must_use]
pub fn rates(figures: &Figures) -> String {
    table(figures, RATE, "threads", |_, _, value| words::count(value))
}

/// Memory of a decision.
#[must_use]
pub fn memory(figures: &Figures) -> String {
    table(figures, MEMORY, "memory", |_, _, value| words::size(value))
}

/// Whole processes.
#[must_use]
pub fn processes(figures: &Figures) -> String {
    table(figures, PROCESS, "process", |_, column, value| match column {
        "time" => words::time(value),
        "memory" => words::size(value),
        _ => words::times(value),
    })
}

/// Sizes of programs.
#[must_use]
pub fn sizes(figures: &Figures) -> String {
    table(figures, SIZE, "program", |_, _, value| words::size(value))
}

/// State directories by how many there are.
#[must_use]
pub fn directories(figures: &Figures) -> String {
    table(figures, DIRECTORIES, "state directories", |_, _, value| words::time(value))
}

/// What a fleet does, by how many nodes it has.
#[must_use]
pub fn fleet(figures: &Figures) -> String {
    table(figures, FLEET, "nodes", |_, _, value| words::time(value))
}

/// What stands in the store of a fleet.
#[must_use]
pub fn fleet_bytes(figures: &Figures) -> String {
    table(figures, FLEET_BYTES, "nodes", |_, _, value| words::size(value))
}

/// What waits for the disk.
#[must_use]
pub fn disk(figures: &Figures) -> String {
    table(figures, DISK, "", |row, _, value| {
        if row.starts_with("calls") { words::count(value) } else { words::time(value) }
    })
}

/// A table as the figures have it; what was not measured is a dash.
#[must_use]
pub fn table(
    figures: &Figures,
    table: &str,
    corner: &str,
    cell: impl Fn(&str, &str, f64) -> String,
) -> String {
    let columns = figures.columns(table);
    let heading =
        |column: &&str| column.parse::<f64>().map_or_else(|_| (*column).to_owned(), words::count);
    let head: Vec<String> =
        std::iter::once(corner.to_owned()).chain(columns.iter().map(heading)).collect();
    let rows = figures.rows(table).into_iter().map(|row| {
        let cells = columns.iter().map(|column| {
            let value = figures.get(table, row, column);
            value.map_or_else(|| "—".to_owned(), |value| cell(row, column, value))
        });
        std::iter::once(row.to_owned()).chain(cells).collect()
    });
    words::table(&head, &rows.collect::<Vec<Vec<String>>>())
}
