//! The README's example: that it works, and that what the README shows is what comes out.

use std::{collections::HashMap, fs, process::Command};

use crate::support::{Sandbox, fixture, root};

/// Runs the words after `$ precedent` in a copy of the example, as its script does.
fn run_example(commands: &[&str]) -> String {
    let sandbox = Sandbox::new().env("OPENCLAW_GATEWAY_TOKEN", "token-of-this-week");
    let example = root().join("examples/pod-restart");
    let copied = Command::new("cp")
        .arg("-r")
        .arg(example.join("precedent.toml"))
        .arg(example.join(".openclaw"))
        .arg(sandbox.path("home"))
        .status()
        .unwrap();
    assert!(copied.success());
    let mut told = String::new();
    for command in commands {
        let words: Vec<&str> = command.split(' ').collect();
        let run = sandbox.run(&words);
        assert_eq!(run.code, Some(0), "{run:?}");
        assert_eq!(run.stderr, "");
        told.push_str(&format!("\n$ precedent {command}\n{}", run.stdout));
    }
    assert!(!told.contains("token-of-"), "a secret is told");
    told
}

/// Fingerprints and digests by order of appearance: they differ from machine to machine.
fn normal(text: &str) -> String {
    let mut names: HashMap<String, String> = HashMap::new();
    let mut normal = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(['#', ':']) {
        let (before, after) = rest.split_at(at + 1);
        normal.push_str(before);
        let word: String = after.chars().take_while(char::is_ascii_hexdigit).collect();
        if word.len() == 8 {
            let next = format!("<{}>", names.len());
            normal.push_str(names.entry(word).or_insert(next));
            rest = &after[8..];
        } else {
            rest = after;
        }
    }
    normal + rest
}

/// Whether the shown lines are what came out; a line `...` stands for any number of others.
pub(crate) fn assert_shows(shown: &str, told: &str) {
    let (shown, told) = (normal(shown), normal(told));
    let mut lines = told.lines();
    let mut skipping = false;
    for line in shown.lines().map(str::trim_end) {
        if line == "..." {
            skipping = true;
            continue;
        }
        let found = if skipping {
            lines.any(|told| told.trim_end() == line)
        } else {
            lines.next().is_some_and(|told| told.trim_end() == line)
        };
        assert!(found, "the README shows {line:?}, which does not come next in\n{told}");
        skipping = false;
    }
}

#[test]
fn the_readme_shows_what_comes_out() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let block = readme.split("```console\n").nth(1).unwrap().split("```").next().unwrap();
    let shown = block.split_once("$ examples/pod-restart/run\n").unwrap().1;
    let script = fs::read_to_string(root().join("examples/pod-restart/run")).unwrap();
    let commands: Vec<&str> =
        script.lines().filter_map(|line| line.strip_prefix("precedent ")).collect();
    assert_eq!(commands, ["explain", "plan", "apply", "check"]);
    assert_shows(shown, &run_example(&commands));
}

#[test]
fn the_files_that_the_documents_name_are_there() {
    let mut documents = ["README.md", "CONTRIBUTING.md", "deploy/helm/README.md"]
        .map(|name| root().join(name))
        .to_vec();
    for entry in fs::read_dir(root().join("docs")).unwrap() {
        documents.push(entry.unwrap().path());
    }
    for path in documents.iter().filter(|path| path.extension().is_some_and(|e| e == "md")) {
        let text = fs::read_to_string(path).unwrap();
        let links = text.split("](").skip(1).filter_map(|rest| rest.split_once(')'));
        for (link, _) in links.filter(|(link, _)| !link.contains("://") && !link.starts_with('#')) {
            let file = link.split('#').next().unwrap();
            assert!(path.parent().unwrap().join(file).exists(), "{link} in {}", path.display());
        }
    }
}

#[test]
fn the_manifests_of_the_documents_are_manifests() {
    let text = fs::read_to_string(root().join("docs/manifest.md")).unwrap();
    let blocks: Vec<&str> =
        text.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert!(!blocks.is_empty());
    for block in blocks {
        let sandbox = Sandbox::stale_remote();
        fs::write(sandbox.path("home/precedent.toml"), block).unwrap();
        let run = sandbox.run(&["explain"]);
        assert_eq!(run.code, Some(0), "{block}\n{run:?}");
    }
}

/// The manifest for OpenClaw in the guide, with the policy that it names.
#[test]
fn the_guides_policy_for_openclaw_is_the_sdks_own_example() {
    let guide = fs::read_to_string(root().join("docs/writing-a-policy.md")).unwrap();
    let example = fs::read_to_string(root().join("guest/examples/environment_wins.rs")).unwrap();
    let lines = example.lines().filter(|line| !line.trim().is_empty()).count();
    assert!(lines <= 40, "a simple policy fits in 40 lines; this one has {lines}");

    let sandbox = Sandbox::stale_remote();
    let manifest = guide.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
    let policy = fixture::environment_wins().display().to_string();
    let manifest = manifest.replace("environment_wins.wasm", &policy);
    fs::write(sandbox.path("home/precedent.toml"), manifest).unwrap();
    let run = sandbox.run(&["apply"]);
    assert_eq!(run.code, Some(0), "{run:?}");
    let text = sandbox.config_text();
    assert!(text.contains("canary-new") && !text.contains("canary-old"), "{text}");
}

/// Each claim in docs/security.md names a test that fails when it is broken.
#[test]
fn the_tests_that_security_names_are_there() {
    let text = fs::read_to_string(root().join("docs/security.md")).unwrap();
    let named: Vec<&str> =
        text.split('`').skip(1).step_by(2).filter(|word| word.contains("::")).collect();
    assert!(named.len() > 40, "{named:?}");
    for name in named {
        let path: Vec<&str> = name.split("::").collect();
        let (test, modules) = path.split_last().unwrap();
        let file = root().join("tests").join(format!("{}.rs", modules.join("/")));
        let source = fs::read_to_string(&file).unwrap_or_else(|_| panic!("{name}: no such module"));
        let declared = source.contains(&format!("fn {test}()"));
        assert!(declared, "docs/security.md names {name}, which is no test");
    }
}
