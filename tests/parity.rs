//! What OpenClaw's own resolvers were recorded to do, for seven versions, row by row.

use std::collections::BTreeSet;

use precedent::cases::{self, Runner};
use serde_json::{Map, Value, json};

use crate::support::helm;

/// Rows that are not told right yet: secrets that a caller hands over, which stand at no location;
/// another URL with them; the variables of old names; and a few corners of references.
const NOT_YET: &[&str] = &[
    "m00610", "m00660", "m01383", "m01475", "m08529", "m08531", "m08611", "m08649", "m10623",
    "m10640", "m10643", "m10645", "m10646", "m10648", "m10649", "m10653", "m10654", "m10664",
    "m10665", "m10783", "m10861", "m10919",
];

#[test]
fn the_recorded_rows_come_out_as_recorded() {
    let (policy, reference) = helm();
    let mut runner = Runner::new(&policy, reference);
    let mut wrong = BTreeSet::new();
    let mut count = 0;
    for line in include_str!("corpus/precedence-matrix.jsonl").lines() {
        let row: Value = serde_json::from_str(line).unwrap();
        for expected in row["expect"].as_array().unwrap() {
            for version in expected["versions"].as_array().unwrap() {
                let text = case(&row, expected, version).to_string();
                let case = cases::parse("row.json".as_ref(), &text).unwrap().remove(0);
                count += 1;
                if !runner.run(&case).unwrap().mismatches.is_empty() {
                    wrong.insert(row["id"].as_str().unwrap().to_owned());
                }
            }
        }
    }
    assert_eq!(count, 7_595, "rows times versions");
    let known: BTreeSet<String> = NOT_YET.iter().map(ToString::to_string).collect();
    let new: Vec<_> = wrong.difference(&known).collect();
    assert!(new.is_empty(), "rows that were right: {new:?}");
    let mended: Vec<_> = known.difference(&wrong).collect();
    assert!(mended.is_empty(), "rows that are right now, to be taken off the list: {mended:?}");
}

/// A row as a case.
fn case(row: &Value, expected: &Value, version: &Value) -> Value {
    let (consumer, phase) = match row["consumer"].as_str().unwrap() {
        "client_call" => ("cli", "check"),
        "probe" => ("probe", "check"),
        "gateway_server" => ("gateway", "check"),
        "gateway_server_startup" => ("gateway", "start"),
        other => panic!("unknown consumer {other}"),
    };
    json!({
        "name": row["id"],
        "deployment": {"phase": phase, "attributes": {"openclaw-version": version}},
        "env": row["env"],
        "files": {"~/.openclaw/openclaw.json": row["config"]},
        "options": row["options"],
        "expect": {"consumers": {consumer: credentials(expected)}},
    })
}

fn credentials(expected: &Value) -> Value {
    if let Some(throws) = expected["throws"].as_str() {
        if throws.starts_with("Invalid config") {
            return json!({"gateway-token": {"today": {"invalid": true}}});
        }
        let path = throws.split(' ').next().unwrap();
        let kind = path.rsplit('.').next().unwrap();
        let mut credentials = Map::new();
        credentials.insert(format!("gateway-{kind}"), json!({"today": {"unresolved": path}}));
        return Value::Object(credentials);
    }
    let value = |kind: &str| match expected[kind].as_str() {
        Some("<generated>") => json!({"generated": true}),
        value => json!({"value": value}),
    };
    json!({
        "gateway-token": {"today": value("token")},
        "gateway-password": {"today": value("password")},
    })
}
