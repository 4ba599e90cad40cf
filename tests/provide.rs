//! `precedent provide` as whoever starts it sees it: what it answers, what it refuses, and that nothing
//! of a secret is anywhere but in its answer. With OpenClaw itself: `openclaw::provide`.

use std::{
    fs,
    io::Write,
    os::unix::fs::PermissionsExt,
    process::{Command, Output, Stdio},
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::support::{NEW, OLD, Sandbox, TOKEN, fixture, tools};

const TOKEN_ID: &str = "gateway-token";

/// A configuration whose places ask these providers.
fn asking(auth: &str, remote: Option<&str>) -> Value {
    let ask = |provider: &str| json!({"source": "exec", "provider": provider, "id": TOKEN_ID});
    let mut gateway = json!({"mode": "local", "auth": {"mode": "token", "token": ask(auth)}});
    if let Some(remote) = remote {
        gateway["remote"] = json!({"token": ask(remote)});
    }
    json!({"gateway": gateway})
}

fn sandbox(config: &Value) -> Sandbox {
    Sandbox::with_config(&config.to_string())
}

fn request(ids: &[&str]) -> String {
    json!({"protocolVersion": 1, "provider": "precedent", "ids": ids}).to_string()
}

/// Runs the command as OpenClaw does. What it answers is the one place for secrets: the rest of the
/// answer, and all else, is searched for them.
fn ask(sandbox: &Sandbox, args: &[&str], input: &[u8]) -> (Option<i32>, Option<Value>, String) {
    heard(sandbox, sandbox.fed(&[&["provide"], args].concat(), input))
}

fn heard(sandbox: &Sandbox, mut output: Output) -> (Option<i32>, Option<Value>, String) {
    let answer: Option<Value> = serde_json::from_slice(&output.stdout).ok();
    if let Some(mut rest) = answer.clone() {
        rest["values"] = Value::Null;
        output.stdout = rest.to_string().into_bytes();
    }
    sandbox.hear(&output);
    assert!(answer.is_some() || output.stdout.is_empty(), "half an answer");
    (output.status.code(), answer, String::from_utf8_lossy(&output.stderr).into_owned())
}

fn answer(sandbox: &Sandbox, args: &[&str], ids: &[&str]) -> (Value, String) {
    let (code, answer, said) = ask(sandbox, args, request(ids).as_bytes());
    assert_eq!(code, Some(0), "{said}");
    (answer.unwrap(), said)
}

#[test]
fn who_asks_has_no_copy_and_is_given_the_truth() {
    let sandbox = sandbox(&asking("precedent", Some("precedent")));
    let (given, said) = answer(&sandbox, &["--policy", "helm"], &[TOKEN_ID]);
    assert_eq!(given, json!({"protocolVersion": 1, "values": {TOKEN_ID: NEW}}));
    assert_eq!(said, "");
    // Nothing is written, whatever the policy would put into a place that is empty.
    assert_eq!(sandbox.config_text(), asking("precedent", Some("precedent")).to_string());
    let log = sandbox.run(&["log"]);
    assert!(
        log.stdout.contains("in sync"),
        "nor does the journal say that it is to change: {log:?}"
    );
    // Every other verb sees the reference.
    let explained = sandbox.run(&["explain", "--policy", "helm"]);
    assert!(explained.stdout.contains("refers to gateway-token"), "{explained:?}");
}

#[test]
fn the_shipped_policy_for_machines_takes_a_file_of_variables() {
    let mut sandbox = sandbox(&asking("precedent", None));
    sandbox.unset(TOKEN);
    fs::write(sandbox.path("home/.openclaw/.env"), format!("{TOKEN}={OLD}\n")).unwrap();
    let (given, _) = answer(&sandbox, &["--policy", "binary"], &[TOKEN_ID]);
    assert_eq!(given["values"], json!({TOKEN_ID: OLD}));
}

/// The server may be using what another provider says; no token is given out in its place.
#[test]
fn a_reference_to_another_provider_stays_one() {
    let sandbox = sandbox(&asking("vault", Some("precedent")));
    let (given, said) = answer(&sandbox, &["--policy", "helm"], &[TOKEN_ID]);
    assert_eq!(given["values"], json!({}));
    assert_eq!(given["errors"][TOKEN_ID]["code"], "NOT_FOUND");
    assert!(said.contains("the reference at gateway.auth.token leads nowhere"), "{said}");
}

/// Not even where the manifest has commands run: one of them could start Precedent again.
#[test]
fn no_command_is_run() {
    let trace = |sandbox: &Sandbox| sandbox.path("home/it-ran");
    let mut config = asking("other", None);
    let mut sandbox = sandbox(&config);
    let script = sandbox.path("home/provider");
    let ran = trace(&sandbox).display().to_string();
    fs::write(&script, format!("#!/bin/sh\n: > {ran}\n")).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o700)).unwrap();
    config["secrets"] = json!({"providers": {"other": {"source": "exec", "command": script.display().to_string()}}});
    fs::write(sandbox.config(), config.to_string()).unwrap();
    let manifest =
        "deployment = { preset = \"openclaw\", run-commands = true }\npolicy.name = \"helm\"\n";
    fs::write(sandbox.path("home/precedent.toml"), manifest).unwrap();
    sandbox.unset(TOKEN);

    let (given, _) = answer(&sandbox, &[], &[TOKEN_ID]);
    assert_eq!(given["errors"][TOKEN_ID]["code"], "NOT_FOUND");
    assert!(!trace(&sandbox).exists(), "a command was run");
    sandbox.run(&["explain"]);
    assert!(trace(&sandbox).exists(), "the test would not have seen it");
}

