//! A site's own order: each program reads in an order of its own, and what it finds first is right.

use std::collections::BTreeMap;

use precedent_guest::{Answer, Decision, Location, Policy, Ranking, Severity, Snapshot};

struct SiteOrder;

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    truth: String,
    order: BTreeMap<String, Vec<String>>,
}

impl Policy for SiteOrder {
    type Settings = Settings;

    fn decide(snapshot: &Snapshot, Settings { truth, order }: Settings) -> Answer {
        let mut decision = Decision::default();
        let truth = Some(snapshot.named(&truth)?).filter(Location::is_copyable);
        for consumer in snapshot.consumers() {
            let order = order.get(consumer.name).into_iter().flatten();
            let places = order.map(|name| snapshot.named(name)).collect::<Result<Vec<_>, _>>()?;
            let first = Ranking::of(places, "it comes first in the order of the site").resolve();
            let wanted = truth.map(|truth| truth.id);
            let verdict = decision.verdict(consumer.id, first.standing, wanted, first.reason);
            verdict.next = first.next.map(|next| next.id);
            let drifts = snapshot.drifts(verdict);
            // What it never gets to may stay as it is.
            let pair = truth.zip(snapshot.copy_at(first.standing));
            let is_mended = pair.is_some_and(|(truth, copy)| {
                decision.write_unless_equal(truth, copy, "hides the truth from a program")
            });
            if drifts && !is_mended {
                let message = format!("{} does not get to the truth", consumer.name);
                decision.finding(Severity::Error, "out-of-reach", message).at(truth);
            }
        }
        Ok(decision)
    }
}

precedent_guest::export!(SiteOrder);

#[test]
fn only_what_a_program_finds_first_is_mended() {
    precedent_guest::testing::SnapshotBuilder::default()
        .settings(
            r#"{"truth": "vault.token", "order": {
                "app": ["config.token", "vault.token"], "backup": ["vault.token", "dotenv.token"]}}"#,
        )
        .consumer("app")
        .consumer("backup")
        .plain("vault.token", "new")
        .plain("config.token", "old")
        .plain("dotenv.token", "old")
        .decide::<SiteOrder>()
        .today("app", "config.token")
        .today("backup", "vault.token")
        .does(&["write vault.token -> config.token"])
        .finds(&[]);
}
