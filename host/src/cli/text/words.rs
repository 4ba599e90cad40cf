//! Words and colours that every view shares.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use precedent::model::{Location, LocationId, Presence, Severity, Snapshot};

pub(super) const BOLD: Style = Style::new().bold();
pub(super) const DIM: Style = Style::new().dimmed();
pub(super) const RED: Style = AnsiColor::Red.on_default();
pub(super) const GREEN: Style = AnsiColor::Green.on_default();
pub(super) const YELLOW: Style = AnsiColor::Yellow.on_default();
pub(super) const CYAN: Style = AnsiColor::Cyan.on_default();

pub(super) type Written = io::Result<()>;

pub(super) fn paint(style: Style, text: &str) -> String {
    format!("{style}{text}{style:#}")
}

/// Text of a policy or of a file without what a terminal would obey.
pub(crate) fn harmless(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

pub(super) fn section(out: &mut impl Write, title: &str) -> Written {
    writeln!(out, "\n{}", paint(BOLD, title))
}

pub(super) fn indented(text: &str) -> String {
    text.lines().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
}

pub(super) fn copy(snapshot: &Snapshot, id: LocationId) -> String {
    format!("{} {}", label(snapshot, id), fingerprint(snapshot, id))
}

pub(super) fn label(snapshot: &Snapshot, id: LocationId) -> String {
    snapshot.location(id).map_or_else(String::new, |location| harmless(&location.label))
}

pub(super) fn fingerprint(snapshot: &Snapshot, id: LocationId) -> String {
    snapshot
        .location(id)
        .and_then(|location| location.presence.fingerprint())
        .map_or_else(String::new, |fingerprint| paint(CYAN, &format!("#{fingerprint}")))
}

pub(super) fn holds(location: &Location) -> String {
    let shown = |prefix: &str| {
        let fingerprint = location.presence.fingerprint();
        let fingerprint =
            fingerprint.map_or_else(|| "nothing".to_owned(), |f| paint(CYAN, &format!("#{f}")));
        format!("{prefix}{fingerprint}")
    };
    match &location.presence {
        Presence::Absent => paint(DIM, "nothing"),
        Presence::Empty => paint(DIM, "an empty value"),
        Presence::Placeholder => paint(YELLOW, "the documentation's example"),
        Presence::Plain(_) => shown(""),
        Presence::Reference(reference) => {
            let target = format!("a reference to {}", harmless(&reference.target));
            if location.presence.is_elsewhere() { target } else { shown(&format!("{target}, ")) }
        }
        Presence::Unreadable(_) => paint(RED, "unreadable"),
        _ => "something".to_owned(),
    }
}

pub(super) fn severity_word(severity: Severity) -> String {
    match severity {
        Severity::Error => paint(RED.bold(), "error  "),
        Severity::Warning => paint(YELLOW.bold(), "warning"),
        Severity::Info => paint(CYAN, "info   "),
    }
}
