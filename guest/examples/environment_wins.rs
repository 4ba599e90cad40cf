//! The environment wins for everybody, and the other copies follow it.

use precedent_guest::{Answer, Decision, NoSettings, Policy, Snapshot};

struct EnvironmentWins;

impl Policy for EnvironmentWins {
    type Settings = NoSettings;

    fn decide(snapshot: &Snapshot, _: NoSettings) -> Answer {
        let mut decision = Decision::default();
        for consumer in snapshot.consumers() {
            let copies = || snapshot.locations_of(consumer.credential);
            let today = snapshot.first_present(copies());
            let env = copies().find(|copy| copy.name.starts_with("env.") && copy.is_plain());
            let wanted = env.map(|copy| copy.id);
            decision.verdict(consumer.id, today.into(), wanted, "the environment wins");
        }
        for env in snapshot.locations().filter(|copy| copy.name.starts_with("env.")) {
            for copy in snapshot.locations_of(env.credential).filter(|copy| copy.is_plain()) {
                decision.write_unless_equal(env, copy, "follows the environment");
            }
        }
        Ok(decision)
    }
}

precedent_guest::export!(EnvironmentWins);

#[test]
fn a_stale_copy_follows() {
    precedent_guest::testing::SnapshotBuilder::default()
        .plain("env.token", "new")
        .plain("config.token", "old")
        .decide::<EnvironmentWins>()
        .does(&["write env.token -> config.token"]);
}
