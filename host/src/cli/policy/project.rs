//! What `precedent policy new` writes: a policy in one of three languages, its cases, its deployment,
//! the contract, and for Rust the SDK.

use clap::ValueEnum;

/// A language that a policy can be written in without more than this program and its own tools.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Language {
    /// Rust
    Rust,
    /// JavaScript
    #[value(name = "js", alias = "javascript")]
    JavaScript,
    /// Python
    Python,
}

/// A file of a project: its path and its text, in which `{{name}}` stands for the project's.
pub(super) type File = (&'static str, &'static str);

/// The contract that this host speaks.
pub(super) const CONTRACT: File =
    ("wit/v1/policy.wit", include_str!("../../../../wit/v1/policy.wit"));

/// Their cases and their deployment are the same in every language.
const SHARED: [File; 8] = [
    ("README.md", include_str!("../../../templates/shared/README.md")),
    ("precedent.toml", include_str!("../../../templates/shared/precedent.toml")),
    (
        "cases/01-copies-follow.json",
        include_str!("../../../templates/shared/cases/01-copies-follow.json"),
    ),
    ("cases/02-in-step.json", include_str!("../../../templates/shared/cases/02-in-step.json")),
    ("cases/03-not-set.json", include_str!("../../../templates/shared/cases/03-not-set.json")),
    (
        "cases/04-placeholder.json",
        include_str!("../../../templates/shared/cases/04-placeholder.json"),
    ),
    ("cases/05-reference.json", include_str!("../../../templates/shared/cases/05-reference.json")),
    (
        "cases/06-unreadable.json",
        include_str!("../../../templates/shared/cases/06-unreadable.json"),
    ),
];

const RUST: [File; 5] = [
    (".gitignore", include_str!("../../../templates/rust/gitignore")),
    ("Cargo.toml", include_str!("../../../templates/rust/Cargo.toml")),
    ("Cargo.lock", include_str!("../../../templates/rust/Cargo.lock")),
    ("src/lib.rs", include_str!("../../../templates/rust/src/lib.rs")),
    ("src/tests.rs", include_str!("../../../templates/rust/src/tests.rs")),
];

/// The SDK is in no registry, so a project brings the one of the host that made it. Its sources lie as
/// they do in the repository, beside `wit/`.
const SDK: [File; 8] = [
    ("sdk/Cargo.toml", include_str!("../../../templates/rust/sdk/Cargo.toml")),
    ("sdk/src/decision.rs", include_str!("../../../../guest/src/decision.rs")),
    ("sdk/src/lib.rs", include_str!("../../../../guest/src/lib.rs")),
    ("sdk/src/memory.rs", include_str!("../../../../guest/src/memory.rs")),
    ("sdk/src/policy.rs", include_str!("../../../../guest/src/policy.rs")),
    ("sdk/src/precedence.rs", include_str!("../../../../guest/src/precedence.rs")),
    ("sdk/src/snapshot.rs", include_str!("../../../../guest/src/snapshot.rs")),
    ("sdk/src/testing.rs", include_str!("../../../../guest/src/testing.rs")),
];

const JAVASCRIPT: [File; 4] = [
    (".gitignore", include_str!("../../../templates/js/gitignore")),
    ("package.json", include_str!("../../../templates/js/package.json")),
    ("policy.js", include_str!("../../../templates/js/policy.js")),
    ("precedent.js", include_str!("../../../templates/js/precedent.js")),
];

const PYTHON: [File; 4] = [
    (".gitignore", include_str!("../../../templates/python/gitignore")),
    ("policy.py", include_str!("../../../templates/python/policy.py")),
    ("precedent.py", include_str!("../../../templates/python/precedent.py")),
    ("requirements.txt", include_str!("../../../templates/python/requirements.txt")),
];

impl Language {
    /// In the words of a sentence.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Rust => "Rust",
            Self::JavaScript => "JavaScript",
            Self::Python => "Python",
        }
    }

    /// The file that holds the policy itself.
    pub(super) fn source(self) -> &'static str {
        match self {
            Self::Rust => "src/lib.rs",
            Self::JavaScript => "policy.js",
            Self::Python => "policy.py",
        }
    }

    /// All files of a project with this name.
    pub(super) fn project(self, name: &str) -> Vec<(&'static str, String)> {
        let own: &[File] = match self {
            Self::Rust => &RUST,
            Self::JavaScript => &JAVASCRIPT,
            Self::Python => &PYTHON,
        };
        let fill = |text: &str| {
            text.replace("{{files}}\n", self.files())
                .replace("{{limits}}\n", self.limits())
                .replace("{{name}}", name)
        };
        let written = SHARED.iter().chain(own).map(|(path, text)| (*path, fill(text)));
        written.chain(self.contract().map(|(path, text)| (*path, text.to_string()))).collect()
    }

    /// The files that are the host's own, and follow it: the contract, and the SDK.
    pub(super) fn contract(self) -> impl Iterator<Item = &'static File> {
        let sdk: &[File] = if self == Self::Rust { &SDK } else { &[] };
        std::iter::once(&CONTRACT).chain(sdk)
    }

    /// The lines of the README that say what the language's own files are.
    fn files(self) -> &'static str {
        match self {
            Self::Rust => include_str!("../../../templates/rust/files.md"),
            Self::JavaScript => include_str!("../../../templates/js/files.md"),
            Self::Python => include_str!("../../../templates/python/files.md"),
        }
    }

    /// The limits of the manifest that the language's run time does not fit in by default.
    fn limits(self) -> &'static str {
        match self {
            Self::Python => include_str!("../../../templates/python/limits.toml"),
            Self::JavaScript => include_str!("../../../templates/js/limits.toml"),
            Self::Rust => "",
        }
    }
}
