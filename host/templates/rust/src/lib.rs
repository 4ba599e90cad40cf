//! The environment wins where it is set, and the other copies follow.

use precedent_guest::{Answer, Decision, NoSettings, Policy, Ranking, Severity, Snapshot};

struct EnvironmentWins;

impl Policy for EnvironmentWins {
    type Settings = NoSettings;

    fn decide(snapshot: &Snapshot, _: NoSettings) -> Answer {
        let mut decision = Decision::default();
        let env = snapshot.location_named("env.api-key");
        let source = env.filter(|env| env.is_plain() && !env.is_expired());
        let why = if source.is_some() { "the environment wins" } else { "no key in the environment" };
        for consumer in snapshot.consumers() {
            let reads = snapshot.consumer_attribute(consumer, "reads").unwrap_or_default();
            let places = reads.split(' ').map(|name| snapshot.location_named(name));
            let winner = places.fold(Ranking::default(), |all, place| all.then(place, "")).resolve();
            decision.verdict(consumer.id, winner.standing, source.map(|env| env.id), why).next =
                winner.next.map(|next| next.id);
        }
        let Some(source) = source else {
            let message = "API_KEY is not set, or has expired; no copy is written";
            decision.finding(Severity::Warning, "environment-not-set", message);
            return Ok(decision);
        };
        for copy in snapshot.locations_of(source.credential) {
            let follows = decision.write_unless_equal(source, copy, "follows the environment");
            if !follows && !copy.same_secret(&source) {
                let message = format!("{} does not follow: it cannot be written", copy.label());
                decision.finding(Severity::Warning, "copy-left-alone", message).at([copy]);
            }
        }
        Ok(decision)
    }
}

precedent_guest::export!(EnvironmentWins);

#[cfg(test)]
mod tests;
