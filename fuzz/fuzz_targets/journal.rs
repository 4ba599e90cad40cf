#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| precedent::fuzzing::run("journal", bytes));
