//! Who uses which copy, why, and which copies there are.

use std::{collections::BTreeSet, io::Write};

use precedent::{
    Proposal,
    model::{
        ConsumerId, CredentialId, Decision, Location, LocationId, Place, Presence, Snapshot,
        Standing, Verdict,
    },
    plan::drifts,
};

use super::super::compare::changed_standings;
use super::table::Table;
use super::words::{
    BOLD, DIM, GREEN, RED, Written, YELLOW, copy, harmless, holds, indented, label, paint, section,
};

/// Each consumer: what it uses today, and what it should.
pub(crate) fn standings(out: &mut impl Write, proposal: &Proposal) -> Written {
    match proposal.decision() {
        Some(decision) => standings_in(out, &proposal.snapshot, decision),
        None => Ok(()),
    }
}

/// Each consumer of a snapshot: what it uses today, and what it should.
pub(crate) fn standings_in(
    out: &mut impl Write,
    snapshot: &Snapshot,
    decision: &Decision,
) -> Written {
    let (shown, hidden): (Vec<_>, Vec<_>) =
        decision.verdicts.iter().partition(|verdict| matters(snapshot, verdict));
    let mut table = Table::new(&["PROGRAM", "CREDENTIAL", "USES TODAY", "SHOULD USE", ""]);
    for verdict in &shown {
        let Some(consumer) = snapshot.consumers.get(verdict.consumer.index()) else {
            continue;
        };
        let state = match verdict.today {
            Standing::Unresolved(_) | Standing::Invalid => paint(RED, "✗ fails"),
            _ if drifts(snapshot, verdict) => paint(RED, "✗ differs"),
            Standing::Copy(id) if is_elsewhere(snapshot, id) => paint(YELLOW, "? not known"),
            _ if verdict.wanted.is_none() => String::new(),
            _ => paint(GREEN, "✓"),
        };
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
            state,
        ]);
    }
    if !shown.is_empty() {
        writeln!(out, "{}", table)?;
    }
    let names: BTreeSet<&str> = hidden
        .iter()
        .filter_map(|verdict| snapshot.consumers.get(verdict.consumer.index()))
        .map(|consumer| snapshot.credential(consumer.credential))
        .collect();
    if !names.is_empty() {
        let names: Vec<&str> = names.into_iter().collect();
        writeln!(out, "{}", paint(DIM, &format!("({}: no copy anywhere)", names.join(", "))))?;
    }
    Ok(())
}

fn is_elsewhere(snapshot: &Snapshot, id: LocationId) -> bool {
    snapshot.location(id).is_some_and(|location| location.presence.is_elsewhere())
}

/// Whether there is anything that could be a secret.
pub(crate) fn any_secret(proposal: &Proposal) -> bool {
    any_secret_in(&proposal.snapshot)
}

fn any_secret_in(snapshot: &Snapshot) -> bool {
    snapshot.locations.iter().any(|location| !is_unset(&location.presence))
}

/// Whether a verdict says anything: a credential without any copy does not.
pub(super) fn matters(snapshot: &Snapshot, verdict: &Verdict) -> bool {
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
    match proposal.decision() {
        Some(decision) => reasons_in(out, &proposal.snapshot, decision),
        None => Ok(()),
    }
}

/// The same of a snapshot and a decision.
pub(crate) fn reasons_in(
    out: &mut impl Write,
    snapshot: &Snapshot,
    decision: &Decision,
) -> Written {
    if any_secret_in(snapshot) {
        section(out, "Why")?;
    }
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
    copies_in(out, &proposal.snapshot)
}

