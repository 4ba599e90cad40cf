//! `precedent policy build`: from a folder to a component that imports nothing.
//!
//! | module | what |
//! |---|---|
//! | `guest` | cargo, as the build script of this program runs it |
//! | `rust`, `javascript`, `python` | a language each |
//! | `tool` | a language's own tools, installed into the project and run |

#[allow(
    clippy::disallowed_methods,
    reason = "shared with the build script, and cargo is asked through the environment"
)]
#[path = "../../../build/guest.rs"]
mod guest;
mod javascript;
mod python;
mod rust;
mod tool;

use std::{
    fs,
    path::{Path, PathBuf},
    time::Instant,
};

use anyhow::{Context, Result};
use clap::Args as ClapArgs;
use precedent::{
    Error,
    artifact::ArtifactError,
    decide::{Limits, Policy},
};
use serde_json::json;

use super::{
    super::{
        args::Format,
        exit::{Exit, UsageError},
        json,
        key::key,
        progress::during,
        selection, session, text,
    },
    project::{CONTRACT, Language},
};

#[derive(Debug, ClapArgs)]
pub(crate) struct BuildArgs {
    /// The folder of the policy
    #[arg(value_name = "DIR", default_value = ".")]
    folder: PathBuf,
    /// Where the component goes [default: policy.wasm in the folder]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Take the contract of this precedent first, and in Rust its SDK, in the place of the project's
    #[arg(long)]
    update: bool,
    /// For people, or for scripts
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(crate) fn run(args: &BuildArgs) -> Result<Exit> {
    let begun = Instant::now();
    let language = language(&args.folder)?;
    let limits = limits(&args.folder)?;
    hold_to_contract(&args.folder, language, args.update)?;
    let out = args.out.clone().unwrap_or_else(|| args.folder.join("policy.wasm"));
    let (policy, size) = make(&args.folder, language, limits, &out)?;
    let took = begun.elapsed();
    let shape = policy.shape();
    let mut told = anstream::stdout().lock();
    match args.format {
        Format::Text => text::built(&mut told, language.name(), &out, size, &policy, took)?,
        Format::Json => json::print(
            &mut told,
            &json!({
                "schema": "precedent.policy.build/1",
                "language": language.name(),
                "component": out,
                "bytes": size,
                "policy": json::policy(&policy),
                "world": shape.world,
                "exports": shape.exports,
                "imports": shape.imports,
                "took-ms": u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            }),
        )?,
    }
    Ok(Exit::Done)
}

/// The language, by what is in the folder.
fn language(folder: &Path) -> Result<Language, UsageError> {
    let has = |name: &str| folder.join(name).is_file();
    let found: Vec<Language> = [
        (Language::Rust, has("Cargo.toml")),
        (Language::JavaScript, has("policy.js") && has("package.json")),
        (Language::Python, has("policy.py")),
    ]
    .into_iter()
    .filter_map(|(language, is_there)| is_there.then_some(language))
    .collect();
    let shown = folder.display();
    match found.as_slice() {
        [language] => Ok(*language),
        [] => Err(UsageError(format!(
            "no policy in {shown}: there is neither Cargo.toml (Rust), nor policy.js with package.json (JavaScript), nor policy.py (Python); `precedent policy new NAME --lang rust|js|python` makes a project"
        ))),
        several => {
            let names: Vec<&str> = several.iter().map(|language| language.name()).collect();
            let names = names.join(" and ");
            Err(UsageError(format!(
                "{shown} holds policies in {names}; give each a folder of its own"
            )))
        }
    }
}

/// The limits under which the policy will decide: those of the manifest beside it.
fn limits(folder: &Path) -> Result<Limits> {
    let manifest = folder.join("precedent.toml");
    if !manifest.exists() {
        return Ok(Limits::default());
    }
    let any = precedent::artifact::PolicyRef::default();
    Ok(selection::read_deployment(Some(&manifest), Some(any))?.limits)
}

/// Writes the contract where it is missing. One that differs is somebody's doing, or another
/// version's: what is built of it, the host may not understand, so it is not built.
#[allow(clippy::disallowed_methods, reason = "the author asks for it, in this folder")]
fn hold_to_contract(folder: &Path, language: Language, update: bool) -> Result<()> {
    let differs = |(path, text): &(&str, &str)| {
        fs::read(folder.join(path)).is_ok_and(|known| known != text.as_bytes())
    };
    if !update && differs(&CONTRACT) {
        let (path, _) = CONTRACT;
        let message = format!(
            "{} is not the contract that this precedent speaks, so it would not run what comes of it; to take its own: precedent policy build --update",
            folder.join(path).display()
        );
        return Err(UsageError(message).into());
    }
    // A folder of that name may be somebody's own.
    let sdk = fs::read_to_string(folder.join("sdk/Cargo.toml"));
    let is_ours = sdk.is_ok_and(|text| text.contains("name = \"precedent-guest\""));
    for (path, text) in language.contract() {
        let path = folder.join(path);
        // The SDK of a project that has none is somewhere else.
        let wanted = if *text == CONTRACT.1 { update || !path.exists() } else { update && is_ours };
        if wanted {
            let cannot = || format!("cannot write {}", path.display());
            fs::create_dir_all(path.parent().unwrap_or(folder)).with_context(cannot)?;
            fs::write(&path, text).with_context(cannot)?;
        }
    }
    Ok(())
}

/// Builds and loads beside the place where the component goes, so that what is there stays until
/// there is a better one. Returns the policy and its size.
fn make(folder: &Path, language: Language, limits: Limits, out: &Path) -> Result<(Policy, u64)> {
    let folder = std::path::absolute(folder).context("cannot tell where I am")?;
    let out = std::path::absolute(out).context("cannot tell where I am")?;
    let cannot = || format!("cannot write {}", out.display());
    let beside = out.parent().unwrap_or(&folder);
    fs::create_dir_all(beside).with_context(cannot)?;
    let aside = tempfile::Builder::new().prefix(".precedent-").tempdir_in(beside);
    let aside = aside.with_context(cannot)?;
    let made = aside.path().join("policy.wasm");

    let prepared = during("looking for the tools", || match language {
        Language::Rust => rust::prepare(&folder),
        Language::JavaScript => javascript::prepare(&folder),
        Language::Python => python::prepare(&folder),
    });
    prepared.map_err(told)?;
    let built = during("building", || match language {
        Language::Rust => rust::build(&folder, &made),
        Language::JavaScript => javascript::build(&folder, &made),
        Language::Python => python::build(&folder, &made),
    });
    built.map_err(told)?;
    let policy = during("compiling what was built", || load(&made, limits))?;
    let size = fs::metadata(&made).with_context(cannot)?.len();
    put(&made, &out).with_context(cannot)?;
    Ok((policy, size))
}

/// Loads what was built as the host would, which refuses a component that imports anything.
fn load(made: &Path, limits: Limits) -> Result<Policy> {
    let reference = selection::policy_from(&made.display().to_string())?;
    let key = key(session::state().as_ref())?;
    session::load_policy(&reference, Path::new("/"), limits, &key).map_err(|error| {
        match error.downcast::<Error>() {
            // The name of a temporary file says nothing.
            Ok(Error::Artifact(ArtifactError::Policy { source, .. })) => {
                let policy = "what was built".to_owned();
                Error::Artifact(ArtifactError::Policy { policy, source }).into()
            }
            Ok(other) => other.into(),
            Err(error) => error,
        }
    })
}

#[allow(clippy::disallowed_methods, reason = "the author names the file")]
fn put(made: &Path, out: &Path) -> std::io::Result<()> {
    fs::rename(made, out)
}

/// What a tool said is for whoever asks why: it is shown, without what a terminal would obey, then
/// the sentence.
fn told(failure: guest::Failure) -> anyhow::Error {
    let mut stderr = anstream::stderr().lock();
    let _ = text::said(&mut stderr, &failure.said);
    anyhow::anyhow!(failure.why)
}