#[test]
fn what_one_id_is_refused_the_others_get() {
    let sandbox = sandbox(&asking("precedent", None));
    let ids =
        [TOKEN_ID, "cli/gateway-token", "gateway-password", "nobody/gateway-token", "no id", "x"];
    let (given, said) = answer(&sandbox, &["--policy", "helm"], &ids);
    assert_eq!(given["values"], json!({TOKEN_ID: NEW, "cli/gateway-token": NEW}));
    let code = |id: &str| given["errors"][id]["code"].as_str().unwrap();
    let codes = [code(ids[2]), code(ids[3]), code(ids[4]), code(ids[5])];
    assert_eq!(codes, ["NOT_FOUND", "NOT_FOUND", "INVALID_ID", "NOT_FOUND"]);
    assert_eq!(said.matches("warning:").count(), 4, "{said}");
    for words in [
        "nobody/gateway-token: no consumer `nobody` reads `gateway-token`, expected one of `gateway gateway-token`",
        "gateway-password: there is no `gateway-password` for `gateway`",
        "an id: not an id",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }

    let (given, _) = answer(&sandbox, &["--policy", "helm", "--consumer", "probe"], &[TOKEN_ID]);
    assert_eq!(given["values"], json!({TOKEN_ID: NEW}));
}

#[test]
fn a_refusal_and_a_broken_rule_are_told_for_each_id() {
    let sandbox = sandbox(&asking("precedent", None));
    let policy = fixture::misbehaving().display().to_string();
    let refusing = ["--policy", policy.as_str(), "--set", "way=refuse"];
    let (given, said) = answer(&sandbox, &refusing, &[TOKEN_ID, "cli/gateway-token"]);
    assert_eq!(given["errors"][TOKEN_ID]["code"], "REFUSED", "{said}");
    assert_eq!(given["errors"]["cli/gateway-token"]["code"], "REFUSED");
    assert_eq!(given["values"], json!({}));

    let manifest = "deployment = { preset = \"openclaw\" }\npolicy.name = \"helm\"\ngrants = {}\n";
    fs::write(sandbox.path("home/precedent.toml"), manifest).unwrap();
    let (given, said) = answer(&sandbox, &[], &[TOKEN_ID]);
    assert_eq!(given["errors"][TOKEN_ID]["code"], "VIOLATION");
    assert!(said.contains("grant"), "{said}");
    // Both are in the journal, as every run is.
    let log = sandbox.run(&["log"]);
    assert_eq!(log.stdout.matches("provide").count(), 2, "{log:?}");
}

#[test]
fn requests_and_calls_that_are_none() {
    let sandbox = sandbox(&asking("precedent", None));
    let good = request(&[TOKEN_ID]);
    let version = good.replace(":1,", ":2,");
    let long = format!("{good}{}", " ".repeat(256 * 1024));
    let wrong: [(&[&str], &[u8], &str); 11] = [
        (&[], b"", "no request came on standard input"),
        (&[], b"{", "no JSON (line 1, column 1)"),
        (&[], b"\xff\xfe", "no JSON"),
        (&[], b"canary-pasted", "no JSON (line 1, column 1)"),
        (&[], b"{\"protocolVersion\":1,\"provider\":\"p\"}", "no `ids`"),
        (&[], b"{\"protocolVersion\":1,\"ids\":[\"canary-x\"]}", "no `provider`"),
        (&[], version.as_bytes(), "another version of the protocol"),
        (&[], long.as_bytes(), "more than 262144 bytes"),
        (&["--manifest", "/none.toml"], good.as_bytes(), "cannot read the manifest /none.toml"),
        (&["--set", "persist=somewhere"], good.as_bytes(), "unknown variant `somewhere`"),
        (&["--run-commands"], good.as_bytes(), "--run-commands"),
    ];
    for (args, input, says) in wrong {
        let args = [args, &["--policy", "helm"]].concat();
        let (code, answer, said) = ask(&sandbox, &args, input);
        assert_eq!(code, Some(2), "{says}: {said}");
        assert_eq!(answer, None, "{says}");
        assert!(said.contains(says), "{says}: {said}");
    }

    let policy = fixture::misbehaving().display().to_string();
    let trapping = ["--policy", policy.as_str(), "--set", "way=trap"];
    let (code, answer, said) = ask(&sandbox, &trapping, good.as_bytes());
    assert_eq!((code, answer), (Some(3), None), "{said}");
}

