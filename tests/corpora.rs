//! What the fuzzers found worth keeping, run again without a fuzzer, and some of their own that is
//! arbitrary: see CONTRIBUTING.md, "Fuzzing".

use std::fs;

use precedent::fuzzing::{self, TARGETS};
use proptest::prelude::*;

use crate::{properties::config, support::root};

/// What a corpus may have, so that a clone stays small.
const MOST_FILES: usize = 200;
const MOST_BYTES: u64 = 300 * 1024;

#[test]
fn what_was_kept_still_holds() {
    for (name, target) in TARGETS {
        let folder = root().join("fuzz/corpus").join(name);
        let mut files: Vec<_> =
            fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        assert!(!files.is_empty() && files.len() <= MOST_FILES, "{name}: {}", files.len());
        let mut bytes = 0;
        for file in files {
            let input = fs::read(&file).unwrap();
            bytes += input.len() as u64;
            let run = std::panic::catch_unwind(|| target(&input));
            assert!(run.is_ok(), "{name}: {}", file.display());
        }
        assert!(bytes <= MOST_BYTES, "{name}: {bytes} bytes; `fuzz/run` says how to make it small");
    }
}

/// A target that is in no script is not fuzzed, and one without a corpus not kept.
#[test]
fn every_target_has_a_program_and_a_corpus() {
    let manifest = fs::read_to_string(root().join("fuzz/Cargo.toml")).unwrap();
    let listed = manifest.matches("[[bin]]").count();
    assert_eq!(listed, TARGETS.len());
    for (name, _) in TARGETS {
        assert!(manifest.contains(&format!("name = \"{name}\"")), "{name}");
        let program = root().join("fuzz/fuzz_targets").join(format!("{name}.rs"));
        let program = fs::read_to_string(program).unwrap();
        assert!(program.contains(&format!("run(\"{name}\", bytes)")), "{program}");
    }
}

/// A decision that breaks a promise does not pass, and enough of them pass to tell.
#[test]
fn no_decision_that_passes_breaks_a_promise() {
    use std::sync::atomic::{AtomicU32, Ordering};
    let (all, passed, changed) = (AtomicU32::new(0), AtomicU32::new(0), AtomicU32::new(0));
    proptest!(config(20_000), |(bytes in prop::collection::vec(any::<u8>(), 100..500))| {
        let (passes, changes) = fuzzing::outcome_of_check(&bytes);
        all.fetch_add(1, Ordering::Relaxed);
        passed.fetch_add(u32::from(passes), Ordering::Relaxed);
        changed.fetch_add(u32::from(changes), Ordering::Relaxed);
    });
    let (all, passed, changed) = (all.into_inner(), passed.into_inner(), changed.into_inner());
    // Who asks for a few cases gets them.
    let few = all < 1000;
    assert!(
        few || (passed * 8 > all && changed * 40 > all),
        "{passed} pass, {changed} change, of {all}"
    );
}
