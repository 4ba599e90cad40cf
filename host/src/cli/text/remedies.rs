//! The way out of an error, where there is one: for whoever writes policies.

use std::io::Write;

use precedent::{Error, artifact::ArtifactError, decide::DecideError};

use super::words::{CYAN, Written, paint};

/// Says in a line what helps against an error, where that is known.
pub(super) fn remedy(out: &mut impl Write, error: &Error) -> Written {
    let decide = match error {
        Error::Decide(error) => error,
        Error::Artifact(ArtifactError::Policy { source, .. }) => source,
        _ => return Ok(()),
    };
    let remedy = match decide {
        DecideError::Imports(imports) if imports.contains("`wasi:") => {
            "precedent policy build makes a component without imports; by hand: Rust for wasm32-unknown-unknown, componentize-qjs and componentize-py with --stub-wasi"
        }
        DecideError::Imports(_) => {
            "take away what asks for them: a policy answers from its snapshot alone"
        }
        DecideError::World(_) => {
            "build it for the contract of this precedent: precedent policy build --update"
        }
        DecideError::Trap(_) | DecideError::Answer(_) => {
            "a policy that panics or throws, or whose answer has another shape than wit/v1/policy.wit, ends so; precedent.js and precedent.py, which precedent policy new writes, tell where it went wrong"
        }
        _ => return Ok(()),
    };
    writeln!(out, "  {} {remedy}", paint(CYAN, "→"))
}
