//! What the library exports: listed in `docs/interface.txt`, and of whose types.
//!
//! The listing is of what an embedding program may use: the library without the command line. It is made
//! of rustdoc's description of the crate, which a stable compiler gives to who insists.

use std::{
    collections::BTreeSet, fs, os::unix::fs::PermissionsExt, path::PathBuf, process::Command,
    sync::OnceLock,
};

use crate::support::root;

/// All that is no part of the command line.
const FEATURES: &str = "compiler,launchd,records,cases,pooling,tokio";
/// Whose types may stand in a signature, beside our own: whoever embeds us shares their versions with us.
/// zeroize is the other half of secrecy, which exports it.
const ALLOWED: [&str; 7] =
    ["alloc", "core", "precedent", "secrecy", "serde_json", "std", "zeroize"];
/// Whose traits are implemented for our types, and stand in nothing that one calls.
const TRAITS: [&str; 2] = ["serde", "serde_core"];

/// One line for each thing that is exported.
fn listing() -> &'static Vec<String> {
    static LISTING: OnceLock<Vec<String>> = OnceLock::new();
    LISTING.get_or_init(|| {
        let json = described();
        let interface = public_api::Builder::from_rustdoc_json(json)
            .omit_blanket_impls(true)
            .omit_auto_trait_impls(true)
            .omit_auto_derived_impls(true)
            .build()
            .unwrap();
        interface.items().map(ToString::to_string).collect()
    })
}

/// rustdoc's description of the library.
fn described() -> PathBuf {
    let target = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("..");
    // Only rustdoc is told that it may: for the compiler all would be compiled anew.
    let rustdoc = target.join("tmp/insisting-rustdoc");
    fs::write(&rustdoc, "#!/bin/sh\nRUSTC_BOOTSTRAP=1 exec rustdoc \"$@\"\n").unwrap();
    fs::set_permissions(&rustdoc, fs::Permissions::from_mode(0o755)).unwrap();
    let output = Command::new(env!("CARGO"))
        .args(["rustdoc", "--quiet", "--locked", "--package", "precedent", "--lib"])
        .args(["--no-default-features", "--features", FEATURES])
        .args(["--", "-Z", "unstable-options", "--output-format", "json", "--cap-lints", "allow"])
        .env("RUSTDOC", &rustdoc)
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    target.join("doc/precedent.json")
}

/// Nothing is exported, changed or taken away without being seen. `UPDATE_INTERFACE=1` writes the listing
/// anew; what goes away or changes from a version that is released wants a version that says so.
#[test]
fn the_interface_is_as_listed() {
    let path = root().join("docs/interface.txt");
    let version = env!("CARGO_PKG_VERSION");
    let kept = fs::read_to_string(&path).unwrap_or_default();
    let (head, kept) = kept.split_once('\n').unwrap_or_default();
    let listed = Listed { version: head.trim_start_matches("# precedent "), lines: lines(kept) };
    let now = listing().iter().map(String::as_str).collect();
    let changes = fs::read_to_string(root().join("CHANGELOG.md")).unwrap();
    let is_released = changes.contains(&format!("\n## {}", listed.version));
    if let Err(broken) = listed.allows(&now, version, is_released) {
        panic!("{broken}");
    }
    if std::env::var_os("UPDATE_INTERFACE").is_some() {
        let text = listing().join("\n");
        fs::write(&path, format!("# precedent {version}\n{text}\n")).unwrap();
        return;
    }
    let gone: Vec<_> = listed.lines.difference(&now).collect();
    let new: Vec<_> = now.difference(&listed.lines).collect();
    assert!(
        gone.is_empty() && new.is_empty() && listed.version == version,
        "the interface is not as docs/interface.txt lists it; if it is meant: UPDATE_INTERFACE=1 cargo test the_interface\ngone: {gone:#?}\nnew: {new:#?}"
    );
}

fn lines(text: &str) -> BTreeSet<&str> {
    text.lines().collect()
}

/// An interface as it was.
struct Listed<'l> {
    version: &'l str,
    lines: BTreeSet<&'l str>,
}

impl Listed<'_> {
    /// Whether a version may have this interface after it.
    fn allows(&self, now: &BTreeSet<&str>, version: &str, is_released: bool) -> Result<(), String> {
        let gone: Vec<_> = self.lines.difference(now).collect();
        if !is_released || gone.is_empty() || breaks(self.version) != breaks(version) {
            return Ok(());
        }
        Err(format!(
            "{version} takes away what {} has, which breaks who uses it; raise the version first: {gone:#?}",
            self.version
        ))
    }
}

/// The part of a version that is another where something breaks: the first that is not 0.
fn breaks(version: &str) -> &str {
    let mut end = 0;
    for part in version.split('.') {
        end += part.len() + usize::from(end > 0);
        if part != "0" {
            break;
        }
    }
    &version[..end]
}

#[test]
fn what_breaks_wants_another_version() {
    assert_eq!(["0.1.3", "1.2.3", "0.0.4"].map(breaks), ["0.1", "1", "0.0.4"]);
    let listed = Listed { version: "0.1.0", lines: lines("a\nb") };
    let (more, less) = (lines("a\nb\nc"), lines("a\nc"));
    assert!(listed.allows(&more, "0.1.1", true).is_ok());
    assert!(listed.allows(&less, "0.1.1", true).unwrap_err().contains("raise the version"));
    assert!(listed.allows(&less, "0.2.0", true).is_ok());
    assert!(listed.allows(&less, "0.1.0", false).is_ok(), "nobody has it yet");
}

/// A type of a dependency in a signature would bind whoever embeds us to its version.
#[test]
fn no_type_of_a_dependency_is_in_a_signature() {
    let foreign: Vec<_> = listing().iter().filter(|line| !foreign(line).is_empty()).collect();
    assert!(foreign.is_empty(), "{foreign:#?}");
    assert!(listing().iter().any(|line| line.contains("precedent::Host::reconcile")));
}

/// The crates that a line names and may not.
fn foreign(line: &str) -> BTreeSet<&str> {
    let is_implementation = line.starts_with("impl") || line.contains(" fn ");
    let word = |c: char| !c.is_alphanumeric() && c != '_' && c != ':';
    let paths = line.split(word).filter_map(|path| path.split_once("::")).map(|(first, _)| first);
    paths
        .filter(|first| first.starts_with(|c: char| c.is_ascii_lowercase()))
        .filter(|first| !ALLOWED.contains(first))
        .filter(|first| !(is_implementation && TRAITS.contains(first)))
        .collect()
}

#[test]
fn a_foreign_type_is_found() {
    assert_eq!(
        foreign("pub fn precedent::a(x: wasmtime::Engine) -> u8"),
        BTreeSet::from(["wasmtime"])
    );
    assert!(
        foreign("pub fn precedent::a(x: core::option::Option<secrecy::SecretString>)").is_empty()
    );
}
