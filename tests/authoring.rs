//! `docs/writing-a-policy.md`: every command that it shows is run, in each language, and prints what is
//! shown; and what `precedent policy` says where something is wrong.
//!
//! | module | what |
//! |---|---|
//! | `faults` | wrong input, each with an error that names the way out |

mod faults;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Instant,
};

use crate::support::{NEW, OLD, Sandbox, root, tools};

/// A language: its word on the command line, its name, and the file that decides.
struct Language(&'static str, &'static str, &'static str);

const RUST: Language = Language("rust", "Rust", "src/lib.rs");
const JAVASCRIPT: Language = Language("js", "JavaScript", "policy.js");
const PYTHON: Language = Language("python", "Python", "policy.py");

fn guide() -> String {
    fs::read_to_string(root().join("docs/writing-a-policy.md")).unwrap()
}

fn blocks<'g>(guide: &'g str, kind: &str) -> Vec<&'g str> {
    let fence = format!("```{kind}\n");
    let starts = guide.split(&fence).skip(1);
    starts.map(|rest| rest.split("```").next().unwrap()).collect()
}

/// The commands of the guide, each with what it shows of their output, as they are in one language.
fn commands(language: &Language) -> Vec<(String, String)> {
    let Language(word, name, source) = language;
    let text = blocks(&guide(), "console").concat();
    let text = text
        .replace("--lang rust", &format!("--lang {word}"))
        .replace("in Rust: src/lib.rs", &format!("in {name}: {source}"))
        .replace("from Rust", &format!("from {name}"))
        .replace("new-key", NEW)
        .replace("old-key", OLD);
    let mut commands: Vec<(String, String)> = Vec::new();
    for line in text.lines() {
        match line.strip_prefix("$ ") {
            Some(command) => commands.push((command.to_owned(), String::new())),
            None => {
                let shown = &mut commands.last_mut().expect("a block begins with a command").1;
                shown.push_str(line);
                shown.push('\n');
            }
        }
    }
    commands
}

/// A shell in a sandbox that has the tools of the machine and keeps what they download.
pub(crate) struct Workshop {
    pub(crate) sandbox: Sandbox,
    folder: PathBuf,
}

impl Workshop {
    pub(crate) fn new() -> Self {
        let sandbox = Sandbox::new();
        let folder = sandbox.path("work");
        fs::create_dir_all(&folder).unwrap();
        Self { sandbox, folder }
    }

