//! Wrong input: each gets an error that names the way out, and nothing half-written.

use std::fs;

use super::{Workshop, below};
use crate::support::{Sandbox, hostile, tools};

/// Runs it, and holds what is said on standard error and output against words that must be there.
fn fails(workshop: &Workshop, line: &str, code: i32, says: &[&str]) {
    let run = workshop.run(line);
    assert_eq!(run.code, Some(code), "$ {line}\n{run:?}");
    for words in says {
        let said = run.stderr.contains(words) || run.stdout.contains(words);
        assert!(said, "$ {line} does not say {words:?}\n{}\n{}", run.stdout, run.stderr);
    }
}

fn component(workshop: &Workshop, name: &str, text: &str) {
    fs::write(workshop.path(name), wat::parse_str(text).unwrap()).unwrap();
}

#[test]
fn a_name_that_is_taken_or_unfit_makes_nothing() {
    let workshop = Workshop::new();
    fs::create_dir(workshop.path("taken")).unwrap();
    fs::write(workshop.path("taken/mine"), "kept").unwrap();
    fs::create_dir(workshop.path("empty")).unwrap();
    let taken = &["taken is there already and is not empty", "take another name"];
    fails(&workshop, "precedent policy new taken --lang js", 2, taken);
    for name in ["Upper", "1st", "a_b", "ends-", "ü", "..", "a b", &"x".repeat(51)] {
        let line = format!("precedent policy new '{name}' --lang rust");
        fails(&workshop, &line, 2, &["is no name of a policy", "such as `environment-wins`"]);
    }
    fails(&workshop, "precedent policy new x --lang cobol", 2, &["rust, js, python"]);
    assert_eq!(below(&workshop.path("")), ["taken/mine"]);
    // A path, a folder that is empty already, and names that are words of a language.
    for line in ["deep/down/fn --lang rust", "empty --lang python", "serde --lang rust"] {
        let run = workshop.run(&format!("precedent policy new {line}"));
        assert_eq!(run.code, Some(0), "{run:?}");
    }
    let toml = fs::read_to_string(workshop.path("deep/down/fn/Cargo.toml")).unwrap();
    assert!(toml.contains("name = \"precedent-policy-fn\""), "{toml}");
}

#[test]
fn a_folder_without_a_policy_is_told_what_makes_one() {
    let workshop = Workshop::new();
    let way = &["no policy in .", "Cargo.toml (Rust)", "precedent policy new NAME --lang"];
    fails(&workshop, "precedent policy build", 2, way);
    fs::write(workshop.path("policy.py"), "").unwrap();
    fs::write(workshop.path("Cargo.toml"), "").unwrap();
    let both = &["holds policies in Rust and Python", "give each a folder of its own"];
    fails(&workshop, "precedent policy build .", 2, both);
    fs::remove_file(workshop.path("policy.py")).unwrap();
    fails(&workshop, "precedent policy build", 3, &["Cargo.toml", "missing field `package`"]);
}

#[test]
fn a_tool_that_is_missing_is_named() {
    for (language, program, way) in [
        ("rust", "rustc", "install Rust from https://rustup.rs"),
        ("js", "npm", "install Node.js"),
        ("python", "python3", "install Python 3.10 or newer"),
    ] {
        let workshop = Workshop::new();
        assert_eq!(
            workshop.run(&format!("precedent policy new x --lang {language}")).code,
            Some(0)
        );
        // A PATH on which nothing but this program is.
        let program_path = workshop.sandbox.program.display();
        let line = format!("cd x && PATH=/nowhere {program_path} policy build");
        fails(&workshop, &line, 3, &[&format!("cannot run {program}"), way]);
        assert!(!workshop.path("x/policy.wasm").exists());
    }
}

