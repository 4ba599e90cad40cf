//! Durations, sizes and tables as people read them.

/// Nanoseconds, with three digits that mean something.
#[must_use]
pub fn time(nanos: f64) -> String {
    scaled(nanos, &[(1e9, "s"), (1e6, "ms"), (1e3, "µs"), (1.0, "ns")])
}

/// Bytes, likewise.
#[must_use]
pub fn size(bytes: f64) -> String {
    let (kib, mib) = (1024.0, 1024.0 * 1024.0);
    scaled(bytes, &[(mib, "MiB"), (kib, "KiB"), (1.0, "B")])
}

/// How many times as much.
#[must_use]
pub fn times(ratio: f64) -> String {
    if ratio >= 1000.0 { format!("{}×", count(ratio)) } else { format!("{}×", digits(ratio)) }
}

/// A count, with commas.
#[must_use]
pub fn count(value: f64) -> String {
    let plain = format!("{value:.0}");
    let mut out = String::new();
    for (index, digit) in plain.char_indices() {
        if index > 0 && (plain.len() - index) % 3 == 0 {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

fn scaled(value: f64, units: &[(f64, &str)]) -> String {
    let fits = units.iter().find(|(unit, _)| value >= *unit).or(units.last());
    fits.map_or_else(String::new, |(unit, name)| format!("{} {name}", digits(value / unit)))
}

/// Three digits that mean something.
fn digits(value: f64) -> String {
    match value {
        value if value >= 99.95 => format!("{value:.0}"),
        value if value >= 9.995 => format!("{value:.1}"),
        value => format!("{value:.2}"),
    }
}

/// A table in Markdown whose columns stand below one another: the first to the left, the others to the
/// right.
#[must_use]
pub fn table(head: &[String], rows: &[Vec<String>]) -> String {
    let all = || std::iter::once(head).chain(rows.iter().map(Vec::as_slice));
    let widths: Vec<usize> = (0..head.len())
        .map(|column| {
            all().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max()
        })
        .map(|width| width.unwrap_or(0).max(3))
        .collect();
    let line = |row: &[String]| {
        let cells = row.iter().zip(&widths).enumerate().map(|(column, (cell, width))| {
            let gap = " ".repeat(width.saturating_sub(cell.chars().count()));
            if column == 0 { format!(" {cell}{gap} ") } else { format!(" {gap}{cell} ") }
        });
        format!("|{}|\n", cells.collect::<Vec<_>>().join("|"))
    };
    let rule = widths.iter().enumerate().map(|(column, width)| {
        let dashes = "-".repeat(width + 1);
        if column == 0 { format!("{dashes}-") } else { format!("{dashes}:") }
    });
    let rule = format!("|{}|\n", rule.collect::<Vec<_>>().join("|"));
    let mut out = line(head) + &rule;
    rows.iter().for_each(|row| out.push_str(&line(row)));
    out
}
