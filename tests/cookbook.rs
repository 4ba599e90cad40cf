//! The cookbook: each policy is built, its cases pass, it is proven, and on a real directory it does
//! what the text says.

use std::{fs, path::PathBuf};

use crate::support::{Run, Sandbox, fixture, root};

const NAMES: [&str; 5] =
    ["kept_in_step", "read_only_audit", "staging_copy", "grace_window", "site_order"];

/// A policy that says one simple thing and takes more is the SDK's fault.
const LINES: usize = 43;

/// What the cookbook says of a policy: its chapter.
fn chapter(name: &str) -> String {
    let book = fs::read_to_string(root().join("docs/cookbook.md")).unwrap();
    let link = format!("../guest/examples/{name}.rs");
    let mut chapters = book.split("\n## ").skip(1).filter(|chapter| chapter.contains(&link));
    let found = chapters.next().unwrap_or_else(|| panic!("docs/cookbook.md has no {name}"));
    assert!(chapters.next().is_none(), "docs/cookbook.md has {name} twice");
    found.to_owned()
}

/// The only block of a chapter in a language.
fn block<'c>(chapter: &'c str, language: &str) -> &'c str {
    let fence = format!("```{language}\n");
    let mut blocks = chapter.split(&fence).skip(1);
    let block = blocks.next().and_then(|rest| rest.split("```").next());
    assert!(blocks.next().is_none(), "more than one block of {language}");
    block.unwrap_or_else(|| panic!("no block of {language} in {chapter}"))
}

fn example(name: &str) -> PathBuf {
    root().join("examples/cookbook").join(name)
}

/// The example as an operator has it: manifest, cases and the component in one folder.
fn copied(name: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    let home = sandbox.path("home");
    fs::copy(fixture::example(name), home.join(format!("{name}.wasm"))).unwrap();
    fs::copy(example(name).join("precedent.toml"), home.join("precedent.toml")).unwrap();
    fs::create_dir(home.join("cases")).unwrap();
    for entry in fs::read_dir(example(name).join("cases")).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, home.join("cases").join(path.file_name().unwrap())).unwrap();
    }
    sandbox
}

/// The same with the machine's files below the folder of the manifest.
fn installed(name: &str, files: &[(&str, &str)]) -> Sandbox {
    let sandbox = copied(name);
    let manifest = sandbox.path("home/precedent.toml");
    let text = fs::read_to_string(&manifest).unwrap();
    fs::write(manifest, text.replace("\"/srv/", "\"srv/").replace("\"/run/", "\"run/")).unwrap();
    for (path, text) in files {
        write(&sandbox, path, text);
    }
    sandbox
}

