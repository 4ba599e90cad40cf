//! What people are shown. Colour goes away by itself where no terminal is (`anstream`).
//!
//! Words of a policy are made harmless first: a policy is somebody else's program, and a terminal
//! obeys what is written to it.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use comfy_table::{Table, presets};
use precedent::{
    Error, Proposal, Ruling,
    apply::{Outcome, Status},
    cases::CaseResult,
    model::{
        CredentialId, Finding, Location, LocationId, Presence, Severity, Snapshot, Standing,
        Verdict,
    },
    plan::{ChangeKind, Step, drifts},
};

use super::session::Session;

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();
const RED: Style = AnsiColor::Red.on_default();
const GREEN: Style = AnsiColor::Green.on_default();
const YELLOW: Style = AnsiColor::Yellow.on_default();
const CYAN: Style = AnsiColor::Cyan.on_default();

type Written = io::Result<()>;

fn paint(style: Style, text: &str) -> String {
    format!("{style}{text}{style:#}")
}

/// Text of a policy or of a file without what a terminal would obey.
fn harmless(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// Deployment, policy, phase, and the state in a word.
pub(crate) fn heading(out: &mut impl Write, session: &Session, proposal: &Proposal) -> Written {
    let about = session.host.policy().about();
    let digest = session.host.policy().digest();
    writeln!(
        out,
        "{} under policy {} {} ({})\n",
        paint(BOLD, &harmless(&proposal.snapshot.deployment)),
        paint(BOLD, &harmless(&about.name)),
        harmless(&about.version),
        paint(DIM, digest.get(..15).unwrap_or(digest)),
    )
}

/// In sync or not, in one line.
pub(crate) fn summary(out: &mut impl Write, proposal: &Proposal) -> Written {
    let name = harmless(&proposal.snapshot.deployment);
    let drifting = proposal.decision().map_or(0, |decision| {
        decision.verdicts.iter().filter(|v| drifts(&proposal.snapshot, v)).count()
    });
    let changes = proposal.plan().map_or(0, |plan| plan.changes.len());
    match (&proposal.ruling, drifting, changes) {
        (Ruling::Decided(..), 0, 0) => writeln!(out, "{name}: {}", paint(GREEN, "in sync")),
        (Ruling::Decided(..), drifting, changes) => writeln!(
            out,
            "{name}: {}: {drifting} {} another copy than the policy wants, {changes} {} to change\n",
            paint(RED, "drift"),
            if drifting == 1 { "program uses" } else { "programs use" },
            if changes == 1 { "copy" } else { "copies" },
        ),
        (Ruling::Refused(_), ..) => writeln!(out, "{name}: {}\n", paint(RED, "refused")),
        _ => writeln!(
            out,
            "{name}: {}\n",
            paint(RED, "the policy's decision breaks the host's rules")
        ),
    }
}

/// Each consumer: what it uses today, and what it should.
pub(crate) fn standings(out: &mut impl Write, proposal: &Proposal) -> Written {
    let snapshot = &proposal.snapshot;
    let Some(decision) = proposal.decision() else {
        return Ok(());
    };
    let mut table = table(&["PROGRAM", "CREDENTIAL", "USES TODAY", "SHOULD USE", ""]);
    let (shown, hidden): (Vec<_>, Vec<_>) =
        decision.verdicts.iter().partition(|verdict| matters(snapshot, verdict));
    for verdict in &shown {
        let Some(consumer) = snapshot.consumers.get(verdict.consumer.index()) else {
            continue;
        };
        let drift = drifts(snapshot, verdict);
        let same = matches!(verdict.today, Standing::Copy(id) if Some(id) == verdict.wanted);
        let wanted = match verdict.wanted {
            None => paint(DIM, "no say"),
            Some(_) if same => paint(DIM, "the same"),
            Some(id) => copy(snapshot, id),
        };
        table.add_row([
            paint(BOLD, &harmless(&consumer.name)),
            harmless(snapshot.credential(consumer.credential)),
            today(snapshot, verdict.today),
            wanted,
            if drift { paint(RED, "✗ differs") } else { paint(GREEN, "✓") },
        ]);
    }
    writeln!(out, "{}", table.trim_fmt())?;
    if !hidden.is_empty() {
        let mut names: Vec<&str> = hidden
            .iter()
            .filter_map(|verdict| snapshot.consumers.get(verdict.consumer.index()))
            .map(|consumer| snapshot.credential(consumer.credential))
            .collect();
        names.dedup();
        writeln!(out, "{}", paint(DIM, &format!("({}: no copy anywhere)", names.join(", "))))?;
    }
    Ok(())
}

/// Whether a verdict says anything: a credential without any copy does not.
fn matters(snapshot: &Snapshot, verdict: &Verdict) -> bool {
    let credential = snapshot.consumers.get(verdict.consumer.index()).map(|c| c.credential);
    !matches!(verdict.today, Standing::Nothing)
        || verdict.wanted.is_some()
        || snapshot.locations.iter().any(|location| {
            Some(location.credential) == credential && !is_unset(&location.presence)
        })
}

fn is_unset(presence: &Presence) -> bool {
    matches!(presence, Presence::Absent | Presence::Empty)
}

/// Why, for each consumer; and what would win if the copy in use vanished, where that is another
/// secret.
pub(crate) fn reasons(out: &mut impl Write, proposal: &Proposal) -> Written {
    let snapshot = &proposal.snapshot;
    let Some(decision) = proposal.decision() else {
        return Ok(());
    };
    section(out, "Why")?;
    for verdict in decision.verdicts.iter().filter(|verdict| matters(snapshot, verdict)) {
        writeln!(out, "  {}", harmless(&verdict.reason))?;
        let (Standing::Copy(id), Some(next)) = (verdict.today, verdict.next) else {
            continue;
        };
        let secret = |id: LocationId| snapshot.location(id)?.presence.fingerprint();
        if secret(id) != secret(next) {
            writeln!(
                out,
                "    {} without {} it would use {}, {}",
                paint(YELLOW, "!"),
                label(snapshot, id),
                copy(snapshot, next),
                paint(YELLOW, "another secret"),
            )?;
        }
    }
    Ok(())
}

/// Each location that can hold a copy, and what is there.
pub(crate) fn copies(out: &mut impl Write, proposal: &Proposal) -> Written {
    let snapshot = &proposal.snapshot;
    let with_copy = |credential: CredentialId| {
        snapshot.locations.iter().any(|l| l.credential == credential && !is_unset(&l.presence))
    };
    let mut table = table(&["COPY", "PLACE", "HOLDS"]);
    let mut any = false;
    for location in snapshot.locations.iter().filter(|l| with_copy(l.credential)) {
        any = true;
        let place = match snapshot.path_of(location) {
            Some(path) => format!("{} in {}", harmless(&location.label), path.display()),
            None => format!("${}", harmless(&location.label)),
        };
        table.add_row([harmless(&location.name), place, holds(location)]);
    }
    section(out, "Copies")?;
    if any {
        writeln!(out, "{}", indented(&table.trim_fmt()))
    } else {
        writeln!(out, "  none anywhere")
    }
}

/// The changes by file, as a diff with fingerprints.
pub(crate) fn diff(out: &mut impl Write, proposal: &Proposal) -> Written {
    let snapshot = &proposal.snapshot;
    let Some(plan) = proposal.plan() else {
        return Ok(());
    };
    if plan.is_empty() {
        writeln!(out, "{}", paint(GREEN, "Nothing to change."))?;
    }
    let mut file = None;
    for change in &plan.changes {
        let (path, place) = change.target.split_once('#').unwrap_or((&change.target, ""));
        if file != Some(path) {
            writeln!(out, "{}", paint(BOLD, &format!("--- {path}")))?;
            file = Some(path);
        }
        writeln!(out, "{}", paint(CYAN, &format!("@@ {} @@", dotted(place))))?;
        let old = snapshot.location_named(&change.to).map(|(_, location)| holds(location));
        if let Some(old) = old.filter(|_| !is_absent(snapshot, &change.to)) {
            writeln!(out, "{} {old}", paint(RED, "-"))?;
        }
        let from = change.from.as_deref().and_then(|name| snapshot.location_named(name));
        let new = match (change.action, from) {
            (ChangeKind::Write, Some((id, _))) => {
                Some(format!("{} from {}", fingerprint(snapshot, id), label(snapshot, id)))
            }
            (ChangeKind::Refer, Some((id, _))) => {
                Some(format!("reference to {}", label(snapshot, id)))
            }
            (ChangeKind::Mint, _) => Some("a new secret".to_owned()),
            (ChangeKind::SetFact, _) => Some("a new value".to_owned()),
            _ => None,
        };
        if let Some(new) = new {
            writeln!(out, "{} {new}", paint(GREEN, "+"))?;
        }
        writeln!(out, "  {}", paint(DIM, &harmless(&change.reason)))?;
    }
    for step in &plan.steps {
        match step {
            Step::Restart { consumer, reason } => {
                writeln!(out, "then restart {}: {}", harmless(consumer), harmless(reason))?;
            }
            Step::Alert { severity, message } => {
                writeln!(out, "{} {}", severity_word(*severity), harmless(message))?;
            }
            _ => {}
        }
    }
    Ok(())
}

fn is_absent(snapshot: &Snapshot, name: &str) -> bool {
    snapshot.location_named(name).is_some_and(|(_, location)| location.presence == Presence::Absent)
}

fn dotted(pointer: &str) -> String {
    precedent::model::Pointer::parse(pointer).map_or_else(|_| pointer.to_owned(), |p| p.dotted())
}

/// What the host and the policy found.
pub(crate) fn findings(out: &mut impl Write, proposal: &Proposal) -> Written {
    let decided = proposal.decision().map(|decision| &decision.findings);
    let mut all: Vec<&Finding> =
        proposal.snapshot.findings.iter().chain(decided.into_iter().flatten()).collect();
    if all.is_empty() {
        return Ok(());
    }
    all.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    section(out, "Findings")?;
    for finding in all {
        writeln!(
            out,
            "  {} {}: {}",
            severity_word(finding.severity),
            harmless(&finding.code),
            harmless(&finding.message)
        )?;
        if let Some(remedy) = &finding.remedy {
            writeln!(out, "      {} {}", paint(CYAN, "→"), harmless(remedy))?;
        }
    }
    Ok(())
}

/// A refusal, or the rules that are broken.
pub(crate) fn ruling(out: &mut impl Write, proposal: &Proposal) -> Written {
    match &proposal.ruling {
        Ruling::Refused(refusal) => {
            writeln!(
                out,
                "\n{} {}: {}",
                paint(RED.bold(), "The policy refuses:"),
                harmless(&refusal.code),
                harmless(&refusal.reason)
            )?;
            if let Some(remedy) = &refusal.remedy {
                writeln!(out, "  {} {}", paint(CYAN, "→"), harmless(remedy))?;
            }
        }
        Ruling::Violated(_, violations) => {
            let title = "The policy's decision breaks the host's rules; nothing is written:";
            writeln!(out, "\n{}", paint(RED.bold(), title))?;
            for violation in &violations.0 {
                writeln!(out, "  {}: {}", violation.rule, harmless(&violation.message))?;
            }
        }
        _ => {}
    }
    Ok(())
}

/// What to do next.
pub(crate) fn next_step(out: &mut impl Write, session: &Session, proposal: &Proposal) -> Written {
    let Some(plan) = proposal.plan() else {
        return Ok(());
    };
    let words = &session.words;
    if !plan.is_empty() {
        let apply = format!("precedent apply{words}");
        writeln!(out, "\nTo repair: {}", paint(BOLD, &apply))
    } else if proposal.drifts() {
        writeln!(out, "\nNothing that Precedent may or can change; the findings say why.")
    } else {
        writeln!(
            out,
            "\n{}",
            paint(GREEN, "In sync: every program gets the secret that it should.")
        )
    }
}

/// What became of the changes, and what each consumer gets now.
pub(crate) fn outcome(
    out: &mut impl Write,
    proposal: &Proposal,
    outcome: &Outcome,
    after: Option<&Proposal>,
) -> Written {
    if !outcome.changes.is_empty() {
        section(out, "Done")?;
    }
    for change in &outcome.changes {
        let status = match change.status {
            Status::Applied => paint(GREEN, "✓ written"),
            Status::RolledBack => paint(YELLOW, "put back"),
            _ => paint(RED, "✗ failed"),
        };
        writeln!(out, "  {status} {} ({})", harmless(&change.to), change.target)?;
    }
    let now = after.unwrap_or(proposal);
    if !matches!(now.ruling, Ruling::Decided(..)) {
        return Ok(());
    }
    if let Some(after) = after {
        section(out, "Now")?;
        standings(out, after)?;
    }
    if now.drifts() {
        writeln!(out, "\n{} The findings say why.", paint(RED, "Still drifting."))
    } else {
        writeln!(
            out,
            "\n{}",
            paint(GREEN, "In sync: every program gets the secret that it should.")
        )
    }
}

/// A case that failed: what was expected and what came out.
pub(crate) fn failed_case(out: &mut impl Write, result: &CaseResult) -> Written {
    writeln!(out, "{} {}", paint(RED.bold(), "FAIL"), harmless(&result.name))?;
    for mismatch in &result.mismatches {
        writeln!(out, "  {}", mismatch.what)?;
        writeln!(out, "    {} {}", paint(GREEN, "expected"), mismatch.expected)?;
        writeln!(out, "    {} {}", paint(RED, "actual  "), mismatch.actual)?;
    }
    Ok(())
}

/// A warning of the host itself.
pub(crate) fn warning(out: &mut impl Write, message: &str) -> Written {
    writeln!(out, "{} {message}", paint(YELLOW.bold(), "warning:"))
}

/// An error with its causes, each once, and the line of the manifest it speaks of.
pub(crate) fn error(out: &mut impl Write, error: &anyhow::Error) -> Written {
    let mut chain: Vec<String> = error.chain().map(|cause| harmless(&cause.to_string())).collect();
    chain.dedup();
    writeln!(out, "{} {}", paint(RED.bold(), "error:"), chain.join(": "))?;
    let manifest = match error.downcast_ref::<Error>() {
        Some(Error::Manifest(error)) => error,
        _ => return Ok(()),
    };
    if let (Some((line, column)), Some(text)) = (manifest.at, &manifest.line) {
        let gutter = line.to_string();
        let spaces = " ".repeat(gutter.len());
        writeln!(out, "{spaces} |\n{gutter} | {}", harmless(text))?;
        writeln!(out, "{spaces} | {}{}", " ".repeat(column - 1), paint(RED.bold(), "^"))?;
    }
    Ok(())
}

fn section(out: &mut impl Write, title: &str) -> Written {
    writeln!(out, "\n{}", paint(BOLD, title))
}

fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(header.iter().map(|title| paint(DIM, title)));
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
}

