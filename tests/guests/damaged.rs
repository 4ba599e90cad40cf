//! Bits that are flipped, bytes that are missing: what is still a component runs within the limits,
//! and its answer is checked like any other; all else is refused by name.

use std::{fs, ops::Range};

use precedent::{
    artifact::{self, ArtifactError, PolicyRef},
    check::check,
    config::Grants,
    decide::{DecideError, Engine, Limits},
    model::Snapshot,
};

use super::together::{limits, stale};
use crate::support::{fixture, hostile};

/// The same numbers in every run: xorshift.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % most as u64).unwrap()
    }
}

#[derive(Debug, Default)]
struct Seen {
    refused: usize,
    stopped: usize,
    answered: usize,
}

/// Loads and asks what may be anything.
fn try_out(engine: &Engine, bytes: &[u8], snapshot: &Snapshot, seen: &mut Seen, what: &str) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("damaged.wasm");
    fs::write(&path, bytes).unwrap();
    let reference = PolicyRef::from_argument("damaged.wasm");
    let limits = Limits { component_bytes: 1 << 20, ..limits() };
    let policy = match artifact::load(engine, &reference, Some(&path), limits, None) {
        Ok(policy) => policy,
        Err(ArtifactError::NotAComponent { .. } | ArtifactError::Policy { .. }) => {
            seen.refused += 1;
            return;
        }
        Err(other) => panic!("{what}: {other}"),
    };
    assert!(policy.warnings().is_empty());
    let asked = policy.validate_settings(&snapshot.settings).and_then(|()| policy.decide(snapshot));
    match asked {
        // Without grants a decision that writes is a violation, and one that keeps the rules writes
        // nothing.
        Ok(Ok(decision)) => {
            seen.answered += 1;
            if let Ok(checked) = check(snapshot, decision, &Grants::default()) {
                let writes = precedent::plan::plan(&checked);
                assert!(writes.targets().is_empty(), "{what} would write");
            }
        }
        Ok(Err(_)) => seen.answered += 1,
        Err(
            DecideError::Limit { .. }
            | DecideError::Trap(_)
            | DecideError::Answer(_)
            | DecideError::Settings { .. },
        ) => seen.stopped += 1,
        Err(other) => panic!("{what}: {other}"),
    }
}

fn damage(good: &[u8], at: Range<usize>, snapshot: &Snapshot, flips: usize, cuts: usize) -> Seen {
    let engine = Engine::new().unwrap();
    let mut numbers = Numbers(0x5EED_0007);
    assert!(at.end <= good.len());
    let mut seen = Seen::default();
    for _ in 0..flips {
        let (byte, bit) = (at.start + numbers.below(at.len()), numbers.below(8));
        let mut bytes = good.to_vec();
        bytes[byte] ^= 1 << bit;
        try_out(&engine, &bytes, snapshot, &mut seen, &format!("bit {bit} of byte {byte}"));
    }
    for _ in 0..cuts {
        let length = numbers.below(good.len());
        try_out(&engine, &good[..length], snapshot, &mut seen, &format!("{length} bytes"));
    }
    // The engine is none the worse for it.
    let mut right = Seen::default();
    try_out(&engine, good, snapshot, &mut right, "the right one");
    assert_eq!(right.answered, 1, "the right one answers");
    println!("{seen:?} in {at:?} of {} bytes", good.len());
    seen
}

#[test]
fn a_damaged_policy_is_refused_or_keeps_within_its_limits() {
    let snapshot = stale(serde_json::json!({ "way": "behave" }));
    let good = fs::read(fixture::misbehaving()).unwrap();
    let seen = damage(&good, 0..good.len(), &snapshot, 50, 100);
    assert!(seen.refused > 100 && seen.answered > 0, "{seen:?}");
}

/// The same for one of a few thousand bytes, of which every tenth bit can be flipped in the same time:
/// once anywhere, where most of it is types, and once in the code.
#[test]
fn a_damaged_small_policy_is_refused_or_keeps_within_its_limits() {
    let snapshot = stale(serde_json::json!({}));
    let good = hostile::right();
    let seen = damage(&good, 0..good.len(), &snapshot, 150, 100);
    assert!(seen.refused > 100, "{seen:?}");
    let module = good.windows(8).position(|bytes| bytes == b"\0asm\x01\0\0\0").unwrap();
    let seen = damage(&good, module..module + 600, &snapshot, 250, 0);
    assert!(seen.refused > 0 && seen.stopped > 0 && seen.answered > 0, "{seen:?}");
}
