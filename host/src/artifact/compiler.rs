//! From a component to machine code, within its time.

use std::{
    sync::mpsc::{RecvTimeoutError, sync_channel},
    thread,
    time::Duration,
};

use super::ArtifactError;
use crate::decide::Engine;

/// Stack of the compiler's thread, in bytes: what the main thread of a program has.
const STACK_BYTES: usize = 8 << 20;

/// Compiles a component.
pub(super) fn compile(
    engine: &Engine,
    bytes: &[u8],
    policy: &str,
) -> Result<Vec<u8>, ArtifactError> {
    engine.inner().precompile_component(bytes).map_err(|error| ArtifactError::NotAComponent {
        policy: policy.to_owned(),
        // The root of the chain says what is wrong with the bytes.
        reason: error.root_cause().to_string(),
    })
}

/// The same on a thread of its own, which is waited for only so long.
///
/// Nothing can stop a compiler from outside. One that takes too long goes on with what it has, the
/// bytes and a share of the engine, until it is done or the process ends, and what it makes is thrown
/// away. A call of the command line ends at once; a program that embeds the host and asks again pays
/// for one more thread each time, so it should not ask again for the same bytes.
pub(super) fn within(
    most: Duration,
    engine: &Engine,
    bytes: &[u8],
    policy: &str,
) -> Result<Vec<u8>, ArtifactError> {
    let failed = |reason: String| ArtifactError::Compiler { policy: policy.to_owned(), reason };
    let (send, receive) = sync_channel(1);
    let (engine, bytes, name) = (engine.clone(), bytes.to_vec(), policy.to_owned());
    thread::Builder::new()
        .name("precedent-compile".to_owned())
        .stack_size(STACK_BYTES)
        .spawn(move || send.send(compile(&engine, &bytes, &name)))
        .map_err(|error| failed(format!("no thread for the compiler: {error}")))?;
    match receive.recv_timeout(most) {
        Ok(compiled) => compiled,
        Err(RecvTimeoutError::Timeout) => {
            Err(ArtifactError::CompileTime { policy: policy.to_owned(), most })
        }
        Err(RecvTimeoutError::Disconnected) => {
            Err(failed("the compiler crashed on it, which is a fault of the compiler".to_owned()))
        }
    }
}
