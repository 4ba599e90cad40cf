//! What the whole must do, seen from outside: the command line on directories, before and after.
//!
//! | module | what |
//! |---|---|
//! | `story` | the README's example, and that what the README and the docs show is what comes out |
//! | `verbs` | exit codes and the shapes that scripts rely on |
//! | `manifest` | `precedent.toml`: what it can say, and errors that point |
//! | `bad_input` | everything that is not as it should be |
//! | `bad_places` | units, property lists, `.env` files, included files, commands: of every shape |
//! | `runs` | what runs keep, taking back, locks, audit |
//! | `faults` | what the machine and others do to a run |
//! | `files` | what a write keeps: mode, links, others' changes |
//! | `crash` | a run killed at every system call that changes a file |
//! | `promises` | the design's promises that no other module shows |
//! | `properties` | what holds for any small installation and the shipped policies |
//! | `corpora` | what the fuzzers keep, run again without one |
//! | `guests` | policies that misbehave |
//! | `parity` | what OpenClaw's own resolvers were recorded to do, row by row |
//! | `policies` | the shipped policies' cases, in WebAssembly and natively |
//! | `chart` | deploy/helm: the init step as Helm renders it, run in a pod's place |
//! | `daemon` | a gateway as a service: another version, what would win next, a new token |
//! | `deploy` | deploy/systemd and deploy/launchd, each by its own tool |
//! | `services` | what OpenClaw's own service audit and repair were recorded to do |
//! | `openclaw` | the real gateway, two versions |
//!
//! Every secret in here begins with `canary-`, and every output of every run is searched for it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::print_stdout,
    missing_docs,
    reason = "a test that fails should fail loudly"
)]

mod bad_input;
mod bad_places;
mod chart;
mod corpora;
mod crash;
mod daemon;
mod deploy;
mod faults;
mod files;
mod guests;
mod manifest;
mod openclaw;
mod parity;
mod policies;
mod promises;
mod properties;
mod runs;
mod services;
mod story;
mod support;
mod verbs;
