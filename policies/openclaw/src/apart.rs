//! Programs that read one credential and get different secrets, where nothing is done about it.

use precedent_guest::{
    Decision, Location, Severity, Snapshot, Standing,
    contract::{Deed, Verdict},
};

use crate::Installation;

const REMEDY: &str = "put the same secret into these places, or remove those that should not count; precedent explain --shadows shows what then comes next";

/// The programs that get one secret, and a copy of it; or no copy, where they get none.
struct Side<'s> {
    secret: Option<u32>,
    copy: Option<Location<'s>>,
    names: String,
    count: usize,
}

/// Says which copies they get, unless the decision changes a copy of the credential, for then the next
/// run sees what came of it, or another finding names one.
pub(crate) fn find(installation: &Installation<'_>, decision: &mut Decision) {
    let snapshot = installation.snapshot;
    // OpenClaw refuses the configuration whole, and the host says where it cannot be read.
    if !installation.is_readable() {
        return;
    }
    for (credential, name) in (0..).zip(snapshot.credentials()) {
        if is_changed(snapshot, decision, credential) || is_told(snapshot, decision, credential) {
            continue;
        }
        let mut sides = Vec::new();
        let mut wanted = None;
        for verdict in &decision.verdicts {
            wanted = wanted.or(join(snapshot, verdict, credential, &mut sides));
        }
        let apart = sides.len() > 1 || sides.iter().any(|side| side.copy.is_none());
        if apart {
            tell(name, &sides, wanted, decision);
        }
    }
}

fn is_of(snapshot: &Snapshot, id: u32, credential: u32) -> bool {
    snapshot.location(id).is_some_and(|location| location.credential == credential)
}

fn is_changed(snapshot: &Snapshot, decision: &Decision, credential: u32) -> bool {
    decision.actions.iter().any(|action| match &action.deed {
        Deed::Write(transfer) | Deed::Refer(transfer) => is_of(snapshot, transfer.to, credential),
        Deed::Remove(id) | Deed::Refresh(id) => is_of(snapshot, *id, credential),
        Deed::Mint(mint) => mint.credential == credential,
        _ => false,
    })
}

fn is_told(snapshot: &Snapshot, decision: &Decision, credential: u32) -> bool {
    let mut told = decision.findings.iter().flat_map(|finding| &finding.locations);
    told.any(|id| is_of(snapshot, *id, credential))
}

/// Adds a program to those that get the same, by the number of the secret, and those that get none
/// last. Returns what is wanted for it.
fn join<'s>(
    snapshot: &'s Snapshot,
    verdict: &Verdict,
    credential: u32,
    sides: &mut Vec<Side<'s>>,
) -> Option<Location<'s>> {
    let consumer = snapshot.consumers().find(|consumer| consumer.id == verdict.consumer)?;
    if consumer.credential != credential {
        return None;
    }
    let wanted = snapshot.location(verdict.wanted?);
    let copy = match verdict.today {
        Standing::Copy(id) => snapshot.location(id),
        _ => None,
    };
    let secret = copy.and_then(|copy| copy.fingerprint());
    let copy = copy.filter(|_| secret.is_some());
    if secret.is_none() && !snapshot.drifts(verdict) {
        return wanted;
    }
    let rank = |secret: Option<u32>| secret.unwrap_or(u32::MAX);
    let at = sides.iter().position(|side| rank(side.secret) >= rank(secret));
    match at.and_then(|at| sides.get_mut(at)).filter(|side| side.secret == secret) {
        Some(side) => {
            side.names.push_str(", ");
            side.names.push_str(consumer.name);
            side.count += 1;
        }
        None => {
            let side = Side { secret, copy, names: consumer.name.to_owned(), count: 1 };
            sides.insert(at.unwrap_or(sides.len()), side);
        }
    }
    wanted
}

fn tell(name: &str, sides: &[Side<'_>], wanted: Option<Location<'_>>, decision: &mut Decision) {
    let mut message = String::from("programs disagree on ");
    message.push_str(name);
    let mut locations = Vec::new();
    for (index, side) in sides.iter().enumerate() {
        message.push_str(if index == 0 { ": " } else { ", " });
        message.push_str(&side.names);
        message.push_str(if side.count == 1 { " gets " } else { " get " });
        match side.copy {
            Some(copy) => {
                message.push_str("what ");
                message.push_str(copy.label());
                message.push_str(" holds");
                locations.push(copy.id);
            }
            None => message.push_str("none"),
        }
    }
    let wanted = wanted.map(|wanted| wanted.id);
    locations.extend(wanted.filter(|id| !locations.contains(id)));
    let finding = decision.finding(Severity::Warning, "programs-disagree", message);
    finding.remedy(REMEDY).locations = locations;
}