fn today(snapshot: &Snapshot, standing: Standing) -> String {
    match standing {
        Standing::Copy(id) => copy(snapshot, id),
        Standing::Unresolved(id) => {
            format!("{}, {}", label(snapshot, id), paint(RED, "which leads nowhere"))
        }
        Standing::Generated => paint(YELLOW, "a token it makes up"),
        Standing::Invalid => paint(RED, "nothing: its configuration is unusable"),
        _ => paint(DIM, "nothing"),
    }
}

fn copy(snapshot: &Snapshot, id: LocationId) -> String {
    format!("{} {}", label(snapshot, id), fingerprint(snapshot, id))
}

fn label(snapshot: &Snapshot, id: LocationId) -> String {
    snapshot.location(id).map_or_else(String::new, |location| harmless(&location.label))
}

fn fingerprint(snapshot: &Snapshot, id: LocationId) -> String {
    snapshot
        .location(id)
        .and_then(|location| location.presence.fingerprint())
        .map_or_else(String::new, |fingerprint| paint(CYAN, &format!("#{fingerprint}")))
}

fn holds(location: &Location) -> String {
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
            shown(&format!("a reference to {}, ", harmless(&reference.target)))
        }
        Presence::Unreadable(_) => paint(RED, "unreadable"),
        _ => "something".to_owned(),
    }
}

fn severity_word(severity: Severity) -> String {
    match severity {
        Severity::Error => paint(RED.bold(), "error  "),
        Severity::Warning => paint(YELLOW.bold(), "warning"),
        Severity::Info => paint(CYAN, "info   "),
    }
}
