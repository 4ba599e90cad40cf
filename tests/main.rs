//! What the whole must do, seen from outside: the command line on directories, before and after.
//!
//! | module | what |
//! |---|---|
//! | `story` | the README's example, and that what the README and the docs show is what comes out |
//! | `verbs` | exit codes and the shapes that scripts rely on |
//! | `manifest` | `precedent.toml`: what it can say, and errors that point |
//! | `bad_input` | everything that is not as it should be |
//! | `bad_places` | units, property lists, `.env` files, included files, commands: of every shape |
//! | `provide` | a gateway that asks for its secrets, and plans for its own tool |
//! | `runs` | what runs keep, taking back, locks, audit |
//! | `journal` | the journal read back: log, replay, what-if, rotation |
//! | `faults` | what the machine and others do to a run |
//! | `files` | what a write keeps: mode, links, others' changes |
//! | `crash` | a run killed at every system call that changes a file |
//! | `promises` | the design's promises that no other module shows |
//! | `properties` | what holds for any small installation and the shipped policies |
//! | `corpora` | what the fuzzers keep, run again without one |
//! | `authoring` | docs/writing-a-policy.md, command by command in each language, and what goes wrong there |
//! | `guests` | policies that misbehave |
//! | `contract` | the contract: locked to the byte, documented, its reference made of it |
//! | `compat` | a guest of each version of the contract, kept since it was made |
//! | `parity` | what OpenClaw's own resolvers were recorded to do, row by row |
//! | `policies` | the shipped policies' cases, in WebAssembly and natively |
//! | `chart` | deploy/helm: the init step as Helm renders it, run in a pod's place |
//! | `daemon` | a gateway as a service: another version, what would win next, a new token |
//! | `deploy` | deploy/systemd and deploy/launchd, each by its own tool |
//! | `platforms` | places that programs of platforms read and write |
//! | `nodes` | the logins of agents before a restart, here and on other nodes |
//! | `alerts` | who is told of what a check finds, and how often |
//! | `agents` | a fleet in one process: what is decided, sent, refused and followed |
//! | `handover` | one credential handed from node to node, sealed |
//! | `exec` | a program that is started with its credentials in our place |
//! | `watch` | changes of every shape, and a program that is kept in step |
//! | `services` | what OpenClaw's own service audit and repair were recorded to do |
//! | `embedding` | the library as a gateway embeds it, and its policy followed while it runs |
//! | `gateway` | examples/gateway: policies swapped under load, a token rotated live |
//! | `interface` | what the library exports: listed, and of whose types |
//! | `cookbook` | docs/cookbook.md: each policy built, proven, and run on a real directory |
//! | `workbench` | cases, proofs and comparisons of policies |
//! | `languages` | the policy helm in JavaScript and in Python |
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

mod agents;
mod alerts;
mod authoring;
mod bad_input;
mod bad_places;
mod chart;
mod compat;
mod contract;
mod cookbook;
mod corpora;
mod crash;
mod daemon;
mod deploy;
mod embedding;
mod exec;
mod faults;
mod files;
mod gateway;
mod guests;
mod handover;
mod interface;
mod journal;
mod languages;
mod manifest;
mod nodes;
mod openclaw;
mod parity;
mod platforms;
mod policies;
mod promises;
mod properties;
mod provide;
mod runs;
mod services;
mod story;
mod support;
mod verbs;
mod watch;
mod workbench;
