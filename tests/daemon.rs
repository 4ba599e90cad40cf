//! A gateway that runs as a service: what another version would change, what would win next, and a new
//! token.

use std::{fs, path::PathBuf, process::Output};

use serde_json::{Value, json};

use crate::support::{Sandbox, TOKEN};

const NEW_TOKEN: &str = "canary-a-new-token-0001";

/// The story: the unit still embeds the token from before a rotation, and so do a node and a `.env`.
fn daemon() -> Sandbox {
    let sandbox = Sandbox::new().policy("binary");
    let units = sandbox.path("home/.config/systemd/user");
    fs::create_dir_all(&units).unwrap();
    let unit = |token: &str| {
        format!(
            "[Unit]\nDescription=OpenClaw (v2026.3.8)\n\n[Service]\nExecStart=/bin/true\nEnvironment={TOKEN}={token}\n"
        )
    };
    fs::write(units.join("openclaw-gateway.service"), unit("canary-unit")).unwrap();
    fs::write(units.join("openclaw-node.service"), unit("canary-node")).unwrap();
    fs::write(sandbox.path("home/.openclaw/.env"), format!("{TOKEN}=canary-dotenv\n")).unwrap();
    let config =
        r#"{"gateway":{"auth":{"token":"canary-rotated"},"remote":{"token":"canary-remote"}}}"#;
    fs::write(sandbox.config(), config).unwrap();
    sandbox
}

fn unit(sandbox: &Sandbox, name: &str) -> PathBuf {
    sandbox.path("home/.config/systemd/user").join(name)
}

fn rotate(sandbox: &Sandbox, args: &[&str], secret: &str) -> (Output, String) {
    let words = [&["rotate", "--policy", "binary"], args].concat();
    let output = sandbox.fed(&words, secret.as_bytes());
    let said = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    assert!(!said.contains("canary-"), "a secret in {said}");
    (output, said)
}

#[test]
fn what_an_upgrade_would_change_is_told_before_it() {
    let sandbox = daemon();
    let (code, document) = sandbox.json(&["explain", "--as-of", "2026.9.6"]);
    assert_eq!(code, Some(0));
    // 3.8 is told by the unit, and its clients read the variable before the configuration.
    let cli = document["consumers"].as_array().unwrap().iter().find(|c| c["consumer"] == "cli");
    assert_eq!(cli.unwrap()["today"], "dotenv.gateway-token");
    assert_eq!(document["as-of"]["version"], "2026.9.6");
    let change = |name: &str| {
        let changes = document["as-of"]["changes"].as_array().unwrap();
        changes.iter().find(|change| change["consumer"] == name).cloned()
    };
    assert_eq!(
        change("cli").unwrap(),
        json!({
            "consumer": "cli", "credential": "gateway-token",
            "today": {"standing": "copy", "location": "dotenv.gateway-token"},
            "then": {"standing": "copy", "location": "config.auth-token"},
        })
    );
    assert_eq!(change("gateway"), None, "the server reads the configuration first in both");
    let run = sandbox.run(&["explain", "--as-of", "2026.9.6"]);
    assert!(run.stdout.contains("WITH 2026.9.6"), "{}", run.stdout);
    // The same is a finding without being asked.
    let (_, document) = sandbox.json(&["explain"]);
    let codes: Vec<&Value> =
        document["findings"].as_array().unwrap().iter().map(|f| &f["code"]).collect();
    assert!(codes.contains(&&json!("upgrade-changes-winner")), "{codes:?}");
    // And once it is mended there is nothing to change.
    sandbox.run(&["apply"]);
    let run = sandbox.run(&["explain", "--as-of", "2026.9.6"]);
    assert!(run.stdout.contains("every program gets the same secret as today"), "{}", run.stdout);
}

#[test]
fn the_copies_that_would_win_next_are_told_in_turn() {
    let sandbox = daemon();
    let (code, document) = sandbox.json(&["explain", "--shadows"]);
    assert_eq!(code, Some(0));
    let of = |name: &str| {
        let all = document["shadows"].as_array().unwrap();
        all.iter().find(|shadow| shadow["consumer"] == name).unwrap().clone()
    };
    let copy = |name: &str| json!({"location": name, "stale": true});
    assert_eq!(of("gateway")["today"], "config.auth-token");
    assert_eq!(
        of("gateway")["then"],
        json!([copy("unit.gateway-token"), copy("dotenv.gateway-token")])
    );
    assert_eq!(of("cli")["then"], json!([copy("config.auth-token"), copy("config.remote-token")]));
    let run = sandbox.run(&["explain", "--shadows"]);
    assert!(run.stdout.contains("a stale copy would win"), "{}", run.stdout);
    // Once repaired, what is left is the same secret, but for the node, which is only looked at.
    sandbox.run(&["apply", "--set", "node-services=keep-in-step"]);
    let run = sandbox.run(&["explain", "--shadows"]);
    assert!(run.stdout.contains("No stale copy is waiting to win."), "{}", run.stdout);
}

