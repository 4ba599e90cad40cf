//! The policy helm in JavaScript and in Python: built by one command, the same cases, and no difference
//! to the one in Rust in any state that is looked at.

use std::{fs, path::Path, process::Command};

use crate::{
    authoring::Workshop,
    support::{root, tools},
};

/// Builds a policy of the repository in a copy of its folder; none where its tools cannot be had.
fn built(language: &str) -> Option<Workshop> {
    let mut workshop = Workshop::new();
    let source = root().join("policies").join(language);
    let copied = Command::new("cp").arg("-r").arg(&source).arg(workshop.path(language)).status();
    assert!(copied.unwrap().success());
    workshop.enter(language);
    for left in ["node_modules", ".venv", "helm.wasm"] {
        let _ = fs::remove_dir_all(workshop.path(left));
        let _ = fs::remove_file(workshop.path(left));
    }
    let run = workshop.run("precedent policy build --out helm.wasm");
    let lacks = ["`npm install` failed", "`pip install", "cannot run npm", "cannot run python3"];
    if let Some(lack) = lacks.iter().find(|lack| run.stderr.contains(**lack)) {
        tools::skip(&format!("{lack}: {}", run.stderr));
        return None;
    }
    assert_eq!(run.code, Some(0), "{run:?}");
    assert!(run.stdout.contains("helm"), "{run:?}");
    // For whoever wants to look at more states than there is time for here.
    let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join("../policies").join(language);
    fs::create_dir_all(&kept).unwrap();
    for file in ["helm.wasm", "precedent.toml"] {
        fs::copy(workshop.path(file), kept.join(file)).unwrap();
    }
    Some(workshop)
}

fn answers_alike(language: &str, states: usize) {
    let Some(workshop) = built(language) else { return };
    let cases = root().join("policies/helm/cases").display().to_string();
    let count = fs::read_dir(&cases).unwrap().count();
    let run = workshop.run(&format!("precedent test {cases}"));
    assert!(run.stdout.ends_with(&format!("{count} passed, 0 failed\n")), "{language}: {run:?}");
    let diff = format!("precedent policy diff helm ./helm.wasm --words --states {states}");
    let run = workshop.run(&diff);
    assert_eq!(run.code, Some(0), "{language}: {run:?}");
    assert!(run.stdout.contains(&format!("no difference over {states} states")), "{run:?}");
    println!("{language}: {}", run.stdout.lines().last().unwrap());
}

#[test]
fn javascript_answers_as_rust_does() {
    answers_alike("javascript", 1500);
}

/// By the steps of docs/policy-in-c.md.
#[test]
fn a_policy_in_c_is_built_and_proven() {
    let workshop = Workshop::new();
    let at = |path: &str| root().join(path).display().to_string();
    let guide = fs::read_to_string(root().join("docs/policy-in-c.md")).unwrap();
    let commands = guide.split("```sh\n").nth(1).unwrap().split("```").next().unwrap();
    assert_eq!(commands.lines().next(), Some("examples/policy-in-c/build"));
    let component = workshop.path("policy.wasm").display().to_string();
    let run = workshop.run(&format!("{} {component}", at("examples/policy-in-c/build")));
    if run.code != Some(0) && !run.stderr.contains("policy.c") {
        return tools::skip(&format!("the tools for C cannot be had: {}", run.stderr));
    }
    assert_eq!(run.code, Some(0), "{run:?}");
    let manifest = fs::read_to_string(root().join("examples/policy-in-c/precedent.toml")).unwrap();
    fs::write(workshop.path("precedent.toml"), manifest).unwrap();
    for command in commands.lines().skip(1) {
        let here = command.replace("examples/policy-in-c/precedent.toml", "precedent.toml");
        let here = here.replace("host/templates", &at("host/templates"));
        let run = workshop.run(&here);
        assert_eq!(run.code, Some(0), "{command}: {run:?}");
    }
}

/// An interpreter in a host that is not optimised takes its time.
#[test]
fn python_answers_as_rust_does() {
    answers_alike("python", 300);
}
