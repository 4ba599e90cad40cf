//! Within a version the host may tell policies more, by attributes and facts. A guest that does not ask
//! for them decides as before; one that does gets them.

use std::collections::BTreeMap;

use precedent::model::{Fact, Snapshot};
use proptest::prelude::*;
use serde_json::json;

use super::{Guest, answer, guests, snapshot, snapshots};
use crate::properties::config;

type Pairs = BTreeMap<String, String>;

/// What no guest here asks for: it was not known when they were written.
fn unheard_of() -> impl Strategy<Value = Pairs> {
    prop::collection::btree_map("new\\.\\PC{0,12}", "\\PC{0,40}", 0..4)
}

fn grown(mut snapshot: Snapshot, more: &[Pairs; 3], every: usize) -> Snapshot {
    let [facts, locations, consumers] = more;
    let fact = |value: &String| Fact { value: Some(value.clone()), place: None };
    snapshot.facts.extend(facts.iter().map(|(key, value)| (key.clone(), fact(value))));
    for location in snapshot.locations.iter_mut().step_by(every) {
        location.attributes.extend(locations.clone());
    }
    for consumer in snapshot.consumers.iter_mut().step_by(every) {
        consumer.attributes.extend(consumers.clone());
    }
    snapshot
}

proptest! {
    #![proptest_config(config(64))]

    #[test]
    fn what_a_guest_has_never_heard_of_changes_nothing(
        more in [unheard_of(), unheard_of(), unheard_of()],
        every in 1_usize..4,
        pick in any::<prop::sample::Index>(),
    ) {
        let (name, before) = snapshots().into_iter().nth(pick.index(snapshots().len())).unwrap();
        let after = grown(before.clone(), &more, every);
        for Guest { version, policy } in guests() {
            let (before, after) = (answer(policy, &before), answer(policy, &after));
            prop_assert!(before == after, "{version} on {name}:\n{before:#}\n{after:#}");
        }
    }
}

/// The same with all of them at once, in every case: a property may miss one.
#[test]
fn every_golden_answer_stays_when_the_host_tells_more() {
    let one = |key: &str| Pairs::from([(key.to_owned(), "много — 多".to_owned())]);
    // Some sort before what is known, some after it.
    let more = [one("a.fact"), one("zone"), one("a-program")];
    for (name, before) in snapshots() {
        let after = grown(before.clone(), &more, 1);
        for Guest { version, policy } in guests() {
            assert_eq!(answer(policy, &before), answer(policy, &after), "{version} on {name}");
        }
    }
}

#[test]
fn a_guest_that_asks_for_more_gets_it() {
    let one = |key: &str, value: &str| Pairs::from([(key.to_owned(), value.to_owned())]);
    let more = [one("region", "norð"), one("zone", "a"), one("runtime", "node 24")];
    let mut after = grown(snapshot("01-stale"), &more, 1);
    let asks = "verdicts; ask-fact region; ask-location zone; ask-consumer runtime";
    after.settings = json!({ "answer": asks });
    for Guest { version, policy } in guests() {
        let decision = policy.decide(&after).unwrap().unwrap();
        let said = |code: &str| -> Vec<String> {
            let findings = decision.findings.iter().filter(|finding| finding.code == code);
            findings.map(|finding| finding.message.clone()).collect()
        };
        assert_eq!(said("region"), ["norð"], "{version}");
        assert_eq!(said("zone"), vec!["a"; after.locations.len()], "{version}");
        assert_eq!(said("runtime"), vec!["node 24"; after.consumers.len()], "{version}");
        let unasked = Snapshot { settings: json!({"answer": "verdicts"}), ..after.clone() };
        assert!(policy.decide(&unasked).unwrap().unwrap().findings.is_empty(), "{version}");
    }
}
