//! A staging copy: staging takes one value from production, and production takes none from anybody.

use precedent_guest::{Answer, Decision, Location, NoSettings, Policy, Severity, Snapshot};

struct StagingCopy;

impl Policy for StagingCopy {
    type Settings = NoSettings;

    fn decide(snapshot: &Snapshot, _: NoSettings) -> Answer {
        let mut decision = Decision::default();
        let is_production = |place: &Location<'_>| {
            snapshot.location_attribute(*place, "stage") == Some("production")
        };
        for consumer in snapshot.consumers() {
            let today = snapshot.today(consumer);
            let production = snapshot.copies_of(consumer.credential).find(is_production);
            let wanted = production.filter(Location::is_copyable).map(|production| production.id);
            decision.verdict(consumer.id, today, wanted, "staging follows production");
        }
        for production in snapshot.locations().filter(is_production) {
            if !production.is_copyable() {
                let message = format!("{} has no secret yet", production.label());
                let found = decision.finding(Severity::Warning, "nothing-to-copy", message);
                found.at([production]).remedy("staging keeps what it has until production is set");
                continue;
            }
            let staging = snapshot.copies_of(production.credential);
            let staging = staging.filter(|copy| !is_production(copy));
            let left = decision.write_to_all(production, staging, "follows production");
            if !left.is_empty() {
                let message = "staging differs from production and cannot be written";
                decision.finding(Severity::Error, "staging-differs", message).at(left);
            }
        }
        Ok(decision)
    }
}

precedent_guest::export!(StagingCopy);

#[test]
fn staging_follows_and_never_leads() {
    use precedent_guest::{Presence, testing::SnapshotBuilder};
    let production = |presence| {
        SnapshotBuilder::default()
            .plain("config.token", "of staging")
            .location("production.token", presence)
            .marked("stage", "production")
            .decide::<StagingCopy>()
    };
    production(Presence::Plain(7)).does(&["write production.token -> config.token"]).finds(&[]);
    production(Presence::Placeholder).does(&[]).finds(&["nothing-to-copy"]);
    production(Presence::Absent).does(&[]).finds(&["nothing-to-copy"]);
}
