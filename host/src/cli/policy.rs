//! `precedent policy`

use std::io::Write;

use anyhow::Result;
use precedent::artifact;

use super::{
    args::{PolicyArgs, PolicyVerb},
    exit::Exit,
};

#[allow(clippy::disallowed_methods, reason = "the user names the folder to write to")]
pub(crate) fn run(args: &PolicyArgs) -> Result<Exit> {
    let mut out = anstream::stdout().lock();
    match &args.verb {
        #[cfg(feature = "compiler")]
        PolicyVerb::Compile { out: folder } => {
            use anyhow::Context;
            use precedent::{Error, decide::Engine};

            let engine = Engine::new().map_err(Error::from)?;
            std::fs::create_dir_all(folder)
                .with_context(|| format!("cannot make {}", folder.display()))?;
            for (name, bytes) in artifact::compile_shipped(&engine).map_err(Error::from)? {
                let path = folder.join(name);
                std::fs::write(&path, &bytes)
                    .with_context(|| format!("cannot write {}", path.display()))?;
                writeln!(out, "{} ({} bytes)", path.display(), bytes.len())?;
            }
        }
        PolicyVerb::List => {
            for name in artifact::shipped() {
                writeln!(out, "{name}")?;
            }
        }
    }
    Ok(Exit::Done)
}
