//! A read-only audit: tells every disagreement, and every copy where none should be.

use precedent_guest::{Answer, Decision, NoSettings, Policy, Severity, Snapshot};

struct ReadOnlyAudit;

impl Policy for ReadOnlyAudit {
    type Settings = NoSettings;

    fn decide(snapshot: &Snapshot, _: NoSettings) -> Answer {
        let mut decision = Decision::default();
        // The first place that the manifest lists is what all others are held against.
        let truth = |credential| {
            snapshot.copies_of(credential).next().filter(|copy| copy.fingerprint().is_some())
        };
        for consumer in snapshot.consumers() {
            let truth = truth(consumer.credential);
            let today = snapshot.today(consumer);
            let wanted = truth.map(|truth| truth.id);
            let reason = "the first place of the manifest is the truth";
            if snapshot.drifts(decision.verdict(consumer.id, today, wanted, reason)) {
                let message = format!("{} does not get the secret that it should", consumer.name);
                decision.finding(Severity::Error, "wrong-secret", message).at(truth);
            }
        }
        for copy in snapshot.locations().filter(|copy| !copy.is_unset() && !copy.is_incoming()) {
            let truth = truth(copy.credential);
            if snapshot.location_attribute(copy, "copies") == Some("none") {
                let message = format!("there should be no copy in {}", copy.label());
                let found = decision.finding(Severity::Error, "stray-copy", message).at([copy]);
                found.remedy("remove it, and rotate the secret if others could read it");
            } else if truth.is_some_and(|truth| !copy.same_secret(&truth)) {
                let message = format!("{} is not known to hold the right secret", copy.label());
                decision.finding(Severity::Warning, "disagrees", message).at([copy]);
            }
        }
        Ok(decision)
    }
}

precedent_guest::export!(ReadOnlyAudit);

#[test]
fn a_stray_copy_and_an_old_one_are_told_and_nothing_is_written() {
    precedent_guest::testing::SnapshotBuilder::default()
        .consumer("app")
        .with("reads", "config.token")
        .plain("vault.token", "new")
        .plain("config.token", "old")
        .plain("dotenv.token", "new")
        .marked("copies", "none")
        .decide::<ReadOnlyAudit>()
        .does(&[])
        .finds(&["wrong-secret", "disagrees", "stray-copy"]);
}
