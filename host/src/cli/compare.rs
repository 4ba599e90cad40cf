//! One installation under two versions.

use precedent::{
    Proposal,
    model::{Consumer, LocationId, Standing, Verdict},
};

/// The consumers that would get something else, with what they get now and then. Another copy of the
/// same secret is nothing else.
pub(crate) fn changed_standings<'p>(
    now: &'p Proposal,
    then: &'p Proposal,
) -> impl Iterator<Item = (&'p Consumer, Standing, Standing)> {
    verdicts(now).filter_map(|verdict| {
        let consumer = now.snapshot.consumers.get(verdict.consumer.index())?;
        let other = verdicts(then).find(|other| other.consumer == verdict.consumer)?;
        let secret = |id: LocationId| now.snapshot.location(id)?.presence.fingerprint();
        let same = match (verdict.today, other.today) {
            (Standing::Copy(one), Standing::Copy(two)) => {
                one == two || (secret(one).is_some() && secret(one) == secret(two))
            }
            (one, two) => one == two,
        };
        (!same).then_some((consumer, verdict.today, other.today))
    })
}

fn verdicts(proposal: &Proposal) -> impl Iterator<Item = &Verdict> {
    proposal.decision().into_iter().flat_map(|decision| &decision.verdicts)
}