    /// Runs a line in the folder, as in a terminal.
    pub(crate) fn run(&self, line: &str) -> crate::support::Run {
        let output = Command::new("sh")
            .args(["-c", line])
            .env_clear()
            .envs(self.environment())
            .current_dir(&self.folder)
            .output()
            .unwrap();
        self.sandbox.hear(&output);
        crate::support::Run {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    pub(crate) fn enter(&mut self, folder: &str) {
        self.folder.push(folder);
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The machine's own, but for what is this sandbox's.
    fn environment(&self) -> BTreeMap<String, String> {
        let mut all: BTreeMap<String, String> = std::env::vars().collect();
        all.retain(|name, _| !name.starts_with("CARGO_") || name == "CARGO_HOME");
        let home = all.get("HOME").cloned().unwrap_or_default();
        let mut or = |name: &str, value: String| {
            all.entry(name.to_owned()).or_insert(value);
        };
        for (name, folder) in
            [("CARGO_HOME", ".cargo"), ("RUSTUP_HOME", ".rustup"), ("PYENV_ROOT", ".pyenv")]
        {
            or(name, format!("{home}/{folder}"));
        }
        or("npm_config_userconfig", format!("{home}/.npmrc"));
        let kept = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("../tools");
        for (name, folder) in [("npm_config_cache", "npm"), ("PIP_CACHE_DIR", "pip")] {
            or(name, kept.join(folder).display().to_string());
        }
        let program = self.sandbox.program.parent().unwrap().display().to_string();
        let path = all.get("PATH").cloned().unwrap_or_default();
        all.insert("PATH".to_owned(), format!("{program}:{path}"));
        all.remove("API_KEY");
        all.extend(self.sandbox.variables().clone());
        all
    }
}

/// Whether `told` is what is shown: a line `...` stands for any lines, `...` in a line for any words.
fn shows(shown: &str, told: &str) -> bool {
    let mut told = told.lines();
    let mut skipping = false;
    shown.lines().all(|line| {
        if line == "..." {
            skipping = true;
            return true;
        }
        let skipped = std::mem::take(&mut skipping);
        if skipped {
            told.any(|t| fits(line, t))
        } else {
            told.next().is_some_and(|t| fits(line, t))
        }
    }) && (skipping || told.next().is_none())
}

fn fits(shown: &str, told: &str) -> bool {
    let mut pieces = shown.trim_end().split("...");
    let told = told.trim_end();
    let Some(mut rest) = told.strip_prefix(pieces.next().unwrap_or_default()) else {
        return false;
    };
    let mut last = None;
    for piece in pieces {
        let Some(at) = rest.find(piece) else { return false };
        rest = &rest[at + piece.len()..];
        last = Some(piece);
    }
    rest.is_empty() || last == Some("")
}

fn follow(language: &Language) {
    let mut workshop = Workshop::new();
    let begun = Instant::now();
    let mut ran = 0;
    for (command, shown) in commands(language) {
        if let Some(folder) = command.strip_prefix("cd ") {
            workshop.enter(folder);
            continue;
        }
        let is_foreign = command.starts_with("cargo ") && language.0 != "rust";
        if is_foreign {
            continue;
        }
        let is_proof = command.ends_with(" prove");
        // An interpreter in a host that is not optimised takes minutes for all states.
        let fewer = if is_proof && language.0 == "python" { " --states 200" } else { "" };
        let run = workshop.run(&format!("{command}{fewer}"));
        // A registry that cannot be reached is not the guide's fault.
        let installs =
            ["`npm install` failed", "`pip install", "cannot run npm", "cannot run python3"];
        if installs.iter().any(|what| run.stderr.contains(what)) {
            tools::skip(&format!("the guide in {}: {}", language.1, run.stderr));
            return;
        }
        assert_eq!(run.code, Some(0), "$ {command}\n{}\n{}", run.stdout, run.stderr);
        let is_ours = command.contains("precedent ");
        // The states that it covers are told in its last line.
        let shown = if fewer.is_empty() { shown } else { String::from("...\n") };
        if is_ours {
            assert!(
                shows(&shown, &run.stdout),
                "$ {command}\n{shown}--- came out as\n{}",
                run.stdout
            );
        }
        ran += 1;
    }
    assert!(ran >= 9, "the guide has {ran} commands");
    let written = fs::read_to_string(workshop.sandbox.path("home/app/.env")).unwrap();
    assert_eq!(written, format!("API_KEY={NEW}\n"));
    let size = fs::metadata(workshop.path("policy.wasm")).unwrap().len();
    println!("{}: {} s, {size} bytes", language.1, begun.elapsed().as_secs());
}

#[test]
fn the_guide_in_rust() {
    follow(&RUST);
}

#[test]
fn the_guide_in_javascript() {
    follow(&JAVASCRIPT);
}

#[test]
fn the_guide_in_python() {
    follow(&PYTHON);
}

#[test]
fn the_guide_shows_the_policies_of_the_projects() {
    for (kind, file) in
        [("rust", "rust/src/lib.rs"), ("js", "js/policy.js"), ("python", "python/policy.py")]
    {
        let path = root().join("host/templates").join(file);
        let text = fs::read_to_string(path).unwrap().replace("{{name}}", "environment-wins");
        assert_eq!(blocks(&guide(), kind)[0], text, "the guide shows {file}");
        let lines = text.lines().filter(|line| !line.trim().is_empty()).count();
        assert!(lines <= 40, "{file} has {lines} lines, and a simple policy fits in 40");
    }
}

/// What a project is made of is what lies in the repository, all of it.
#[test]
fn a_project_has_every_file_of_its_template() {
    let templates = root().join("host/templates");
    let not_written = ["files.md", "limits.toml"];
    for Language(word, ..) in [RUST, JAVASCRIPT, PYTHON] {
        let workshop = Workshop::new();
        assert_eq!(workshop.run(&format!("precedent policy new x --lang {word}")).code, Some(0));
        let mut expected = vec!["wit/v1/policy.wit".to_owned()];
        expected.extend(below(&templates.join("shared")));
        let own = below(&templates.join(word)).into_iter();
        expected.extend(
            own.filter(|path| !not_written.contains(&path.as_str()))
                .map(|path| if path == "gitignore" { ".gitignore".to_owned() } else { path }),
        );
        if word == "rust" {
            let sdk = below(&root().join("guest/src"));
            expected.extend(sdk.iter().map(|path| format!("sdk/src/{path}")));
        }
        expected.sort();
        let project = workshop.path("x");
        let mut written = below(&project);
        written.sort();
        assert_eq!(written, expected, "{word}");
        for path in &written {
            let text = fs::read_to_string(project.join(path)).unwrap();
            let left =
                ["{{name}}", "{{files}}", "{{limits}}"].into_iter().find(|m| text.contains(m));
            assert_eq!(left, None, "{path} of {word} is not filled in");
        }
    }
}

/// The SDK that a project brings depends on what the SDK of the repository does.
#[test]
fn the_sdk_of_a_project_has_the_dependencies_of_the_sdk() {
    let read = |path: &str| -> toml::Table {
        toml::from_str(&fs::read_to_string(root().join(path)).unwrap()).unwrap()
    };
    let workspace = read("Cargo.toml")["workspace"].as_table().unwrap().clone();
    let (own, carried) = (read("guest/Cargo.toml"), read("host/templates/rust/sdk/Cargo.toml"));
    // What a crate inherits stands in the workspace.
    let inherited = |value: &toml::Value, from: &toml::Table, name: &str| {
        let inherits = value.get("workspace").is_some();
        if inherits { from[name].clone() } else { value.clone() }
    };
    for (name, value) in own["dependencies"].as_table().unwrap() {
        let value = inherited(value, workspace["dependencies"].as_table().unwrap(), name);
        assert_eq!(carried["dependencies"][name], value, "{name}");
    }
    let count = |table: &toml::Table| table["dependencies"].as_table().unwrap().len();
    assert_eq!(count(&own), count(&carried));
    for (name, value) in own["package"].as_table().unwrap() {
        let value = inherited(value, workspace["package"].as_table().unwrap(), name);
        assert_eq!(carried["package"][name], value, "{name}");
    }
}

/// Files below a folder, by their paths in it.
fn below(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            found.extend(below(&path).into_iter().map(|inner| format!("{name}/{inner}")));
        } else {
            found.push(name);
        }
    }
    found
}
