//! What a policy is made of, and what it takes.

use std::{io::Write, path::Path, time::Duration};

use comfy_table::{ContentArrangement, Table, presets};
use precedent::{
    config::ManifestError,
    decide::{Policy, Shape, Usage},
};

use super::super::policy::bench::Times;
use super::{
    line_of,
    words::{BOLD, CYAN, DIM, GREEN, RED, Written, harmless, indented, paint, section},
};

/// A setting as its schema describes it.
pub(crate) struct Setting {
    pub(crate) key: String,
    pub(crate) kind: String,
    pub(crate) default: String,
    pub(crate) description: String,
}

/// What was built, and that it may run.
pub(crate) fn built(
    out: &mut impl Write,
    language: &str,
    path: &Path,
    size: u64,
    policy: &Policy,
    took: Duration,
) -> Written {
    let about = policy.about();
    let name = paint(BOLD, &harmless(&about.name));
    let version = harmless(&about.version);
    row(
        out,
        "policy",
        &format!("{name} {version}, from {language} in {:.1} s", took.as_secs_f64()),
    )?;
    row(out, "component", &format!("{}, {}", path.display(), bytes(size)))?;
    row(out, "world", &world(&policy.shape()))?;
    row(out, "digest", policy.digest())
}

/// What a policy is, its settings, and what it takes.
pub(crate) fn inspected(
    out: &mut impl Write,
    policy: &Policy,
    size: Option<u64>,
    usage: Usage,
    settings: &[Setting],
) -> Written {
    let (about, shape) = (policy.about(), policy.shape());
    let name = paint(BOLD, &harmless(&about.name));
    row(out, "policy", &format!("{name} {}", harmless(&about.version)))?;
    row(out, "world", &world(&shape))?;
    // A run time may export an interface of its own; the contract's has a package.
    let functions = shape.exports.iter().filter_map(|name| name.split_once('#'));
    let functions: Vec<&str> =
        functions.filter(|(of, _)| of.contains(':')).map(|(_, function)| function).collect();
    row(out, "functions", &functions.join(", "))?;
    let size = size.map_or_else(|| "not carried".to_owned(), bytes);
    let compiled = bytes(shape.compiled_bytes as u64);
    row(out, "component", &format!("{size}, {compiled} compiled"))?;
    let declared = shape.declared_bytes.map_or_else(|| "none".to_owned(), bytes);
    let used = bytes(usage.memory_bytes as u64);
    row(out, "memory", &format!("{declared} declared, {used} in use after one call"))?;
    row(out, "digest", policy.digest())?;
    section(out, "Settings")?;
    if settings.is_empty() {
        return writeln!(out, "  none");
    }
    let mut shown = table(&["setting", "values", "default", "what"]);
    shown.set_content_arrangement(ContentArrangement::Dynamic).set_width(WIDTH);
    for setting in settings {
        let Setting { key, kind, default, description } = setting;
        shown.add_row([key, kind, default, description].map(|cell| harmless(cell)));
    }
    writeln!(out, "{}", indented(&shown.to_string()))
}

/// A table of which cells may be wrapped.
fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(header.iter().map(|title| paint(DIM, title)));
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table
}

/// What is wrong with a setting, and the line that says it.
pub(crate) fn fault(
    out: &mut impl Write,
    pointer: &str,
    message: &str,
    at: Option<&ManifestError>,
) -> Written {
    let place = at.and_then(|at| Some((at, at.at?)));
    let place = place.map_or_else(String::new, |(at, (line, column))| {
        format!("{}:{line}:{column}: ", at.path.display())
    });
    let pointer = if pointer.is_empty() { "/" } else { pointer };
    let pointer = paint(CYAN, &harmless(pointer));
    writeln!(out, "{} {place}{pointer}: {}", paint(RED.bold(), "error:"), harmless(message))?;
    at.map_or(Ok(()), |at| line_of(out, at))
}

