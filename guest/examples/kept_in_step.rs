//! A second secret kept in step: one place is the authority, and the others follow it.

use precedent_guest::{Answer, Decision, Location, Policy, Severity, Snapshot};

struct KeptInStep;

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    authority: String,
}

impl Policy for KeptInStep {
    type Settings = Settings;

    const SETTINGS_SCHEMA: &'static str = r#"{"type": "object", "properties": {"authority":
        {"enum": ["env.internal-auth", "dotenv.internal-auth", "config.internal-auth"]}}}"#;

    fn decide(snapshot: &Snapshot, Settings { authority }: Settings) -> Answer {
        let mut decision = Decision::default();
        let authority = snapshot.named(&authority)?;
        // Where the authority cannot take a new secret, the next run would undo it everywhere.
        let new = snapshot.incoming(authority.credential).filter(|_| authority.can_be_written());
        let source = new.unwrap_or(authority);
        let wanted = Some(source).filter(Location::is_copyable).map(|source| source.id);
        for consumer in snapshot.consumers() {
            let today = snapshot.today(consumer);
            let reason = format!("{} is the authority", authority.label());
            decision.verdict(consumer.id, today, wanted, reason);
        }
        let copies = snapshot.copies_of(source.credential);
        let mut left = decision.write_to_all(source, copies, "follows the authority");
        // A variable that is not set disagrees with nobody.
        left.retain(|copy| copy.durable || !copy.is_unset());
        if wanted.is_none() {
            let message = format!("{} has no secret that could be copied", authority.label());
            decision.finding(Severity::Error, "no-secret", message).at([authority]);
        } else if !left.is_empty() {
            let message = "a copy differs from the authority and cannot be written";
            decision.finding(Severity::Warning, "out-of-step", message).at(left);
        }
        Ok(decision)
    }
}

precedent_guest::export!(KeptInStep);

#[test]
fn the_authority_is_copied_and_what_cannot_follow_is_told() {
    precedent_guest::testing::SnapshotBuilder::default()
        .settings(r#"{"authority": "config.internal-auth"}"#)
        .consumer("worker")
        .plain("env.internal-auth", "old")
        .plain("dotenv.internal-auth", "old")
        .plain("config.internal-auth", "new")
        .decide::<KeptInStep>()
        .today("worker", "env.internal-auth")
        .wants("worker", Some("config.internal-auth"))
        .does(&["write config.internal-auth -> dotenv.internal-auth"])
        .finds(&["out-of-step"]);
}
