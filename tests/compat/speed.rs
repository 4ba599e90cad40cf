//! What the draft's records cost against those of the version before it, in one run. No test of a time:
//! `cargo test --release --test precedent -- --ignored --nocapture what_a_decision_costs`.

use std::time::Instant;

use precedent::{
    model::{Consumer, CredentialId, Location, Presence, Snapshot},
    secret::Key,
};
use serde_json::json;

use super::{Guest, guests, snapshot};

/// So many places of two credentials and five consumers, and a decision with five verdicts and ten
/// actions whatever the number.
fn scene(places: usize) -> Snapshot {
    let mut snapshot = snapshot("01-stale");
    let key = Key::new([7; 32]);
    let (location, consumer) = (snapshot.locations[1].clone(), snapshot.consumers[1].clone());
    let place = |index: usize| {
        let secret = if (2..12).contains(&index) { "canary-old" } else { "canary-new" };
        Location {
            name: format!("document-{index}.gateway-token"),
            label: format!("gateway.places.{index}.token"),
            credential: CredentialId::from_index(index % 2),
            presence: Presence::Plain(key.fingerprint(secret)),
            writable: true,
            ..location.clone()
        }
    };
    let reader = |index: usize| Consumer {
        name: format!("consumer-{index}"),
        credential: CredentialId::from_index(index % 2),
        ..consumer.clone()
    };
    snapshot.locations = (0..places).map(place).collect();
    snapshot.consumers = (0..5).map(reader).collect();
    snapshot.settings = json!({"answer": "follow"});
    snapshot
}

#[test]
#[ignore = "measures"]
fn what_a_decision_costs_in_each_version() {
    for places in [12, 1_000] {
        let scene = scene(places);
        let decision = guests()[0].policy.decide(&scene).unwrap().unwrap();
        assert_eq!((decision.verdicts.len(), decision.actions.len()), (5, 10));
        let mut times: Vec<Vec<u128>> = vec![Vec::new(); guests().len()];
        // By turns, so that what else the machine does meets all alike.
        for _ in 0..if places > 100 { 300 } else { 3_000 } {
            for (Guest { policy, .. }, times) in guests().iter().zip(&mut times) {
                let start = Instant::now();
                let answer = policy.decide(&scene);
                times.push(start.elapsed().as_nanos());
                assert!(answer.unwrap().is_ok());
            }
        }
        let medians = times.into_iter().map(|mut times| {
            times.sort_unstable();
            times[times.len() / 2]
        });
        let medians: Vec<u128> = medians.collect();
        for (Guest { version, .. }, median) in guests().iter().zip(&medians) {
            let hundredths = median * 100 / medians[0];
            println!(
                "{places} places, {version}: {}.{:02} of {}, {median} ns",
                hundredths / 100,
                hundredths % 100,
                guests()[0].version
            );
        }
    }
}