/// Whether the settings are the policy's.
pub(crate) fn validated(out: &mut impl Write, policy: &Policy, faults: usize) -> Written {
    let name = harmless(&policy.about().name);
    match faults {
        0 => writeln!(out, "{}: {name} takes these settings", paint(GREEN, "valid")),
        1 => writeln!(out, "{}: 1 setting that {name} does not take", paint(RED, "invalid")),
        more => {
            writeln!(out, "{}: {more} settings that {name} does not take", paint(RED, "invalid"))
        }
    }
}

/// Times by kind, and how those of one kind are spread.
pub(crate) fn benched(
    out: &mut impl Write,
    policy: &Policy,
    snapshots: usize,
    rows: &[(&str, Times)],
) -> Written {
    let name = paint(BOLD, &harmless(&policy.about().name));
    let on = if snapshots == 1 { "snapshot" } else { "snapshots" };
    writeln!(out, "{name} on {snapshots} {on}\n")?;
    let mut shown = table(&["", "times", "p50", "p90", "p99", "max"]);
    for (what, times) in rows {
        let at = |per_mille| time(times.at(per_mille));
        let count = times.all().len().to_string();
        shown.add_row([(*what).to_owned(), count, at(500), at(900), at(990), at(1000)]);
    }
    writeln!(out, "{}", indented(&shown.to_string()))?;
    rows.iter()
        .filter(|(_, times)| times.all().len() >= BARS)
        .try_for_each(|(what, times)| histogram(out, what, times))
}

/// Width of a table that holds sentences, in characters.
const WIDTH: u16 = 96;
/// Bars of a histogram.
const BARS: usize = 8;
/// Width of the longest, in characters.
const WIDEST: usize = 40;

/// From the fastest to the 95th of a hundred; what is slower is in the last bar.
fn histogram(out: &mut impl Write, what: &str, times: &Times) -> Written {
    section(out, what)?;
    let (least, most) = (times.at(0), times.at(950));
    let width = most.saturating_sub(least).as_nanos() / BARS as u128 + 1;
    let mut bars = [0_usize; BARS];
    for time in times.all() {
        let bar = time.saturating_sub(least).as_nanos() / width;
        let bar = usize::try_from(bar).unwrap_or(BARS).min(BARS - 1);
        if let Some(count) = bars.get_mut(bar) {
            *count += 1;
        }
    }
    let longest = bars.iter().copied().max().unwrap_or(1).max(1);
    let mut from = least;
    for count in bars {
        let bar = "█".repeat((count * WIDEST).div_ceil(longest));
        writeln!(out, "  {:>9} {} {count}", time(from), paint(CYAN, &bar))?;
        from += Duration::from_nanos(u64::try_from(width).unwrap_or(u64::MAX));
    }
    Ok(())
}

fn time(time: Duration) -> String {
    let micros = time.as_secs_f64() * 1e6;
    match micros {
        ..1e3 => format!("{micros:.1} µs"),
        ..1e6 => format!("{:.1} ms", micros / 1e3),
        _ => format!("{:.1} s", micros / 1e6),
    }
}

fn row(out: &mut impl Write, title: &str, what: &str) -> Written {
    writeln!(out, "{} {what}", paint(DIM, &format!("{title:<10}")))
}

/// The world, the contract's version and what is imported, in one line.
fn world(shape: &Shape) -> String {
    // Functions of an interface, and what a run time exports for itself, are told in JSON.
    let is_interface = |name: &&str| name.contains(':') && !name.contains('#');
    let exports: Vec<&str> =
        shape.exports.iter().map(String::as_str).filter(is_interface).collect();
    let imports = if shape.imports.is_empty() {
        paint(GREEN, "imports nothing")
    } else {
        format!("imports {}", shape.imports.join(", "))
    };
    format!("{}, exports {}, {imports}", shape.world, exports.join(", "))
}

/// A size that is read, not summed up.
fn bytes(count: u64) -> String {
    let (kib, mib) = (1024.0, 1024.0 * 1024.0);
    #[allow(clippy::cast_precision_loss, reason = "two digits of it are shown")]
    let size = count as f64;
    if size >= mib {
        format!("{:.1} MiB", size / mib)
    } else if size >= kib {
        format!("{:.1} KiB", size / kib)
    } else {
        format!("{count} bytes")
    }
}