#[test]
fn a_contract_that_is_not_ours_is_replaced_only_if_asked_for() {
    let workshop = Workshop::new();
    assert_eq!(workshop.run("precedent policy new x --lang python").code, Some(0));
    let wit = workshop.path("x/wit/v1/policy.wit");
    let ours = fs::read_to_string(&wit).unwrap();
    fs::write(&wit, ours.replace("@1.0.0", "@1.1.0")).unwrap();
    let way =
        &["is not the contract that this precedent speaks", "precedent policy build --update"];
    fails(&workshop, "precedent policy build x", 2, way);
    assert!(fs::read_to_string(&wit).unwrap().contains("@1.1.0"), "what is the author's stays");
    // Without tools it stops after the contract.
    let program = workshop.sandbox.program.display();
    fails(&workshop, &format!("PATH=/nowhere {program} policy build x --update"), 3, &["python3"]);
    assert_eq!(fs::read_to_string(&wit).unwrap(), ours);
}

#[test]
fn a_component_that_imports_or_speaks_another_version_is_told_the_way_out() {
    let workshop = Workshop::new();
    component(
        &workshop,
        "wasi.wasm",
        r#"(component (import "wasi:cli/environment@0.2.0" (instance)))"#,
    );
    component(&workshop, "other.wasm", r#"(component (import "mine:own/thing" (instance)))"#);
    component(
        &workshop,
        "future.wasm",
        r#"(component (instance $i) (export "precedent:policy/policy@9.0.0" (instance $i)))"#,
    );
    for verb in ["policy inspect", "policy bench"] {
        let line = |name: &str| format!("precedent {verb} ./{name}.wasm");
        let wasi = &["`wasi:cli/environment@0.2.0`", "imports nothing", "--stub-wasi"];
        fails(&workshop, &line("wasi"), 3, wasi);
        fails(&workshop, &line("other"), 3, &["`mine:own/thing`", "from its snapshot alone"]);
        let future = &["`precedent:policy/policy@9.0.0`", "precedent policy build --update"];
        fails(&workshop, &line("future"), 3, future);
    }
    fails(&workshop, "precedent policy inspect ./none.wasm", 3, &["cannot read the policy"]);
    fails(&workshop, "precedent policy inspect nobody", 2, &["unknown policy `nobody`"]);
}

#[test]
fn settings_of_the_wrong_type_are_shown_where_they_stand() {
    let workshop = Workshop::new();
    let manifest = "deployment.preset = \"openclaw\"\npolicy.name = \"helm\"\n\n[settings]\npersist = 3\nmode = \"x\"\n";
    fs::write(workshop.path("precedent.toml"), manifest).unwrap();
    let says = &[
        "precedent.toml:5:1: /persist: 3 is not allowed, expected \"both\"",
        "5 | persist = 3\n  | ^",
        "precedent.toml:6:1: /mode: unknown setting `mode`, expected `persist`",
        "invalid: 2 settings that helm does not take",
    ];
    fails(&workshop, "precedent policy validate", 2, says);
    fails(&workshop, "precedent policy validate --set persist=none", 2, &["invalid: 1 setting"]);
    let flag = &["error: /persist: \"all\" is not allowed"];
    fails(&workshop, "precedent policy validate --set persist=all", 2, flag);
    fails(&workshop, "precedent policy validate --set persist", 2, &["--set takes KEY=VALUE"]);
    fs::write(workshop.path("precedent.toml"), manifest.replace("= 3\nmode = \"x\"", "= \"none\""))
        .unwrap();
    let run = workshop.run("precedent policy validate");
    assert_eq!((run.code, run.stdout.as_str()), (Some(0), "valid: helm takes these settings\n"));
}

#[test]
fn what_the_workbench_says_to_scripts() {
    let sandbox = Sandbox::new();
    let (code, document) = sandbox.json(&["policy", "inspect", "helm"]);
    assert_eq!((code, document["schema"].as_str()), (Some(0), Some("precedent.policy.inspect/1")));
    assert_eq!(document["policy"]["name"], "helm");
    assert_eq!(document["world"], "token-policy");
    assert_eq!(document["imports"].as_array().unwrap().len(), 0);
    assert_eq!(document["exports"][0], "precedent:policy/policy@1.0.0");
    assert_eq!(document["settings-schema"]["properties"]["persist"]["default"], "both");
    for size in ["component-bytes", "compiled-bytes"] {
        assert!(document[size].as_u64().unwrap() > 10_000, "{document}");
    }
    assert!(document["memory"]["used-bytes"].as_u64().unwrap() >= 65_536, "{document}");
    let (code, document) = sandbox.json(&["policy", "validate", "helm", "--set", "persist=1"]);
    assert_eq!((code, document["valid"].as_bool()), (Some(2), Some(false)));
    assert_eq!(document["faults"][0]["pointer"], "/persist");
    let (code, document) = sandbox.json(&["policy", "bench", "helm", "--for-ms", "20"]);
    assert_eq!((code, document["schema"].as_str()), (Some(0), Some("precedent.policy.bench/1")));
    let times = document["times"].as_array().unwrap();
    let what: Vec<&str> = times.iter().map(|time| time["what"].as_str().unwrap()).collect();
    assert_eq!(what, ["compile", "load", "isolated decision", "warm decision"]);
    for time in times {
        let at = |key: &str| time[key].as_f64().unwrap();
        let sorted = at("p50-us") <= at("p90-us") && at("p99-us") <= at("max-us");
        assert!(at("p50-us") > 0.0 && sorted, "{time}");
    }
}

/// The policy of `right.wat`, under every verb that looks into one.
#[test]
fn the_smallest_policy_is_looked_into() {
    let workshop = Workshop::new();
    fs::write(workshop.path("right.wasm"), hostile::right()).unwrap();
    let run = workshop.run("precedent policy inspect ./right.wasm");
    assert_eq!(run.code, Some(0), "{run:?}");
    assert!(run.stdout.contains("imports nothing"), "{}", run.stdout);
}

#[test]
fn a_policy_in_javascript_that_goes_wrong_says_where() {
    let mut workshop = Workshop::new();
    assert_eq!(workshop.run("precedent policy new x --lang js").code, Some(0));
    workshop.enter("x");
    let policy = workshop.path("policy.js");
    let right = fs::read_to_string(&policy).unwrap();
    let build = |text: &str| {
        fs::write(&policy, text).unwrap();
        workshop.run("precedent policy build")
    };
    let run = build(&right.replace("const decision", "missing.call();\n    const decision"));
    if run.stderr.contains("cannot run npm") || run.stderr.contains("`npm install` failed") {
        return tools::skip(&format!("a policy in JavaScript: {}", run.stderr));
    }
    assert_eq!(run.code, Some(0), "{run:?}");
    let thrown = &["policy-error: ReferenceError", "policy.js:10:", "precedent policy build"];
    fails(&workshop, "precedent check", 1, thrown);

    // Without the module that comes with a project nobody catches it.
    let shape = "export const policy = {
  describe: () => ({ name: 'x', version: '0.1.0', settingsSchema: '{}' }),
  validateSettings() {},
  decide: () => ({ verdicts: 'none' }),
};";
    assert_eq!(build(shape).code, Some(0));
    let crashed = &["the policy crashed", "another shape than wit/v1/policy.wit", "precedent.js"];
    fails(&workshop, "precedent explain", 3, crashed);

    // What does not build leaves the last component as it was, and the tool's words are shown.
    let before = fs::read(workshop.path("policy.wasm")).unwrap();
    let run = build("export const policy = {");
    assert_eq!(run.code, Some(3), "{run:?}");
    assert!(run.stderr.contains("policy.js does not build"), "{}", run.stderr);
    assert!(run.stderr.contains("Failed to evaluate"), "{}", run.stderr);
    let run = build("export const policy = { describe: () => 3 };");
    assert!(run.stderr.contains("what was built cannot be used"), "{}", run.stderr);
    assert_eq!(fs::read(workshop.path("policy.wasm")).unwrap(), before);
    let left = below(&workshop.path("")).into_iter().find(|path| path.starts_with(".precedent-"));
    assert_eq!(left, None, "a temporary folder was left");
}