fn write(sandbox: &Sandbox, path: &str, text: &str) {
    let path = sandbox.path("home").join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn read(sandbox: &Sandbox, path: &str) -> String {
    fs::read_to_string(sandbox.path("home").join(path)).unwrap()
}

#[track_caller]
fn run(sandbox: &Sandbox, words: &str, code: i32) -> Run {
    let words: Vec<&str> = words.split(' ').collect();
    let run = sandbox.run(&words);
    assert_eq!(run.code, Some(code), "{words:?}: {run:?}");
    run
}

#[track_caller]
fn says(run: &Run, parts: &[&str]) {
    for part in parts {
        assert!(run.stdout.contains(part), "no `{part}` in {}", run.stdout);
    }
}

#[test]
fn the_book_shows_what_the_files_hold() {
    let mut shown = 0;
    for name in NAMES {
        let chapter = chapter(name);
        let manifest = fs::read_to_string(example(name).join("precedent.toml")).unwrap();
        assert_eq!(block(&chapter, "toml"), manifest, "the manifest of {name}");
        assert!(!manifest.contains("preset"), "{name} is a deployment of its own");
        let source = root().join(format!("guest/examples/{name}.rs"));
        let policy = fs::read_to_string(source).unwrap();
        assert_eq!(block(&chapter, "rust"), policy, "the policy {name}");
        let (rule, _) = policy.split_once("#[test]").unwrap();
        let is_code = |line: &&str| !line.trim().is_empty() && !line.trim().starts_with("//");
        let lines = rule.lines().filter(is_code).count();
        assert!(lines <= LINES, "{name} has {lines} lines");
        println!("{name}: {lines} lines");

        let case = block(&chapter, "json");
        let cases = fs::read_dir(example(name).join("cases")).unwrap();
        let paths: Vec<PathBuf> = cases.map(|entry| entry.unwrap().path()).collect();
        assert!((3..=6).contains(&paths.len()), "{name} has {} cases", paths.len());
        let of = paths.iter().find(|path| fs::read_to_string(path).unwrap() == case);
        let of = of.unwrap_or_else(|| panic!("no case of {name} is the one shown"));
        let file = of.file_name().unwrap().to_string_lossy();
        assert!(chapter.contains(&format!("cases/{file})")), "the chapter names cases/{file}");
        shown += 1;
    }
    // None is forgotten: every folder has its chapter.
    assert_eq!(fs::read_dir(root().join("examples/cookbook")).unwrap().count(), shown);
}

/// Runs what the chapter shows, in the folder of the example: the last line that it shows of each
/// command is the last that comes out.
fn comes_out_as_shown(name: &str) {
    let sandbox = copied(name);
    let chapter = chapter(name);
    let commands: Vec<&str> = block(&chapter, "console").split("$ precedent ").skip(1).collect();
    assert_eq!(commands.len(), 2, "{name}: its cases, and its proof");
    for command in commands {
        let (words, shown) = command.split_once('\n').unwrap();
        let run = run(&sandbox, words, 0);
        assert_eq!(run.stdout.lines().last(), shown.trim_end().lines().last(), "{name}: {words}");
    }
}

#[test]
fn a_second_secret_is_kept_in_step() {
    comes_out_as_shown("kept_in_step");
    let sandbox = installed(
        "kept_in_step",
        &[
            ("srv/app/config.json", r#"{"auth": {"internalSecret": "canary-new"}}"#),
            ("srv/app/.env", "# of the worker\nINTERNAL_AUTH_SECRET=canary-old\nPORT=8080\n"),
        ],
    );
    says(&run(&sandbox, "plan", 0), &["srv/app/.env", "follows the authority"]);
    run(&sandbox, "apply", 0);
    let dotenv = "# of the worker\nINTERNAL_AUTH_SECRET=canary-new\nPORT=8080\n";
    assert_eq!(read(&sandbox, "srv/app/.env"), dotenv);
    run(&sandbox, "check", 0);
    // Where the authority is the variable of a machine, the files follow that.
    let sandbox = sandbox.env("INTERNAL_AUTH_SECRET", "canary-newer");
    let differs = run(&sandbox, "check", 4);
    says(&differs, &["out-of-step"]);
    run(&sandbox, "apply --set authority=env.internal-auth", 0);
    assert!(read(&sandbox, "srv/app/.env").contains("canary-newer"));
    assert!(read(&sandbox, "srv/app/config.json").contains("canary-newer"));
}

#[test]
fn an_audit_tells_everything_and_writes_nothing() {
    comes_out_as_shown("read_only_audit");
    let sandbox = installed(
        "read_only_audit",
        &[
            ("run/secrets/payments/api-key", "canary-new\n"),
            ("srv/payments/config.json", r#"{"gateway": {"apiKey": "canary-old"}}"#),
            ("srv/payments/.env", "API_KEY=canary-new\n"),
        ],
    );
    let before = sandbox.home();
    let plan = run(&sandbox, "plan", 0);
    says(&plan, &["error   stray-copy", "error   wrong-secret: payments", "warning disagrees"]);
    run(&sandbox, "check", 4);
    says(&run(&sandbox, "apply", 0), &["Audit: nothing is written, and a start goes on."]);
    assert_eq!(sandbox.home(), before);
}

/// What the mode adds to a policy that writes nothing: no other policy writes either, and a policy
/// that cannot be loaded keeps nobody from starting.
#[test]
fn the_mode_audit_holds_for_any_policy() {
    let sandbox = installed(
        "kept_in_step",
        &[
            ("srv/app/config.json", r#"{"auth": {"internalSecret": "canary-new"}}"#),
            ("srv/app/.env", "INTERNAL_AUTH_SECRET=canary-old\n"),
        ],
    );
    let manifest = read(&sandbox, "precedent.toml");
    let audited = manifest.replacen("[policy]", "mode = \"audit\"\n[policy]", 1);
    write(&sandbox, "precedent.toml", &audited);
    let before = sandbox.home();
    says(&run(&sandbox, "apply", 0), &["srv/app/.env", "Audit: nothing is written"]);
    assert_eq!(sandbox.home(), before);
    fs::remove_file(sandbox.path("home/kept_in_step.wasm")).unwrap();
    assert!(run(&sandbox, "apply", 0).stderr.contains("kept_in_step.wasm"));
    write(&sandbox, "precedent.toml", &manifest);
    run(&sandbox, "apply", 3);
}

#[test]
fn staging_takes_a_copy_and_gives_none() {
    comes_out_as_shown("staging_copy");
    let production = "run/secrets/production/upstream-token";
    let sandbox = installed(
        "staging_copy",
        &[
            (production, "changeme\n"),
            ("srv/staging/config.json", r#"{"upstream": {"token": "canary-staging"}}"#),
        ],
    );
    let before = sandbox.home();
    says(&run(&sandbox, "apply", 0), &["nothing-to-copy"]);
    assert_eq!(sandbox.home(), before, "a placeholder is no secret");
    write(&sandbox, production, "canary-production\n");
    says(&run(&sandbox, "plan", 0), &["follows production"]);
    run(&sandbox, "apply", 0);
    let config = read(&sandbox, "srv/staging/config.json");
    assert_eq!(config, r#"{"upstream": {"token": "canary-production"}}"#);
    assert_eq!(read(&sandbox, production), "canary-production\n");
    // A new secret of staging's own would part it from production.
    let run = sandbox.run(&["rotate", "--credential", "upstream-token"]);
    assert_eq!(run.code, Some(2), "{run:?}");
    assert_eq!(read(&sandbox, production), "canary-production\n");
}

#[test]
fn a_rotation_leaves_time_until_the_deadline() {
    comes_out_as_shown("grace_window");
    let server =
        |until: &str| format!(r#"{{"auth": {{"previousUntil": {until}, "token": "canary-old"}}}}"#);
    let (passed, ahead) = ("1000000000", "4102444800");
    let sandbox = installed(
        "grace_window",
        &[("srv/api/server.json", &server(passed)), ("srv/worker/.env", "API_TOKEN=canary-old\n")],
    )
    .env("API_TOKEN", "canary-old");
    let before = sandbox.home();
    let rotate = "rotate --credential token";
    run(&sandbox, rotate, 2);
    assert_eq!(sandbox.home(), before, "no rotation without a window");

    write(&sandbox, "srv/api/server.json", &server(ahead));
    says(&run(&sandbox, rotate, 0), &["on-previous: batch", "In sync"]);
    let config = read(&sandbox, "srv/api/server.json");
    assert!(config.contains(r#""tokenPrevious": "canary-old""#), "{config}");
    assert!(!config.contains(r#""token": "canary-old""#), "{config}");
    assert!(!read(&sandbox, "srv/worker/.env").contains("canary-old"));
    run(&sandbox, "check", 0);

    // The deadline passes; the program that did not change is locked out, and that is told.
    write(&sandbox, "srv/api/server.json", &config.replace(ahead, passed));
    says(&run(&sandbox, "plan", 0), &["its deadline has passed"]);
    says(&run(&sandbox, "apply", 4), &["locked-out: batch"]);
    let config = read(&sandbox, "srv/api/server.json");
    assert!(!config.contains("canary-old"), "{config}");
    let sandbox = sandbox.without("API_TOKEN");
    let current = read(&sandbox, "srv/worker/.env").trim().replace("API_TOKEN=", "");
    run(&sandbox.env("API_TOKEN", &current), "check", 0);
}

#[test]
fn each_program_gets_the_truth_in_its_own_order() {
    comes_out_as_shown("site_order");
    let sandbox = installed(
        "site_order",
        &[
            ("run/secrets/shop/db-password", "canary-new\n"),
            (
                "srv/shop/config.json5",
                "{ // of the shop\n  database: { password: 'canary-old' } }\n",
            ),
        ],
    );
    let explained = run(&sandbox, "explain", 0);
    says(&explained, &["it comes first in the order of the site"]);
    says(&run(&sandbox, "plan", 0), &["hides the truth from a program"]);
    run(&sandbox, "apply", 0);
    let config = read(&sandbox, "srv/shop/config.json5");
    assert!(config.contains("// of the shop") && config.contains("canary-new"), "{config}");
    run(&sandbox, "check", 0);
    // Nobody can write a variable; whoever reads it first is told of.
    let run = run(&sandbox.env("DB_PASSWORD", "canary-old"), "check", 4);
    says(&run, &["out-of-reach: app"]);
}
