//! The reference policy, with the SDK: runs natively, and as a component. The same rules stand in the
//! other folders here, each in its own language.
//!
//! A program reads the kinds of places that it knows, in its own order. What stands in clear in the
//! first environment variable of a credential is the source of truth, and every other copy follows.

use precedent_guest::{
    Answer, Decision, Location, LocationKind, NoSettings, Policy, Ranking, Severity, Snapshot,
    contract::{Deed, Transfer},
};

/// The reference policy.
#[derive(Debug)]
pub struct Reference;

impl Policy for Reference {
    type Settings = NoSettings;

    fn decide(snapshot: &Snapshot, _: NoSettings) -> Answer {
        let copies = by_credential(snapshot);
        let copies_of = |credential: u32| {
            usize::try_from(credential)
                .ok()
                .and_then(|index| copies.get(index))
                .into_iter()
                .flatten()
        };
        let mut decision = Decision::default();
        for consumer in snapshot.consumers() {
            let copies = || copies_of(consumer.credential).copied();
            let read = order(&consumer.name)
                .iter()
                .flat_map(|kind| copies().filter(move |copy| copy.kind == *kind));
            let read = Ranking::of(read, "").resolve();
            let truth = truth(copies());
            let reason = match (snapshot.copy_at(read.standing), truth) {
                (Some(today), Some(truth)) => format!(
                    "{} reads {}; {} is the source of truth",
                    consumer.name,
                    today.label(),
                    truth.label()
                ),
                (Some(today), None) => format!("{} reads {}", consumer.name, today.label()),
                (None, _) => format!("{} finds no copy", consumer.name),
            };
            let wanted = truth.map(|truth| truth.id);
            let verdict = decision.verdict(consumer.id, read.standing, wanted, reason);
            verdict.next = read.next.map(|next| next.id);
        }
        for copies in &copies {
            if let Some(truth) = truth(copies.iter().copied()) {
                follow(&mut decision, truth, copies);
            }
        }
        Ok(decision)
    }
}

precedent_guest::export!(Reference);

/// The kinds of places that a program looks at, in its order.
fn order(program: &str) -> &'static [LocationKind] {
    use LocationKind::{Document, Dotenv, Environment, Unit};
    match program {
        "gateway" => &[Document, Environment],
        "cli" => &[Environment, Document, Dotenv],
        "tui" => &[Document, Dotenv, Environment],
        "probe" => &[Dotenv, Environment, Document],
        _ => &[Unit, Environment, Document],
    }
}

/// The copies of each credential, found in one pass: a look-up for each would be as many passes.
fn by_credential(snapshot: &Snapshot) -> Vec<Vec<Location<'_>>> {
    let mut copies = vec![Vec::new(); snapshot.credentials().len()];
    for location in snapshot.locations() {
        let index = usize::try_from(location.credential).unwrap_or(usize::MAX);
        if let Some(copies) = copies.get_mut(index) {
            copies.push(location);
        }
    }
    copies
}

/// The source of truth among the copies of one credential.
fn truth<'s>(copies: impl IntoIterator<Item = Location<'s>>) -> Option<Location<'s>> {
    let is_truth = |copy: &Location| copy.kind == LocationKind::Environment && copy.is_plain();
    copies.into_iter().find(is_truth)
}

/// Has every copy follow that can. What is written here stands once, so nobody looks whether it was
/// said before.
fn follow(decision: &mut Decision, truth: Location<'_>, copies: &[Location<'_>]) {
    for copy in copies.iter().filter(|copy| copy.id != truth.id && !copy.same_secret(&truth)) {
        if copy.can_be_written() {
            let reason = format!("{} follows {}", copy.label(), truth.label());
            decision.act(Deed::Write(Transfer { from: truth.id, to: copy.id }), reason);
        } else {
            let message = format!("{} does not follow {}", copy.label(), truth.label());
            decision.finding(Severity::Warning, "left-alone", message).at([*copy]);
        }
    }
}