#[test]
fn a_new_token_goes_everywhere_and_is_seen_nowhere() {
    let sandbox = daemon();
    let before = sandbox.home();
    let (output, said) = rotate(&sandbox, &["--stdin", "--dry-run"], NEW_TOKEN);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert_eq!(sandbox.home(), before, "a dry run writes nothing");
    for words in [
        "gateway.auth.token takes the new token",
        "follows the new secret",
        "then look whether all agree: openclaw gateway call health, and precedent check",
        "rotation-without-grace",
        "Dry run: nothing was written.",
    ] {
        assert!(said.contains(words), "{words:?} in {said}");
    }
    let args = ["--stdin", "--set", "node-services=keep-in-step"];
    let (output, said) = rotate(&sandbox, &args, &format!("{NEW_TOKEN}\n"));
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("systemctl --user daemon-reload, then openclaw node restart"), "{said}");
    let text = |path: PathBuf| fs::read_to_string(path).unwrap();
    assert_eq!(sandbox.config_text().matches(NEW_TOKEN).count(), 2);
    assert!(!text(unit(&sandbox, "openclaw-gateway.service")).contains(TOKEN));
    assert!(
        text(unit(&sandbox, "openclaw-node.service")).contains(&format!("{TOKEN}={NEW_TOKEN}\n"))
    );
    assert_eq!(text(sandbox.path("home/.openclaw/.env")), format!("{TOKEN}={NEW_TOKEN}\n"));
    assert_eq!(sandbox.run(&["check"]).code, Some(0));
    // The same once more is no mistake, and changes nothing.
    let before = sandbox.home();
    let (output, said) = rotate(&sandbox, &["--stdin"], NEW_TOKEN);
    assert_eq!((output.status.code(), sandbox.home()), (Some(0), before), "{said}");
    // The journal has the run, and not the token; `run` searches it.
    let journal = text(sandbox.path("state/journal-openclaw.jsonl"));
    assert!(journal.contains("\"rotate\""));
}

#[test]
fn a_token_is_made_where_none_is_given() {
    let sandbox = daemon();
    let token = |sandbox: &Sandbox| {
        let config: Value = serde_json::from_str(&sandbox.config_text()).unwrap();
        config["gateway"]["auth"]["token"].as_str().unwrap().to_owned()
    };
    let (_, document) = sandbox.json(&["rotate"]);
    assert_eq!(document["schema"], "precedent.rotate/1");
    assert_eq!(document["changes"][0]["from"], "incoming.gateway-token");
    let one = token(&sandbox);
    assert_eq!(one.len(), 64);
    let run = sandbox.run(&["rotate"]);
    assert_ne!(token(&sandbox), one);
    assert!(!run.stdout.contains(&token(&sandbox)) && !run.stderr.contains(&token(&sandbox)));
}

#[test]
fn what_cannot_be_rotated_says_why_and_writes_nothing() {
    let cases = [
        (
            r#"{"gateway":{"auth":{"token":{"source":"exec","provider":"v","id":"x"}}}}"#,
            "kept-elsewhere",
        ),
        (r#"{"gateway":{"mode":"remote","remote":{"token":"canary-there"}}}"#, "rotate-elsewhere"),
        (
            r#"{"gateway":{"auth":{"mode":"password","password":"canary-password"}}}"#,
            "credential-not-used",
        ),
        ("{", "configuration-unreadable"),
    ];
    for (config, code) in cases {
        let sandbox = Sandbox::new().policy("binary");
        fs::write(sandbox.config(), config).unwrap();
        let before = sandbox.home();
        let run = sandbox.run(&["rotate"]);
        assert_eq!((run.code, sandbox.home()), (Some(1), before), "{config}: {run:?}");
        assert!(run.stdout.contains(code), "{code} in {}", run.stdout);
    }
    let sandbox = daemon();
    let before = sandbox.home();
    for (args, says) in [
        (["rotate", "--credential", "gateway-tokn"], "unknown credential `gateway-tokn`"),
        // A policy that has its source of truth elsewhere takes no new secret.
        (["rotate", "--policy", "helm"], "says nowhere to put a new gateway-token"),
    ] {
        let run = sandbox.run(&args);
        assert_eq!((run.code, sandbox.home()), (Some(2), before.clone()), "{run:?}");
        assert!(run.stderr.contains(says), "{}", run.stderr);
    }
}