/// Each location of a snapshot that can hold a copy, and what is there.
pub(crate) fn copies_in(out: &mut impl Write, snapshot: &Snapshot) -> Written {
    let with_copy = |credential: CredentialId| {
        snapshot.locations.iter().any(|l| l.credential == credential && !is_unset(&l.presence))
    };
    let mut table = Table::new(&["COPY", "PLACE", "HOLDS"]);
    let mut any = false;
    // A place that hardly anybody uses is worth a line only where something stands there.
    let is_shown = |location: &&Location| {
        let rare = location.attributes.get("shown").is_some_and(|when| when == "when-set");
        with_copy(location.credential) && !(rare && is_unset(&location.presence))
    };
    for location in snapshot.locations.iter().filter(is_shown) {
        any = true;
        let place = match (snapshot.path_of(location), &location.place) {
            (Some(path), _) => {
                let path = path.display().to_string();
                format!("{} in {}", harmless(&location.label), harmless(&path))
            }
            (None, Place::Variable(_)) => format!("${}", harmless(&location.label)),
            (None, _) => harmless(&location.label),
        };
        table.add_row([harmless(&location.name), place, holds(location)]);
    }
    if any {
        section(out, "Copies")?;
        writeln!(out, "{}", indented(&table.to_string()))?;
    }
    Ok(())
}

/// What would change with another version of the gateway.
pub(crate) fn as_of(
    out: &mut impl Write,
    version: &str,
    now: &Proposal,
    then: &Proposal,
) -> Written {
    let title = format!("WITH {}", harmless(version));
    let mut table = Table::new(&["PROGRAM", "CREDENTIAL", "USES TODAY", &title]);
    let mut any = false;
    for (consumer, from, to) in changed_standings(now, then) {
        any = true;
        table.add_row([
            paint(BOLD, &harmless(&consumer.name)),
            harmless(now.snapshot.credential(consumer.credential)),
            today(&now.snapshot, from),
            today(&then.snapshot, to),
        ]);
    }
    if any {
        writeln!(out, "{}", table)
    } else {
        let words =
            format!("With {} every program gets the same secret as today.", harmless(version));
        writeln!(out, "{}", paint(GREEN, &words))
    }
}

/// For each program, the copies that would win in turn if the one before vanished.
pub(crate) fn shadows(
    out: &mut impl Write,
    proposal: &Proposal,
    shadows: &[(ConsumerId, Vec<LocationId>)],
) -> Written {
    let snapshot = &proposal.snapshot;
    let mut table =
        Table::new(&["PROGRAM", "CREDENTIAL", "USES TODAY", "THEN, IF THAT VANISHED", ""]);
    let secret = |id: LocationId| snapshot.location(id)?.presence.fingerprint();
    let mut stale = 0;
    let mut any = false;
    for (id, copies) in shadows {
        let Some(consumer) = snapshot.consumers.get(id.index()) else { continue };
        let Some((first, rest)) = copies.split_first() else { continue };
        any = true;
        let mut words = [
            paint(BOLD, &harmless(&consumer.name)),
            harmless(snapshot.credential(consumer.credential)),
            copy(snapshot, *first),
        ];
        if rest.is_empty() {
            let [name, credential, today] = words;
            table.add_row([name, credential, today, paint(DIM, "nothing"), String::new()]);
            continue;
        }
        for next in rest {
            let differs = secret(*next) != secret(*first);
            stale += usize::from(differs);
            let state = if differs {
                paint(YELLOW, "! another secret")
            } else {
                paint(GREEN, "✓ the same")
            };
            let [name, credential, today] = words;
            table.add_row([name, credential, today, copy(snapshot, *next), state]);
            words = Default::default();
        }
    }
    if !any {
        return writeln!(out, "No program gets a secret from anywhere.");
    }
    writeln!(out, "{}", table)?;
    match stale {
        0 => writeln!(out, "\n{}", paint(GREEN, "No stale copy is waiting to win.")),
        count => writeln!(
            out,
            "\n{}",
            paint(
                YELLOW,
                &format!("{count} times a stale copy would win if the one before it vanished.")
            )
        ),
    }
}

pub(super) fn today(snapshot: &Snapshot, standing: Standing) -> String {
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