#[test]
fn a_request_that_does_not_end_is_not_waited_for() {
    let sandbox = sandbox(&asking("precedent", None));
    let mut child = sandbox
        .command()
        .args(["provide", "--policy", "helm"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(request(&[TOKEN_ID]).as_bytes()).unwrap();
    let began = Instant::now();
    let (code, answer, said) = heard(&sandbox, child.wait_with_output().unwrap());
    assert!(began.elapsed() < Duration::from_secs(60));
    assert_eq!((code, answer), (Some(3), None), "{said}");
    assert!(said.contains("no whole request came"), "{said}");
    drop(stdin);
}

#[test]
fn a_terminal_is_shown_no_secret() {
    let Some(script) = tools::program("script") else { return };
    let sandbox = sandbox(&asking("precedent", None));
    let request_file = sandbox.path("request.json");
    fs::write(&request_file, request(&[TOKEN_ID])).unwrap();
    let program = sandbox.program.display();
    let line = format!("{program} provide --policy helm < {}", request_file.display());
    let output = Command::new(&script)
        .args(["-qec", &line, "/dev/null"])
        .env_clear()
        .envs(sandbox.variables())
        .current_dir(sandbox.path("home"))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    sandbox.hear(&output);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.contains("not on a terminal"), "{said}");
}

/// OpenClaw's plans hold references to variables; what else is to change is told, not left out.
#[test]
fn a_plan_for_openclaw_says_what_it_lacks() {
    let sandbox = Sandbox::stale_remote();
    let plan = |args: &[&str]| {
        let run = sandbox.run(&[&["plan", "--format", "openclaw-secrets"], args].concat());
        let document: Value = serde_json::from_str(&run.stdout).unwrap_or_default();
        (run.code, document, run.stderr)
    };
    let known = ["--attribute", "openclaw-version=2026.9.6"];
    let (code, document, said) = plan(&[&["--set", "persist=reference"], &known[..]].concat());
    assert_eq!(code, Some(0), "{said}");
    assert!(!said.contains("not in this plan"), "{said}");
    let target = |place: &str| {
        let path: Vec<&str> = place.split('.').collect();
        json!({
            "type": place,
            "path": place,
            "pathSegments": path,
            "ref": {"source": "env", "provider": "default", "id": TOKEN},
        })
    };
    let both = [target("gateway.auth.token"), target("gateway.remote.token")];
    assert_eq!(document["targets"], json!(both));
    assert_eq!(document["options"]["scrubEnv"], false);

    // In clear; a copy that goes; nothing to change; not to be kept for `apply`.
    let (code, document, said) = plan(&known);
    assert_eq!((code, &document["targets"]), (Some(4), &json!([])));
    assert_eq!(said.matches("not in this plan: config.").count(), 2, "{said}");
    assert!(said.contains("hold references only"), "{said}");
    let (code, _, said) = plan(&[&["--set", "persist=none"], &known[..]].concat());
    assert_eq!(code, Some(4));
    assert!(said.contains("remove nothing"), "{said}");
    let (code, _, said) = plan(&["--out", "plan.json"]);
    assert_eq!(code, Some(2));
    assert!(said.contains("redirect the output"), "{said}");
    assert!(!sandbox.path("home/plan.json").exists());
    let explain = sandbox.run(&["explain", "--format", "openclaw-secrets"]);
    assert_eq!(explain.code, Some(2), "{explain:?}");

    fs::write(sandbox.config(), "{").unwrap();
    let (code, document, said) = plan(&known);
    assert_eq!((code, &document["targets"]), (Some(0), &json!([])));
    assert!(said.contains("document-invalid"), "what keeps the plan empty is told: {said}");
}

/// A part of the configuration in another file is not what OpenClaw's plan would change.
#[test]
fn a_plan_for_openclaw_is_for_the_file_that_it_starts_from() {
    let sandbox = Sandbox::with_config(r#"{"gateway": {"$include": "gateway.json"}}"#);
    let included = sandbox.path("home/.openclaw/gateway.json");
    let text = format!(r#"{{"mode":"local","auth":{{"token":"{OLD}"}}}}"#);
    fs::write(included, text).unwrap();
    let run = sandbox.run(&[
        "plan",
        "--format",
        "openclaw-secrets",
        "--set",
        "persist=reference",
        "--attribute",
        "openclaw-version=2026.9.6",
    ]);
    assert_eq!(run.code, Some(4), "{run:?}");
    assert!(run.stderr.contains("the one configuration that it starts from"), "{run:?}");
}
